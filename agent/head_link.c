#include "agent/head_link.h"

#include "agent/agent.h"
#include "agent/head_link_impl.h"
#include "agent/task.h"
#include "agent/task_table.h"
#include "base/clock.h"
#include "base/log.h"
#include "ipc/endpoint.h"
#include "ipc/envelope.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#define HEARTBEAT_US                                                                               \
    5000000u                 /* until the head has said its own; it says something twice in each   \
                              */
#define RETRY_MIN_US  20000u /* before an attempt to reach the head is repeated: doubled up to */
#define RETRY_MAX_US  1000000u
#define RETRY_SENT_US 500000u /* before a challenge without an answer is repeated, at first */
#define DRAIN_MAX     64

static void link_restart(struct head_link *link);

void head_link_schedule(struct head_link *link, uint64_t in_us)
{
    const struct timeval in = {.tv_sec = (time_t) (in_us / 1000000),
                               .tv_usec = (suseconds_t) (in_us % 1000000)};

    (void) event_add(link->retry, &in);
}

void head_link_wait_for_word(struct head_link *link)
{
    const struct timeval in = {.tv_sec = (time_t) (link->heartbeat_us / 1000000),
                               .tv_usec = (suseconds_t) (link->heartbeat_us % 1000000)};

    (void) event_add(link->silence, &in);
}

static void link_heard(struct head_link *link)
{
    link->heard_wall_us = clock_wall_us();
    head_link_wait_for_word(link);
}

void head_link_flush(struct head_link *link)
{
    if (!link || link->stage != LINK_READY)
        return;
    while (!TAILQ_EMPTY(&link->agent->unsent))
        if (!head_request_reports(link))
            break;
    if (!link->asked && !link->held)
        link->asked = head_request_commands(link);
}

/* ---- answers ---- */

static void link_greet(struct head_link *link)
{
    if (!head_request_greet(link))
        link_restart(link);
}

static void on_session(struct head_link *link, const Quell__Pb__Session *session)
{
    if (link->stage != LINK_CHALLENGED || session->session.len != sizeof(link->session) ||
        session->random.len != sizeof(link->random) ||
        memcmp(session->random.data, link->random, sizeof(link->random)) != 0)
        return;
    (void) memcpy(link->session, session->session.data, sizeof(link->session));
    link->counter = 0;
    link->stage = LINK_GREETING;
    link->hello_next = TAILQ_FIRST(&link->agent->tasks);
    link->hello_part = 0;
    link_greet(link);
}

static void on_hello_done(struct head_link *link, const Quell__Pb__HelloDone *done)
{
    struct task *task;

    if (link->stage != LINK_GREETING)
        return;
    if (done->more) {
        link_greet(link);
        return;
    }
    link->stage = LINK_READY;
    link->said_silent = link->said_refused = false;
    link->retry_us = RETRY_MIN_US;
    if (done->heartbeat_ms)
        link->heartbeat_us = done->heartbeat_ms * 1000;
    log_info("connected with the head at %s", link->agent->options.heads[link->address]);
    /* What an earlier session did not get acknowledged is said again. */
    TAILQ_FOREACH(task, &link->agent->tasks, entry)
    if (task_report_version(task) > task->acknowledged)
        head_link_report(task);
}

static void on_report_acked(struct head_link *link, const Quell__Pb__ReportAcked *acked)
{
    for (size_t i = 0; i < acked->n_acked; i++) {
        const Quell__Pb__ReportAcked__One *one = acked->acked[i];
        struct task *task =
            one->uid.len == TASK_UID_SIZE ? task_table_find(link->agent, one->uid.data) : NULL;

        if (!task || one->version <= task->acknowledged)
            continue;
        task->acknowledged = one->version;
        if (one->version == task_report_version(task))
            task->reported_at_us = 0;
        if (task->ending && one->version == task_report_version(task))
            task_event(task, ATTEMPT_EV_ACKNOWLEDGED, NULL);
    }
}

