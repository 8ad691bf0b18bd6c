#include "agent/core/launch_room.h"

#include <criterion/criterion.h>

/* Which phases take a place, written a second time on purpose. */
static const bool takes_place[ATTEMPT_PHASE_COUNT] = {
    [ATTEMPT_NEW] = false,    [ATTEMPT_QUEUED] = false, [ATTEMPT_STARTING] = true,
    [ATTEMPT_RUNNING] = true, [ATTEMPT_ENDED] = false,  [ATTEMPT_GONE] = false,
};

Test(launch_room, an_attempt_takes_a_place_while_a_supervisor_has_it)
{
    for (enum attempt_phase phase = 0; phase < ATTEMPT_PHASE_COUNT; phase++)
        cr_assert_eq(launch_takes_place(phase), takes_place[phase], "%s",
                     attempt_phase_name(phase));
}

Test(launch_room, as_many_may_start_as_the_limit_leaves_room_for)
{
    static const struct {
        uint32_t max_running;
        uint32_t running;
        uint32_t room;
    } rows[] = {
        {1, 0, 1},
        {1, 1, 0},
        {8, 5, 3},
        {8, 8, 0},
        {2, 7, 0}, /* the limit was lowered: none is harmed, and none starts */
        {UINT32_MAX, 1, UINT32_MAX - 1},
        {0, 0, UINT32_MAX}, /* no limit */
        {0, 100000, UINT32_MAX},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_assert_eq(launch_room(rows[i].max_running, rows[i].running), rows[i].room, "row %zu", i);
}
