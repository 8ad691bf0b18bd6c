/*
 * task_processes.c - which processes are in a task's group: reading them all, and asking for one.
 */
#include "cgroups/backend.h"
#include "cgroups/cgfs.h"
#include "cgroups/group_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

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

int group_list_processes(int dirfd, bool (*each)(void *arg, pid_t pid), void *arg, struct err *err)
{
    struct listing list = {.each = each, .arg = arg};
    CLEANUP_FD int procs = cgfs_open_file(dirfd, "cgroup.procs", O_RDONLY);
    char chunk[4096];
    ssize_t len;

    if (group_is_gone(procs))
        return 0;
    if (procs < 0)
        return err_errno(err, procs, "open cgroup.procs");
    while ((len = cgfs_read_next(procs, chunk, sizeof(chunk))) > 0) {
        for (ssize_t i = 0; i < len; i++) {
            if (take(&list, chunk[i]) != 0)
                return 1;
        }
    }
    /* EOPNOTSUPP: a threaded group; the group that its domain begins with lists its processes. */
    if (len < 0 && len != -ENODEV && len != -EOPNOTSUPP)
        return err_errno(err, (int) len, "read cgroup.procs");
    return 0;
}

struct each_call {
    bool (*each)(void *arg, pid_t pid);
    void *arg;
};

static int list_group(void *arg, int fd, struct err *err)
{
    const struct each_call *call = arg;

    return group_list_processes(fd, call->each, call->arg, err);
}

int task_cgroup_each_process(struct task_cgroup *cg, bool (*each)(void *arg, pid_t pid), void *arg,
                             struct err *err)
{
    static const struct group_walk_visitor visitor = {.enter = list_group};
    struct each_call call = {each, arg};
    int r = group_walk_run(cg->walk, cg->dirs.fd[cg->backend->walked], &visitor, &call, err);

    return r > 0 ? 0 : r;
}

/* Pids are given out in turn: no number on a list that was read a moment ago can be another's so
   soon. */
void group_kill_process(pid_t pid)
{
    CLEANUP_FD int pidfd = (int) syscall(SYS_pidfd_open, pid, 0);

    if (pidfd >= 0)
        (void) syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

/* ---- asking for one ------------------------------------------------------------------------- */

/* Reads lines of /proc/PID/cgroup, whatever the chunks: "ID:controllers:path". */
struct search {
    const char *controller;
    const char *path;
    int colons;     /* of this line, at most two */
    bool listed;    /* the controller was among this line's */
    size_t matched; /* characters of what is compared that agree so far */
    bool failed;    /* and one that does not */
};

static void compare_next(struct search *search)
{
    search->matched = 0;
    search->failed = false;
}

static void compare(struct search *search, const char *want, char c)
{
    if (search->failed || want[search->matched] != c)
        search->failed = true;
    else
        search->matched++;
}

static bool agrees(const struct search *search, const char *want)
{
    return !search->failed && want[search->matched] == '\0';
}

/* Takes one character. True: the path is that of the group, or of one below it. */
static bool matches(struct search *search, char c)
{
    if (search->colons == 2) {
        if (search->listed && (c == '\n' || c == '/') && agrees(search, search->path))
            return true;
        compare(search, search->path, c);
    } else if (search->colons == 1 && (c == ',' || c == ':')) {
        search->listed |= agrees(search, search->controller);
        compare_next(search);
    } else if (search->colons == 1) {
        compare(search, search->controller, c);
    }
    if (c == ':' && search->colons < 2)
        search->colons++;
    if (c == '\n')
        *search = (struct search){.controller = search->controller, .path = search->path};
    return false;
}

static bool file_tells_inside(const struct task_cgroup *cg, int dirfd, const char *file)
{
    struct search search = {.controller = cg->backend->controller, .path = cg->dirs.cgroup_path};
    CLEANUP_FD int fd = cgfs_open_file(dirfd, file, O_RDONLY);
    char chunk[1024];
    ssize_t len;

    while (fd >= 0 && (len = cgfs_read_next(fd, chunk, sizeof(chunk))) > 0) {
        for (ssize_t i = 0; i < len; i++) {
            if (matches(&search, chunk[i]))
                return true;
        }
    }
    return false;
}

struct thread_search {
    const struct task_cgroup *cg;
    int tasks_fd;
};

static int is_thread_inside(void *arg, const char *name)
{
    const struct thread_search *search = arg;
    char file[288];

    (void) snprintf(file, sizeof(file), "%s/cgroup", name);
    return file_tells_inside(search->cg, search->tasks_fd, file) ? 1 : 0;
}

bool task_cgroup_contains(struct task_cgroup *cg, pid_t pid)
{
    struct thread_search threads = {.cg = cg};
    char path[64];

    (void) snprintf(path, sizeof(path), "/proc/%d/cgroup", (int) pid);
    if (file_tells_inside(cg, AT_FDCWD, path))
        return true;
    if (!cg->backend->by_thread)
        return false;
    (void) snprintf(path, sizeof(path), "/proc/%d/task", (int) pid);
    CLEANUP_FD int tasks_fd = cgfs_open_dir(AT_FDCWD, path);
    threads.tasks_fd = tasks_fd;
    return tasks_fd >= 0 && group_walk_children(tasks_fd, is_thread_inside, &threads, NULL) > 0;
}
