#include "ctl/args.h"
#include "ctl/spec.h"
#include "ctl/verbs.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEN(array) (sizeof(array) / sizeof((array)[0]))
#define WORDS_MAX  64
#define WORDS_SIZE 512

/* Splits @line at blanks into argv, behind "quellctl". "''" is an empty word. */
static int split(char *line, char **ret_argv)
{
    static char program[] = "quellctl";
    int argc = 0;

    ret_argv[argc++] = program;
    for (char *word = strtok(line, " "); word; word = strtok(NULL, " ")) {
        cr_assert_lt(argc, WORDS_MAX - 1);
        ret_argv[argc++] = strcmp(word, "''") == 0 ? word + 2 : word;
    }
    ret_argv[argc] = NULL;
    return argc;
}

static int parse(const char *line, char words[WORDS_SIZE], struct args *ret, struct err *err)
{
    static char *argv[WORDS_MAX]; /* args borrow from it */

    (void) snprintf(words, WORDS_SIZE, "%s", line);
    *err = (struct err){0};
    return args_parse(split(words, argv), argv, ret, err);
}

Test(ctl_args, a_line_that_makes_no_sense_says_what_is_wrong)
{
    static const struct {
        const char *line;
        const char *want;
    } rows[] = {
        {"", "a verb is missing"},
        {"--json", "a verb is missing"},
        {"dance", "there is no verb dance"},
        {"peep 7.1", "there is no verb peep"},
        {"node lost n1", "there is no verb node"},
        {"tasks --watch", "tasks has no option --watch"},
        {"requeue", "requeue needs at least one JOB.TASK"},
        {"requeue -J 7", "requeue has no option -J"},
        {"requeue 7.1 --wait", "requeue has no option --wait"},
        {"events 7.1", "events takes no operand: 7.1"},
        {"events --after", "events: the option --after needs a value"},
        {"events --after 0x1", "--after 0x1: the number of an event is needed"},
        {"events --after -1", "--after -1: the number of an event is needed"},
        {"events --after 9223372036854775808",
         "--after 9223372036854775808: the number of an event is needed"},
        {"--head /a events --agent /b", "either --head or --agent, not both"},
        {"--bogus show 7.1", "quellctl has no option --bogus"},
        {"-x", "quellctl has no option -x"},
        {"--json=1 nodes", "quellctl: the option --json takes no value"},
        {"--head", "quellctl: the option --head needs a value"},
        {"show", "show needs one JOB.TASK"},
        {"show 7.1 7.2", "show needs one JOB.TASK"},
        {"show 7", "7 is not a task: JOB.TASK is needed, two numbers from 1 to 2147483647"},
        {"show 0.1", "0.1 is not a task: JOB.TASK is needed, two numbers from 1 to 2147483647"},
        {"show 7.2147483648",
         "7.2147483648 is not a task: JOB.TASK is needed, two numbers from 1 to 2147483647"},
        {"show ''", " is not a task: JOB.TASK is needed, two numbers from 1 to 2147483647"},
        {"show -m x 7.1", "show has no option -m"},
        {"wait", "wait needs at least one JOB.TASK"},
        {"ps 7.1 7.2", "ps takes one JOB.TASK at most"},
        {"nodes n1", "nodes takes no operand: n1"},
        {"list 7.1", "list takes no operand: 7.1"},
        {"list -s Dancing", "-s Dancing: there is no such status; there are NotSubmitted, Queued, "
                            "Running, Finished, Failed and Cancelled"},
        {"cancel", "cancel needs either JOB.TASK... or -J JOB"},
        {"cancel -J 7 7.1", "cancel needs either JOB.TASK... or -J JOB"},
        {"cancel -J 0", "-J 0: a number from 1 to 2147483647 is needed"},
        {"cancel 7.1 -m", "cancel: the option -m needs a value"},
        {"cancel 7.1 --grace soon",
         "--grace soon: a duration is needed, such as 0, 500ms, 15s, 2m or 1h30m"},
        {"submit", "submit needs -n NODE: Quell places nothing by itself"},
        {"submit -n n1", "submit needs a command behind \"--\""},
        {"submit -n n1 --", "submit needs a command behind \"--\""},
        {"submit -n n1 --cgroup /a -- true",
         "submit takes either --cgroup PATH or a command, not both"},
        {"submit --cgroup /a", "submit needs -n NODE: Quell places nothing by itself"},
        {"submit 7.1 --cgroup /a", "submit takes either JOB.TASK... of tasks that were added, or "
                                   "the options and the command of a new one"},
        {"submit -- true", "submit needs -n NODE: Quell places nothing by itself"},
        {"submit -n n1 true",
         "true is not a task: JOB.TASK is needed, two numbers from 1 to 2147483647 (a command "
         "comes behind \"--\")"},
        {"submit 7.1 -- true", "submit takes either JOB.TASK... of tasks that were added, or the "
                               "options and the command of a new one"},
        {"submit 7.1 -n n1", "submit takes either JOB.TASK... of tasks that were added, or the "
                             "options and the command of a new one"},
        {"add -n n1 true", "add: the command comes behind \"--\": true is before it"},
        {"add -n n1 --cpus 0 -- true", "--cpus 0: a number of CPUs is needed, such as 2 or 0.5, "
                                       "with at most three digits behind the point"},
        {"add -n n1 --memory 1X -- true",
         "--memory 1X: a size is needed: bytes, or 64K, 64M or 2G"},
        {"add -n n1 --pids 0 -- true", "--pids 0: a number from 1 to 4294967295 is needed"},
        {"add -n n1 --env =x -- true", "--env =x: NAME=VALUE is needed"},
        {"add -n n1 --env x -- true", "--env x: NAME=VALUE is needed"},
        {"add -n n1 -T 0 -- true", "-T 0: a number from 1 to 2147483647 is needed"},
        {"--head /a --agent /b nodes", "either --head or --agent, not both"},
        {"--agent /b nodes", "nodes asks the head: --head PATH, not --agent"},
        {"ps --head /a", "ps asks the agent of a node: --agent PATH, not --head"},
    };

    for (size_t i = 0; i < LEN(rows); i++) {
        char words[WORDS_SIZE];
        struct args args;
        struct err err;
        int r = parse(rows[i].line, words, &args, &err);

        cr_expect_eq(r, -EINVAL, "row %zu: %s: %d", i, rows[i].line, r);
        cr_expect_str_eq(err.text, rows[i].want, "row %zu: %s: %s", i, rows[i].line, err.text);
        args_done(&args);
    }
}

