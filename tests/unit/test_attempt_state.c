#include "agent/core/attempt_state.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

/* Every legal move, written a second time on purpose. */
struct legal {
    enum attempt_phase from;
    enum attempt_event event;
    enum attempt_phase to;
    uint32_t must;     /* actions that have to be there */
    uint32_t must_not; /* and that may not */
};

static struct legal legal[] = {
    {ATTEMPT_NEW, ATTEMPT_EV_START, ATTEMPT_QUEUED, ATTEMPT_DO_RECORD | ATTEMPT_DO_LAUNCH, 0},
    {ATTEMPT_NEW, ATTEMPT_EV_CANCEL, ATTEMPT_ENDED,
     ATTEMPT_DO_RECORD | ATTEMPT_DO_RECORD_UNBORN | ATTEMPT_DO_REPORT, ATTEMPT_DO_LAUNCH},
    {ATTEMPT_QUEUED, ATTEMPT_EV_START, ATTEMPT_QUEUED, ATTEMPT_DO_LAUNCH, 0},
    {ATTEMPT_QUEUED, ATTEMPT_EV_CANCEL, ATTEMPT_ENDED,
     ATTEMPT_DO_RECORD | ATTEMPT_DO_RECORD_UNBORN | ATTEMPT_DO_REPORT, ATTEMPT_DO_LAUNCH},
    {ATTEMPT_QUEUED, ATTEMPT_EV_REPEATED, ATTEMPT_QUEUED, ATTEMPT_DO_ACKNOWLEDGE,
     ATTEMPT_DO_LAUNCH | ATTEMPT_DO_RECORD},
    {ATTEMPT_QUEUED, ATTEMPT_EV_LAUNCHED, ATTEMPT_STARTING, 0, ATTEMPT_DO_REPORT},
    {ATTEMPT_QUEUED, ATTEMPT_EV_NOT_LAUNCHED, ATTEMPT_ENDED,
     ATTEMPT_DO_RECORD_FAILURE | ATTEMPT_DO_REPORT, 0},
    {ATTEMPT_QUEUED, ATTEMPT_EV_ENDED, ATTEMPT_ENDED, ATTEMPT_DO_REPORT, ATTEMPT_DO_LAUNCH},
    {ATTEMPT_STARTING, ATTEMPT_EV_START, ATTEMPT_STARTING, ATTEMPT_DO_RECORD, ATTEMPT_DO_LAUNCH},
    {ATTEMPT_STARTING, ATTEMPT_EV_CANCEL, ATTEMPT_STARTING, ATTEMPT_DO_RECORD | ATTEMPT_DO_CANCEL,
     ATTEMPT_DO_RECORD_UNBORN},
    {ATTEMPT_STARTING, ATTEMPT_EV_REPEATED, ATTEMPT_STARTING, ATTEMPT_DO_ACKNOWLEDGE,
     ATTEMPT_DO_LAUNCH | ATTEMPT_DO_CANCEL},
    {ATTEMPT_STARTING, ATTEMPT_EV_NOT_LAUNCHED, ATTEMPT_ENDED, ATTEMPT_DO_RECORD_FAILURE, 0},
    {ATTEMPT_STARTING, ATTEMPT_EV_EXECUTED, ATTEMPT_RUNNING, ATTEMPT_DO_REPORT, 0},
    {ATTEMPT_STARTING, ATTEMPT_EV_ENDED, ATTEMPT_ENDED, ATTEMPT_DO_REPORT, 0},
    {ATTEMPT_STARTING, ATTEMPT_EV_SUPERVISOR_GONE, ATTEMPT_STARTING, ATTEMPT_DO_SUCCEED,
     ATTEMPT_DO_LAUNCH},
    {ATTEMPT_RUNNING, ATTEMPT_EV_START, ATTEMPT_RUNNING, ATTEMPT_DO_RECORD, ATTEMPT_DO_LAUNCH},
    {ATTEMPT_RUNNING, ATTEMPT_EV_CANCEL, ATTEMPT_RUNNING, ATTEMPT_DO_RECORD | ATTEMPT_DO_CANCEL,
     ATTEMPT_DO_REPORT},
    {ATTEMPT_RUNNING, ATTEMPT_EV_REPEATED, ATTEMPT_RUNNING, ATTEMPT_DO_ACKNOWLEDGE,
     ATTEMPT_DO_LAUNCH},
    {ATTEMPT_RUNNING, ATTEMPT_EV_NOT_LAUNCHED, ATTEMPT_ENDED, ATTEMPT_DO_RECORD_FAILURE, 0},
    {ATTEMPT_RUNNING, ATTEMPT_EV_EXECUTED, ATTEMPT_RUNNING, 0, ATTEMPT_DO_LAUNCH},
    {ATTEMPT_RUNNING, ATTEMPT_EV_ENDED, ATTEMPT_ENDED, ATTEMPT_DO_REPORT, 0},
    {ATTEMPT_RUNNING, ATTEMPT_EV_SUPERVISOR_GONE, ATTEMPT_RUNNING, ATTEMPT_DO_SUCCEED,
     ATTEMPT_DO_REPORT},
    {ATTEMPT_ENDED, ATTEMPT_EV_START, ATTEMPT_ENDED, ATTEMPT_DO_RECORD, ATTEMPT_DO_LAUNCH},
    {ATTEMPT_ENDED, ATTEMPT_EV_CANCEL, ATTEMPT_ENDED, ATTEMPT_DO_RECORD,
     ATTEMPT_DO_CANCEL | ATTEMPT_DO_RECORD_UNBORN},
    {ATTEMPT_ENDED, ATTEMPT_EV_REPEATED, ATTEMPT_ENDED, ATTEMPT_DO_ACKNOWLEDGE, 0},
    {ATTEMPT_ENDED, ATTEMPT_EV_EXECUTED, ATTEMPT_ENDED, 0, ATTEMPT_DO_REPORT},
    {ATTEMPT_ENDED, ATTEMPT_EV_ENDED, ATTEMPT_ENDED, 0, ATTEMPT_DO_REPORT},
    {ATTEMPT_ENDED, ATTEMPT_EV_SUPERVISOR_GONE, ATTEMPT_ENDED, 0, ATTEMPT_DO_SUCCEED},
    {ATTEMPT_ENDED, ATTEMPT_EV_ACKNOWLEDGED, ATTEMPT_GONE, ATTEMPT_DO_FORGET, 0},
};

