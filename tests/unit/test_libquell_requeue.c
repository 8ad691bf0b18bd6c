/* A task that is queued again: idle, running, here and elsewhere; the last verb wins. */
#include "test_libquell_rig.h"

#include <criterion/criterion.h>
#include <string.h>

static struct rig rig;
static struct peer peer, other;

static void setup(void)
{
    rig_open(&rig, 1000);
    peer_connect(&peer, &rig, "n1");
    peer_hello(&peer, NULL, 0);
    peer_connect(&other, &rig, "n2");
    peer_hello(&other, NULL, 0);
}

static void teardown(void)
{
    peer_close(&peer);
    peer_close(&other);
    rig_done(&rig);
}

TestSuite(libquell_requeue, .init = setup, .fini = teardown, .timeout = 60);

static void end(const struct remembered *task, uint32_t code)
{
    Quell__Pb__Ending ending;
    Quell__Pb__Proof proof;

    ending_exit(&ending, &proof, code);
    cr_assert(peer_report_ending(&peer, task->uid, 2, &ending));
}

struct earlier { /* what show says of the attempts before, by value */
    int calls;
    size_t len;
    struct quell_attempt first;
    char first_message[64];
    bool first_has_message;
    char requeue_node[64];
};

static void on_earlier(void *arg, const struct quell_refusal *refusal,
                       const struct quell_task *task)
{
    struct earlier *earlier = arg;

    cr_assert_null(refusal);
    earlier->calls++;
    earlier->len = task->attempts_len;
    if (task->requeue_node)
        (void) strncpy(earlier->requeue_node, task->requeue_node,
                       sizeof(earlier->requeue_node) - 1);
    if (task->attempts_len == 0)
        return;
    earlier->first = task->attempts[0];
    earlier->first_has_message = task->attempts[0].error_message != NULL;
    if (earlier->first_has_message)
        (void) strncpy(earlier->first_message, task->attempts[0].error_message,
                       sizeof(earlier->first_message) - 1);
}

static struct earlier show_earlier(void)
{
    struct earlier earlier = {0};
    struct err err;

    quell_show_task(rig.quell, 1, 1, on_earlier, &earlier);
    while (earlier.calls == 0)
        cr_assert_eq(quell_dispatch(rig.quell, &err), 0, "%s", err.text);
    return earlier;
}

Test(libquell_requeue, a_failed_task_is_queued_again_and_keeps_how_it_failed)
{
    struct remembered task = rig_running_task(&rig, &peer), again;
    struct outcome outcome;
    struct earlier earlier;

    end(&task, 3);
    outcome = rig_requeue(&rig, 1, 1, NULL, &alice_asks);
    cr_assert_not(outcome.refused, "%s", outcome.refusal.text);
    cr_expect_eq(outcome.task.current.status, TASK_QUEUED);
    cr_expect_eq(outcome.task.current.attempt, 1);
    cr_expect_eq(outcome.task.current.exit_code, TASK_UNKNOWN);
    cr_expect_eq(outcome.task.current.end_time_us, 0);
    earlier = show_earlier();
    cr_expect_eq(earlier.len, 1);
    cr_expect_eq(earlier.first.status, TASK_FAILED);
    cr_expect_eq(earlier.first.exit_code, 3);
    cr_expect_eq(earlier.first.attempt, 0);
    again = peer_one_command(&peer);
    cr_expect(again.start && !again.cancel);
    cr_expect_eq(again.attempt, 1);
    cr_expect_neq(memcmp(again.uid, task.uid, sizeof(task.uid)), 0);
}

Test(libquell_requeue, a_cancelled_task_that_never_ran_is_queued_again)
{
    struct outcome outcome;

    (void) rig_add_simple(&rig, "n1", 0, false);
    (void) rig_cancel(&rig, 1, 1, "not now", -1, &alice_asks);
    outcome = rig_requeue(&rig, 1, 1, NULL, &alice_asks);
    cr_expect_eq(outcome.task.current.status, TASK_QUEUED);
    cr_expect_eq(outcome.task.current.attempt, 1);
    cr_expect_not(outcome.has_message);
    cr_expect_str_eq(show_earlier().first_message, "not now");
}