Test(ctl_args, every_option_of_a_new_task_is_taken)
{
    char words[WORDS_SIZE];
    struct args args;
    struct err err;

    cr_assert_eq(parse("--head /h --json submit -n n1 -J 7 -T 3 --name sweep --user nobody "
                       "--workdir /w --stdin /i --stdout /o --stderr /e --env A=1 --env B=x=y "
                       "--runtime 1h30m --memory 64M --cpus 1.5 --pids 50 --grace 0 "
                       "--not-rerunnable --wait -- sh -c --json",
                       words, &args, &err),
                 0, "%s", err.text);
    cr_expect_str_eq(args.verb->name, "submit");
    cr_expect_eq(args.given,
                 (uint32_t) ((ARGS_NEW & ~ARGS_CGROUP) | ARGS_HEAD | ARGS_JSON | ARGS_WAIT));
    cr_expect_str_eq(args.head, "/h");
    cr_expect_eq(args.job_id, 7);
    cr_expect_eq(args.task_id, 3);
    cr_expect_str_eq(args.node, "n1");
    cr_expect_str_eq(args.name, "sweep");
    cr_expect_str_eq(args.user, "nobody");
    cr_expect_str_eq(args.workdir, "/w");
    cr_expect_str_eq(args.stdin_path, "/i");
    cr_expect_str_eq(args.stdout_path, "/o");
    cr_expect_str_eq(args.stderr_path, "/e");
    cr_assert_eq(args.env_len, 2);
    cr_expect_str_eq(args.env[0], "A=1");
    cr_expect_str_eq(args.env[1], "B=x=y");
    cr_expect_eq(args.runtime_ms, 5400000);
    cr_expect_eq(args.memory_bytes, 64u << 20);
    cr_expect_eq(args.cpu_milli, 1500);
    cr_expect_eq(args.pids, 50);
    cr_expect_eq(args.grace_ms, 0);
    cr_assert_eq(args.command_len, 3);
    cr_expect_str_eq(args.command[0], "sh");
    cr_expect_str_eq(args.command[2], "--json");
    args_done(&args);
}