static void on_refused(struct head_link *link, const struct sent *request,
                       const Quell__Pb__Refused *refused)
{
    if (request->kind == QUELL__PB__REQUEST__BODY_COMMANDS_WANTED)
        link->asked = false;
    if (refused->code == QUELL__PB__REFUSED_CODE__REFUSED_SESSION) {
        link_restart(link);
        return;
    }
    if (!link->said_refused)
        log_warning("the head refuses a request: %s", refused->text);
    link->said_refused = true;
    link->held = true; /* said again with the next tick, or asked again when the timer is over */
    head_link_schedule(link, HEAD_HOLD_US);
}

static void on_reply(struct head_link *link, Quell__Pb__Reply *reply)
{
    struct sent *slot = head_request_find(link, &reply->id);
    struct sent request;

    if (!slot) { /* an answer to nothing that is asked: late, doubled or forged */
        /* A head that can't read a request's version knows no id either. */
        if (reply->body_case == QUELL__PB__REPLY__BODY_REFUSED &&
            reply->refused->code == QUELL__PB__REFUSED_CODE__REFUSED_VERSION &&
            !link->said_refused) {
            log_warning("the head at %s refuses this version: %s",
                        link->agent->options.heads[link->address], reply->refused->text);
            link->said_refused = true;
        }
        return;
    }
    request = *slot;
    slot->used = false;
    link_heard(link);
    if (reply->body_case == QUELL__PB__REPLY__BODY_REFUSED) {
        on_refused(link, &request, reply->refused);
        return;
    }
    head_outbox_confirm(link->agent, request.ack_generation);
    if (reply->body_case == QUELL__PB__REPLY__BODY_SESSION)
        on_session(link, reply->session);
    else if (reply->body_case == QUELL__PB__REPLY__BODY_HELLO_DONE)
        on_hello_done(link, reply->hello_done);
    else if (reply->body_case == QUELL__PB__REPLY__BODY_COMMANDS)
        head_commands_take(link, reply);
    else if (reply->body_case == QUELL__PB__REPLY__BODY_REPORT_ACKED)
        on_report_acked(link, reply->report_acked);
}

static void on_link(evutil_socket_t fd, short what, void *arg)
{
    struct head_link *link = arg;

    (void) fd;
    (void) what;
    for (int i = 0; i < DRAIN_MAX && link->endpoint; i++) {
        Quell__Pb__Reply *reply = NULL;
        struct err err = {0};
        uint8_t *bytes;
        size_t len;
        const int r = endpoint_receive(link->endpoint, &bytes, &len, NULL, &err);

        if (r != 0)
            break;
        if (envelope_open_reply(bytes, len, &reply, &err) < 0)
            log_warning("head: dropping a message: %s", err.text);
        endpoint_release(bytes);
        if (!reply)
            continue;
        on_reply(link, reply);
        quell__pb__reply__free_unpacked(reply, NULL);
    }
    event_active(link->agent->round, 0, 0);
}

/* ---- connecting ---- */

static void link_drop_endpoint(struct head_link *link)
{
    if (link->readable)
        event_free(link->readable);
    link->readable = NULL;
    link->endpoint = endpoint_close(link->endpoint);
    link->stage = LINK_CLOSED;
}

static int link_connect(struct head_link *link, struct err *err)
{
    const char *address = link->agent->options.heads[link->address];
    int r;

    r = endpoint_connect(address, &link->endpoint, err);
    if (r < 0)
        return r;
    link->readable = event_new(link->agent->base, endpoint_fd(link->endpoint), EV_READ | EV_PERSIST,
                               on_link, link);
    if (!link->readable || event_add(link->readable, NULL) < 0) {
        link_drop_endpoint(link);
        return err_set(err, -1, "watch the connection with the head");
    }
    head_link_wait_for_word(link);
    return 0;
}

/* Begins with a challenge, and again after a growing while: without a connection soon, so that a
   head that comes back is found; with one later, so that a slow head is not asked the more. */
