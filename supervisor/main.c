/*
 * quell-supervisor: starts one task's tree inside its group (or watches a group that was handed
 * over), owns time limit, grace, kill, reaping
 * and the record of the end, and outlives the agent. It waits for the kernel alone: every wake-up
 * is a child's end, the group's event, a frame of the agent, or the timer of a grace or time limit.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "base/log.h"
#include "base/version.h"
#include "cgroups/task_cgroup.h"
#include "supervisor/arena.h"
#include "supervisor/leader.h"
#include "supervisor/run.h"
#include "supervisor/supervisor.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

static uint8_t launch_bytes[FRAME_MAX];
static uint8_t launch_memory[2 * FRAME_MAX];

static int supervisor_take_order(struct supervisor *s, struct err *err)
{
    static struct arena arena;
    Quell__Pb__Frame *frame = NULL;
    int r;

    arena_init(&arena, launch_memory, sizeof(launch_memory));
    r = frame_receive(SUPERVISOR_FD_LINK, launch_bytes, sizeof(launch_bytes), &arena.allocator,
                      &frame, err);
    if (r < 0)
        return r;
    if (r > 0 || frame->body_case != QUELL__PB__FRAME__BODY_LAUNCH || !frame->launch->name ||
        !frame->launch->spec || frame->launch->uid.len != 16)
        return err_set(err, -EPROTO, "no order to launch came with descriptor %d",
                       SUPERVISOR_FD_LINK);
    s->order = frame->launch;
    return 0;
}

static int supervisor_open_group(struct supervisor *s, struct err *err)
{
    struct task_cgroup_dirs dirs = {.clone_into = s->order->clone_into};

    if (cgroup_mode_parse(s->order->cgroup_mode, &dirs.mode) < 0)
        return err_set(err, -EPROTO, "no such cgroup mode: %s", s->order->cgroup_mode);
    (void) snprintf(dirs.cgroup_path, sizeof(dirs.cgroup_path), "%s", s->order->cgroup_path);
    for (int i = 0; i < CGROUP_SLOT_COUNT; i++) {
        const int fd = SUPERVISOR_FD_GROUP + i;

        dirs.fd[i] = fcntl(fd, F_GETFD) < 0 ? -1 : fd;
    }
    return task_cgroup_open(&dirs, &s->group, err);
}

static int supervisor_open_loop(struct supervisor *s, struct err *err)
{
    sigset_t children;
    short group_events;

    for (int i = 0; i < AT_COUNT; i++)
        s->fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    (void) sigemptyset(&children);
    (void) sigaddset(&children, SIGCHLD);
    s->fds[AT_SIGNAL].fd = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
    s->fds[AT_TIMER].fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (s->fds[AT_SIGNAL].fd < 0 || s->fds[AT_TIMER].fd < 0)
        return err_errno(err, -errno, "make signalfd and timerfd");
    s->fds[AT_LISTEN].fd = s->link.listen_fd;
    s->fds[AT_GROUP].fd = task_cgroup_event_fd(s->group, &group_events);
    s->fds[AT_GROUP].events = group_events;
    return 0;
}

/* Makes the child; what hinders that is the task's failure to start, not the supervisor's. */
static int supervisor_spawn(struct supervisor *s, struct err *err)
{
    CLEANUP_FD int pidfd = -1;
    int pipefd[2];
    pid_t pid;
    int r;

    r = launch_prepare(&s->launch, s->order, &s->attempt, err);
    if (r < 0)
        return r;
    if (pipe2(pipefd, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_errno(err, -errno, "make a pipe");
    s->launch.report_fd = pipefd[1];
    s->launch.start_time_us = clock_wall_us();
    s->launch.start_mono_us = clock_mono_us();
    pid = task_cgroup_spawn(s->group, launch_child, &s->launch, &pidfd, err);
    (void) close(pipefd[1]);
    if (pid < 0) {
        (void) close(pipefd[0]);
        return (int) pid;
    }
    s->tree.leader = pid;
    s->tree.leader_is_child = true;
    s->report_fd = s->fds[AT_REPORT].fd = pipefd[0];
    return 0;
}

static void supervisor_start(struct supervisor *s, const Quell__Pb__Launch *order)
{
    const Quell__Pb__Spec *spec = order->spec;
    struct err err = {0};

    life_init(&s->life, clock_mono_us(), life_us_of_ms(spec->runtime_ms),
              life_us_of_ms(spec->grace_ms), life_us_of_ms(order->leftover_grace_ms));
    if (supervisor_spawn(s, &err) < 0) {
        s->failure.code = err.code;
        (void) snprintf(s->failure.text, sizeof(s->failure.text), "%s", err.text);
        s->tree.leader_ended = true; /* there is none */
        supervisor_look(s);
        return;
    }
    supervisor_arm_timer(s);
}

/* Takes over a tree that runs already. Its leader is another process's child by now. */
static void supervisor_succeed(struct supervisor *s, const Quell__Pb__Launch *order)
{
    const Quell__Pb__Spec *spec = order->spec;
    const Quell__Pb__Started *started = order->started;
    const uint64_t since =
        started && started->start_mono_us ? started->start_mono_us : clock_mono_us();

    life_init(&s->life, since, life_us_of_ms(spec->runtime_ms), life_us_of_ms(spec->grace_ms),
              life_us_of_ms(order->leftover_grace_ms));
    if (started) {
        s->tree.leader = (pid_t) started->leader_pid;
        s->launch.start_time_us = started->start_time_us;
        s->launch.start_mono_us = started->start_mono_us;
    }
    s->fds[AT_LEADER].fd = s->leader_pidfd = leader_open(started);
    s->agent_is_parent = order->agent_is_parent;
    s->leader_unknown = !started;
    if (started && s->leader_pidfd < 0) {
        s->leader_gone = true;
        s->tree.leader_ended = !order->agent_is_parent; /* else LeaderEnded is on its way */
    }
    supervisor_arm_timer(s);
    supervisor_tell_state(s);
    supervisor_look(s);
}

/* `started` once, as for a program: the first supervisor's word stands. Without it the agent alone
   knows which group it was, and that is no reason not to end it. */
static void supervisor_record_adopted(const struct supervisor *s, const Quell__Pb__Launch *order)
{
    Quell__Pb__Started started = QUELL__PB__STARTED__INIT;
    struct err err = {0};
    int r;

    started.start_time_us = s->launch.start_time_us;
    started.start_mono_us = s->launch.start_mono_us;
    started.boot_id = order->boot_id;
    started.cgroup_inode = task_cgroup_inode(s->group);
    r = attempt_record_started(&s->attempt, &started, &err);
    if (r < 0 && r != -EEXIST)
        log_warning("task %u.%u: %s", order->name->job_id, order->name->task_id, err.text);
}

/* Takes over a group that another program made. Nobody in it is a child of ours. */
static void supervisor_adopt(struct supervisor *s, const Quell__Pb__Launch *order)
{
    const Quell__Pb__Spec *spec = order->spec;
    const Quell__Pb__Started *started = order->started;

    s->launch.start_time_us = started ? started->start_time_us : clock_wall_us();
    s->launch.start_mono_us = started ? started->start_mono_us : clock_mono_us();
    if (!started)
        supervisor_record_adopted(s, order);
    life_init(&s->life, s->launch.start_mono_us, life_us_of_ms(spec->runtime_ms),
              life_us_of_ms(spec->grace_ms), 0);
    s->life.no_leader = true;
    supervisor_arm_timer(s);
    supervisor_tell_state(s);
    supervisor_look(s);
}

static int supervisor_main(struct supervisor *s, struct err *err)
{
    const Quell__Pb__Launch *order;
    int r;

    r = supervisor_take_order(s, err);
    if (r < 0)
        return r;
    order = s->order;
    assert(order);
    r = supervisor_open_group(s, err); /* before anything is opened where a slot is empty */
    if (r < 0)
        return r;
    link_init(&s->link, SUPERVISOR_FD_LINK, SUPERVISOR_FD_LISTEN);
    s->attempt = (struct attempt){.dirfd = SUPERVISOR_FD_ATTEMPT,
                                  .name = order->name,
                                  .uid = order->uid,
                                  .boot_id = order->boot_id};
    r = attempt_open(&s->attempt, err);
    if (r < 0)
        return r;
    if (attempt_has_ending(&s->attempt))
        return 0; /* a predecessor was faster */
    r = tree_init(&s->tree, s->group, err);
    if (r < 0)
        return r;
    r = supervisor_open_loop(s, err);
    if (r < 0)
        return r;
    if (order->spec->cgroup.len)
        supervisor_adopt(s, order);
    else if (order->successor)
        supervisor_succeed(s, order);
    else
        supervisor_start(s, order);
    return supervisor_run(s, err);
}

/* For the sentence of a task that could not start; the agent sees by itself whether it did. */
static void supervisor_tell_failure(const struct err *err)
{
    Quell__Pb__Frame frame = QUELL__PB__FRAME__INIT;
    Quell__Pb__NotStarted not_started = QUELL__PB__NOT_STARTED__INIT;

    frame.body_case = QUELL__PB__FRAME__BODY_NOT_STARTED;
    frame.not_started = &not_started;
    not_started.text = (char *) err->text;
    (void) frame_send(SUPERVISOR_FD_LINK, &frame, launch_bytes, sizeof(launch_bytes), NULL);
}

/* Nothing but SIGKILL ends a supervisor; and it is the last that should die for want of memory. */
static void supervisor_protect(void)
{
    sigset_t all;

    (void) sigfillset(&all);
    (void) sigprocmask(SIG_SETMASK, &all, NULL);
    (void) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void) fdio_write_text(AT_FDCWD, "/proc/self/oom_score_adj", "-999");
    for (int fd = SUPERVISOR_FD_LINK; fd < SUPERVISOR_FD_GROUP + CGROUP_SLOT_COUNT; fd++)
        (void) fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int main(int argc, char **argv)
{
    static struct supervisor s = {.report_fd = -1, .leader_pidfd = -1, .processes_at_kill = -1};
    struct stat st;
    struct err err = {0};

    log_open("quell-supervisor");
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        (void) printf("quell-supervisor %s\n", QUELL_VERSION);
        return 0;
    }
    if (argc != 2 || argv[1][0] == '-' || fstat(SUPERVISOR_FD_LINK, &st) < 0 ||
        !S_ISSOCK(st.st_mode)) {
        (void) fprintf(argc == 2 && strcmp(argv[1], "--help") == 0 ? stdout : stderr,
                       "quell-supervisor JOB.TASK.ATTEMPT: runs one task; started by quelld, with "
                       "descriptors that only quelld has\n");
        return argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
    }
    supervisor_protect();
    if (supervisor_main(&s, &err) < 0) {
        log_error("task %s: %s", argv[1], err.text);
        if (!s.launch.start_time_us)
            supervisor_tell_failure(&err);
        return 1;
    }
    return 0;
}
