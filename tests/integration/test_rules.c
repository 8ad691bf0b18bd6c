/* The rules of section 3 at the two doors that people use, quellctl and HTTP: messages, ids, who
 * may, and several at once. What a single cancel does is in test_cancel.c. */
#include "tests/integration/asker.h"
#include "tests/integration/await.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

TestSuite(rules, .fini = worlds_close, .timeout = 120);

#define DAEMON 1
#define NOBODY 65534

#define MESSAGE_MAX 320

/* A task that does nothing until it is ended; it is Running at the head. */
static const char *submit_holding(struct world *w)
{
    const char *id = submit(w, "--", program_in(w, "actor"), "hold");

    await_status(w, id, 0, "TaskStatus_Running");
    return id;
}

static json_t *post(struct world *w, const char *path, const char *body, int *ret_status)
{
    struct asker *asker = asker_open(w->head_socket);
    json_t *answer = keep_json(w, asker_post(asker, path, body, ret_status));

    asker_close(asker);
    return answer;
}

/* ---- messages ---- */

static const struct {
    const char *body;
    const char *number;
    const char *part; /* of the sentence */
} bad_cancels[] = {
    {"{\"message\": \"a\\u0000b\"}", "0x80070057", "NUL"},
    {"{\"message\": \"no text: \xff\"}", "0x80070057", ""},
    {"{\"message\": \"half: \xc3\"}", "0x80070057", ""},
    {"{\"message\": \"surrogate: \\ud834\"}", "0x80070057", ""},
    {"{\"message\": 7}", "0x80070057", "message"},
    {"{\"message\": [\"a\"]}", "0x80070057", "message"},
    {"{\"grace_ms\": -1}", "0x80070057", "grace_ms"},
    {"{\"grace_ms\": 86400001}", "0x80070057", ""},
    {"{\"grace_ms\": \"1\"}", "0x80070057", "grace_ms"},
    {"{\"mesage\": \"x\"}", "0x80070057", "mesage"},
    {"[]", "0x80070057", ""},
    {"{", "0x80070057", ""},
};

Test(rules, a_cancel_over_http_that_makes_no_sense_is_400_and_changes_nothing)
{
    struct world *w = world_open(1);
    const char *id = submit_holding(w);
    const json_t *before = task_show(w, id);

    for (size_t i = 0; i < sizeof(bad_cancels) / sizeof(bad_cancels[0]); i++) {
        int status;
        const json_t *answer =
            post(w, keepf(w, "/v1/tasks/%s/cancel", id), bad_cancels[i].body, &status);

        cr_assert_eq(status, 400, "row %zu: %d %s", i, status, dump(w, answer));
        assert_text(w, answer, "error.code", bad_cancels[i].number);
        assert_has(text_at(answer, "error.text"), bad_cancels[i].part);
        cr_assert(json_equal(before, task_show(w, id)), "row %zu has changed something", i);
    }
}

/* @count times @point in quotes, with @prefix before. */
static const char *message_of(struct world *w, const char *point, int count)
{
    char text[MESSAGE_MAX * 4 + 8] = "";

    for (int i = 0; i < count; i++)
        memcpy(text + strlen(text), point, strlen(point) + 1);
    return keep(w, text);
}

Test(rules, a_message_has_320_code_points_of_any_length_and_not_one_more)
{
    static const char *const points[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9d\x84\x9e"};
    struct world *w = world_open(1);

    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        const char *most = message_of(w, points[i], MESSAGE_MAX);
        const char *more = message_of(w, points[i], MESSAGE_MAX + 1);
        const char *id = submit_holding(w);
        const char *path = keepf(w, "/v1/tasks/%s/cancel", id);
        const json_t *answer;
        int status;

        answer = post(w, path, keepf(w, "{\"message\": \"%s\"}", more), &status);
        cr_assert_eq(status, 400, "row %zu: %s", i, dump(w, answer));
        assert_text(w, answer, "error.code", "0x800402D3");
        assert_has(text_at(answer, "error.text"), "321");
        assert_null(w, task_show(w, id), "cancel_time");
        answer = post(w, path, keepf(w, "{\"message\": \"%s\", \"grace_ms\": 0}", most), &status);
        cr_assert_eq(status, 200, "row %zu: %s", i, dump(w, answer));
        assert_cancelled(w, id, most, "cgroup_kill");
    }
}

