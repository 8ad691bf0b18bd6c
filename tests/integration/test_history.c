/* What the head keeps and for how long: pages of tasks, events over a restart, and the end of what
 * has ended long ago. */
#include "tests/integration/asker.h"
#include "tests/integration/await.h"
#include "tests/integration/stream.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(history, .fini = worlds_close, .timeout = 120);

/* ---- pages ---- */

#define TASKS 250

static struct world *open_with_tasks(void)
{
    struct world *w = world_open(1);
    struct asker *asker = asker_open(w->head_socket);

    for (int i = 0; i < TASKS; i++) {
        int status;
        const json_t *task =
            keep_json(w, asker_post(asker, "/v1/tasks",
                                    keepf(w,
                                          "{\"node\": \"n1\", \"job_id\": %d, \"command\": "
                                          "[\"true\"], \"user\": \"nobody\"}",
                                          5 + i % 2),
                                    &status));

        cr_assert_eq(status, 200, "%s", dump(w, task));
    }
    asker_close(asker);
    return w;
}

static const json_t *page(struct world *w, struct asker *asker, const char *query)
{
    int status;
    const json_t *answer = keep_json(w, asker_get(asker, keepf(w, "/v1/tasks?%s", query), &status));

    cr_assert_eq(status, 200, "%s: %s", query, dump(w, answer));
    return answer;
}

/* Both jobs have half of them, numbered from 1. */
static void assert_in_order(const json_t *tasks)
{
    for (size_t i = 0; i < TASKS; i++) {
        const json_t *task = json_array_get(tasks, i);

        cr_assert_eq(number_at(task, "job_id"), i < TASKS / 2 ? 5 : 6, "at %zu", i);
        cr_assert_eq(number_at(task, "task_id"), 1 + i % (TASKS / 2), "at %zu", i);
    }
}

Test(history, pages_follow_each_other_and_hold_each_task_once)
{
    static const struct {
        int limit;
        int pages;
    } rows[] = {{100, 3}, {1, TASKS}, {125, 2}, {249, 2}, {TASKS, 1}, {1000, 1}};
    struct world *w = open_with_tasks();
    struct asker *asker = asker_open(w->head_socket);

    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        json_t *all = keep_json(w, json_array());
        const char *after = "";
        int pages = 0;

        while (after) {
            const json_t *answer = page(w, asker, keepf(w, "limit=%d%s", rows[r].limit, after));
            const char *next = json_string_value(at(answer, "next"));

            cr_assert_eq(json_array_extend(all, at(answer, "tasks")), 0);
            after = next ? keepf(w, "&after=%s", next) : NULL;
            pages++;
        }
        cr_assert_eq(json_array_size(all), TASKS, "limit %d: %zu tasks", rows[r].limit,
                     json_array_size(all));
        cr_assert_eq(pages, rows[r].pages, "limit %d: %d pages", rows[r].limit, pages);
        assert_in_order(all);
    }
    cr_assert_eq(json_array_size(at(page(w, asker, "job_id=6&after=6.120"), "tasks")), 5);
    cr_assert_eq(json_array_size(at(page(w, asker, "after=6.125"), "tasks")), 0);
    cr_assert_eq(json_array_size(at(page(w, asker, "node=n1&status=NotSubmitted"), "tasks")), 100,
                 "100 is a page when no limit is named");
    asker_close(asker);
}

Test(history, a_list_by_quellctl_follows_the_pages)
{
    struct world *w = open_with_tasks();
    const struct ctl answer = ctl(w, "--json", "list");
    const json_t *tasks = keep_json(w, json_loads(answer.out, 0, NULL));

    cr_assert_eq(json_array_size(tasks), TASKS, "%zu", json_array_size(tasks));
    assert_in_order(tasks);
}

