/* verb_events.c - changes of status as they come: events, of the head or of an agent. */
#include "base/cleanup.h"
#include "base/units.h"
#include "ctl/client.h"
#include "ctl/ctl.h"
#include "ctl/sse.h"
#include "ctl/task_view.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#define SILENCE_MS 60000u /* a server says something every 15 s */
#define STOP       1      /* of the handler: the reason has been printed */

struct reader {
    struct ctl *ctl;
    struct sse *sse;
    uint64_t last; /* the id of the last event, or what --after said */
    bool has_last;
    bool stopped;
};

/* "2026-11-22T20:00:00.123456Z 7.1.0 TaskStatus_Failed n1 exit_code The program exited with 3." */
static void print_event(FILE *out, const json_t *event)
{
    const char *cause = text_get_string(event, "cause");
    const char *message = text_get_string(event, "error_message");

    text_write_field(out, event, "time");
    (void) fputc(' ', out);
    task_view_print_id(out, event);
    (void) fputc('.', out);
    text_write_field(out, event, "attempt");
    (void) fputc(' ', out);
    text_write_field(out, event, "status");
    (void) fputc(' ', out);
    text_write_field(out, event, "node");
    if (cause || message) {
        (void) fputc(' ', out);
        text_write_field(out, event, "cause");
    }
    if (message) {
        (void) fputc(' ', out);
        text_write_field(out, event, "error_message");
    }
    (void) fputc('\n', out);
}

static void remark_gap(struct ctl *ctl, const json_t *gap)
{
    char text[128];
    int64_t after;
    int64_t oldest;

    if (text_get_number(gap, "after", &after) && text_get_number(gap, "oldest", &oldest))
        (void) snprintf(text, sizeof(text),
                        "the events after %" PRId64 " and before %" PRId64 " are no longer kept",
                        after, oldest);
    else
        (void) snprintf(text, sizeof(text), "some events are no longer kept");
    ctl_remark(ctl, text);
}

static int take_event(struct reader *reader, const struct sse_event *event, const json_t *json)
{
    struct ctl *ctl = reader->ctl;

    if (strcmp(event->name, "gap") == 0)
        remark_gap(ctl, json);
    if (event->name[0] != '\0') /* of a newer server: not for us */
        return 0;
    if (ctl->args->given & ARGS_JSON)
        ctl_print_json_line(ctl, json);
    else
        print_event(ctl->out, json);
    if (!ctl_flush(ctl))
        return STOP;
    reader->has_last |= units_parse_number(event->id, 0, INT64_MAX, &reader->last) == 0;
    return 0;
}

static int on_event(void *arg, const struct sse_event *event)
{
    struct reader *reader = arg;
    json_t *json = json_loadb(event->data, event->data_len, JSON_ALLOW_NUL, NULL);
    int r = STOP;

    if (json_is_object(json))
        r = take_event(reader, event, json);
    else
        ctl_no_answer(reader->ctl, "the socket's event is not JSON: is it a socket of Quell?");
    json_decref(json);
    return r;
}

static bool on_bytes(void *arg, const char *bytes, size_t len)
{
    struct reader *reader = arg;
    int r = sse_feed(reader->sse, bytes, len);

    if (r == -EMSGSIZE)
        ctl_no_answer(reader->ctl, "the socket's event has no end: is it a socket of Quell?");
    else if (r < 0)
        ctl_out_of_memory(reader->ctl);
    reader->stopped = r != 0;
    return r == 0;
}

/* The stream has come to an end that nobody asked for. */
static void say_how_to_go_on(const struct reader *reader, const char *why)
{
    char text[sizeof(((struct err *) NULL)->text) + 128];

    if (reader->has_last)
        (void) snprintf(text, sizeof(text),
                        "%s; the last event was %" PRIu64 ": go on with --after %" PRIu64, why,
                        reader->last, reader->last);
    else
        (void) snprintf(text, sizeof(text), "%s; no event had come", why);
    ctl_no_answer(reader->ctl, text);
}

static void ask_events(struct reader *reader, const struct args *args)
{
    const struct client_sink sink = {on_bytes, reader, SILENCE_MS};
    const bool follow = args->given & ARGS_FOLLOW;
    struct err err = {0};
    char address[64];
    char after[32] = "";

    if (args->given & ARGS_AFTER)
        (void) snprintf(after, sizeof(after), "%cafter=%" PRIu64, follow ? '?' : '&', args->after);
    (void) snprintf(address, sizeof(address), "/v1/events%s%s", follow ? "" : "?follow=0", after);
    switch (ctl_ask_stream(reader->ctl, address, &sink, &err)) {
    case CTL_STREAM_NONE:
        return;
    case CTL_STREAM_BROKEN:
        say_how_to_go_on(reader, err.text);
        return;
    case CTL_STREAM_ENDED:
        if (follow && !reader->stopped)
            say_how_to_go_on(reader, "the socket's server has ended the stream");
        return;
    }
}

void verb_events(struct ctl *ctl, const struct args *args)
{
    struct reader reader = {.ctl = ctl, .last = args->after, .has_last = args->given & ARGS_AFTER};
    CLEANUP(sse_freep) struct sse *sse = sse_new(on_event, &reader);

    /* Also where it was inherited as ignored: who reads no more ends it, without a word. */
    (void) signal(SIGPIPE, SIG_DFL);
    reader.sse = sse;
    if (sse)
        ask_events(&reader, args);
    else
        ctl_out_of_memory(ctl);
}
