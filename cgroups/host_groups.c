/*
 * host_groups.c - the attempts' groups: made, found again, listed, removed.
 *
 * The directory in the tree's hierarchy is made first and removed last: it alone says that a group
 * is there.
 */
#include "cgroups/cgfs.h"
#include "cgroups/group_walk.h"
#include "cgroups/host_backend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_ours(const char *name)
{
    return strcmp(name, HOST_AGENT_GROUP) == 0 || strcmp(name, HOST_PROBE_GROUP) == 0 ||
           strcmp(name, HOST_SUPERVISORS_GROUP) == 0;
}

static int check_name(const char *name, struct err *err)
{
    if (name[0] == '\0' || name[0] == '.' || strlen(name) > HOST_NAME_MAX_LEN ||
        strchr(name, '/') || strchr(name, '\n') || is_ours(name))
        return err_set(err, -EINVAL, "\"%.200s\" can't be the name of a task's group", name);
    return 0;
}

static int check_limits(const struct cgroup_host *host, const struct cgroup_limits *limits,
                        struct err *err)
{
    const bool asked[CGROUP_LIMIT_COUNT] = {
        [CGROUP_LIMIT_MEMORY] = limits->memory_bytes != 0,
        [CGROUP_LIMIT_CPU] = limits->cpu_milli != 0,
        [CGROUP_LIMIT_PIDS] = limits->pids != 0,
    };

    for (enum cgroup_limit limit = 0; limit < CGROUP_LIMIT_COUNT; limit++) {
        if (asked[limit] && !host->can_limit[limit])
            return err_set(err, -EOPNOTSUPP,
                           "a limit of %s was asked for, and this host can't enforce one (cgroup "
                           "mode %s, below %s)",
                           cgroup_limit_name(limit), cgroup_mode_name(host->mode), host->path);
    }
    return 0;
}

static void dirs_init(const struct cgroup_host *host, const char *name,
                      struct task_cgroup_dirs *ret)
{
    ret->mode = host->mode;
    ret->clone_into = host->clone_into;
    (void) snprintf(ret->cgroup_path, sizeof(ret->cgroup_path), "%s/%.*s", host->cgroup_path,
                    HOST_NAME_MAX_LEN, name);
    for (enum cgroup_slot slot = 0; slot < CGROUP_SLOT_COUNT; slot++)
        ret->fd[slot] = -1;
}

void task_cgroup_dirs_close(struct task_cgroup_dirs *dirs)
{
    for (enum cgroup_slot slot = 0; slot < CGROUP_SLOT_COUNT; slot++) {
        cleanup_fd(&dirs->fd[slot]);
        dirs->fd[slot] = -1;
    }
}

static int open_tree(struct cgroup_host *host, const char *name, struct task_cgroup_dirs *dirs,
                     struct err *err)
{
    const enum cgroup_slot tree = host->backend->tree;
    int fd = cgfs_open_dir(host->at[tree].tag_fd, name);

    if (fd < 0)
        return err_errno(err, fd, "open group %s/%s", host->path, name);
    dirs->fd[tree] = fd;
    return 0;
}

int cgroup_host_create(struct cgroup_host *host, const char *name, const char *note,
                       const struct cgroup_limits *limits, struct task_cgroup_dirs *ret,
                       struct err *err)
{
    const enum cgroup_slot tree = host->backend->tree;
    struct task_cgroup_dirs dirs;
    int r = check_name(name, err);

    if (r == 0)
        r = check_limits(host, limits, err);
    if (r == 0) {
        r = cgfs_mkdir(host->at[tree].tag_fd, name);
        if (r < 0)
            (void) err_errno(err, r, "make group %s/%s", host->path, name);
    }
    if (r < 0)
        return r;

    dirs_init(host, name, &dirs);
    r = open_tree(host, name, &dirs, err);
    if (r < 0)
        goto undo;
    if (note) /* for people: an old kernel takes none */
        (void) cgfs_set_note(dirs.fd[tree], note);
    r = host->backend->limit(host, name, limits, &dirs, err);
    if (r < 0)
        goto undo;
    *ret = dirs;
    return 0;

undo:
    task_cgroup_dirs_close(&dirs);
    (void) cgroup_host_remove(host, name, NULL);
    return r;
}

int cgroup_host_adopt(struct cgroup_host *host, const char *name, struct task_cgroup_dirs *ret,
                      struct err *err)
{
    struct task_cgroup_dirs dirs;
    int r = check_name(name, err);

