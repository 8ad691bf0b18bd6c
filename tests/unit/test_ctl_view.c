#include "ctl/lists_view.h"
#include "ctl/table.h"
#include "ctl/task_view.h"
#include "ctl/text.h"
#include "ctl/tree_view.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

static char *written;
static size_t written_len;

static FILE *begin(void)
{
    free(written);
    written = NULL;
    return open_memstream(&written, &written_len);
}

static void expect_written(FILE *stream, const char *want)
{
    (void) fclose(stream);
    cr_expect_str_eq(written, want, "got:\n%s\nwant:\n%s", written, want);
}

static void forget(void)
{
    free(written);
}

static json_t *json(const char *text)
{
    json_error_t error;
    json_t *ret = json_loads(text, JSON_ALLOW_NUL, &error);

    cr_assert_not_null(ret, "%s in %s", error.text, text);
    return ret;
}

TestSuite(ctl_view, .fini = forget);

Test(ctl_view, nothing_that_is_printed_can_control_the_terminal)
{
    static const struct {
        const char *text;
        size_t len;
        const char *want;
    } rows[] = {
        {"plain", 5, "plain"},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7", 9, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7"},
        {"a\nb\tc", 5, "a\\x0Ab\\x09c"},
        {"\x1b[2J", 4, "\\x1B[2J"},
        {"\x7f", 1, "\\x7F"},
        {"a\0b", 3, "a\\x00b"},
        {"\xc2\x9b"
         "31m",
         5, "\\xC2\\x9B31m"}, /* C1: CSI as one character */
        {"\xff\xfe", 2, "\\xFF\\xFE"},
        {"\xc3", 1, "\\xC3"},
        {"\xed\xa0\x80", 3, "\\xED\\xA0\\x80"},
    };

    for (size_t i = 0; i < LEN(rows); i++) {
        FILE *out = begin();

        text_write(out, rows[i].text, rows[i].len);
        expect_written(out, rows[i].want);
    }
}

