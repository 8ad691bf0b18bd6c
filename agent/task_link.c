/* task_link.c - the agent's connection with a task's supervisor. */
#include "agent/agent.h"
#include "agent/task.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "ipc/frame.h"
#include "ipc/record.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define LINK_FRAME_MAX 16384u

static uint8_t link_buffer[LINK_FRAME_MAX];

/* False: said again with the next tick, or to the supervisor that comes next. */
static bool task_send(struct task *task, Quell__Pb__Frame *frame)
{
    struct err err = {0};

    if (task->link_fd < 0)
        return false;
    if (frame_send(task->link_fd, frame, link_buffer, sizeof(link_buffer), &err) == 0)
        return true;
    log_warning("task %s: its supervisor could not be told: %s", task->label, err.text);
    return false;
}

void task_send_cancel(struct task *task)
{
    Quell__Pb__Frame frame = QUELL__PB__FRAME__INIT;
    Quell__Pb__Cancel cancel = QUELL__PB__CANCEL__INIT;

    frame.body_case = QUELL__PB__FRAME__BODY_CANCEL;
    frame.cancel = &cancel;
    cancel.grace_ms = task_grace_left_ms(task);
    task->cancel_unsent = !task_send(task, &frame);
}

void task_send_leader_ended(struct task *task)
{
    Quell__Pb__Frame frame = QUELL__PB__FRAME__INIT;
    Quell__Pb__LeaderEnded ended = QUELL__PB__LEADER_ENDED__INIT;

    frame.body_case = QUELL__PB__FRAME__BODY_LEADER_ENDED;
    frame.leader_ended = &ended;
    ended.wait_status = (uint32_t) task->leader_wait_status;
    (void) task_send(task, &frame);
}

static void task_release(struct task *task)
{
    Quell__Pb__Frame frame = QUELL__PB__FRAME__INIT;
    Quell__Pb__Release release = QUELL__PB__RELEASE__INIT;

    frame.body_case = QUELL__PB__FRAME__BODY_RELEASE;
    frame.release = &release;
    (void) task_send(task, &frame);
}

static void on_state(struct task *task, Quell__Pb__State *state)
{
    task->phase = state->phase;
    if (state->phase == QUELL__PB__PHASE__PHASE_ENDED)
        task->ending_unrecorded = !state->recorded;
    if (!task->started && state->started) {
        task->started = state->started; /* taken over */
        state->started = NULL;
    }
    if (state->phase >= QUELL__PB__PHASE__PHASE_RUNNING && task->started && task_is_alive(task))
        task_event(task, ATTEMPT_EV_EXECUTED, NULL);
}

static void on_ending(struct task *task, Quell__Pb__Frame *frame)
{
    Quell__Pb__Ending *ending = frame->ended;
    const bool recorded = !task->ending_unrecorded;

    frame->body_case = QUELL__PB__FRAME__BODY__NOT_SET; /* taken over */
    frame->ended = NULL;
    task_ended(task, ending, recorded);
    if (!recorded && !task->ending_unrecorded)
        task_release(task);
}

void task_retry_ending(struct task *task)
{
    if (!task->ending || !task->ending_unrecorded)
        return;
    task_record_again(task);
    if (!task->ending_unrecorded)
        task_release(task);
}

static void on_not_started(struct task *task, const Quell__Pb__NotStarted *not_started)
{
    free(task->supervisor_failure);
    task->supervisor_failure = strdup(not_started->text);
}

static void on_frame(struct task *task, Quell__Pb__Frame *frame)
{
    if (frame->body_case == QUELL__PB__FRAME__BODY_STATE)
        on_state(task, frame->state);
    else if (frame->body_case == QUELL__PB__FRAME__BODY_ENDED)
        on_ending(task, frame);
    else if (frame->body_case == QUELL__PB__FRAME__BODY_NOT_STARTED)
        on_not_started(task, frame->not_started);
}