Test(rules, no_message_stays_none_and_an_empty_one_empty)
{
    static const struct {
        const char *body;
        const char *message;
    } rows[] = {
        {"{}", NULL}, {"", NULL}, {"{\"message\": null}", NULL}, {"{\"message\": \"\"}", ""}};
    struct world *w = world_open(1);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *id = keepf(w, "%zu.1", i + 1);
        const json_t *answer;
        int status;

        cr_assert_eq(ctl(w, "add", "-n", "n1", "--", "true").status, 0);
        answer = post(w, keepf(w, "/v1/tasks/%s/cancel", id), rows[i].body, &status);
        cr_assert_eq(status, 200, "row %zu: %s", i, dump(w, answer));
        assert_text(w, task_show(w, id), "status", "TaskStatus_Cancelled");
        assert_text(w, task_show(w, id), "error_message",
                    rows[i].message ? rows[i].message : "(null)");
    }
}

static void assert_printable(const char *verb, const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        cr_assert(*c == '\n' || (*c >= ' ' && *c < 0x7f), "%s prints a byte 0x%02x: %s", verb,
                  (unsigned char) *c, text);
}

Test(rules, control_characters_are_kept_as_they_are_and_never_printed_raw)
{
    static const char message[] = "red \x1b[31m\n7.1 line\ttab\x7f \xc2\x9b bell\a";
    struct world *w = world_open(1);
    const char *id = submit_holding(w);
    const struct {
        const char *verb;
        struct ctl answer;
    } rows[] = {
        {"cancel", ctl(w, "cancel", id, "-m", message, "--grace", "0", "--wait")},
        {"show", ctl(w, "show", id)},
        {"list", ctl(w, "list")},
        {"events", ctl(w, "events")},
        {"wait", ctl(w, "wait", id)},
    };

    assert_text(w, task_show(w, id), "error_message", message);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_printable(rows[i].verb, rows[i].answer.out);
        assert_printable(rows[i].verb, rows[i].answer.err);
    }
    assert_has(rows[1].answer.out, "\\x1B[31m\\x0A7.1 line");
    assert_has(rows[3].answer.out, "\\x1B[31m\\x0A7.1 line");
}

/* ---- ids ---- */

Test(rules, an_id_is_a_number_from_1_to_2147483647)
{
    static const char *const bad[] = {"0.1",   "1.0", "2147483648.1", "1.2147483648",          "1",
                                      "1.1.1", "1.x", "1.1 ",         "99999999999999999999.1"};
    static const char *const verbs[] = {"show", "cancel", "submit", "requeue", "wait"};
    struct world *w = world_open(1);
    struct asker *asker = asker_open(w->head_socket);
    int status;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        for (size_t v = 0; v < sizeof(verbs) / sizeof(verbs[0]); v++) {
            const struct ctl answer = ctl(w, verbs[v], bad[i]);

            cr_assert_eq(answer.status, 2, "%s %s: %d %s", verbs[v], bad[i], answer.status,
                         answer.err);
            assert_has(answer.err, bad[i]);
        }
    for (size_t i = 0; i < 4; i++) { /* the others are no path, or another one */
        const json_t *answer =
            keep_json(w, asker_get(asker, keepf(w, "/v1/tasks/%s", bad[i]), &status));

        cr_assert_eq(status, 400, "%s: %s", bad[i], dump(w, answer));
        assert_text(w, answer, "error.code", "0x80070057");
    }
    asker_close(asker);
}