Test(ctl_view, any_json_value_has_words)
{
    static const struct {
        const char *value;
        const char *want;
    } rows[] = {
        {"null", "-"},
        {"\"n1\"", "n1"},
        {"\"a\\u0000\\u001bb\"", "a\\x00\\x1Bb"},
        {"-7", "-7"},
        {"0.5", "0.5"},
        {"true", "yes"},
        {"[\"sleep\", \"10\"]", "sleep 10"},
        {"[\"sh\", \"-c\", \"echo it's; exit 3\", \"\"]", "sh -c 'echo it'\\''s; exit 3' ''"},
        {"[\"a\\nb\"]", "'a\\x0Ab'"},
        {"[\"a\\u0000b\"]", "'a\\x00b'"},
        {"[1, null, [\"\\u009b\"]]", "1 null [\"\\xC2\\x9B\"]"},
        {"{\"uid\": 0, \"name\": \"root\"}", "root"},
        {"{\"uid\": 65534, \"name\": null}", "65534"},
        {"{\"since\": \"now\"}", "{\"since\":\"now\"}"},
    };

    for (size_t i = 0; i < LEN(rows); i++) {
        json_t *value = json_loads(rows[i].value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        FILE *out = begin();

        cr_assert_not_null(value, "row %zu", i);
        text_write_json(out, value);
        expect_written(out, rows[i].want);
        json_decref(value);
    }
}

Test(ctl_view, quantities_are_short)
{
    static const struct {
        void (*write)(FILE *out, int64_t value);
        int64_t value;
        const char *want;
    } rows[] = {
        {text_write_bytes, 0, "0"},
        {text_write_bytes, 1023, "1023"},
        {text_write_bytes, 1024, "1.0K"},
        {text_write_bytes, 1258291, "1.2M"},
        {text_write_bytes, 67108864, "64M"},
        {text_write_bytes, 5497558138880, "5.0T"},
        {text_write_bytes, 1125899906842624000, "1024000T"},
        {text_write_cpu_time, 0, "0.000s"},
        {text_write_cpu_time, 1234567, "1.234s"},
        {text_write_cpu_time, 723000000, "12m03s"},
        {text_write_cpu_time, 7261000000, "2h01m"},
    };

    for (size_t i = 0; i < LEN(rows); i++) {
        FILE *out = begin();

        rows[i].write(out, rows[i].value);
        expect_written(out, rows[i].want);
    }
}

Test(ctl_view, a_value_in_an_address_is_escaped)
{
    FILE *out = begin();

    text_write_escaped_query(out, "n-1_.~ &=?#/%\xc3\xa4");
    expect_written(out, "n-1_.~%20%26%3D%3F%23%2F%25%C3%A4");
}

Test(ctl_view, a_long_cell_pushes_only_its_own_row_aside)
{
    static const struct table_column columns[] = {
        {"NAME", false}, {"N", true}, {"LAST", false}, {NULL, false}};
    static const char *const cells[] = {
        "short",
        "1",
        "x",
        "this-one-is-much-longer-than-any-column-may-become-here",
        "22",
        "y",
        "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6\xc3\xbc",
        "333",
        "z",
    };
    struct table *table = table_new(columns);
    FILE *out = begin();

    for (size_t i = 0; i < LEN(cells); i++)
        (void) fputs(cells[i], table_cell(table));
    cr_expect(table_print(table, out, 1));
    expect_written(out, " NAME      N  LAST\n"
                        " short     1  x\n"
                        " this-one-is-much-longer-than-any-column-may-become-here   22  y\n"
                        " \xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6\xc3\xbc  333  z\n");
    (void) table_free(table);
}

Test(ctl_view, a_table_without_rows_is_its_titles)
{
    json_t *none = json("[]");
    FILE *out = begin();

    cr_expect(lists_view_tasks(out, none));
    expect_written(out, "TASK  STATUS  NODE  USER  EXIT  COMMAND\n");
    json_decref(none);
}

#define CANCELLED                                                                                  \
    "{\"job_id\": 7, \"task_id\": 1, \"attempt\": 0, \"attempts\": [], \"node\": \"n1\","          \
    " \"user\": \"nobody\", \"name\": null, \"command\": [\"fighter\", \"50\"],"                   \
    " \"status\": \"TaskStatus_Cancelled\", \"error_message\": \"out of budget\","                 \
    " \"exit_code\": null, \"signal\": 9, \"cause\": \"cancelled\", \"stuck\": null,"              \
    " \"cancelled_by\": {\"uid\": 0, \"name\": \"root\"},"                                         \
    " \"cancel_time\": \"2026-11-22T17:34:23.000001Z\","                                           \
    " \"submit_time\": \"2026-11-22T17:34:20.000001Z\","                                           \
    " \"start_time\": \"2026-11-22T17:34:20.010001Z\","                                            \
    " \"end_time\": \"2026-11-22T17:34:24.002411Z\","                                              \
    " \"proof\": {\"method\": \"cgroup_kill\", \"processes_at_kill\": 50, \"escaped\": 0,"         \
    "  \"cgroup_inode\": 4711, \"signals_sent\": 50,"                                              \
    "  \"boot_id\": \"1b4e28ba-2fa1-11d2-883f-0016d3cca427\","                                     \
    "  \"us\": {\"received\": 0, \"term\": 41, \"kill\": 1000312, \"empty\": 1002115,"             \
    "           \"reaped\": 1002300, \"recorded\": 1002410}},"                                     \
    " \"usage\": {\"cpu_us\": 12345, \"memory_peak_bytes\": 2097152, \"oom_kills\": 0}}"

Test(ctl_view, a_cancelled_task_shows_its_proof_as_a_timeline)
{
    json_t *task = json(CANCELLED);
    FILE *out = begin();

    task_view_print(out, task);
    expect_written(
        out, "task 7.1  attempt 0\n"
             "  command     fighter 50\n"
             "  node        n1, as nobody\n"
             "  status      TaskStatus_Cancelled\n"
             "  message     out of budget\n"
             "  cancelled   by root (uid 0), accepted 2026-11-22T17:34:23.000001Z\n"
             "  exit        signal 9 (SIGKILL), cause cancelled\n"
             "  submitted   2026-11-22T17:34:20.000001Z\n"
             "  started     2026-11-22T17:34:20.010001Z\n"
             "  ended       2026-11-22T17:34:24.002411Z\n"
             "  usage       CPU 0.012s, memory at most 2.0M\n"
             "  proof       cgroup_kill, 50 processes at the kill, 0 escaped, cgroup inode 4711, "
             "boot 1b4e28ba\n"
             "             0.000 ms  cancel received\n"
             "             0.041 ms  SIGTERM to 50 processes\n"
             "          1000.312 ms  cgroup.kill\n"
             "          1002.115 ms  empty: the kernel says that nothing is left\n"
             "          1002.300 ms  reaped, no descendant left\n"
             "          1002.410 ms  recorded\n");
    json_decref(task);
}

Test(ctl_view, a_new_task_shows_what_is_known)
{
    json_t *task = json("{\"job_id\": 7, \"task_id\": 2, \"attempt\": 1, \"node\": \"n1\","
                        " \"user\": \"ann\", \"name\": \"sweep\", \"command\": [\"true\"],"
                        " \"status\": \"TaskStatus_Queued\", \"error_message\": null,"
                        " \"exit_code\": null, \"signal\": null, \"cause\": null, \"proof\": null,"
                        " \"usage\": null, \"memory_bytes\": 67108864, \"cpus\": 0.5, \"pids\": 9,"
                        " \"runtime_ms\": 1500, \"cancelled_by\": null, \"cancel_time\": null}");
    FILE *out = begin();

    task_view_print(out, task);
    expect_written(out, "task 7.2  attempt 1  sweep\n"
                        "  command     true\n"
                        "  node        n1, as ann\n"
                        "  limits      memory 64M, cpus 0.5, pids 9, runtime 1.500 s\n"
                        "  status      TaskStatus_Queued\n");
    json_decref(task);
}

Test(ctl_view, a_group_that_was_handed_over_stands_in_place_of_a_command)
{
    json_t *tasks = json("[{\"job_id\": 7, \"task_id\": 2, \"node\": \"n1\", \"user\": \"ann\","
                         " \"command\": [], \"cgroup\": \"/theirs\","
                         " \"status\": \"TaskStatus_Running\"}]");
    FILE *out = begin();

    task_view_print(out, json_array_get(tasks, 0));
    cr_expect(lists_view_tasks(out, tasks));
    expect_written(out, "task 7.2\n"
                        "  cgroup      /theirs\n"
                        "  node        n1, as ann\n"
                        "  status      TaskStatus_Running\n"
                        "TASK  STATUS              NODE  USER  EXIT  COMMAND\n"
                        "7.2   TaskStatus_Running  n1    ann      -  /theirs\n");
    json_decref(tasks);
}

Test(ctl_view, an_ending_without_a_cancel_begins_with_what_began_it)
{
    static const struct {
        const char *task;
        const char *want;
    } rows[] = {
        {"{\"job_id\": 1, \"task_id\": 1, \"status\": \"TaskStatus_Failed\", \"cause\":"
         " \"exit_code\", \"exit_code\": 3, \"usage\": {\"io_read_bytes\": 4096,"
         " \"io_write_bytes\": 0, \"oom_kills\": 1}, \"proof\": {\"method\": \"leftovers\","
         " \"processes_at_kill\": 1, \"escaped\": null, \"us\": {\"received\": null, \"term\": 12,"
         " \"kill\": 2000100, \"empty\": 2000200, \"reaped\": 2000300, \"recorded\": 2000400}}}",
         "task 1.1\n"
         "  node        -, as -\n"
         "  status      TaskStatus_Failed\n"
         "  exit        code 3, cause exit_code\n"
         "  usage       CPU -, memory at most -, read 4.0K, written 0, 1 OOM kill\n"
         "  proof       leftovers, 1 process at the kill, escaped not known\n"
         "             0.000 ms  the program ended\n"
         "             0.012 ms  SIGTERM to every process\n"
         "          2000.100 ms  cgroup.kill\n"
         "          2000.200 ms  empty: the kernel says that nothing is left\n"
         "          2000.300 ms  reaped, no descendant left\n"
         "          2000.400 ms  recorded\n"},
        {"{\"job_id\": 1, \"task_id\": 2, \"status\": \"TaskStatus_Failed\", \"cause\":"
         " \"time_limit\", \"signal\": 15, \"proof\": {\"method\": \"v1_freezer\","
         " \"escaped\": 2, \"signals_sent\": 1, \"us\": {\"received\": 500, \"term\": 7,"
         " \"kill\": 600, \"empty\": 700}}}",
         "task 1.2\n"
         "  node        -, as -\n"
         "  status      TaskStatus_Failed\n"
         "  exit        signal 15 (SIGTERM), cause time_limit\n"
         "  proof       v1_freezer, 2 escaped\n"
         "             0.000 ms  time limit reached\n"
         "             0.007 ms  SIGTERM to 1 process\n"
         "             0.500 ms  cancel received\n"
         "             0.600 ms  frozen, SIGKILL to each, thawed\n"
         "             0.700 ms  empty: the kernel says that nothing is left\n"},
        {"{\"job_id\": 1, \"task_id\": 3, \"status\": \"TaskStatus_Cancelled\", \"cause\":"
         " \"cancelled\", \"proof\": {\"method\": \"never_started\", \"escaped\": 0}}",
         "task 1.3\n"
         "  node        -, as -\n"
         "  status      TaskStatus_Cancelled\n"
         "  exit        status not known, cause cancelled\n"
         "  proof       never_started, 0 escaped\n"},
    };

    for (size_t i = 0; i < LEN(rows); i++) {
        json_t *task = json(rows[i].task);
        FILE *out = begin();

        task_view_print(out, task);
        expect_written(out, rows[i].want);
        json_decref(task);
    }
}

Test(ctl_view, earlier_attempts_are_short_lines)
{
    json_t *task = json(
        "{\"job_id\": 7, \"task_id\": 1, \"attempt\": 3, \"status\": \"TaskStatus_Running\","
        " \"node\": \"n2\", \"user\": \"ann\", \"cancelled_by\": {\"uid\": 0, \"name\": \"root\"},"
        " \"cancel_time\": \"2026-11-22T20:00:00.000001Z\","
        " \"kill_time\": \"2026-11-22T20:00:15.000001Z\", \"requeue_node\": \"n\\u001b3\","
        " \"attempts\": ["
        "{\"attempt\": 0, \"node\": \"n1\", \"status\": \"TaskStatus_Failed\", \"cause\":"
        " \"exit_code\", \"exit_code\": 3, \"signal\": null, \"error_message\":"
        " \"The program\\nexited.\", \"end_time\": \"2026-11-22T18:00:00.000001Z\"},"
        "{\"attempt\": 1, \"node\": \"n1\", \"status\": \"TaskStatus_Cancelled\", \"cause\":"
        " \"cancelled\", \"exit_code\": null, \"signal\": 9, \"error_message\": null,"
        " \"end_time\": \"2026-11-22T19:00:00.000001Z\"},"
        "{\"attempt\": 2, \"node\": \"n1\", \"status\": \"TaskStatus_Failed\", \"cause\":"
        " \"node_lost\", \"exit_code\": null, \"signal\": null, \"end_time\": null}]}");
    FILE *out = begin();

    task_view_print(out, task);
    expect_written(out,
                   "task 7.1  attempt 3\n"
                   "  node        n2, as ann\n"
                   "  status      TaskStatus_Running\n"
                   "  cancelled   by root (uid 0), accepted 2026-11-22T20:00:00.000001Z\n"
                   "  kill due    2026-11-22T20:00:15.000001Z\n"
                   "  requeue     pending: will be Queued on n\\x1B3\n"
                   "  attempt 0   TaskStatus_Failed on n1, ended 2026-11-22T18:00:00.000001Z,"
                   " exit code 3, cause exit_code: The program\\x0Aexited.\n"
                   "  attempt 1   TaskStatus_Cancelled on n1, ended 2026-11-22T19:00:00.000001Z,"
                   " signal 9 (SIGKILL), cause cancelled\n"
                   "  attempt 2   TaskStatus_Failed on n1, ended -, exit status not known,"
                   " cause node_lost\n");
    json_decref(task);
}

Test(ctl_view, a_kill_that_was_not_needed_is_not_due)
{
    json_t *task = json("{\"job_id\": 7, \"task_id\": 1, \"status\": \"TaskStatus_Cancelled\","
                        " \"kill_time\": \"2026-11-22T20:00:15.000001Z\", \"attempts\": []}");
    FILE *out = begin();

    task_view_print(out, task);
    expect_written(out, "task 7.1\n"
                        "  node        -, as -\n"
                        "  status      TaskStatus_Cancelled\n");
    json_decref(task);
}

Test(ctl_view, times_are_read_as_they_are_written)
{
    static const struct {
        const char *text;
        uint64_t want; /* 0: none */
    } rows[] = {
        {"\"1970-01-01T00:00:01.000001Z\"", 1000001},
        {"\"2026-11-22T20:00:00.123456Z\"", 1795377600123456},
        {"\"2026-11-22T20:00:00Z\"", 1795377600000000},
        {"\"2026-11-22T20:00:00.5Z\"", 1795377600500000},
        {"\"2026-11-22T20:00:00.123456789Z\"", 1795377600123456},
        {"\"2026-11-22T20:00:00.123456\"", 0},
        {"\"2026-11-22T20:00:00.123456Z \"", 0},
        {"\"2026-11-22T20:00:00+01:00\"", 0},
        {"\"1969-12-31T23:59:59Z\"", 0},
        {"\"soon\"", 0},
        {"\"\"", 0},
        {"7", 0},
        {"null", 0},
    };

    for (size_t i = 0; i < LEN(rows); i++) {
        uint64_t us = 0;
        json_t *object = json_object();
        bool found;

        (void) json_object_set_new(object, "t", json_loads(rows[i].text, JSON_DECODE_ANY, NULL));
        found = text_get_time_us(object, "t", &us);
        cr_expect_eq(found, rows[i].want > 0, "row %zu: %s", i, rows[i].text);
        cr_expect_eq(us, rows[i].want, "row %zu: %s: %llu", i, rows[i].text,
                     (unsigned long long) us);
        json_decref(object);
    }
    cr_expect_not(text_get_time_us(NULL, "t", &(uint64_t){0}));
}

Test(ctl_view, lists_are_tables)
{
    json_t *tasks = json("[" CANCELLED ", {\"job_id\": 12, \"task_id\": 345, \"node\":"
                         " \"a-much-longer-node\", \"user\": \"ann\", \"status\":"
                         " \"TaskStatus_Finished\", \"exit_code\": 0, \"command\": [\"true\"]}]");
    json_t *nodes = json("[{\"node\": \"n1\", \"state\": \"up\", \"cgroup_mode\": \"hybrid\","
                         " \"tasks_running\": 12, \"last_heard\": \"2026-11-22T17:34:20.000001Z\"},"
                         " {\"node\": \"node-2\", \"state\": \"unreachable\", \"cgroup_mode\":"
                         " null, \"tasks_running\": 0, \"last_heard\": null}]");
    FILE *out = begin();

    cr_expect(lists_view_tasks(out, tasks));
    expect_written(out,
                   "TASK    STATUS                NODE                USER     EXIT  COMMAND\n"
                   "7.1     TaskStatus_Cancelled  n1                  nobody  sig 9  fighter 50\n"
                   "12.345  TaskStatus_Finished   a-much-longer-node  ann         0  true\n");

    out = begin();
    cr_expect(lists_view_nodes(out, nodes));
    expect_written(out, "NODE    STATE        CGROUPS  RUNNING  LAST HEARD\n"
                        "n1      up           hybrid        12  2026-11-22T17:34:20.000001Z\n"
                        "node-2  unreachable  -              0  -\n");

    out = begin();
    cr_expect(lists_view_agent_tasks(out, tasks));
    expect_written(out, "TASK    ATTEMPT  STATUS                USER    COMMAND\n"
                        "7.1           0  TaskStatus_Cancelled  nobody  fighter 50\n"
                        "12.345        -  TaskStatus_Finished   ann     true\n");
    json_decref(tasks);
    json_decref(nodes);
}

Test(ctl_view, the_agents_status_is_a_block)
{
    json_t *node = json("{\"node\": \"n1\", \"head\": \"ipc:///run/h\", \"connection\":"
                        " \"connected\", \"cgroup_mode\": \"hybrid\", \"cgroup\": \"/quell\","
                        " \"boot_id\": \"b\", \"instance\": \"i\", \"version\": \"0.1.0\","
                        " \"tasks\": {\"queued\": 0, \"running\": 1, \"ended\": 2},"
                        " \"unenforceable\": [\"memory\", \"cpus\"]}");
    FILE *out = begin();

    lists_view_agent(out, node);
    expect_written(out, "node            n1\n"
                        "head            ipc:///run/h\n"
                        "connection      connected\n"
                        "tasks           queued 0, running 1, ended 2\n"
                        "cgroups         hybrid\n"
                        "cgroup          /quell\n"
                        "cannot enforce  memory, cpus\n"
                        "boot            b\n"
                        "instance        i\n"
                        "version         0.1.0\n");
    json_decref(node);
}

Test(ctl_view, processes_are_drawn_as_a_tree)
{
    json_t *object = json(
        "{\"job_id\": 7, \"task_id\": 1, \"status\": \"TaskStatus_Running\", \"user\": \"nobody\","
        " \"processes\": ["
        "{\"pid\": 102, \"ppid\": 100, \"user\": \"nobody\", \"state\": \"S\", \"cpu_us\": 1500,"
        " \"memory_bytes\": 2048, \"command\": \"child two\"},"
        "{\"pid\": 100, \"ppid\": 1, \"user\": \"nobody\", \"state\": \"S\", \"cpu_us\": 0,"
        " \"memory_bytes\": 1258291, \"command\": \"leader\"},"
        "{\"pid\": 101, \"ppid\": 100, \"user\": null, \"uid\": 65534, \"state\": \"R\","
        " \"cpu_us\": 61000000, \"memory_bytes\": null, \"command\": \"child one\"},"
        "{\"pid\": 103, \"ppid\": 101, \"user\": \"nobody\", \"state\": \"Z\", \"cpu_us\": 0,"
        " \"memory_bytes\": 0, \"command\": \"grand\\u001bchild\"},"
        "{\"pid\": 900, \"ppid\": 1, \"user\": \"nobody\", \"state\": \"S\", \"cpu_us\": 0,"
        " \"memory_bytes\": 0, \"command\": \"orphan\"}]}");
    FILE *out = begin();

    cr_expect(tree_view_print(out, object));
    expect_written(out, "7.1  TaskStatus_Running  nobody  5 processes\n"
                        "  PID  USER    S     CPU  MEMORY  COMMAND\n"
                        "  100  nobody  S  0.000s    1.2M  leader\n"
                        "  101  65534   R   1m01s       -  ├─ child one\n"
                        "  103  nobody  Z  0.000s       0  │  └─ grand\\x1Bchild\n"
                        "  102  nobody  S  0.001s    2.0K  └─ child two\n"
                        "  900  nobody  S  0.000s       0  orphan\n");
    json_decref(object);
}

static size_t count_lines(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += *text == '\n';
    return count;
}

/* Whatever the list says, each process is drawn exactly once. */
Test(ctl_view, every_process_is_drawn_once_whatever_the_parents)
{
    enum { COUNT = 500 };
    static const int ppid_of[][2] = {
        /* pid * a + b, modulo COUNT + 1 */
        {1, -1}, /* one long chain */
        {0, 1},  /* all children of 1, which is its own parent */
        {1, 1},  /* a circle */
        {7, 3},  {3, 250}, {0, 0},
    };

    for (size_t i = 0; i < LEN(ppid_of); i++) {
        json_t *list = json_array();
        json_t *object = json_pack("{s:i, s:i, s:o}", "job_id", 1, "task_id", 1, "processes", list);
        FILE *out = begin();

        for (int pid = COUNT; pid >= 1; pid--)
            cr_assert_eq(json_array_append_new(
                             list, json_pack("{s:i, s:i, s:s}", "pid", pid, "ppid",
                                             (pid * ppid_of[i][0] + ppid_of[i][1]) % (COUNT + 1),
                                             "command", "x")),
                         0);
        cr_expect(tree_view_print(out, object));
        (void) fclose(out);
        cr_expect_eq(count_lines(written), COUNT + 2, "row %zu: %zu lines", i,
                     count_lines(written));
        json_decref(object);
    }
}

Test(ctl_view, a_task_without_processes_is_one_line)
{
    json_t *object = json("{\"job_id\": 1, \"task_id\": 2, \"status\": \"TaskStatus_Queued\","
                          " \"user\": \"ann\", \"processes\": []}");
    FILE *out = begin();

    cr_expect(tree_view_print(out, object));
    expect_written(out, "1.2  TaskStatus_Queued  ann  0 processes\n");
    json_decref(object);
}
