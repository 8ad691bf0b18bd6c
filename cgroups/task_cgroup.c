#include "cgroups/task_cgroup.h"

#include "cgroups/backend.h"
#include "cgroups/cgfs.h"
#include "cgroups/group_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const mode_names[CGROUP_MODE_COUNT] = {
    [CGROUP_MODE_V2] = "v2",
    [CGROUP_MODE_HYBRID] = "hybrid",
    [CGROUP_MODE_V1] = "v1",
};

static const struct task_cgroup_backend *const backends[CGROUP_MODE_COUNT] = {
    [CGROUP_MODE_V2] = &task_cgroup_backend_v2,
    [CGROUP_MODE_HYBRID] = &task_cgroup_backend_hybrid,
    [CGROUP_MODE_V1] = &task_cgroup_backend_v1,
};

const char *cgroup_mode_name(enum cgroup_mode mode)
{
    return mode_names[mode];
}

int cgroup_mode_parse(const char *text, enum cgroup_mode *ret)
{
    for (enum cgroup_mode mode = 0; mode < CGROUP_MODE_COUNT; mode++) {
        if (strcmp(text, mode_names[mode]) == 0) {
            *ret = mode;
            return 0;
        }
    }
    return -EINVAL;
}

static int read_inode(struct task_cgroup *cg, struct err *err)
{
    struct stat st;

    if (fstat(cg->dirs.fd[cg->backend->walked], &st) < 0)
        return err_errno(err, -errno, "stat group %s", cg->dirs.cgroup_path);
    cg->inode = st.st_ino;
    return 0;
}

static int task_cgroup_init(struct task_cgroup *cg, struct err *err)
{
    int r;

    cg->backend = cg->dirs.mode < CGROUP_MODE_COUNT ? backends[cg->dirs.mode] : NULL;
    if (!cg->backend)
        return err_set(err, -EOPNOTSUPP, "cgroup mode %d is not supported by this program",
                       (int) cg->dirs.mode);
    if (cg->dirs.fd[cg->backend->walked] < 0)
        return err_set(err, -EINVAL, "a group of cgroup mode %s was handed over without its tree",
                       mode_names[cg->dirs.mode]);
    if (cg->dirs.cgroup_path[0] != '/')
        return err_set(err, -EINVAL, "a group was handed over without its path");
    cg->walk = group_walk_new();
    if (!cg->walk)
        return err_set(err, -ENOMEM, "group %s: no memory", cg->dirs.cgroup_path);
    r = read_inode(cg, err);
    return r < 0 ? r : cg->backend->open(cg, err);
}

int task_cgroup_open(const struct task_cgroup_dirs *dirs, struct task_cgroup **ret, struct err *err)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = calloc(1, sizeof(*cg));
    int r;

    if (!cg) {
        for (enum cgroup_slot slot = 0; slot < CGROUP_SLOT_COUNT; slot++)
            cleanup_fd(&dirs->fd[slot]);
        return err_set(err, -ENOMEM, "group %s: no memory", dirs->cgroup_path);
    }
    cg->dirs = *dirs;
    cg->events_fd = -1;
    cg->kill_fd = -1;
    r = task_cgroup_init(cg, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(cg);
    return 0;
}

struct task_cgroup *task_cgroup_free(struct task_cgroup *cg)
{
    if (!cg)
        return NULL;
    if (cg->backend && cg->backend->close)
        cg->backend->close(cg);
    cleanup_fd(&cg->events_fd);
    cleanup_fd(&cg->kill_fd);
    for (enum cgroup_slot slot = 0; slot < CGROUP_SLOT_COUNT; slot++)
        cleanup_fd(&cg->dirs.fd[slot]);
    (void) group_walk_free(cg->walk);
    free(cg);
    return NULL;
}

/* In the child: enters the hierarchies that clone3() did not put it into. A v1 group is entered by
   its `tasks` file: the kernel moves a thread that moves itself without the lock that makes a write
   to cgroup.procs wait for an RCU grace period (0.04 ms against 10 ms). */
static int enter_groups(const struct task_cgroup *cg, struct err *err)
{
    int r;

    if (!cg->dirs.clone_into && cg->dirs.fd[CGROUP_SLOT_UNIFIED] >= 0) {
        r = cgfs_write(cg->dirs.fd[CGROUP_SLOT_UNIFIED], "cgroup.procs", "0");
        if (r < 0)
            return err_errno(err, r, "enter group %s: write cgroup.procs", cg->dirs.cgroup_path);
    }
    for (enum cgroup_slot slot = CGROUP_SLOT_MEMORY; slot < CGROUP_SLOT_COUNT; slot++) {
        if (cg->dirs.fd[slot] < 0)
            continue;
        r = cgfs_write(cg->dirs.fd[slot], "tasks", "0");
        if (r < 0)
            return err_errno(err, r, "enter group %s: write tasks of v1 slot %d",
                             cg->dirs.cgroup_path, (int) slot);
    }
    return 0;
}

/* Returns when the child has entered its groups, or is gone: the other end of @fd is closed then.
 */
static void await_entered(int fd)
{
    char none;

    while (read(fd, &none, 1) < 0 && errno == EINTR)
        ;
}

pid_t task_cgroup_spawn(struct task_cgroup *cg,
                        void (*child)(void *arg, const struct err *born_err), void *arg,
                        int *ret_pidfd, struct err *err)
{
    CLEANUP_FD int entered = -1;
    CLEANUP_FD int entering = -1;
    int pidfd = -1;
    int pipefd[2];
    pid_t pid;

    /* A kill must not pass over a child that is on its way into the group. */
    if (!cg->dirs.clone_into) {
        if (pipe2(pipefd, O_CLOEXEC) < 0)
            return err_errno(err, -errno, "make a pipe to wait for a child of group %s",
                             cg->dirs.cgroup_path);
        entered = pipefd[0];
        entering = pipefd[1];
    }
    pid = group_clone(cg->dirs.clone_into ? cg->dirs.fd[CGROUP_SLOT_UNIFIED] : -1, SIGCHLD, &pidfd);
    if (pid < 0)
        return err_errno(err, pid, "clone3 into group %s", cg->dirs.cgroup_path);
    if (pid == 0) {
        struct err born_err = {0};
        int r = enter_groups(cg, &born_err);

        cleanup_fd(&entering);
        cleanup_fd(&entered);
        child(arg, r < 0 ? &born_err : NULL);
        _exit(127);
    }
    cleanup_fd(&entering);
    entering = -1;
    if (entered >= 0)
        await_entered(entered);
    if (ret_pidfd)
        *ret_pidfd = pidfd;
    else
        (void) close(pidfd);
    return pid;
}

int task_cgroup_kill(struct task_cgroup *cg, struct err *err)
{
    return cg->backend->kill(cg, err);
}

int task_cgroup_freeze(struct task_cgroup *cg, bool frozen, struct err *err)
{
    return cg->backend->freeze(cg, frozen, err);
}

int task_cgroup_is_empty(struct task_cgroup *cg, struct err *err)
{
    return cg->backend->is_empty(cg, err);
}

int task_cgroup_event_fd(const struct task_cgroup *cg, short *ret_events)
{
    *ret_events = cg->backend->events;
    return cg->events_fd;
}

void task_cgroup_read_usage(struct task_cgroup *cg, struct task_cgroup_usage *ret)
{
    *ret = (struct task_cgroup_usage){-1, -1, -1, -1, -1, -1};
    cg->backend->read_usage(cg, ret);
}

uint64_t task_cgroup_inode(const struct task_cgroup *cg)
{
    return cg->inode;
}
