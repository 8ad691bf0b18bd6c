#include "supervisor/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REPORT_FD 3

int files_let_go(int *report_fd, struct err *err)
{
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0)
        return err_errno(err, -errno, "open /dev/null");
    for (int fd = 0; fd < 3; fd++)
        if (dup2(null, fd) < 0)
            return err_errno(err, -errno, "make descriptor %d", fd);
    if (*report_fd != REPORT_FD && dup3(*report_fd, REPORT_FD, O_CLOEXEC) < 0)
        return err_errno(err, -errno, "make descriptor %d", REPORT_FD);
    *report_fd = REPORT_FD;
    if (syscall(SYS_close_range, REPORT_FD + 1, ~0u, 0) < 0)
        return err_errno(err, -errno, "close what is inherited");
    return chdir("/") < 0 ? err_errno(err, -errno, "enter /") : 0;
}

/* The path as text. A negative errno when there is no room for it. */
static int files_path(const ProtobufCBinaryData *name, const char *what, char ret[PATH_MAX],
                      struct err *err)
{
    if (name->len >= PATH_MAX)
        return err_errno(err, -ENAMETOOLONG, "%s of the task", what);
    (void) memcpy(ret, name->data, name->len);
    ret[name->len] = '\0';
    return 0;
}

static int files_enter_workdir(const Quell__Pb__Launch *order, struct err *err)
{
    const ProtobufCBinaryData *workdir = &order->spec->workdir;
    const char *home = order->user->home;
    char path[PATH_MAX];
    int r;

    if (!workdir->len) /* the default: the home, else /, where we are */
        return chdir(home) < 0 && chdir("/") < 0 ? err_errno(err, -errno, "enter /") : 0;
    r = files_path(workdir, "enter the working directory", path, err);
    if (r < 0)
        return r;
    if (path[0] != '/' && chdir(home) < 0)
        return err_errno(err, -errno, "enter %s, for the working directory %s", home, path);
    return chdir(path) < 0 ? err_errno(err, -errno, "enter %s", path) : 0;
}

static int files_move(int fd, int to, struct err *err)
{
    if (dup2(fd, to) < 0)
        return err_errno(err, -errno, "make descriptor %d", to);
    (void) close(fd);
    return 0;
}

static int files_open_named(const ProtobufCBinaryData *name, int flags, int to, struct err *err)
{
    char path[PATH_MAX];
    int fd, r;

    r = files_path(name, "open a file", path, err);
    if (r < 0)
        return r;
    fd = open(path, flags | O_NOCTTY | O_CLOEXEC, 0666);
    if (fd < 0)
        return err_errno(err, -errno, "open %s", path);
    return files_move(fd, to, err);
}

/* Appended to, so that tasks with one file between them write over nothing of each other's. */
static int files_open_output(const Quell__Pb__Launch *order, const ProtobufCBinaryData *name,
                             int to, const char *suffix, struct err *err)
{
    const Quell__Pb__Name *task = order->name;
    const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND;
    char path[80];
    int fd;

    if (name->len)
        return files_open_named(name, flags, to, err);
    (void) snprintf(path, sizeof(path), "quell-%u.%u.%u.%s", task->job_id, task->task_id,
                    task->attempt, suffix);
    fd = open(path, flags | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0666);
    return fd < 0 ? 0 : files_move(fd, to, err); /* else /dev/null, which is there already */
}

static bool files_are_same(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
    return a->len && a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

int files_open(const Quell__Pb__Launch *order, struct err *err)
{
    const Quell__Pb__Spec *spec = order->spec;
    int r;

    r = files_enter_workdir(order, err);
    if (r == 0 && spec->stdin_path.len)
        r = files_open_named(&spec->stdin_path, O_RDONLY, 0, err);
    if (r == 0)
        r = files_open_output(order, &spec->stdout_path, 1, "out", err);
    if (r < 0)
        return r;
    if (files_are_same(&spec->stdout_path, &spec->stderr_path))
        return dup2(1, 2) < 0 ? err_errno(err, -errno, "make descriptor 2") : 0;
    return files_open_output(order, &spec->stderr_path, 2, "err", err);
}
