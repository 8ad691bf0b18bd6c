#pragma once

/* head_link_impl.h - what the files of head_link share. Private to head_*.c. */
#include "agent/head_link.h"
#include "quell.pb-c.h"

#include <stddef.h>

#define HEAD_OUTSTANDING 16u /* requests that may wait for an answer */

enum link_stage { LINK_CLOSED, LINK_CHALLENGED, LINK_GREETING, LINK_READY };

struct sent { /* a request without an answer so far */
    bool used;
    uint8_t id[16];
    uint64_t at_us;
    Quell__Pb__Request__BodyCase kind;
    uint64_t ack_generation; /* all recorded commands up to this one were listed in it */
};

struct head_link {
    struct agent *agent; /* borrowed */
    struct endpoint *endpoint;
    struct event *readable;
    struct event *retry;
    struct event *silence; /* a heartbeat without a word: over when the head says something */
    size_t address;        /* which of the agent's */
    enum link_stage stage;
    uint8_t session[16];
    uint8_t random[24];
    uint64_t counter;
    struct sent sent[HEAD_OUTSTANDING];
    struct task *hello_next; /* first that is not greeted yet; NULL: all are */
    uint32_t hello_part;
    bool asked;       /* a request for commands is out */
    bool held;        /* asking waits for the retry timer: something could not be recorded */
    bool said_silent; /* said once, until it is over; so is the next */
    bool said_refused;
    uint64_t retry_us;
    uint64_t heartbeat_us;
    uint64_t heard_wall_us;
};

/* ---- head_request.c: each is false when the request could not go out now ---- */

bool head_request_challenge(struct head_link *link); /* begins anew: what was asked is void */
bool head_request_greet(struct head_link *link);     /* the next part of the hello */
bool head_request_commands(struct head_link *link);
bool head_request_reports(
    struct head_link *link); /* as many as fit; false also when there is none */

/* The request with that id that waits for an answer, or NULL. */
struct sent *head_request_find(struct head_link *link, const ProtobufCBinaryData *id);

/* ---- head_outbox.c ---- */

/* Every command recorded up to @generation has been listed in a request that was answered. */
void head_outbox_confirm(struct agent *agent, uint64_t generation);
