#include "test_libquell_rig.h"

#include "ipc/envelope.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct rig rig;
static struct peer peer;

static void setup(void)
{
    rig_open(&rig, 200);
    peer_connect(&peer, &rig, "n1");
}

static void teardown(void)
{
    peer_close(&peer);
    rig_done(&rig);
}

TestSuite(libquell_nodes, .init = setup, .fini = teardown, .timeout = 60);

static void expect_refused(const Quell__Pb__Reply *reply, Quell__Pb__RefusedCode code)
{
    cr_assert(reply);
    cr_assert_eq(reply->body_case, QUELL__PB__REPLY__BODY_REFUSED, "case %d", reply->body_case);
    cr_expect_eq(reply->refused->code, code, "code %u: %s", reply->refused->code,
                 reply->refused->text);
    cr_expect_str_not_empty(reply->refused->text);
}

static const Quell__Pb__Reply *try_poll(struct peer *from, uint64_t counter)
{
    Quell__Pb__CommandsWanted wanted = QUELL__PB__COMMANDS_WANTED__INIT;
    Quell__Pb__Request request = QUELL__PB__REQUEST__INIT;

    request.body_case = QUELL__PB__REQUEST__BODY_COMMANDS_WANTED;
    request.commands_wanted = &wanted;
    request.counter = counter;
    peer_send(from, &request);
    return peer_receive(from, 400);
}

/* ---- sessions ---- */

Test(libquell_nodes, a_node_is_known_and_up_from_its_hello_on)
{
    struct outcome nodes;

    cr_expect_eq(rig_nodes(&rig).len, 0);
    peer_challenge(&peer);
    cr_expect_eq(rig_nodes(&rig).len, 0, "a challenge changes nothing");
    peer_hello(&peer, NULL, 0);
    nodes = rig_nodes(&rig);
    cr_assert_eq(nodes.len, 1);
    cr_expect_str_eq(nodes.node_names[0], "n1");
    cr_expect_str_eq(nodes.node_states[0], "up");
    cr_expect_str_eq(nodes.node_modes[0], "hybrid");
    cr_expect_eq(nodes.nodes[0].cores, 4);
    cr_expect_eq(nodes.nodes[0].memory_bytes, 8ull << 30);
    cr_expect_neq(nodes.nodes[0].last_heard_us, 0);
}

Test(libquell_nodes, a_request_of_no_session_is_refused_and_changes_nothing)
{
    memset(peer.session, 0x55, sizeof(peer.session));
    expect_refused(try_poll(&peer, 0), QUELL__PB__REFUSED_CODE__REFUSED_SESSION);
    peer_hello(&peer, NULL, 0);
    peer.session[3] ^= 1;
    expect_refused(try_poll(&peer, 0), QUELL__PB__REFUSED_CODE__REFUSED_SESSION);
}

Test(libquell_nodes, a_session_begins_with_a_hello)
{
    peer_challenge(&peer);
    expect_refused(try_poll(&peer, 0), QUELL__PB__REFUSED_CODE__REFUSED_BAD);
}

Test(libquell_nodes, a_counter_that_does_not_rise_is_dropped)
{
    peer_hello(&peer, NULL, 0); /* counter 1 */
    cr_expect_null(try_poll(&peer, 1));
    cr_expect_not_null(try_poll(&peer, 10));
    cr_expect_null(try_poll(&peer, 10));
    cr_expect_null(try_poll(&peer, 9));
    cr_expect_not_null(try_poll(&peer, 11));
    cr_expect(strstr(rig.log, "a request whose counter did not rise"), "%s", rig.log);
}

Test(libquell_nodes, nonsense_is_dropped_and_the_head_goes_on)
{
    static const uint8_t nonsense[] = "\xff\xff\xff not a message";
    struct err err;

    peer_challenge(&peer);
    cr_assert_eq(endpoint_send(peer.endpoint, nonsense, sizeof(nonsense), &err), 0);
    cr_assert_eq(endpoint_send(peer.endpoint, nonsense, 0, &err), 0);
    peer_hello(&peer, NULL, 0);
    cr_expect(strstr(rig.log, "messages that made no sense"), "%s", rig.log);
}

