/*
 * backend_v1.c - the tree in the freezer's hierarchy; the unified one is not used at all.
 *
 * v1 has no kill and tells nobody that a group is empty. So a kill is a round: no fork any more
 * (pids.max 0), freeze, SIGKILL to all that is listed, thaw every group below, for the frozen die
 * only then. And is_empty() puts one process that it has found under watch: when that one has
 * ended, the event comes and it is time to ask again.
 * Sources: Documentation/admin-guide/cgroup-v1/{cgroups,freezer-subsystem,pids}.rst.
 */
#include "cgroups/backend.h"
#include "cgroups/cgfs.h"
#include "cgroups/group_walk.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define PID_LIMIT   (4U * 1024U * 1024U) /* the kernel's PID_MAX_LIMIT on 64 bits */
#define LISTS_MAX   16                   /* of a frozen group, until one brings nobody new */
#define AGAIN_MS    100
#define CHARGE_MAX  (64 * 4096) /* memory charged at once: the kernel's MEMCG_CHARGE_BATCH */
#define WATCHES_MAX 64 /* processes that were listed and are gone when they are to be watched */

struct v1_group {
    bool killing;
    int watch_fd; /* pidfd of the process under watch, also in the epoll; -1: none */
    pid_t watched;
    int again_fd; /* timer, in the epoll: when a look has failed, as nothing else tells then */
    uint8_t hit[PID_LIMIT / 8]; /* who got SIGKILL; pages that no pid falls into are not touched */
};

/* What a look at the group and all below it has seen. */
struct v1_look {
    struct v1_group *v1;
    bool kill;     /* SIGKILL to each that was not hit yet */
    size_t groups; /* 1: none below */
    size_t found;
    size_t fresh; /* of them, not hit before this look */
    pid_t first;
    pid_t last;
    pid_t own_pid;
    bool self; /* this process is inside; it counts as nobody */
};

static int v1_open(struct task_cgroup *cg, struct err *err)
{
    struct epoll_event event = {.events = EPOLLIN};

    cg->v1 = calloc(1, sizeof(*cg->v1));
    if (!cg->v1)
        return err_set(err, -ENOMEM, "group %s: no memory", cg->dirs.cgroup_path);
    cg->v1->watch_fd = -1;
    cg->v1->again_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    cg->events_fd = epoll_create1(EPOLL_CLOEXEC);
    if (cg->v1->again_fd < 0 || cg->events_fd < 0 ||
        epoll_ctl(cg->events_fd, EPOLL_CTL_ADD, cg->v1->again_fd, &event) < 0)
        return err_errno(err, -errno, "make the event of group %s", cg->dirs.cgroup_path);
    return 0;
}

static void v1_close(struct task_cgroup *cg)
{
    if (!cg->v1)
        return;
    cleanup_fd(&cg->v1->watch_fd);
    cleanup_fd(&cg->v1->again_fd);
    free(cg->v1);
}

/* ---- looking -------------------------------------------------------------------------------- */

static bool look_at_process(void *arg, pid_t pid)
{
    struct v1_look *look = arg;
    uint8_t *byte = &look->v1->hit[(uint32_t) pid % PID_LIMIT / 8];
    const uint8_t bit = (uint8_t) (1U << ((uint32_t) pid % 8));

    if (pid == look->own_pid) {
        look->self = true;
        return true;
    }
    if (look->found++ == 0)
        look->first = pid;
    look->last = pid;
    if (*byte & bit)
        return true;
    look->fresh++;
    if (look->kill) {
        *byte |= bit;
        group_kill_process(pid);
    }
    return true;
}

/* The list tells a process also when only some of its threads are in the group. */
static int look_at_group(void *arg, int fd, struct err *err)
{
    struct v1_look *look = arg;

    look->groups++;
    return group_list_processes(fd, look_at_process, look, err);
}

/* 0; -ELOOP: all was looked at but the groups that are too deep. */
static int v1_look(struct task_cgroup *cg, bool kill, struct v1_look *ret, struct err *err)
{
    static const struct group_walk_visitor visitor = {.enter = look_at_group};

    *ret = (struct v1_look){.v1 = cg->v1, .kill = kill, .own_pid = getpid()};
    return group_walk_run(cg->walk, cg->dirs.fd[CGROUP_SLOT_FREEZER], &visitor, ret, err);
}

/* ---- freezing ------------------------------------------------------------------------------- */

static int v1_freeze(struct task_cgroup *cg, bool frozen, struct err *err)
{
    const char *state = frozen ? "FROZEN" : "THAWED";
    int r = cgfs_write(cg->dirs.fd[CGROUP_SLOT_FREEZER], "freezer.state", state);

    if (r < 0 && !group_is_gone(r))
        return err_errno(err, r, "write %s to freezer.state of %s", state, cg->dirs.cgroup_path);
    return 0;
}

static int thaw_group(void *arg, int fd, struct err *err)
{
    int r = cgfs_write(fd, "freezer.state", "THAWED");

    (void) arg;
    return r < 0 && !group_is_gone(r) ? err_errno(err, r, "write THAWED to freezer.state") : 0;
}

