#pragma once

/* answer.h - what is owed to a node once the round has been committed. */
#include "libquell/quell_impl.h"

enum answer_kind {
    ANSWER_BYTES,  /* a reply that is ready */
    ANSWER_SETTLE, /* the hello is done: its session begins */
    ANSWER_POLL,   /* commands, or a place to wait for them */
};

struct answer {
    TAILQ_ENTRY(answer) entry;
    enum answer_kind kind;
    struct endpoint_route route;
    uint8_t id[NODE_ID_SIZE];
    struct node *node; /* lives until the round's end */
    uint8_t nonce[NODE_SESSION_SIZE];
    uint8_t *bytes;
    size_t len;
};

/* Queues an answer to @from. Without memory the request counts as lost: the node will ask again.
   @reply: of ANSWER_BYTES, else NULL. */
void answer_queue(struct quell *quell, enum answer_kind kind, const struct link_request *from,
                  Quell__Pb__Reply *reply);
/* Gives every answer that is queued; after a failed round that it has failed. */
void answer_all(struct quell *quell, bool failed);