ParameterizedTestParameters(attempt_state, legal_move_leads_where_the_table_says)
{
    return cr_make_param_array(struct legal, legal, sizeof(legal) / sizeof(legal[0]));
}

ParameterizedTest(struct legal *move, attempt_state, legal_move_leads_where_the_table_says)
{
    struct attempt_state state = {.phase = move->from};
    uint32_t actions = 0;

    cr_assert_eq(attempt_step(&state, move->event, &actions), 0, "%s + event %d is illegal",
                 attempt_phase_name(move->from), (int) move->event);
    cr_expect_eq(state.phase, move->to, "%s + event %d led to %s", attempt_phase_name(move->from),
                 (int) move->event, attempt_phase_name(state.phase));
    cr_expect_eq(actions & move->must, move->must, "%s + event %d: actions %#x",
                 attempt_phase_name(move->from), (int) move->event, actions);
    cr_expect_eq(actions & move->must_not, 0, "%s + event %d: actions %#x",
                 attempt_phase_name(move->from), (int) move->event, actions);
    cr_expect_eq(state.cancelled, move->event == ATTEMPT_EV_CANCEL);
}

Test(attempt_state, nothing_else_is_legal_and_leaves_the_state_alone)
{
    unsigned found = 0;

    for (int p = 0; p < ATTEMPT_PHASE_COUNT; p++)
        for (int e = 0; e < ATTEMPT_EV_COUNT; e++) {
            struct attempt_state state = {.phase = (enum attempt_phase) p};
            uint32_t actions;

            if (attempt_step(&state, (enum attempt_event) e, &actions) == 0)
                found++;
            else
                cr_expect(state.phase == (enum attempt_phase) p && !state.cancelled);
        }
    cr_expect_eq(found, sizeof(legal) / sizeof(legal[0]), "%u legal moves", found);
}

Test(attempt_state, a_cancel_is_never_forgotten)
{
    struct attempt_state state = {.phase = ATTEMPT_RUNNING};
    uint32_t actions;

    cr_assert_eq(attempt_step(&state, ATTEMPT_EV_CANCEL, &actions), 0);
    cr_assert_eq(attempt_step(&state, ATTEMPT_EV_SUPERVISOR_GONE, &actions), 0);
    cr_expect(attempt_due(&state) & ATTEMPT_DO_CANCEL, "a successor must be told of it");
    cr_assert_eq(attempt_step(&state, ATTEMPT_EV_ENDED, &actions), 0);
    cr_expect(state.cancelled);
}

Test(attempt_state, a_cancel_of_a_group_that_runs_takes_it_over_in_place_of_a_tombstone)
{
    for (enum attempt_phase from = ATTEMPT_NEW; from <= ATTEMPT_QUEUED; from++) {
        struct attempt_state state = {.phase = from, .handed_over = true};
        uint32_t actions = 0;

        cr_assert_eq(attempt_step(&state, ATTEMPT_EV_CANCEL, &actions), 0);
        cr_expect_eq(state.phase, ATTEMPT_QUEUED);
        cr_expect(state.cancelled);
        cr_expect_eq(actions, ATTEMPT_DO_RECORD | ATTEMPT_DO_ACKNOWLEDGE | ATTEMPT_DO_LAUNCH);
        cr_expect_eq(attempt_due(&state), ATTEMPT_DO_LAUNCH);
        cr_assert_eq(attempt_step(&state, ATTEMPT_EV_LAUNCHED, &actions), 0);
        cr_expect_eq(attempt_due(&state), ATTEMPT_DO_CANCEL);
    }
}
