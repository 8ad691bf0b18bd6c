/* attempt.c - what verbs and reports do to an attempt: the rules' steps, made rows. */
#include "libquell/quell_impl.h"

#include "base/clock.h"
#include "base/fdio.h"
#include "libquell/core/task_rules.h"

#include <assert.h>

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

int attempt_queue(struct quell *quell, struct store_attempt *attempt, struct err *err)
{
    int r;

    attempt->status = TASK_QUEUED;
    attempt->cmd_version = 1;
    attempt->offered = session_of(quell, attempt->node) != NULL;
    fdio_random(attempt->uid, sizeof(attempt->uid));
    r = store_queue_attempt(quell->store, attempt, clock_wall_us(), err);
    if (r == 0)
        wake(quell, attempt->node);
    return r;
}

int attempt_end(struct quell *quell, const struct store_attempt *attempt,
                const struct attempt_end *end, const uint8_t *ending, size_t ending_len,
                struct err *err)
{
    int r = store_end_attempt(quell->store, attempt, end, ending, ending_len, err);

    if (r == 0)
        wait_table_note_end(&quell->waits, attempt->job_id, attempt->task_id);
    return r;
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

int attempt_cancel(struct quell *quell, struct store_attempt *attempt,
                   const struct cancel_wish *wish, struct err *err)
{
    struct task_place place = {attempt->job_id, attempt->task_id};
    enum task_step step = task_rules_step(TASK_VERB_CANCEL, attempt->status, attempt->offered);
    int r;

    if (step == TASK_STEP_REFUSE)
        return task_rules_refuse(TASK_VERB_CANCEL, place, attempt->status, err);
    r = round_change(quell, err);
    if (r < 0)
        return r;
    task_cancel_merge(&attempt->cancel, wish, attempt->grace_ms);
    if (step == TASK_STEP_CANCEL)
        return cancel_at_once(quell, attempt, wish->time_us, err);
    assert(step == TASK_STEP_CANCEL_AT_NODE);
    return cancel_at_node(quell, attempt, err);
}
