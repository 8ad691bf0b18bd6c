#include "test_libquell_rig.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
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

TestSuite(libquell_tasks, .init = setup, .fini = teardown, .timeout = 60);

static void expect_refusal(const struct outcome *outcome, int code, const char *text)
{
    cr_expect(outcome->refused);
    cr_expect_eq(outcome->refusal.code, code, "0x%08X", (unsigned) outcome->refusal.code);
    cr_expect_str_eq(outcome->refusal.text, text);
}

/* ---- add and submit ---- */

Test(libquell_tasks, a_task_that_is_added_is_not_submitted_and_has_no_uid)
{
    struct outcome added = rig_add_simple(&rig, "n1", 0, false);

    cr_assert_not(added.refused, "%s", added.refusal.text);
    cr_expect_eq(added.task.job_id, 1);
    cr_expect_eq(added.task.task_id, 1);
    cr_expect_eq(added.task.current.status, TASK_NOT_SUBMITTED);
    cr_expect_str_eq(added.task.current.uid, "");
    cr_expect_str_eq(added.user, "alice");
    cr_expect_eq(added.task.grace_ms, TASK_GRACE_DEFAULT_MS);
    cr_expect_eq(added.task.pids, 0, "the default is the node's");
    cr_expect(added.task.rerunnable);
    cr_expect_eq(added.task.current.exit_code, TASK_UNKNOWN);
    cr_expect_eq(added.task.current.submit_time_us, 0);
    cr_expect_not(added.has_message);
    cr_expect_not(added.task.current.proof.known);
}

Test(libquell_tasks, jobs_and_tasks_are_numbered_in_turn)
{
    cr_expect_eq(rig_add_simple(&rig, "n1", 0, false).task.job_id, 1);
    cr_expect_eq(rig_add_simple(&rig, "n1", 0, false).task.job_id, 2);
    cr_expect_eq(rig_add_simple(&rig, "n1", 2, false).task.task_id, 2);
    cr_expect_eq(rig_add_simple(&rig, "n1", 40, false).task.job_id, 40);
    cr_expect_eq(rig_add_simple(&rig, "n1", 0, false).task.job_id, 41);
}

Test(libquell_tasks, the_highest_job_leaves_the_gaps_to_new_jobs)
{
    (void) rig_add_simple(&rig, "n1", 1, false);
    cr_expect_not(rig_add_simple(&rig, "n1", TASK_ID_MAX, false).refused);
    cr_expect_eq(rig_add_simple(&rig, "n1", 0, false).task.job_id, 2);
    cr_expect_eq(rig_add_simple(&rig, "n1", 0, false).task.job_id, 3);
}

static struct outcome add_with(uint32_t job_id, uint32_t task_id, const char *node,
                               const char *user, const struct quell_who *who)
{
    static const char *const argv[] = {"/bin/true"};
    struct quell_task_request request = {.job_id = job_id,
                                         .task_id = task_id,
                                         .node = node,
                                         .user = user,
                                         .argv = argv,
                                         .argv_len = 1};

    return rig_add(&rig, &request, who);
}

Test(libquell_tasks, a_number_that_is_taken_is_refused_and_the_last_one_has_none_behind_it)
{
    struct outcome outcome = add_with(7, 3, "n1", NULL, &alice_asks);

    cr_assert_not(outcome.refused);
    outcome = add_with(7, 3, "n1", NULL, &alice_asks);
    expect_refusal(&outcome, TASK_E_INVALID, "there is a task 7.3 already");
    cr_assert_not(add_with(7, TASK_ID_MAX, "n1", NULL, &alice_asks).refused);
    outcome = add_with(7, 0, "n1", NULL, &alice_asks);
    expect_refusal(&outcome, TASK_E_INVALID,
                   "job 7 has a task 2147483647, so that there is no next number: name one");
    cr_assert_not(add_with(7, 2, "n1", NULL, &alice_asks).refused);
}

Test(libquell_tasks, a_node_that_never_said_hello_is_refused)
{
    struct outcome outcome = rig_add_simple(&rig, "n2", 0, false);

    expect_refusal(&outcome, TASK_E_NOT_FOUND, "no node named n2 has said hello to this head");
    cr_expect_eq(rig_list(&rig, &(struct quell_filter){0}).len, 0);
}

