/*
 * backend_unified.c - the unified hierarchy, which v2 and hybrid share: kill, freeze, empty. And
 * how counters are read.
 */
#include "cgroups/backend.h"
#include "cgroups/cgfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool group_is_gone(ssize_t code)
{
    return code == -ENOENT || code == -ENODEV;
}

int unified_open(struct task_cgroup *cg, struct err *err)
{
    const int dir = cg->dirs.fd[CGROUP_SLOT_UNIFIED];

    cg->events_fd = cgfs_open_file(dir, "cgroup.events", O_RDONLY);
    if (cg->events_fd < 0)
        return err_errno(err, cg->events_fd, "open cgroup.events of %s", cg->dirs.cgroup_path);
    cg->kill_fd = cgfs_open_file(dir, "cgroup.kill", O_WRONLY);
    if (cg->kill_fd < 0)
        return err_errno(err, cg->kill_fd, "open cgroup.kill of %s", cg->dirs.cgroup_path);
    return 0;
}

static int write_kill(struct task_cgroup *cg, struct err *err)
{
    int r = cgfs_write_open(cg->kill_fd, "1");

    if (r < 0 && !group_is_gone(r))
        return err_errno(err, r, "write cgroup.kill of %s", cg->dirs.cgroup_path);
    return 0;
}

static bool kill_member(void *arg, pid_t pid)
{
    (void) arg;
    group_kill_process(pid);
    return true;
}

int unified_kill(struct task_cgroup *cg, struct err *err)
{
    int r = write_kill(cg, err);

    /* cgroup.kill passes over a process whose main thread has ended while others run on
       (Linux 6.18: the signal goes to the dead thread alone, and stays there): each that is still
       listed gets one of its own. What such a one has forked meanwhile is for the second kill. The
       same when the write failed: there is no other event that would bring another try. */
    if (unified_is_empty(cg, NULL) == TASK_CGROUP_EMPTY)
        return r;
    (void) task_cgroup_each_process(cg, kill_member, NULL, NULL);
    return write_kill(cg, err);
}

int unified_freeze(struct task_cgroup *cg, bool frozen, struct err *err)
{
    int r = cgfs_write(cg->dirs.fd[CGROUP_SLOT_UNIFIED], "cgroup.freeze", frozen ? "1" : "0");

    if (r < 0 && !group_is_gone(r))
        return err_errno(err, r, "write cgroup.freeze of %s", cg->dirs.cgroup_path);
    return 0;
}

/* The value of @key in the text of a flat keyed file, or -1. */
static int64_t keyed_value(const char *text, const char *key)
{
    const size_t key_len = strlen(key);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        if (*line == '\n')
            line++;
        if (strncmp(line, key, key_len) == 0 && line[key_len] == ' ')
            return strtoll(line + key_len + 1, NULL, 10);
    }
    return -1;
}

int unified_is_empty(struct task_cgroup *cg, struct err *err)
{
    char text[256];
    ssize_t len = cgfs_read_open(cg->events_fd, text, sizeof(text));

    if (group_is_gone(len))
        return TASK_CGROUP_EMPTY;
    if (len < 0)
        return err_errno(err, (int) len, "read cgroup.events of %s", cg->dirs.cgroup_path);
    switch (keyed_value(text, "populated")) {
    case 0:
        return TASK_CGROUP_EMPTY;
    case 1:
        return 0;
    default:
        return err_set(err, -EPROTO, "cgroup.events of %s tells no populated: \"%.64s\"",
                       cg->dirs.cgroup_path, text);
    }
}

int64_t group_file_value(int dirfd, const char *file, const char *key)
{
    char text[4096];

    if (dirfd < 0 || cgfs_read(dirfd, file, text, sizeof(text)) < 0)
        return -1;
    return keyed_value(text, key);
}

int64_t group_file_number(int dirfd, const char *file)
{
    char text[64];
    char *end;
    int64_t value;

    if (dirfd < 0 || cgfs_read(dirfd, file, text, sizeof(text)) < 0)
        return -1;
    value = strtoll(text, &end, 10);
    return end == text ? -1 : value;
}
