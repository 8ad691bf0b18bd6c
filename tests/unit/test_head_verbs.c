/* quell-head: requeue, cancel of several, waits and the events. */
#include "test_head_fixture.h"

TestSuite(head_verbs, .init = setup, .fini = teardown, .timeout = 60);

Test(head_verbs, several_tasks_of_a_job_are_cancelled_and_each_is_answered)
{
    const struct http *http;
    const json_t *refused;

    for (int i = 0; i < 3; i++)
        (void) ask("POST", "/v1/tasks", "{\"node\":\"n1\",\"command\":[\"x\"],\"job_id\":4}");
    http = ask("POST", "/v1/jobs/4/cancel", "{\"message\":\"some\",\"task_ids\":[1,3,9]}");
    cr_expect_eq(http->status, 200, "%s", http->text);
    cr_expect_eq(json_array_size(json_object_get(http->json, "tasks")), 2);
    cr_expect_str_eq(text_of(json_array_get(json_object_get(http->json, "tasks"), 1), "status"),
                     "TaskStatus_Cancelled");
    cr_expect_null(json_object_get(http->json, "error"));
    cr_assert_eq(json_array_size(json_object_get(http->json, "refused")), 1);
    refused = json_array_get(json_object_get(http->json, "refused"), 0);
    cr_expect_eq(json_integer_value(json_object_get(refused, "job_id")), 4);
    cr_expect_eq(json_integer_value(json_object_get(refused, "task_id")), 9);
    cr_expect_str_eq(text_of(refused, "code"), "0x80040207");
    cr_expect_str_eq(text_of(refused, "text"), "there is no task 4.9");

    http = ask("POST", "/v1/jobs/4/cancel", "{\"task_ids\":[1,9]}");
    cr_expect_eq(http->status, 409, "%s", http->text);
    cr_expect_str_eq(text_of(json_object_get(http->json, "error"), "code"), "0x80040209");
    cr_expect_eq(json_array_size(json_object_get(http->json, "tasks")), 0);
    cr_expect_eq(json_array_size(json_object_get(http->json, "refused")), 2);
}

Test(head_verbs, numbers_of_tasks_that_make_no_sense_are_400)
{
    static const struct bad_body bodies[] = {
        {"{\"task_ids\":[]}", "task_ids must be an array of 1 to 10000 numbers of tasks"},
        {"{\"task_ids\":1}", "task_ids must be an array of 1 to 10000 numbers of tasks"},
        {"{\"task_ids\":[0]}", "task_ids must be an array of whole numbers from 1 to 2147483647"},
        {"{\"task_ids\":[1,2147483648]}",
         "task_ids must be an array of whole numbers from 1 to 2147483647"},
        {"{\"task_ids\":[1.0]}", "task_ids must be an array of whole numbers from 1 to 2147483647"},
    };

    (void) ask("POST", "/v1/tasks", TASK_N1);
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        expect_error(ask("POST", "/v1/jobs/1/cancel", bodies[i].body), 400, "0x80070057",
                     bodies[i].text);
    expect_error(ask("POST", "/v1/tasks/1.1/cancel", "{\"task_ids\":[1]}"), 400, "0x80070057",
                 "there is no member \"task_ids\" in such a request");
    expect_status(ask("GET", "/v1/tasks/1.1", ""), "TaskStatus_NotSubmitted");
}