Test(libquell_tasks, only_root_may_name_another_user)
{
    struct outcome outcome = add_with(0, 0, "n1", "bob", &alice_asks);

    expect_refusal(&outcome, TASK_E_DENIED,
                   "user alice may not run a task as bob: only root may name another user");
    cr_expect(add_with(0, 0, "n1", "bob", &operator_asks).refused);
    cr_expect_str_eq(add_with(0, 0, "n1", "1001", &alice_asks).user, "1001");
    cr_expect_str_eq(add_with(0, 0, "n1", "bob", &root_asks).user, "bob");
}

Test(libquell_tasks, a_task_that_root_gave_away_belongs_to_its_user)
{
    static const char *const argv[] = {"/bin/true"};
    struct quell_task_request request = {.node = "n1",
                                         .user = "bob",
                                         .has_owner = true,
                                         .owner_uid = bob_asks.uid,
                                         .argv = argv,
                                         .argv_len = 1};
    struct outcome outcome;

    (void) rig_add(&rig, &request, &root_asks);
    outcome = rig_submit(&rig, 1, 1, &alice_asks);
    expect_refusal(
        &outcome, TASK_E_DENIED,
        "task 1.1 belongs to user bob: only its owner, root and the operators may submit "
        "it");
    cr_expect_not(rig_submit(&rig, 1, 1, &bob_asks).refused);
}

Test(libquell_tasks, a_specification_may_have_128_KiB_and_no_byte_more)
{
    static const char has[] = "the task's specification (command, environment, paths) has ";
    static char big[TASK_SPEC_MAX + 1];
    const char *argv[] = {"/bin/echo", big};
    struct quell_task_request request = {.node = "n1", .argv = argv, .argv_len = 2, .submit = true};
    size_t most = TASK_SPEC_MAX;
    struct outcome outcome;
    size_t bytes;

    memset(big, 'x', TASK_SPEC_MAX);
    outcome = rig_add(&rig, &request, &alice_asks);
    cr_assert(outcome.refused);
    cr_expect_eq(outcome.refusal.code, TASK_E_INVALID);
    cr_assert_eq(strncmp(outcome.refusal.text, has, sizeof(has) - 1), 0, "%s",
                 outcome.refusal.text);
    bytes = strtoul(outcome.refusal.text + sizeof(has) - 1, NULL, 10);
    most -= bytes - TASK_SPEC_MAX; /* what the rest takes */
    memset(big, 0, sizeof(big));
    memset(big, 'x', most + 1);
    cr_expect(rig_add(&rig, &request, &alice_asks).refused);
    big[most] = '\0';
    outcome = rig_add(&rig, &request, &alice_asks);
    cr_assert_not(outcome.refused, "%s", outcome.refusal.text);
    cr_expect(peer_one_command(&peer).start);
}

Test(libquell_tasks, a_task_runs_and_finishes)
{
    struct outcome added = rig_add_simple(&rig, "n1", 0, false), ended;
    struct remembered command;
    Quell__Pb__Ending ending;
    Quell__Pb__Proof proof;

    cr_assert_not(added.refused);
    ended = rig_submit(&rig, 1, 1, &alice_asks);
    cr_assert_eq(ended.task.current.status, TASK_QUEUED);
    cr_expect_eq(strlen(ended.task.current.uid), 32);
    cr_expect_neq(ended.task.current.submit_time_us, 0);
    command = peer_one_command(&peer);
    cr_expect_eq(command.job_id, 1);
    cr_expect_eq(command.task_id, 1);
    cr_expect_eq(command.attempt, 0);
    cr_expect_eq(command.version, 1);
    cr_expect_str_eq(command.argv0, "/bin/true");
    cr_expect_eq(command.pids, 0, "the node knows its default");
    cr_expect_not(command.cancel);
    peer_ack(&peer, &command);
    cr_assert(peer_report_started(&peer, command.uid, 1));
    ended = rig_show(&rig, 1, 1);
    cr_expect_eq(ended.task.current.status, TASK_RUNNING);
    cr_expect_eq(ended.task.current.start_time_us, 1700000000000001);
    ending_exit(&ending, &proof, 0);
    cr_assert(peer_report_ending(&peer, command.uid, 2, &ending));
    ended = rig_show(&rig, 1, 1);
    cr_expect_eq(ended.task.current.status, TASK_FINISHED);
    cr_expect_eq(ended.task.current.cause, TASK_CAUSE_NONE);
    cr_expect_eq(ended.task.current.exit_code, 0);
    cr_expect_eq(ended.task.current.signal, TASK_UNKNOWN);
    cr_expect_not(ended.has_message);
    cr_expect_eq(ended.task.current.proof.method, TASK_METHOD_EXITED);
    cr_expect_eq(ended.task.current.proof.empty_us, 77);
    cr_expect_eq(ended.task.current.start_time_us, 1700000000000001);
    cr_expect_eq(ended.task.current.end_time_us, 1700000000900000);
}

