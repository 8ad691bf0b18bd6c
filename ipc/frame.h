#pragma once

/*
 * frame.h - agent and supervisor: one packed quell.pb.Frame per message of a SOCK_SEQPACKET
 * socket. Sends never block and never raise SIGPIPE.
 */
#include "base/err.h"
#include "quell.pb-c.h"

#include <stddef.h>
#include <stdint.h>

#define FRAME_MAJOR 1u
#define FRAME_MINOR 0u
#define FRAME_MAX   (192u * 1024u) /* a Launch holds a whole specification */

enum frame_outcome {
    FRAME_NONE = 1,   /* nothing to read now */
    FRAME_CLOSED = 2, /* the other side is gone */
};

/* Sets the version. @buffer (@size bytes) is used to pack. -EAGAIN: the socket is full. */
int frame_send(int fd, Quell__Pb__Frame *frame, uint8_t *buffer, size_t size, struct err *err);

/* One message. 0 with *@ret; an outcome; -EPROTO (not a frame), -EPROTONOSUPPORT (newer major). */
int frame_receive(int fd, uint8_t *buffer, size_t size, ProtobufCAllocator *allocator,
                  Quell__Pb__Frame **ret, struct err *err);
