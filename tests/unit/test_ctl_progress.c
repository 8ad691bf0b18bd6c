#include "ctl/progress.h"

#include "base/clock.h"
#include "tests/unit/test_ctl_fixture.h"

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

TestSuite(ctl_progress, .init = make_test_dir, .fini = remove_test_dir);

#define NOW_US 1795377600000000ull /* 2026-11-22T20:00:00Z */
#define TASK(status, rest)                                                                         \
    "{\"job_id\": 7, \"task_id\": 4, \"status\": \"TaskStatus_" status "\"" rest "}"
#define CANCELLED_AT(time) ", \"cancel_time\": \"2026-11-22T" time "Z\""
#define KILL_AT(time)      ", \"kill_time\": \"2026-11-22T" time "Z\""

static const struct {
    const char *task;
    size_t ended;
    size_t total;
    const char *want;
} rows[] = {
    {TASK("NotSubmitted", ""), 0, 1, "7.4 NotSubmitted"},
    {TASK("Queued", ", \"submit_time\": \"2026-11-22T19:59:55.5Z\""), 0, 1, "7.4 Queued 4s"},
    {TASK("Queued", ", \"submit_time\": null, \"cancel_time\": null"), 0, 1, "7.4 Queued"},
    {TASK("Running", ", \"start_time\": \"2026-11-22T19:59:48Z\""), 0, 1, "7.4 Running 12s"},
    {TASK("Running", ", \"start_time\": \"2026-11-22T19:59:48Z\""), 3, 10,
     "3 of 10 ended; 7.4 Running 12s"},
    {TASK("Running", ", \"start_time\": \"2026-11-22T19:56:55Z\""), 0, 1, "7.4 Running 3m05s"},
    {TASK("Running", ", \"start_time\": \"2026-11-22T17:58:55Z\""), 0, 1, "7.4 Running 2h01m"},
    {TASK("Running", ", \"start_time\": \"2026-11-19T16:00:00Z\""), 0, 1, "7.4 Running 3d04h"},
    {TASK("Running", ", \"start_time\": \"2026-11-22T20:00:09Z\""), 0, 1, "7.4 Running 0s"},
    {TASK("Running", CANCELLED_AT("19:59:57") KILL_AT("20:00:12")), 0, 1,
     "7.4 cancelling 3s: kill in 12s"},
    {TASK("Running", CANCELLED_AT("19:59:57") KILL_AT("20:00:00.000001")), 0, 1,
     "7.4 cancelling 3s: kill in 1s"},
    {TASK("Running", CANCELLED_AT("19:59:40") KILL_AT("19:59:55")), 0, 1,
     "7.4 cancelling 20s: killed, waiting for the kernel"},
    {TASK("Running", CANCELLED_AT("19:59:40") ", \"kill_time\": null"), 0, 1, "7.4 cancelling 20s"},
    {TASK("Queued", CANCELLED_AT("19:59:40") KILL_AT("19:59:55")), 0, 1,
     "7.4 cancelling 20s: waiting for the node"},
    {TASK("Running", CANCELLED_AT("19:59:57") KILL_AT("20:00:12") ", \"requeue_node\": \"n2\""), 0,
     1, "7.4 cancelling 3s: kill in 12s; requeue pending: will be Queued on n2"},
    {TASK("Cancelled", ", \"requeue_node\": \"n\\u001b[2J\\r\\n2\""), 1, 2,
     "1 of 2 ended; 7.4 requeue pending: will be Queued on n\\x1B[2J\\x0D\\x0A2"},
    {TASK("\\u001b", ""), 0, 1, "7.4 "},
    {"{}", 0, 1, "?.? "},
};

Test(ctl_progress, the_line_says_what_is_waited_for)
{
    for (size_t i = 0; i < LEN(rows); i++) {
        json_t *task = json_loads(rows[i].task, 0, NULL);
        char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);

        cr_assert_not_null(task, "row %zu", i);
        progress_write(out, task, rows[i].ended, rows[i].total, NOW_US);
        (void) fclose(out);
        cr_expect_str_eq(text, rows[i].want, "row %zu: %s", i, text);
        free(text);
        json_decref(task);
    }
}

