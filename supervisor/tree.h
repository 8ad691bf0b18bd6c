#pragma once

/*
 * tree.h - the task's processes, seen by their subreaper: reaping, asking who is left, signalling
 * all. The supervisor is single-threaded, so its children are those of its one thread.
 */
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct task_cgroup;

struct tree {
    struct task_cgroup *group; /* borrowed */
    pid_t leader;              /* 0: not known */
    bool leader_is_child;      /* false for a successor: the leader has another parent */
    bool leader_ended;         /* its status is in wait_status if status_known; not reaped yet */
    bool status_known;
    int wait_status;       /* as waitpid(2) gives it */
    int children_fd;       /* /proc/self/task/TID/children */
    uint32_t signals_sent; /* processes that got SIGTERM */
    uint32_t escaped;      /* descendants found alive outside the group */
};

/* Becomes the subreaper of whatever is spawned from now on. */
int tree_init(struct tree *tree, struct task_cgroup *group, struct err *err);

/* Reaps every zombie child but the leader, whose status is only looked at (WNOWAIT). True when the
   leader has ended and no other child is left; a zombie that a tracer holds counts as gone. While
   the group is being killed, call it when the group is empty: reaping a thousand in one pass costs
   less. */
bool tree_reap(struct tree *tree);

/* SIGTERM, then SIGCONT, to every process of the group and every descendant outside it. */
void tree_terminate(struct tree *tree);

/* SIGKILL to the descendants that are our children outside the group; counts them. */
void tree_kill_escaped(struct tree *tree);

/* Processes in the group now. */
int64_t tree_count(struct tree *tree);

/* Field 22 of /proc/PID/stat: with the number, it names a process for ever. 0: there is none. */
uint64_t tree_start_ticks(pid_t pid);

/* The wait status of a zombie that has these start ticks; false when there is none, or it can't be
 * read. */
bool tree_zombie_status(pid_t pid, uint64_t start_ticks, int *ret);

/* Gives the leader's zombie back to the kernel: the last step, after the ending is recorded. */
void tree_reap_leader(struct tree *tree);
