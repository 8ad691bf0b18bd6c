#pragma once

/*
 * sse.h - server-sent events (HTML Living Standard, 9.2.6) out of bytes that come in any pieces.
 * Pure: no I/O. "retry" and fields that are not known are passed over.
 */
#include "base/cleanup.h"

#include <stddef.h>

#define SSE_EVENT_MAX (1u << 20) /* bytes: of a line, and of an event's data */
#define SSE_NAME_SIZE 64         /* with the NUL: longer ids are passed over, longer names cut */

struct sse_event {    /* borrowed for the call */
    const char *name; /* of its "event" line; "" without one */
    const char *id;   /* the last that came, with this event or before it; "" before any */
    const char *data; /* its "data" lines with newlines between, and a NUL behind */
    size_t data_len;
};

/* 0 to go on; anything else ends the feeding, and sse_feed() returns it. */
typedef int (*sse_handler)(void *arg, const struct sse_event *event);

struct sse;

struct sse *sse_new(sse_handler on_event, void *arg); /* NULL: out of memory */
/* 0; what the handler returned; -EMSGSIZE; -ENOMEM. Other than 0: it is for sse_free() only. */
int sse_feed(struct sse *sse, const char *bytes, size_t len);
struct sse *sse_free(struct sse *sse);
DEFINE_CLEANUP(struct sse *, sse_free);
