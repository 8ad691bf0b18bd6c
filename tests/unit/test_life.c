#include "supervisor/core/life.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

/* A life is told as a list of events; each row says what must follow from it. Times in ms. */
#define MS 1000ull

struct chapter {
    struct life_event event; /* now_us and grace_us in ms here */
    uint32_t actions;
    enum life_phase phase;
};

struct story {
    const char *name;
    uint64_t limit_ms;
    struct chapter chapters[8];
    uint64_t deadline_ms; /* at the end; 0: none */
    enum life_reason reason;
    bool leftovers;
    bool no_leader;
};

#define CANCEL(at, grace)                                                                          \
    {                                                                                              \
        .type = LIFE_EV_CANCEL, .now_us = (at), .grace_us = (grace)                                \
    }
#define TIMER(at)                                                                                  \
    {                                                                                              \
        .type = LIFE_EV_TIMER, .now_us = (at)                                                      \
    }
#define LEADER(at)                                                                                 \
    {                                                                                              \
        .type = LIFE_EV_LEADER_ENDED, .now_us = (at)                                               \
    }
#define LOOKED(at, e, a)                                                                           \
    {                                                                                              \
        .type = LIFE_EV_LOOKED, .now_us = (at), .empty = (e), .alone = (a)                         \
    }
#define CORE_TIME(at)                                                                              \
    {                                                                                              \
        .type = LIFE_EV_CORE_TIME, .now_us = (at)                                                  \
    }
#define TERM (LIFE_DO_TERM | LIFE_DO_LOOK | LIFE_DO_TIMER)
#define KILL (LIFE_DO_KILL | LIFE_DO_LOOK | LIFE_DO_TIMER)
#define OVER (LIFE_DO_RECORD | LIFE_DO_TIMER)