Test(libquell_tasks, a_bad_exit_is_failed_with_the_nodes_sentence)
{
    struct remembered command = rig_running_task(&rig, &peer);
    Quell__Pb__Ending ending;
    Quell__Pb__Proof proof;
    struct outcome ended;

    ending_exit(&ending, &proof, 3);
    cr_assert(peer_report_ending(&peer, command.uid, 2, &ending));
    ended = rig_show(&rig, 1, 1);
    cr_expect_eq(ended.task.current.status, TASK_FAILED);
    cr_expect_eq(ended.task.current.cause, TASK_CAUSE_EXIT_CODE);
    cr_expect_eq(ended.task.current.exit_code, 3);
    cr_expect_str_eq(ended.message, "the program has exited with code 3");
}

Test(libquell_tasks, an_ending_without_a_start_before_it_is_taken)
{
    struct remembered command;
    Quell__Pb__Ending ending;
    Quell__Pb__Proof proof;

    (void) rig_add_simple(&rig, "n1", 0, true);
    command = peer_one_command(&peer);
    peer_ack(&peer, &command);
    ending_exit(&ending, &proof, 0);
    ending.has_start_time_us_case = QUELL__PB__ENDING__HAS_START_TIME_US_START_TIME_US;
    ending.start_time_us = 1700000000000005;
    cr_assert(peer_report_ending(&peer, command.uid, 1, &ending));
    cr_expect_eq(rig_show(&rig, 1, 1).task.current.status, TASK_FINISHED);
    cr_expect_eq(rig_show(&rig, 1, 1).task.current.start_time_us, 1700000000000005);
}

Test(libquell_tasks, a_report_that_comes_again_is_acknowledged_and_changes_nothing)
{
    struct remembered command = rig_running_task(&rig, &peer);
    Quell__Pb__Ending ending;
    Quell__Pb__Proof proof;

    cr_expect(peer_report_started(&peer, command.uid, 1));
    ending_exit(&ending, &proof, 0);
    cr_assert(peer_report_ending(&peer, command.uid, 2, &ending));
    cr_expect(peer_report_ending(&peer, command.uid, 2, &ending));
    ending_exit(&ending, &proof, 3);
    cr_expect(peer_report_ending(&peer, command.uid, 3, &ending));
    cr_expect(peer_report_started(&peer, command.uid, 4));
    cr_expect_eq(rig_show(&rig, 1, 1).task.current.status, TASK_FINISHED);
    cr_expect_eq(rig_show(&rig, 1, 1).task.current.exit_code, 0);
}

Test(libquell_tasks, submit_is_refused_but_for_a_task_that_is_not_submitted)
{
    struct outcome outcome;

    (void) rig_add_simple(&rig, "n1", 0, true);
    outcome = rig_submit(&rig, 1, 1, &alice_asks);
    expect_refusal(&outcome, TASK_E_WRONG_STATUS,
                   "task 1.1 is TaskStatus_Queued: only a task that is not submitted can be "
                   "submitted");
    outcome = rig_submit(&rig, 1, 2, &alice_asks);
    expect_refusal(&outcome, TASK_E_UNKNOWN_TASK, "there is no task 1.2");
}

/* ---- cancel ---- */

Test(libquell_tasks, a_task_that_is_not_submitted_is_cancelled_at_once)
{
    struct outcome outcome;

    (void) rig_add_simple(&rig, "n1", 0, false);
    outcome = rig_cancel(&rig, 1, 1, "not wanted any more", -1, &alice_asks);
    cr_assert_not(outcome.refused, "%s", outcome.refusal.text);
    cr_expect_eq(outcome.task.current.status, TASK_CANCELLED);
    cr_expect_eq(outcome.task.current.cause, TASK_CAUSE_CANCELLED);
    cr_expect_str_eq(outcome.message, "not wanted any more");
    cr_expect_eq(outcome.task.current.cancelled_by_uid, 1001);
    cr_expect_str_eq(outcome.by_name, "alice");
    cr_expect_neq(outcome.task.current.cancel_time_us, 0);
    cr_expect_neq(outcome.task.current.end_time_us, 0);
    cr_expect_eq(outcome.task.current.exit_code, TASK_UNKNOWN);
    cr_expect_not(outcome.task.current.proof.known);
    outcome = rig_cancel(&rig, 1, 1, NULL, -1, &alice_asks);
    expect_refusal(&outcome, TASK_E_ENDED,
                   "task 1.1 is TaskStatus_Cancelled: only a task that is not submitted, queued or "
                   "running can be cancelled");
}