Test(libquell_nodes, a_newer_version_is_refused_with_a_sentence)
{
    Quell__Pb__Envelope envelope = QUELL__PB__ENVELOPE__INIT;
    uint8_t bytes[64];
    struct err err;

    peer_challenge(&peer);
    envelope.major = 99;
    memset(peer.last_id, 0, sizeof(peer.last_id)); /* whose request it was can't be told */
    cr_assert_eq(
        endpoint_send(peer.endpoint, bytes, quell__pb__envelope__pack(&envelope, bytes), &err), 0);
    expect_refused(peer_receive(&peer, 1000), QUELL__PB__REFUSED_CODE__REFUSED_VERSION);
}

Test(libquell_nodes, the_newest_hello_of_a_name_wins)
{
    struct peer other;

    peer_hello(&peer, NULL, 0);
    peer_connect(&other, &rig, "n1");
    peer_challenge(&other);
    cr_expect_eq(peer_poll(&peer, NULL, 0)->commands->n_commands, 0, "a challenge ends no session");
    peer_hello(&other, NULL, 0);
    expect_refused(try_poll(&peer, 0), QUELL__PB__REFUSED_CODE__REFUSED_SESSION);
    cr_expect_eq(peer_poll(&other, NULL, 0)->commands->n_commands, 0);
    peer_close(&other);
}

Test(libquell_nodes, a_poll_of_the_session_before_is_given_no_commands)
{
    Quell__Pb__CommandsWanted wanted = QUELL__PB__COMMANDS_WANTED__INIT;
    Quell__Pb__Request request = QUELL__PB__REQUEST__INIT;
    struct peer other;

    peer_hello(&peer, NULL, 0);
    request.body_case = QUELL__PB__REQUEST__BODY_COMMANDS_WANTED;
    request.commands_wanted = &wanted;
    peer_send(&peer, &request);
    rig_settle(&rig, 20);
    peer_connect(&other, &rig, "n1");
    peer_hello(&other, NULL, 0);
    (void) rig_add_simple(&rig, "n1", 0, true);
    cr_expect_null(peer_receive(&peer, 300));
    (void) peer_one_command(&other);
    peer_close(&other);
}

Test(libquell_nodes, a_challenge_right_behind_a_hello_replaces_its_session)
{
    Quell__Pb__Request hello_request = QUELL__PB__REQUEST__INIT;
    Quell__Pb__Request challenge_request = QUELL__PB__REQUEST__INIT;
    Quell__Pb__Hello hello = QUELL__PB__HELLO__INIT;
    Quell__Pb__Challenge challenge = QUELL__PB__CHALLENGE__INIT;
    uint8_t random[24] = "";
    uint8_t id[16];

    peer_challenge(&peer);
    hello.boot_id = peer.boot_id;
    hello.last = true;
    hello_request.body_case = QUELL__PB__REQUEST__BODY_HELLO;
    hello_request.hello = &hello;
    challenge.random = (ProtobufCBinaryData){sizeof(random), random};
    challenge_request.body_case = QUELL__PB__REQUEST__BODY_CHALLENGE;
    challenge_request.challenge = &challenge;
    peer_send(&peer, &hello_request); /* the head sees both in one round */
    memcpy(id, peer.last_id, sizeof(id));
    peer_send(&peer, &challenge_request);
    memcpy(peer.last_id, id, sizeof(id));
    expect_refused(peer_receive(&peer, 1000), QUELL__PB__REFUSED_CODE__REFUSED_SESSION);
    cr_expect_str_eq(rig_nodes(&rig).node_states[0], "unreachable");
    peer_hello(&peer, NULL, 0);
    cr_expect_str_eq(rig_nodes(&rig).node_states[0], "up");
}

/* ---- commands ---- */

Test(libquell_nodes, a_poll_without_commands_is_answered_after_half_a_heartbeat)
{
    Quell__Pb__CommandsWanted wanted = QUELL__PB__COMMANDS_WANTED__INIT;
    Quell__Pb__Request request = QUELL__PB__REQUEST__INIT;
    const Quell__Pb__Reply *reply;

    peer_hello(&peer, NULL, 0);
    request.body_case = QUELL__PB__REQUEST__BODY_COMMANDS_WANTED;
    request.commands_wanted = &wanted;
    peer_send(&peer, &request);
    cr_expect_null(peer_receive(&peer, 60), "too early");
    reply = peer_receive(&peer, RIG_WAIT_MS);
    cr_assert(reply);
    cr_expect_eq(reply->commands->n_commands, 0);
}

