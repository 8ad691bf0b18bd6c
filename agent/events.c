#include "agent/events.h"

#include "agent/agent.h"
#include "agent/slice.h"
#include "agent/status.h"
#include "agent/status_task.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/units.h"
#include "http/http_server.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define EVENTS_KEPT  10000u
#define EVENTS_PIECE 100u /* in one write; the next follows when the client has taken it */
#define ALIVE_S      14   /* 15 s without a word at most */

struct follower {
    TAILQ_ENTRY(follower) entry;
    struct events *events; /* borrowed */
    struct http_stream *stream;
    struct event *alive;
    uint64_t next; /* the number of the next event for it */
    bool begun;
    bool stays;   /* else it ends with what there is */
    bool writing; /* a piece is on its way */
};

struct events {
    struct agent *agent;      /* borrowed */
    char *texts[EVENTS_KEPT]; /* JSON by number, modulo; owned */
    uint64_t oldest;          /* the number of the oldest that is kept */
    uint64_t next;            /* of the next that will come */
    struct event *news;       /* for followers that wait */
    TAILQ_HEAD(, follower) followers;
};

/* ---- what is kept ---- */

static bool events_is_told(enum attempt_phase phase)
{
    return phase == ATTEMPT_QUEUED || phase == ATTEMPT_RUNNING || phase == ATTEMPT_ENDED;
}

void events_note(const struct task *task)
{
    struct events *events = task->agent->events;
    char **text = &events->texts[events->next % EVENTS_KEPT];
    json_t *object;

    if (!events_is_told(task->state.phase))
        return;
    object = status_task_event(task, events->next);
    free(*text);
    *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    events->next++;
    if (events->next - events->oldest > EVENTS_KEPT)
        events->oldest++;
    if (!TAILQ_EMPTY(&events->followers))
        slice_next(events->news);
}

/* ---- followers ---- */

static void follower_free(struct follower *follower)
{
    TAILQ_REMOVE(&follower->events->followers, follower, entry);
    if (follower->stream)
        http_stream_end(follower->stream);
    if (follower->alive)
        event_free(follower->alive);
    free(follower);
}

static void follower_write(struct follower *follower, const char *text, size_t len)
{
    follower->writing = true;
    http_stream_write(follower->stream, text, len);
}

/* What comes next for it, as text of server-sent events; nothing when there is nothing. */
static void follower_print(struct follower *follower, FILE *out)
{
    const struct events *events = follower->events;

    if (!follower->begun)
        (void) fputs("retry: 1000\n\n", out);
    follower->begun = true;
    if (follower->next < events->oldest || follower->next > events->next) {
        (void) fprintf(out,
                       "event: gap\ndata: {\"after\": %" PRIu64 ", \"oldest\": %" PRIu64 "}\n\n",
                       follower->next - 1, events->oldest);
        follower->next = events->oldest;
    }
    for (unsigned i = 0; i < EVENTS_PIECE && follower->next < events->next; i++) {
        const char *text = events->texts[follower->next % EVENTS_KEPT];

        if (text) /* else there was no memory for it */
            (void) fprintf(out, "id: %" PRIu64 "\ndata: %s\n\n", follower->next, text);
        follower->next++;
    }
}

static void follower_go_on(struct follower *follower)
{
    static const struct timeval alive = {.tv_sec = ALIVE_S};
    CLEANUP_FREE char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (out) {
        follower_print(follower, out);
        (void) fclose(out);
    }
    if (text && len)
        follower_write(follower, text, len);
    else if (!follower->stays || !out)
        follower_free(follower);
    else
        (void) event_add(follower->alive, &alive);
}

static void on_drained(void *arg)
{
    struct follower *follower = arg;

    follower->writing = false;
    follower_go_on(follower);
}

static void on_gone(void *arg)
{
    follower_free(arg);
}

static void on_alive(evutil_socket_t fd, short what, void *arg)
{
    static const char comment[] = ": alive\n\n";
    struct follower *follower = arg;

    (void) fd;
    (void) what;
    if (!follower->writing) /* else it has something to read */
        follower_write(follower, comment, strlen(comment));
}

static void on_news(evutil_socket_t fd, short what, void *arg)
{
    struct events *events = arg;
    struct follower *follower, *next;

    (void) fd;
    (void) what;
    for (follower = TAILQ_FIRST(&events->followers); follower; follower = next) {
        next = TAILQ_NEXT(follower, entry);
        if (!follower->writing)
            follower_go_on(follower);
    }
}

/* ---- the question ---- */

/* Where it begins and whether it stays. False: it makes no sense. */
static bool events_parse(const struct events *events, const struct http_request *request,
                         uint64_t *ret_next, bool *ret_stays)
{
    const char *last = http_request_header(request, "Last-Event-ID");
    const char *after = last ? last : http_request_query(request, "after");
    const char *follow = http_request_query(request, "follow");
    uint64_t number;

    *ret_next = events->oldest;
    *ret_stays = !follow || strcmp(follow, "1") == 0;
    if (!*ret_stays && strcmp(follow, "0") != 0)
        return false;
    if (!after)
        return true;
    if (units_parse_number(after, 0, UINT64_MAX - 1, &number) < 0)
        return false;
    *ret_next = number + 1;
    return true;
}

void events_answer(struct events *events, struct http_request *request)
{
    struct http_stream_events on = {.on_drained = on_drained, .on_gone = on_gone};
    struct follower *follower;
    uint64_t next;
    bool stays;

    if (!events_parse(events, request, &next, &stays)) {
        status_refuse(request, 400, TASK_E_INVALID,
                      "Last-Event-ID and after are the number of an event, follow is 0 or 1");
        return;
    }
    follower = calloc(1, sizeof(*follower));
    if (follower)
        follower->alive = evtimer_new(events->agent->base, on_alive, follower);
    if (!follower || !follower->alive) {
        status_reply(request, 500, NULL);
        free(follower);
        return;
    }
    follower->events = events;
    follower->next = next;
    follower->stays = stays;
    follower->writing = true; /* the head of the reply */
    TAILQ_INSERT_TAIL(&events->followers, follower, entry);
    on.arg = follower;
    follower->stream = http_stream_begin(request, 200, "text/event-stream", &on);
    if (!follower->stream)
        follower_free(follower);
}

struct events *events_new(struct agent *agent)
{
    struct events *events = calloc(1, sizeof(*events));

    if (!events)
        return NULL;
    events->agent = agent;
    events->oldest = events->next = clock_wall_us();
    TAILQ_INIT(&events->followers);
    events->news = evtimer_new(agent->base, on_news, events);
    return events->news ? events : events_free(events);
}

struct events *events_free(struct events *events)
{
    if (!events)
        return NULL;
    for (struct follower *follower; (follower = TAILQ_FIRST(&events->followers));)
        follower_free(follower);
    if (events->news)
        event_free(events->news);
    for (size_t i = 0; i < EVENTS_KEPT; i++)
        free(events->texts[i]);
    free(events);
    return NULL;
}