#define SHORT(task, status)                                                                        \
    "{\"job_id\": 7, \"task_id\": " task ", \"status\": \"TaskStatus_" status "\"}"
#define WATCHED(task, status, answer)                                                              \
    {                                                                                              \
        "GET /v1/tasks/7." task "?wait_ms=1000", NULL, status, answer                              \
    }
#define UNWATCHED(task, status, answer)                                                            \
    {                                                                                              \
        "GET /v1/tasks/7." task "?wait_ms=30000", NULL, status, answer                             \
    }
#define END                                                                                        \
    {                                                                                              \
        NULL, NULL, 0, NULL                                                                        \
    }
#define CLEAR "\r\x1b[K"

static void be_on(const char *term, bool out, bool err)
{
    terminal.term = term;
    terminal.out = out;
    terminal.err = err;
    terminal.columns = 60;
}

static void expect_on_terminal(const struct exchange *exchanges, char *const *words, int status,
                               const char *want)
{
    static struct outcome outcome;

    be_on("xterm", true, true);
    run_scripted(exchanges, words, &outcome);
    cr_expect_eq(outcome.status, status, "%d", outcome.status);
    cr_expect_str_eq(outcome.terminal, want, "got\n%s\nwant\n%s", outcome.terminal, want);
    cr_expect_str_empty(outcome.verdict, "%s", outcome.verdict);
}

/* All take turns: one that runs holds up nobody. */
Test(ctl_progress, on_a_terminal_one_line_is_redrawn_and_taken_away)
{
    static const struct exchange one[] = {WATCHED("1", 200, SHORT("1", "Queued")),
                                          WATCHED("1", 200, SHORT("1", "Running")),
                                          WATCHED("1", 200, SHORT("1", "Finished")), END};
    static const struct exchange three[] = {
        WATCHED("1", 200, SHORT("1", "Running")),
        WATCHED("2", 200, SHORT("2", "Failed")),
        WATCHED("3", 200, SHORT("3", "Running")),
        WATCHED("1", 200, SHORT("1", "Running")),
        WATCHED("3", 404, "{\"error\": {\"code\": \"0x80040207\", \"text\": \"Gone.\"}}"),
        WATCHED("1", 200, SHORT("1", "Finished")),
        END};
    char *wait_one[] = {(char *) "wait", (char *) "7.1", NULL};
    char *wait_three[] = {(char *) "wait", (char *) "7.1", (char *) "7.2", (char *) "7.3", NULL};

    expect_on_terminal(one, wait_one, 0,
                       "\r7.1 Queued\x1b[K\r7.1 Running\x1b[K" CLEAR
                       "7.1  TaskStatus_Finished\r\n");
    expect_on_terminal(three, wait_three, 1,
                       "\r0 of 3 ended; 7.1 Running\x1b[K" CLEAR "7.2  TaskStatus_Failed\r\n"
                       "\r1 of 3 ended; 7.3 Running\x1b[K\r1 of 3 ended; 7.1 Running\x1b[K" CLEAR
                       "quellctl: 7.3: error 0x80040207: Gone.\r\n"
                       "7.1  TaskStatus_Finished\r\n");
}

