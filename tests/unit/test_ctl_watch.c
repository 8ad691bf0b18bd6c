/* ps --watch: each round comes 2 s after the one before, so there are few of them here. */
#include "tests/unit/test_ctl_fixture.h"

TestSuite(ctl_watch, .init = make_test_dir, .fini = remove_test_dir);

/* Each round's line begins with the time, which is cut off here. */
static void cut_times(char *text)
{
    char *to = text;

    for (char *line = text; *line;) {
        size_t len = strcspn(line, "\n") + 1;
        size_t cut = len > 27 && line[26] == 'Z' ? 27 : 0;

        memmove(to, line + cut, len - cut);
        to += len - cut;
        line += len;
    }
    *to = '\0';
}

#define TREE(status)                                                                               \
    "{\"job_id\": 7, \"task_id\": 1, \"status\": \"TaskStatus_" status "\", \"processes\": []}"
#define PROCESSES(status, answer)                                                                  \
    {                                                                                              \
        "GET /v1/tasks/7.1/processes", NULL, status, answer                                        \
    }
#define NODE                                                                                       \
    {                                                                                              \
        "GET /v1/node", NULL, 200, "{\"node\": \"n\\u001b1\"}"                                     \
    }

Test(ctl_watch, a_task_is_watched_until_it_runs_no_more, .timeout = 60)
{
    static struct outcome outcome;
    static const struct exchange ends[] = {NODE,
                                           PROCESSES(200, TREE("Running")),
                                           PROCESSES(200, TREE("Cancelled")),
                                           {NULL, NULL, 0, NULL}};
    static const struct exchange goes[] = {
        NODE,
        PROCESSES(200, TREE("Running")),
        PROCESSES(404, "{\"error\": {\"code\": \"0x80040207\", \"text\": \"Gone.\"}}"),
        {NULL, NULL, 0, NULL}};
    char *words[] = {(char *) "ps", (char *) "7.1", (char *) "--watch", NULL};

    run_scripted(ends, words, &outcome);
    cut_times(outcome.out);
    cr_expect_eq(outcome.status, 0, "%d", outcome.status);
    cr_expect_str_eq(outcome.out,
                     "  n\\x1B1\n7.1  TaskStatus_Running  -  0 processes\n"
                     "\n  n\\x1B1\n7.1  TaskStatus_Cancelled  -  0 processes\n",
                     "%s", outcome.out);
    cr_expect_str_empty(outcome.err);
    cr_expect_str_empty(outcome.verdict);

    run_scripted(goes, words, &outcome);
    cut_times(outcome.out);
    cr_expect_eq(outcome.status, 0, "%d", outcome.status);
    cr_expect_str_eq(outcome.out, "  n\\x1B1\n7.1  TaskStatus_Running  -  0 processes\n");
    cr_expect_str_empty(outcome.err);
    cr_expect_str_empty(outcome.verdict);
}

Test(ctl_watch, a_terminal_is_cleared_before_each_round_of_a_watch, .timeout = 60)
{
    static struct outcome outcome;
    static const struct exchange ends[] = {
        NODE, PROCESSES(200, TREE("Finished")), {NULL, NULL, 0, NULL}};
    char *words[] = {(char *) "ps", (char *) "7.1", (char *) "--watch", NULL};

    terminal.term = "xterm";
    terminal.out = true;
    run_scripted(ends, words, &outcome);
    cr_expect_eq(outcome.status, 0, "%d", outcome.status);
    cr_expect_eq(strncmp(outcome.terminal, "\x1b[H\x1b[2J", 7), 0, "%s", outcome.terminal);
    cr_expect_str_empty(outcome.verdict);

    terminal.term = "dumb";
    run_scripted(ends, words, &outcome);
    cr_expect_null(strchr(outcome.terminal, '\x1b'), "%s", outcome.terminal);
}

Test(ctl_watch, a_watch_of_all_tasks_is_a_line_of_json_each_round, .timeout = 60)
{
    static struct outcome outcome;
    static const struct exchange dies[] = {
        NODE,
        {"GET /v1/tasks?limit=500", NULL, 200,
         "{\"tasks\": ["
         "{\"job_id\": 7, \"task_id\": 1, \"status\": \"TaskStatus_Running\"}"
         "]}"},
        PROCESSES(200, TREE("Running")),
        {"GET /v1/tasks?limit=500", NULL, 0, NULL},
        {NULL, NULL, 0, NULL}};
    char *words[] = {(char *) "--json", (char *) "ps", (char *) "--watch", NULL};

    run_scripted(dies, words, &outcome);
    cr_expect_eq(outcome.status, 3, "%d", outcome.status);
    cr_expect_str_eq(outcome.out, "[" TREE("Running") "]\n", "%s", outcome.out);
    cr_expect_str_empty(outcome.verdict);
}
