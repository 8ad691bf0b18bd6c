/* The head's feeds of events and its waits, with a libquell that answers when the test says so. */
#include "head/routes.h"
#include "test_http_fixture.h"

static struct asked { /* the read or the wait that is under way */
    uint64_t after_id;
    size_t limit;
    uint64_t timeout_ms;
    quell_on_events on_events;
    quell_on_task on_task;
    void *arg;
    unsigned count; /* of all */
    unsigned stopped;
    bool refuses;
} asked;

static struct routes routes;
static struct quell_refusal busy = {.code = TASK_E_BUSY, .text = "no memory"};

/* ---- the libquell ---- */

struct quell_wait *quell_read_events(struct quell *quell, uint64_t after_id, size_t limit,
                                     uint64_t timeout_ms, quell_on_events on_done, void *arg)
{
    cr_assert_eq(quell, routes.quell);
    cr_assert_null(asked.on_events, "a second read");
    asked.count++;
    if (asked.refuses) {
        on_done(arg, &busy, NULL);
        return NULL;
    }
    asked.after_id = after_id;
    asked.limit = limit;
    asked.timeout_ms = timeout_ms;
    asked.on_events = on_done;
    asked.arg = arg;
    return (struct quell_wait *) (void *) &asked;
}

struct quell_wait *quell_wait_task(struct quell *quell, uint32_t job_id, uint32_t task_id,
                                   uint64_t timeout_ms, quell_on_task on_done, void *arg)
{
    cr_assert_eq(quell, routes.quell);
    cr_assert(job_id == 7 && task_id == 1);
    if (asked.refuses) {
        on_done(arg, &busy, NULL);
        return NULL;
    }
    asked.timeout_ms = timeout_ms;
    asked.on_task = on_done;
    asked.arg = arg;
    asked.count++;
    return (struct quell_wait *) (void *) &asked;
}

void quell_stop_wait(struct quell *quell, struct quell_wait *wait)
{
    cr_assert_eq(quell, routes.quell);
    cr_assert_eq((void *) wait, (void *) &asked);
    cr_assert(asked.on_events || asked.on_task, "its callback has run");
    asked.stopped++;
}

static void not_asked(void)
{
    cr_assert_fail("nobody asked for this");
}

void quell_show_task(struct quell *quell, uint32_t job_id, uint32_t task_id, quell_on_task on_done,
                     void *arg)
{
    (void) quell, (void) job_id, (void) task_id, (void) on_done, (void) arg;
    not_asked();
}

void quell_list_tasks(struct quell *quell, const struct quell_filter *filter,
                      quell_on_tasks on_done, void *arg)
{
    (void) quell, (void) filter, (void) on_done, (void) arg;
    not_asked();
}

void quell_list_nodes(struct quell *quell, quell_on_nodes on_done, void *arg)
{
    (void) quell, (void) on_done, (void) arg;
    not_asked();
}

#define VERB(name)                                                                                 \
    void name(struct routes *r, struct http_request *request, const struct target *target)         \
    {                                                                                              \
        (void) r, (void) request, (void) target;                                                   \
        not_asked();                                                                               \
    }
VERB(verb_add)
VERB(verb_submit)
VERB(verb_cancel)
VERB(read_peek)
VERB(verb_cancel_job)
VERB(verb_requeue)

static void answer(const struct quell_refusal *refusal, const struct quell_events *events)
{
    quell_on_events on_events = asked.on_events;

    cr_assert_not_null(on_events);
    asked.on_events = NULL;
    on_events(asked.arg, refusal, events);
}

/* A page of @len events from @first on, each with a text of @text_len bytes. */
static void answer_page(uint64_t first, size_t len, size_t text_len)
{
    static char text[65536];
    struct quell_event events[100];
    struct quell_events page = {.events = events, .len = len, .last_id = first + len - 1};

    memset(text, 'm', text_len);
    text[text_len] = '\0';
    for (size_t i = 0; i < len; i++)
        events[i] = (struct quell_event){.id = first + i,
                                         .job_id = 7,
                                         .task_id = 1,
                                         .node = "n1",
                                         .user = "u",
                                         .status = TASK_RUNNING,
                                         .exit_code = TASK_UNKNOWN,
                                         .signal = TASK_UNKNOWN,
                                         .error_message = text_len ? text : NULL};
    answer(NULL, &page);
}

