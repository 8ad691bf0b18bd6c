#pragma once

/*
 * attempt_state.h - an attempt's life at its node, as a table. Pure: no I/O, no clock, no
 * allocation.
 *
 * What the shell does with a step: first record, then act, then report, in the order of the bits;
 * an action may be repeated without harm. After a restart the shell feeds what it finds on the disk
 * through the same function and then carries out attempt_due().
 *
 * That a cancel was accepted is state here (`cancelled`), whatever happens to the process
 * meanwhile.
 */
#include <stdbool.h>
#include <stdint.h>

enum attempt_phase {
    ATTEMPT_NEW,      /* nothing is recorded of it */
    ATTEMPT_QUEUED,   /* its start is recorded, no supervisor has it yet */
    ATTEMPT_STARTING, /* a supervisor has it, up to exec */
    ATTEMPT_RUNNING,  /* until its end is proved and recorded */
    ATTEMPT_ENDED,    /* its ending is on the disk: to be reported until acknowledged */
    ATTEMPT_GONE,     /* acknowledged: to be forgotten */
    ATTEMPT_PHASE_COUNT,
};

enum attempt_event {
    ATTEMPT_EV_START,           /* a command with a start and no cancel, of a higher version */
    ATTEMPT_EV_CANCEL,          /* a command with a cancel, of a higher version */
    ATTEMPT_EV_REPEATED,        /* a command of a version that is recorded already */
    ATTEMPT_EV_LAUNCHED,        /* a supervisor was started, or found alive */
    ATTEMPT_EV_NOT_LAUNCHED,    /* it could not be: the reason is the shell's to tell */
    ATTEMPT_EV_EXECUTED,        /* the supervisor says that exec succeeded */
    ATTEMPT_EV_ENDED,           /* there is an ending */
    ATTEMPT_EV_SUPERVISOR_GONE, /* it died, and there is no ending */
    ATTEMPT_EV_ACKNOWLEDGED,    /* the head has recorded the newest report */
    ATTEMPT_EV_COUNT,
};

enum attempt_action {
    ATTEMPT_DO_RECORD = 1 << 0,         /* the command, durably */
    ATTEMPT_DO_RECORD_UNBORN = 1 << 1,  /* an ending: cancelled before it started */
    ATTEMPT_DO_RECORD_FAILURE = 1 << 2, /* an ending: could not start */
    ATTEMPT_DO_LAUNCH = 1 << 3,         /* start a supervisor, when there is room */
    ATTEMPT_DO_SUCCEED = 1 << 4,        /* start a successor for the supervisor that died */
    ATTEMPT_DO_CANCEL = 1 << 5,         /* tell the supervisor of the cancel */
    ATTEMPT_DO_ACKNOWLEDGE = 1 << 6,    /* list the command's version as recorded */
    ATTEMPT_DO_REPORT = 1 << 7,         /* tell the head */
    ATTEMPT_DO_FORGET = 1 << 8,
};

struct attempt_state {
    enum attempt_phase phase;
    bool cancelled;   /* a cancel was accepted and is recorded */
    bool handed_over; /* its start is that of a group whose processes run already */
};

enum attempt_outcome {
    ATTEMPT_ILLEGAL = 1, /* the event can't happen in this phase; @state untouched */
};

/* Moves @state and says what is to be done. */
int attempt_step(struct attempt_state *state, enum attempt_event event, uint32_t *ret_actions);

/* What is (still) to be done in this state, for after a restart or a reconnect. */
uint32_t attempt_due(const struct attempt_state *state);

const char *attempt_phase_name(enum attempt_phase phase);