Test(libquell_nodes, a_parked_poll_is_answered_by_the_commit_of_a_command)
{
    Quell__Pb__CommandsWanted wanted = QUELL__PB__COMMANDS_WANTED__INIT;
    Quell__Pb__Request request = QUELL__PB__REQUEST__INIT;
    const Quell__Pb__Reply *reply;

    peer_hello(&peer, NULL, 0);
    request.body_case = QUELL__PB__REQUEST__BODY_COMMANDS_WANTED;
    request.commands_wanted = &wanted;
    peer_send(&peer, &request);
    rig_settle(&rig, 20);
    (void) rig_add_simple(&rig, "n1", 0, true);
    reply = peer_receive(&peer, 100);
    cr_assert(reply);
    cr_expect_eq(reply->commands->n_commands, 1);
}

Test(libquell_nodes, of_two_parked_polls_the_newest_is_answered)
{
    Quell__Pb__CommandsWanted wanted = QUELL__PB__COMMANDS_WANTED__INIT;
    Quell__Pb__Request request = QUELL__PB__REQUEST__INIT;
    uint8_t first[16];

    peer_hello(&peer, NULL, 0);
    request.body_case = QUELL__PB__REQUEST__BODY_COMMANDS_WANTED;
    request.commands_wanted = &wanted;
    peer_send(&peer, &request);
    memcpy(first, peer.last_id, sizeof(first));
    request.counter = 0;
    peer_send(&peer, &request);
    rig_settle(&rig, 20);
    (void) rig_add_simple(&rig, "n1", 0, true);
    cr_expect_not_null(peer_receive(&peer, 100));
    memcpy(peer.last_id, first, sizeof(first));
    cr_expect_null(peer_receive(&peer, 300));
}

Test(libquell_nodes, a_command_comes_again_until_it_is_acknowledged)
{
    struct remembered first, again;

    peer_hello(&peer, NULL, 0);
    (void) rig_add_simple(&rig, "n1", 0, true);
    first = peer_one_command(&peer);
    again = peer_one_command(&peer);
    cr_expect_eq(memcmp(first.uid, again.uid, 16), 0);
    cr_expect(again.start);
    first.version = 0;
    peer_ack(&peer, &first); /* of nothing */
    first.version = 2;
    peer_ack(&peer, &first); /* of what was never sent */
    (void) peer_one_command(&peer);
    first.version = 1;
    peer_ack(&peer, &first);
    cr_expect_eq(peer_poll(&peer, NULL, 0)->commands->n_commands, 0);
}

Test(libquell_nodes, an_acknowledgement_in_a_report_counts_too)
{
    Quell__Pb__Acked one = QUELL__PB__ACKED__INIT, *list = &one;
    Quell__Pb__Request request = QUELL__PB__REQUEST__INIT;
    Quell__Pb__Report report = QUELL__PB__REPORT__INIT;
    struct remembered command;

    peer_hello(&peer, NULL, 0);
    (void) rig_add_simple(&rig, "n1", 0, true);
    command = peer_one_command(&peer);
    one.uid = (ProtobufCBinaryData){16, command.uid};
    one.version = 1;
    request.recorded = &list;
    request.n_recorded = 1;
    request.body_case = QUELL__PB__REQUEST__BODY_REPORT;
    request.report = &report;
    cr_expect_eq(peer_ask(&peer, &request)->body_case, QUELL__PB__REPLY__BODY_REPORT_ACKED);
    cr_expect_eq(peer_poll(&peer, NULL, 0)->commands->n_commands, 0);
}

