#include "libquell/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_CHUNK 8192u

struct arena_chunk {
    struct arena_chunk *next;
    size_t size;
    alignas(max_align_t) unsigned char bytes[];
};

static int arena_grow(struct arena *arena, size_t size)
{
    size_t room = size > ARENA_CHUNK ? size : ARENA_CHUNK;
    struct arena_chunk *chunk = calloc(1, sizeof(*chunk) + room);

    if (!chunk) {
        arena->failed = true;
        return -1;
    }
    chunk->size = room;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->used = 0;
    return 0;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t aligned = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    void *ret;

    if ((!arena->chunks || arena->chunks->size - arena->used < aligned) &&
        arena_grow(arena, aligned) < 0)
        return NULL;
    ret = arena->chunks->bytes + arena->used;
    arena->used += aligned;
    arena->bytes += aligned;
    return ret;
}

char *arena_copy(struct arena *arena, const void *bytes, size_t len)
{
    char *copy = arena_alloc(arena, len + 1);

    if (copy && len > 0)
        memcpy(copy, bytes, len);
    return copy;
}

void arena_done(struct arena *arena)
{
    while (arena->chunks) {
        struct arena_chunk *next = arena->chunks->next;

        free(arena->chunks);
        arena->chunks = next;
    }
    *arena = (struct arena){0};
}
