/*
 * link.c - messages of the nodes: who sends, in which session, and to whom it goes on.
 *
 * A challenge changes no durable state. Every other request needs a session and a counter that
 * rises; what it lists as recorded is acknowledged whatever else it asks.
 */
#include "libquell/answer.h"
#include "libquell/quell_impl.h"

#include "base/clock.h"
#include "ipc/envelope.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LINK_ROUND_MAX   64
#define LINK_ROUND_US    10000u
#define LINK_RANDOM_SIZE 24u
#define DROPPED_LOG_US   10000000u

static const uint8_t no_id[NODE_ID_SIZE];

int link_wrap(struct quell *quell, const uint8_t *id, Quell__Pb__Reply *reply, uint8_t **ret,
              size_t *ret_len, struct err *err)
{
    reply->id = (ProtobufCBinaryData){.len = NODE_ID_SIZE, .data = (uint8_t *) id};
    reply->head_id = (ProtobufCBinaryData){.len = STORE_HEAD_ID_SIZE,
                                           .data = (uint8_t *) store_head_id(quell->store)};
    reply->epoch = store_epoch(quell->store);
    return envelope_wrap_reply(reply, ret, ret_len, err);
}

void link_send(struct quell *quell, const struct endpoint_route *route, const uint8_t *id,
               Quell__Pb__Reply *reply)
{
    CLEANUP_FREE uint8_t *bytes = NULL;
    struct err err;
    size_t len;
    int r = link_wrap(quell, id, reply, &bytes, &len, &err);

    if (r == 0)
        r = endpoint_answer(quell->endpoint, route, bytes, len, &err);
    if (r < 0)
        quell_log(quell, LOG_WARNING, "an answer to a node could not be sent: %s", err.text);
}

void link_refuse(struct quell *quell, const struct endpoint_route *route, const uint8_t *id,
                 Quell__Pb__RefusedCode code, const char *text)
{
    Quell__Pb__Refused refused = QUELL__PB__REFUSED__INIT;
    Quell__Pb__Reply reply = QUELL__PB__REPLY__INIT;

    refused.code = (uint32_t) code;
    refused.text = (char *) text;
    reply.body_case = QUELL__PB__REPLY__BODY_REFUSED;
    reply.refused = &refused;
    link_send(quell, route, id, &reply);
}

static void drop(struct quell *quell, const char *why)
{
    quell->dropped++;
    if (quell->dropped_log_us != 0 && quell->now_us - quell->dropped_log_us < DROPPED_LOG_US)
        return;
    quell_log(quell, LOG_WARNING, "dropped %" PRIu64 " messages that made no sense; the last: %s",
              quell->dropped, why);
    quell->dropped = 0;
    quell->dropped_log_us = quell->now_us;
}

static void on_challenge(struct quell *quell, const struct endpoint_route *route,
                         Quell__Pb__Request *request)
{
    Quell__Pb__Session session = QUELL__PB__SESSION__INIT;
    Quell__Pb__Reply reply = QUELL__PB__REPLY__INIT;
    struct node_session *made;

    if (request->challenge->random.len != LINK_RANDOM_SIZE) {
        drop(quell, "a challenge without its 24 random bytes");
        return;
    }
    made = node_table_challenge(&quell->nodes, request->node);
    if (!made) {
        link_refuse(quell, route, request->id.data, QUELL__PB__REFUSED_CODE__REFUSED_BUSY,
                    "no memory for a session");
        return;
    }
    session.session = (ProtobufCBinaryData){.len = sizeof(made->nonce), .data = made->nonce};
    session.random = request->challenge->random;
    reply.body_case = QUELL__PB__REPLY__BODY_SESSION;
    reply.session = &session;
    link_send(quell, route, request->id.data, &reply);
}

/* @boot_id: of the boot that the node now runs in. */
static int take_acks(struct quell *quell, const struct link_request *from, const char *boot_id,
                     struct err *err)
{
    const Quell__Pb__Request *request = from->request;
    int r = request->n_recorded > 0 ? round_change(quell, err) : 0;

    for (size_t i = 0; i < request->n_recorded && r >= 0; i++) {
        const Quell__Pb__Acked *acked = request->recorded[i];

        if (acked->uid.len == TASK_UID_SIZE)
            r = store_ack_command(quell->store, request->node, acked->uid.data, acked->version,
                                  boot_id, err);
    }
    return r < 0 ? r : 0;
}