Test(libquell_tasks, a_queued_task_that_the_node_cannot_have_is_cancelled_at_once)
{
    peer_close(&peer);
    rig_stop(&rig);
    rig_start(&rig); /* the node is known, and has no session */
    cr_assert_eq(rig_add_simple(&rig, "n1", 0, true).task.current.status, TASK_QUEUED);
    cr_expect_eq(rig_cancel(&rig, 1, 1, NULL, -1, &alice_asks).task.current.status, TASK_CANCELLED);
    peer_connect(&peer, &rig, "n1");
    peer_hello(&peer, NULL, 0);
    cr_expect_eq(peer_poll(&peer, NULL, 0)->commands->n_commands, 0);
}

static struct outcome hand_over(void)
{
    const struct quell_task_request request = {.node = "n1", .cgroup = "/theirs", .submit = true};

    return rig_add(&rig, &request, &operator_asks);
}

Test(libquell_tasks, a_group_handed_over_is_a_task_that_is_never_requeued)
{
    struct outcome outcome = hand_over();
    const Quell__Pb__Spec *spec;

    cr_assert_not(outcome.refused, "%s", outcome.refusal.text);
    cr_expect_eq(outcome.task.current.status, TASK_QUEUED);
    cr_expect_eq(outcome.task.argv_len, 0);
    cr_expect_not(outcome.task.rerunnable);
    spec = peer_poll(&peer, NULL, 0)->commands->commands[0]->start;
    cr_assert(spec);
    cr_expect_eq(spec->n_argv, 0);
    cr_expect_eq(spec->cgroup.len, 7);
    cr_expect_eq(memcmp(spec->cgroup.data, "/theirs", 7), 0);
}

/* What is in it runs: a tombstone would be a false end. */
Test(libquell_tasks, a_cancel_of_a_group_that_the_node_may_not_know_is_sent_with_the_start)
{
    struct remembered command;

    (void) hand_over();
    cr_expect_eq(rig_cancel(&rig, 1, 1, NULL, 0, &operator_asks).task.current.status, TASK_QUEUED);
    command = peer_one_command(&peer);
    cr_expect(command.start && command.cancel);
    cr_expect_eq(command.version, 2);
}

Test(libquell_tasks, a_queued_group_that_the_node_cannot_know_is_ended_there_all_the_same)
{
    struct remembered command;

    peer_close(&peer);
    rig_stop(&rig);
    rig_start(&rig);
    (void) hand_over();
    cr_expect_eq(rig_cancel(&rig, 1, 1, NULL, 0, &operator_asks).task.current.status, TASK_QUEUED);
    peer_connect(&peer, &rig, "n1");
    peer_hello(&peer, NULL, 0);
    command = peer_one_command(&peer);
    cr_expect(command.start && command.cancel);
}

Test(libquell_tasks, what_was_submitted_while_the_node_was_away_is_offered_by_its_hello)
{
    peer_close(&peer);
    rig_stop(&rig);
    rig_start(&rig);
    cr_assert_eq(rig_add_simple(&rig, "n1", 0, true).task.current.status, TASK_QUEUED);
    peer_connect(&peer, &rig, "n1");
    peer_hello(&peer, NULL, 0);
    /* from here on the node could have asked for it */
    cr_expect_eq(rig_cancel(&rig, 1, 1, NULL, -1, &alice_asks).task.current.status, TASK_QUEUED);
}

Test(libquell_tasks, a_cancel_that_overtakes_its_start_is_sent_without_the_start)
{
    Quell__Pb__Ending ending = QUELL__PB__ENDING__INIT;
    Quell__Pb__Proof proof = QUELL__PB__PROOF__INIT;
    struct remembered start, tombstone;
    struct outcome outcome;

    (void) rig_add_simple(&rig, "n1", 0, true);
    start = peer_one_command(&peer); /* and its acknowledgement is lost */
    outcome = rig_cancel(&rig, 1, 1, NULL, 2000, &alice_asks);
    cr_expect_eq(outcome.task.current.status, TASK_QUEUED);
    cr_expect(outcome.task.current.cancel_accepted);
    tombstone = peer_one_command(&peer);
    cr_expect_eq(memcmp(tombstone.uid, start.uid, 16), 0);
    cr_expect_eq(tombstone.version, 2);
    cr_expect_not(tombstone.start);
    cr_expect(tombstone.cancel);
    cr_expect_eq(tombstone.grace_ms, 2000);
    cr_expect_not(tombstone.has_message);
    peer_ack(&peer, &tombstone);
    proof.method = QUELL__PB__METHOD__METHOD_NEVER_STARTED;
    ending.cause = QUELL__PB__CAUSE__CAUSE_CANCELLED;
    ending.proof = &proof;
    cr_assert(peer_report_ending(&peer, start.uid, 1, &ending));
    outcome = rig_show(&rig, 1, 1);
    cr_expect_eq(outcome.task.current.status, TASK_CANCELLED);
    cr_expect_eq(outcome.task.current.proof.method, TASK_METHOD_NEVER_STARTED);
    cr_expect_eq(outcome.task.current.start_time_us, 0);
    cr_expect_neq(outcome.task.current.end_time_us, 0);
    cr_expect_not(outcome.has_message);
}

