#pragma once

/* head_link_impl.h - what the files of head_link share. Private to head_*.c. */
#include "agent/head_link.h"
#include "quell.pb-c.h"

#include <stddef.h>

#define HEAD_OUTSTANDING 16u      /* requests that may wait for an answer */
#define HEAD_HOLD_US     1000000u /* before asking again for what could not be recorded */

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
    Quell__Pb__Commands *commands; /* an answer that is being taken; owned, or NULL */
    size_t commands_taken;
    struct event *taking; /* slices of that: slice.h */
    bool asked;           /* a request for commands is out, or its answer is not yet taken whole */
    bool held;            /* asking waits for the retry timer: something could not be recorded */
    bool said_silent;     /* said once, until it is over; so is the next */
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

/* ---- head_commands.c ---- */

/* Takes the commands out of @reply, which has some, and over. The next are asked for when all are
   recorded. */
void head_commands_take(struct head_link *link, Quell__Pb__Reply *reply);
/* What is not taken yet is void: the head will send it again, if it still holds. */
void head_commands_drop(struct head_link *link);
void head_commands_on_taking(int fd, short what, void *arg); /* of link->taking */

/* ---- head_link.c ---- */

/* The retry timer: asks again. */
void head_link_schedule(struct head_link *link, uint64_t in_us);
/* The head has a heartbeat from now on to say something. */
void head_link_wait_for_word(struct head_link *link);

/* ---- head_outbox.c ---- */

/* Every command recorded up to @generation has been listed in a request that was answered. */
void head_outbox_confirm(struct agent *agent, uint64_t generation);
