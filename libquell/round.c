/* round.c - one commit for all that has come since the last one, then everybody is told. */
#include "libquell/answer.h"
#include "libquell/quell_impl.h"

#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

int round_change(struct quell *quell, struct err *err)
{
    int r;

    if (quell->failed) {
        *err = quell->failure;
        return quell->failure.code;
    }
    if (quell->changing)
        return 0;
    r = store_begin(quell->store, err);
    quell->changing = r == 0;
    return r;
}

int round_change_more(struct quell *quell, struct err *err)
{
    const int r = round_change(quell, err);

    if (r < 0 || store_has_room(quell->store))
        return r;
    return err_set(err, TASK_E_BUSY,
                   "the disk with the head's state directory is full: nothing new is taken until "
                   "there is room; cancels are");
}

void round_fail(struct quell *quell, const struct err *why)
{
    if (quell->failed)
        return;
    quell->failed = true;
    quell->failure = *why;
    store_rollback(quell->store);
    quell->changing = false;
}

void round_wake(struct quell *quell)
{
    uint64_t one = 1;

    (void) !write(quell->event_fd, &one, sizeof(one)); /* its counter can't overflow */
}

void round_queue(struct quell *quell, struct call *call)
{
    if (TAILQ_EMPTY(&quell->calls))
        round_wake(quell);
    TAILQ_INSERT_TAIL(&quell->calls, call, entry);
}

void round_tell_node(struct quell *quell, const char *node, const char *state)
{
    struct call *call = quell->on_node ? call_new(CALL_NODE_STATE, quell->node_arg) : NULL;

    if (!call)
        return;
    call->on_done.node = quell->on_node;
    (void) snprintf(call->filter_node, sizeof(call->filter_node), "%s", node);
    call->node_state = state;
    round_queue(quell, call);
}

static void commit(struct quell *quell)
{
    struct err err;

    if (quell->changing && store_commit(quell->store, &err) < 0)
        round_fail(quell, &err);
    quell->changing = false;
    if (!quell->failed)
        return;
    wait_table_forget_ends(&quell->waits);
    quell_log(quell, LOG_ERR, "nothing could be recorded, and what was asked is refused: %s",
              quell->failure.text);
}

/* Nodes that have new commands and wait for them get them at once. */
static void wake_nodes(struct quell *quell)
{
    struct node *node;
    struct err err;

    while ((node = node_table_next_waking(&quell->nodes))) {
        int r = node->parked && !quell->failed ? commands_send(quell, node, &node->poll, &err)
                                               : STORE_NONE;

        if (r == 0)
            node_table_unpark(&quell->nodes, node);
        else if (r < 0)
            quell_log(quell, LOG_ERR, "node %s: its commands could not be sent: %s", node->name,
                      err.text);
    }
}

static void set_states(struct quell *quell, struct node_set *set)
{
    for (size_t i = 0; i < set->len; i++) {
        const struct node *node = node_table_find(&quell->nodes, set->nodes[i].name);
        bool up = node && node->settled;

        set->nodes[i].state = up ? "up" : "unreachable";
        if (up)
            set->nodes[i].last_heard_us = node->heard_wall_us;
    }
}

/* Whether what @call waits for is there. */
static bool call_is_ripe(const struct call *call)
{
    if (call->kind == CALL_WAIT)
        return task_status_is_terminal(call->tasks.tasks->current.status);
    if (call->kind == CALL_EVENTS)
        return call->events.events.len > 0 || call->events.events.gap;
    return true;
}

/* A question is sent before its call comes here: it has been answered, or its time is up. */
static void refuse_unanswered(struct call *call)
{
    char text[sizeof(call->peek->node) + 64];

    if (call->kind != CALL_PEEK || call->refused || call->peek->answer)
        return;
    (void) snprintf(text, sizeof(text), "node %s has not answered in time", call->peek->node);
    call_refuse(call, TASK_E_BUSY, text);
}

/* True when @call has found its place to wait. */
static bool call_waits(struct quell *quell, struct call *call)
{
    if (call->refused || call_is_ripe(call) || call->deadline_us <= quell->now_us)
        return false;
    task_set_done(&call->tasks);
    event_set_done(&call->events);
    if (wait_table_add(&quell->waits, call))
        return true;
    call_refuse(call, TASK_E_BUSY, "no memory to wait for the task");
    return false;
}

/* All answers are read before the first callback runs: a callback may change the state again. */
static void answer_calls(struct quell *quell, bool failed)
{
    struct call_list ready = TAILQ_HEAD_INITIALIZER(ready);
    struct call *call;

    wait_table_take_ended(&quell->waits, &quell->calls);
    wait_table_take_due(&quell->waits, quell->now_us, &quell->calls);
    while ((call = TAILQ_FIRST(&quell->calls))) {
        TAILQ_REMOVE(&quell->calls, call, entry);
        if (failed && call->changes)
            call_refuse(call, TASK_E_BUSY, quell->failure.text);
        refuse_unanswered(call);
        call_load(call, quell->store);
        set_states(quell, &call->nodes);
        if (!call_waits(quell, call))
            TAILQ_INSERT_TAIL(&ready, call, entry);
    }
    while ((call = TAILQ_FIRST(&ready))) {
        TAILQ_REMOVE(&ready, call, entry);
        call_run(call);
    }
}

void round_finish(struct quell *quell)
{
    bool failed;

    commit(quell);
    failed = quell->failed;
    wake_nodes(quell);
    answer_all(quell, failed);
    bulk_settle(quell, failed);
    quell->failed = false; /* what the callbacks ask for is the next round's */
    answer_calls(quell, failed);
    bulk_tell(quell);
}