Test(history, a_page_that_makes_no_sense_is_400)
{
    static const char *const rows[] = {"limit=0",  "limit=1001", "limit=-1", "limit=x",
                                       "after=7",  "after=0.1",  "after=x",  "after=1.2147483648",
                                       "status=x", "job_id=0"};
    struct world *w = world_open(1);
    struct asker *asker = asker_open(w->head_socket);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int status;
        const json_t *answer =
            keep_json(w, asker_get(asker, keepf(w, "/v1/tasks?%s", rows[i]), &status));

        cr_assert_eq(status, 400, "%s: %s", rows[i], dump(w, answer));
        assert_text(w, answer, "error.code", "0x80070057");
    }
    asker_close(asker);
}

Test(history, a_filter_that_no_task_passes_gives_an_empty_page)
{
    static const char *const rows[] = {"job_id=9", "node=n2", "status=Running", "job_id=1&node=n2"};
    struct world *w = world_open(2);
    struct asker *asker = asker_open(w->head_socket);

    cr_assert_eq(ctl(w, "add", "-n", "n1", "--", "true").status, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const json_t *answer = page(w, asker, rows[i]);

        cr_assert_eq(json_array_size(at(answer, "tasks")), 0, "%s", rows[i]);
        assert_null(w, answer, "next");
    }
    cr_assert_eq(json_array_size(at(page(w, asker, "job_id=1&node=n1"), "tasks")), 1);
    asker_close(asker);
}

/* ---- events ---- */

#define EVENTS_MAX 256

struct ids {
    uint64_t ids[EVENTS_MAX];
    size_t len;
};

/* Takes events until there are @count, or with 0 until the reply ends. */
static void listen_for(struct world *w, const char *path, const char *last_id, size_t count,
                       struct ids *ret)
{
    struct stream *stream = stream_open(w->head_socket, path, last_id);
    struct stream_event event;

    *ret = (struct ids){.len = 0};
    while ((count == 0 || ret->len < count) && stream_next(stream, &event)) {
        cr_assert_str_eq(event.name, "", "%s", dump(w, event.data));
        cr_assert_eq(number_at(event.data, "event_id"), (int64_t) event.id);
        cr_assert_lt(ret->len, EVENTS_MAX);
        ret->ids[ret->len++] = event.id;
    }
    stream_close(stream);
}

static void run_tasks(struct world *w, int count)
{
    for (int i = 0; i < count; i++)
        (void) task_wait(w, submit(w, "--", i % 2 ? "true" : "false"));
}

Test(history,
     events_go_on_behind_the_last_one_over_a_restart_of_the_head_with_none_twice_or_missing)
{
    struct world *w = world_open(1);
    struct ids first, second, all;

    run_tasks(w, 4);
    listen_for(w, "/v1/events", NULL, 7, &first); /* and hangs up amid what there is */
    program_kill(&w->head);
    head_start(w);
    program_await(&w->agents[0].program, "connected with the head");
    run_tasks(w, 4);
    listen_for(w, "/v1/events?follow=0", keepf(w, "%llu", (unsigned long long) first.ids[6]), 0,
               &second);
    listen_for(w, "/v1/events?follow=0", NULL, 0, &all);
    /* Queued and ended; Running only where the head has heard of it before the end. */
    cr_assert_geq(all.len, 8 * 2, "%zu events", all.len);
    cr_assert_eq(first.len + second.len, all.len, "%zu and %zu are not %zu", first.len, second.len,
                 all.len);
    for (size_t i = 0; i < all.len; i++) {
        cr_assert_eq(i < 7 ? first.ids[i] : second.ids[i - 7], all.ids[i], "at %zu", i);
        cr_assert(i == 0 || all.ids[i] > all.ids[i - 1], "at %zu", i);
    }
}