Test(rules, the_highest_ids_are_ids_like_any_other)
{
    struct world *w = world_open(1);
    const char *id = "2147483647.2147483647";
    const struct ctl added =
        ctl(w, "add", "-n", "n1", "-J", "2147483647", "-T", "2147483647", "--", "true");

    cr_assert_str_eq(added.out, keepf(w, "%s\n", id), "%s", added.err);
    cancel(w, id, "-m", "the last");
    assert_text(w, task_show(w, id), "error_message", "the last");
    /* Of a job that has it there is no next; another job has. */
    assert_has(ctl(w, "add", "-n", "n1", "-J", "2147483647", "--", "true").err, "2147483647");
    cr_assert_str_eq(ctl(w, "add", "-n", "n1", "--", "true").out, "1.1\n");
    cr_assert_eq(ctl(w, "add", "-n", "n1", "-J", "2147483648", "--", "true").status, 2);
}

Test(rules, what_was_never_added_is_unknown_to_each_verb_and_to_none_of_the_others)
{
    static const char *const verbs[] = {"submit", "cancel", "requeue", "show", "wait"};
    struct world *w = world_open(1);

    cr_assert_eq(ctl(w, "add", "-n", "n1", "-J", "5", "-T", "5", "--", "true").status, 0);
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        static const char *const ids[] = {"5.4", "4.5", "5.2147483647"};

        for (size_t k = 0; k < sizeof(ids) / sizeof(ids[0]); k++) {
            const struct ctl answer = ctl(w, verbs[i], ids[k]);

            cr_assert_eq(answer.status, 1, "%s %s: %s", verbs[i], ids[k], answer.err);
            assert_has(answer.err, keepf(w, "quellctl: %s: error 0x80040207: ", ids[k]));
        }
    }
    assert_text(w, task_show(w, "5.5"), "status", "TaskStatus_NotSubmitted");
}

/* ---- who ---- */

Test(rules, each_verb_is_for_the_owner_root_and_operators)
{
    struct world *w = world_open(1);
    const char *running = submit_holding(w);
    const char *added = "2.1", *failed = "3.1";
    const struct {
        const char *task;
        const char *words[4];
    } rows[] = {
        {added, {"submit", added}},
        {added, {"cancel", added}},
        {running, {"cancel", running, "--grace", "0"}},
        {running, {"requeue", running, "--grace", "0"}},
        {failed, {"requeue", failed}},
    };

    cr_assert_eq(ctl(w, "add", "-n", "n1", "--user", "nobody", "--", "true").status, 0);
    cr_assert_str_eq(submit(w, "--", "false"), failed);
    (void) task_wait(w, failed);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *words[5] = {rows[i].words[0], rows[i].words[1], rows[i].words[2],
                                rows[i].words[3], NULL};
        const json_t *before = task_show(w, rows[i].task);
        const struct ctl answer = ctl_run(w, DAEMON, words);

        cr_assert_eq(answer.status, 1, "row %zu: %d %s", i, answer.status, answer.err);
        assert_has(answer.err, keepf(w, "quellctl: %s: error 0x80070005: ", rows[i].task));
        cr_assert(json_equal(before, task_show(w, rows[i].task)), "row %zu changed it", i);
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *words[5] = {rows[i].words[0], rows[i].words[1], rows[i].words[2],
                                rows[i].words[3], NULL};

        if (i != 1) /* what was submitted is not cancelled here */
            cr_assert_eq(ctl_run(w, NOBODY, words).status, 0, "row %zu, the owner", i);
    }
}

Test(rules, who_cancelled_and_when_stands_with_the_first_cancel)
{
    struct world *w = world_open(1);
    const char *id = submit_fighter(w, "n1", 1);
    const char *time;

    cr_assert_eq(ctl_as(w, NOBODY, "cancel", id, "--grace", "50s").status, 0);
    time = text_at(task_show(w, id), "cancel_time");
    assert_null(w, task_show(w, id), "error_message");
    cancel(w, id, "-m", "root's words", "--grace", "0");
    (void) task_wait(w, id);
    assert_number(w, task_show(w, id), "cancelled_by.uid", NOBODY);
    assert_text(w, task_show(w, id), "cancelled_by.name", "nobody");
    assert_text(w, task_show(w, id), "cancel_time", time);
    assert_text(w, task_show(w, id), "error_message", "root's words");
}