Test(libquell_nodes, each_node_has_its_own_commands_and_speaks_for_itself_alone)
{
    struct remembered mine;
    struct peer other;
    Quell__Pb__Ending ending;
    Quell__Pb__Proof proof;

    peer_hello(&peer, NULL, 0);
    peer_connect(&other, &rig, "n2");
    peer_hello(&other, NULL, 0);
    (void) rig_add_simple(&rig, "n1", 0, true);
    cr_expect_eq(peer_poll(&other, NULL, 0)->commands->n_commands, 0);
    mine = peer_one_command(&peer);
    peer_ack(&other, &mine);
    (void) peer_one_command(&peer);
    ending_exit(&ending, &proof, 0);
    cr_expect_not(peer_report_ending(&other, mine.uid, 1, &ending));
    cr_expect_eq(rig_show(&rig, 1, 1).task.current.status, TASK_QUEUED);
    cr_expect(strstr(rig.log, "node n2 reports task"), "%s", rig.log);
    peer_close(&other);
}

Test(libquell_nodes, an_answer_has_at_most_256_KiB_and_says_when_there_is_more)
{
    static char big[100 * 1024];
    const char *argv[] = {"/bin/echo", big};
    struct quell_task_request request = {.node = "n1", .argv = argv, .argv_len = 2, .submit = true};
    const Quell__Pb__Reply *reply;
    struct remembered first, second;

    memset(big, 'x', sizeof(big) - 1);
    peer_hello(&peer, NULL, 0);
    for (int i = 0; i < 3; i++)
        cr_assert_not(rig_add(&rig, &request, &alice_asks).refused);
    reply = peer_poll(&peer, NULL, 0);
    cr_assert_eq(reply->commands->n_commands, 2);
    cr_expect(reply->commands->more);
    first = peer_remember(reply->commands->commands[0]);
    second = peer_remember(reply->commands->commands[1]);
    cr_expect_eq(first.job_id, 1);
    cr_expect_eq(second.job_id, 2);
    (void) rig_cancel(&rig, 3, 1, NULL, 0, &alice_asks);
    reply = peer_poll(&peer, NULL, 0);
    cr_expect_not(reply->commands->more);
    cr_assert_eq(reply->commands->n_commands, 3);
    cr_expect_eq(reply->commands->commands[0]->name->job_id, 3, "cancels come first");
    cr_expect_null(reply->commands->commands[0]->start);
}

/* ---- hello ---- */

static Quell__Pb__Known *known_of(Quell__Pb__Known *known, const uint8_t *uid, uint32_t version)
{
    quell__pb__known__init(known);
    known->uid = (ProtobufCBinaryData){16, (uint8_t *) uid};
    known->version = version;
    known->phase = QUELL__PB__PHASE__PHASE_RUNNING;
    return known;
}

Test(libquell_nodes, a_task_that_both_sides_know_goes_on)
{
    Quell__Pb__Known known, *list;
    struct remembered task;

    peer_hello(&peer, NULL, 0);
    task = rig_running_task(&rig, &peer);
    list = known_of(&known, task.uid, 1);
    (void) snprintf(peer.boot_id, sizeof(peer.boot_id), "boot-2");
    peer_hello(&peer, &list, 1);
    cr_expect_eq(rig_show(&rig, 1, 1).task.current.status, TASK_RUNNING);
    cr_expect_eq(peer_poll(&peer, NULL, 0)->commands->n_commands, 0);
}

Test(libquell_nodes, a_task_that_a_reboot_took_is_failed)
{
    struct outcome outcome;

    peer_hello(&peer, NULL, 0);
    (void) rig_running_task(&rig, &peer);
    (void) snprintf(peer.boot_id, sizeof(peer.boot_id), "boot-2");
    peer_hello(&peer, NULL, 0);
    outcome = rig_show(&rig, 1, 1);
    cr_expect_eq(outcome.task.current.status, TASK_FAILED);
    cr_expect_eq(outcome.task.current.cause, TASK_CAUSE_NODE_REBOOTED);
    cr_expect_eq(outcome.task.current.exit_code, TASK_UNKNOWN);
    cr_expect_not(outcome.task.current.proof.known);
    cr_expect_str_eq(outcome.message,
                     "node n1 has rebooted, and nothing of the task is left there: "
                     "how it ended is not known");
}

Test(libquell_nodes, a_task_that_the_node_forgot_without_a_reboot_is_failed_as_unknown)
{
    struct outcome outcome, waited = {0};

    peer_hello(&peer, NULL, 0);
    (void) rig_running_task(&rig, &peer);
    quell_wait_task(rig.quell, 1, 1, 60000, on_outcome_task, &waited);
    peer_hello(&peer, NULL, 0);
    outcome = rig_show(&rig, 1, 1);
    cr_expect_eq(outcome.task.current.status, TASK_FAILED);
    cr_expect_eq(outcome.task.current.cause, TASK_CAUSE_UNKNOWN);
    cr_expect_eq(waited.calls, 1, "who waits is told");
}

