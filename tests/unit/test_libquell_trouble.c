/* A head that ends, starts again, or has no room on its disk. */
#include "test_libquell_rig.h"

#include "libquell/quell_impl.h"
#include "libquell/store_impl.h"

#include <criterion/criterion.h>
#include <stdio.h>
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

TestSuite(libquell_trouble, .init = setup, .fini = teardown, .timeout = 60);

/* ---- a full disk ---- */

/* From now on the database can't grow. */
static void fill_disk(void)
{
    struct err err;

    cr_assert_eq(db_exec(rig.quell->store->db, "PRAGMA max_page_count = 1", &err), 0);
}

static void free_disk(void)
{
    struct err err;

    cr_assert_eq(db_exec(rig.quell->store->db, "PRAGMA max_page_count = 1000000", &err), 0);
}

/* Tasks with large specifications until one is refused. Returns how many were taken. */
static size_t add_until_full(struct outcome *ret)
{
    static char big[60000];
    const char *argv[] = {"/bin/echo", big};
    struct quell_task_request request = {.node = "n1", .argv = argv, .argv_len = 2};
    size_t added = 0;

    memset(big, 'x', sizeof(big) - 1);
    fill_disk();
    while (!(*ret = rig_add(&rig, &request, &alice_asks)).refused)
        cr_assert_lt(++added, 100);
    return added;
}

Test(libquell_trouble, a_full_disk_refuses_the_verb_and_loses_nothing)
{
    struct outcome refused;
    size_t added;

    (void) rig_add_simple(&rig, "n1", 0, false);
    added = add_until_full(&refused);
    cr_expect_eq(refused.refusal.code, TASK_E_BUSY);
    cr_expect(strstr(refused.refusal.text, "full"), "%s", refused.refusal.text);
    cr_expect_eq(rig_list(&rig, &(struct quell_filter){0}).len, added + 1);
    free_disk();
    cr_expect_not(rig_add_simple(&rig, "n1", 0, false).refused, "it is usable again");
    cr_expect_not(rig_cancel(&rig, 1, 1, NULL, -1, &alice_asks).refused);
}

Test(libquell_trouble, one_failure_refuses_every_verb_of_its_round_and_no_reader)
{
    static char big[100000];
    const char *argv[] = {"/bin/echo", big};
    struct quell_task_request request = {.node = "n1", .argv = argv, .argv_len = 2};
    struct outcome cancelled = {0}, added = {0}, late = {0}, shown = {0};

    memset(big, 'x', sizeof(big) - 1);
    (void) rig_add_simple(&rig, "n1", 0, false);
    fill_disk();
    quell_cancel_task(rig.quell, 1, 1, NULL, 0, NULL, &alice_asks, on_outcome_task, &cancelled);
    quell_add_task(rig.quell, &request, &alice_asks, on_outcome_task, &added);
    quell_cancel_task(rig.quell, 1, 1, NULL, 0, NULL, &alice_asks, on_outcome_task, &late);
    quell_show_task(rig.quell, 1, 1, on_outcome_task, &shown);
    rig_wait(&rig, &shown);
    cr_expect_eq(added.refusal.code, TASK_E_BUSY);
    cr_expect_eq(cancelled.refusal.code, TASK_E_BUSY);
    cr_expect_eq(late.refusal.code, TASK_E_BUSY, "0x%08X", (unsigned) late.refusal.code);
    cr_expect_not(shown.refused);
    cr_expect_eq(shown.task.current.status, TASK_NOT_SUBMITTED);
    free_disk();
    cr_expect_eq(rig_cancel(&rig, 1, 1, NULL, -1, &alice_asks).task.current.status, TASK_CANCELLED);
}

Test(libquell_trouble, a_report_that_could_not_be_recorded_is_not_acknowledged)
{
    static char text[60000];
    struct remembered task = rig_running_task(&rig, &peer);
    struct outcome waited = {0};
    Quell__Pb__Ending ending;
    Quell__Pb__Proof proof;

    quell_wait_task(rig.quell, 1, 1, 60000, on_outcome_task, &waited);
    memset(text, 'x', sizeof(text) - 1);
    ending_exit(&ending, &proof, 3);
    ending.text = text;
    fill_disk();
    cr_expect_not(peer_report_ending(&peer, task.uid, 2, &ending));
    cr_expect_eq(rig_show(&rig, 1, 1).task.current.status, TASK_RUNNING);
    cr_expect_eq(waited.calls, 0);
    free_disk();
    cr_expect(peer_report_ending(&peer, task.uid, 2, &ending));
    cr_expect_eq(rig_show(&rig, 1, 1).task.current.status, TASK_FAILED);
    cr_expect_eq(waited.calls, 1);
    cr_expect(strstr(rig.log, "nothing could be recorded"), "%s", rig.log);
}