/* The end of the grace as the head reckons it, which sorts as text. */
static const char *kill_time(struct world *w, const char *id)
{
    return text_at(task_show(w, id), "kill_time");
}

Test(rules, a_further_cancel_moves_the_end_of_the_grace_only_forward)
{
    struct world *w = world_open(1);
    const char *id = submit_fighter(w, "n1", 1);
    const char *first;

    cr_assert(null_at(task_show(w, id), "kill_time"));
    cancel(w, id, "--grace", "10m");
    first = kill_time(w, id);
    cancel(w, id, "--grace", "20m");
    cr_assert_str_eq(kill_time(w, id), first, "a longer grace has moved it");
    cancel(w, id);
    cr_assert_str_eq(kill_time(w, id), first, "none has moved it");
    cancel(w, id, "--grace", "5m");
    cr_assert_lt(strcmp(kill_time(w, id), first), 0, "a shorter one has not: %s, %s",
                 kill_time(w, id), first);
    cancel(w, id, "--grace", "0");
    assert_cancelled(w, id, NULL, "cgroup_kill");
}

/* ---- several ---- */

static void assert_refused_one(struct world *w, const json_t *refused, int task, const char *code)
{
    size_t i;
    json_t *one;

    json_array_foreach(refused, i, one) if (number_at(one, "task_id") == task)
    {
        assert_number(w, one, "job_id", 7);
        assert_text(w, one, "code", code);
        assert_has(text_at(one, "text"), keepf(w, "7.%d", task));
        return;
    }
    cr_assert_fail("7.%d is not among the refused: %s", task, dump(w, refused));
}

/* 7.1 runs, 7.2 is added, 7.3 has ended. */
static void fill_job_7(struct world *w)
{
    cr_assert_str_eq(submit(w, "-J", "7", "--", program_in(w, "actor"), "hold"), "7.1");
    cr_assert_eq(ctl(w, "add", "-n", "n1", "-J", "7", "--", "true").status, 0);
    cr_assert_str_eq(submit(w, "-J", "7", "--", "true"), "7.3");
    (void) task_wait(w, "7.3");
}

Test(rules, each_of_several_ids_of_a_job_is_answered_by_itself)
{
    struct world *w = world_open(1);
    const json_t *answer, *ended;
    int status;

    fill_job_7(w);
    ended = task_show(w, "7.3");
    answer = post(w, "/v1/jobs/7/cancel",
                  "{\"task_ids\": [9, 1, 3, 2], \"message\": \"these\", \"grace_ms\": 0}", &status);
    cr_assert_eq(status, 200, "%s", dump(w, answer));
    cr_assert_eq(json_array_size(at(answer, "tasks")), 2, "%s", dump(w, answer));
    cr_assert_eq(json_array_size(at(answer, "refused")), 2, "%s", dump(w, answer));
    assert_refused_one(w, at(answer, "refused"), 9, "0x80040207");
    assert_refused_one(w, at(answer, "refused"), 3, "0x80040209");
    assert_cancelled(w, "7.1", "these", "cgroup_kill");
    assert_text(w, task_show(w, "7.2"), "status", "TaskStatus_Cancelled");
    assert_text(w, task_show(w, "7.2"), "error_message", "these");
    cr_assert(json_equal(ended, task_show(w, "7.3")), "a refusal has changed something");
}

Test(rules, when_every_id_is_refused_the_call_has_the_status_of_the_first_refusal)
{
    struct world *w = world_open(1);
    const json_t *answer;
    int status;

    fill_job_7(w);
    answer = post(w, "/v1/jobs/7/cancel", "{\"task_ids\": [3, 9]}", &status);
    cr_assert_eq(status, 409, "%d %s", status, dump(w, answer));
    assert_text(w, answer, "error.code", "0x80040209");
    cr_assert_eq(json_array_size(at(answer, "tasks")), 0);
    cr_assert_eq(json_array_size(at(answer, "refused")), 2, "%s", dump(w, answer));
    answer = post(w, "/v1/jobs/7/cancel", "{\"task_ids\": [9, 3]}", &status);
    cr_assert_eq(status, 404, "%d %s", status, dump(w, answer));
    assert_text(w, answer, "error.code", "0x80040207");
}

