#include "ipc/envelope.h"

#include "base/cleanup.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static uint8_t *bytes;
static size_t len;
static struct err err;

static void forget(void)
{
    free(bytes);
}

TestSuite(envelope, .fini = forget);

static int wrap_hello(char *node)
{
    Quell__Pb__Request request = QUELL__PB__REQUEST__INIT;
    Quell__Pb__Hello hello = QUELL__PB__HELLO__INIT;
    char mode[] = "hybrid";

    request.node = node;
    request.counter = 7;
    hello.cgroup_mode = mode;
    hello.cores = 2;
    request.body_case = QUELL__PB__REQUEST__BODY_HELLO;
    request.hello = &hello;
    return envelope_wrap_request(&request, &bytes, &len, &err);
}

Test(envelope, a_request_comes_back_as_it_was)
{
    Quell__Pb__Request *request = NULL;
    char node[] = "n1";

    cr_assert_eq(wrap_hello(node), 0, "%s", err.text);
    cr_assert_eq(envelope_open_request(bytes, len, &request, &err), 0, "%s", err.text);
    cr_expect_str_eq(request->node, "n1");
    cr_expect_eq(request->counter, 7u);
    cr_assert_eq(request->body_case, QUELL__PB__REQUEST__BODY_HELLO);
    cr_expect_str_eq(request->hello->cgroup_mode, "hybrid");
    cr_expect_eq(request->hello->cores, 2u);
    quell__pb__request__free_unpacked(request, NULL);
}

Test(envelope, a_reply_comes_back_as_it_was)
{
    Quell__Pb__Reply reply = QUELL__PB__REPLY__INIT;
    Quell__Pb__Refused refused = QUELL__PB__REFUSED__INIT;
    Quell__Pb__Reply *back = NULL;
    char text[] = "unknown session";

    refused.text = text;
    refused.code = QUELL__PB__REFUSED_CODE__REFUSED_SESSION;
    reply.epoch = 3;
    reply.body_case = QUELL__PB__REPLY__BODY_REFUSED;
    reply.refused = &refused;
    cr_assert_eq(envelope_wrap_reply(&reply, &bytes, &len, &err), 0, "%s", err.text);
    cr_assert_eq(envelope_open_reply(bytes, len, &back, &err), 0, "%s", err.text);
    cr_expect_eq(back->epoch, 3u);
    cr_assert_eq(back->body_case, QUELL__PB__REPLY__BODY_REFUSED);
    cr_expect_str_eq(back->refused->text, "unknown session");
    quell__pb__reply__free_unpacked(back, NULL);
}

Test(envelope, an_empty_message_is_a_message)
{
    Quell__Pb__Reply reply = QUELL__PB__REPLY__INIT;
    Quell__Pb__Reply *back = NULL;

    cr_assert_eq(envelope_wrap_reply(&reply, &bytes, &len, &err), 0);
    cr_assert_eq(envelope_open_reply(bytes, len, &back, &err), 0, "%s", err.text);
    cr_expect_eq(back->body_case, QUELL__PB__REPLY__BODY__NOT_SET);
    quell__pb__reply__free_unpacked(back, NULL);
}

Test(envelope, the_size_limit_holds_to_the_byte_in_both_directions)
{
    CLEANUP_FREE char *node = calloc(1, ENVELOPE_MAX + 2);
    CLEANUP_FREE uint8_t *large = calloc(1, ENVELOPE_MAX + 1);
    Quell__Pb__Request *request = NULL;
    size_t node_len = ENVELOPE_MAX + 1;

    cr_assert(node && large);
    memset(node, 'x', node_len);
    while (wrap_hello(node) == -EMSGSIZE)
        node[--node_len] = '\0';
    cr_expect_eq(len, ENVELOPE_MAX, "%zu bytes", len);
    cr_expect_gt(node_len, ENVELOPE_MAX - ENVELOPE_ROOM);
    cr_expect_eq(envelope_open_request(bytes, len, &request, &err), 0, "%s", err.text);
    quell__pb__request__free_unpacked(request, NULL);

    memcpy(large, bytes, len);
    cr_expect_eq(envelope_open_request(large, ENVELOPE_MAX + 1, &request, &err), -EPROTO);
    cr_expect_str_eq(err.text, "a message of 262145 bytes, where 262144 are the most");
}

/* Packs an envelope with these heads around an empty Request. */
static int open_with(uint32_t major, uint32_t minor, uint32_t sealing)
{
    Quell__Pb__Envelope envelope = QUELL__PB__ENVELOPE__INIT;
    Quell__Pb__Request *request = NULL;
    uint8_t packed[64];
    int r;

    envelope.major = major;
    envelope.minor = minor;
    envelope.sealing = sealing;
    err = (struct err){0};
    r = envelope_open_request(packed, quell__pb__envelope__pack(&envelope, packed), &request, &err);
    cr_expect_eq(err.code, r, "%s", err.text);
    quell__pb__request__free_unpacked(request, NULL);
    return r;
}

Test(envelope, a_newer_major_and_a_sealed_message_are_refused)
{
    cr_expect_eq(open_with(1, 0, 0), 0);
    cr_expect_eq(open_with(1, 9, 0), 0);
    cr_expect_eq(open_with(0, 0, 0), -EPROTO);
    cr_expect_eq(open_with(2, 0, 0), -EPROTONOSUPPORT);
    cr_expect_str_eq(err.text, "a message of version 2, newer than this program's version 1");
    cr_expect_eq(open_with(1, 0, 1), -EPROTONOSUPPORT);
    cr_expect_eq(open_with(1, 0, 77), -EPROTONOSUPPORT);
}

Test(envelope, no_cut_or_flipped_message_harms)
{
    Quell__Pb__Request *request = NULL;
    char node[] = "n1";

    cr_assert_eq(wrap_hello(node), 0);
    cr_expect_eq(envelope_open_request(bytes, 0, &request, &err), -EPROTO);
    for (size_t cut = 1; cut < len; cut++) {
        uint8_t *copy = malloc(cut);

        cr_assert_not_null(copy);
        memcpy(copy, bytes, cut);
        if (envelope_open_request(copy, cut, &request, &err) == 0)
            quell__pb__request__free_unpacked(request, NULL);
        free(copy);
    }
    for (size_t bit = 0; bit < 8 * len; bit++) {
        bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
        if (envelope_open_request(bytes, len, &request, &err) == 0)
            quell__pb__request__free_unpacked(request, NULL);
        bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
    }
}

Test(envelope, a_body_of_another_kind_is_refused)
{
    Quell__Pb__Envelope envelope = QUELL__PB__ENVELOPE__INIT;
    Quell__Pb__Request *request = NULL;
    uint8_t body[] = "\x0a\x7fshort";
    uint8_t packed[64];

    envelope.major = 1;
    envelope.body.data = body;
    envelope.body.len = sizeof(body) - 1;
    cr_expect_eq(
        envelope_open_request(packed, quell__pb__envelope__pack(&envelope, packed), &request, &err),
        -EPROTO);
    cr_expect_str_eq(err.text, "the body of a message can't be unpacked");
    cr_expect_null(request);
}
