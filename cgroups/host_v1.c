/*
 * host_v1.c - the tree in the freezer's hierarchy, and a directory in each of the others that there
 * are: pids stops the forks of what is killed, the rest counts.
 */
#include "cgroups/backend.h"
#include "cgroups/cgfs.h"
#include "cgroups/group_walk.h"
#include "cgroups/host_backend.h"

#include <errno.h>
#include <unistd.h>

#define COUNTED                                                                                    \
    (1U << CGROUP_SLOT_MEMORY | 1U << CGROUP_SLOT_PIDS | 1U << CGROUP_SLOT_CPU |                   \
     1U << CGROUP_SLOT_CPUACCT | 1U << CGROUP_SLOT_BLKIO)

static int v1_prepare(struct cgroup_host *host, struct err *err)
{
    (void) err;
    host_controllers_find(host);
    return 0;
}

static int v1_limit(struct cgroup_host *host, const char *name, const struct cgroup_limits *limits,
                    struct task_cgroup_dirs *dirs, struct err *err)
{
    return host_controllers_make(host, name, limits, COUNTED, dirs, err);
}

static bool found_one(void *arg, pid_t pid)
{
    (void) arg;
    (void) pid;
    return false;
}

static int look_for_one(void *arg, int fd, struct err *err)
{
    (void) arg;
    return group_list_processes(fd, found_one, NULL, err);
}

/* v1 tells of no group whether there is somebody inside or below. */
static int v1_is_busy(struct cgroup_host *host, const char *name, struct err *err)
{
    static const struct group_walk_visitor visitor = {.enter = look_for_one};
    CLEANUP_FD int fd = cgfs_open_dir(host->at[CGROUP_SLOT_FREEZER].tag_fd, name);
    int r;

    if (group_is_gone(fd))
        return 0;
    if (fd < 0)
        return err_errno(err, fd, "open group %s/%s", host->path, name);
    r = group_walk_run(host->walk, fd, &visitor, NULL, err);
    return r == 1 || r == -ELOOP ? TASK_CGROUP_BUSY : r;
}

const struct host_backend host_backend_v1 = {
    .tree = CGROUP_SLOT_FREEZER,
    .prepare = v1_prepare,
    .limit = v1_limit,
    .is_busy = v1_is_busy,
};