static void send_ending(const uint8_t uid[16], const char *text)
{
    Quell__Pb__AttemptReport one = QUELL__PB__ATTEMPT_REPORT__INIT, *list = &one;
    Quell__Pb__Request request = QUELL__PB__REQUEST__INIT;
    Quell__Pb__Report report = QUELL__PB__REPORT__INIT;
    Quell__Pb__Ending ending;
    Quell__Pb__Proof proof;

    ending_exit(&ending, &proof, 3);
    ending.text = (char *) text;
    one.uid = (ProtobufCBinaryData){16, (uint8_t *) uid};
    one.version = 2;
    one.body_case = QUELL__PB__ATTEMPT_REPORT__BODY_ENDING;
    one.ending = &ending;
    report.n_attempts = 1;
    report.attempts = &list;
    request.body_case = QUELL__PB__REQUEST__BODY_REPORT;
    request.report = &report;
    peer_send(&peer, &request);
}

Test(libquell_trouble, a_failure_takes_back_what_its_round_had_recorded_before)
{
    static char text[60000];
    struct remembered small = rig_running_task(&rig, &peer);
    struct remembered large = rig_running_task(&rig, &peer);
    const Quell__Pb__Reply *reply;
    uint8_t first[16];

    memset(text, 'x', sizeof(text) - 1);
    fill_disk();
    send_ending(small.uid, "short"); /* the head sees both in one round */
    memcpy(first, peer.last_id, sizeof(first));
    send_ending(large.uid, text);
    memcpy(peer.last_id, first, sizeof(first));
    reply = peer_receive(&peer, RIG_WAIT_MS);
    cr_assert(reply);
    cr_assert_eq(reply->body_case, QUELL__PB__REPLY__BODY_REFUSED, "it was acknowledged");
    cr_expect_eq(reply->refused->code, QUELL__PB__REFUSED_CODE__REFUSED_BUSY);
    cr_expect_eq(rig_show(&rig, 1, 1).task.current.status, TASK_RUNNING);
    free_disk();
    send_ending(small.uid, "short");
    reply = peer_receive(&peer, RIG_WAIT_MS);
    cr_assert(reply);
    cr_expect_eq(reply->body_case, QUELL__PB__REPLY__BODY_REPORT_ACKED);
    cr_expect_eq(rig_show(&rig, 1, 1).task.current.status, TASK_FAILED);
}

Test(libquell_trouble, a_hello_that_could_not_be_recorded_settles_nothing)
{
    static char names[200][64];
    Quell__Pb__Request request = QUELL__PB__REQUEST__INIT;
    Quell__Pb__Hello hello = QUELL__PB__HELLO__INIT;
    const Quell__Pb__Reply *reply;
    struct peer others[200];
    size_t i;

    fill_disk();
    for (i = 0; i < 200; i++) { /* until their rows need a new page */
        (void) snprintf(names[i], sizeof(names[i]), "node-%zu-%048d", i, 0);
        peer_connect(&others[i], &rig, names[i]);
        peer_challenge(&others[i]);
        hello.boot_id = (char *) "b";
        hello.last = true;
        request.counter = 0;
        request.body_case = QUELL__PB__REQUEST__BODY_HELLO;
        request.hello = &hello;
        reply = peer_ask(&others[i], &request);
        if (reply->body_case == QUELL__PB__REPLY__BODY_REFUSED)
            break;
    }
    cr_assert_lt(i, 200, "the disk never was full");
    cr_expect_eq(reply->refused->code, QUELL__PB__REFUSED_CODE__REFUSED_BUSY);
    cr_expect(rig_add_simple(&rig, names[i], 0, false).refused);
    free_disk();
    request.counter = 0;
    reply = peer_ask(&others[i], &request);
    cr_expect_eq(reply->body_case, QUELL__PB__REPLY__BODY_HELLO_DONE);
    cr_expect_not(rig_add_simple(&rig, names[i], 0, false).refused);
    for (size_t k = 0; k <= i; k++)
        peer_close(&others[k]);
}

/* ---- another life ---- */

