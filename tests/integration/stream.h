#pragma once

/* stream.h - server-sent events, read from a Unix socket. What goes wrong ends the test. */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct stream;

struct stream_event {
    char name[16]; /* "" without an `event:` line */
    uint64_t id;   /* 0 without an `id:` line */
    json_t *data;  /* of the stream: until the next is read */
};

/* @last_id: what the header Last-Event-ID says; NULL: without it. */
struct stream *stream_open(const char *socket_path, const char *path, const char *last_id);
void stream_close(struct stream *stream);

/* Waits for the next event; comments and `retry:` are passed over. False: the stream has ended. */
bool stream_next(struct stream *stream, struct stream_event *ret);
