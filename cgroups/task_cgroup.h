#pragma once

/*
 * task_cgroup.h - one task's control group, seen from its supervisor: whatever hierarchy the host
 * runs, on descriptors of the group's own directories. Links libc alone (target cgroups_task).
 *
 * Nothing here waits for the processes inside, logs, or allocates after open().
 * Results: 0; a negative errno with the sentence in @err; or a positive outcome named below.
 * Sources: Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/{cgroups,freezer-subsystem}.rst.
 */
#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum cgroup_mode { CGROUP_MODE_V2, CGROUP_MODE_HYBRID, CGROUP_MODE_V1, CGROUP_MODE_COUNT };
const char *cgroup_mode_name(enum cgroup_mode mode); /* "v2", "hybrid", "v1" */
/* 0, or -EINVAL with @ret untouched. */
int cgroup_mode_parse(const char *text, enum cgroup_mode *ret);

enum cgroup_slot { /* the directories a group has; v2 has UNIFIED alone */
                   CGROUP_SLOT_UNIFIED,
                   CGROUP_SLOT_MEMORY,
                   CGROUP_SLOT_PIDS,
                   CGROUP_SLOT_CPU,
                   CGROUP_SLOT_FREEZER, /* v1: the tree */
                   CGROUP_SLOT_CPUACCT,
                   CGROUP_SLOT_BLKIO,
                   CGROUP_SLOT_COUNT,
};

#define TASK_CGROUP_PATH_SIZE 1024

/* A group as it is handed from agent to supervisor: plain descriptors, -1 where there is none. */
struct task_cgroup_dirs {
    enum cgroup_mode mode;
    bool clone_into; /* clone3(CLONE_INTO_CGROUP) works on this host (probed); else a slow write */
    char cgroup_path[TASK_CGROUP_PATH_SIZE]; /* as in /proc/PID/cgroup of a process inside */
    int fd[CGROUP_SLOT_COUNT];
};

struct task_cgroup_usage { /* -1: the host does not count it */
    int64_t cpu_us;
    int64_t memory_peak_bytes;
    int64_t memory_at_limit; /* 1 when memory was used up to the group's own limit, else 0 */
    int64_t oom_kills;       /* processes of the group, whosever limit it was */
    int64_t io_read_bytes;
    int64_t io_write_bytes;
};

enum task_cgroup_outcome {
    TASK_CGROUP_EMPTY = 1,
    TASK_CGROUP_BUSY = 2, /* remove: processes remain */
};

struct task_cgroup;

/* Takes over the descriptors of @dirs (also when it fails). */
int task_cgroup_open(const struct task_cgroup_dirs *dirs, struct task_cgroup **ret,
                     struct err *err);
struct task_cgroup *task_cgroup_free(struct task_cgroup *cg); /* forgets; touches no group */
DEFINE_CLEANUP(struct task_cgroup *, task_cgroup_free);

/* Makes a child that is in the group, in all its hierarchies, before @child runs: a copy of this
   process (as fork; not vfork) with SIGCHLD as its exit signal, default signal handlers and this
   thread's signal mask. Where the child could not enter one of the hierarchies, it learns that by
   @born_err (NULL when all is well), for the parent does not ask: it must then report that and
   _exit. Where the child is not born in the group (v1, or clone_into is false), this returns when
   it has entered. @child must not return, and calls only what is async-signal-safe.
   Returns its pid and, in @ret_pidfd, its descriptor (O_CLOEXEC; may be NULL). */
pid_t task_cgroup_spawn(struct task_cgroup *cg,
                        void (*child)(void *arg, const struct err *born_err), void *arg,
                        int *ret_pidfd, struct err *err);

/* Kills all that is inside and below, also what forks meanwhile. An empty group is no error. On v1,
   where the kernel has no such kill, this is a round (pids.max 0, freeze, SIGKILL, thaw), and from
   then on is_empty() kills whom the round has missed. It blocks while the kernel signals: never
   call it in an event loop that others share. -ELOOP on v1: in groups more than 63 levels deep
   nobody was reached. */
int task_cgroup_kill(struct task_cgroup *cg, struct err *err);

/* Asks the kernel to stop all that is inside and below, or to let it run on. A group that was
   removed is no error. */
int task_cgroup_freeze(struct task_cgroup *cg, bool frozen, struct err *err);

/* 0 while a process is inside or below; TASK_CGROUP_EMPTY when the kernel says that none is. A
   zombie does not count, nor on v1 the caller. A group that was removed is empty. On v1 -ELOOP:
   none is seen, but some groups are too deep to be looked into. */
int task_cgroup_is_empty(struct task_cgroup *cg, struct err *err);

/* A descriptor to poll with *@ret_events: readable when is_empty() should be asked again. The
   kernel may tell late (15 ms): ask also after a kill and whenever a child ends. On v1 it tells of
   nothing but the end of a process that the last is_empty() has found, and that one that has
   failed is to be repeated. Borrowed. */
int task_cgroup_event_fd(const struct task_cgroup *cg, short *ret_events);

/* Calls @each for every process in the group and below; stops when it returns false. A pid may come
   twice, and what forks or moves meanwhile may be missed. Sub-groups more than 63 levels deep are
   not looked into: all others are, and then the result is -ELOOP. */
int task_cgroup_each_process(struct task_cgroup *cg, bool (*each)(void *arg, pid_t pid), void *arg,
                             struct err *err);

/* Whether @pid is in the group or below it now (false when it is gone; a zombie that nobody has
   reaped may still be told as inside). */
bool task_cgroup_contains(struct task_cgroup *cg, pid_t pid);

void task_cgroup_read_usage(struct task_cgroup *cg, struct task_cgroup_usage *ret);

/* Inode of the group's directory (v1: in the freezer's hierarchy): its identity in this boot. */
uint64_t task_cgroup_inode(const struct task_cgroup *cg);