Test(libquell_tasks, a_running_task_is_cancelled_by_its_node_with_the_message_and_nothing_else)
{
    struct remembered task = rig_running_task(&rig, &peer), command;
    struct outcome outcome = rig_cancel(&rig, 1, 1, "the node is needed", 1000, &alice_asks);
    Quell__Pb__Ending ending = QUELL__PB__ENDING__INIT;
    Quell__Pb__Proof proof = QUELL__PB__PROOF__INIT;

    cr_expect_eq(outcome.task.current.status, TASK_RUNNING);
    cr_expect_str_eq(outcome.message, "the node is needed");
    cr_expect_eq(outcome.task.current.cause, TASK_CAUSE_NONE);
    command = peer_one_command(&peer);
    cr_expect_not(command.start);
    cr_expect_eq(command.version, 2);
    cr_expect_str_eq(command.message, "the node is needed");
    cr_expect_eq(command.grace_ms, 1000);
    peer_ack(&peer, &command);
    ending.cause = QUELL__PB__CAUSE__CAUSE_SIGNAL;
    ending.has_signal_case = QUELL__PB__ENDING__HAS_SIGNAL_SIGNAL;
    ending.signal = 9;
    ending.text = (char *) "killed by SIGKILL";
    ending.proof = &proof;
    proof.method = QUELL__PB__METHOD__METHOD_CGROUP_KILL;
    proof.has_received_us_case = QUELL__PB__PROOF__HAS_RECEIVED_US_RECEIVED_US;
    cr_assert(peer_report_ending(&peer, task.uid, 2, &ending));
    outcome = rig_show(&rig, 1, 1);
    cr_expect_eq(outcome.task.current.status, TASK_CANCELLED);
    cr_expect_eq(outcome.task.current.cause, TASK_CAUSE_CANCELLED);
    cr_expect_eq(outcome.task.current.signal, 9);
    cr_expect_eq(outcome.task.current.exit_code, TASK_UNKNOWN);
    cr_expect_str_eq(outcome.message, "the node is needed");
    cr_expect_eq(outcome.task.current.proof.method, TASK_METHOD_CGROUP_KILL);
    cr_expect_eq(outcome.task.current.proof.received_us, 0);
}

Test(libquell_tasks, an_ending_that_crosses_the_cancel_is_cancelled_and_already_ended)
{
    struct remembered task = rig_running_task(&rig, &peer);
    Quell__Pb__Ending ending;
    Quell__Pb__Proof proof;
    struct outcome outcome;

    (void) rig_cancel(&rig, 1, 1, "", -1, &alice_asks);
    ending_exit(&ending, &proof, 0);
    cr_assert(peer_report_ending(&peer, task.uid, 2, &ending));
    outcome = rig_show(&rig, 1, 1);
    cr_expect_eq(outcome.task.current.status, TASK_CANCELLED);
    cr_expect_eq(outcome.task.current.exit_code, 0);
    cr_expect_eq(outcome.task.current.proof.method, TASK_METHOD_ALREADY_ENDED);
    cr_expect(outcome.has_message, "an empty message stays one");
    cr_expect_str_eq(outcome.message, "");
}

Test(libquell_tasks, a_further_cancel_shortens_the_grace_and_gives_the_message_if_there_was_none)
{
    struct remembered command;

    (void) rig_running_task(&rig, &peer);
    cr_assert_not(rig_cancel(&rig, 1, 1, NULL, 9000, &alice_asks).refused);
    cr_assert_not(rig_cancel(&rig, 1, 1, "second", 4000, &root_asks).refused);
    cr_assert_not(rig_cancel(&rig, 1, 1, "third", 60000, &root_asks).refused);
    cr_assert_not(rig_cancel(&rig, 1, 1, "fourth", -1, &root_asks).refused);
    command = peer_one_command(&peer);
    cr_expect_eq(command.version, 5);
    cr_expect_eq(command.grace_ms, 4000);
    cr_expect_str_eq(command.message, "second");
    cr_expect_eq(rig_show(&rig, 1, 1).task.current.cancelled_by_uid, 1001, "the first one stands");
}

