#include "libquell/core/task_rules.h"

#include <assert.h>
#include <inttypes.h>

struct rule {
    enum task_step steps[TASK_REACH_COUNT]; /* a cell left out refuses */
};

/* clang-format off */
#define DO(step)                          {{(step), (step), (step)}}
#define DO_BY_REACH(head, node, ending)   {{(head), (node), (ending)}}

static const struct rule rules[TASK_STATUS_COUNT][TASK_VERB_COUNT] = {
    [TASK_NOT_SUBMITTED] = {
        [TASK_VERB_SUBMIT] = DO(TASK_STEP_QUEUE),
        [TASK_VERB_CANCEL] = DO(TASK_STEP_CANCEL),
    },
    [TASK_QUEUED] = {
        [TASK_VERB_CANCEL] = DO_BY_REACH(TASK_STEP_CANCEL, TASK_STEP_CANCEL_AT_NODE,
                                         TASK_STEP_CANCEL_AT_NODE),
        /* It is being cancelled, and may run by now: its end becomes Queued. */
        [TASK_VERB_REQUEUE] = DO_BY_REACH(TASK_STEP_REFUSE, TASK_STEP_REFUSE,
                                          TASK_STEP_REQUEUE_AT_NODE),
    },
    [TASK_RUNNING] = {
        [TASK_VERB_CANCEL] = DO(TASK_STEP_CANCEL_AT_NODE),
        [TASK_VERB_REQUEUE] = DO(TASK_STEP_REQUEUE_AT_NODE),
        [TASK_VERB_PEEK] = DO(TASK_STEP_PEEK),
    },
    [TASK_FINISHED] = {
        [TASK_VERB_PEEK] = DO(TASK_STEP_PEEK),
    },
    [TASK_FAILED] = {
        [TASK_VERB_REQUEUE] = DO(TASK_STEP_REQUEUE),
        [TASK_VERB_PEEK] = DO(TASK_STEP_PEEK),
    },
    [TASK_CANCELLED] = {
        [TASK_VERB_REQUEUE] = DO(TASK_STEP_REQUEUE),
        [TASK_VERB_PEEK] = DO(TASK_STEP_PEEK),
    },
};
/* clang-format on */

static const struct verb_text {
    int code;
    const char *rule;
    const char *name;
} verbs[] = {
    [TASK_VERB_SUBMIT] = {TASK_E_WRONG_STATUS, "only a task that is not submitted can be submitted",
                          "submit"},
    [TASK_VERB_CANCEL] = {TASK_E_ENDED,
                          "only a task that is not submitted, queued or running can be cancelled",
                          "cancel"},
    [TASK_VERB_REQUEUE] = {TASK_E_WRONG_STATUS,
                           "only a task that is running, failed or cancelled can be requeued",
                           "requeue"},
    [TASK_VERB_PEEK] = {TASK_E_WRONG_STATUS, "it has no output before it was started",
                        "read the output of"},
};
_Static_assert(sizeof(verbs) / sizeof(verbs[0]) == TASK_VERB_COUNT, "a verb has no text");

enum task_step task_rules_step(enum task_verb verb, enum task_status status, enum task_reach reach)
{
    assert(verb < TASK_VERB_COUNT && status < TASK_STATUS_COUNT && reach < TASK_REACH_COUNT);
    return rules[status][verb].steps[reach];
}

int task_rules_refuse(enum task_verb verb, struct task_place place, enum task_status status,
                      struct err *err)
{
    assert(verb < TASK_VERB_COUNT);
    return err_set(err, verbs[verb].code, "task %" PRIu32 ".%" PRIu32 " is %s: %s", place.job_id,
                   place.task_id, task_status_name(status), verbs[verb].rule);
}

int task_rules_check_rerunnable(struct task_place place, bool rerunnable, struct err *err)
{
    if (rerunnable)
        return 0;
    return err_set(err, TASK_E_NOT_RERUNNABLE,
                   "task %" PRIu32 ".%" PRIu32
                   " is not rerunnable: it was added as one that must not be requeued",
                   place.job_id, place.task_id);
}

int task_rules_refuse_unknown(struct task_place place, struct err *err)
{
    return err_set(err, TASK_E_UNKNOWN_TASK, "there is no task %" PRIu32 ".%" PRIu32, place.job_id,
                   place.task_id);
}

int task_rules_permit(enum task_verb verb, struct task_place place, const struct task_owner *owner,
                      uint32_t asker_uid, bool asker_is_operator, struct err *err)
{
    assert(verb < TASK_VERB_COUNT);
    if (asker_is_operator || asker_uid == 0 || (owner->known && owner->uid == asker_uid))
        return 0;
    return err_set(err, TASK_E_DENIED,
                   "task %" PRIu32 ".%" PRIu32
                   " belongs to user %s: only its owner, root and the operators may %s it",
                   place.job_id, place.task_id, owner->user, verbs[verb].name);
}

int task_rules_check_message(const char *message, size_t len, struct err *err)
{
    size_t characters = 0;

    if (!message)
        return 0;
    switch (task_message_check((const uint8_t *) message, len, &characters)) {
    case TASK_MESSAGE_OK:
        return 0;
    case TASK_MESSAGE_TOO_LONG:
        return err_set(err, TASK_E_MESSAGE_TOO_LONG,
                       "the message has %zu characters, at most %u are allowed", characters,
                       TASK_MESSAGE_MAX);
    case TASK_MESSAGE_NOT_TEXT:
        break;
    }
    return err_set(err, TASK_E_INVALID, "the message is not text: it must be UTF-8 without NUL");
}

int task_rules_check_grace(uint64_t grace_ms, struct err *err)
{
    if (grace_ms <= TASK_GRACE_MAX_MS)
        return 0;
    return err_set(err, TASK_E_INVALID,
                   "a grace of %" PRIu64 " ms is too long: at most %llu ms (24 hours) are allowed",
                   grace_ms, TASK_GRACE_MAX_MS);
}