Test(libquell_nodes, a_task_that_is_gone_is_cancelled_when_its_cancel_was_accepted)
{
    struct outcome outcome;

    peer_hello(&peer, NULL, 0);
    (void) rig_running_task(&rig, &peer);
    (void) rig_cancel(&rig, 1, 1, "enough", -1, &alice_asks);
    (void) snprintf(peer.boot_id, sizeof(peer.boot_id), "boot-2");
    peer_hello(&peer, NULL, 0);
    outcome = rig_show(&rig, 1, 1);
    cr_expect_eq(outcome.task.current.status, TASK_CANCELLED);
    cr_expect_eq(outcome.task.current.cause, TASK_CAUSE_CANCELLED);
    cr_expect_str_eq(outcome.message, "enough");
    cr_expect_not(outcome.task.current.proof.known);
}

Test(libquell_nodes, what_was_never_acknowledged_is_sent_again_after_a_hello)
{
    struct remembered first, again;

    peer_hello(&peer, NULL, 0);
    (void) rig_add_simple(&rig, "n1", 0, true);
    first = peer_one_command(&peer);
    peer_hello(&peer, NULL, 0);
    cr_expect_eq(rig_show(&rig, 1, 1).task.current.status, TASK_QUEUED);
    again = peer_one_command(&peer);
    cr_expect_eq(memcmp(first.uid, again.uid, 16), 0);
    cr_expect(again.start);
}

Test(libquell_nodes, a_cancel_that_the_nodes_records_lack_is_sent_again)
{
    Quell__Pb__Known known, *list;
    struct remembered task, cancel;

    peer_hello(&peer, NULL, 0);
    task = rig_running_task(&rig, &peer);
    (void) rig_cancel(&rig, 1, 1, NULL, 0, &alice_asks);
    cancel = peer_one_command(&peer);
    peer_ack(&peer, &cancel);
    list = known_of(&known, task.uid, 1);
    peer_hello(&peer, &list, 1);
    cancel = peer_one_command(&peer);
    cr_expect(cancel.cancel);
    cr_expect_not(cancel.start);
}

Test(libquell_nodes, a_tombstone_that_is_gone_is_made_again)
{
    struct remembered command;

    peer_hello(&peer, NULL, 0);
    (void) rig_add_simple(&rig, "n1", 0, true);
    (void) rig_cancel(&rig, 1, 1, NULL, 0, &alice_asks);
    command = peer_one_command(&peer);
    peer_ack(&peer, &command);
    peer_hello(&peer, NULL, 0);
    cr_expect_eq(rig_show(&rig, 1, 1).task.current.status, TASK_QUEUED);
    command = peer_one_command(&peer);
    cr_expect(command.cancel);
    cr_expect_not(command.start);
}

Test(libquell_nodes, what_the_node_alone_knows_is_left_alone_and_never_acknowledged)
{
    static const uint8_t stranger[16] = "a stranger's uid";
    Quell__Pb__Known known, *list = known_of(&known, stranger, 1);
    Quell__Pb__Ending ending;
    Quell__Pb__Proof proof;

    peer_hello(&peer, &list, 1);
    cr_expect(strstr(rig.log, "node n1 knows 1 tasks that this head has never given to it"), "%s",
              rig.log);
    cr_expect_eq(peer_poll(&peer, NULL, 0)->commands->n_commands, 0);
    ending_exit(&ending, &proof, 0);
    cr_expect_not(peer_report_ending(&peer, stranger, 1, &ending));
}

/* Sends one part of a hello in the session that a challenge has begun. */
static const Quell__Pb__Reply *send_part(uint32_t part, bool last, Quell__Pb__Known **known,
                                         size_t known_len)
{
    Quell__Pb__Request request = QUELL__PB__REQUEST__INIT;
    Quell__Pb__Hello hello = QUELL__PB__HELLO__INIT;

    hello.boot_id = peer.boot_id;
    hello.cgroup_mode = (char *) "v2";
    hello.part = part;
    hello.last = last;
    hello.known = known;
    hello.n_known = known_len;
    request.body_case = QUELL__PB__REQUEST__BODY_HELLO;
    request.hello = &hello;
    return peer_ask(&peer, &request);
}

