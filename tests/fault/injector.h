#pragma once

/*
 * injector.h - makes one kernel call of a running program fail: a process beside the test traces it
 * (ptrace), counts the calls that may fail, and lets the N-th not happen but return an error.
 */
#include <stdbool.h>
#include <sys/types.h>

enum injector_role {
    INJECT_PROGRAM,    /* its main thread, and what it forks until that executes something */
    INJECT_SUPERVISOR, /* quell-supervisor, started by the program */
    INJECT_CHILD,      /* what a supervisor forks, until it executes the task's program */
};

struct injector {
    pid_t pid;
    struct injector_shared *shared;
};

struct injector_hit {
    bool hit;
    char call[24];
    int code;      /* negative errno: what it returned */
    char path[64]; /* what an open or the like was about, where that is in the first 63 bytes */
};

/* NULL, or why there can be none on this machine. */
const char *injector_hindrance(void);

/* Traces the running @program until injector_stop(), or until it has ended. */
void injector_start(struct injector *injector, pid_t program, enum injector_role role);
void injector_stop(struct injector *injector);

/* From now on calls are counted, and the @nth (from 1) fails. */
void injector_arm(const struct injector *injector, int nth);
/* From now on none fails. What was made to fail. */
struct injector_hit injector_disarm(const struct injector *injector);
