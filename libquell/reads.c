/* reads.c - the verbs that change nothing. They are answered from what has been committed. */
#include "libquell/quell_impl.h"

#include <stdio.h>

void quell_show_task(struct quell *quell, uint32_t job_id, uint32_t task_id, quell_on_task on_done,
                     void *arg)
{
    struct call *call = call_new(CALL_TASK, arg);

    if (!call) {
        on_done(arg, &verb_no_memory, NULL);
        return;
    }
    call->on_done.task = on_done;
    call->job_id = job_id;
    call->task_id = task_id;
    round_queue(quell, call);
}

/* quell_wait is the call itself: its callback runs exactly once, and then both are gone. */
static struct quell_wait *wait_of(struct call *call)
{
    return (struct quell_wait *) call;
}

struct quell_wait *quell_wait_task(struct quell *quell, uint32_t job_id, uint32_t task_id,
                                   uint64_t timeout_ms, quell_on_task on_done, void *arg)
{
    struct call *call = call_new(CALL_WAIT, arg);

    if (!call) {
        on_done(arg, &verb_no_memory, NULL);
        return NULL;
    }
    call->on_done.task = on_done;
    call->job_id = job_id;
    call->task_id = task_id;
    call->deadline_us = call_deadline_us(timeout_ms);
    round_queue(quell, call);
    return wait_of(call);
}

struct quell_wait *quell_read_events(struct quell *quell, uint64_t after_id, size_t limit,
                                     uint64_t timeout_ms, quell_on_events on_done, void *arg)
{
    struct call *call = call_new(CALL_EVENTS, arg);

    if (!call) {
        on_done(arg, &verb_no_memory, NULL);
        return NULL;
    }
    call->on_done.events = on_done;
    call->after_id = after_id;
    call->filter.limit = limit;
    call->deadline_us = call_deadline_us(timeout_ms);
    round_queue(quell, call);
    return wait_of(call);
}

void quell_stop_wait(struct quell *quell, struct quell_wait *wait)
{
    struct call *call = (struct call *) wait;
    struct call_list stopped = TAILQ_HEAD_INITIALIZER(stopped);

    call->deadline_us = 0;
    wait_table_take(&quell->waits, call, &stopped);
    if (TAILQ_EMPTY(&stopped))
        return; /* it is about to be answered */
    TAILQ_REMOVE(&stopped, call, entry);
    round_queue(quell, call);
}

void quell_list_tasks(struct quell *quell, const struct quell_filter *filter,
                      quell_on_tasks on_done, void *arg)
{
    struct call *call = call_new(CALL_LIST, arg);

    if (!call) {
        on_done(arg, &verb_no_memory, NULL, 0, false);
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
        on_done(arg, &verb_no_memory, NULL, 0);
        return;
    }
    call->on_done.nodes = on_done;
    round_queue(quell, call);
}