static void expect_hello_done(const Quell__Pb__Reply *reply, bool more)
{
    cr_assert_eq(reply->body_case, QUELL__PB__REPLY__BODY_HELLO_DONE, "case %d", reply->body_case);
    cr_expect_eq(reply->hello_done->more, more);
}

Test(libquell_nodes, a_hello_in_parts_counts_once_the_last_has_come)
{
    Quell__Pb__Known known, *list;
    struct remembered first, second;

    peer_hello(&peer, NULL, 0);
    first = rig_running_task(&rig, &peer);
    second = rig_running_task(&rig, &peer);
    peer_challenge(&peer);
    list = known_of(&known, first.uid, 1);
    expect_hello_done(send_part(0, false, &list, 1), true);
    expect_hello_done(send_part(0, false, &list, 1), true);
    (void) known_of(&known, second.uid, 1);
    expect_hello_done(send_part(1, false, &list, 1), true);
    expect_hello_done(send_part(1, false, &list, 1), true); /* its answer was lost */
    expect_hello_done(send_part(2, true, NULL, 0), false);
    expect_hello_done(send_part(2, true, NULL, 0), false);
    cr_expect_eq(rig_show(&rig, 1, 1).task.current.status, TASK_RUNNING);
    cr_expect_eq(rig_show(&rig, 2, 1).task.current.status, TASK_RUNNING);
    cr_expect_eq(peer_poll(&peer, NULL, 0)->commands->n_commands, 0);
}

Test(libquell_nodes, a_part_out_of_turn_is_refused)
{
    peer_challenge(&peer);
    expect_refused(send_part(1, true, NULL, 0), QUELL__PB__REFUSED_CODE__REFUSED_BAD);
    expect_hello_done(send_part(0, false, NULL, 0), true);
    expect_refused(send_part(2, true, NULL, 0), QUELL__PB__REFUSED_CODE__REFUSED_BAD);
    cr_expect_eq(rig_nodes(&rig).len, 0);
    expect_hello_done(send_part(1, true, NULL, 0), false);
    cr_expect_eq(rig_nodes(&rig).len, 1);
}

Test(libquell_nodes, a_hello_with_a_uid_of_another_length_or_without_a_boot_id_is_refused)
{
    Quell__Pb__Known known = QUELL__PB__KNOWN__INIT, *list = &known;

    peer_challenge(&peer);
    expect_refused(send_part(0, true, &list, 1), QUELL__PB__REFUSED_CODE__REFUSED_BAD);
    peer.boot_id[0] = '\0';
    expect_refused(send_part(0, true, NULL, 0), QUELL__PB__REFUSED_CODE__REFUSED_BAD);
    cr_expect_eq(rig_nodes(&rig).len, 0);
}

/* ---- silence ---- */

Test(libquell_nodes, a_silent_node_is_unreachable_and_keeps_its_tasks)
{
    struct outcome nodes;
    int rounds = 0;

    peer_hello(&peer, NULL, 0);
    (void) rig_running_task(&rig, &peer);
    cr_expect_eq(rig_nodes(&rig).nodes[0].tasks_running, 1);
    do { /* 3 heartbeats and a second */
        rig_settle(&rig, 300);
        nodes = rig_nodes(&rig);
    } while (strcmp(nodes.node_states[0], "up") == 0 && ++rounds < 20);
    cr_expect_str_eq(nodes.node_states[0], "unreachable");
    cr_expect_neq(nodes.nodes[0].last_heard_us, 0);
    cr_expect_eq(rig_show(&rig, 1, 1).task.current.status, TASK_RUNNING);
    /* What is submitted now can't be there: its cancel needs no word of the node. */
    (void) rig_add_simple(&rig, "n1", 0, true);
    cr_expect_eq(rig_cancel(&rig, 2, 1, NULL, -1, &alice_asks).task.current.status, TASK_CANCELLED);
    expect_refused(try_poll(&peer, 0), QUELL__PB__REFUSED_CODE__REFUSED_SESSION);
}