static void expect_epoch(uint64_t epoch, const uint8_t *head_id)
{
    Quell__Pb__CommandsWanted wanted = QUELL__PB__COMMANDS_WANTED__INIT;
    Quell__Pb__Request request = QUELL__PB__REQUEST__INIT;
    const Quell__Pb__Reply *reply;

    request.body_case = QUELL__PB__REQUEST__BODY_COMMANDS_WANTED;
    request.commands_wanted = &wanted;
    reply = peer_ask(&peer, &request);
    cr_expect_eq(reply->epoch, epoch);
    cr_expect_eq(memcmp(reply->head_id.data, head_id, 16), 0);
}

Test(libquell_trouble, what_was_acknowledged_outlives_the_head)
{
    struct remembered task = rig_running_task(&rig, &peer), command;
    Quell__Pb__Known known = QUELL__PB__KNOWN__INIT, *list = &known;
    uint8_t head_id[16];

    memcpy(head_id, store_head_id(rig.quell->store), sizeof(head_id));
    cr_assert_not(rig_cancel(&rig, 1, 1, "before the end", 0, &alice_asks).refused);
    expect_epoch(1, head_id);
    rig_stop(&rig);
    rig_start(&rig);
    cr_expect_eq(rig_show(&rig, 1, 1).task.current.status, TASK_RUNNING);
    cr_expect_str_eq(rig_show(&rig, 1, 1).message, "before the end");
    cr_expect_str_eq(rig_nodes(&rig).node_states[0], "unreachable");
    expect_epoch(2, head_id); /* refused: the session is of the life before */
    known.uid = (ProtobufCBinaryData){16, task.uid};
    known.version = 1;
    peer_hello(&peer, &list, 1);
    cr_expect_str_eq(rig_nodes(&rig).node_states[0], "up");
    command = peer_one_command(&peer);
    cr_expect(command.cancel);
    cr_expect_not(command.start);
    cr_expect_str_eq(command.message, "before the end");
}

Test(libquell_trouble, closing_does_what_was_asked_and_tells_everybody_who_waits)
{
    struct outcome cancelled = {0}, waited = {0}, asked = {0};

    (void) rig_add_simple(&rig, "n1", 0, false);
    (void) rig_add_simple(&rig, "n1", 0, false);
    quell_wait_task(rig.quell, 1, 1, 60000, on_outcome_task, &waited);
    rig_settle(&rig, 20);
    quell_cancel_task(rig.quell, 2, 1, NULL, 0, NULL, &alice_asks, on_outcome_task, &cancelled);
    quell_wait_task(rig.quell, 1, 1, 60000, on_outcome_task, &asked);
    rig_stop(&rig);
    cr_expect_eq(cancelled.calls, 1);
    cr_expect_not(cancelled.refused);
    cr_expect_eq(waited.calls, 1);
    cr_expect_eq(waited.refusal.code, TASK_E_BUSY);
    cr_expect_str_eq(waited.refusal.text, "the head is ending");
    cr_expect_eq(asked.calls, 1);
    cr_expect_eq(asked.refusal.code, TASK_E_BUSY);
    rig_start(&rig);
    cr_expect_eq(rig_show(&rig, 2, 1).task.current.status, TASK_CANCELLED);
}

static int again; /* how often a callback has asked once more */

static void on_refused(void *arg, const struct quell_refusal *refusal,
                       const struct quell_task *task)
{
    (void) task;
    cr_expect(refusal);
    if (again++ == 0)
        quell_cancel_task(rig.quell, 1, 1, NULL, 0, NULL, &alice_asks, on_refused, arg);
}

struct asks_again {
    struct outcome own, next;
};

static void on_results_ask(void *arg, const struct quell_refusal *refusal,
                           const struct quell_result *results, size_t len)
{
    struct asks_again *asks = arg;

    on_outcome_results(&asks->own, refusal, results, len);
    quell_show_task(rig.quell, 1, 1, on_outcome_task, &asks->next);
}

Test(libquell_trouble, what_the_last_callback_asks_is_answered_too)
{
    struct asks_again asks = {0};

    (void) rig_add_simple(&rig, "n1", 0, false);
    quell_cancel_job(rig.quell, 1, NULL, 0, NULL, &alice_asks, on_results_ask, &asks);
    rig_stop(&rig);
    cr_expect_eq(asks.own.calls, 1);
    cr_expect_eq(asks.next.calls, 1);
    rig_start(&rig);
}

