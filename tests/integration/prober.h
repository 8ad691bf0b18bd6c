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
/* What the machine itself takes meanwhile, beside which the answers are judged: a process that
   starts a program, and makes and removes a file in @dir, a hundred times a second at most. */
void prober_start_floor(struct prober *p, const char *dir);
/* Ends it; the longest that either took. */
double prober_finish_floor(struct prober *p);

/* Ends it and prints "NAME: ...". False: an answer took longer; where the machine alone takes so
   long, for a CPU or for @floor_ms, only 99 in 100 are judged. The test ends when there was no
   answer. */
bool prober_finish(struct prober *p, const char *name, double floor_ms);
/* How often a scene is played at most until all answers are in time: one that others on the machine
   have disturbed tells nothing, and what is slow by itself is slow each time. */
#define PROBER_ROUNDS 3
