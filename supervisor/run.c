/* run.c - the supervisor's loop: events in, the core's actions carried out. */
#include "supervisor/run.h"

#include "base/clock.h"
#include "base/fdio.h"
#include "base/log.h"
#include "cgroups/task_cgroup.h"
#include "supervisor/leader.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define LOOK_AGAIN_MS 100 /* after a look that failed, and only then */
#define CORE_LOOK_US  60000000u

/* The child's pipe: a failure, or its end of file, which is exec (or the child's death). */
static void supervisor_read_report(struct supervisor *s)
{
    ssize_t n;

    if (s->report_fd < 0)
        return;
    n = read(s->report_fd, &s->failure, sizeof(s->failure));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n != (ssize_t) sizeof(s->failure))
        s->failure = (struct launch_failure){.code = 0};
    (void) close(s->report_fd);
    s->report_fd = s->fds[AT_REPORT].fd = -1;
    if (s->failure.code == 0 && s->life.phase == LIFE_RUNNING)
        supervisor_tell_state(s);
}

void supervisor_arm_timer(struct supervisor *s)
{
    const uint64_t at = life_deadline_us(&s->life);
    const struct itimerspec spec = {
        .it_value = {.tv_sec = (time_t) (at / 1000000), .tv_nsec = (long) (at % 1000000) * 1000}};

    (void) timerfd_settime(s->fds[AT_TIMER].fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

/* A successor's leader that has left the group is nobody's child that could be found. */
static void supervisor_signal_leader(struct supervisor *s, int signo)
{
    if (s->leader_pidfd >= 0 && !s->leader_gone && !task_cgroup_contains(s->group, s->tree.leader))
        (void) syscall(SYS_pidfd_send_signal, s->leader_pidfd, signo, NULL, 0);
}

static void supervisor_kill(struct supervisor *s)
{
    struct err err = {0};

    if (!s->cgroup_killed) {
        s->processes_at_kill = tree_count(&s->tree);
        s->cgroup_killed = true;
    }
    if (task_cgroup_kill(s->group, &err) < 0)
        log_error("task %u.%u: %s", s->order->name->job_id, s->order->name->task_id, err.text);
    tree_kill_escaped(&s->tree);
    supervisor_signal_leader(s, SIGKILL);
}

/* A look that failed has taken the event with it: it is repeated after a while. */
static bool supervisor_is_empty(struct supervisor *s)
{
    const int r = task_cgroup_is_empty(s->group, NULL);

    if (r < 0)
        s->look_again = true;
    return r == TASK_CGROUP_EMPTY;
}

/* What is left now. False: the program runs, and there is nothing to say. The kernel's word on the
   group is read at every look: until then its event stays raised. */
static bool supervisor_observe(struct supervisor *s, struct life_event *ret)
{
    *ret = (struct life_event){.type = LIFE_EV_LOOKED, .empty = supervisor_is_empty(s)};
    ret->now_us = clock_mono_us();
    /* The dying are reaped in one pass, when the kernel says that the last of them is gone. */
    if (s->life.phase == LIFE_KILLING && !ret->empty)
        return true;
    /* A leader that nobody can name has ended when the group is empty. */
    if (s->leader_unknown && ret->empty)
        s->tree.leader_ended = true;
    ret->alone = s->life.no_leader || tree_reap(&s->tree); /* else nobody is our child */
    if (s->tree.leader_ended && !s->life.leader_ended) {
        const struct life_event ended = {.type = LIFE_EV_LEADER_ENDED, .now_us = clock_mono_us()};

        supervisor_read_report(s);          /* it says why, if exec failed */
        (void) life_step(&s->life, &ended); /* it asks to look: that is what happens here */
    }
    if (s->life.phase == LIFE_RUNNING && !s->life.leader_ended)
        return s->life.no_leader && ret->empty;
    ret->empty = supervisor_is_empty(s);
    ret->now_us = clock_mono_us();
    return true;
}

/* One event for the core; carries out all that it says, but another look. */
static uint32_t supervisor_step(struct supervisor *s, const struct life_event *event)
{
    const enum life_phase before = s->life.phase;
    const uint32_t actions = life_step(&s->life, event);

    if (actions & LIFE_DO_TERM) {
        tree_terminate(&s->tree);
        supervisor_signal_leader(s, SIGTERM);
        supervisor_signal_leader(s, SIGCONT);
    }
    if (actions & LIFE_DO_KILL)
        supervisor_kill(s);
    if (actions & LIFE_DO_TIMER)
        supervisor_arm_timer(s);
    if (s->life.phase != before && s->life.phase != LIFE_OVER)
        supervisor_tell_state(s);
    if (actions & LIFE_DO_RECORD)
        supervisor_record(s);
    return actions;
}

void supervisor_look(struct supervisor *s)
{
    struct life_event event;

    s->look_again = false;
    while (supervisor_observe(s, &event))
        if (!(supervisor_step(s, &event) & LIFE_DO_LOOK))
            break;
}

static void supervisor_feed(struct supervisor *s, struct life_event event)
{
    if (supervisor_step(s, &event) & LIFE_DO_LOOK)
        supervisor_look(s);
}

static void supervisor_cancel(struct supervisor *s, const Quell__Pb__Cancel *cancel)
{
    supervisor_feed(s, (struct life_event){.type = LIFE_EV_CANCEL,
                                           .now_us = clock_mono_us(),
                                           .grace_us = life_us_of_ms(cancel->grace_ms)});
}

/* ---- what happens ---- */

static void supervisor_leader_is(struct supervisor *s, bool known, int wait_status)
{
    if (s->tree.leader_ended)
        return;
    s->tree.leader_ended = true;
    s->tree.status_known = known;
    s->tree.wait_status = wait_status;
    supervisor_look(s);
}

static void on_agent(struct supervisor *s)
{
    if (!link_accept(&s->link))
        return;
    s->agent_is_parent = false; /* that was the one before */
    supervisor_tell_state(s);
    if (s->life.phase == LIFE_OVER)
        supervisor_tell_ending(s);
    else if (s->leader_gone)
        supervisor_leader_is(s, false, 0);
}

static void on_children(struct supervisor *s)
{
    struct signalfd_siginfo drained[16];

    while (read(s->fds[AT_SIGNAL].fd, drained, sizeof(drained)) == (ssize_t) sizeof(drained))
        ;
    supervisor_look(s);
}

static void on_timer(struct supervisor *s)
{
    uint64_t expirations;

    if (read(s->fds[AT_TIMER].fd, &expirations, sizeof(expirations)) > 0)
        supervisor_feed(s, (struct life_event){.type = LIFE_EV_TIMER, .now_us = clock_mono_us()});
}

static void on_frames(struct supervisor *s)
{
    for (;;) {
        const Quell__Pb__Frame *frame = link_receive(&s->link);

        if (!frame)
            break;
        if (frame->body_case == QUELL__PB__FRAME__BODY_CANCEL) {
            supervisor_cancel(s, frame->cancel);
        } else if (frame->body_case == QUELL__PB__FRAME__BODY_LEADER_ENDED &&
                   !s->tree.leader_is_child) {
            supervisor_leader_is(s, true, (int) frame->leader_ended->wait_status);
        } else if (frame->body_case == QUELL__PB__FRAME__BODY_RELEASE) {
            s->released = true;
        }
    }
    if (s->link.fd < 0 && s->leader_gone)
        supervisor_leader_is(s, false, 0); /* who could have told it is gone too */
}

/* A successor's leader has ended. Where the kernel can't tell the status, the agent can if it is
   the parent now; else nobody. */
static void on_leader(struct supervisor *s)
{
    int wait_status = 0;

    s->fds[AT_LEADER].fd = -1;
    s->leader_gone = true;
    if (leader_wait_status(s->order->started, s->leader_pidfd, &wait_status))
        supervisor_leader_is(s, true, wait_status);
    else if (!s->agent_is_parent || s->link.fd < 0)
        supervisor_leader_is(s, false, 0);
}

/* The kernel tells nobody that a dump begins, and no zombie is there before it ends. So the leader
   is asked now and then, while nothing else is going on: at most once a minute, and as often as the
   time that a dump may take. */
static uint64_t core_look_interval_us(const struct supervisor *s)
{
    const uint64_t most_us = life_us_of_ms(s->order->core_dump_ms);

    return most_us < CORE_LOOK_US ? most_us : CORE_LOOK_US;
}

static bool core_is_watched(const struct supervisor *s)
{
    return s->order->core_dump_ms && s->life.phase == LIFE_RUNNING && s->tree.leader > 0 &&
           !s->tree.leader_ended && !s->leader_gone;
}

static bool leader_dumps(const struct supervisor *s)
{
    char path[32], status[2048];
    ssize_t len;

    (void) snprintf(path, sizeof(path), "/proc/%d/status", (int) s->tree.leader);
    len = fdio_read_text(AT_FDCWD, path, status, sizeof(status));
    return len > 0 && strstr(status, "\nCoreDumping:\t1");
}

static void supervisor_watch_core(struct supervisor *s)
{
    const uint64_t now = clock_mono_us();

    if (!core_is_watched(s) || now < s->core_look_us)
        return;
    s->core_look_us = now + core_look_interval_us(s);
    if (!leader_dumps(s))
        s->core_since_us = 0;
    else if (!s->core_since_us)
        s->core_since_us = now;
    else if (now - s->core_since_us >= life_us_of_ms(s->order->core_dump_ms))
        supervisor_feed(s, (struct life_event){.type = LIFE_EV_CORE_TIME, .now_us = now});
}

/* Of the loop's poll(2), in milliseconds. */
static int supervisor_patience(const struct supervisor *s)
{
    const uint64_t now = clock_mono_us();

    if (s->look_again)
        return LOOK_AGAIN_MS;
    if (!core_is_watched(s))
        return -1;
    return s->core_look_us > now ? (int) ((s->core_look_us - now) / 1000) + 1 : 0;
}

int supervisor_run(struct supervisor *s, struct err *err)
{
    int n;

    s->core_look_us = clock_mono_us() + core_look_interval_us(s);
    while (s->life.phase != LIFE_OVER || (!s->recorded && !s->released)) {
        s->fds[AT_LINK].fd = s->link.fd;
        n = poll(s->fds, AT_COUNT, supervisor_patience(s));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, -errno, "poll");
        if (n == 0 && s->look_again)
            supervisor_look(s);
        supervisor_watch_core(s);
        if (s->fds[AT_LISTEN].revents)
            on_agent(s);
        if (s->fds[AT_LINK].revents)
            on_frames(s);
        if (s->fds[AT_REPORT].revents)
            supervisor_read_report(s);
        if (s->fds[AT_TIMER].revents)
            on_timer(s);
        if (s->fds[AT_LEADER].revents)
            on_leader(s);
        if (s->fds[AT_SIGNAL].revents)
            on_children(s);
        else if (s->fds[AT_GROUP].revents)
            supervisor_look(s);
    }
    return 0;
}