/* ---- the head ---- */

static void set_up_head(void)
{
    struct http_server_options options = {.path = f.path,
                                          .mode = 0600,
                                          .body_max = 4096,
                                          .header_max = 4096,
                                          .connections_max = 8,
                                          .request_timeout_ms = TIMEOUT_MS};
    struct err err = {0};

    set_up();
    f.server = http_server_close(f.server);
    asked = (struct asked){0};
    routes = (struct routes){.quell = (struct quell *) (void *) &routes};
    cr_assert_eq(http_server_open(f.base, &options, routes_handle, &routes, &f.server, &err), 0);
}

static void tear_down_head(void)
{
    tear_down();
    cr_expect(!asked.on_events && !asked.on_task, "a feed or a wait is left");
}

TestSuite(head_feed, .init = set_up_head, .fini = tear_down_head);

static void ask(struct client *client, const char *path)
{
    char text[256];

    (void) snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: q\r\n\r\n", path);
    client_open(client);
    client_send(client, text);
}

static void leave(struct client *client)
{
    client_close(client);
    run_until(asked.stopped == 1);
    answer(NULL, &(struct quell_events){.last_id = 0});
}

Test(head_feed, a_client_that_leaves_takes_its_read_with_it)
{
    struct client client;

    ask(&client, "/v1/events?after=41");
    run_until(asked.count == 1);
    cr_expect_eq(asked.after_id, 41);
    cr_expect_eq(asked.limit, 100);
    cr_expect_eq(asked.timeout_ms, 15000);
    leave(&client);
    cr_expect_eq(stats().connections, 0);
}

Test(head_feed, silence_is_a_comment_and_the_feed_goes_on_where_it_was)
{
    struct client client;

    ask(&client, "/v1/events");
    run_until(asked.count == 1);
    answer_page(5, 2, 0);
    run_until(asked.count == 2);
    cr_expect_eq(asked.after_id, 6);
    run_until(client_has(&client,
                         "id: 6\ndata: {\"event_id\":6,\"time\":null,\"job_id\":7,\"task_id\":1,"
                         "\"attempt\":0,\"node\":\"n1\",\"user\":\"u\","
                         "\"status\":\"TaskStatus_Running\",\"cause\":null,\"exit_code\":null,"
                         "\"signal\":null,\"error_message\":null}\n\n"));
    answer(NULL, &(struct quell_events){.last_id = 6});
    run_until(asked.count == 3);
    cr_expect_eq(asked.after_id, 6);
    run_until(client_has(&client, "\n: alive\n\n"));
    leave(&client);
}

Test(head_feed, a_gap_says_what_is_missing)
{
    struct client client;
    struct quell_event event = {
        .id = 20, .node = "n", .user = "u", .exit_code = TASK_UNKNOWN, .signal = TASK_UNKNOWN};

    ask(&client, "/v1/events?after=3");
    run_until(asked.count == 1);
    answer(NULL, &(struct quell_events){.events = &event, .len = 1, .gap = true, .last_id = 20});
    run_until(asked.count == 2);
    run_until(client_has(&client, "event: gap\ndata: {\"after\":3,\"oldest\":20}\n\nid: 20\n"));
    answer(NULL, &(struct quell_events){.gap = true, .last_id = 2});
    run_until(asked.count == 3);
    cr_expect_eq(asked.after_id, 2);
    run_until(client_has(&client, "event: gap\ndata: {\"after\":20,\"oldest\":null}\n\n"));
    cr_expect_not(client_has(&client, "alive"));
    leave(&client);
}

