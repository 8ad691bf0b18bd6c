#include "libquell/call.h"

#include "base/clock.h"
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

uint64_t call_deadline_us(uint64_t timeout_ms)
{
    uint64_t now_us = clock_mono_us();

    return timeout_ms < (UINT64_MAX - now_us) / 1000 ? now_us + timeout_ms * 1000 : UINT64_MAX;
}

void call_refuse(struct call *call, int code, const char *text)
{
    call->refused = true;
    call->refusal.code = code;
    (void) snprintf(call->refusal.text, sizeof(call->refusal.text), "%s", text);
}

static int load_task(struct call *call, struct store *store, struct err *err)
{
    int r = store_load_task(store, call->job_id, call->task_id, &call->tasks, err);

    if (r != STORE_NONE)
        return r;
    return task_rules_refuse_unknown((struct task_place){call->job_id, call->task_id}, err);
}

static int load(struct call *call, struct store *store, struct err *err)
{
    switch (call->kind) {
    case CALL_TASK:
    case CALL_WAIT:
        return load_task(call, store, err);
    case CALL_LIST:
        return store_load_tasks(store, &call->filter, &call->tasks, &call->more, err);
    case CALL_NODES:
        return store_load_nodes(store, &call->nodes, err);
    case CALL_EVENTS:
        return store_load_events(store, call->after_id, call->filter.limit, &call->events, err);
    case CALL_PEEK:
    case CALL_NODE_STATE:
        return 0;
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
        call->on_done.tasks(call->arg, refusal, call->tasks.tasks, len, call->more);
        break;
    case CALL_NODES:
        call->on_done.nodes(call->arg, refusal, call->nodes.nodes,
                            call->refused ? 0 : call->nodes.len);
        break;
    case CALL_EVENTS:
        call->on_done.events(call->arg, refusal, call->refused ? NULL : &call->events.events);
        break;
    case CALL_PEEK:
        call_run_peek(call, refusal);
        break;
    case CALL_NODE_STATE:
        call->on_done.node(call->arg, call->filter_node, call->node_state);
        break;
    }
    task_set_done(&call->tasks);
    node_set_done(&call->nodes);
    event_set_done(&call->events);
    (void) peek_free(call->peek);
    free(call);
}
