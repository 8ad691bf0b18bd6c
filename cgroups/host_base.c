/*
 * host_base.c - the base, where Quell's groups live, and the agent's own directory below it, in one
 * hierarchy.
 */
#include "cgroups/cgfs.h"
#include "cgroups/host_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

int host_base_check(const struct cgroup_host_options *options, struct err *err)
{
    const char *base = options->base;
    const char *tag = options->tag;

    if (!tag || !*tag || strlen(tag) >= sizeof(((struct cgroup_host *) NULL)->tag) ||
        strchr(tag, '/') || strcmp(tag, ".") == 0 || strcmp(tag, "..") == 0)
        return err_set(err, -EINVAL, "\"%s\" can't be the name of the agent's cgroup",
                       tag ? tag : "");
    if (!base)
        return 0;
    if (base[0] != '/' || strlen(base) >= TASK_CGROUP_PATH_SIZE || strstr(base, "//"))
        return err_set(err, -EINVAL, "cgroup base \"%.200s\" is not a path like /name", base);
    for (const char *at = base; (at = strstr(at, "/.")); at += 2) {
        if (at[2 + strspn(at + 2, ".")] == '/' || at[2 + strspn(at + 2, ".")] == '\0')
            return err_set(err, -EINVAL, "cgroup base \"%.200s\" has a part that is only dots",
                           base);
    }
    return 0;
}

/* Opens the base, making what is missing of it. */
static int open_base(struct host_hierarchy *at)
{
    const size_t len = strlen(at->base);
    char path[TASK_CGROUP_PATH_SIZE] = ".";

    for (size_t end = 0; end < len; end++) {
        int r;

        end += strcspn(at->base + end, "/");
        memcpy(path, at->base, end);
        path[end] = '\0';
        r = cgfs_exists(at->mount_fd, path) ? -EEXIST : cgfs_mkdir(at->mount_fd, path);
        if (r < 0 && r != -EEXIST)
            return r;
        if (r == -EEXIST)
            at->base_had = end;
    }
    at->base_fd = cgfs_open_dir(at->mount_fd, path);
    return at->base_fd < 0 ? at->base_fd : 0;
}

/* For sentences; cut where it is too long for them. */
static void name_tag(const struct cgroup_host *host, const struct host_hierarchy *at,
                     char ret[TASK_CGROUP_PATH_SIZE])
{
    (void) snprintf(ret, TASK_CGROUP_PATH_SIZE, "%.300s/%.300s%s%s", at->place.mount, at->base,
                    at->base[0] ? "/" : "", host->tag);
}

int host_base_open(struct cgroup_host *host, enum cgroup_slot slot, const char *base,
                   struct err *err)
{
    struct host_hierarchy *at = &host->at[slot];
    char path[TASK_CGROUP_PATH_SIZE];
    int r;

    (void) snprintf(at->base, sizeof(at->base), "%s", base + strspn(base, "/"));
    while (at->base[0] && at->base[strlen(at->base) - 1] == '/')
        at->base[strlen(at->base) - 1] = '\0';

    name_tag(host, at, path);
    at->mount_fd = cgfs_open_dir(AT_FDCWD, at->place.mount);
    if (at->mount_fd < 0)
        return err_errno(err, at->mount_fd, "open %s", at->place.mount);
    r = open_base(at);
    if (r < 0)
        return err_errno(err, r, "looked for a cgroup to work in and could not open or make %s/%s",
                         at->place.mount, at->base);
    r = cgfs_mkdir(at->base_fd, host->tag);
    if (r < 0 && r != -EEXIST)
        return err_errno(err, r, "looked for cgroups that can be written and could not make %s",
                         path);
    at->tag_fd = cgfs_open_dir(at->base_fd, host->tag);
    if (at->tag_fd < 0)
        return err_errno(err, at->tag_fd, "open group %s", path);
    return 0;
}

void host_base_close(struct cgroup_host *host, enum cgroup_slot slot)
{
    struct host_hierarchy *at = &host->at[slot];

    if (at->base_fd >= 0)
        (void) cgfs_rmdir(at->base_fd, host->tag);
    while (at->mount_fd >= 0 && strlen(at->base) > at->base_had) {
        char *slash = strrchr(at->base, '/');

        (void) cgfs_rmdir(at->mount_fd, at->base);
        *(slash ? slash : at->base) = '\0';
    }
    cleanup_fd(&at->tag_fd);
    cleanup_fd(&at->base_fd);
    cleanup_fd(&at->mount_fd);
    at->tag_fd = at->base_fd = at->mount_fd = -1;
}