Test(head_verbs, a_requeue_shows_the_earlier_attempt)
{
    const struct http *http;
    const json_t *earlier;

    (void) ask("POST", "/v1/tasks", TASK_N1);
    expect_error(ask("POST", "/v1/tasks/1.1/requeue", "{\"message\":\"x\"}"), 400, "0x80070057",
                 "there is no member \"message\" in such a request");
    expect_error(ask("POST", "/v1/tasks/1.1/requeue", "{\"grace_ms\":86400001}"), 400, "0x80070057",
                 "grace_ms must be a whole number from 0 to 86400000");
    cr_expect_eq(ask("POST", "/v1/tasks/1.1/requeue", "")->status, 409, "it has not run");
    (void) ask("POST", "/v1/tasks/1.1/cancel", "{\"message\":\"first\"}");
    http = ask("POST", "/v1/tasks/1.1/requeue", "{\"node\":\"n1\",\"grace_ms\":0}");
    expect_status(http, "TaskStatus_Queued");
    cr_expect_eq(json_integer_value(json_object_get(http->json, "attempt")), 1);
    cr_expect(json_is_null(json_object_get(http->json, "error_message")));
    cr_assert_eq(json_array_size(json_object_get(http->json, "attempts")), 1);
    earlier = json_array_get(json_object_get(http->json, "attempts"), 0);
    cr_expect_eq(json_object_size(earlier), 15, "%s", http->text);
    cr_expect_eq(json_integer_value(json_object_get(earlier, "attempt")), 0);
    cr_expect_str_eq(text_of(earlier, "status"), "TaskStatus_Cancelled");
    cr_expect_str_eq(text_of(earlier, "error_message"), "first");
    cr_expect_str_eq(text_of(json_object_get(earlier, "cancelled_by"), "name"), "root");
    cr_expect_str_eq(text_of(earlier, "node"), "n1");
}

Test(head_verbs, a_pending_requeue_and_the_end_of_the_grace_are_shown)
{
    struct remembered command;
    const struct http *http;

    (void) ask("POST", "/v1/tasks", "{\"node\":\"n1\",\"command\":[\"x\"],\"submit\":true}");
    command = peer_one_command(&peer);
    peer_ack(&peer, &command);
    cr_assert(peer_report_started(&peer, command.uid, 1));
    http = ask("POST", "/v1/tasks/1.1/requeue", "");
    expect_status(http, "TaskStatus_Running");
    cr_expect_str_eq(text_of(http->json, "requeue_node"), "n1");
    cr_expect_eq(text_of(http->json, "kill_time")[10], 'T', "%s", http->text);
    http = ask("POST", "/v1/tasks/1.1/cancel", "");
    cr_expect(json_is_null(json_object_get(http->json, "requeue_node")), "withdrawn");
}

/* ---- events ---- */

static int open_events(const char *path, const char *header)
{
    char request[256];
    int fd = connect_socket();

    cr_assert_geq(fd, 0);
    (void) snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", path, header);
    cr_assert_eq(fdio_write(fd, request, strlen(request)), 0);
    return fd;
}

/* Reads on until @text has come. */
static void read_until(int fd, char *buffer, size_t size, const char *text)
{
    size_t len = strlen(buffer);

    while (!strstr(buffer, text)) {
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        ssize_t n;

        cr_assert_eq(poll(&readable, 1, RIG_WAIT_MS), 1, "waited in vain for %s in %s", text,
                     buffer);
        n = read(fd, buffer + len, size - 1 - len);
        cr_assert_gt(n, 0, "ended without %s: %s", text, buffer);
        len += (size_t) n;
        buffer[len] = '\0';
    }
}

Test(head_verbs, each_change_of_a_status_is_an_event)
{
    char text[8192] = "";
    const char *data;
    json_t *event;
    int fd = open_events("/v1/events", "");

    read_until(fd, text, sizeof(text), "retry: 1000\n\n");
    cr_expect(strstr(text, "Content-Type: text/event-stream\r\n"), "%s", text);
    (void) ask("POST", "/v1/tasks", TASK_N1);
    (void) ask("POST", "/v1/tasks/1.1/cancel", "{\"message\":\"two\\nlines\"}");
    read_until(fd, text, sizeof(text), "TaskStatus_Cancelled");
    read_until(fd, text, sizeof(text), "two\\nlines");
    data = strstr(text, "data: ");
    cr_assert(data);
    event = json_loads(strstr(data + 1, "data: ") ? strstr(data + 1, "data: ") + 6 : data + 6,
                       JSON_DISABLE_EOF_CHECK, NULL);
    cr_assert(event, "%s", text);
    cr_expect_eq(json_object_size(event), 12);
    cr_expect_eq(json_integer_value(json_object_get(event, "job_id")), 1);
    cr_expect_eq(json_integer_value(json_object_get(event, "task_id")), 1);
    cr_expect_str_eq(text_of(event, "node"), "n1");
    cr_expect_str_eq(text_of(event, "user"), "root");
    cr_expect_str_eq(text_of(event, "status"), "TaskStatus_Cancelled");
    cr_expect_str_eq(text_of(event, "error_message"), "two\nlines");
    json_decref(event);
    (void) close(fd);
}

