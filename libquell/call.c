#include "libquell/call.h"

#include "libquell/core/task_rules.h"

#include <stdio.h>
#include <stdlib.h>

struct call *call_new(enum call_kind kind, void *arg)
{
    struct call *call = calloc(1, sizeof(*call));

    if (!call)
        return NULL;
    call->kind = kind;
    call->arg = arg;
    return call;
}

void call_refuse(struct call *call, int code, const char *text)
{
    call->refused = true;
    call->refusal.code = code;
    (void) snprintf(call->refusal.text, sizeof(call->refusal.text), "%s", text);
}

static int load_task(struct call *call, struct store *store, uint32_t task_id, struct err *err)
{
    int r = store_load_task(store, call->job_id, task_id, &call->tasks, err);

    if (r != STORE_NONE)
        return r;
    return task_rules_refuse_unknown((struct task_place){call->job_id, task_id}, err);
}

static int load_job(struct call *call, struct store *store, struct err *err)
{
    int r = 0;

    for (size_t i = 0; i < call->ids_len && r == 0; i++)
        r = load_task(call, store, call->ids[i], err);
    return r;
}

static int load(struct call *call, struct store *store, struct err *err)
{
    switch (call->kind) {
    case CALL_TASK:
    case CALL_WAIT:
        return load_task(call, store, call->task_id, err);
    case CALL_LIST:
        return store_load_tasks(store, &call->filter, &call->tasks, &call->more, err);
    case CALL_JOB:
        return load_job(call, store, err);
    case CALL_NODES:
        return store_load_nodes(store, &call->nodes, err);
    }
    return 0;
}

void call_load(struct call *call, struct store *store)
{
    struct err err;
    int r;

    if (call->refused)
        return;
    r = load(call, store, &err);
    if (r < 0)
        call_refuse(call, r == TASK_E_UNKNOWN_TASK ? r : TASK_E_BUSY, err.text);
}

void call_run(struct call *call)
{
    const struct quell_refusal *refusal = call->refused ? &call->refusal : NULL;
    size_t len = call->refused ? 0 : call->tasks.len;

    switch (call->kind) {
    case CALL_TASK:
    case CALL_WAIT:
        call->on_done.task(call->arg, refusal, len > 0 ? call->tasks.tasks : NULL);
        break;
    case CALL_LIST:
    case CALL_JOB:
        call->on_done.tasks(call->arg, refusal, call->tasks.tasks, len, call->more);
        break;
    case CALL_NODES:
        call->on_done.nodes(call->arg, refusal, call->nodes.nodes,
                            call->refused ? 0 : call->nodes.len);
        break;
    }
    task_set_done(&call->tasks);
    node_set_done(&call->nodes);
    free(call->ids);
    free(call);
}
