/* quell.c - opening, the one descriptor, the deadlines, and closing. */
#include "libquell/answer.h"
#include "libquell/quell_impl.h"

#include "base/clock.h"
#include "libquell/core/task_rules.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#define HEARTBEAT_DEFAULT_MS 5000u
#define HEARTBEAT_MAX_MS     3600000u
#define SILENCE_SLACK_US     1000000u
#define FORGET_INTERVAL_US   3600000000u
#define FORGET_AGAIN_US      100000u

void quell_log(const struct quell *quell, int level, const char *format, ...)
{
    char text[1024];
    va_list args;

    if (!quell->on_log)
        return;
    va_start(args, format);
    (void) vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    quell->on_log(quell->log_arg, level, text);
}

static int watch(struct quell *quell, int fd, struct err *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(quell->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return err_errno(err, -errno, "watch a descriptor");
    return 0;
}

static int open_descriptors(struct quell *quell, struct err *err)
{
    int r;

    quell->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    quell->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    quell->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (quell->epoll_fd < 0 || quell->event_fd < 0 || quell->timer_fd < 0)
        return err_errno(err, -errno, "make a descriptor to wait on");
    r = watch(quell, quell->event_fd, err);
    if (r == 0)
        r = watch(quell, quell->timer_fd, err);
    return r < 0 ? r : watch(quell, endpoint_fd(quell->endpoint), err);
}

static int open_endpoint(struct quell *quell, const struct quell_options *options, struct err *err)
{
    if (options->listen_len == 0)
        return err_set(err, -EINVAL, "no address to listen on was given");
    for (size_t i = 0; i < options->listen_len; i++) {
        int r = endpoint_check_address(options->listen[i], 0, options->insecure, err);

        if (r < 0)
            return r;
        if (strncmp(options->listen[i], "tcp:", 4) == 0)
            quell_log(quell, LOG_WARNING,
                      "%s is open without a key: whoever reaches it can speak for any node, and "
                      "read every task",
                      options->listen[i]);
    }
    return endpoint_bind(options->listen, options->listen_len, &quell->endpoint, err);
}

static int take_options(struct quell *quell, const struct quell_options *options, struct err *err)
{
    uint64_t heartbeat_ms = options->heartbeat_ms ? options->heartbeat_ms : HEARTBEAT_DEFAULT_MS;

    if (heartbeat_ms > HEARTBEAT_MAX_MS)
        return err_set(err, -ERANGE, "a heartbeat of %" PRIu64 " ms is too long: at most %u ms",
                       heartbeat_ms, HEARTBEAT_MAX_MS);
    quell->heartbeat_us = heartbeat_ms * 1000;
    quell->grace_ms = options->has_grace ? options->grace_ms : TASK_GRACE_DEFAULT_MS;
    quell->on_log = options->on_log;
    quell->log_arg = options->log_arg;
    quell->on_node = options->on_node;
    quell->node_arg = options->node_arg;
    quell->keep_us = (options->keep_ms ? options->keep_ms : TASK_KEEP_DEFAULT_MS) * 1000;
    if (options->keep_ms != 0 &&
        (options->keep_ms < TASK_KEEP_MIN_MS || options->keep_ms > TASK_KEEP_MAX_MS))
        return err_set(err, -ERANGE,
                       "ended tasks can't be kept for %" PRIu64 " ms: from %llu to %llu ms",
                       options->keep_ms, TASK_KEEP_MIN_MS, TASK_KEEP_MAX_MS);
    return task_rules_check_grace(quell->grace_ms, err) < 0 ? -ERANGE : 0;
}

static struct quell *quell_new(void)
{
    struct quell *quell = calloc(1, sizeof(*quell));

    if (!quell)
        return NULL;
    quell->epoll_fd = quell->event_fd = quell->timer_fd = -1;
    node_table_init(&quell->nodes);
    wait_table_init(&quell->waits);
    TAILQ_INIT(&quell->answers);
    TAILQ_INIT(&quell->calls);
    TAILQ_INIT(&quell->bulks);
    return quell;
}

static struct quell *quell_free(struct quell *quell)
{
    node_table_done(&quell->nodes);
    quell->endpoint = endpoint_close(quell->endpoint);
    quell->store = store_close(quell->store);
    if (quell->timer_fd >= 0)
        (void) close(quell->timer_fd);
    if (quell->event_fd >= 0)
        (void) close(quell->event_fd);
    if (quell->epoll_fd >= 0)
        (void) close(quell->epoll_fd);
    free(quell);
    return NULL;
}

int quell_open(const struct quell_options *options, struct quell **ret, struct err *err)
{
    struct quell *quell = quell_new();
    int r;

    if (!quell)
        return err_set(err, -ENOMEM, "no memory for the head");
    r = take_options(quell, options, err);
    if (r == 0)
        r = store_open(options->state_dir, &quell->store, err);
    if (r == 0)
        r = open_endpoint(quell, options, err);
    if (r == 0)
        r = open_descriptors(quell, err);
    if (r < 0) {
        (void) quell_free(quell);
        return r;
    }
    *ret = quell;
    return 0;
}

int quell_fd(const struct quell *quell)
{
    return quell->epoll_fd;
}

static uint64_t silence_deadline(const struct quell *quell, const struct node *node)
{
    return node->heard_us + 3 * quell->heartbeat_us + SILENCE_SLACK_US;
}

/* A node that is silent has to say hello again, so that what is submitted meanwhile is known not to
   be there. When it was last heard is kept, but for that nothing has to wait or fail. */
static void expire_node(struct quell *quell, struct node *node)
{
    struct err err;

    quell_log(quell, LOG_WARNING, "node %s is unreachable: it was silent for %" PRIu64 " s",
              node->name, (quell->now_us - node->heard_us) / 1000000);
    if (round_change(quell, &err) < 0 ||
        store_touch_node(quell->store, node->name, node->heard_wall_us, &err) < 0)
        round_fail(quell, &err);
    node_table_silent(&quell->nodes, node);
    round_tell_node(quell, node->name, "unreachable");
}

static void expire(struct quell *quell)
{
    struct node *node;

    while ((node = TAILQ_FIRST(&quell->nodes.polls)) && node->poll.deadline_us <= quell->now_us) {
        node_table_unpark(&quell->nodes, node);
        commands_send_none(quell, &node->poll);
    }
    while ((node = TAILQ_FIRST(&quell->nodes.heard)) &&
           silence_deadline(quell, node) <= quell->now_us)
        expire_node(quell, node);
}

static uint64_t next_deadline(const struct quell *quell)
{
    const struct node *parked = TAILQ_FIRST(&quell->nodes.polls);
    const struct node *silent = TAILQ_FIRST(&quell->nodes.heard);
    const struct call *call = TAILQ_FIRST(&quell->waits.deadlines);
    uint64_t next = UINT64_MAX;

    if (parked)
        next = parked->poll.deadline_us;
    if (silent && silence_deadline(quell, silent) < next)
        next = silence_deadline(quell, silent);
    if (call && call->deadline_us < next)
        next = call->deadline_us;
    if (quell->forget_at_us < next)
        next = quell->forget_at_us;
    return next;
}

/* A timer that is set too early costs one idle round, and saves setting it for every poll. */
static void arm(struct quell *quell)
{
    uint64_t next = next_deadline(quell);
    struct itimerspec timer = {0};

    if (next == UINT64_MAX || (quell->armed_us != 0 && quell->armed_us <= next))
        return;
    timer.it_value.tv_sec = (time_t) (next / 1000000);
    timer.it_value.tv_nsec = (long) (next % 1000000) * 1000;
    (void) timerfd_settime(quell->timer_fd, TFD_TIMER_ABSTIME, &timer, NULL);
    quell->armed_us = next;
}

static void drain(struct quell *quell)
{
    uint64_t count;

    (void) !read(quell->event_fd, &count, sizeof(count));
    if (read(quell->timer_fd, &count, sizeof(count)) == sizeof(count))
        quell->armed_us = 0;
}

/* What has ended long enough ago goes, a bounded number at a time, in a transaction of its own:
   that this can't be done is nobody's failure. */
static void forget_old(struct quell *quell)
{
    uint64_t interval_us =
        quell->keep_us < FORGET_INTERVAL_US ? quell->keep_us : FORGET_INTERVAL_US;
    uint64_t now_us = clock_wall_us();
    bool more = false;
    struct err err;
    int r;

    if (quell->now_us < quell->forget_at_us || quell->changing)
        return;
    r = store_begin(quell->store, &err);
    if (r == 0)
        r = store_forget(quell->store, now_us > quell->keep_us ? now_us - quell->keep_us : 0,
                         now_us, &more, &err);
    if (r == 0)
        r = store_commit(quell->store, &err);
    if (r < 0) {
        store_rollback(quell->store);
        quell_log(quell, LOG_WARNING, "what has ended long ago could not be removed: %s", err.text);
    }
    quell->forget_at_us = quell->now_us + (more ? FORGET_AGAIN_US : interval_us);
}

int quell_dispatch(struct quell *quell, struct err *err)
{
    int r;

    drain(quell);
    quell->now_us = clock_mono_us();
    r = link_receive(quell, err);
    expire(quell);
    bulk_step(quell);
    round_finish(quell);
    forget_old(quell);
    node_table_sweep(&quell->nodes);
    arm(quell);
    return r;
}

/* Until nobody is left: a callback may ask again. */
static void refuse_all(struct quell *quell)
{
    static const char why[] = "the head is ending";
    struct call *call;

    do {
        wait_table_take_due(&quell->waits, UINT64_MAX, &quell->calls);
        while ((call = TAILQ_FIRST(&quell->calls))) {
            TAILQ_REMOVE(&quell->calls, call, entry);
            call_refuse(call, TASK_E_BUSY, why);
            call_run(call);
        }
        bulk_refuse_all(quell, why);
    } while (!TAILQ_EMPTY(&quell->calls) || !TAILQ_EMPTY(&quell->waits.deadlines) ||
             !TAILQ_EMPTY(&quell->bulks));
}

struct quell *quell_close(struct quell *quell)
{
    if (!quell)
        return NULL;
    round_finish(quell); /* what was done in this round is committed and told */
    refuse_all(quell);
    return quell_free(quell);
}
