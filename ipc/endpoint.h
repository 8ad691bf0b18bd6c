#pragma once

/*
 * endpoint.h - one nanomsg socket of the raw REQ/REP protocol; the only owner of nanomsg.
 *
 * The agent connects, the head binds. Raw sockets: requests and answers go out in any order, and
 * nothing is resent by nanomsg. Nothing here blocks. A send that is accepted may still be lost.
 * nanomsg 1.1.5 may abort the process on an internal error.
 */
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct endpoint;

/* Where an answer goes: nanomsg's routing header of the request. Plain data, may be copied. */
struct endpoint_route {
    uint8_t bytes[64];
    size_t len;
};

enum endpoint_outcome {
    ENDPOINT_NONE = 1, /* nothing to receive now */
    ENDPOINT_FULL = 2, /* no connection, or its queue is full: not sent */
};

/* Checks an address before use: "ipc:///path" or "tcp://host:port". ipc: the directory exists, is
   0700 and belongs to this user (or, for @connecting, to root); tcp: only when @insecure. The
   sentence says what to do about it. */
int endpoint_check_address(const char *url, int connecting, int insecure, struct err *err);

int endpoint_connect(const char *url, struct endpoint **ret, struct err *err); /* the agent */
int endpoint_bind(const char *const *urls, size_t urls_len, struct endpoint **ret,
                  struct err *err);                         /* the head */
struct endpoint *endpoint_close(struct endpoint *endpoint); /* accepts NULL, returns NULL */

/* Level-triggered readable while there is something to receive; never read it. Borrowed. */
int endpoint_fd(const struct endpoint *endpoint);

/* A request (agent). 0, ENDPOINT_FULL, or a negative errno. @bytes are copied. */
int endpoint_send(struct endpoint *endpoint, const uint8_t *bytes, size_t len, struct err *err);
/* An answer (head). A route whose connection is gone is no error. */
int endpoint_answer(struct endpoint *endpoint, const struct endpoint_route *route,
                    const uint8_t *bytes, size_t len, struct err *err);

/* One message, in nanomsg's memory until endpoint_release(). @ret_route: NULL for the agent. */
int endpoint_receive(struct endpoint *endpoint, uint8_t **ret, size_t *ret_len,
                     struct endpoint_route *ret_route, struct err *err);
void endpoint_release(uint8_t *bytes);