Test(libquell_requeue, a_running_task_is_cancelled_first_and_queued_when_its_end_is_proved)
{
    struct remembered task = rig_running_task(&rig, &peer), command;
    struct outcome outcome = rig_requeue(&rig, 1, 1, NULL, &alice_asks), waited = {0};
    struct earlier earlier;

    cr_assert_not(outcome.refused, "%s", outcome.refusal.text);
    cr_expect_eq(outcome.task.current.status, TASK_RUNNING);
    cr_expect_str_eq(show_earlier().requeue_node, "n1");
    (void) quell_wait_task(rig.quell, 1, 1, 60000, on_outcome_task, &waited);
    command = peer_one_command(&peer);
    cr_expect(command.cancel && !command.start, "one command: nothing of the next attempt yet");
    peer_ack(&peer, &command);
    end(&task, 0);
    outcome = rig_show(&rig, 1, 1);
    cr_expect_eq(outcome.task.current.status, TASK_QUEUED);
    cr_expect_eq(outcome.task.current.attempt, 1);
    cr_expect_not(outcome.task.current.cancel_accepted);
    earlier = show_earlier();
    cr_expect_eq(earlier.first.status, TASK_CANCELLED);
    cr_expect_eq(earlier.first.exit_code, 0);
    cr_expect_eq(earlier.first.cancelled_by_uid, 1001);
    cr_expect_not(earlier.first_has_message);
    cr_expect_str_eq(earlier.requeue_node, "");
    rig_settle(&rig, 20);
    cr_expect_eq(waited.calls, 0, "a requeued task has not ended");
    cr_expect(peer_one_command(&peer).start);
}

Test(libquell_requeue, another_node_gets_the_next_attempt)
{
    struct remembered task = rig_running_task(&rig, &peer), command;
    struct outcome outcome = rig_requeue(&rig, 1, 1, "n2", &alice_asks);

    cr_expect_str_eq(outcome.node, "n1");
    command = peer_one_command(&peer);
    peer_ack(&peer, &command);
    cr_assert_not(rig_requeue(&rig, 1, 1, NULL, &alice_asks).refused, "n2 stands");
    end(&task, 0);
    outcome = rig_show(&rig, 1, 1);
    cr_expect_str_eq(outcome.node, "n2");
    cr_expect_eq(outcome.task.current.status, TASK_QUEUED);
    command = peer_one_command(&other);
    cr_expect(command.start);
    cr_expect_eq(command.attempt, 1);
    cr_expect_eq(rig_requeue(&rig, 1, 1, "n9", &alice_asks).refusal.code, TASK_E_NOT_FOUND);
}

Test(libquell_requeue, a_cancel_withdraws_a_pending_requeue)
{
    struct remembered task = rig_running_task(&rig, &peer);
    struct outcome outcome, waited = {0};

    cr_assert_not(rig_requeue(&rig, 1, 1, "n2", &alice_asks).refused);
    cr_assert_not(rig_cancel(&rig, 1, 1, "no, stop", -1, &root_asks).refused);
    cr_expect_str_eq(show_earlier().requeue_node, "");
    (void) quell_wait_task(rig.quell, 1, 1, 60000, on_outcome_task, &waited);
    end(&task, 0);
    outcome = rig_show(&rig, 1, 1);
    cr_expect_eq(outcome.task.current.status, TASK_CANCELLED);
    cr_expect_eq(outcome.task.current.attempt, 0);
    cr_expect_str_eq(outcome.message, "no, stop");
    cr_expect_eq(outcome.task.current.cancelled_by_uid, 0);
    rig_wait(&rig, &waited);
    cr_expect_eq(waited.task.current.status, TASK_CANCELLED);
}

Test(libquell_requeue, a_requeue_makes_the_end_of_a_cancel_queued)
{
    struct remembered task = rig_running_task(&rig, &peer);
    struct earlier earlier;

    cr_assert_not(rig_cancel(&rig, 1, 1, "stop", -1, &alice_asks).refused);
    cr_assert_not(rig_requeue(&rig, 1, 1, NULL, &root_asks).refused);
    end(&task, 0);
    cr_expect_eq(rig_show(&rig, 1, 1).task.current.status, TASK_QUEUED);
    earlier = show_earlier();
    cr_expect_eq(earlier.first.status, TASK_CANCELLED);
    cr_expect_str_eq(earlier.first_message, "stop");
    cr_expect_eq(earlier.first.cancelled_by_uid, 1001);
}

Test(libquell_requeue, a_requeue_of_a_queued_task_whose_cancel_its_node_has_to_confirm_is_taken)
{
    struct remembered task;
    Quell__Pb__Ending ending = QUELL__PB__ENDING__INIT;
    Quell__Pb__Proof proof = QUELL__PB__PROOF__INIT;

    (void) rig_add_simple(&rig, "n1", 0, true);
    cr_expect_eq(rig_requeue(&rig, 1, 1, NULL, &alice_asks).refusal.code, TASK_E_WRONG_STATUS);
    task = peer_one_command(&peer);
    cr_assert_eq(rig_cancel(&rig, 1, 1, NULL, -1, &alice_asks).task.current.status, TASK_QUEUED);
    cr_assert_not(rig_requeue(&rig, 1, 1, "n2", &alice_asks).refused);
    cr_expect_str_eq(show_earlier().requeue_node, "n2");
    ending.cause = QUELL__PB__CAUSE__CAUSE_CANCELLED;
    ending.proof = &proof;
    proof.method = QUELL__PB__METHOD__METHOD_NEVER_STARTED;
    cr_assert(peer_report_ending(&peer, task.uid, 2, &ending));
    cr_expect_str_eq(rig_show(&rig, 1, 1).node, "n2");
    cr_expect_eq(rig_show(&rig, 1, 1).task.current.attempt, 1);
}

