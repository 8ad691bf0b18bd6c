#pragma once

/* arena.h - memory for one answer, given back all at once. */
#include <stdbool.h>
#include <stddef.h>

struct arena_chunk;

struct arena { /* all zero is an empty one */
    struct arena_chunk *chunks;
    size_t used;  /* of the newest chunk */
    size_t bytes; /* handed out in all */
    bool failed;  /* some allocation has failed: what was made is not whole */
};

/* Zeroed, aligned for any type. NULL: no memory. */
void *arena_alloc(struct arena *arena, size_t size);
/* A copy with a NUL behind it. */
char *arena_copy(struct arena *arena, const void *bytes, size_t len);
void arena_done(struct arena *arena); /* empty again */
