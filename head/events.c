/*
 * events.c - GET /v1/events: each change of a task's status, as server-sent events.
 *
 * A client's feed reads one page from libquell, writes it as one piece, and reads the next when the
 * client has taken it: a slow client costs one page, and is behind by what it has not read.
 */
#include "base/clock.h"
#include "base/units.h"
#include "head/reply.h"
#include "head/routes.h"
#include "head/task_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE     100u
#define ALIVE_MS 15000u /* so long at most there is silence */

static const char retry[] = "retry: 1000\n\n";
static const char alive[] = ": alive\n\n";

struct feed {
    const struct routes *routes; /* borrowed */
    struct http_stream *stream;  /* NULL: the client is gone, and the read under way comes back */
    struct quell_wait *wait;     /* the read under way; NULL: none */
    uint64_t after_id;
    uint64_t until_us; /* wall: what was recorded later is not told; 0: no end */
};

static void feed_end(struct feed *feed)
{
    if (feed->stream)
        http_stream_end(feed->stream);
    free(feed);
}

static bool print_event(FILE *stream, const struct quell_event *event)
{
    json_t *json = event_view(event);
    bool done;

    (void) fprintf(stream, "id: %" PRIu64 "\ndata: ", event->id);
    done = json && json_dumpf(json, stream, JSON_COMPACT) == 0;
    (void) fputs("\n\n", stream);
    json_decref(json);
    return done;
}

static bool print_page(FILE *stream, uint64_t after_id, const struct quell_events *page)
{
    if (page->gap && page->len > 0)
        (void) fprintf(stream,
                       "event: gap\ndata: {\"after\":%" PRIu64 ",\"oldest\":%" PRIu64 "}\n\n",
                       after_id, page->events[0].id);
    else if (page->gap)
        (void) fprintf(stream, "event: gap\ndata: {\"after\":%" PRIu64 ",\"oldest\":null}\n\n",
                       after_id);
    for (size_t i = 0; i < page->len; i++)
        if (!print_event(stream, &page->events[i]))
            return false;
    return ferror(stream) == 0;
}

/* False: no memory, and nothing was written. */
static bool write_page(const struct feed *feed, const struct quell_events *page)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    bool done = stream && print_page(stream, feed->after_id, page);

    if (stream)
        done = fclose(stream) == 0 && done;
    if (done && size > 0)
        http_stream_write(feed->stream, text, size);
    free(text);
    return done;
}

/* Whether a reply that is to end has told all that there was when it began. */
static bool is_all(const struct feed *feed, const struct quell_events *page)
{
    return feed->until_us != 0 &&
           (page->len < PAGE || page->events[page->len - 1].time_us > feed->until_us);
}

/* What can't be told ends the reply: the client asks again, behind the last event that it has. */
static void on_page(void *arg, const struct quell_refusal *refusal, const struct quell_events *page)
{
    struct feed *feed = arg;

    feed->wait = NULL;
    if (!feed->stream || refusal || !write_page(feed, page) || is_all(feed, page)) {
        feed_end(feed);
        return;
    }
    feed->after_id = page->last_id;
    if (page->len == 0 && !page->gap)
        http_stream_write(feed->stream, alive, sizeof(alive) - 1);
}

static void on_drained(void *arg)
{
    struct feed *feed = arg;
    struct quell_wait *wait;

    if (!feed->routes->quell) {
        feed_end(feed);
        return;
    }
    wait = quell_read_events(feed->routes->quell, feed->after_id, PAGE,
                             feed->until_us ? 0 : ALIVE_MS, on_page, feed);
    if (wait) /* else it was refused, and the feed is gone */
        feed->wait = wait;
}

static void on_gone(void *arg)
{
    struct feed *feed = arg;

    http_stream_end(feed->stream);
    feed->stream = NULL;
    if (feed->wait)
        quell_stop_wait(feed->routes->quell, feed->wait); /* on_page() ends the feed */
    else
        feed_end(feed);
}

/* Where a client goes on says the header of one that comes back, else the query. False: it makes no
   sense, and the request has been answered. */
static bool read_place(struct http_request *request, uint64_t *ret_after, bool *ret_follow)
{
    const char *last = http_request_header(request, "Last-Event-ID");
    uint64_t follow = 1;

    *ret_after = 0;
    if (!read_number(request, "after", 0, INT64_MAX, ret_after) ||
        !read_number(request, "follow", 0, 1, &follow))
        return false;
    *ret_follow = follow == 1;
    if (!last || units_parse_number(last, 0, INT64_MAX, ret_after) == 0)
        return true;
    reply_refusal(request, TASK_E_INVALID,
                  "Last-Event-ID must be a whole number from 0 to 9223372036854775807");
    return false;
}

void read_events(struct routes *routes, struct http_request *request, const struct target *target)
{
    struct http_stream_events events = {.on_drained = on_drained, .on_gone = on_gone};
    struct feed *feed;
    uint64_t after_id;
    bool follow;

    (void) target;
    if (!read_place(request, &after_id, &follow))
        return;
    feed = malloc(sizeof(*feed));
    if (!feed) {
        reply_refusal(request, TASK_E_BUSY, "the head has no memory for the request");
        return;
    }
    *feed = (struct feed){
        .routes = routes, .after_id = after_id, .until_us = follow ? 0 : clock_wall_us()};
    events.arg = feed;
    feed->stream = http_stream_begin(request, 200, "text/event-stream", &events);
    if (!feed->stream) {
        free(feed);
        return;
    }
    http_stream_write(feed->stream, retry, sizeof(retry) - 1);
}
