#pragma once

/*
 * backend.h - what differs between hierarchies, on the supervisor's side. Private to cgroups/ and
 * its tests. The agent's side is host_backend.h.
 */
#include "cgroups/task_cgroup.h"

#include <stddef.h>

struct group_walk;
struct v1_group;

struct task_cgroup_backend {
    /* Opens what the others need. */
    int (*open)(struct task_cgroup *cg, struct err *err);
    void (*close)(struct task_cgroup *cg); /* may be NULL */
    int (*kill)(struct task_cgroup *cg, struct err *err);
    int (*freeze)(struct task_cgroup *cg, bool frozen, struct err *err);
    int (*is_empty)(struct task_cgroup *cg, struct err *err);
    void (*read_usage)(struct task_cgroup *cg, struct task_cgroup_usage *ret);
    enum cgroup_slot walked; /* the hierarchy that tells which processes are inside */
    const char *controller;  /* of that hierarchy in /proc/PID/cgroup: "" for the unified one */
    bool by_thread;          /* a process may be inside with some of its threads only */
    short events;            /* what to poll events_fd for */
};

extern const struct task_cgroup_backend task_cgroup_backend_v2;
extern const struct task_cgroup_backend task_cgroup_backend_hybrid;
extern const struct task_cgroup_backend task_cgroup_backend_v1;

struct task_cgroup {
    const struct task_cgroup_backend *backend;
    struct task_cgroup_dirs dirs; /* descriptors owned */
    int events_fd;                /* cgroup.events; v1: an epoll descriptor */
    int kill_fd;                  /* cgroup.kill; v1: none */
    uint64_t inode;
    struct group_walk *walk; /* owned */
    struct v1_group *v1;     /* owned; NULL elsewhere */
};

/* What v2 and hybrid have in common: the unified hierarchy. */
int unified_open(struct task_cgroup *cg, struct err *err);
int unified_kill(struct task_cgroup *cg, struct err *err);
int unified_freeze(struct task_cgroup *cg, bool frozen, struct err *err);
int unified_is_empty(struct task_cgroup *cg, struct err *err);

/* What v1's memory controller counts, for hybrid and v1. */
void v1_read_memory(int dirfd, struct task_cgroup_usage *ret);

/* A flat keyed file ("oom_kill 3"): the value of @key, or -1. */
int64_t group_file_value(int dirfd, const char *file, const char *key);
/* A file of one number, or -1. */
int64_t group_file_number(int dirfd, const char *file);

/* A result of cgfs that says that the group was removed. */
bool group_is_gone(ssize_t code);

/* The processes of this one group, as task_cgroup_each_process() tells them. 1: @each has seen
   enough. */
int group_list_processes(int dirfd, bool (*each)(void *arg, pid_t pid), void *arg, struct err *err);
void group_kill_process(pid_t pid); /* SIGKILL; @pid was listed a moment ago */

/* clone3() as fork() does it, into the group @group_fd (-1: the parent's). 0 in the child; else the
   child's pid, or a negative errno. */
pid_t group_clone(int group_fd, int exit_signal, int *ret_pidfd);
