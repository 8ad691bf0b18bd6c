#pragma once

/*
 * prober.h - a process beside the test that asks a socket one question after the other, and notes
 * how long each answer takes.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What an answer may take, but for the time that asker and server wait for a CPU: the machine may
   have other things to do. Sanitizers slow everything down. */
#define PROBER_LIMIT_MS (QUELL_TEST_SANITIZED ? 500.0 : 50.0)

struct prober {
    pid_t pid;
    struct prober_notes *notes; /* shared with it */
};

/* @paths end with NULL; they are asked for in turn. */
void prober_start(struct prober *p, const char *socket_path, const char *const *paths);
/* Ends it and prints "NAME: ...". False: an answer took longer; on a machine where a CPU is not to
   be had for so long, only 99 in 100 are judged. The test ends when there was no answer. */
bool prober_finish(struct prober *p, const char *name);
/* How often a scene is played at most until all answers are in time: one that others on the machine
   have disturbed tells nothing, and what is slow by itself is slow each time. */
#define PROBER_ROUNDS 3
