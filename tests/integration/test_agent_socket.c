/* The agent's status socket: events, and answers in time whatever else is asked. */
#include "tests/integration/asker.h"
#include "tests/integration/stream.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

TestSuite(agent_socket, .fini = worlds_close, .timeout = 300);

#define CROWD     2000
#define ROUNDS    9
#define ANSWER_MS (QUELL_TEST_SANITIZED ? 500 : 50)

static const char *const finished[] = {"TaskStatus_Queued", "TaskStatus_Running",
                                       "TaskStatus_Finished"};

static struct asker *asker_of(const struct world *w)
{
    return asker_open(w->agents[0].socket);
}

static const char *run_to_its_end(struct world *w)
{
    const char *id = submit(w, "--", "/bin/true");

    (void) task_wait(w, id);
    return id;
}

/* The next three must be the life of a task that is Finished. Returns the last one's number. */
static uint64_t expect_life(struct world *w, struct stream *stream, const char *id, uint64_t after)
{
    struct stream_event event;

    for (int i = 0; i < 3; i++) {
        cr_assert(stream_next(stream, &event), "%s of %s is missing", finished[i], id);
        cr_assert_str_eq(event.name, "");
        assert_text(w, event.data, "status", finished[i]);
        cr_assert_str_eq(keepf(w, "%lld.%lld", (long long) number_at(event.data, "job_id"),
                               (long long) number_at(event.data, "task_id")),
                         id);
        cr_assert_eq((uint64_t) number_at(event.data, "event_id"), event.id);
        cr_assert_gt(event.id, after);
        after = event.id;
    }
    return after;
}

static void expect_gap(struct world *w, struct stream *stream, uint64_t after, uint64_t *ret_oldest)
{
    struct stream_event event;

    cr_assert(stream_next(stream, &event));
    cr_assert_str_eq(event.name, "gap", "%s", dump(w, event.data));
    cr_assert_eq(event.id, 0, "a gap has no number");
    cr_assert_eq((uint64_t) number_at(event.data, "after"), after);
    *ret_oldest = (uint64_t) number_at(event.data, "oldest");
}

Test(agent_socket, an_event_says_what_has_changed_and_what_is_not_known_is_null)
{
    struct world *w = world_open(1);
    struct stream *stream = stream_open(w->agents[0].socket, "/v1/events", NULL);
    const char *id = submit(w, "--", program_in(w, "actor"), "exit=3");
    struct stream_event event;

    cr_assert(stream_next(stream, &event));
    assert_text(w, event.data, "status", "TaskStatus_Queued");
    assert_text(w, event.data, "phase", "queued");
    assert_text(w, event.data, "node", "n1");
    assert_text(w, event.data, "user", "nobody");
    assert_number(w, event.data, "attempt", 0);
    cr_assert_eq(strlen(text_at(event.data, "time")), strlen("2026-11-22T17:34:23.000001Z"));
    cr_assert(stream_next(stream, &event));
    assert_text(w, event.data, "phase", "running");
    assert_null(w, event.data, "cause");
    assert_null(w, event.data, "exit_code");
    cr_assert(stream_next(stream, &event));
    assert_text(w, event.data, "status", "TaskStatus_Failed");
    assert_text(w, event.data, "phase", "ended");
    assert_text(w, event.data, "cause", "exit_code");
    assert_number(w, event.data, "exit_code", 3);
    assert_null(w, event.data, "signal");
    assert_has(text_at(event.data, "error_message"), "3");
    (void) task_wait(w, id);
    stream_close(stream);
}

Test(agent_socket, events_are_resumed_and_a_restart_is_a_gap_behind_which_numbers_rise)
{
    struct world *w = world_open(1);
    const char *socket = w->agents[0].socket;
    const char *first = run_to_its_end(w), *second = run_to_its_end(w);
    struct stream *stream = stream_open(socket, "/v1/events?follow=0", NULL);
    uint64_t middle = expect_life(w, stream, first, 0), last, oldest;
    struct stream_event event;

    last = expect_life(w, stream, second, middle);
    cr_assert_not(stream_next(stream, &event), "follow=0 ends with what there is");
    stream_close(stream);

    stream = stream_open(socket, keepf(w, "/v1/events?follow=0&after=%llu", middle + 0ull), NULL);
    cr_assert_eq(expect_life(w, stream, second, middle), last);
    cr_assert_not(stream_next(stream, &event));
    stream_close(stream);

    program_kill(&w->agents[0].program);
    agent_start(&w->agents[0]);
    stream = stream_open(socket, "/v1/events?after=1", keepf(w, "%llu", last + 0ull));
    expect_gap(w, stream, last, &oldest); /* the header wins */
    cr_assert_gt(oldest, last);
    cr_assert_geq(expect_life(w, stream, run_to_its_end(w), last), oldest + 2);
    stream_close(stream);
}

Test(agent_socket, a_question_for_events_that_makes_no_sense_is_refused)
{
    static const char *const bad[] = {"after=x", "after=-1", "after=18446744073709551615",
                                      "follow=2", "after="};
    struct world *w = world_open(1);
    struct asker *asker = asker_of(w);

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int status;
        const json_t *answer =
            keep_json(w, asker_get(asker, keepf(w, "/v1/events?%s", bad[i]), &status));

        cr_assert_eq(status, 400, "%s: %s", bad[i], dump(w, answer));
        assert_text(w, answer, "error.code", "0x80070057");
    }
    asker_close(asker);
}

