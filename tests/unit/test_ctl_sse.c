#include "ctl/sse.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

/* What the events were, as "name|id|data;" each. */
struct log {
    char text[1024];
    size_t len;
    int answer; /* to each event */
};

static int on_event(void *arg, const struct sse_event *event)
{
    struct log *log = arg;

    cr_expect_eq(event->data[event->data_len], '\0');
    log->len += (size_t) snprintf(log->text + log->len, sizeof(log->text) - log->len, "%s|%s|%s;",
                                  event->name, event->id, event->data);
    return log->answer;
}

static const struct {
    const char *stream;
    const char *want;
} rows[] = {
    {"retry: 1000\n\n", ""},
    {"id: 1\ndata: {}\n\n", "|1|{};"},
    {"data: a\n\ndata: b\n\n", "||a;||b;"},
    {"id: 1\r\ndata: a\r\n\r\nid: 2\r\ndata: b\r\n\r\n", "|1|a;|2|b;"},
    {"data: a\r\ndata: b\r\n\r\n", "||a\nb;"},
    {"id: 1\rdata: a\r\rid: 2\rdata: b\r\r", "|1|a;|2|b;"},
    {"data: a\ndata:\ndata:  b\n\n", "||a\n\n b;"},
    {"data\n\n", "||;"},
    {"id: 7\n\ndata: a\n\n", "|7|a;"},
    {"id: 7\ndata: a\n\nid\ndata: b\n\n", "|7|a;||b;"},
    {"event: gap\ndata: x\n\ndata: y\n\n", "gap||x;||y;"},
    {"event: gap\n\ndata: y\n\n", "||y;"},
    {": alive\n\n:\n\n: data: no\ndata: yes\n\n", "||yes;"},
    {"\xef\xbb\xbf"
     "data: a\n\n",
     "||a;"},
    {"\n\xef\xbb\xbf"
     "data: a\n\n",
     ""},
    {"data: not over\n", ""},
    {"data: not over", ""},
    {"Data: a\n data: b\ndatas: c\nunknown\n\n", ""},
    {"id: 1234567890123456789012345678901234567890123456789012345678901234\ndata: a\n\n", "||a;"},
    {"data: \xff\xc3\n\n", "||\xff\xc3;"},
};

static void feed_in_pieces(size_t row, size_t cut, size_t piece)
{
    const char *stream = rows[row].stream;
    size_t len = strlen(stream);
    struct log log = {.len = 0};
    struct sse *sse = sse_new(on_event, &log);

    cr_assert_eq(sse_feed(sse, stream, cut), 0);
    for (size_t at = cut; at < len; at += piece) {
        /* A copy of its own size: a byte read behind it is found by the sanitizer. */
        size_t n = piece < len - at ? piece : len - at;
        char *copy = malloc(n);

        memcpy(copy, stream + at, n);
        cr_assert_eq(sse_feed(sse, copy, n), 0);
        free(copy);
    }
    cr_expect_str_eq(log.text, rows[row].want, "row %zu, cut at %zu, pieces of %zu: %s", row, cut,
                     piece, log.text);
    cr_expect_null(sse_free(sse));
}

Test(ctl_sse, events_are_the_same_wherever_the_bytes_are_cut)
{
    for (size_t i = 0; i < LEN(rows); i++) {
        const size_t len = strlen(rows[i].stream);

        for (size_t cut = 0; cut <= len; cut++)
            feed_in_pieces(i, cut, len + 1);
        feed_in_pieces(i, 0, 1);
        feed_in_pieces(i, 0, 2);
    }
}

Test(ctl_sse, an_id_with_a_nul_in_it_is_passed_over)
{
    static const char stream[] = "id: 1\ndata: a\n\nid: 2\0003\ndata: b\n\n";
    struct log log = {.len = 0};
    struct sse *sse = sse_new(on_event, &log);

    cr_expect_eq(sse_feed(sse, stream, sizeof(stream) - 1), 0);
    cr_expect_str_eq(log.text, "|1|a;|1|b;", "%s", log.text);
    (void) sse_free(sse);
}

Test(ctl_sse, the_handlers_word_ends_the_feeding)
{
    static const char stream[] = "data: a\n\ndata: b\n\n";
    struct log log = {.answer = 7};
    struct sse *sse = sse_new(on_event, &log);

    cr_expect_eq(sse_feed(sse, stream, sizeof(stream) - 1), 7);
    cr_expect_str_eq(log.text, "||a;");
    (void) sse_free(sse);
}

Test(ctl_sse, what_never_ends_is_refused_and_not_kept)
{
    static const char *const pieces[] = {"x", "data: 789012345678901234567890\n"};
    struct log log = {.len = 0};

    for (size_t i = 0; i < LEN(pieces); i++) {
        struct sse *sse = sse_new(on_event, &log);
        size_t fed = 0;
        int r = 0;

        for (; r == 0 && fed < 4 * SSE_EVENT_MAX; fed += strlen(pieces[i]))
            r = sse_feed(sse, pieces[i], strlen(pieces[i]));
        cr_expect_eq(r, -EMSGSIZE, "row %zu: %d", i, r);
        cr_expect_gt(fed, SSE_EVENT_MAX / 2);
        (void) sse_free(sse);
    }
    cr_expect_eq(log.len, 0);
}
