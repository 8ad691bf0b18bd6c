#pragma once

/*
 * task_rules.h - which verb may do what to a task, as one table, and what a refused one is told.
 * Pure: no I/O, no clock, no allocation.
 *
 * Refusals are returned as numbers of enum task_error (all negative), with a sentence in @err that
 * names the task, its status and the rule. Source: DESIGN section 3.
 */
#include "ipc/task.h"

enum task_verb {
    TASK_VERB_SUBMIT,
    TASK_VERB_CANCEL,
    TASK_VERB_REQUEUE,
    TASK_VERB_PEEK,
    TASK_VERB_COUNT
};

enum task_step {
    TASK_STEP_REFUSE,
    TASK_STEP_QUEUE,           /* becomes Queued */
    TASK_STEP_CANCEL,          /* becomes Cancelled at once */
    TASK_STEP_CANCEL_AT_NODE,  /* the node has to end it; until then the status stays */
    TASK_STEP_PEEK,            /* its output may be read */
    TASK_STEP_REQUEUE,         /* the next attempt becomes Queued */
    TASK_STEP_REQUEUE_AT_NODE, /* the same, once the node has ended this one */
};

enum task_reach {                    /* how far a Queued task has come; matters for Queued only */
                  TASK_REACH_HEAD,   /* its node can't have the command to start it */
                  TASK_REACH_NODE,   /* its node may have it */
                  TASK_REACH_ENDING, /* and has to confirm a cancel */
                  TASK_REACH_COUNT,
};

enum task_step task_rules_step(enum task_verb verb, enum task_status status, enum task_reach reach);

struct task_place { /* the task that a refusal names */
    uint32_t job_id;
    uint32_t task_id;
};

/* The refusal for TASK_STEP_REFUSE. */
int task_rules_refuse(enum task_verb verb, struct task_place place, enum task_status status,
                      struct err *err);
/* 0, or TASK_E_NOT_RERUNNABLE. Asked where the status allows a requeue. */
int task_rules_check_rerunnable(struct task_place place, bool rerunnable, struct err *err);
int task_rules_refuse_unknown(struct task_place place, struct err *err);

struct task_owner {
    bool known; /* else only operators may act */
    uint32_t uid;
    const char *user; /* as whom it runs, for the sentence */
};

/* 0, or TASK_E_DENIED: only its owner, root and the operators act on a task. */
int task_rules_permit(enum task_verb verb, struct task_place place, const struct task_owner *owner,
                      uint32_t asker_uid, bool asker_is_operator, struct err *err);

/* 0, or TASK_E_MESSAGE_TOO_LONG or TASK_E_INVALID. @message: NULL is no message. */
int task_rules_check_message(const char *message, size_t len, struct err *err);
int task_rules_check_grace(uint64_t grace_ms, struct err *err);