/* ---- answers in time ---- */

static int send_question(const char *socket_path, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    cr_assert_eq(connect(fd, (struct sockaddr *) &address, sizeof(address)), 0, "%s",
                 strerror(errno));
    cr_assert_gt(dprintf(fd, "GET %s HTTP/1.0\r\n\r\n", path), 0);
    return fd;
}

/* The whole answer's JSON. */
static json_t *read_answer(struct world *w, int fd)
{
    static char text[4 << 20];
    const char *body;
    size_t len = 0;
    ssize_t n = 1;

    while (n > 0) {
        cr_assert_eq(wait_readable(fd), 0, "no answer comes");
        n = read(fd, text + len, sizeof(text) - 1 - len);
        len += n > 0 ? (size_t) n : 0;
    }
    text[len] = '\0';
    (void) close(fd);
    body = strstr(text, "\r\n\r\n");
    cr_assert_not_null(body);
    return keep_json(w, json_loads(body, 0, NULL));
}

static double now_ms(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec * 1e3 + (double) now.tv_nsec / 1e6;
}

/* Asks until there is something to read from @fd. Returns the longest time to an answer. */
static double ask_meanwhile(struct asker *asker, int fd, unsigned *ret_count)
{
    struct pollfd event = {.fd = fd, .events = POLLIN};
    double longest = 0;

    while (poll(&event, 1, 0) == 0) {
        const double begin = now_ms();

        json_decref(asker_get(asker, "/v1/node", NULL));
        longest = now_ms() - begin > longest ? now_ms() - begin : longest;
        ++*ret_count;
    }
    return longest;
}

static int compare(const void *a, const void *b)
{
    return *(const double *) a < *(const double *) b ? -1
                                                     : *(const double *) a > *(const double *) b;
}

Test(agent_socket, who_asks_for_2000_processes_delays_nobody)
{
    struct world *w = world_open(1);
    const char *id = submit_fighter(w, "n1", CROWD);
    struct asker *asker = asker_of(w);
    double waits[ROUNDS], whole = now_ms();
    unsigned count = 0;

    for (int i = 0; i < ROUNDS; i++) {
        const int fd = send_question(w->agents[0].socket, keepf(w, "/v1/tasks/%s/processes", id));

        waits[i] = ask_meanwhile(asker, fd, &count);
        cr_assert_eq(json_array_size(at(read_answer(w, fd), "processes")), CROWD);
    }
    whole = (now_ms() - whole) / ROUNDS;
    asker_close(asker);
    qsort(waits, ROUNDS, sizeof(waits[0]), compare);
    (void) printf("%u answers in %d rounds of %.1f ms; the longest wait of a round: %.1f ms in the "
                  "middle, %.1f ms at most\n",
                  count, ROUNDS, whole, waits[ROUNDS / 2], waits[ROUNDS - 1]);
    cr_assert_geq(count, 3u * ROUNDS, "only %u others were answered meanwhile", count);
    /* In the middle: other tests run beside this one, on the same processors. */
    cr_assert_lt(waits[ROUNDS / 2], ANSWER_MS);
    cancel(w, id, "--grace", "0");
    assert_cancelled(w, id, NULL, "cgroup_kill");
}

Test(agent_socket, who_asks_for_processes_may_go_and_so_may_the_task)
{
    struct world *w = world_open(1);
    const char *id = submit_fighter(w, "n1", 300);
    const char *path = keepf(w, "/v1/tasks/%s/processes", id);
    struct asker *asker = asker_of(w);
    int fds[8];

    for (int i = 0; i < 8; i++)
        (void) close(send_question(w->agents[0].socket, path));
    json_decref(asker_get(asker, "/v1/node", NULL));
    for (int i = 0; i < 8; i++)
        fds[i] = send_question(w->agents[0].socket, path);
    cancel(w, id, "--grace", "0");
    assert_cancelled(w, id, NULL, "cgroup_kill");
    for (int i = 0; i < 8; i++) { /* what it says depends on when it was answered */
        const json_t *answer = read_answer(w, fds[i]);

        cr_assert(json_object_get(answer, "processes") || json_object_get(answer, "error"));
    }
    cr_assert_eq(number_at(keep_json(w, asker_get(asker, "/v1/node", NULL)), "http.connections"),
                 1);
    asker_close(asker);
}

Test(agent_socket, the_node_says_how_its_socket_fares)
{
    struct world *w = world_open(1);
    struct asker *asker = asker_of(w);
    const int64_t before =
        number_at(keep_json(w, asker_get(asker, "/v1/node", NULL)), "http.requests");
    const json_t *node = keep_json(w, asker_get(asker, "/v1/node", NULL));

    assert_number(w, node, "http.requests", before + 1);
    assert_number(w, node, "http.cut_off", 0);
    assert_number(w, node, "http.connections", 1);
    asker_close(asker);
}
