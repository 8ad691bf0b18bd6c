/* Events, retention, nodes that come and go, and waits that are stopped. */
#include "test_libquell_rig.h"

#include "base/clock.h"
#include "libquell/quell_impl.h"
#include "libquell/store_impl.h"

#include <criterion/criterion.h>
#include <string.h>

static struct rig rig;
static struct peer peer;

static void setup(void)
{
    rig_open(&rig, 1000);
    peer_connect(&peer, &rig, "n1");
    peer_hello(&peer, NULL, 0);
}

static void teardown(void)
{
    peer_close(&peer);
    rig_done(&rig);
}

TestSuite(libquell_events, .init = setup, .fini = teardown, .timeout = 60);

static void end(const struct remembered *task)
{
    Quell__Pb__Ending ending;
    Quell__Pb__Proof proof;

    ending_exit(&ending, &proof, 0);
    cr_assert(peer_report_ending(&peer, task->uid, 2, &ending));
}

Test(libquell_events, each_change_of_a_status_is_an_event_in_its_order)
{
    struct remembered task = rig_running_task(&rig, &peer);
    struct outcome outcome;

    (void) rig_add_simple(&rig, "n1", 0, false);
    end(&task);
    outcome = rig_events(&rig, 0, 0);
    cr_assert_eq(outcome.len, 4);
    cr_expect_not(outcome.gap);
    cr_expect_eq(outcome.statuses[0], TASK_QUEUED);
    cr_expect_eq(outcome.statuses[1], TASK_RUNNING);
    cr_expect_eq(outcome.statuses[2], TASK_NOT_SUBMITTED);
    cr_expect_eq(outcome.job_ids[2], 2);
    cr_expect_eq(outcome.statuses[3], TASK_FINISHED);
    cr_expect_eq(rig_events(&rig, outcome.last_id, 0).len, 0);
    outcome = rig_events(&rig, 0, 3);
    cr_expect_eq(outcome.len, 3);
    cr_expect_eq(rig_events(&rig, outcome.last_id, 3).len, 1);
}

Test(libquell_events, a_requeue_is_the_end_of_one_attempt_and_the_queueing_of_the_next)
{
    struct remembered task = rig_running_task(&rig, &peer);
    struct outcome outcome;

    (void) rig_requeue(&rig, 1, 1, NULL, &alice_asks);
    end(&task);
    outcome = rig_events(&rig, 0, 0);
    cr_assert_eq(outcome.len, 4);
    cr_expect(outcome.statuses[2] == TASK_CANCELLED && outcome.attempts[2] == 0);
    cr_expect(outcome.statuses[3] == TASK_QUEUED && outcome.attempts[3] == 1);
}

Test(libquell_events, who_waits_for_an_event_is_told_with_its_commit)
{
    struct outcome outcome = {0}, late = {0};

    (void) quell_read_events(rig.quell, 0, 0, 60000, on_outcome_events, &outcome);
    rig_settle(&rig, 20);
    cr_expect_eq(outcome.calls, 0);
    (void) rig_add_simple(&rig, "n1", 0, false);
    cr_expect_eq(outcome.calls, 1);
    cr_expect_eq(outcome.len, 1);
    (void) quell_read_events(rig.quell, outcome.last_id, 0, 30, on_outcome_events, &late);
    rig_wait(&rig, &late);
    cr_expect_eq(late.len, 0);
    cr_expect_eq(late.last_id, outcome.last_id);
}

Test(libquell_events, numbers_go_on_behind_a_restart_and_a_foreign_one_is_a_gap)
{
    struct outcome outcome;
    uint64_t last;

    (void) rig_add_simple(&rig, "n1", 0, false);
    last = rig_events(&rig, 0, 0).last_id;
    rig_stop(&rig);
    rig_start(&rig);
    (void) rig_add_simple(&rig, "n1", 0, false);
    outcome = rig_events(&rig, last, 0);
    cr_assert_eq(outcome.len, 1);
    cr_expect_not(outcome.gap);
    cr_expect_gt(outcome.last_id, last);
    last = outcome.last_id;
    outcome = rig_events(&rig, last + 500, 0);
    cr_expect(outcome.gap);
    cr_expect_eq(outcome.last_id, last);
}

Test(libquell_events, a_wait_that_is_stopped_is_answered_as_it_is)
{
    struct outcome task = {0}, events = {0};
    struct quell_wait *wait;

    (void) rig_add_simple(&rig, "n1", 0, false);
    wait = quell_wait_task(rig.quell, 1, 1, 60000, on_outcome_task, &task);
    rig_settle(&rig, 20);
    quell_stop_wait(rig.quell, wait);
    rig_wait(&rig, &task);
    cr_expect_eq(task.task.current.status, TASK_NOT_SUBMITTED);
    wait = quell_read_events(rig.quell, 1, 0, 60000, on_outcome_events, &events);
    quell_stop_wait(rig.quell, wait); /* not parked yet */
    rig_wait(&rig, &events);
    cr_expect_eq(events.len, 0);
    cr_expect_eq(task.calls + events.calls, 2);
}

