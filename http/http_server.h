#pragma once

/*
 * http_server.h - HTTP/1.1 on a Unix socket, for both daemons, on libevent's evhttp. Knows no task.
 *
 * Slow, silent, dripping, huge and flooding clients are cut off and counted, and stall nobody:
 * limits on connections, header and body size, and a deadline for each whole request and for the
 * reading of each reply. A flood of one user closes that user's connections alone. A client that
 * closes, or shuts its side of the connection down before its request is whole, is gone.
 *
 * The program ignores SIGPIPE in main(), and restores it in what it executes.
 */
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct event_base;
struct http_server;
struct http_request;

struct http_peer { /* who the kernel says is on the other side (SO_PEERCRED) */
    uid_t uid;
    gid_t gid;
    pid_t pid;
};

struct http_server_options {
    const char *path;  /* of the socket; a stale one is replaced, a live one is -EADDRINUSE */
    mode_t mode;       /* of the socket file */
    size_t body_max;   /* bytes; more: 413 */
    size_t header_max; /* bytes; more: 400 */
    /* One more: of the user who holds the most, the one that has waited longest for a request is
       closed, else its oldest that is being served. What comes new is served where it can be. */
    unsigned streams_max; /* replies in pieces at once; 0: as many as connections. One more: of the
                             user who holds the most the oldest is closed */
    unsigned connections_max;
    uint64_t request_timeout_ms; /* from accept, or the last reply, to a whole request; and for the
                                    client to take a reply */
};

struct http_stats {
    uint64_t requests;
    uint64_t cut_off; /* connections closed for being slow, silent, huge or too many */
    unsigned connections;
};

/* Called in the loop for each whole request. It answers with http_reply(), now or later. */
typedef void (*http_handler)(void *arg, struct http_request *request);

int http_server_open(struct event_base *base, const struct http_server_options *options,
                     http_handler on_request, void *arg, struct http_server **ret, struct err *err);
/* Closes the socket (and removes its file) and every connection. Requests not yet answered stay
   valid until they are; their on_gone is not called, that of a stream is. Not from a callback.
   Accepts NULL, returns NULL. */
struct http_server *http_server_close(struct http_server *server);
void http_server_stats(const struct http_server *server, struct http_stats *ret);

/* "GET" (for HEAD too: its reply is sent without the body), "POST", or "other". */
const char *http_request_method(const struct http_request *request);
const char *http_request_path(const struct http_request *request); /* decoded, without query */
/* The value of a header field, or NULL, also when the client is gone. Borrowed for the handler's
   call. */
const char *http_request_header(const struct http_request *request, const char *name);
/* The decoded value of a query parameter, or NULL. Borrowed until the reply. */
const char *http_request_query(const struct http_request *request, const char *name);
const void *http_request_body(const struct http_request *request, size_t *ret_len);
const struct http_peer *http_request_peer(const struct http_request *request);
/* Whether the peer has @gid as its primary or a supplementary group (SO_PEERGROUPS). Ask while the
   client is there: afterwards only the primary group is known. */
bool http_request_peer_in_group(const struct http_request *request, gid_t gid);

/* Calls @on_gone once if the client hangs up before the reply (at once if it has already); the
   request must still be answered (the reply then goes nowhere), in @on_gone or later. */
void http_request_on_gone(struct http_request *request, void (*on_gone)(void *arg), void *arg);

/* Answers and ends @request, exactly once. @body is copied. */
void http_reply(struct http_request *request, int status, const char *content_type,
                const void *body, size_t len);

/*
 * A reply in pieces, for as long as it takes (server-sent events). While nothing is on its way it
 * has no deadline; a client that does not take what was written within the request's deadline is
 * cut off and counted.
 */
struct http_stream;

struct http_stream_events {
    void (*on_drained)(void *arg); /* all that was written has been taken: write the next piece */
    void (*on_gone)(void *arg);    /* the client is gone, was cut off, or wants no body (HEAD): no
                                      more callbacks; end the stream */
    void *arg;
};

/* Begins the reply of @request, which is used up. on_drained follows from the loop, first when the
   head of the reply is on its way. The stream lives until http_stream_end(), also without a client
   (what is written then goes nowhere). NULL: no memory; the request has been answered. */
struct http_stream *http_stream_begin(struct http_request *request, int status,
                                      const char *content_type,
                                      const struct http_stream_events *events);
/* @bytes are copied. Write one piece, then wait for on_drained: what waits for the client is the
   caller's to bound. The deadline is that of the first piece that the client has not taken. */
void http_stream_write(struct http_stream *stream, const void *bytes, size_t len);
/* Ends the reply; no callback follows. Also from on_drained and on_gone. */
void http_stream_end(struct http_stream *stream);