Test(rules, a_bad_message_refuses_the_whole_job_and_cancels_none)
{
    struct world *w = world_open(1);
    const char *body = keepf(w, "{\"message\": \"%s\"}", message_of(w, "x", MESSAGE_MAX + 1));
    const json_t *answer;
    int status;

    fill_job_7(w);
    answer = post(w, "/v1/jobs/7/cancel", body, &status);
    cr_assert_eq(status, 400, "%d %s", status, dump(w, answer));
    assert_text(w, answer, "error.code", "0x800402D3");
    assert_null(w, task_show(w, "7.1"), "cancel_time");
    assert_text(w, task_show(w, "7.2"), "status", "TaskStatus_NotSubmitted");
    answer = post(w, "/v1/jobs/8/cancel", "{}", &status);
    cr_assert_eq(status, 404, "%d %s", status, dump(w, answer));
    assert_text(w, answer, "error.code", "0x80070490");
}

Test(rules, task_ids_that_make_no_sense_are_400_and_cancel_none)
{
    static const char *const rows[] = {"[]",           "[0]",      "[1, 0]", "[\"1\"]", "1",
                                       "[2147483648]", "[1, 1.5]", "[-1]",   "[null]",  "{}"};
    struct world *w = world_open(1);

    fill_job_7(w);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int status;
        const json_t *answer =
            post(w, "/v1/jobs/7/cancel", keepf(w, "{\"task_ids\": %s}", rows[i]), &status);

        cr_assert_eq(status, 400, "%s: %d %s", rows[i], status, dump(w, answer));
        assert_text(w, answer, "error.code", "0x80070057");
        assert_has(text_at(answer, "error.text"), "task_ids");
    }
    assert_null(w, task_show(w, "7.1"), "cancel_time");
    assert_text(w, task_show(w, "7.2"), "status", "TaskStatus_NotSubmitted");
}

Test(rules, a_job_of_somebody_else_is_refused_task_by_task)
{
    struct world *w = world_open(1);
    struct ctl answer;

    fill_job_7(w);
    answer = ctl_as(w, DAEMON, "cancel", "-J", "7", "--grace", "0");
    cr_assert_eq(answer.status, 1, "%d %s", answer.status, answer.err);
    assert_has(answer.err, "7.1: error 0x80070005");
    assert_has(answer.err, "7.2: error 0x80070005");
    assert_null(w, task_show(w, "7.1"), "cancel_time");
    assert_text(w, task_show(w, "7.2"), "status", "TaskStatus_NotSubmitted");
}

Test(rules, a_job_is_cancelled_but_for_what_has_ended_and_then_has_none_left)
{
    struct world *w = world_open(1);
    const json_t *answer;
    struct ctl ctl_answer;
    int status;

    fill_job_7(w);
    answer = post(w, "/v1/jobs/7/cancel", "{\"grace_ms\": 0}", &status);
    cr_assert_eq(status, 200, "%s", dump(w, answer));
    cr_assert_eq(json_array_size(at(answer, "tasks")), 2, "%s", dump(w, answer));
    cr_assert_eq(json_array_size(at(answer, "refused")), 0, "%s", dump(w, answer));
    assert_cancelled(w, "7.1", NULL, "cgroup_kill");
    assert_text(w, task_show(w, "7.3"), "status", "TaskStatus_Finished");
    ctl_answer = ctl(w, "cancel", "-J", "7");
    cr_assert_eq(ctl_answer.status, 1, "%s", ctl_answer.err);
    assert_has(ctl_answer.err, "error 0x");
}
