/*
 * scheduler.c - a complete, small scheduler around libquell (docs/libquell.md).
 *
 *     cc scheduler.c $(pkg-config --cflags --libs quell) -o scheduler
 *     scheduler STATE_DIR ADDRESS
 *
 * It waits for the first node whose agent dials ADDRESS (quelld --head ADDRESS), runs three tasks
 * of one job there, and ends when all three have ended as they should: with exit status 0, else 1.
 *   1  ends by itself
 *   2  would sleep for ten minutes: it is cancelled as soon as it runs
 *   3  fails at its first attempt: it is requeued
 * Each change of a task's status is printed. Who wants it to end earlier sends SIGINT or SIGTERM.
 */
#include "libquell/quell.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <syslog.h>
#include <unistd.h>

enum { PLAN_SHORT, PLAN_LONG, PLAN_FLAKY, PLANS };

/* No shell: a command is its words. QUELL_ATTEMPT counts from 0. */
static const char *const short_argv[] = {"/bin/echo", "hello"};
static const char *const long_argv[] = {"/bin/sleep", "600"};
static const char *const flaky_argv[] = {"/bin/sh", "-c", "test \"$QUELL_ATTEMPT\" -gt 0"};

static const struct plan {
    const char *name;
    const char *const *argv;
    size_t argv_len;
    enum task_status should_end;
} plans[PLANS] = {
    [PLAN_SHORT] = {"short", short_argv, 2, TASK_FINISHED},
    [PLAN_LONG] = {"long", long_argv, 2, TASK_CANCELLED},
    [PLAN_FLAKY] = {"flaky", flaky_argv, 3, TASK_FINISHED},
};

static const char stop_message[] = "its place is needed";

#define WAIT_MS 60000u

struct scheduler {
    struct quell *quell;
    struct quell_who who;              /* who asks, and whose tasks they are */
    char node[TASK_NODE_NAME_MAX + 1]; /* "" until one is up */
    uint32_t job_id;                   /* 0 until the first task is there */
    struct quell_wait *reading;        /* of events, until its callback runs */
    size_t added;
    size_t ended;
    bool done; /* all have ended, and all their events are printed */
    bool closing;
    bool failed;
};

static void add_next(struct scheduler *s);
static void wait_for_end(struct scheduler *s, uint32_t task_id);
static void read_events(struct scheduler *s, uint64_t after_id);

/* What can't be done says why: a number that a program can act on, and a sentence for a person.
   While closing, what still waits is refused: that is no failure. */
static bool is_refused(struct scheduler *s, const char *verb, const struct quell_refusal *refusal)
{
    if (!refusal)
        return false;
    if (!s->closing) {
        const char *kind = task_error_text(refusal->code);

        fprintf(stderr, "scheduler: %s: error 0x%08x: %s (%s)\n", verb, (unsigned) refusal->code,
                refusal->text, kind ? kind : "of a newer libquell");
        s->failed = true;
    }
    return true;
}

/* ---- what libquell tells; each of these runs inside quell_dispatch() or quell_close() ---- */

static void on_log(void *arg, int level, const char *text)
{
    (void) arg;
    if (level <= LOG_WARNING)
        fprintf(stderr, "scheduler: %s\n", text);
}

static void on_node(void *arg, const char *node, const char *state)
{
    struct scheduler *s = arg;

    printf("node %s is %s\n", node, state);
    if (s->node[0] != '\0' || strcmp(state, "up") != 0)
        return;
    /* Pointers given to a callback are gone when it returns: what is needed later is copied. */
    snprintf(s->node, sizeof(s->node), "%s", node);
    add_next(s); /* verbs may be called from callbacks */
}

static void on_cancelled(void *arg, const struct quell_refusal *refusal,
                         const struct quell_task *task)
{
    /* Accepted and on the disk. It is Cancelled when the node has proved its end. */
    if (!is_refused(arg, "cancel", refusal))
        printf("%" PRIu32 ".%" PRIu32 ": cancel accepted\n", task->job_id, task->task_id);
}

static void on_requeued(void *arg, const struct quell_refusal *refusal,
                        const struct quell_task *task)
{
    if (!is_refused(arg, "requeue", refusal))
        wait_for_end(arg, task->task_id);
}

static void on_ended(void *arg, const struct quell_refusal *refusal, const struct quell_task *task)
{
    struct scheduler *s = arg;
    const struct quell_attempt *attempt;

    if (is_refused(s, "wait", refusal))
        return;
    attempt = &task->current;
    if (!task_status_is_terminal(attempt->status)) { /* the time of the wait is up */
        wait_for_end(s, task->task_id);
        return;
    }
    if (attempt->status == TASK_FAILED && attempt->attempt == 0) {
        quell_requeue_task(s->quell, task->job_id, task->task_id, NULL, &s->who, on_requeued, s);
        return;
    }
    printf("%" PRIu32 ".%" PRIu32 " (%s) has ended as %s after %zu earlier attempts\n",
           task->job_id, task->task_id, task->name, task_status_name(attempt->status),
           task->attempts_len);
    if (++s->ended == PLANS && s->reading)
        quell_stop_wait(s->quell, s->reading); /* what is there now is the last to be printed */
    if (attempt->status != plans[task->task_id - 1].should_end)
        s->failed = true;
}