Test(libquell_trouble, a_users_cancels_of_several_tasks_are_bounded_and_hold_up_nobody_elses)
{
    static const uint32_t ids[5000] = {1};
    struct outcome crowd[5] = {0}, other = {0};
    struct err err;

    (void) rig_add_simple(&rig, "n1", 0, false);
    for (int i = 0; i < 5; i++)
        quell_cancel_tasks(rig.quell, 1, ids, 5000, NULL, 0, NULL, &bob_asks, on_outcome_results,
                           &crowd[i]);
    quell_cancel_job(rig.quell, 1, NULL, 0, NULL, &alice_asks, on_outcome_results, &other);
    while (other.calls == 0)
        cr_assert_eq(quell_dispatch(rig.quell, &err), 0, "%s", err.text);
    cr_expect_eq(other.codes[0], 0);
    cr_expect_eq(crowd[0].calls + crowd[1].calls + crowd[2].calls + crowd[3].calls, 0,
                 "she had to wait for all of his");
    while (crowd[0].calls + crowd[1].calls + crowd[2].calls + crowd[3].calls + crowd[4].calls < 5)
        cr_assert_eq(quell_dispatch(rig.quell, &err), 0, "%s", err.text);
    cr_expect_eq(crowd[4].refusal.code, TASK_E_BUSY);
}

Test(libquell_trouble, what_is_asked_while_the_head_is_closing_is_refused_and_not_done)
{
    (void) rig_add_simple(&rig, "n1", 0, false);
    quell_wait_task(rig.quell, 1, 1, 60000, on_refused, NULL);
    rig_settle(&rig, 20);
    rig_stop(&rig);
    cr_expect_eq(again, 2);
    rig_start(&rig);
    cr_expect_eq(rig_show(&rig, 1, 1).task.current.status, TASK_NOT_SUBMITTED);
}

/* ---- opening ---- */

static void on_log(void *arg, int level, const char *text)
{
    (void) level;
    (void) snprintf(arg, 512, "%s", text);
}

static void expect_open_fails(const char *url, bool insecure, const char *word)
{
    const char *urls[] = {url};
    char state[160];
    struct quell_options options = {
        .state_dir = state, .listen = urls, .listen_len = url ? 1 : 0, .insecure = insecure};
    struct quell *quell = NULL;
    struct err err;

    (void) snprintf(state, sizeof(state), "%s/other", rig.dir);
    cr_assert_lt(quell_open(&options, &quell, &err), 0, "%s", url ? url : "none");
    cr_expect(strstr(err.text, word), "%s", err.text);
    cr_assert_null(quell);
}

Test(libquell_trouble, an_address_that_cannot_be_had_is_a_sentence)
{
    char url[160];

    expect_open_fails(NULL, false, "no address to listen on");
    expect_open_fails("tcp://127.0.0.1:5960", false, "--insecure");
    expect_open_fails("ipc:///nonexistent/dir/head.ipc", false, "/nonexistent/dir");
    expect_open_fails(rig.url, false, "in use");
    (void) snprintf(url, sizeof(url), "ipc:///tmp/head-%d.ipc", 1);
    expect_open_fails(url, false, "0700");
}

Test(libquell_trouble, tcp_without_a_key_is_said_at_every_start)
{
    const char *urls[] = {"tcp://127.0.0.1:45971"};
    char state[160];
    struct quell_options options = {
        .state_dir = state, .listen = urls, .listen_len = 1, .insecure = true, .on_log = on_log};
    struct quell *quell = NULL;
    char log[512] = "";
    struct err err;

    options.log_arg = log;
    (void) snprintf(state, sizeof(state), "%s/other", rig.dir);
    cr_assert_eq(quell_open(&options, &quell, &err), 0, "%s", err.text);
    (void) quell_close(quell);
    cr_expect(strstr(log, "tcp://127.0.0.1:45971 is open without a key"), "%s", log);
    options.heartbeat_ms = 3600001;
    cr_assert_lt(quell_open(&options, &quell, &err), 0);
    cr_expect(strstr(err.text, "heartbeat"), "%s", err.text);
}

/* ---- strangers ---- */

Test(libquell_trouble, sessions_that_are_only_begun_are_bounded)
{
    struct node_table table;
    char name[32];

    node_table_init(&table);
    for (unsigned i = 0; i < NODE_PENDING_MAX + 100; i++) {
        (void) snprintf(name, sizeof(name), "n%u", i);
        cr_assert(node_table_challenge(&table, name));
        cr_assert(node_table_challenge(&table, name), "again");
    }
    cr_expect_eq(table.pending_len, NODE_PENDING_MAX);
    node_table_sweep(&table);
    cr_expect_null(node_table_find(&table, "n99"));
    cr_expect_not_null(node_table_find(&table, "n100"));
    node_table_done(&table);
}
