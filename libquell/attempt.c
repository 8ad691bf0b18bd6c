/* attempt.c - what verbs and reports do to an attempt: the rules' steps, made rows. */
#include "libquell/quell_impl.h"

#include "base/clock.h"
#include "base/fdio.h"
#include "libquell/core/task_rules.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum task_step attempt_step(enum task_verb verb, const struct store_attempt *attempt)
{
    enum task_reach reach = attempt->offered ? TASK_REACH_NODE : TASK_REACH_HEAD;

    if (attempt->cancel.accepted)
        reach = TASK_REACH_ENDING;
    return task_rules_step(verb, attempt->status, reach);
}

/* The node may have the command from the moment that it could be sent. */
static struct node *session_of(struct quell *quell, const char *name)
{
    struct node *node = node_table_find(&quell->nodes, name);

    return node && (node->settled || node->settling) ? node : NULL;
}

static void wake(struct quell *quell, const char *name)
{
    struct node *node = session_of(quell, name);

    if (node)
        node_table_wake(&quell->nodes, node);
}

static int note(struct quell *quell, const struct store_attempt *attempt,
                const struct attempt_end *end, struct err *err)
{
    wait_table_note_event(&quell->waits);
    return store_put_event(quell->store, attempt, end, clock_wall_us(), err);
}

int attempt_note(struct quell *quell, const struct store_attempt *attempt, struct err *err)
{
    return note(quell, attempt, NULL, err);
}

int attempt_queue(struct quell *quell, struct store_attempt *attempt, struct err *err)
{
    int r;

    attempt->status = TASK_QUEUED;
    attempt->cmd_version = 1;
    attempt->offered = session_of(quell, attempt->node) != NULL;
    fdio_random(attempt->uid, sizeof(attempt->uid));
    r = store_queue_attempt(quell->store, attempt, clock_wall_us(), err);
    if (r == 0)
        r = attempt_note(quell, attempt, err);
    if (r == 0)
        wake(quell, attempt->node);
    return r;
}

/* The attempt behind @ended, Queued on @node. */
static int queue_next(struct quell *quell, const struct store_attempt *ended, const char *node,
                      struct err *err)
{
    struct store_attempt next = {
        .job_id = ended->job_id,
        .task_id = ended->task_id,
        .attempt = ended->attempt + 1,
    };
    int r;

    (void) snprintf(next.node, sizeof(next.node), "%s", node);
    (void) snprintf(next.user, sizeof(next.user), "%s", ended->user);
    r = store_next_attempt(quell->store, &next, err);
    return r < 0 ? r : attempt_queue(quell, &next, err);
}

int attempt_end(struct quell *quell, const struct store_attempt *attempt,
                const struct attempt_end *end, const uint8_t *ending, size_t ending_len,
                struct err *err)
{
    int r = store_end_attempt(quell->store, attempt, end, ending, ending_len, clock_wall_us(), err);

    if (r == 0)
        r = note(quell, attempt, end, err);
    if (r < 0)
        return r;
    if (attempt->requeued)
        return queue_next(quell, attempt, attempt->requeue_node, err);
    wait_table_note_end(&quell->waits, attempt->job_id, attempt->task_id);
    return 0;
}

static int cancel_at_once(struct quell *quell, struct store_attempt *attempt, uint64_t now_us,
                          struct err *err)
{
    struct attempt_end end;
    int r = store_cancel_attempt(quell->store, attempt, err);

    if (r < 0)
        return r;
    attempt_end_unreported(TASK_CAUSE_CANCELLED, NULL, &attempt->cancel, now_us, &end);
    return attempt_end(quell, attempt, &end, NULL, 0, err);
}

static int cancel_at_node(struct quell *quell, struct store_attempt *attempt, struct err *err)
{
    int r;

    attempt->cmd_version++;
    if (attempt->cancel_version == 0)
        attempt->cancel_version = attempt->cmd_version;
    r = store_cancel_attempt(quell->store, attempt, err);
    if (r == 0)
        wake(quell, attempt->node);
    return r;
}

/* What is in a group handed over runs, whether its node has heard of it or not. */
static int choose_cancel(struct quell *quell, const struct store_attempt *attempt,
                         enum task_step *ret, struct err *err)
{
    CLEANUP_FREE uint8_t *spec = NULL;
    size_t len = 0;
    int r;

    *ret = attempt_step(TASK_VERB_CANCEL, attempt);
    if (*ret != TASK_STEP_CANCEL || attempt->status != TASK_QUEUED)
        return 0;
    r = store_load_spec(quell->store, attempt->job_id, attempt->task_id, &spec, &len, err);
    if (r == 0 && store_hands_over(spec, len))
        *ret = TASK_STEP_CANCEL_AT_NODE;
    return r < 0 ? r : 0;
}

int attempt_cancel(struct quell *quell, struct store_attempt *attempt,
                   const struct cancel_wish *wish, struct err *err)
{
    struct task_place place = {attempt->job_id, attempt->task_id};
    enum task_step step;
    int r = choose_cancel(quell, attempt, &step, err);

    if (r < 0)
        return r;
    if (step == TASK_STEP_REFUSE)
        return task_rules_refuse(TASK_VERB_CANCEL, place, attempt->status, err);
    r = round_change(quell, err);
    if (r < 0)
        return r;
    task_cancel_merge(&attempt->cancel, wish, attempt->grace_ms);
    attempt->requeued = false; /* the last verb wins */
    if (step == TASK_STEP_CANCEL)
        return cancel_at_once(quell, attempt, wish->time_us, err);
    assert(step == TASK_STEP_CANCEL_AT_NODE);
    return cancel_at_node(quell, attempt, err);
}

int attempt_requeue(struct quell *quell, struct store_attempt *attempt, const char *node,
                    const struct cancel_wish *wish, struct err *err)
{
    struct task_place place = {attempt->job_id, attempt->task_id};
    enum task_step step = attempt_step(TASK_VERB_REQUEUE, attempt);
    int r;

    if (step == TASK_STEP_REFUSE)
        return task_rules_refuse(TASK_VERB_REQUEUE, place, attempt->status, err);
    r = task_rules_check_rerunnable(place, attempt->rerunnable, err);
    if (r == 0)
        r = round_change_more(quell, err);
    if (r < 0)
        return r;
    if (!node)
        node = attempt->requeued ? attempt->requeue_node : attempt->node;
    if (step == TASK_STEP_REQUEUE)
        return queue_next(quell, attempt, node, err);
    assert(step == TASK_STEP_REQUEUE_AT_NODE);
    task_cancel_merge(&attempt->cancel, wish, attempt->grace_ms);
    attempt->requeued = true;
    (void) memmove(attempt->requeue_node, node, strlen(node) + 1);
    return cancel_at_node(quell, attempt, err);
}
