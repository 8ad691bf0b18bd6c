#pragma once

/*
 * spawn.h - starts a program without copying the agent: clone3(CLONE_VM | CLONE_VFORK) on a stack
 * of its own, born in a cgroup. The cost does not grow with the agent's memory, and nanomsg's
 * threads are no concern, as the child does nothing but descriptors and exec.
 */
#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

struct spawn {
    int program_fd;    /* an executable, opened */
    char *const *argv; /* as execve(2), here and below */
    char *const *envp;
    const int *fds; /* becomes descriptors 3, 4, ...; -1: none there */
    size_t fds_len; /* at most 16 */
    int cgroup_fd;  /* -1: stay where the caller is */
};

/* Returns the child's pid once it has executed the program (in a session of its own, standard input
   and output at /dev/null); its exit signal is SIGCHLD. */
pid_t spawn_program(const struct spawn *spawn, struct err *err);