Test(ctl_args, a_group_is_handed_over_without_a_command)
{
    static const char *const verbs[] = {"add", "submit"};

    for (size_t i = 0; i < LEN(verbs); i++) {
        char line[64], words[WORDS_SIZE];
        struct args args;
        struct err err;
        json_t *body;

        (void) snprintf(line, sizeof(line), "%s -n n1 --cgroup /theirs", verbs[i]);
        cr_assert_eq(parse(line, words, &args, &err), 0, "%s", err.text);
        body = spec_new_task(&args, false, &err);
        cr_expect_str_eq(json_string_value(json_object_get(body, "cgroup")), "/theirs");
        cr_expect_null(json_object_get(body, "command"));
        json_decref(body);
        args_done(&args);
    }
}

Test(ctl_args, options_stand_before_or_behind_ids)
{
    static const char *const lines[] = {
        "cancel 7.1 7.2 -m why --grace 1s --json",    "cancel -m why 7.1 --grace 1s 7.2 --json",
        "--json cancel --grace 1s -m why 7.1 7.2",    "--json cancel --grace 1s -mwhy -- 7.1 7.2",
        "cancel --grace=1s --json -m why 7.1 -- 7.2",
    };

    for (size_t i = 0; i < LEN(lines); i++) {
        char words[WORDS_SIZE];
        struct args args;
        struct err err;

        cr_assert_eq(parse(lines[i], words, &args, &err), 0, "row %zu: %s", i, err.text);
        cr_expect_eq(args.given, (uint32_t) (ARGS_JSON | ARGS_MESSAGE | ARGS_GRACE), "row %zu", i);
        cr_expect_str_eq(args.message, "why", "row %zu", i);
        cr_expect_eq(args.grace_ms, 1000, "row %zu", i);
        cr_assert_eq(args.ids_len, 2, "row %zu", i);
        cr_expect_eq(args.ids[0].job_id, 7, "row %zu", i);
        cr_expect_eq(args.ids[0].task_id, 1, "row %zu", i);
        cr_expect_eq(args.ids[1].task_id, 2, "row %zu", i);
        args_done(&args);
    }
}

Test(ctl_args, an_option_may_have_any_value)
{
    char words[WORDS_SIZE];
    struct args args;
    struct err err;

    cr_assert_eq(parse("cancel -m -- 7.1", words, &args, &err), 0, "%s", err.text);
    cr_expect_str_eq(args.message, "--");
    cr_expect_eq(args.ids_len, 1);
    args_done(&args);

    cr_assert_eq(parse("cancel 7.1 -m ''", words, &args, &err), 0, "%s", err.text);
    cr_expect_str_eq(args.message, "");
    cr_expect(args.given & ARGS_MESSAGE);
    args_done(&args);
}

Test(ctl_args, a_status_is_taken_with_and_without_its_prefix)
{
    static const char *const lines[] = {"list -s Cancelled", "list -s TaskStatus_Cancelled"};

    for (size_t i = 0; i < LEN(lines); i++) {
        char words[WORDS_SIZE];
        struct args args;
        struct err err;

        cr_assert_eq(parse(lines[i], words, &args, &err), 0, "%s", err.text);
        cr_expect_eq(args.status, TASK_CANCELLED);
        args_done(&args);
    }
}