Test(libquell_tasks, a_message_has_at_most_320_characters_and_is_text)
{
    char message[4 * 321 + 1] = "";
    struct outcome outcome;

    (void) rig_add_simple(&rig, "n1", 0, false);
    for (size_t i = 0; i < 321; i++)
        memcpy(message + 4 * i, "\xF0\x9F\x90\x8C", 4);
    outcome = rig_cancel(&rig, 1, 1, message, -1, &alice_asks);
    expect_refusal(&outcome, TASK_E_MESSAGE_TOO_LONG,
                   "the message has 321 characters, at most 320 are allowed");
    outcome = rig_cancel(&rig, 1, 1, "caf\xE9", -1, &alice_asks);
    expect_refusal(&outcome, TASK_E_INVALID,
                   "the message is not text: it must be UTF-8 without NUL");
    cr_expect_eq(rig_show(&rig, 1, 1).task.current.status, TASK_NOT_SUBMITTED);
    message[4 * 320] = '\0';
    outcome = rig_cancel(&rig, 1, 1, message, -1, &alice_asks);
    cr_assert_not(outcome.refused);
    cr_expect_str_eq(outcome.message, message);
}

Test(libquell_tasks, a_cancel_is_for_the_owner_root_and_the_operators)
{
    const struct quell_who *may[] = {&alice_asks, &root_asks, &operator_asks};
    struct outcome outcome;

    for (uint32_t i = 0; i < 3; i++) {
        (void) rig_add_simple(&rig, "n1", 0, false);
        outcome = rig_cancel(&rig, i + 1, 1, NULL, -1, &bob_asks);
        cr_expect_eq(outcome.refusal.code, TASK_E_DENIED);
        cr_expect_not(rig_cancel(&rig, i + 1, 1, NULL, -1, may[i]).refused, "asker %u", i);
    }
    outcome = rig_cancel(&rig, 1, 1, NULL, (int64_t) TASK_GRACE_MAX_MS + 1, &alice_asks);
    expect_refusal(
        &outcome, TASK_E_INVALID,
        "a grace of 86400001 ms is too long: at most 86400000 ms (24 hours) are allowed");
}

Test(libquell_tasks, a_job_is_cancelled_task_by_task)
{
    struct outcome outcome;

    (void) rig_add_simple(&rig, "n1", 5, false);
    (void) rig_add_simple(&rig, "n1", 5, true);
    (void) rig_add_simple(&rig, "n1", 5, false);
    (void) rig_cancel(&rig, 5, 3, NULL, -1, &alice_asks);
    outcome = rig_cancel_job(&rig, 5, &bob_asks);
    cr_expect_not(outcome.refused);
    cr_assert_eq(outcome.len, 2);
    cr_expect(outcome.codes[0] == TASK_E_DENIED && outcome.codes[1] == TASK_E_DENIED);
    outcome = rig_cancel_job(&rig, 5, &alice_asks);
    cr_assert_not(outcome.refused, "%s", outcome.refusal.text);
    cr_assert_eq(outcome.len, 2);
    cr_expect_eq(outcome.task_ids[0], 1);
    cr_expect_eq(outcome.statuses[0], TASK_CANCELLED);
    cr_expect_eq(outcome.task_ids[1], 2);
    cr_expect_eq(outcome.statuses[1], TASK_QUEUED, "the node has to confirm");
    cr_expect_str_eq(rig_show(&rig, 5, 1).message, "all of them");
    outcome = rig_cancel_job(&rig, 6, &alice_asks);
    expect_refusal(&outcome, TASK_E_NOT_FOUND, "there is no job 6");
    (void) rig_add_simple(&rig, "n1", 7, false);
    (void) rig_cancel(&rig, 7, 1, NULL, -1, &alice_asks);
    outcome = rig_cancel_job(&rig, 7, &alice_asks);
    expect_refusal(&outcome, TASK_E_ENDED,
                   "every task of job 7 has ended: there is none left to be cancelled");
}