Test(ctl_progress, submit_and_cancel_show_what_they_wait_for)
{
    static const struct exchange submit[] = {{"POST /v1/tasks", NULL, 200, SHORT("1", "Queued")},
                                             WATCHED("1", 200, SHORT("1", "Running")),
                                             WATCHED("1", 200, SHORT("1", "Finished")),
                                             END};
    static const struct exchange cancel[] = {
        {"POST /v1/tasks/7.1/cancel", NULL, 200, SHORT("1", "Running")},
        WATCHED("1", 200, SHORT("1", "Running")),
        WATCHED("1", 0, NULL),
        END};
    char *submit_words[] = {(char *) "submit", (char *) "-n", (char *) "n1", (char *) "--wait",
                            (char *) "--",     (char *) "x",  NULL};
    char *cancel_words[] = {(char *) "cancel", (char *) "7.1", (char *) "--wait", NULL};
    static struct outcome outcome;

    expect_on_terminal(submit, submit_words, 0, "7.1\r\n\r7.1 Running\x1b[K" CLEAR);
    be_on("xterm", true, true);
    run_scripted(cancel, cancel_words, &outcome);
    cr_expect_eq(outcome.status, 3, "%d", outcome.status);
    cr_expect_eq(strncmp(outcome.terminal, "\r7.1 Running\x1b[K" CLEAR "quellctl: ", 29), 0, "%s",
                 outcome.terminal);
}

Test(ctl_progress, time_goes_by_the_local_clock)
{
    char started[CLOCK_TEXT_SIZE];
    char running[256];
    const struct exchange exchanges[] = {WATCHED("1", 200, running),
                                         WATCHED("1", 200, SHORT("1", "Finished")), END};
    char *words[] = {(char *) "wait", (char *) "7.1", NULL};

    (void) snprintf(running, sizeof(running),
                    "{\"job_id\": 7, \"task_id\": 1, \"status\": \"TaskStatus_Running\","
                    " \"start_time\": \"%s\"}",
                    clock_text(clock_wall_us() - (2 * 3600 + 30 * 60 + 30) * 1000000ull, started));
    expect_on_terminal(exchanges, words, 0,
                       "\r7.1 Running 2h30m\x1b[K" CLEAR "7.1  TaskStatus_Finished\r\n");
}

Test(ctl_progress, the_line_never_wraps)
{
    static const struct exchange exchanges[] = {
        WATCHED("1", 200,
                "{\"job_id\": 7, \"task_id\": 1, \"status\": \"TaskStatus_Cancelled\","
                " \"requeue_node\": \"\xc3\xa4\xc3\xa4\xc3\xa4"
                "456789012345678901234567890123456789\"}"),
        WATCHED("1", 200, SHORT("1", "Finished")), END};
    char *words[] = {(char *) "wait", (char *) "7.1", NULL};

    expect_on_terminal(exchanges, words, 0,
                       "\r7.1 requeue pending: will be Queued on \xc3\xa4\xc3\xa4\xc3\xa4"
                       "45678901234567890\x1b[K" CLEAR "7.1  TaskStatus_Finished\r\n");
}

Test(ctl_progress, where_nobody_watches_not_a_byte_of_it_is_written)
{
    static struct outcome outcome;
    static const struct exchange exchanges[] = {UNWATCHED("1", 200, SHORT("1", "Running")),
                                                UNWATCHED("1", 200, SHORT("1", "Finished")), END};
    static const struct {
        const char *term;
        bool out;
        bool err;
    } cases[] = {{"xterm", false, false}, {"xterm", true, false}, {"xterm", false, true},
                 {"dumb", true, true},    {"", true, true},       {NULL, true, true}};
    char *words[] = {(char *) "wait", (char *) "7.1", NULL};

    for (size_t i = 0; i < LEN(cases); i++) {
        be_on(cases[i].term, cases[i].out, cases[i].err);
        run_scripted(exchanges, words, &outcome);
        cr_expect_eq(outcome.status, 0, "row %zu: %d", i, outcome.status);
        cr_expect_str_eq(cases[i].out ? outcome.terminal : outcome.out,
                         cases[i].out ? "7.1  TaskStatus_Finished\r\n"
                                      : "7.1  TaskStatus_Finished\n",
                         "row %zu", i);
        cr_expect_str_eq(cases[i].out ? outcome.out : outcome.terminal, "", "row %zu", i);
        cr_expect_str_empty(outcome.err, "row %zu", i);
        cr_expect_str_empty(outcome.verdict, "row %zu: %s", i, outcome.verdict);
    }
}