Test(ctl_args, events_are_asked_of_either_socket)
{
    static const char *const lines[] = {"events --follow --after 0 --agent /b",
                                        "--head /a events --after 0 --follow"};

    for (size_t i = 0; i < LEN(lines); i++) {
        char words[WORDS_SIZE];
        struct args args;
        struct err err;

        cr_assert_eq(parse(lines[i], words, &args, &err), 0, "row %zu: %s", i, err.text);
        cr_expect(args.given & ARGS_FOLLOW);
        cr_expect(args.given & ARGS_AFTER);
        cr_expect_eq(args.after, 0);
        args_done(&args);
    }
}

Test(ctl_args, help_and_version_need_nothing_else)
{
    static const struct {
        const char *line;
        enum args_what what;
        const char *verb;
    } rows[] = {
        {"--help", ARGS_HELP, NULL},        {"-h", ARGS_HELP, NULL},
        {"--version", ARGS_VERSION, NULL},  {"-V", ARGS_VERSION, NULL},
        {"--json --help", ARGS_HELP, NULL}, {"submit --help", ARGS_HELP, "submit"},
        {"ps -h", ARGS_HELP, "ps"},
    };

    for (size_t i = 0; i < LEN(rows); i++) {
        char words[WORDS_SIZE];
        struct args args;
        struct err err;

        cr_assert_eq(parse(rows[i].line, words, &args, &err), 0, "row %zu: %s", i, err.text);
        cr_expect_eq(args.what, rows[i].what, "row %zu", i);
        if (rows[i].verb)
            cr_expect_str_eq(args.verb->name, rows[i].verb, "row %zu", i);
        args_done(&args);
    }
}

Test(ctl_args, cpus_are_exact_thousandths)
{
    static const struct {
        const char *text;
        uint32_t want; /* 0: refused */
    } rows[] = {
        {"1", 1000},    {"0.5", 500},       {"0.001", 1},
        {"1.25", 1250}, {"64.010", 64010},  {"1000000", 1000000000},
        {"0", 0},       {"0.000", 0},       {"0.0001", 0},
        {".5", 0},      {"1.", 0},          {"-1", 0},
        {"1e3", 0},     {"1.2.3", 0},       {"10000000", 0},
        {"", 0},        {"1,5", 0},         {"+1", 0},
        {" 1", 0},      {"99999999999", 0},
    };

    for (size_t i = 0; i < LEN(rows); i++) {
        uint32_t milli = 0;
        int r = args_parse_cpus(rows[i].text, &milli);

        cr_expect_eq(r, rows[i].want ? 0 : -EINVAL, "row %zu: %s: %d", i, rows[i].text, r);
        cr_expect_eq(milli, rows[i].want, "row %zu: %s: %u", i, rows[i].text, milli);
    }
}

static void expect_body(const char *line, const char *want)
{
    char words[WORDS_SIZE];
    struct args args;
    struct err err;
    json_t *body;
    char *text;

    cr_assert_eq(parse(line, words, &args, &err), 0, "%s", err.text);
    if (strncmp(line, "cancel", 6) == 0)
        body = spec_cancel(&args, &err);
    else if (strncmp(line, "requeue", 7) == 0)
        body = spec_requeue(&args, &err);
    else
        body = spec_new_task(&args, strncmp(line, "submit", 6) == 0, &err);
    cr_assert_not_null(body, "%s", err.text);
    text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(10));
    cr_expect_str_eq(text, want, "%s\n%s", line, text);
    free(text);
    json_decref(body);
    args_done(&args);
}