Test(libquell_requeue, a_wait_looks_again_when_the_task_has_ended)
{
    struct outcome waited = {0}, done = {0};
    const struct quell_requeue_options options = {.node = NULL};
    struct err err;

    (void) rig_add_simple(&rig, "n1", 0, false);
    (void) quell_wait_task(rig.quell, 1, 1, 60000, on_outcome_task, &waited);
    rig_settle(&rig, 20);
    quell_cancel_task(rig.quell, 1, 1, NULL, 0, NULL, &alice_asks, on_outcome_task, &done);
    quell_requeue_task(rig.quell, 1, 1, &options, &alice_asks, on_outcome_task, &done);
    while (done.calls < 2)
        cr_assert_eq(quell_dispatch(rig.quell, &err), 0, "%s", err.text);
    rig_settle(&rig, 20);
    cr_expect_eq(waited.calls, 0, "told of status %d", (int) waited.task.current.status);
}

Test(libquell_requeue, a_requeue_is_refused_by_the_rules_and_changes_nothing)
{
    static const char *const argv[] = {"/bin/true"};
    struct quell_task_request request = {
        .node = "n1", .argv = argv, .argv_len = 1, .not_rerunnable = true};
    struct outcome outcome = rig_add(&rig, &request, &alice_asks);

    cr_assert_not(outcome.refused);
    outcome = rig_requeue(&rig, 1, 1, NULL, &alice_asks);
    cr_expect_eq(outcome.refusal.code, TASK_E_WRONG_STATUS);
    (void) rig_cancel(&rig, 1, 1, NULL, -1, &alice_asks);
    outcome = rig_requeue(&rig, 1, 1, NULL, &bob_asks);
    cr_expect_eq(outcome.refusal.code, TASK_E_DENIED);
    outcome = rig_requeue(&rig, 1, 1, NULL, &alice_asks);
    cr_expect_eq(outcome.refusal.code, TASK_E_NOT_RERUNNABLE);
    cr_expect_eq(rig_requeue(&rig, 1, 2, NULL, &alice_asks).refusal.code, TASK_E_UNKNOWN_TASK);
    outcome = rig_show(&rig, 1, 1);
    cr_expect_eq(outcome.task.current.status, TASK_CANCELLED);
    cr_expect_eq(outcome.task.current.attempt, 0);
}

Test(libquell_requeue, a_pending_requeue_outlives_the_head)
{
    struct remembered task = rig_running_task(&rig, &peer);
    Quell__Pb__Known known = QUELL__PB__KNOWN__INIT, *list[] = {&known};

    cr_assert_not(rig_requeue(&rig, 1, 1, "n2", &alice_asks).refused);
    peer_close(&peer);
    peer_close(&other);
    rig_stop(&rig);
    rig_start(&rig);
    peer_connect(&peer, &rig, "n1");
    known.uid = (ProtobufCBinaryData){.len = 16, .data = task.uid};
    known.version = 1;
    peer_hello(&peer, list, 1);
    end(&task, 0);
    cr_expect_eq(rig_show(&rig, 1, 1).task.current.status, TASK_QUEUED);
    cr_expect_str_eq(rig_show(&rig, 1, 1).node, "n2");
    peer_connect(&other, &rig, "n2");
    peer_hello(&other, NULL, 0);
    cr_expect(peer_one_command(&other).start);
}

Test(libquell_requeue, the_report_of_an_earlier_attempt_touches_no_newer_one)
{
    struct remembered task = rig_running_task(&rig, &peer);
    Quell__Pb__Ending ending;
    Quell__Pb__Proof proof;

    end(&task, 1);
    cr_assert_not(rig_requeue(&rig, 1, 1, NULL, &alice_asks).refused);
    ending_exit(&ending, &proof, 0);
    cr_expect(peer_report_ending(&peer, task.uid, 3, &ending), "acknowledged, so that it goes");
    cr_expect_eq(rig_show(&rig, 1, 1).task.current.status, TASK_QUEUED);
    cr_expect_eq(show_earlier().first.status, TASK_FAILED, "the first stands");
}