/* A task may have frozen groups of its own below. */
static int v1_thaw_all(struct task_cgroup *cg, struct err *err)
{
    static const struct group_walk_visitor visitor = {.enter = thaw_group};

    return group_walk_run(cg->walk, cg->dirs.fd[CGROUP_SLOT_FREEZER], &visitor, NULL, err);
}

/* Whether the kernel says that all that is inside and below stands still. */
static bool is_frozen(struct task_cgroup *cg)
{
    char state[32];
    ssize_t len =
        cgfs_read(cg->dirs.fd[CGROUP_SLOT_FREEZER], "freezer.state", state, sizeof(state));

    return group_is_gone(len) || (len > 0 && strncmp(state, "FROZEN", 6) == 0);
}

/* ---- the kill ------------------------------------------------------------------------------- */

/* Hits all, also a child that a fork brought into the list behind us: who has SIGKILL pending
   forks no more. */
static int v1_hit(struct task_cgroup *cg, struct err *err)
{
    struct v1_look look = {.fresh = 1};
    int r = 0;

    for (int i = 0; i < LISTS_MAX && look.fresh && (r == 0 || r == -ELOOP); i++)
        r = v1_look(cg, true, &look, err);
    return r;
}

static int stop_forks(struct task_cgroup *cg, struct err *err)
{
    const int pids = cg->dirs.fd[CGROUP_SLOT_PIDS];
    int r = pids < 0 ? 0 : cgfs_write(pids, "pids.max", "0");

    if (r < 0 && !group_is_gone(r))
        return err_errno(err, r, "write 0 to pids.max of %s", cg->dirs.cgroup_path);
    return 0;
}

/* Whatever could not be done, the rest is: then the first failure is told. */
static int v1_kill(struct task_cgroup *cg, struct err *err)
{
    int r = stop_forks(cg, err);
    int step = 0;

    cg->v1->killing = true;
    /* Somebody may have put us there; and who is frozen thaws nobody. */
    if (!task_cgroup_contains(cg, getpid()))
        step = v1_freeze(cg, true, r < 0 ? NULL : err);
    r = r < 0 ? r : step;
    step = v1_hit(cg, r < 0 ? NULL : err);
    r = r < 0 ? r : step;
    step = v1_thaw_all(cg, r < 0 ? NULL : err);
    return r < 0 ? r : step;
}

/* ---- empty ---------------------------------------------------------------------------------- */

static void watch_end(struct task_cgroup *cg)
{
    if (cg->v1->watch_fd < 0)
        return;
    /* Closing alone would not: a child may hold a copy. */
    (void) epoll_ctl(cg->events_fd, EPOLL_CTL_DEL, cg->v1->watch_fd, NULL);
    (void) close(cg->v1->watch_fd);
    cg->v1->watch_fd = -1;
}

/* 0; -ESRCH: that process is gone; or what failed. Its number may have been another's when it was
   hit: so in a kill each that is waited for is hit once more. */