Test(libquell_tasks, a_job_of_several_owners_is_cancelled_as_far_as_the_asker_may)
{
    struct outcome outcome;

    (void) rig_add_simple(&rig, "n1", 5, false);
    (void) add_with(5, 2, "n1", NULL, &bob_asks);
    outcome = rig_cancel_job(&rig, 5, &bob_asks);
    cr_assert_eq(outcome.len, 2);
    cr_expect_eq(outcome.codes[0], TASK_E_DENIED);
    cr_expect_eq(outcome.codes[1], 0);
    cr_expect_eq(outcome.statuses[1], TASK_CANCELLED);
    cr_expect_eq(rig_show(&rig, 5, 1).task.current.status, TASK_NOT_SUBMITTED);
}

Test(libquell_tasks, each_of_several_tasks_is_answered_by_itself)
{
    static const uint32_t ids[] = {3, 1, 9, 1, 2147483647};
    struct outcome outcome = {0};

    for (int i = 0; i < 3; i++)
        (void) rig_add_simple(&rig, "n1", 5, false);
    quell_cancel_tasks(rig.quell, 5, ids, 5, "some", 4, NULL, &alice_asks, on_outcome_results,
                       &outcome);
    rig_wait(&rig, &outcome);
    cr_assert_not(outcome.refused);
    cr_assert_eq(outcome.len, 5);
    cr_expect_eq(outcome.statuses[0], TASK_CANCELLED);
    cr_expect_eq(outcome.statuses[1], TASK_CANCELLED);
    cr_expect_eq(outcome.codes[2], TASK_E_UNKNOWN_TASK);
    cr_expect_eq(outcome.codes[3], TASK_E_ENDED, "the second time it had ended");
    cr_expect_eq(outcome.codes[4], TASK_E_UNKNOWN_TASK);
    cr_expect_eq(rig_show(&rig, 5, 2).task.current.status, TASK_NOT_SUBMITTED);
    outcome = (struct outcome){0};
    quell_cancel_tasks(rig.quell, 5, ids, 0, NULL, 0, NULL, &alice_asks, on_outcome_results,
                       &outcome);
    rig_wait(&rig, &outcome);
    expect_refusal(&outcome, TASK_E_INVALID,
                   "from 1 to 10000 tasks can be cancelled at once, and here are 0");
}

Test(libquell_tasks, a_large_job_is_cancelled_while_others_are_served)
{
    static const char *const argv[] = {"/bin/true"};
    struct quell_task_request request = {.job_id = 5, .node = "n1", .argv = argv, .argv_len = 1};
    struct outcome added = {0}, cancelled = {0}, shown = {0};
    struct err err;
    int rounds = 0;

    for (int i = 0; i < 3000; i++)
        quell_add_task(rig.quell, &request, &alice_asks, on_outcome_task, &added);
    while (added.calls < 3000)
        cr_assert_eq(quell_dispatch(rig.quell, &err), 0, "%s", err.text);
    quell_cancel_job(rig.quell, 5, NULL, 0, NULL, &alice_asks, on_outcome_results, &cancelled);
    for (; cancelled.calls == 0; rounds++) {
        if (rounds == 1)
            quell_show_task(rig.quell, 5, 3000, on_outcome_task, &shown);
        cr_assert_eq(quell_dispatch(rig.quell, &err), 0, "%s", err.text);
        cr_assert(rounds != 1 || shown.calls == 1, "it had to wait for the job");
    }
    cr_expect_gt(rounds, 2);
    cr_expect_eq(cancelled.len, 3000);
    cr_expect_eq(rig_show(&rig, 5, 3000).task.current.status, TASK_CANCELLED);
}

/* ---- wait and list ---- */

Test(libquell_tasks, a_wait_ends_with_the_task)
{
    struct remembered task = rig_running_task(&rig, &peer);
    struct outcome first = {0}, second = {0}, short_one = {0};
    Quell__Pb__Ending ending;
    Quell__Pb__Proof proof;

    quell_wait_task(rig.quell, 1, 1, 60000, on_outcome_task, &first);
    quell_wait_task(rig.quell, 1, 1, UINT64_MAX, on_outcome_task, &second);
    quell_wait_task(rig.quell, 1, 1, 50, on_outcome_task, &short_one);
    rig_settle(&rig, 20);
    cr_expect_eq(first.calls + second.calls + short_one.calls, 0);
    rig_wait(&rig, &short_one);
    cr_expect_eq(short_one.task.current.status, TASK_RUNNING);
    ending_exit(&ending, &proof, 0);
    cr_assert(peer_report_ending(&peer, task.uid, 2, &ending));
    rig_wait(&rig, &first);
    rig_wait(&rig, &second);
    cr_expect_eq(first.task.current.status, TASK_FINISHED);
    cr_expect_eq(second.task.current.status, TASK_FINISHED);
}

