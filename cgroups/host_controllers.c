/*
 * host_controllers.c - limits and counters by the v1 controllers, which libcgroup serves: for
 * hybrid and v1 hosts.
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

void host_controllers_find(struct cgroup_host *host)
{
    static const struct {
        enum cgroup_slot slot;
        const char *file;
    } needs[CGROUP_LIMIT_COUNT] = {
        [CGROUP_LIMIT_MEMORY] = {CGROUP_SLOT_MEMORY, "memory.limit_in_bytes"},
        [CGROUP_LIMIT_CPU] = {CGROUP_SLOT_CPU, "cpu.cfs_quota_us"},
        [CGROUP_LIMIT_PIDS] = {CGROUP_SLOT_PIDS, "pids.max"},
    };

    for (enum cgroup_limit limit = 0; limit < CGROUP_LIMIT_COUNT; limit++) {
        const int fd = host->at[needs[limit].slot].tag_fd;

        host->can_limit[limit] = fd >= 0 && cgfs_exists(fd, needs[limit].file);
    }
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

static void memory_values(const struct cgroup_host *host, uint64_t bytes, char value[],
                          struct v1_part *part)
{
    host_value_memory(bytes, value);
    /* The limit of memory and swap can't be below that of memory: memory first. */
    part->values[part->len++] = (struct host_libcgroup_value){"memory.limit_in_bytes", value};
    if (cgfs_exists(host->at[part->slot].tag_fd, "memory.memsw.limit_in_bytes"))
        part->values[part->len++] =
            (struct host_libcgroup_value){"memory.memsw.limit_in_bytes", value};
}

int host_controllers_make(struct cgroup_host *host, const char *name,
                          const struct cgroup_limits *limits, unsigned int always,
                          struct task_cgroup_dirs *dirs, struct err *err)
{
    char memory[HOST_VALUE_SIZE], pids[HOST_VALUE_SIZE];
    char quota[HOST_VALUE_SIZE], period[HOST_VALUE_SIZE];
    struct v1_part parts[] = {
        {.slot = CGROUP_SLOT_MEMORY, .controller = "memory"},
        {.slot = CGROUP_SLOT_PIDS, .controller = "pids"},
        {.slot = CGROUP_SLOT_CPU, .controller = "cpu"},
        {.slot = CGROUP_SLOT_CPUACCT, .controller = "cpuacct"},
        {.slot = CGROUP_SLOT_BLKIO, .controller = "blkio"},
    };
    int r = 0;

    if (limits->memory_bytes)
        memory_values(host, limits->memory_bytes, memory, &parts[0]);
    if (limits->pids) {
        host_value_number(limits->pids, pids);
        parts[1].values[parts[1].len++] = (struct host_libcgroup_value){"pids.max", pids};
    }
    if (limits->cpu_milli) {
        host_value_cpu(limits->cpu_milli, quota, period);
        parts[2].values[parts[2].len++] =
            (struct host_libcgroup_value){"cpu.cfs_period_us", period};
        parts[2].values[parts[2].len++] = (struct host_libcgroup_value){"cpu.cfs_quota_us", quota};
    }
    for (size_t i = 0; r == 0 && i < sizeof(parts) / sizeof(parts[0]); i++) {
        const bool wanted = parts[i].len || (always & 1U << parts[i].slot);

        if (wanted && host->at[parts[i].slot].tag_fd >= 0)
            r = make_part(host, name, &parts[i], dirs, err);
    }
    return r;
}
