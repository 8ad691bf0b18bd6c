/*
 * task_processes.c - which processes are in a task's group: reading them all, and asking for one.
 */
#include "cgroups/backend.h"
#include "cgroups/cgfs.h"
#include "cgroups/group_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

struct listing {
    bool (*each)(void *arg, pid_t pid);
    void *arg;
    pid_t number; /* a number may be cut in two by the end of a chunk */
    bool digits;
};

/* Takes one character of cgroup.procs. 1: @each has seen enough. */
static int take(struct listing *list, char c)
{
    pid_t pid = list->number;

    if (c >= '0' && c <= '9') {
        list->number = list->number * 10 + (c - '0');
        list->digits = true;
        return 0;
    }
    list->number = 0;
    if (!list->digits)
        return 0;
    list->digits = false;
    /* 0 is a process of a PID namespace that we can't see into. */
    return pid == 0 || list->each(list->arg, pid) ? 0 : 1;
}

static int list_group(void *arg, int fd, struct err *err)
{
    struct listing *list = arg;
    CLEANUP_FD int procs = cgfs_open_file(fd, "cgroup.procs", O_RDONLY);
    char chunk[4096];
    ssize_t len;

    if (procs == -ENOENT || procs == -ENODEV)
        return 0;
    if (procs < 0)
        return err_errno(err, procs, "open cgroup.procs");
    while ((len = cgfs_read_next(procs, chunk, sizeof(chunk))) > 0) {
        for (ssize_t i = 0; i < len; i++) {
            if (take(list, chunk[i]) != 0)
                return 1;
        }
    }
    /* EOPNOTSUPP: a threaded group; the group that its domain begins with lists its processes. */
    if (len < 0 && len != -ENODEV && len != -EOPNOTSUPP)
        return err_errno(err, (int) len, "read cgroup.procs");
    return 0;
}

int task_cgroup_each_process(struct task_cgroup *cg, bool (*each)(void *arg, pid_t pid), void *arg,
                             struct err *err)
{
    static const struct group_walk_visitor visitor = {.enter = list_group};
    struct listing list = {.each = each, .arg = arg};
    int r = group_walk_run(cg->walk, cg->dirs.fd[cg->backend->walked], &visitor, &list, err);

    return r > 0 ? 0 : r;
}

/* Looks for "0::" and the group's path at the start of a line, whatever the chunks. */
struct search {
    const char *want;
    size_t matched; /* characters of "0::" and @want that this line has had so far */
    bool failed;    /* this line is another one */
};

static bool matches(struct search *search, char c)
{
    static const char head[] = "0::";
    const size_t head_len = sizeof(head) - 1;
    const char *want = search->matched < head_len ? head + search->matched
                                                  : search->want + search->matched - head_len;

    if (!search->failed && *want == '\0' && (c == '\n' || c == '/'))
        return true;
    if (c == '\n') {
        search->matched = 0;
        search->failed = false;
    } else if (search->failed || *want != c) {
        search->failed = true;
    } else {
        search->matched++;
    }
    return false;
}

bool task_cgroup_contains(struct task_cgroup *cg, pid_t pid)
{
    struct search search = {.want = cg->dirs.cgroup_path};
    char chunk[1024];
    ssize_t len;

    (void) snprintf(chunk, sizeof(chunk), "/proc/%d/cgroup", (int) pid);
    CLEANUP_FD int fd = cgfs_open_file(AT_FDCWD, chunk, O_RDONLY);
    if (fd < 0)
        return false;
    while ((len = cgfs_read_next(fd, chunk, sizeof(chunk))) > 0) {
        for (ssize_t i = 0; i < len; i++) {
            if (matches(&search, chunk[i]))
                return true;
        }
    }
    return false;
}
