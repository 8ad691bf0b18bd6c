/*
 * host_v2.c - limits by the controllers of the unified hierarchy.
 *
 * A controller reaches a task's group when it is switched on in the base and in the agent's own
 * directory. That is not for a group with processes directly in it (the root of the tree excepted):
 * the kernel refuses memory and io there, and takes cpu and pids by making the group a threaded
 * domain, in whose sub-groups no process can be. So where the base is this process's own group and
 * nobody else is in it, the process moves to a leaf below; where others are, nothing is switched
 * on. No group outside the base is ever changed.
 */
#include "cgroups/cgfs.h"
#include "cgroups/group_walk.h"
#include "cgroups/host_backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUBTREE_CONTROL "cgroup.subtree_control"

enum { CONTROLLER_MEMORY, CONTROLLER_CPU, CONTROLLER_PIDS, CONTROLLER_IO, CONTROLLER_COUNT };

static const char *const controllers[CONTROLLER_COUNT] = {
    [CONTROLLER_MEMORY] = "memory",
    [CONTROLLER_CPU] = "cpu",
    [CONTROLLER_PIDS] = "pids",
    [CONTROLLER_IO] = "io", /* counted, not limited */
};

static const unsigned int needed[CGROUP_LIMIT_COUNT] = {
    [CGROUP_LIMIT_MEMORY] = 1U << CONTROLLER_MEMORY,
    [CGROUP_LIMIT_CPU] = 1U << CONTROLLER_CPU,
    [CGROUP_LIMIT_PIDS] = 1U << CONTROLLER_PIDS,
};

/* Which of ours are in the list @file of @fd, a bit for each. */
static unsigned int read_controllers(int fd, const char *file)
{
    char text[1024];
    char *rest = text;
    char *word;
    unsigned int bits = 0;

    if (cgfs_read(fd, file, text, sizeof(text)) < 0)
        return 0;
    while ((word = strsep(&rest, " \n"))) {
        for (unsigned int i = 0; i < CONTROLLER_COUNT; i++) {
            if (strcmp(word, controllers[i]) == 0)
                bits |= 1U << i;
        }
    }
    return bits;
}

/* One by one: of a list, the kernel refuses all when it refuses one. Returns what it took. */
static unsigned int switch_controllers(int fd, char sign, unsigned int bits)
{
    unsigned int done = 0;
    char text[16];

    for (unsigned int i = 0; i < CONTROLLER_COUNT; i++) {
        if (!(bits & 1U << i))
            continue;
        (void) snprintf(text, sizeof(text), "%c%s", sign, controllers[i]);
        if (cgfs_write(fd, SUBTREE_CONTROL, text) == 0)
            done |= 1U << i;
    }
    return done;
}

static bool is_root(int fd)
{
    return !cgfs_exists(fd, "cgroup.type");
}

static bool has_processes(int fd)
{
    char text[64];

    return cgfs_read(fd, "cgroup.procs", text, sizeof(text)) != 0;
}

static bool is_alone_in(int fd)
{
    char text[64]; /* more processes than fit here are not one */
    char *end;

    return cgfs_read(fd, "cgroup.procs", text, sizeof(text)) > 0 &&
           strtol(text, &end, 10) == getpid() && strcmp(end, "\n") == 0;
}

/* Leaves the base for the leaf, where the base holds this process alone. */
static void move_to_leaf(struct cgroup_host *host)
{
    const struct host_hierarchy *at = &host->at[CGROUP_SLOT_UNIFIED];
    int r;

    if (is_root(at->base_fd) || !is_alone_in(at->base_fd))
        return;
    r = cgfs_mkdir(at->tag_fd, HOST_AGENT_GROUP);
    if (r < 0 && r != -EEXIST)
        return;
    if (cgfs_write(at->tag_fd, HOST_AGENT_GROUP "/cgroup.procs", "0") == 0)
        host->moved = true;
    else
        (void) cgfs_rmdir(at->tag_fd, HOST_AGENT_GROUP);
}