Test(history, each_change_of_a_tasks_status_is_one_event_in_its_order)
{
    static const struct {
        int attempt;
        const char *status;
    } rows[] = {{0, "TaskStatus_NotSubmitted"}, {0, "TaskStatus_Queued"}, {0, "TaskStatus_Running"},
                {0, "TaskStatus_Cancelled"},    {1, "TaskStatus_Queued"}, {1, "TaskStatus_Running"},
                {1, "TaskStatus_Cancelled"}};
    struct world *w = world_open(1);
    const char *id = "1.1";
    struct stream *stream = stream_open(w->head_socket, "/v1/events", NULL);
    struct stream_event event;

    cr_assert_eq(ctl(w, "add", "-n", "n1", "--user", "nobody", "--env", w->mark, "--",
                     program_in(w, "actor"), "hold")
                     .status,
                 0);
    cr_assert_eq(ctl(w, "submit", id).status, 0);
    await_status(w, id, 0, "TaskStatus_Running");
    cr_assert_eq(ctl(w, "requeue", id, "--grace", "0").status, 0);
    await_status(w, id, 1, "TaskStatus_Running");
    cancel(w, id, "-m", "enough", "--grace", "0");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_assert(stream_next(stream, &event));
        assert_number(w, event.data, "attempt", rows[i].attempt);
        assert_text(w, event.data, "status", rows[i].status);
        assert_text(w, event.data, "node", "n1");
        assert_text(w, event.data, "user", "nobody");
    }
    assert_text(w, event.data, "error_message", "enough");
    assert_text(w, event.data, "cause", "cancelled");
    stream_close(stream);
}

Test(history, a_listener_that_missed_what_is_not_kept_is_told_of_the_gap)
{
    struct world *w = world_open(1);
    struct stream *stream;
    struct stream_event event;

    run_tasks(w, 1);
    stream = stream_open(w->head_socket, "/v1/events?follow=0", "999999"); /* of another database */
    cr_assert(stream_next(stream, &event));
    cr_assert_str_eq(event.name, "gap");
    cr_assert_eq(event.id, 0);
    assert_number(w, event.data, "after", 999999);
    assert_null(w, event.data, "oldest");
    stream_close(stream);
}

/* ---- what has ended long ago ---- */

Test(history, what_has_ended_is_forgotten_after_its_time_and_what_has_not_is_kept)
{
    struct world *w = world_make(NULL);
    const char *running, *ended;
    struct stream_event event;
    struct stream *stream;
    struct asker *asker;
    int status = 200;

    (void) file_in(w, "head.conf", "[head]\nheartbeat = 2s\n[tasks]\nkeep = 1s\n");
    head_start(w);
    agent_start(&w->agents[0]);
    running = submit_fighter(w, "n1", 1);
    ended = submit(w, "--", "true");
    (void) task_wait(w, ended);
    asker = asker_open(w->head_socket);
    /* The head's answer to a wait for the other one tells when it is time to look again. */
    for (int looks = 0; status == 200; looks++) {
        cr_assert_lt(looks, DEADLINE_MS / 100, "%s is kept", ended);
        json_decref(asker_get(asker, keepf(w, "/v1/tasks/%s?wait_ms=100", running), NULL));
        json_decref(asker_get(asker, keepf(w, "/v1/tasks/%s", ended), &status));
    }
    cr_assert_eq(status, 404);
    assert_has(ctl(w, "show", ended).err, keepf(w, "%s: error 0x80040207", ended));
    assert_has(ctl(w, "requeue", ended).err, keepf(w, "%s: error 0x80040207", ended));
    assert_null(w, task_show(w, running), "end_time");
    cr_assert_eq(survivors(w, running), 1);
    asker_close(asker);
    /* Its events too are gone, and who was in the middle of them is told. */
    run_tasks(w, 1);
    stream = stream_open(w->head_socket, "/v1/events?after=1&follow=0", NULL);
    cr_assert(stream_next(stream, &event));
    cr_assert_str_eq(event.name, "gap", "%s", dump(w, event.data));
    assert_number(w, event.data, "after", 1);
    while (stream_next(stream, &event))
        cr_assert_gt(number_at(event.data, "job_id"), 2, "%s", dump(w, event.data));
    stream_close(stream);
}
