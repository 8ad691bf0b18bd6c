/*
 * host_hybrid.c - limits by the v1 controllers, which libcgroup serves.
 */
#include "cgroups/cgfs.h"
#include "cgroups/host_backend.h"
#include "cgroups/host_libcgroup.h"

#include <errno.h>
#include <stdio.h>

#define VALUES_MAX 2

struct v1_part { /* what a group gets in one v1 hierarchy */
    enum cgroup_slot slot;
    const char *controller;
    size_t len;
    struct host_libcgroup_value values[VALUES_MAX];
};

static int hybrid_prepare(struct cgroup_host *host, struct err *err)
{
    static const struct {
        enum cgroup_slot slot;
        const char *file;
    } needs[CGROUP_LIMIT_COUNT] = {
        [CGROUP_LIMIT_MEMORY] = {CGROUP_SLOT_MEMORY, "memory.limit_in_bytes"},
        [CGROUP_LIMIT_CPU] = {CGROUP_SLOT_CPU, "cpu.cfs_quota_us"},
        [CGROUP_LIMIT_PIDS] = {CGROUP_SLOT_PIDS, "pids.max"},
    };

    (void) err;
    for (enum cgroup_limit limit = 0; limit < CGROUP_LIMIT_COUNT; limit++) {
        const int fd = host->at[needs[limit].slot].tag_fd;

        host->can_limit[limit] = fd >= 0 && cgfs_exists(fd, needs[limit].file);
    }
    return 0;
}

static int make_part(struct cgroup_host *host, const char *name, const struct v1_part *part,
                     struct task_cgroup_dirs *dirs, struct err *err)
{
    const struct host_hierarchy *at = &host->at[part->slot];
    char path[TASK_CGROUP_PATH_SIZE * 2];
    int r;

    /* libcgroup takes a directory that is there already for its own. */
    if (cgfs_exists(at->tag_fd, name))
        return err_set(err, -EEXIST, "group %s exists already in the hierarchy of %s", name,
                       part->controller);
    (void) snprintf(path, sizeof(path), "%s%s%s/%s", at->base, at->base[0] ? "/" : "", host->tag,
                    name);
    r = host_libcgroup_create(part->controller, path, part->values, part->len, err);
    if (r < 0)
        return r;
    dirs->fd[part->slot] = cgfs_open_dir(at->tag_fd, name);
    if (dirs->fd[part->slot] < 0)
        return err_errno(err, dirs->fd[part->slot], "open group %s in the hierarchy of %s", name,
                         part->controller);
    for (size_t i = 0; i < part->len && r == 0; i++)
        r = host_value_verify(dirs->fd[part->slot], part->values[i].file, part->values[i].text,
                              err);
    return r;
}

/* Made in any case: its counters are read at the end. */
static int limit_memory(struct cgroup_host *host, const char *name, uint64_t bytes,
                        struct task_cgroup_dirs *dirs, struct err *err)
{
    struct v1_part part = {.slot = CGROUP_SLOT_MEMORY, .controller = "memory"};
    char value[HOST_VALUE_SIZE];

    if (host->at[part.slot].tag_fd < 0)
        return 0;
    host_value_memory(bytes, value);
    /* The limit of memory and swap can't be below that of memory: memory first. */
    if (bytes)
        part.values[part.len++] = (struct host_libcgroup_value){"memory.limit_in_bytes", value};
    if (bytes && cgfs_exists(host->at[part.slot].tag_fd, "memory.memsw.limit_in_bytes"))
        part.values[part.len++] =
            (struct host_libcgroup_value){"memory.memsw.limit_in_bytes", value};
    return make_part(host, name, &part, dirs, err);
}

static int limit_pids(struct cgroup_host *host, const char *name, uint32_t pids,
                      struct task_cgroup_dirs *dirs, struct err *err)
{
    struct v1_part part = {.slot = CGROUP_SLOT_PIDS, .controller = "pids"};
    char value[HOST_VALUE_SIZE];

    if (!pids)
        return 0;
    host_value_number(pids, value);
    part.values[part.len++] = (struct host_libcgroup_value){"pids.max", value};
    return make_part(host, name, &part, dirs, err);
}

static int limit_cpu(struct cgroup_host *host, const char *name, uint32_t cpu_milli,
                     struct task_cgroup_dirs *dirs, struct err *err)
{
    struct v1_part part = {.slot = CGROUP_SLOT_CPU, .controller = "cpu"};
    char quota[HOST_VALUE_SIZE];
    char period[HOST_VALUE_SIZE];

    if (!cpu_milli)
        return 0;
    host_value_cpu(cpu_milli, quota, period);
    part.values[part.len++] = (struct host_libcgroup_value){"cpu.cfs_period_us", period};
    part.values[part.len++] = (struct host_libcgroup_value){"cpu.cfs_quota_us", quota};
    return make_part(host, name, &part, dirs, err);
}

static int hybrid_limit(struct cgroup_host *host, const char *name,
                        const struct cgroup_limits *limits, struct task_cgroup_dirs *dirs,
                        struct err *err)
{
    int r = limit_memory(host, name, limits->memory_bytes, dirs, err);

    if (r == 0)
        r = limit_pids(host, name, limits->pids, dirs, err);
    if (r == 0)
        r = limit_cpu(host, name, limits->cpu_milli, dirs, err);
    return r;
}

const struct host_backend host_backend_hybrid = {
    .prepare = hybrid_prepare,
    .limit = hybrid_limit,
};