static void on_added(void *arg, const struct quell_refusal *refusal, const struct quell_task *task)
{
    struct scheduler *s = arg;

    if (is_refused(s, "add", refusal))
        return;
    s->job_id = task->job_id;
    s->added++;
    wait_for_end(s, task->task_id);
    add_next(s);
}

static void on_events(void *arg, const struct quell_refusal *refusal,
                      const struct quell_events *events)
{
    struct scheduler *s = arg;

    s->reading = NULL;
    if (is_refused(s, "events", refusal))
        return;
    if (events->gap)
        printf("older events are no longer kept\n");
    for (size_t i = 0; i < events->len; i++) {
        const struct quell_event *e = &events->events[i];
        const char *cause = task_cause_name(e->cause);

        printf("%" PRIu32 ".%" PRIu32 " attempt %" PRIu32 ": %s%s%s%s%s\n", e->job_id, e->task_id,
               e->attempt, task_status_name(e->status), cause ? ", " : "", cause ? cause : "",
               e->error_message ? ": " : "", e->error_message ? e->error_message : "");
        if (e->job_id == s->job_id && e->task_id == PLAN_LONG + 1 && e->status == TASK_RUNNING)
            quell_cancel_task(s->quell, e->job_id, e->task_id, stop_message, strlen(stop_message),
                              NULL, &s->who, on_cancelled, s);
    }
    /* A scheduler that must not miss one keeps last_id, and begins behind it when it is started
       again. This one begins with the oldest that is kept. */
    if (s->ended == PLANS && events->len == 0)
        s->done = true;
    else
        read_events(s, events->last_id);
}

/* ---- what it asks of libquell ---- */

static void add_next(struct scheduler *s)
{
    const struct plan *plan = &plans[s->added < PLANS ? s->added : 0];
    const struct quell_task_request request = {
        .job_id = s->job_id, /* 0, for the first: a new job */
        .task_id = (uint32_t) s->added + 1,
        .node = s->node,
        .name = plan->name,
        .argv = plan->argv,
        .argv_len = plan->argv_len,
        .workdir = "/",
        .stdout_path = "/dev/null",
        .stderr_path = "/dev/null",
        .submit = true, /* at once: no quell_submit_task() is needed */
    };

    if (s->added < PLANS)
        quell_add_task(s->quell, &request, &s->who, on_added, s);
}

/* The handle is only for who wants to stop the wait: that there is no memory for it is told to the
   callback, as any refusal. */
static void wait_for_end(struct scheduler *s, uint32_t task_id)
{
    (void) quell_wait_task(s->quell, s->job_id, task_id, WAIT_MS, on_ended, s);
}

static void read_events(struct scheduler *s, uint64_t after_id)
{
    const uint64_t timeout_ms = s->ended == PLANS ? 0 : WAIT_MS;

    s->reading = quell_read_events(s->quell, after_id, 0, timeout_ms, on_events, s);
}

/* ---- the scheduler's own loop ---- */

/* True when the three tasks have ended as they should. */
static bool run(struct scheduler *s, int signal_fd)
{
    while (!s->done && !s->failed) {
        struct pollfd fds[] = {{.fd = quell_fd(s->quell), .events = POLLIN},
                               {.fd = signal_fd, .events = POLLIN}};
        struct err err;

        if (poll(fds, 2, -1) < 0 && errno != EINTR) {
            perror("scheduler: poll");
            return false;
        }
        if (fds[1].revents)
            return false; /* told to end */
        if (fds[0].revents && quell_dispatch(s->quell, &err) < 0) {
            fprintf(stderr, "scheduler: %s\n", err.text);
            return false;
        }
    }
    return !s->failed;
}

/* libquell has threads beneath it (nanomsg's), which inherit the mask: signals are blocked before
   quell_open(), so that none of those threads takes them. */
static int open_signals(void)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    return signalfd(-1, &signals, SFD_CLOEXEC);
}

static int schedule(struct scheduler *s, const char *state_dir, const char *address)
{
    const struct quell_options options = {
        .state_dir = state_dir,
        .listen = &address,
        .listen_len = 1,
        .on_log = on_log,
        .on_node = on_node,
        .node_arg = s,
    };
    int signal_fd = open_signals();
    struct err err;
    bool done;

    if (signal_fd < 0) {
        perror("scheduler: signalfd");
        return 1;
    }
    if (quell_open(&options, &s->quell, &err) < 0) {
        fprintf(stderr, "scheduler: %s\n", err.text);
        close(signal_fd);
        return 1;
    }
    printf("waiting for a node at %s\n", address);
    read_events(s, 0);
    done = run(s, signal_fd);
    s->closing = true; /* what still waits is refused now */
    s->quell = quell_close(s->quell);
    close(signal_fd);
    return done ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct scheduler s = {.who = {.uid = getuid(), .operator_ = getuid() == 0}};
    const bool help = argc == 2 && strcmp(argv[1], "--help") == 0;

    if (argc != 3) {
        fprintf(help ? stdout : stderr, "usage: scheduler STATE_DIR ADDRESS\n");
        return help ? 0 : 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    return schedule(&s, argv[1], argv[2]);
}