Test(libquell_tasks, a_wait_for_what_has_ended_or_never_was_is_answered_at_once)
{
    struct outcome ended = {0}, unknown = {0};

    (void) rig_add_simple(&rig, "n1", 0, false);
    (void) rig_cancel(&rig, 1, 1, NULL, -1, &alice_asks);
    quell_wait_task(rig.quell, 1, 1, 60000, on_outcome_task, &ended);
    quell_wait_task(rig.quell, 9, 9, 60000, on_outcome_task, &unknown);
    rig_wait(&rig, &ended);
    cr_expect_eq(ended.task.current.status, TASK_CANCELLED);
    cr_expect_eq(unknown.calls, 1);
    expect_refusal(&unknown, TASK_E_UNKNOWN_TASK, "there is no task 9.9");
}

Test(libquell_tasks, a_wait_that_was_asked_before_the_cancel_of_its_round_is_answered_with_it)
{
    struct outcome waited = {0}, cancelled = {0};

    (void) rig_add_simple(&rig, "n1", 0, false);
    quell_wait_task(rig.quell, 1, 1, 60000, on_outcome_task, &waited);
    quell_cancel_task(rig.quell, 1, 1, NULL, 0, NULL, &alice_asks, on_outcome_task, &cancelled);
    rig_wait(&rig, &waited);
    cr_expect_eq(waited.task.current.status, TASK_CANCELLED);
    cr_expect_eq(cancelled.calls, 1);
}

Test(libquell_tasks, lists_come_in_pages_and_by_filter)
{
    struct quell_filter filter = {.limit = 2};
    struct outcome page;

    (void) rig_add_simple(&rig, "n1", 2, false);
    (void) rig_add_simple(&rig, "n1", 1, true);
    (void) rig_add_simple(&rig, "n1", 2, true);
    (void) rig_add_simple(&rig, "n1", 1, false);
    (void) rig_cancel(&rig, 1, 2, NULL, -1, &alice_asks);
    page = rig_list(&rig, &filter);
    cr_assert_eq(page.len, 2);
    cr_expect(page.more);
    cr_expect_eq(page.job_ids[1], 1);
    cr_expect_eq(page.task_ids[1], 2);
    filter.after_job_id = 1;
    filter.after_task_id = 2;
    page = rig_list(&rig, &filter);
    cr_assert_eq(page.len, 2);
    cr_expect_not(page.more);
    cr_expect_eq(page.job_ids[0], 2);
    cr_expect_eq(page.task_ids[0], 1);
    cr_expect_eq(page.task_ids[1], 2);

    page = rig_list(&rig, &(struct quell_filter){.job_id = 2});
    cr_expect_eq(page.len, 2);
    page = rig_list(&rig, &(struct quell_filter){.node = "n1"});
    cr_expect_eq(page.len, 4);
    page = rig_list(&rig, &(struct quell_filter){.node = "n2"});
    cr_expect_eq(page.len, 0);
    page = rig_list(&rig, &(struct quell_filter){.has_status = true, .status = TASK_QUEUED});
    cr_assert_eq(page.len, 2);
    cr_expect_eq(page.job_ids[0], 1);
    cr_expect_eq(page.job_ids[1], 2);
    page = rig_list(&rig,
                    &(struct quell_filter){
                        .job_id = 1, .node = "n1", .has_status = true, .status = TASK_CANCELLED});
    cr_assert_eq(page.len, 1);
    cr_expect_eq(page.task_ids[0], 2);
}

/* ---- callbacks ---- */

struct chain {
    struct outcome first, second;
};

static void on_first(void *arg, const struct quell_refusal *refusal, const struct quell_task *task)
{
    struct chain *chain = arg;

    on_outcome_task(&chain->first, refusal, task);
    quell_cancel_task(rig.quell, 1, 1, "from inside", 11, NULL, &alice_asks, on_outcome_task,
                      &chain->second);
}

Test(libquell_tasks, a_callback_may_use_verbs_and_the_others_see_only_what_is_committed)
{
    struct chain chain = {0};
    struct outcome shown = {0};

    (void) rig_add_simple(&rig, "n1", 0, false);
    quell_show_task(rig.quell, 1, 1, on_first, &chain);
    quell_show_task(rig.quell, 1, 1, on_outcome_task, &shown);
    rig_wait(&rig, &shown);
    cr_expect_eq(shown.task.current.status, TASK_NOT_SUBMITTED);
    rig_wait(&rig, &chain.second);
    cr_expect_eq(chain.second.task.current.status, TASK_CANCELLED);
}