/* Acknowledged with nothing, so that the node knows that it has come. */
static void take_peeked(struct quell *quell, const struct link_request *from)
{
    Quell__Pb__ReportAcked none = QUELL__PB__REPORT_ACKED__INIT;
    Quell__Pb__Reply reply = QUELL__PB__REPLY__INIT;

    peek_receive(quell, from);
    reply.body_case = QUELL__PB__REPLY__BODY_REPORT_ACKED;
    reply.report_acked = &none;
    answer_queue(quell, ANSWER_BYTES, from, &reply);
}

static int on_settled(struct quell *quell, const struct link_request *from, struct err *err)
{
    const Quell__Pb__Request *request = from->request;
    int r = take_acks(quell, from, from->session->boot_id, err);

    if (r < 0)
        return r;
    if (request->body_case == QUELL__PB__REQUEST__BODY_REPORT)
        return report_receive(quell, from, request->report, err);
    if (request->body_case == QUELL__PB__REQUEST__BODY_PEEKED) {
        take_peeked(quell, from);
        return 0;
    }
    node_table_unpark(&quell->nodes, from->node); /* the newest wins */
    answer_queue(quell, ANSWER_POLL, from, NULL);
    return 0;
}

static void on_session(struct quell *quell, const struct link_request *from)
{
    const Quell__Pb__Request *request = from->request;
    bool settled = from->session == from->node->settled;
    bool hello = request->body_case == QUELL__PB__REQUEST__BODY_HELLO;
    struct err err;
    int r;

    if (settled)
        node_table_heard(&quell->nodes, from->node, quell->now_us, clock_wall_us());
    if (hello) {
        r = take_acks(quell, from, request->hello->boot_id, &err);
        if (r == 0)
            r = hello_receive(quell, from, request->hello, &err);
    } else if (!settled || request->body_case == QUELL__PB__REQUEST__BODY__NOT_SET) {
        link_refuse(quell, from->route, request->id.data, QUELL__PB__REFUSED_CODE__REFUSED_BAD,
                    settled ? "a request of an unknown kind" : "a session begins with a hello");
        return;
    } else {
        r = on_settled(quell, from, &err);
    }
    if (r < 0) {
        round_fail(quell, &err);
        link_refuse(quell, from->route, request->id.data, QUELL__PB__REFUSED_CODE__REFUSED_BUSY,
                    err.text);
    }
}

static void on_request(struct quell *quell, const struct endpoint_route *route,
                       Quell__Pb__Request *request)
{
    struct link_request from = {.route = route, .request = request};

    if (request->id.len != NODE_ID_SIZE || !task_node_name_is_valid(request->node)) {
        drop(quell, "a request without an id of 16 bytes or without a node's name");
        return;
    }
    if (request->body_case == QUELL__PB__REQUEST__BODY_CHALLENGE) {
        on_challenge(quell, route, request);
        return;
    }
    from.node = node_table_find(&quell->nodes, request->node);
    from.session = from.node
                       ? node_find_session(from.node, request->session.data, request->session.len)
                       : NULL;
    if (!from.session) {
        link_refuse(quell, route, request->id.data, QUELL__PB__REFUSED_CODE__REFUSED_SESSION,
                    "the session is not known here: begin with a challenge");
        return;
    }
    if (request->counter <= from.session->counter) {
        drop(quell, "a request whose counter did not rise");
        return;
    }
    from.session->counter = request->counter;
    on_session(quell, &from);
}

static void on_message(struct quell *quell, const struct endpoint_route *route,
                       const uint8_t *bytes, size_t len)
{
    Quell__Pb__Request *request = NULL;
    struct err err;
    int r = envelope_open_request(bytes, len, &request, &err);

    if (r == -EPROTONOSUPPORT)
        link_refuse(quell, route, no_id, QUELL__PB__REFUSED_CODE__REFUSED_VERSION, err.text);
    if (r < 0) {
        drop(quell, err.text);
        return;
    }
    on_request(quell, route, request);
    quell__pb__request__free_unpacked(request, NULL);
}

int link_receive(struct quell *quell, struct err *err)
{
    uint64_t until_us = clock_mono_us() + LINK_ROUND_US;

    /* What is left over keeps the endpoint readable. */
    for (int i = 0; i < LINK_ROUND_MAX && clock_mono_us() < until_us; i++) {
        struct endpoint_route route;
        uint8_t *bytes;
        size_t len;
        int r = endpoint_receive(quell->endpoint, &bytes, &len, &route, err);

        if (r == ENDPOINT_NONE)
            return 0;
        if (r < 0)
            return r;
        on_message(quell, &route, bytes, len);
        endpoint_release(bytes);
    }
    return 0;
}