Test(head_feed, the_next_page_is_read_when_the_client_has_taken_the_one_before)
{
    int fd = client_connect();
    static const char text[] = "GET /v1/events HTTP/1.1\r\nHost: q\r\n\r\n";
    static char buffer[1 << 16];

    cr_assert_eq(write(fd, text, sizeof(text) - 1), (ssize_t) sizeof(text) - 1);
    run_until(asked.count == 1);
    answer_page(1, 100, 60000); /* 6 MB: more than a socket holds */
    run_for(TIMEOUT_MS / 4);
    cr_expect_eq(asked.count, 1, "read ahead of a client that reads nothing");
    while (asked.count == 1) {
        if (read(fd, buffer, sizeof(buffer)) == 0)
            cr_assert_fail("the feed has ended");
        (void) event_base_loop(f.base, EVLOOP_NONBLOCK);
    }
    cr_expect_eq(asked.after_id, 100);
    answer_page(101, 100, 60000);
    run_until(stats().cut_off == 1); /* it reads no more */
    cr_expect_eq(asked.count, 2);
    cr_expect_eq(asked.stopped, 0, "there was no read to stop");
    (void) close(fd);
}

Test(head_feed, without_following_full_pages_go_on_and_the_last_one_ends_it)
{
    struct client client;

    ask(&client, "/v1/events?follow=0");
    run_until(asked.count == 1);
    cr_expect_eq(asked.timeout_ms, 0);
    answer_page(1, 100, 0);
    run_until(asked.count == 2);
    answer_page(101, 3, 0);
    run_until(client_has(&client, "\r\n0\r\n\r\n"));
    cr_expect(client_has(&client, "id: 103\n"));
    cr_expect_eq(asked.count, 2);
    client_close(&client);
}

Test(head_feed, a_refused_read_ends_the_reply)
{
    struct client client;

    ask(&client, "/v1/events");
    run_until(asked.count == 1);
    answer(&busy, NULL);
    run_until(client_has(&client, "\r\n0\r\n\r\n"));
    client_close(&client);

    asked.refuses = true; /* at once, without a wait */
    ask(&client, "/v1/events");
    run_until(client_has(&client, "\r\n0\r\n\r\n"));
    client_close(&client);
}

Test(head_feed, a_head_that_ends_lets_its_feeds_end)
{
    struct client client;

    ask(&client, "/v1/events");
    run_until(asked.count == 1);
    answer_page(1, 1, 0); /* on its way */
    routes.quell = NULL;
    run_until(client_has(&client, "\r\n0\r\n\r\n"));
    cr_expect_eq(asked.count, 1);
    client_close(&client);
    ask(&client, "/v1/events");
    run_until(client_has(&client, "the head is ending"));
    cr_expect(client_has(&client, " 503 "));
    client_close(&client);
}

Test(head_feed, head_asks_for_no_events)
{
    struct client client;

    client_open(&client);
    client_send(&client, "HEAD /v1/events HTTP/1.1\r\nHost: q\r\n\r\n"
                         "GET /healthz HTTP/1.1\r\nHost: q\r\n\r\n");
    run_until(client_has(&client, "\r\n\r\nok\n"));
    cr_expect_eq(asked.count, 0);
    client_close(&client);
}

Test(head_feed, a_client_that_leaves_takes_its_wait_for_a_task_with_it)
{
    struct client client;
    quell_on_task on_task;

    ask(&client, "/v1/tasks/7.1?wait_ms=60000");
    run_until(asked.count == 1);
    cr_expect_eq(asked.timeout_ms, 60000);
    client_close(&client);
    run_until(asked.stopped == 1);
    on_task = asked.on_task;
    asked.on_task = NULL;
    on_task(asked.arg, &busy, NULL);
    cr_expect_eq(stats().connections, 0);

    asked.refuses = true;
    ask(&client, "/v1/tasks/7.1?wait_ms=1");
    run_until(client_has(&client, " 503 "));
    client_close(&client);
}
