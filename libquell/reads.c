/* reads.c - the verbs that change nothing. They are answered from what has been committed. */
#include "libquell/quell_impl.h"

#include "base/clock.h"

#include <stdio.h>

static const struct quell_refusal no_memory = {TASK_E_BUSY, "no memory to do what was asked"};

void quell_show_task(struct quell *quell, uint32_t job_id, uint32_t task_id, quell_on_task on_done,
                     void *arg)
{
    struct call *call = call_new(CALL_TASK, arg);

    if (!call) {
        on_done(arg, &no_memory, NULL);
        return;
    }
    call->on_done.task = on_done;
    call->job_id = job_id;
    call->task_id = task_id;
    round_queue(quell, call);
}

void quell_wait_task(struct quell *quell, uint32_t job_id, uint32_t task_id, uint64_t timeout_ms,
                     quell_on_task on_done, void *arg)
{
    struct call *call = call_new(CALL_WAIT, arg);
    uint64_t now_us = clock_mono_us();

    if (!call) {
        on_done(arg, &no_memory, NULL);
        return;
    }
    call->on_done.task = on_done;
    call->job_id = job_id;
    call->task_id = task_id;
    call->deadline_us =
        timeout_ms < (UINT64_MAX - now_us) / 1000 ? now_us + timeout_ms * 1000 : UINT64_MAX;
    round_queue(quell, call);
}

void quell_list_tasks(struct quell *quell, const struct quell_filter *filter,
                      quell_on_tasks on_done, void *arg)
{
    struct call *call = call_new(CALL_LIST, arg);

    if (!call) {
        on_done(arg, &no_memory, NULL, 0, false);
        return;
    }
    call->on_done.tasks = on_done;
    call->filter = *filter;
    if (filter->node) {
        (void) snprintf(call->filter_node, sizeof(call->filter_node), "%s", filter->node);
        call->filter.node = call->filter_node;
    }
    round_queue(quell, call);
}

void quell_list_nodes(struct quell *quell, quell_on_nodes on_done, void *arg)
{
    struct call *call = call_new(CALL_NODES, arg);

    if (!call) {
        on_done(arg, &no_memory, NULL, 0);
        return;
    }
    call->on_done.nodes = on_done;
    round_queue(quell, call);
}