    if (r < 0)
        return r;
    dirs_init(host, name, &dirs);
    r = open_tree(host, name, &dirs, err);
    for (enum cgroup_slot slot = CGROUP_SLOT_MEMORY; r == 0 && slot < CGROUP_SLOT_COUNT; slot++) {
        if (host->at[slot].tag_fd < 0 || slot == host->backend->tree)
            continue;
        dirs.fd[slot] = cgfs_open_dir(host->at[slot].tag_fd, name);
        if (dirs.fd[slot] < 0 && dirs.fd[slot] != -ENOENT)
            r = err_errno(err, dirs.fd[slot], "open group %s of v1 slot %d", name, (int) slot);
    }
    if (r < 0) {
        task_cgroup_dirs_close(&dirs);
        return r;
    }
    for (enum cgroup_slot slot = 0; slot < CGROUP_SLOT_COUNT; slot++)
        dirs.fd[slot] = dirs.fd[slot] < 0 ? -1 : dirs.fd[slot];
    *ret = dirs;
    return 0;
}

static int remove_subgroup(void *arg, int parent_fd, const char *name, struct err *err)
{
    int r = cgfs_rmdir(parent_fd, name);

    (void) arg;
    if (r == -EBUSY)
        return TASK_CGROUP_BUSY;
    return r < 0 && r != -ENOENT ? err_errno(err, r, "remove group %s", name) : 0;
}

/* Removes what a task made below its group. 0, TASK_CGROUP_BUSY or what failed. */
static int remove_subgroups(struct cgroup_host *host, int tag_fd, const char *name, struct err *err)
{
    static const struct group_walk_visitor visitor = {.leave = remove_subgroup};
    CLEANUP_FD int fd = cgfs_open_dir(tag_fd, name);
    int r;

    if (fd == -ENOENT)
        return 0;
    if (fd < 0)
        return err_errno(err, fd, "open group %s/%s to remove it", host->path, name);
    r = group_walk_run(host->walk, fd, &visitor, NULL, err);
    /* Deeper ones are left below: the group itself will say so. */
    return r == -ELOOP ? 0 : r;
}

int host_unified_is_busy(struct cgroup_host *host, const char *name, struct err *err)
{
    char path[HOST_NAME_MAX_LEN + 32];
    char text[256];
    ssize_t len;

    (void) snprintf(path, sizeof(path), "%s/cgroup.events", name);
    len = cgfs_read(host->at[CGROUP_SLOT_UNIFIED].tag_fd, path, text, sizeof(text));
    if (len < 0 && len != -ENOENT && len != -ENODEV)
        return err_errno(err, (int) len, "read %s/%s", host->path, path);
    return len > 0 && strstr(text, "populated 1") ? TASK_CGROUP_BUSY : 0;
}

static int remove_from(struct cgroup_host *host, enum cgroup_slot slot, const char *name,
                       struct err *err)
{
    const int tag_fd = host->at[slot].tag_fd;
    int r = cgfs_rmdir(tag_fd, name);

    if (r == -EBUSY) {
        /* Nothing that a living task made may be taken from it. */
        r = host->backend->is_busy(host, name, err);
        if (r == 0)
            r = remove_subgroups(host, tag_fd, name, err);
        if (r != 0)
            return r;
        r = cgfs_rmdir(tag_fd, name);
    }
    if (r == -EBUSY)
        return TASK_CGROUP_BUSY;
    if (r < 0 && r != -ENOENT)
        return err_errno(err, r, "remove group %s from the hierarchy at %s", name,
                         host->at[slot].place.mount);
    return 0;
}

int cgroup_host_remove(struct cgroup_host *host, const char *name, struct err *err)
{
    int r = check_name(name, err);

    for (enum cgroup_slot slot = 0; r == 0 && slot < CGROUP_SLOT_COUNT; slot++) {
        if (host->at[slot].tag_fd >= 0 && slot != host->backend->tree)
            r = remove_from(host, slot, name, err);
    }
    return r == 0 ? remove_from(host, host->backend->tree, name, err) : r;
}

struct naming {
    void (*each)(void *arg, const char *name);
    void *arg;
};

static int name_group(void *arg, const char *name)
{
    const struct naming *naming = arg;

    if (!is_ours(name))
        naming->each(naming->arg, name);
    return 0;
}

int cgroup_host_each(struct cgroup_host *host, void (*each)(void *arg, const char *name), void *arg,
                     struct err *err)
{
    struct naming naming = {each, arg};

    return group_walk_children(host->at[host->backend->tree].tag_fd, name_group, &naming, err);
}
