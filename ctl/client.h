#pragma once

/*
 * client.h - HTTP requests to one Unix socket, on libcurl. Knows no task. It blocks, and no longer
 * than the caller allows.
 */
#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;

struct client_answer {
    long status; /* of HTTP */
    char *body;  /* NUL-terminated; the caller frees it */
    size_t body_len;
};

/* @program and @option are for sentences: who serves the socket, and what names it. Borrowed. No
   connection is made yet. */
int client_open(const char *socket_path, const char *program, const char *option,
                struct client **ret, struct err *err);
/* @path_and_query as it goes into the request line. @body: NULL for a GET, else what is posted.
   A negative errno when there was no answer: the sentence names the socket and what to look at. */
int client_request(struct client *client, const char *path_and_query, const char *body,
                   uint64_t timeout_ms, struct client_answer *ret, struct err *err);

struct client_sink {                                            /* takes a reply as it comes */
    bool (*on_bytes)(void *arg, const char *bytes, size_t len); /* false: no more of it */
    void *arg;
    uint64_t silence_ms; /* the connection counts as dead when nothing came for so long */
};

/* A GET whose reply may go on for ever. 0: it is whole, or the sink wanted no more; its bytes went
   to @sink, but those of a status other than 2xx into @ret. A negative errno: with @ret's status 0
   there was no answer, else the reply broke off; @ret has no body. */
int client_stream(struct client *client, const char *path_and_query, const struct client_sink *sink,
                  struct client_answer *ret, struct err *err);
struct client *client_close(struct client *client);
DEFINE_CLEANUP(struct client *, client_close);