static struct story stories[] = {
    {.name = "the leader exits and nothing is left",
     .chapters = {{LEADER(5), LIFE_DO_LOOK, LIFE_RUNNING},
                  {LOOKED(5, true, true), OVER, LIFE_OVER}},
     .reason = LIFE_REASON_LEADER},
    {.name = "the leader leaves processes behind: TERM, leftover grace, kill",
     .chapters = {{LEADER(5), LIFE_DO_LOOK, LIFE_RUNNING},
                  {LOOKED(5, false, false), TERM, LIFE_ENDING},
                  {TIMER(100), LIFE_DO_TIMER, LIFE_ENDING},
                  {TIMER(2005), KILL, LIFE_KILLING},
                  {LOOKED(2006, false, false), 0, LIFE_KILLING},
                  {LOOKED(2007, true, true), OVER, LIFE_OVER}},
     .reason = LIFE_REASON_LEADER,
     .leftovers = true},
    {.name = "the group is empty, but a descendant has left it: that is a leftover too",
     .chapters = {{LEADER(5), LIFE_DO_LOOK, LIFE_RUNNING},
                  {LOOKED(5, true, false), TERM, LIFE_ENDING},
                  {LOOKED(9, true, true), OVER, LIFE_OVER}},
     .reason = LIFE_REASON_LEADER,
     .leftovers = true},
    {.name = "cancel without grace kills at once",
     .chapters = {{CANCEL(7, 0), KILL, LIFE_KILLING},
                  {LEADER(8), LIFE_DO_LOOK, LIFE_KILLING},
                  {LOOKED(8, true, true), OVER, LIFE_OVER}},
     .reason = LIFE_REASON_CANCEL},
    {.name = "a core dump that takes too long is killed at once, and is no matter afterwards",
     .chapters = {{CORE_TIME(7), KILL, LIFE_KILLING},
                  {CORE_TIME(8), 0, LIFE_KILLING},
                  {LEADER(9), LIFE_DO_LOOK, LIFE_KILLING},
                  {LOOKED(9, true, true), OVER, LIFE_OVER}},
     .reason = LIFE_REASON_CORE},
    {.name = "the leader's exit does not end the grace of what it started",
     .chapters = {{CANCEL(10, 1000), TERM, LIFE_ENDING},
                  {LEADER(20), LIFE_DO_LOOK, LIFE_ENDING},
                  {LOOKED(20, false, false), 0, LIFE_ENDING},
                  {TIMER(1009), LIFE_DO_TIMER, LIFE_ENDING},
                  {TIMER(1010), KILL, LIFE_KILLING}},
     .reason = LIFE_REASON_CANCEL},
    {.name = "a further cancel with a shorter grace moves the deadline",
     .chapters = {{CANCEL(10, 10000), TERM, LIFE_ENDING},
                  {CANCEL(20, 500), LIFE_DO_TIMER, LIFE_ENDING}},
     .deadline_ms = 520,
     .reason = LIFE_REASON_CANCEL},
    {.name = "a further cancel with a longer grace leaves it",
     .chapters = {{CANCEL(10, 500), TERM, LIFE_ENDING},
                  {CANCEL(20, 10000), LIFE_DO_TIMER, LIFE_ENDING}},
     .deadline_ms = 510,
     .reason = LIFE_REASON_CANCEL},
    {.name = "a further cancel without grace kills at once",
     .chapters = {{CANCEL(10, 10000), TERM, LIFE_ENDING}, {CANCEL(20, 0), KILL, LIFE_KILLING}},
     .reason = LIFE_REASON_CANCEL},
    {.name = "a cancel while leftovers are ended keeps the earlier deadline",
     .chapters = {{LEADER(5), LIFE_DO_LOOK, LIFE_RUNNING},
                  {LOOKED(5, false, false), TERM, LIFE_ENDING},
                  {CANCEL(10, 15000), LIFE_DO_TIMER, LIFE_ENDING}},
     .deadline_ms = 2005,
     .reason = LIFE_REASON_LEADER,
     .leftovers = true},
    {.name = "the time limit: TERM, the task's grace, kill",
     .limit_ms = 300,
     .chapters = {{TIMER(299), LIFE_DO_TIMER, LIFE_RUNNING},
                  {TIMER(300), TERM, LIFE_ENDING},
                  {TIMER(4300), KILL, LIFE_KILLING}},
     .reason = LIFE_REASON_LIMIT},
    {.name = "what escaped is killed again until none is left",
     .chapters = {{CANCEL(7, 0), KILL, LIFE_KILLING},
                  {LEADER(8), LIFE_DO_LOOK, LIFE_KILLING},
                  {LOOKED(8, true, false), LIFE_DO_KILL, LIFE_KILLING},
                  {LOOKED(9, true, false), LIFE_DO_KILL, LIFE_KILLING},
                  {LOOKED(10, true, true), OVER, LIFE_OVER}},
     .reason = LIFE_REASON_CANCEL},
    {.name = "an empty group is no end while the leader lives",
     .chapters = {{CANCEL(7, 1000), TERM, LIFE_ENDING},
                  {LOOKED(8, true, true), 0, LIFE_ENDING},
                  {LEADER(9), LIFE_DO_LOOK, LIFE_ENDING},
                  {LOOKED(9, true, true), OVER, LIFE_OVER}},
     .reason = LIFE_REASON_CANCEL},
    {.name = "a group without a leader is over as soon as it is empty",
     .chapters = {{LOOKED(5, false, false), 0, LIFE_RUNNING},
                  {LOOKED(9, true, true), OVER, LIFE_OVER},
                  {CANCEL(10, 0), 0, LIFE_OVER}},
     .reason = LIFE_REASON_EMPTY,
     .no_leader = true},
    {.name = "a group without a leader knows no leftovers: cancel, grace, kill",
     .chapters = {{CANCEL(10, 1000), TERM, LIFE_ENDING},
                  {LOOKED(20, false, false), 0, LIFE_ENDING},
                  {TIMER(1010), KILL, LIFE_KILLING},
                  {LOOKED(1011, false, false), 0, LIFE_KILLING},
                  {LOOKED(1012, true, true), OVER, LIFE_OVER}},
     .reason = LIFE_REASON_CANCEL,
     .no_leader = true},
    {.name = "what is put into a group without a leader behind the kill goes by a further cancel",
     .chapters = {{CANCEL(10, 0), KILL, LIFE_KILLING},
                  {LOOKED(11, false, true), 0, LIFE_KILLING},
                  {CANCEL(20, 5000), LIFE_DO_KILL | LIFE_DO_LOOK, LIFE_KILLING},
                  {LOOKED(21, true, true), OVER, LIFE_OVER}},
     .reason = LIFE_REASON_CANCEL,
     .no_leader = true},
    {.name = "a group without a leader that is empty within the grace is not killed",
     .chapters = {{CANCEL(10, 1000), TERM, LIFE_ENDING}, {LOOKED(20, true, true), OVER, LIFE_OVER}},
     .reason = LIFE_REASON_CANCEL,
     .no_leader = true},
    {.name = "a group without a leader has a time limit too",
     .limit_ms = 300,
     .chapters = {{TIMER(300), TERM, LIFE_ENDING}, {TIMER(4300), KILL, LIFE_KILLING}},
     .reason = LIFE_REASON_LIMIT,
     .no_leader = true},
    {.name = "a cancel that crosses the end changes nothing",
     .chapters = {{LEADER(5), LIFE_DO_LOOK, LIFE_RUNNING},
                  {LOOKED(5, true, true), OVER, LIFE_OVER},
                  {CANCEL(6, 0), 0, LIFE_OVER},
                  {TIMER(7), 0, LIFE_OVER},
                  {LOOKED(8, true, true), 0, LIFE_OVER}},
     .reason = LIFE_REASON_LEADER},
};

