#pragma once

/* causes.h - what a task can do that has a cause, and what is expected then. */
#include "tests/integration/world.h"

#define NONE (-1)

struct stage {
    struct world *world;
    const char *backend;
    const char *why; /* a scene can't be played here */
};

struct scene {
    const char *task; /* what it does, for the table */
    /* The id of a task that will end, or NULL. */
    const char *(*play)(struct stage *stage);
    const char *status;
    const char *cause;  /* NULL: none */
    const char *method; /* NULL: no proof */
    int exit_code, signal;
    int oom_kills;        /* so many at least; 0: none */
    const char *parts[3]; /* of the sentence */
    bool memory;          /* it needs a limit of memory */
};

/* Of the base above the tasks' groups, in MiB; what a task takes is above it, or not. */
#define BASE_MIB "64"

/* The last but one restarts the agent, the last in another boot. Orphans must come to the caller.
 */
extern const struct scene scenes[];
extern const size_t scenes_len;
