/*
 * host_handed_over.c - a group that somebody else made: opened by its path, and refused where a
 * kill in it would reach Quell itself.
 *
 * In the hierarchy of the tree alone: whether a group of the same path in another hierarchy belongs
 * to it, nobody can tell.
 */
#include "cgroups/cgfs.h"
#include "cgroups/host_backend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Whether @path is @group, or below it. */
static bool is_within(const char *path, const char *group)
{
    const size_t len = strcmp(group, "/") == 0 ? 0 : strlen(group);

    return strncmp(path, group, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static int check_place(const struct cgroup_host *host, const struct host_place *place,
                       const char *path, struct err *err)
{
    if (strlen(path) >= TASK_CGROUP_PATH_SIZE)
        return err_set(err, -ENAMETOOLONG, "the path of group %.200s... is too long for this node",
                       path);
    if (is_within(path, host->cgroup_path))
        return err_set(err, -EPERM, "group %s is one of Quell's own", path);
    if (is_within(place->own, path))
        return err_set(err, -EPERM, "the agent itself is in group %s: a kill would reach it", path);
    if (is_within(host->cgroup_path, path))
        return err_set(err, -EPERM,
                       "Quell's own groups are below group %s: a kill would reach them", path);
    if (!is_within(path, place->root))
        return err_set(err, -ENOENT, "group %s is outside of what is mounted at %s", path,
                       place->mount);
    return 0;
}

/* The kernel has no kill for the root and for a threaded group. */
static int check_kill(int fd, const char *path, struct err *err)
{
    char type[64];
    ssize_t len;

    if (!cgfs_exists(fd, "cgroup.kill"))
        return err_set(err, -EOPNOTSUPP, "group %s has no cgroup.kill", path);
    len = cgfs_read(fd, "cgroup.type", type, sizeof(type));
    if (len < 0)
        return err_errno(err, (int) len, "read cgroup.type of group %s", path);
    if (strncmp(type, "threaded", strlen("threaded")) == 0)
        return err_set(err, -EOPNOTSUPP,
                       "group %s is threaded: the kernel ends only whole groups of processes",
                       path);
    return 0;
}

static int check_inode(int fd, const char *path, uint64_t inode, struct err *err)
{
    struct stat st;

    if (inode == 0)
        return 0;
    if (fstat(fd, &st) < 0)
        return err_errno(err, -errno, "stat group %s", path);
    return st.st_ino == inode ? 0 : err_set(err, -ENOENT, "group %s is another one by now", path);
}

int cgroup_host_adopt_path(struct cgroup_host *host, const char *path, uint64_t inode,
                           struct task_cgroup_dirs *ret, struct err *err)
{
    const enum cgroup_slot tree = host->backend->tree;
    const struct host_hierarchy *at = &host->at[tree];
    const char *root = strcmp(at->place.root, "/") == 0 ? "" : at->place.root;
    CLEANUP_FD int fd = -1;
    int r = check_place(host, &at->place, path, err);

    if (r < 0)
        return r;
    fd = cgfs_open_dir(at->mount_fd, path + strlen(root) + 1);
    if (fd == -ENOENT)
        return err_set(err, fd, "there is no group %s", path);
    if (fd < 0)
        return err_errno(err, fd, "open group %s", path);
    r = check_inode(fd, path, inode, err);
    if (r == 0 && tree == CGROUP_SLOT_UNIFIED)
        r = check_kill(fd, path, err);
    if (r < 0)
        return r;
    ret->mode = host->mode;
    ret->clone_into = false; /* nothing is started in it */
    (void) snprintf(ret->cgroup_path, sizeof(ret->cgroup_path), "%s", path);
    for (enum cgroup_slot slot = 0; slot < CGROUP_SLOT_COUNT; slot++)
        ret->fd[slot] = slot == tree ? TAKE_FD(fd) : -1;
    return 0;
}
