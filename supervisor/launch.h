#pragma once

/*
 * launch.h - from a specification to a running program: what the child does between clone and exec.
 *
 * Nothing here is waited for: opening the user's files may hang (NFS), so the child, already in the
 * task's group, does it, and tells through a pipe when something fails. The pipe's end of file
 * means exec (or the child's death).
 */
#include "base/err.h"
#include "quell.pb-c.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct attempt;

struct launch {
    const Quell__Pb__Launch *order; /* borrowed until exec */
    const struct attempt *attempt;
    char **argv;
    char **envp;
    int report_fd;          /* the pipe's writing end */
    uint64_t start_time_us; /* wall, and below monotonic: when the child was made */
    uint64_t start_mono_us;
};

/* What the child writes when it fails: one message, shorter than PIPE_BUF. */
struct launch_failure {
    int code;        /* negative errno */
    bool ran_before; /* `started` was there: nothing was executed now */
    char text[512];
};

/* Prepares argv and the environment in memory that lives as long as the process. -E2BIG. */
int launch_prepare(struct launch *launch, const Quell__Pb__Launch *order,
                   const struct attempt *attempt, struct err *err);

/* The child's side, for task_cgroup_spawn(); @arg is the struct launch. Does not return. */
void launch_child(void *arg, const struct err *born_err) __attribute__((noreturn));