static void task_not_begun(struct task *task)
{
    const char *why = task->supervisor_failure;
    char text[600];

    (void) snprintf(text, sizeof(text), "could not start: %s",
                    why ? why : "its supervisor ended before it could (see the node's log)");
    task_event(task, ATTEMPT_EV_NOT_LAUNCHED, text);
}

/* The supervisor is gone. It writes its ending before it says anything, so the disk knows. */
static void on_supervisor_gone(struct task *task)
{
    CLEANUP_FD int fd = store_open_attempt(&task->agent->store, task->uid_text, false, NULL);
    Quell__Pb__Record *record = NULL;
    Quell__Pb__Ending *ending = NULL;
    struct err err = {0};
    int r;

    task_close_link(task);
    if (task->ending)
        return;
    r = fd < 0 || !store_has(fd, "ending") ? -ENOENT : store_read(fd, "ending", &record, &err);
    if (r == -EBADMSG || r == -EPROTONOSUPPORT) {
        log_error("task %s is left alone: %s", task->label, err.text);
        task->unreadable = true;
        return;
    }
    if (record) {
        ending = record_take_ending(record);
        quell__pb__record__free_unpacked(record, NULL);
    }
    if (ending) {
        task_ended(task, ending, true);
        return;
    }
    log_warning("task %s: its supervisor is gone", task->label);
    if (task->state.phase == ATTEMPT_STARTING && !task->state.handed_over && fd >= 0 &&
        !store_has(fd, "started") && !task_group_is_populated(task))
        task_not_begun(task);
    else
        task_event(task, ATTEMPT_EV_SUPERVISOR_GONE, NULL);
}

static void on_link_readable(evutil_socket_t fd, short what, void *arg)
{
    struct task *task = arg;

    (void) what;
    for (;;) { /* several frames may have come with one wake-up */
        Quell__Pb__Frame *frame = NULL;
        struct err err = {0};
        const int r = frame_receive(fd, link_buffer, sizeof(link_buffer), NULL, &frame, &err);

        if (r == FRAME_NONE)
            return;
        if (r == 0) {
            on_frame(task, frame);
            quell__pb__frame__free_unpacked(frame, NULL);
            continue;
        }
        if (r < 0)
            log_warning("task %s: dropping its supervisor's connection: %s", task->label, err.text);
        on_supervisor_gone(task);
        return;
    }
}

void task_supervisor_reaped(struct task *task)
{
    task->supervisor_pid = 0;
    /* What it said last is read first; then its link is closed, whoever else may hold the other
     * end. */
    if (task->link_fd >= 0)
        on_link_readable(task->link_fd, 0, task);
    if (task->link_fd >= 0)
        on_supervisor_gone(task);
    else if (task_is_alive(task))
        task_succeed(task);
}

int task_open_link(struct task *task, int fd, struct err *err)
{
    task_close_link(task);
    task->link_fd = fd;
    task->link_event =
        event_new(task->agent->base, fd, EV_READ | EV_PERSIST, on_link_readable, task);
    if (!task->link_event || event_add(task->link_event, NULL) < 0) {
        task_close_link(task);
        return err_set(err, -ENOMEM, "watch the supervisor's connection");
    }
    /* What a supervisor that is found, or a new one, has to know; said twice it does no harm. */
    if (task->leader_reaped)
        task_send_leader_ended(task);
    if (task->state.cancelled)
        task_send_cancel(task);
    return 0;
}

void task_close_link(struct task *task)
{
    if (task->link_event)
        event_free(task->link_event);
    task->link_event = NULL;
    cleanup_fd(&task->link_fd);
    task->link_fd = -1;
}

int task_connect(struct task *task)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    (void) snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s",
                    task->agent->run_dirfd, task->uid_text);
    if (connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0)
        return -errno;
    return task_open_link(task, TAKE_FD(fd), NULL);
}

bool task_connect_refused(int code)
{
    return code == -ECONNREFUSED || code == -ENOENT;
}
