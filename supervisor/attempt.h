#pragma once

/*
 * attempt.h - the attempt's directory of the node's state, as far as its supervisor writes it: the
 * lock, `started` and `ending`. The agent writes `command`; a file has one writer.
 */
#include "base/err.h"
#include "quell.pb-c.h"

#include <stdbool.h>

#define ATTEMPT_COMMAND "command"
#define ATTEMPT_STARTED "started"
#define ATTEMPT_ENDING  "ending"
#define ATTEMPT_LOCK    "lock"

struct attempt {
    int dirfd;
    int lock_fd;
    int reserve_fd; /* `ending.new`, with its block allocated: a full disk can't lose an ending */
    const Quell__Pb__Name *name;
    ProtobufCBinaryData uid;
    const char *boot_id;
};

/* Waits for the lock (F_SETLKW): a predecessor that still lives is waited for. @dirfd is borrowed;
   a directory that was deleted is no error here: recording will say so. */
int attempt_open(struct attempt *attempt, struct err *err);

/* Puts `started` in place, unless there is one: -EEXIST means that this attempt was started before.
   Called in the child, before exec. */
int attempt_record_started(const struct attempt *attempt, Quell__Pb__Started *started,
                           struct err *err);

enum attempt_outcome {
    ATTEMPT_ENDED_BEFORE = 1, /* there is an ending, and the first stands: this one is nothing */
};

/* Puts the ending in place, whole: 0, the outcome, or what failed. */
int attempt_record_ending(struct attempt *attempt, Quell__Pb__Ending *ending, struct err *err);

bool attempt_has_ending(const struct attempt *attempt);