Test(libquell_events, a_node_that_comes_and_goes_is_told)
{
    cr_expect_str_eq(rig.nodes_told, "n1 up;");
    rig_settle(&rig, 6000); /* until the timer of its silence has run */
    cr_expect_str_eq(rig.nodes_told, "n1 up;n1 unreachable;");
}

/* ---- retention ---- */

static void begin_again_with_keep(uint64_t keep_ms)
{
    peer_close(&peer);
    rig_stop(&rig);
    rig.keep_ms = keep_ms;
    rig_start(&rig);
    peer_connect(&peer, &rig, "n1");
    peer_hello(&peer, NULL, 0);
}

Test(libquell_events, what_has_ended_is_forgotten_after_its_time_and_nothing_else)
{
    struct outcome outcome, kept;

    begin_again_with_keep(1000);
    (void) rig_add_simple(&rig, "n1", 0, false);
    (void) rig_add_simple(&rig, "n1", 1, false);
    (void) rig_add_simple(&rig, "n1", 0, false);
    (void) rig_cancel(&rig, 1, 1, NULL, -1, &alice_asks);
    (void) rig_cancel(&rig, 2, 1, NULL, -1, &alice_asks);
    do { /* the head's own timer ends this, or the test's */
        outcome = rig_show(&rig, 1, 1);
        rig_settle(&rig, 100);
    } while (!outcome.refused);
    cr_expect_eq(outcome.refusal.code, TASK_E_UNKNOWN_TASK);
    kept = rig_show(&rig, 1, 2);
    cr_expect_eq(kept.task.current.status, TASK_NOT_SUBMITTED);
    cr_expect_eq(rig_cancel_job(&rig, 2, &alice_asks).refusal.code, TASK_E_NOT_FOUND);
    cr_expect_eq(rig_add_simple(&rig, "n1", 0, false).task.job_id, 3, "no number comes again");
    outcome = rig_events(&rig, 1, 0);
    cr_expect(outcome.gap);
}

Test(libquell_events, a_node_whose_clock_is_wrong_does_not_decide_what_is_forgotten)
{
    struct remembered task = rig_running_task(&rig, &peer);
    Quell__Pb__Ending ending;
    Quell__Pb__Proof proof;

    ending_exit(&ending, &proof, 0);
    ending.end_time_us = 1000000; /* 1970 */
    cr_assert(peer_report_ending(&peer, task.uid, 2, &ending));
    begin_again_with_keep(0);
    rig_settle(&rig, 50);
    cr_expect_eq(rig_show(&rig, 1, 1).task.current.status, TASK_FINISHED);
}

Test(libquell_events, the_report_of_what_was_forgotten_is_acknowledged)
{
    struct remembered task = rig_running_task(&rig, &peer);
    Quell__Pb__Ending ending;
    Quell__Pb__Proof proof;
    struct err err;
    uint8_t stranger[16] = {1};
    bool more;

    ending_exit(&ending, &proof, 0);
    cr_assert(peer_report_ending(&peer, task.uid, 2, &ending));
    cr_assert_eq(store_forget(rig.quell->store, UINT64_MAX / 2, clock_wall_us(), &more, &err), 0);
    cr_expect(rig_show(&rig, 1, 1).refused);
    cr_expect(peer_report_ending(&peer, task.uid, 2, &ending), "the answer before was lost");
    cr_expect_not(peer_report_ending(&peer, stranger, 2, &ending));
    cr_assert_eq(store_forget(rig.quell->store, 0, UINT64_MAX / 2, &more, &err), 0);
    cr_expect_not(peer_report_ending(&peer, task.uid, 2, &ending), "but not for ever");
}

Test(libquell_events, more_than_one_round_can_forget_goes_all_the_same)
{
    struct err err;
    bool more = true;
    int rounds = 0;

    for (int i = 0; i < 250; i++) {
        (void) rig_add_simple(&rig, "n1", 5, false);
        (void) rig_cancel(&rig, 5, (uint32_t) i + 1, NULL, -1, &alice_asks);
    }
    for (; more; rounds++)
        cr_assert_eq(store_forget(rig.quell->store, UINT64_MAX / 2, clock_wall_us(), &more, &err),
                     0, "%s", err.text);
    cr_expect_gt(rounds, 2);
    cr_expect_eq(rig_list(&rig, &(struct quell_filter){0}).len, 0);
}

Test(libquell_events, a_time_that_nobody_can_mean_is_refused)
{
    const char *urls[] = {rig.url};
    struct quell_options options = {.state_dir = rig.state_dir, .listen = urls, .listen_len = 1};
    struct quell *quell = NULL;
    struct err err;

    options.keep_ms = TASK_KEEP_MIN_MS - 1;
    cr_expect_eq(quell_open(&options, &quell, &err), -ERANGE);
    cr_expect(strstr(err.text, "999 ms"), "%s", err.text);
    options.keep_ms = TASK_KEEP_MAX_MS + 1;
    cr_expect_eq(quell_open(&options, &quell, &err), -ERANGE);
}
