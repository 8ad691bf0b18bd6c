#pragma once

/*
 * arena.h - memory for unpacked messages that is there from the start: an allocator for protobuf-c
 * that hands out a fixed buffer from front to back and frees nothing. Pages that no message needs
 * are never touched.
 */
#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

struct arena {
    ProtobufCAllocator allocator;
    uint8_t *bytes;
    size_t size;
    size_t used;
};

void arena_init(struct arena *arena, uint8_t *bytes, size_t size); /* @bytes is borrowed */
void arena_reset(struct arena *arena);                             /* what it gave out is void */