ParameterizedTestParameters(life, goes_as_the_rules_say)
{
    return cr_make_param_array(struct story, stories, sizeof(stories) / sizeof(stories[0]));
}

ParameterizedTest(struct story *story, life, goes_as_the_rules_say)
{
    struct life life;

    life_init(&life, 0, story->limit_ms * MS, 4000 * MS, 2000 * MS);
    life.no_leader = story->no_leader;
    for (size_t i = 0; i < 8; i++) {
        struct chapter *chapter = &story->chapters[i];
        struct life_event event = chapter->event;

        if (!event.now_us)
            break;
        event.now_us *= MS;
        event.grace_us *= MS;
        cr_expect_eq(life_step(&life, &event), chapter->actions, "%s: chapter %zu: actions",
                     story->name, i);
        cr_expect_eq(life.phase, chapter->phase, "%s: chapter %zu: phase %d", story->name, i,
                     (int) life.phase);
    }
    cr_expect_eq(life.reason, story->reason, "%s: reason %d", story->name, (int) life.reason);
    cr_expect_eq(life.leftovers, story->leftovers, "%s", story->name);
    if (story->deadline_ms)
        cr_expect_eq(life_deadline_us(&life), story->deadline_ms * MS, "%s: deadline %llu us",
                     story->name, (unsigned long long) life_deadline_us(&life));
}

Test(life, no_duration_overflows)
{
    struct life life;

    cr_expect_eq(life_us_of_ms(1500), 1500000);
    life_init(&life, 1000000, life_us_of_ms(UINT64_MAX), life_us_of_ms(UINT64_MAX), 0);
    cr_expect_gt(life_deadline_us(&life), 1000000ull * 3600 * 24 * 365);
    (void) life_step(&life, &(struct life_event){.type = LIFE_EV_TIMER, .now_us = 2000000});
    cr_expect_eq(life.phase, LIFE_RUNNING);
}

Test(life, steps_have_their_times_and_those_that_did_not_happen_have_none)
{
    const struct life_event events[] = {CANCEL(10, 1000), LEADER(20), LOOKED(20, false, false),
                                        LOOKED(30, true, false), LOOKED(40, true, true)};
    struct life life;

    life_init(&life, 0, 0, 0, 0);
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        (void) life_step(&life, &events[i]);
    cr_expect_eq(life.first_step_us, 10);
    cr_expect_eq(life.received_us, 10);
    cr_expect_eq(life.term_us, 10);
    cr_expect_eq(life.kill_us, 0);
    cr_expect_eq(life.empty_us, 30);
    cr_expect_eq(life.reaped_us, 40);
}

Test(life, what_nobody_reaps_has_no_time_of_reaping)
{
    const struct life_event event = LOOKED(9, true, true);
    struct life life;

    life_init(&life, 0, 0, 0, 0);
    life.no_leader = true;
    (void) life_step(&life, &event);
    cr_expect_eq(life.first_step_us, 9);
    cr_expect_eq(life.empty_us, 9);
    cr_expect_eq(life.reaped_us, 0);
}

Test(life, never_ends_while_a_process_may_be_left)
{
    /* Every order of up to six events out of these, from the start: it is over only after a look
       that found the group empty and no descendant, with the leader ended. */
    const struct life_event alphabet[] = {
        CANCEL(1, 0),           CANCEL(1, 5),         TIMER(1), LEADER(1), LOOKED(1, false, false),
        LOOKED(1, true, false), LOOKED(1, true, true)};
    const unsigned letters = sizeof(alphabet) / sizeof(alphabet[0]);
    unsigned words = 1;

    for (int i = 0; i < 6; i++)
        words *= letters;
    for (unsigned word = 0; word < words; word++) {
        struct life life;
        bool leader_ended = false;
        unsigned rest = word;

        life_init(&life, 1, 3, 2, 2);
        for (uint64_t now = 1; now <= 6; now++, rest /= letters) {
            struct life_event event = alphabet[rest % letters];
            const enum life_phase before = life.phase;

            event.now_us = now;
            leader_ended |= event.type == LIFE_EV_LEADER_ENDED;
            const uint32_t actions = life_step(&life, &event);
            const bool proved =
                event.type == LIFE_EV_LOOKED && event.empty && event.alone && leader_ended;
            cr_assert(before == LIFE_OVER || (life.phase == LIFE_OVER) == proved, "word %u", word);
            cr_assert_eq((actions & LIFE_DO_RECORD) != 0, before != LIFE_OVER && proved,
                         "word %u: recorded", word);
        }
    }
}