static size_t count_of(const char *text, const char *word)
{
    size_t count = 0;

    for (const char *at = text; (at = strstr(at, word)); at++)
        count++;
    return count;
}

Test(head_verbs, without_following_the_reply_ends_with_what_is_there)
{
    const struct http *http;
    char text[8192] = "";
    int fd;

    for (int i = 0; i < 130; i++) /* more than a page */
        (void) ask("POST", "/v1/tasks", TASK_N1);
    http = ask("GET", "/v1/events?follow=0", "");
    cr_expect_eq(http->status, 200);
    cr_expect_eq(count_of(http->text, "\nid: "), 130);
    cr_expect_eq(count_of(http->text, "event: gap"), 0);
    http = ask("GET", "/v1/events?follow=0&after=128", "");
    cr_expect_eq(count_of(http->text, "\nid: "), 2);
    cr_expect(strstr(http->text, "id: 129\ndata: {\"event_id\":129,"), "%s", http->text);
    http = ask("GET", "/v1/events?follow=0&after=130", "");
    cr_expect_eq(count_of(http->text, "\nid: "), 0);

    fd = open_events("/v1/events?follow=0&after=5", "Last-Event-ID: 129\r\nConnection: close\r\n");
    read_until(fd, text, sizeof(text), "\r\n0\r\n");
    cr_expect_eq(count_of(text, "\nid: "), 1, "the header wins: %s", text);
    (void) close(fd);
    fd = open_events("/v1/events", "Last-Event-ID: last\r\n");
    read_until(fd, text, sizeof(text), "Last-Event-ID must be a whole number");
    (void) close(fd);
}

Test(head_verbs, events_that_are_not_kept_any_more_are_a_gap)
{
    const struct http *http;

    (void) ask("POST", "/v1/tasks", TASK_N1);
    http = ask("GET", "/v1/events?follow=0&after=1000", "");
    cr_expect(strstr(http->text, "event: gap\ndata: {\"after\":1000,\"oldest\":"), "%s",
              http->text);
}

static int64_t connections(void)
{
    const struct http *http = ask("GET", "/v1/head", "");

    return json_integer_value(json_object_get(json_object_get(http->json, "http"), "connections"));
}

Test(head_verbs, it_says_its_version_and_what_its_socket_does)
{
    const struct http *http = ask("GET", "/v1/head", "");
    const json_t *counts = json_object_get(http->json, "http");

    cr_expect_eq(http->status, 200);
    cr_expect_eq(strncmp(text_of(http->json, "version"), "0.", 2), 0);
    cr_expect_geq(json_integer_value(json_object_get(counts, "requests")), 1);
    cr_expect_eq(json_integer_value(json_object_get(counts, "cut_off")), 0);
    cr_expect_eq(json_integer_value(json_object_get(counts, "connections")), 1);
}

Test(head_verbs, clients_that_leave_while_they_wait_leave_nothing)
{
    int fds[40];

    (void) ask("POST", "/v1/tasks", TASK_N1);
    for (int i = 0; i < 40; i++)
        fds[i] = open_events(i % 2 ? "/v1/events?after=1" : "/v1/tasks/1.1?wait_ms=60000", "");
    cr_expect_eq(connections(), 41);
    for (int i = 0; i < 40; i++)
        (void) close(fds[i]);
    cr_expect_eq(connections(), 1);
    expect_status(ask("POST", "/v1/tasks/1.1/cancel", ""), "TaskStatus_Cancelled");
}

Test(head_verbs, it_ends_cleanly_with_clients_that_follow_and_wait)
{
    char text[4096] = "";
    int events = open_events("/v1/events", "");
    int wait;

    (void) ask("POST", "/v1/tasks", TASK_N1);
    wait = open_events("/v1/tasks/1.1?wait_ms=60000", "");
    read_until(events, text, sizeof(text), "TaskStatus_NotSubmitted");
    cr_expect_eq(connections(), 3);
    stop_head();
    read_until(events, text, sizeof(text), "\r\n0\r\n");
    (void) close(events);
    (void) close(wait);
}