static int watch_begin(struct task_cgroup *cg, pid_t pid)
{
    struct epoll_event event = {.events = EPOLLIN};
    const int fd = (int) syscall(SYS_pidfd_open, pid, 0);
    int r;

    if (fd < 0)
        return -errno;
    if (epoll_ctl(cg->events_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        r = -errno;
        (void) close(fd);
        return r;
    }
    if (cg->v1->killing)
        (void) syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
    cg->v1->watch_fd = fd;
    cg->v1->watched = pid;
    return 0;
}

/* Whether the process under watch is still there, and so the group not empty. One that was killed
   dies, wherever it is; it would say nothing more of its group. */
static bool watch_holds(struct task_cgroup *cg)
{
    struct pollfd end = {.fd = cg->v1->watch_fd, .events = POLLIN};

    return end.fd >= 0 && poll(&end, 1, 0) == 0 &&
           (cg->v1->killing || task_cgroup_contains(cg, cg->v1->watched));
}

/* Looks, and in a kill hits whom it finds anew. */
static int look_and_kill(struct task_cgroup *cg, struct v1_look *look, struct err *err)
{
    int r = v1_look(cg, false, look, err);

    if (!cg->v1->killing || look->fresh == 0)
        return r;
    /* Somebody whom the kill did not reach, and who may have forked. */
    r = v1_kill(cg, err);
    return r < 0 && r != -ELOOP ? r : v1_look(cg, false, look, err);
}

/* A process that goes from group to group below can be where no look is just then: a look that
   finds nobody is sure only while all stand still. */
static int look_at_frozen(struct task_cgroup *cg, struct v1_look *look, bool *ret_sure,
                          struct err *err)
{
    int thawed;
    int r = v1_freeze(cg, true, err);

    if (r < 0)
        return r;
    *ret_sure = is_frozen(cg);
    r = v1_look(cg, false, look, err);
    thawed = v1_freeze(cg, false, r < 0 ? NULL : err);
    return r < 0 ? r : thawed;
}

/* 0: a process is under watch. While the task runs, the eldest: most often the leader, which
   disturbs us only once. In a kill the last on the list, as most are gone when it is. */
static int watch_one_of(struct task_cgroup *cg, const struct v1_look *look, struct err *err)
{
    int r = watch_begin(cg, cg->v1->killing ? look->last : look->first);

    if (r == -ESRCH)
        return -EAGAIN;
    return r < 0 ? err_errno(err, r, "watch a process of group %s", cg->dirs.cgroup_path) : 0;
}

/* As is_empty(); -EAGAIN: it was in vain. */
static int v1_find(struct task_cgroup *cg, struct err *err)
{
    struct v1_look look;
    bool sure;
    int r = look_and_kill(cg, &look, err);

    /* Who is inside is frozen with all the others. */
    sure = look.groups <= 1 || look.self;
    if (r == 0 && look.found == 0 && !sure)
        r = look_at_frozen(cg, &look, &sure, err);
    if (look.found)
        return r < 0 && r != -ELOOP ? r : watch_one_of(cg, &look, err);
    if (r < 0)
        return r;
    return sure ? TASK_CGROUP_EMPTY : -EAGAIN;
}

/* The event comes after this time, and no more with 0. */
static void ask_again(struct task_cgroup *cg, long in_ms)
{
    const struct itimerspec spec = {.it_value.tv_nsec = in_ms * 1000000};

    (void) timerfd_settime(cg->v1->again_fd, 0, &spec, NULL);
}

static int v1_is_empty(struct task_cgroup *cg, struct err *err)
{
    int r = -EAGAIN;

    if (watch_holds(cg))
        return 0;
    watch_end(cg);
    ask_again(cg, 0);
    for (int i = 0; i < WATCHES_MAX && r == -EAGAIN; i++)
        r = v1_find(cg, err);
    if (r < 0)
        ask_again(cg, AGAIN_MS);
    if (r == -EAGAIN)
        return err_set(err, r, "the processes of group %s change faster than they can be read",
                       cg->dirs.cgroup_path);
    return r;
}

/* ---- counters ------------------------------------------------------------------------------- */

/* -1: not known. By the peak, for `failcnt` stays 0 on Linux 6.18. */
static int64_t is_at_limit(int dirfd, const char *peak_file, const char *limit_file)
{
    const int64_t peak = group_file_number(dirfd, peak_file);
    const int64_t limit = group_file_number(dirfd, limit_file);

    if (peak < 0 || limit < 0)
        return -1;
    return peak >= limit - CHARGE_MAX ? 1 : 0;
}

void v1_read_memory(int dirfd, struct task_cgroup_usage *ret)
{
    const int64_t memory = is_at_limit(dirfd, "memory.max_usage_in_bytes", "memory.limit_in_bytes");
    const int64_t with_swap =
        is_at_limit(dirfd, "memory.memsw.max_usage_in_bytes", "memory.memsw.limit_in_bytes");

    ret->memory_peak_bytes = group_file_number(dirfd, "memory.max_usage_in_bytes");
    ret->memory_at_limit = with_swap > memory ? with_swap : memory;
    ret->oom_kills = group_file_value(dirfd, "memory.oom_control", "oom_kill");
}

/* Adds up what is behind @kind in the lines "8:0 Read 4096". -1: there is none, for the kernel
   counts only on devices that it throttles (Linux 6.18). */
static int64_t sum_of_devices(const char *text, const char *kind)
{
    int64_t sum = -1;

    for (const char *at = text; (at = strstr(at, kind));) {
        at += strlen(kind);
        sum = (sum < 0 ? 0 : sum) + strtoll(at, NULL, 10);
    }
    return sum;
}

static void read_io(int dirfd, struct task_cgroup_usage *ret)
{
    char text[16384]; /* seven lines of 30 characters for each device */

    if (dirfd < 0 ||
        cgfs_read(dirfd, "blkio.throttle.io_service_bytes_recursive", text, sizeof(text)) < 0)
        return;
    ret->io_read_bytes = sum_of_devices(text, " Read ");
    ret->io_write_bytes = sum_of_devices(text, " Write ");
}

static void v1_read_usage(struct task_cgroup *cg, struct task_cgroup_usage *ret)
{
    const int *fd = cg->dirs.fd;
    int64_t cpu_ns = group_file_number(fd[CGROUP_SLOT_CPUACCT], "cpuacct.usage");

    if (cpu_ns < 0) /* one hierarchy for both */
        cpu_ns = group_file_number(fd[CGROUP_SLOT_CPU], "cpuacct.usage");
    ret->cpu_us = cpu_ns < 0 ? -1 : cpu_ns / 1000;
    v1_read_memory(fd[CGROUP_SLOT_MEMORY], ret);
    read_io(fd[CGROUP_SLOT_BLKIO], ret);
}

const struct task_cgroup_backend task_cgroup_backend_v1 = {
    .open = v1_open,
    .close = v1_close,
    .kill = v1_kill,
    .freeze = v1_freeze,
    .is_empty = v1_is_empty,
    .read_usage = v1_read_usage,
    .walked = CGROUP_SLOT_FREEZER,
    .controller = "freezer",
    .by_thread = true,
    .events = POLLIN,
};
