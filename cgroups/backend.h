#pragma once

/*
 * backend.h - what differs between hierarchies, on the supervisor's side. Private to cgroups/ and
 * its tests. The agent's side is host_backend.h.
 */
#include "cgroups/task_cgroup.h"

#include <stddef.h>

struct group_walk;

struct task_cgroup_backend {
    /* Opens what the others need, so that the kill path needs no new descriptor. */
    int (*open)(struct task_cgroup *cg, struct err *err);
    int (*kill)(struct task_cgroup *cg, struct err *err);
    int (*freeze)(struct task_cgroup *cg, bool frozen, struct err *err);
    int (*is_empty)(struct task_cgroup *cg, struct err *err);
    void (*read_usage)(struct task_cgroup *cg, struct task_cgroup_usage *ret);
    enum cgroup_slot walked; /* the hierarchy that tells which processes are inside */
};

extern const struct task_cgroup_backend task_cgroup_backend_v2;
extern const struct task_cgroup_backend task_cgroup_backend_hybrid;

struct task_cgroup {
    const struct task_cgroup_backend *backend;
    struct task_cgroup_dirs dirs; /* descriptors owned */
    int events_fd;                /* cgroup.events */
    int kill_fd;                  /* cgroup.kill */
    uint64_t inode;
    struct group_walk *walk; /* owned */
};

/* What v2 and hybrid have in common: the unified hierarchy. */
int unified_open(struct task_cgroup *cg, struct err *err);
int unified_kill(struct task_cgroup *cg, struct err *err);
int unified_freeze(struct task_cgroup *cg, bool frozen, struct err *err);
int unified_is_empty(struct task_cgroup *cg, struct err *err);

/* A flat keyed file ("oom_kill 3"): the value of @key, or -1. */
int64_t group_file_value(int dirfd, const char *file, const char *key);
/* A file of one number, or -1. */
int64_t group_file_number(int dirfd, const char *file);

/* clone3() as fork() does it, into the group @group_fd (-1: the parent's). 0 in the child; else the
   child's pid, or a negative errno. */
pid_t group_clone(int group_fd, int exit_signal, int *ret_pidfd);
