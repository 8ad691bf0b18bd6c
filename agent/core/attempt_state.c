#include "agent/core/attempt_state.h"

#include <assert.h>
#include <stddef.h>

struct attempt_move {
    bool legal; /* a cell left out is illegal */
    enum attempt_phase next;
    uint32_t actions;
};

/* clang-format off */
#define TO(phase, actions) {true, (phase), (actions)}
#define RECORD  (ATTEMPT_DO_RECORD | ATTEMPT_DO_ACKNOWLEDGE)
#define ANSWER  ATTEMPT_DO_ACKNOWLEDGE
#define REPORT  ATTEMPT_DO_REPORT

static const struct attempt_move moves[ATTEMPT_PHASE_COUNT][ATTEMPT_EV_COUNT] = {
    [ATTEMPT_NEW] = {
        [ATTEMPT_EV_START]  = TO(ATTEMPT_QUEUED, RECORD | ATTEMPT_DO_LAUNCH),
        /* A cancel that comes before its start leaves a tombstone: it never starts. */
        [ATTEMPT_EV_CANCEL] = TO(ATTEMPT_ENDED, RECORD | ATTEMPT_DO_RECORD_UNBORN | REPORT),
    },
    [ATTEMPT_QUEUED] = {
        [ATTEMPT_EV_START]        = TO(ATTEMPT_QUEUED, RECORD | ATTEMPT_DO_LAUNCH),
        [ATTEMPT_EV_CANCEL]       = TO(ATTEMPT_ENDED, RECORD | ATTEMPT_DO_RECORD_UNBORN | REPORT),
        [ATTEMPT_EV_REPEATED]     = TO(ATTEMPT_QUEUED, ANSWER),
        [ATTEMPT_EV_LAUNCHED]     = TO(ATTEMPT_STARTING, 0),
        [ATTEMPT_EV_NOT_LAUNCHED] = TO(ATTEMPT_ENDED, ATTEMPT_DO_RECORD_FAILURE | REPORT),
        [ATTEMPT_EV_ENDED]        = TO(ATTEMPT_ENDED, REPORT),
    },
    [ATTEMPT_STARTING] = {
        [ATTEMPT_EV_START]           = TO(ATTEMPT_STARTING, RECORD),
        [ATTEMPT_EV_CANCEL]          = TO(ATTEMPT_STARTING, RECORD | ATTEMPT_DO_CANCEL),
        [ATTEMPT_EV_REPEATED]        = TO(ATTEMPT_STARTING, ANSWER),
        [ATTEMPT_EV_NOT_LAUNCHED]    = TO(ATTEMPT_ENDED, ATTEMPT_DO_RECORD_FAILURE | REPORT),
        [ATTEMPT_EV_EXECUTED]        = TO(ATTEMPT_RUNNING, REPORT),
        [ATTEMPT_EV_ENDED]           = TO(ATTEMPT_ENDED, REPORT),
        [ATTEMPT_EV_SUPERVISOR_GONE] = TO(ATTEMPT_STARTING, ATTEMPT_DO_SUCCEED),
    },
    [ATTEMPT_RUNNING] = {
        [ATTEMPT_EV_START]           = TO(ATTEMPT_RUNNING, RECORD),
        [ATTEMPT_EV_CANCEL]          = TO(ATTEMPT_RUNNING, RECORD | ATTEMPT_DO_CANCEL),
        [ATTEMPT_EV_REPEATED]        = TO(ATTEMPT_RUNNING, ANSWER),
        [ATTEMPT_EV_NOT_LAUNCHED]    = TO(ATTEMPT_ENDED, ATTEMPT_DO_RECORD_FAILURE | REPORT),
        [ATTEMPT_EV_EXECUTED]        = TO(ATTEMPT_RUNNING, 0),
        [ATTEMPT_EV_ENDED]           = TO(ATTEMPT_ENDED, REPORT),
        [ATTEMPT_EV_SUPERVISOR_GONE] = TO(ATTEMPT_RUNNING, ATTEMPT_DO_SUCCEED),
    },
    /* A command that crossed the ending is recorded and answered; the head makes the status. */
    [ATTEMPT_ENDED] = {
        [ATTEMPT_EV_START]           = TO(ATTEMPT_ENDED, RECORD),
        [ATTEMPT_EV_CANCEL]          = TO(ATTEMPT_ENDED, RECORD),
        [ATTEMPT_EV_REPEATED]        = TO(ATTEMPT_ENDED, ANSWER),
        [ATTEMPT_EV_EXECUTED]        = TO(ATTEMPT_ENDED, 0),
        [ATTEMPT_EV_ENDED]           = TO(ATTEMPT_ENDED, 0), /* the first stands */
        [ATTEMPT_EV_SUPERVISOR_GONE] = TO(ATTEMPT_ENDED, 0),
        [ATTEMPT_EV_ACKNOWLEDGED]    = TO(ATTEMPT_GONE, ATTEMPT_DO_FORGET),
    },
};
/* clang-format on */

/* In place of a tombstone, where there is something to be ended: it is taken over, and the cancel
   is told to its supervisor. */
static const struct attempt_move cancel_of_running_group =
    TO(ATTEMPT_QUEUED, RECORD | ATTEMPT_DO_LAUNCH);

int attempt_step(struct attempt_state *state, enum attempt_event event, uint32_t *ret_actions)
{
    assert(state->phase < ATTEMPT_PHASE_COUNT);
    assert(event < ATTEMPT_EV_COUNT);

    const struct attempt_move *move = &moves[state->phase][event];
    if (event == ATTEMPT_EV_CANCEL && state->handed_over && state->phase <= ATTEMPT_QUEUED)
        move = &cancel_of_running_group;
    if (!move->legal)
        return ATTEMPT_ILLEGAL;
    state->phase = move->next;
    if (event == ATTEMPT_EV_CANCEL)
        state->cancelled = true;
    *ret_actions = move->actions;
    return 0;
}

uint32_t attempt_due(const struct attempt_state *state)
{
    const uint32_t cancel = state->cancelled ? ATTEMPT_DO_CANCEL : 0;

    switch (state->phase) {
    case ATTEMPT_QUEUED:
        return ATTEMPT_DO_LAUNCH;
    case ATTEMPT_STARTING:
        return cancel;
    case ATTEMPT_RUNNING:
        return cancel | ATTEMPT_DO_REPORT;
    case ATTEMPT_ENDED:
        return ATTEMPT_DO_REPORT;
    case ATTEMPT_GONE:
        return ATTEMPT_DO_FORGET;
    case ATTEMPT_NEW:
    case ATTEMPT_PHASE_COUNT:
        break;
    }
    return 0;
}

const char *attempt_phase_name(enum attempt_phase phase)
{
    static const char *const names[] = {
        [ATTEMPT_NEW] = "new",         [ATTEMPT_QUEUED] = "queued", [ATTEMPT_STARTING] = "starting",
        [ATTEMPT_RUNNING] = "running", [ATTEMPT_ENDED] = "ended",   [ATTEMPT_GONE] = "gone",
    };
    _Static_assert(sizeof(names) / sizeof(names[0]) == ATTEMPT_PHASE_COUNT, "a phase has no name");

    assert(phase < ATTEMPT_PHASE_COUNT);
    return names[phase];
}
