#pragma once

/*
 * attempt_end.h - how an attempt has ended, made of the node's facts and of the cancels that the
 * head had accepted. Pure.
 *
 * The head's acceptance decides a crossing: once a cancel was accepted the end is Cancelled, its
 * message the error message and nothing else, and the true wait status stands beside it. Source:
 * DESIGN section 3.
 */
#include "libquell/core/cancel.h"

struct attempt_end {
    enum task_status status;
    enum task_cause cause;
    int64_t exit_code; /* TASK_UNKNOWN */
    int64_t signal;
    const char *error_message; /* NULL: none; borrowed from the arguments */
    enum task_method method;   /* NONE without a proof */
    uint64_t start_time_us;    /* 0: never started, or not known */
    uint64_t end_time_us;
};

/* A node's report. */
void attempt_end_reported(const Quell__Pb__Ending *ending, const struct task_cancel *cancel,
                          struct attempt_end *ret);

/* An end that no node has reported. @cause and @text say why; an accepted cancel wins over both.
   @now_us: wall. */
void attempt_end_unreported(enum task_cause cause, const char *text,
                            const struct task_cancel *cancel, uint64_t now_us,
                            struct attempt_end *ret);
