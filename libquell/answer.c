#include "libquell/answer.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

static struct answer *answer_free(struct answer *answer)
{
    if (!answer)
        return NULL;
    free(answer->bytes);
    free(answer);
    return NULL;
}
DEFINE_CLEANUP(struct answer *, answer_free);

void answer_queue(struct quell *quell, enum answer_kind kind, const struct link_request *from,
                  Quell__Pb__Reply *reply)
{
    CLEANUP(answer_freep) struct answer *answer = calloc(1, sizeof(*answer));
    struct err err;

    if (!answer)
        return;
    answer->kind = kind;
    answer->route = *from->route;
    memcpy(answer->id, from->request->id.data, sizeof(answer->id));
    answer->node = from->node;
    memcpy(answer->nonce, from->session->nonce, sizeof(answer->nonce));
    if (reply && link_wrap(quell, answer->id, reply, &answer->bytes, &answer->len, &err) < 0) {
        quell_log(quell, LOG_ERR, "node %s: no answer: %s", from->node->name, err.text);
        return;
    }
    TAILQ_INSERT_TAIL(&quell->answers, answer, entry);
    (void) TAKE_PTR(answer); /* not within the macro: it evaluates its argument several times */
}

static void settle(struct quell *quell, const struct answer *answer)
{
    Quell__Pb__HelloDone done = QUELL__PB__HELLO_DONE__INIT;
    Quell__Pb__Reply reply = QUELL__PB__REPLY__INIT;
    struct node *node = answer->node;
    struct node_session *session = node_find_session(node, answer->nonce, sizeof(answer->nonce));

    /* A newer challenge of that name has come in the same round. */
    if (!session) {
        link_refuse(quell, &answer->route, answer->id, QUELL__PB__REFUSED_CODE__REFUSED_SESSION,
                    "a newer challenge of this node has replaced the session");
        return;
    }
    if (!node->settled)
        round_tell_node(quell, node->name, "up");
    node_table_settle(&quell->nodes, node, session);
    node_session_forget(session);
    node_table_heard(&quell->nodes, node, quell->now_us, clock_wall_us());
    done.heartbeat_ms = quell->heartbeat_us / 1000;
    reply.body_case = QUELL__PB__REPLY__BODY_HELLO_DONE;
    reply.hello_done = &done;
    link_send(quell, &answer->route, answer->id, &reply);
}

static void poll_or_park(struct quell *quell, const struct answer *answer)
{
    struct node *node = answer->node;
    /* An agent that has heard nothing for a whole heartbeat takes the connection for dead. */
    struct node_poll poll = {.route = answer->route,
                             .deadline_us = quell->now_us + quell->heartbeat_us / 2};
    struct err err;
    int r;

    if (!node->settled || memcmp(node->settled->nonce, answer->nonce, sizeof(answer->nonce)) != 0) {
        link_refuse(quell, &answer->route, answer->id, QUELL__PB__REFUSED_CODE__REFUSED_SESSION,
                    "the session is over");
        return;
    }
    memcpy(poll.id, answer->id, sizeof(poll.id));
    r = commands_send(quell, node, &poll, &err);
    if (r == STORE_NONE)
        node_table_park(&quell->nodes, node, &poll);
    else if (r < 0)
        link_refuse(quell, &answer->route, answer->id, QUELL__PB__REFUSED_CODE__REFUSED_BUSY,
                    err.text);
}

static void give(struct quell *quell, const struct answer *answer)
{
    struct err err;

    switch (answer->kind) {
    case ANSWER_BYTES:
        if (endpoint_answer(quell->endpoint, &answer->route, answer->bytes, answer->len, &err) < 0)
            quell_log(quell, LOG_WARNING, "node %s: %s", answer->node->name, err.text);
        break;
    case ANSWER_SETTLE:
        settle(quell, answer);
        break;
    case ANSWER_POLL:
        poll_or_park(quell, answer);
        break;
    }
}

void answer_all(struct quell *quell, bool failed)
{
    struct answer *answer;

    while ((answer = TAILQ_FIRST(&quell->answers))) {
        TAILQ_REMOVE(&quell->answers, answer, entry);
        if (answer->kind == ANSWER_SETTLE)
            answer->node->settling = false;
        if (failed)
            link_refuse(quell, &answer->route, answer->id, QUELL__PB__REFUSED_CODE__REFUSED_BUSY,
                        quell->failure.text);
        else
            give(quell, answer);
        (void) answer_free(answer);
    }
}
