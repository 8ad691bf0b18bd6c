#include "supervisor/arena.h"

static void *arena_alloc(void *data, size_t size)
{
    struct arena *arena = data;
    const size_t rounded = (size + 15u) & ~(size_t) 15u;
    void *ret;

    if (rounded < size || rounded > arena->size - arena->used)
        return NULL;
    ret = arena->bytes + arena->used;
    arena->used += rounded;
    return ret;
}

static void arena_give_back(void *data, void *pointer)
{
    (void) data;
    (void) pointer;
}

// NOLINTNEXTLINE(readability-non-const-parameter): the bytes are handed out again
void arena_init(struct arena *arena, uint8_t *bytes, size_t size)
{
    *arena = (struct arena){
        .allocator = {.alloc = arena_alloc, .free = arena_give_back, .allocator_data = arena},
        .bytes = bytes,
        .size = size,
    };
}

void arena_reset(struct arena *arena)
{
    arena->used = 0;
}