static int v2_prepare(struct cgroup_host *host, struct err *err)
{
    const struct host_hierarchy *at = &host->at[CGROUP_SLOT_UNIFIED];
    unsigned int missing;
    unsigned int usable;

    (void) err;
    missing = read_controllers(at->base_fd, "cgroup.controllers") &
              ~read_controllers(at->base_fd, SUBTREE_CONTROL);
    if (missing) {
        move_to_leaf(host);
        if (is_root(at->base_fd) || !has_processes(at->base_fd))
            host->switched_on = switch_controllers(at->base_fd, '+', missing);
    }
    (void) switch_controllers(at->tag_fd, '+', read_controllers(at->tag_fd, "cgroup.controllers"));
    usable = read_controllers(at->tag_fd, SUBTREE_CONTROL);
    for (enum cgroup_limit limit = 0; limit < CGROUP_LIMIT_COUNT; limit++)
        host->can_limit[limit] = (usable & needed[limit]) == needed[limit];
    return 0;
}

static int is_other(void *arg, const char *name)
{
    const char *const *ours = arg;

    return strcmp(name, *ours) != 0;
}

static bool has_other_groups(int fd, const char *name)
{
    return group_walk_children(fd, is_other, (void *) &name, NULL) != 0;
}

/* Back to how the base was, unless tasks or other agents live there. */
static void v2_retire(struct cgroup_host *host)
{
    const struct host_hierarchy *at = &host->at[CGROUP_SLOT_UNIFIED];

    if (at->tag_fd < 0 || has_other_groups(at->tag_fd, HOST_AGENT_GROUP))
        return;
    (void) switch_controllers(at->tag_fd, '-', read_controllers(at->tag_fd, SUBTREE_CONTROL));
    if (!has_other_groups(at->base_fd, host->tag))
        (void) switch_controllers(at->base_fd, '-', host->switched_on);
    if (host->moved && cgfs_write(at->base_fd, "cgroup.procs", "0") < 0)
        return;
    host->moved = false;
    (void) cgfs_rmdir(at->tag_fd, HOST_AGENT_GROUP);
}

static int limit_memory(int fd, uint64_t bytes, struct err *err)
{
    char value[HOST_VALUE_SIZE];

    if (!bytes)
        return 0;
    /* No swap at all: so the sum of memory and swap stays below the limit, too. */
    if (cgfs_exists(fd, "memory.swap.max")) {
        int r = host_value_set(fd, "memory.swap.max", "0", err);

        if (r < 0)
            return r;
    }
    host_value_memory(bytes, value);
    return host_value_set(fd, "memory.max", value, err);
}

static int limit_cpu(int fd, uint32_t cpu_milli, struct err *err)
{
    char quota[HOST_VALUE_SIZE];
    char period[HOST_VALUE_SIZE];
    char value[HOST_VALUE_SIZE * 2];

    if (!cpu_milli)
        return 0;
    host_value_cpu(cpu_milli, quota, period);
    (void) snprintf(value, sizeof(value), "%s %s", quota, period);
    return host_value_set(fd, "cpu.max", value, err);
}

static int v2_limit(struct cgroup_host *host, const char *name, const struct cgroup_limits *limits,
                    struct task_cgroup_dirs *dirs, struct err *err)
{
    const int fd = dirs->fd[CGROUP_SLOT_UNIFIED];
    char value[HOST_VALUE_SIZE];
    int r;

    (void) host;
    (void) name;
    r = limit_memory(fd, limits->memory_bytes, err);
    if (r == 0)
        r = limit_cpu(fd, limits->cpu_milli, err);
    if (r < 0 || !limits->pids)
        return r;
    host_value_number(limits->pids, value);
    return host_value_set(fd, "pids.max", value, err);
}

const struct host_backend host_backend_v2 = {
    .tree = CGROUP_SLOT_UNIFIED,
    .prepare = v2_prepare,
    .retire = v2_retire,
    .limit = v2_limit,
    .is_busy = host_unified_is_busy,
};