static void link_restart(struct head_link *link)
{
    const bool sent = link->endpoint && head_request_challenge(link);
    const uint64_t least = sent ? RETRY_SENT_US : RETRY_MIN_US;
    const uint64_t most = sent ? link->heartbeat_us : RETRY_MAX_US;

    /* The hello says what is recorded, and what it does not list may be settled otherwise. */
    head_commands_drop(link);
    link->retry_us *= 2;
    if (link->retry_us < least)
        link->retry_us = least;
    if (link->retry_us > most)
        link->retry_us = most;
    head_link_schedule(link, link->retry_us);
}

static void link_reopen(struct head_link *link)
{
    struct err err = {0};

    link_drop_endpoint(link);
    link->address = (link->address + 1) % link->agent->options.heads_len;
    if (link_connect(link, &err) < 0)
        log_warning("head: %s", err.text);
    link_restart(link);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    struct head_link *link = arg;

    (void) fd;
    (void) what;
    link->held = false;
    if (link->stage == LINK_READY)
        head_link_flush(link);
    else if (link->stage == LINK_CLOSED)
        link_reopen(link);
    else
        link_restart(link);
}

/* nanomsg may lose an answer without a word: its request is given up and made again. */
static void link_resend_lost(struct head_link *link)
{
    const uint64_t now = clock_mono_us();
    struct task *task;

    for (size_t i = 0; i < HEAD_OUTSTANDING; i++) {
        struct sent *slot = &link->sent[i];

        if (!slot->used || now - slot->at_us <= 2 * link->heartbeat_us)
            continue;
        slot->used = false;
        if (slot->kind == QUELL__PB__REQUEST__BODY_COMMANDS_WANTED)
            link->asked = false;
    }

    TAILQ_FOREACH(task, &link->agent->tasks, entry)
    if (task->reported_at_us && now - task->reported_at_us > 2 * link->heartbeat_us)
        head_link_report(task);
}

/* nanomsg never notices a half-open connection: the head says something twice in a heartbeat. */
static void on_silence(evutil_socket_t fd, short what, void *arg)
{
    struct head_link *link = arg;

    (void) fd;
    (void) what;
    if (!link->said_silent)
        log_warning("the head at %s is silent; tasks go on, reports wait",
                    link->agent->options.heads[link->address]);
    link->said_silent = true;
    link_reopen(link);
}

void head_link_tick(struct head_link *link)
{
    link_resend_lost(link);
    head_link_flush(link);
}

int head_link_open(struct agent *agent, struct head_link **ret, struct err *err)
{
    struct head_link *link = calloc(1, sizeof(*link));

    if (!link)
        return err_set(err, -1, "no memory for the link with the head");
    link->agent = agent;
    link->heartbeat_us = HEARTBEAT_US;
    link->retry_us = RETRY_MIN_US;
    *ret = link;
    link->retry = evtimer_new(agent->base, on_retry, link);
    link->silence = evtimer_new(agent->base, on_silence, link);
    link->taking = evtimer_new(agent->base, head_commands_on_taking, link);
    if (!link->retry || !link->silence || !link->taking)
        return err_set(err, -1, "no memory for the link with the head");
    if (link_connect(link, err) < 0)
        return err->code;
    link_restart(link);
    return 0;
}

struct head_link *head_link_close(struct head_link *link)
{
    if (!link)
        return NULL;
    link_drop_endpoint(link);
    if (link->taking) {
        head_commands_drop(link);
        event_free(link->taking);
    }
    if (link->retry)
        event_free(link->retry);
    if (link->silence)
        event_free(link->silence);
    free(link);
    return NULL;
}

void head_link_status(const struct head_link *link, struct head_link_status *ret)
{
    struct task *task;

    *ret = (struct head_link_status){.address = link->agent->options.heads[link->address],
                                     .connected = link->stage == LINK_READY,
                                     .last_heard_us = link->heard_wall_us};
    TAILQ_FOREACH(task, &link->agent->tasks, entry)
    ret->reports_waiting += task_report_version(task) > task->acknowledged;
}
