/* The end of a task's output: the question to its node, and what comes of it. */
#include "test_libquell_rig.h"

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

TestSuite(libquell_peek, .init = setup, .fini = teardown, .timeout = 60);

struct told { /* by value */
    int calls;
    struct quell_refusal refusal;
    size_t len;
    char tails[2][64], paths[2][64], texts[2][64];
    uint64_t size;
};

static void on_outputs(void *arg, const struct quell_refusal *refusal,
                       const struct quell_output *outputs, size_t len)
{
    struct told *told = arg;

    told->calls++;
    if (refusal)
        told->refusal = *refusal;
    told->len = len;
    for (size_t i = 0; i < len; i++) {
        (void) snprintf(told->tails[i], 64, "%.*s", (int) outputs[i].tail_len, outputs[i].tail);
        (void) snprintf(told->paths[i], 64, "%s", outputs[i].path ? outputs[i].path : "-");
        (void) snprintf(told->texts[i], 64, "%s", outputs[i].text ? outputs[i].text : "-");
        told->size = outputs[i].size;
    }
}

static void ask(struct told *told, uint32_t task_id, uint64_t timeout_ms,
                const struct quell_who *who)
{
    *told = (struct told){0};
    (void) quell_peek_task(rig.quell, 1, task_id, 0, timeout_ms, who, on_outputs, told);
}

static void wait_told(const struct told *told)
{
    struct err err;

    while (told->calls == 0)
        cr_assert_eq(quell_dispatch(rig.quell, &err), 0, "%s", err.text);
    cr_assert_eq(told->calls, 1);
}

static void answer(const Quell__Pb__Peek *question)
{
    Quell__Pb__Request request = QUELL__PB__REQUEST__INIT;
    Quell__Pb__Peeked peeked = QUELL__PB__PEEKED__INIT;
    Quell__Pb__Output outputs[2] = {QUELL__PB__OUTPUT__INIT, QUELL__PB__OUTPUT__INIT};
    Quell__Pb__Output *list[] = {&outputs[0], &outputs[1]};
    uint8_t id[16];

    (void) memcpy(id, question->id.data, sizeof(id)); /* the next receive frees the question */
    outputs[0].stream = (char *) "stdout";
    outputs[0].path = (ProtobufCBinaryData){.len = 4, .data = (uint8_t *) "/out"};
    outputs[0].tail = (ProtobufCBinaryData){.len = 5, .data = (uint8_t *) "hello"};
    outputs[1].stream = (char *) "stderr";
    outputs[1].size = 77;
    outputs[1].text = (char *) "open /err: No such file";
    peeked.id = (ProtobufCBinaryData){.len = sizeof(id), .data = id};
    peeked.outputs = list;
    peeked.n_outputs = 2;
    request.body_case = QUELL__PB__REQUEST__BODY_PEEKED;
    request.peeked = &peeked;
    cr_assert_eq(peer_ask(&peer, &request)->body_case, QUELL__PB__REPLY__BODY_REPORT_ACKED);
}

Test(libquell_peek, a_question_goes_to_the_node_once_and_its_answer_to_who_asked)
{
    Quell__Pb__Request wanted = QUELL__PB__REQUEST__INIT;
    Quell__Pb__CommandsWanted nothing = QUELL__PB__COMMANDS_WANTED__INIT;
    const Quell__Pb__Reply *reply;
    struct told told;

    (void) rig_running_task(&rig, &peer);
    wanted.body_case = QUELL__PB__REQUEST__BODY_COMMANDS_WANTED;
    wanted.commands_wanted = &nothing;
    peer_send(&peer, &wanted);
    rig_settle(&rig, 20); /* it is parked */
    ask(&told, 1, 60000, &alice_asks);
    reply = peer_receive(&peer, RIG_WAIT_MS);
    cr_assert_not_null(reply);
    cr_assert_eq(reply->body_case, QUELL__PB__REPLY__BODY_COMMANDS);
    cr_assert_eq(reply->commands->n_peeks, 1);
    cr_expect_eq(reply->commands->peeks[0]->bytes, QUELL_PEEK_DEFAULT);
    cr_expect_str_eq(reply->commands->peeks[0]->user, "alice");
    cr_expect_eq(told.calls, 0);
    answer(reply->commands->peeks[0]);
    wait_told(&told);
    cr_assert_eq(told.len, 2, "%s", told.refusal.text);
    cr_expect_str_eq(told.tails[0], "hello");
    cr_expect_str_eq(told.paths[0], "/out");
    cr_expect_str_eq(told.texts[0], "-");
    cr_expect_str_eq(told.paths[1], "-");
    cr_expect_str_eq(told.texts[1], "open /err: No such file");
    cr_expect_eq(told.size, 77);
}

Test(libquell_peek, a_node_that_does_not_answer_is_a_refusal)
{
    struct told told;

    (void) rig_running_task(&rig, &peer);
    ask(&told, 1, 30, &root_asks);
    wait_told(&told);
    cr_expect_eq(told.refusal.code, TASK_E_BUSY);
    cr_expect_str_eq(told.refusal.text, "node n1 has not answered in time");
}

Test(libquell_peek, what_has_no_output_or_is_not_ones_own_is_refused)
{
    struct told told;

    (void) rig_running_task(&rig, &peer);
    (void) rig_add_simple(&rig, "n1", 1, false);
    ask(&told, 1, 60000, &bob_asks);
    wait_told(&told);
    cr_expect_eq(told.refusal.code, TASK_E_DENIED);
    ask(&told, 2, 60000, &alice_asks);
    wait_told(&told);
    cr_expect_eq(told.refusal.code, TASK_E_WRONG_STATUS);
    ask(&told, 3, 60000, &alice_asks);
    wait_told(&told);
    cr_expect_eq(told.refusal.code, TASK_E_UNKNOWN_TASK);
    rig_settle(&rig, 6000); /* until the node counts as silent */
    ask(&told, 1, 60000, &alice_asks);
    wait_told(&told);
    cr_expect_eq(told.refusal.code, TASK_E_BUSY);
    cr_expect_str_eq(told.refusal.text,
                     "node n1 is unreachable: the output of task 1.1 can't be read now");
}

Test(libquell_peek, a_question_that_is_given_up_or_asked_of_a_head_that_ends_is_told)
{
    struct told first, second;
    struct quell_wait *wait;

    (void) rig_running_task(&rig, &peer);
    first = (struct told){0};
    wait = quell_peek_task(rig.quell, 1, 1, 0, 60000, &root_asks, on_outputs, &first);
    quell_stop_wait(rig.quell, wait);
    wait_told(&first);
    cr_expect_eq(first.refusal.code, TASK_E_BUSY);
    ask(&second, 1, 60000, &root_asks);
    rig_stop(&rig);
    cr_expect_eq(second.calls, 1);
    rig_start(&rig);
}
