#pragma once

/*
 * cgroup_host.h - the host's control groups, seen from the agent: what there is, and the groups
 * that are made, found again and removed for tasks. Callers never ask which hierarchy the host
 * runs. Owns libcgroup (target cgroups_host): cgroup_init() runs once per process, before threads.
 *
 * Below the base there is one directory for each agent ("quell-" and 8 hex digits of its run
 * directory's path); in it a directory for each attempt and, but on v1, `supervisors` (never
 * killed) and `agent` where the agent has to move. Results as in task_cgroup.h. Nothing here waits.
 */
#include "cgroups/task_cgroup.h"

#include <stddef.h>

struct cgroup_host;

enum cgroup_limit { CGROUP_LIMIT_MEMORY, CGROUP_LIMIT_CPU, CGROUP_LIMIT_PIDS, CGROUP_LIMIT_COUNT };

struct cgroup_limits {     /* 0: no limit */
    uint64_t memory_bytes; /* swap included, where the host counts it */
    uint32_t cpu_milli;    /* thousandths of a CPU */
    uint32_t pids;
};

struct cgroup_host_options {
    const char *mode; /* NULL or "auto", "v2", "hybrid", "v1" */
    const char *base; /* NULL: quell-tasks.service's group where systemd has one, else this
                         process's own group; else a path below the hierarchy's root ("/foo") */
    const char *tag;  /* the agent's own directory: "quell-1a2b3c4d" */
};

/* Finds the hierarchies, makes the agent's directories, probes clone3(CLONE_INTO_CGROUP). With
   cgroups absent or read-only it fails with one sentence that names what was looked for and found.
   Linux older than 5.14: the same. */
int cgroup_host_open(const struct cgroup_host_options *options, struct cgroup_host **ret,
                     struct err *err);
/* Removes the agent's own directories if they are empty, then forgets. NULL is accepted. */
struct cgroup_host *cgroup_host_close(struct cgroup_host *host);

enum cgroup_mode cgroup_host_mode(const struct cgroup_host *host);
bool cgroup_host_can_limit(const struct cgroup_host *host, enum cgroup_limit limit);
const char *cgroup_limit_name(enum cgroup_limit limit); /* "memory", "cpus", "pids" */
/* Where groups are, for people: "/sys/fs/cgroup/unified/quell-1a2b3c4d". Borrowed. */
const char *cgroup_host_path(const struct cgroup_host *host);

/* The group where supervisors are born (for CLONE_INTO_CGROUP); -1 where that does not work: then
   the caller moves them with cgroup_host_move_supervisor(). On v1 they stay in the agent's groups,
   which nobody kills, and that call does nothing. Borrowed. */
int cgroup_host_supervisors_fd(const struct cgroup_host *host);
int cgroup_host_move_supervisor(struct cgroup_host *host, pid_t pid, struct err *err);

/* Makes a fresh group and sets its limits, verified by reading back. A limit that the host can't
   enforce: -EOPNOTSUPP with a sentence. A name already there: -EEXIST. On failure nothing is left.
   @name: no slash, 1..200 characters. @note is stored in the xattr user.quell where the kernel
   takes one. The caller owns the descriptors of @ret (they are O_CLOEXEC). */
int cgroup_host_create(struct cgroup_host *host, const char *name, const char *note,
                       const struct cgroup_limits *limits, struct task_cgroup_dirs *ret,
                       struct err *err);

/* Opens a group found after a restart. -ENOENT: no such group. */
int cgroup_host_adopt(struct cgroup_host *host, const char *name, struct task_cgroup_dirs *ret,
                      struct err *err);

/* Opens a group that somebody else made, by its @path as /proc/PID/cgroup shows it in the hierarchy
   of the tree; no part of it is empty or only dots. -ENOENT: no such group, or not the one with
   this @inode (0: any) any more. Refused with a sentence where a kill would reach this process or
   what is Quell's own, and where the kernel has none. Changes nothing. */
int cgroup_host_adopt_path(struct cgroup_host *host, const char *path, uint64_t inode,
                           struct task_cgroup_dirs *ret, struct err *err);

/* Removes the group and sub-groups that its task left, in all hierarchies. 0, also when it is gone
   already; TASK_CGROUP_BUSY when processes are inside. Never moves a process. */
int cgroup_host_remove(struct cgroup_host *host, const char *name, struct err *err);

/* Calls @each with the name of every attempt's group there is. */
int cgroup_host_each(struct cgroup_host *host, void (*each)(void *arg, const char *name), void *arg,
                     struct err *err);
void task_cgroup_dirs_close(struct task_cgroup_dirs *dirs); /* closes what is open */