Test(ctl_args, become_the_json_that_the_head_takes)
{
    expect_body("add -n n1 -- true", "{\"node\":\"n1\",\"command\":[\"true\"]}");
    expect_body("submit -n n1 -- sleep 1",
                "{\"node\":\"n1\",\"command\":[\"sleep\",\"1\"],\"submit\":true}");
    expect_body(
        "submit -n n1 -J 7 -T 3 --name s --user u --workdir /w --stdin /i --stdout /o "
        "--stderr /e --env A=1 --env B= --env A=2 --runtime 1s --memory 1K --cpus 0.1 "
        "--pids 9 --grace 0 --not-rerunnable -- true",
        "{\"node\":\"n1\",\"name\":\"s\",\"user\":\"u\",\"workdir\":\"/w\",\"stdin\":\"/i\","
        "\"stdout\":\"/o\",\"stderr\":\"/e\",\"command\":[\"true\"],"
        "\"env\":{\"A\":\"2\",\"B\":\"\"},\"job_id\":7,\"task_id\":3,\"runtime_ms\":1000,"
        "\"memory_bytes\":1024,\"pids\":9,\"grace_ms\":0,\"cpus\":0.1,\"rerunnable\":false,"
        "\"submit\":true}");
    expect_body("add -n n1 --cpus 2.000 -- true",
                "{\"node\":\"n1\",\"command\":[\"true\"],\"cpus\":2}");
    expect_body("requeue 7.1 7.2", "{}");
    expect_body("requeue 7.1 -n n2 --grace 0", "{\"node\":\"n2\",\"grace_ms\":0}");
    expect_body("cancel 7.1", "{}");
    expect_body("cancel 7.1 -m ''", "{\"message\":\"\"}");
    expect_body("cancel 7.1 -m \xc3\xa4 --grace 1m",
                "{\"message\":\"\xc3\xa4\",\"grace_ms\":60000}");
}

Test(ctl_args, what_is_not_text_is_refused_before_it_is_sent)
{
    static const struct {
        const char *line;
        const char *want;
    } rows[] = {
        {"add -n \xff -- true", "The name of the node is not valid UTF-8, and can't be sent."},
        {"add -n n1 -- true \xc3", "A word of the command is not valid UTF-8, and can't be sent."},
        {"add -n n1 --env \xff=1 -- true",
         "The name of a --env is not valid UTF-8, and can't be sent."},
        {"add -n n1 --env A=\xff -- true",
         "The value of a --env is not valid UTF-8, and can't be sent."},
        {"add -n n1 --workdir /\xff -- true",
         "The value of --workdir is not valid UTF-8, and can't be sent."},
        {"cancel 7.1 -m \xed\xa0\x80", "The message is not valid UTF-8, and can't be sent."},
    };

    for (size_t i = 0; i < LEN(rows); i++) {
        char words[WORDS_SIZE];
        struct args args;
        struct err err;
        json_t *body;

        cr_assert_eq(parse(rows[i].line, words, &args, &err), 0, "row %zu: %s", i, err.text);
        body = args.given & ARGS_MESSAGE ? spec_cancel(&args, &err)
                                         : spec_new_task(&args, false, &err);
        cr_expect_null(body, "row %zu", i);
        cr_expect_eq(err.code, -EILSEQ, "row %zu: %d", i, err.code);
        cr_expect_str_eq(err.text, rows[i].want, "row %zu: %s", i, err.text);
        args_done(&args);
    }
}

Test(ctl_args, every_verb_that_there_is_has_help)
{
    static const char *const names[] = {"add",  "submit", "cancel", "requeue", "show",  "list",
                                        "wait", "events", "nodes",  "status",  "tasks", "ps"};
    char *text = NULL;
    size_t len;
    FILE *stream = open_memstream(&text, &len);

    verb_print_help(stream, NULL);
    (void) fclose(stream);
    for (size_t i = 0; i < LEN(names); i++) {
        char line[16];
        char *own = NULL;
        FILE *out = open_memstream(&own, &len);

        (void) snprintf(line, sizeof(line), "\n  %-8s", names[i]);
        cr_expect(strstr(text, line), "%s is not in the help", names[i]);
        cr_assert_not_null(verb_find(names[i]));
        verb_print_help(out, verb_find(names[i]));
        (void) fclose(out);
        (void) snprintf(line, sizeof(line), "ctl %s", names[i]);
        cr_expect(strstr(own, line), "%s", own);
        free(own);
    }
    cr_expect_null(strstr(text, "peep"));
    free(text);
}
