#include "tests/unit/test_ctl_fixture.h"

#include "base/version.h"

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

TestSuite(ctl_program, .init = make_test_dir, .fini = remove_test_dir);

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

#define TASK_OF(task, status)                                                                      \
    "{\"job_id\": 7, \"task_id\": " task ", \"status\": \"TaskStatus_" status "\", "               \
    "\"error_message\": null}"
#define LINE_OF(task, status) TASK_OF(task, status) "\n"
#define REFUSAL(code, text)   "{\"error\": {\"code\": \"" code "\", \"text\": \"" text "\"}}"
#define ENDED                 REFUSAL("0x80040209", "Task 7.1 is TaskStatus_Finished.")

#define PART(task, code, text)                                                                     \
    "{\"job_id\": 7, \"task_id\": " task ", \"code\": \"" code "\", \"text\": \"" text "\"}"
#define REQUEUED(task, status, node)                                                               \
    "{\"job_id\": 7, \"task_id\": " task ", \"status\": \"TaskStatus_" status "\", "               \
    "\"requeue_node\": \"" node "\", \"error_message\": null}"
#define EVENT(id, rest)                                                                            \
    "id: " id "\n"                                                                                 \
    "data: {\"event_id\": " id ", \"time\": \"2026-11-22T20:00:00.123456Z\", \"job_id\": 7, "      \
    "\"task_id\": 1, \"attempt\": 0, " rest "}\n\n"
#define RUNNING_EVENT(id) EVENT(id, "\"node\": \"n1\", \"status\": \"TaskStatus_Running\"")
#define RUNNING_LINE      "2026-11-22T20:00:00.123456Z 7.1.0 TaskStatus_Running n1\n"
#define REQUEUE(task, body, status, answer)                                                        \
    {                                                                                              \
        "POST /v1/tasks/7." task "/requeue", body, status, answer                                  \
    }
#define WAIT_FOR(task, status, answer)                                                             \
    {                                                                                              \
        "GET /v1/tasks/7." task "?wait_ms=30000", NULL, status, answer                             \
    }
#define CANCEL(task, body, status, answer)                                                         \
    {                                                                                              \
        "POST /v1/tasks/7." task "/cancel", body, status, answer                                   \
    }
#define SUBMIT(task, status, answer)                                                               \
    {                                                                                              \
        "POST /v1/tasks/7." task "/submit", "{}", status, answer                                   \
    }

struct conversation {
    const char *line; /* split at blanks */
    struct exchange exchanges[6];
    int status;
    const char *out; /* NULL: not compared */
    const char *err;
};

/* clang-format off */
static const struct conversation conversations[] = {
    /* add and submit */
    {"add -n n1 -- sleep 1",
     {{"POST /v1/tasks", "{\"node\":\"n1\",\"command\":[\"sleep\",\"1\"]}", 200, TASK_OF("1", "NotSubmitted")}},
     0, "7.1\n", ""},
    {"submit -n n1 -J 7 -T 1 --cpus 0.5 -- sleep 1",
     {{"POST /v1/tasks", "{\"node\":\"n1\",\"command\":[\"sleep\",\"1\"],\"job_id\":7,\"task_id\":1,\"cpus\":0.5,\"submit\":true}",
       200, TASK_OF("1", "Queued")}},
     0, "7.1\n", ""},
    {"--json submit -n n1 -- true",
     {{"POST /v1/tasks", NULL, 201, TASK_OF("1", "Queued")}}, 0, LINE_OF("1", "Queued"), ""},
    {"submit -n nowhere -- true",
     {{"POST /v1/tasks", NULL, 404, REFUSAL("0x80070490", "There is no node nowhere.")}},
     1, "", "quellctl: error 0x80070490: There is no node nowhere.\n"},
    {"submit -n n1 -J 7 -T 1 -- true",
     {{"POST /v1/tasks", NULL, 409, REFUSAL("0x8007139F", "There is a task 7.1.")}},
     1, "", "quellctl: 7.1: error 0x8007139F: There is a task 7.1.\n"},
    {"submit -n n1 --wait -- true",
     {{"POST /v1/tasks", NULL, 200, TASK_OF("1", "Queued")}, WAIT_FOR("1", 200, TASK_OF("1", "Failed"))},
     4, "7.1\n", ""},
    {"--json submit -n n1 --wait -- true",
     {{"POST /v1/tasks", NULL, 200, TASK_OF("1", "Queued")}, WAIT_FOR("1", 200, TASK_OF("1", "Finished"))},
     0, LINE_OF("1", "Finished"), ""},
    {"submit 7.1 7.2 7.3",
     {SUBMIT("1", 200, TASK_OF("1", "Queued")), SUBMIT("2", 409, ENDED), SUBMIT("3", 200, TASK_OF("3", "Queued"))},
     1, "7.1\n7.3\n", "quellctl: 7.2: error 0x80040209: Task 7.1 is TaskStatus_Finished.\n"},
    {"submit 7.1 7.2 --wait",
     {SUBMIT("1", 409, ENDED), SUBMIT("2", 200, TASK_OF("2", "Queued")), WAIT_FOR("2", 200, TASK_OF("2", "Failed"))},
     1, "7.2\n", "quellctl: 7.1: error 0x80040209: Task 7.1 is TaskStatus_Finished.\n"},

    /* cancel */
    {"cancel 7.1 -m too_long --grace 1s",
     {CANCEL("1", "{\"message\":\"too_long\",\"grace_ms\":1000}", 200, TASK_OF("1", "Running"))}, 0, "", ""},
    {"cancel 7.1", {CANCEL("1", "{}", 200, TASK_OF("1", "Running"))}, 0, "", ""},
    {"cancel 7.1 --json", {CANCEL("1", "{}", 200, TASK_OF("1", "Running"))}, 0, LINE_OF("1", "Running"), ""},
    {"cancel 7.1 7.2 7.3",
     {CANCEL("1", "{}", 409, ENDED), CANCEL("2", "{}", 403, REFUSAL("0x80070005", "Not yours.")),
      CANCEL("3", "{}", 200, TASK_OF("3", "Running"))},
     1, "", "quellctl: 7.1: error 0x80040209: Task 7.1 is TaskStatus_Finished.\n"
            "quellctl: 7.2: error 0x80070005: Not yours.\n"},
    {"cancel 7.1 7.2 --wait",
     {CANCEL("1", "{}", 200, TASK_OF("1", "Running")), CANCEL("2", "{}", 200, TASK_OF("2", "Running")),
      WAIT_FOR("1", 200, TASK_OF("1", "Running")), WAIT_FOR("1", 200, TASK_OF("1", "Cancelled")),
      WAIT_FOR("2", 200, TASK_OF("2", "Cancelled"))},
     5, "7.1  TaskStatus_Cancelled\n7.2  TaskStatus_Cancelled\n", ""},
    {"cancel -J 7 -m enough",
     {{"POST /v1/jobs/7/cancel", "{\"message\":\"enough\"}", 200, "{\"tasks\": [" TASK_OF("1", "Running") "]}"}},
     0, "", ""},
    {"cancel -J 7 --wait",
     {{"POST /v1/jobs/7/cancel", "{}", 200, "{\"tasks\": [" TASK_OF("1", "Running") "," TASK_OF("2", "Cancelled") "]}"},
      WAIT_FOR("1", 200, TASK_OF("1", "Cancelled")), WAIT_FOR("2", 200, TASK_OF("2", "Cancelled"))},
     5, "7.1  TaskStatus_Cancelled\n7.2  TaskStatus_Cancelled\n", ""},
    {"cancel -J 9",
     {{"POST /v1/jobs/9/cancel", "{}", 404, REFUSAL("0x80070490", "There is no job 9.")}},
     1, "", "quellctl: job 9: error 0x80070490: There is no job 9.\n"},
    {"cancel 7.1 7.2 -m \xff", {{NULL, NULL, 0, NULL}},
     1, "", "quellctl: 7.1: error 0x80070057: The message is not valid UTF-8, and can't be sent.\n"
            "quellctl: 7.2: error 0x80070057: The message is not valid UTF-8, and can't be sent.\n"},
    {"cancel -J 7 -m \xff", {{NULL, NULL, 0, NULL}},
     1, "", "quellctl: job 7: error 0x80070057: The message is not valid UTF-8, and can't be sent.\n"},

    {"cancel -J 7", /* one of two is refused */
     {{"POST /v1/jobs/7/cancel", "{}", 200, "{\"tasks\": [" TASK_OF("1", "Running") "], \"refused\": ["
       PART("2", "0x80070005", "Not\\u001b yours.") "]}"}},
     1, "", "quellctl: 7.2: error 0x80070005: Not\\x1B yours.\n"},
    {"cancel -J 7 --wait", /* the accepted are waited for */
     {{"POST /v1/jobs/7/cancel", "{}", 200, "{\"tasks\": [" TASK_OF("1", "Running") "], \"refused\": ["
       PART("2", "0x80040209", "Task 7.2 is over.") "," PART("3", "0x80070005", "Not yours.") "]}"},
      WAIT_FOR("1", 200, TASK_OF("1", "Cancelled"))},
     1, "7.1  TaskStatus_Cancelled\n",
     "quellctl: 7.2: error 0x80040209: Task 7.2 is over.\nquellctl: 7.3: error 0x80070005: Not yours.\n"},
    {"cancel -J 7 --wait --json", /* all are refused: each is said once */
     {{"POST /v1/jobs/7/cancel", "{}", 403, "{\"error\": {\"code\": \"0x80070005\", \"text\": \"Not yours.\"},"
       " \"tasks\": [], \"refused\": [" PART("1", "0x80070005", "Not yours.") "," PART("2", "0x80040209", "Over.") "]}"}},
     1, "", "quellctl: 7.1: error 0x80070005: Not yours.\nquellctl: 7.2: error 0x80040209: Over.\n"},
    {"cancel -J 7", /* an error of the whole call, as if there were parts */
     {{"POST /v1/jobs/7/cancel", "{}", 400, "{\"error\": {\"code\": \"0x80070057\", \"text\": \"Bad.\"}, \"refused\": []}"}},
     1, "", "quellctl: job 7: error 0x80070057: Bad.\n"},
    {"cancel -J 7", {{"POST /v1/jobs/7/cancel", "{}", 200, "{\"tasks\": [], \"refused\": [{}]}"}},
     3, "", "quellctl: the socket's answer has a refusal without task, number or text: is it a socket of Quell?\n"},

    /* requeue */
    {"requeue 7.1", {REQUEUE("1", "{}", 200, TASK_OF("1", "Running"))}, 0, "", ""},
    {"requeue 7.1 7.2 7.3 -n n2 --grace 1s",
     {REQUEUE("1", "{\"node\":\"n2\",\"grace_ms\":1000}", 200, TASK_OF("1", "Queued")),
      REQUEUE("2", "{\"node\":\"n2\",\"grace_ms\":1000}", 409, REFUSAL("0x80040612", "Task 7.2 must not be requeued.")),
      REQUEUE("3", "{\"node\":\"n2\",\"grace_ms\":1000}", 200, TASK_OF("3", "Queued"))},
     1, "", "quellctl: 7.2: error 0x80040612: Task 7.2 must not be requeued.\n"},
    {"--json requeue 7.1 7.2", {REQUEUE("1", "{}", 200, TASK_OF("1", "Queued")), REQUEUE("2", "{}", 200, TASK_OF("2", "Running"))},
     0, LINE_OF("1", "Queued") LINE_OF("2", "Running"), ""},
    {"requeue 7.1 7.2", {REQUEUE("1", "{}", 0, NULL)}, 3, "", NULL},
    {"requeue 7.1 -n \xff", {{NULL, NULL, 0, NULL}},
     1, "", "quellctl: 7.1: error 0x80070057: The name of the node is not valid UTF-8, and can't be sent.\n"},

    /* wait */
    {"wait 7.1", /* what is Queued again has not ended, whatever its status */
     {WAIT_FOR("1", 200, REQUEUED("1", "Cancelled", "n2")), WAIT_FOR("1", 200, REQUEUED("1", "Failed", "n2")),
      WAIT_FOR("1", 200, TASK_OF("1", "Queued")), WAIT_FOR("1", 200, TASK_OF("1", "Finished"))},
     0, "7.1  TaskStatus_Finished\n", ""},
    {"wait 7.1", {WAIT_FOR("1", 200, TASK_OF("1", "Finished"))}, 0, "7.1  TaskStatus_Finished\n", ""},
    {"wait 7.1", {WAIT_FOR("1", 200, TASK_OF("1", "NotSubmitted")), WAIT_FOR("1", 200, TASK_OF("1", "Queued")),
                  WAIT_FOR("1", 200, TASK_OF("1", "Running")), WAIT_FOR("1", 200, TASK_OF("1", "Failed"))},
     4, "7.1  TaskStatus_Failed\n", ""},
    {"wait 7.1 7.2 7.3",
     {WAIT_FOR("1", 200, TASK_OF("1", "Cancelled")), WAIT_FOR("2", 200, TASK_OF("2", "Failed")),
      WAIT_FOR("3", 200, TASK_OF("3", "Finished"))},
     4, NULL, ""},
    {"wait 7.1 7.2", {WAIT_FOR("1", 200, TASK_OF("1", "Cancelled")), WAIT_FOR("2", 200, TASK_OF("2", "Finished"))},
     5, NULL, ""},
    {"wait 7.1 7.2",
     {WAIT_FOR("1", 404, REFUSAL("0x80040207", "There is no task 7.1.")), WAIT_FOR("2", 200, TASK_OF("2", "Failed"))},
     1, "7.2  TaskStatus_Failed\n", "quellctl: 7.1: error 0x80040207: There is no task 7.1.\n"},
    {"wait 7.1 --json", {WAIT_FOR("1", 200, TASK_OF("1", "Finished"))}, 0, LINE_OF("1", "Finished"), ""},

    /* show, list, nodes */
    {"show 7.1", {{"GET /v1/tasks/7.1", NULL, 200, TASK_OF("1", "Queued")}},
     0, "task 7.1\n  node        -, as -\n  status      TaskStatus_Queued\n", ""},
    {"--json show 7.1", {{"GET /v1/tasks/7.1", NULL, 200, "{\"a\": [0.1, null, \"\\u0000\"]}"}},
     0, "{\n  \"a\": [\n    0.1,\n    null,\n    \"\\u0000\"\n  ]\n}\n", ""},
    {"show 7.1", {{"GET /v1/tasks/7.1", NULL, 404, REFUSAL("0x80040207", "There is no task\\n7.1.")}},
     1, "", "quellctl: 7.1: error 0x80040207: There is no task\\x0A7.1.\n"},
    {"list", {{"GET /v1/tasks?limit=500", NULL, 200, "{\"tasks\": [], \"next\": null}"}},
     0, "TASK  STATUS  NODE  USER  EXIT  COMMAND\n", ""},
    {"list -J 7 -n a&b -s Running --json",
     {{"GET /v1/tasks?job_id=7&node=a&b&status=TaskStatus_Running&limit=500", NULL, 200, "{\"tasks\": [], \"next\": null}"}},
     0, "[]\n", ""},
    {"--json list",
     {{"GET /v1/tasks?limit=500", NULL, 200, "{\"tasks\": [{\"a\": 1}], \"next\": \"7.1\"}"},
      {"GET /v1/tasks?limit=500&after=7.1", NULL, 200, "{\"tasks\": [{\"a\": 2}], \"next\": \"7.2\"}"},
      {"GET /v1/tasks?limit=500&after=7.2", NULL, 200, "{\"tasks\": [], \"next\": null}"}},
     0, "[\n  {\n    \"a\": 1\n  },\n  {\n    \"a\": 2\n  }\n]\n", ""},
    {"list",
     {{"GET /v1/tasks?limit=500", NULL, 200, "{\"tasks\": [], \"next\": \"7.1\"}"},
      {"GET /v1/tasks?limit=500&after=7.1", NULL, 200, "{\"tasks\": [], \"next\": \"7.1\"}"}},
     3, "", "quellctl: the socket's list of tasks has no end: is it a socket of Quell?\n"},
    {"nodes", {{"GET /v1/nodes", NULL, 200, "{\"nodes\": []}"}}, 0, "NODE  STATE  CGROUPS  RUNNING  LAST HEARD\n", ""},
    {"nodes --json", {{"GET /v1/nodes", NULL, 200, "{\"nodes\": [{\"node\": \"n1\"}]}"}},
     0, "[\n  {\n    \"node\": \"n1\"\n  }\n]\n", ""},

    /* the agent */
    {"status --json", {{"GET /v1/node", NULL, 200, "{\"node\": \"n1\"}"}}, 0, "{\n  \"node\": \"n1\"\n}\n", ""},
    {"status", {{"GET /v1/node", NULL, 200, "{\"node\": \"n1\"}"}}, 0, NULL, ""},
    {"tasks", {{"GET /v1/tasks?limit=500", NULL, 200, "{\"tasks\": [" TASK_OF("1", "Running") "], \"next\": null}"}},
     0, "TASK  ATTEMPT  STATUS              USER  COMMAND\n7.1         -  TaskStatus_Running  -     -\n", ""},
    {"tasks --json", {{"GET /v1/tasks?limit=500", NULL, 200, "{\"tasks\": [], \"next\": null}"}}, 0, "[]\n", ""},
    {"ps 7.1", {{"GET /v1/tasks/7.1/processes", NULL, 200, "{\"job_id\": 7, \"task_id\": 1, \"status\":"
                 " \"TaskStatus_Running\", \"user\": \"ann\", \"processes\": [{\"pid\": 9, \"ppid\": 1}]}"}},
     0, "7.1  TaskStatus_Running  ann  1 process\n"
        "  PID  USER  S  CPU  MEMORY  COMMAND\n"
        "    9  -     -    -       -  -\n", ""},
    {"ps 7.1 --json", {{"GET /v1/tasks/7.1/processes", NULL, 200, "{\"job_id\": 7}"}}, 0, "{\n  \"job_id\": 7\n}\n", ""},
    {"ps 7.9", {{"GET /v1/tasks/7.9/processes", NULL, 404, REFUSAL("0x80040207", "There is no task 7.9 here.")}},
     1, "", "quellctl: 7.9: error 0x80040207: There is no task 7.9 here.\n"},
    {"ps", /* one is not running, one ends meanwhile */
     {{"GET /v1/tasks?limit=500", NULL, 200, "{\"tasks\": [" TASK_OF("1", "Queued") "," TASK_OF("2", "Running") ","
       TASK_OF("3", "Running") "], \"next\": null}"},
      {"GET /v1/tasks/7.2/processes", NULL, 404, REFUSAL("0x80040207", "There is no task 7.2 here.")},
      {"GET /v1/tasks/7.3/processes", NULL, 200, "{\"job_id\": 7, \"task_id\": 3, \"processes\": []}"}},
     0, "7.3  -  -  0 processes\n", ""},
    {"ps --json", {{"GET /v1/tasks?limit=500", NULL, 200, "{\"tasks\": [], \"next\": null}"}}, 0, "[]\n", ""},

    {"ps 7.9 --watch", {{"GET /v1/node", NULL, 200, "{\"node\": \"n1\"}"},
                        {"GET /v1/tasks/7.9/processes", NULL, 404, REFUSAL("0x80040207", "There is no task 7.9 here.")}},
     1, "", "quellctl: 7.9: error 0x80040207: There is no task 7.9 here.\n"},

    /* events */
    {"events", {{"GET /v1/events?follow=0", NULL, 200, "retry: 1000\n\n"}}, 0, "", ""},
    {"events",
     {{"GET /v1/events?follow=0", NULL, 200, "retry: 1000\n\n" RUNNING_EVENT("6") ": alive\n\n"
       EVENT("8", "\"node\": null, \"status\": \"TaskStatus_Cancelled\", \"cause\": \"cancelled\","
                  " \"error_message\": \"a\\u001b[2J\\nb\\u009b \xc3\xa4\"")
       EVENT("9", "\"node\": \"n\\r1\", \"status\": \"TaskStatus_Failed\", \"cause\": \"exit_code\"")
       EVENT("10", "\"node\": \"n1\", \"status\": \"TaskStatus_Finished\", \"cause\": null, \"error_message\": null")}},
     0, RUNNING_LINE
        "2026-11-22T20:00:00.123456Z 7.1.0 TaskStatus_Cancelled - cancelled a\\x1B[2J\\x0Ab\\xC2\\x9B \xc3\xa4\n"
        "2026-11-22T20:00:00.123456Z 7.1.0 TaskStatus_Failed n\\x0D1 exit_code\n"
        "2026-11-22T20:00:00.123456Z 7.1.0 TaskStatus_Finished n1\n", ""},
    {"events --after 5 --json",
     {{"GET /v1/events?after=5&follow=0", NULL, 200, "id: 6\ndata: {\"event_id\":6,\ndata: \"a\":\"\\u001b\"}\n\n"}},
     0, "{\"event_id\": 6, \"a\": \"\\u001B\"}\n", ""},
    {"events --after 5", /* what was missed is said, and is no event; what is not known is no event either */
     {{"GET /v1/events?after=5&follow=0", NULL, 200, "event: gap\ndata: {\"after\": 5, \"oldest\": 42}\n\n"
       RUNNING_EVENT("42") "event: gap\ndata: {}\n\nevent: other\ndata: {}\n\n"}},
     0, RUNNING_LINE, "quellctl: the events after 5 and before 42 are no longer kept\n"
                      "quellctl: some events are no longer kept\n"},
    {"events --follow", {{"GET /v1/events", NULL, 200, RUNNING_EVENT("6") "id: 7\ndata: {"}},
     3, RUNNING_LINE, "quellctl: the socket's server has ended the stream; the last event was 6: go on with --after 6\n"},
    {"events --follow --after 0", {{"GET /v1/events?after=0", NULL, 200, ""}},
     3, "", "quellctl: the socket's server has ended the stream; the last event was 0: go on with --after 0\n"},
    {"events --follow", {{"GET /v1/events", NULL, 200, ""}},
     3, "", "quellctl: the socket's server has ended the stream; no event had come\n"},
    {"events", {{"GET /v1/events?follow=0", NULL, 400, REFUSAL("0x80070057", "after must be a number.")}},
     1, "", "quellctl: error 0x80070057: after must be a number.\n"},
    {"events", {{"GET /v1/events?follow=0", NULL, 500, "<html>"}},
     3, "", "quellctl: the socket answered with HTTP status 500 and no word of why: is it a socket of Quell?\n"},
    {"events --follow", {{"GET /v1/events", NULL, 200, RUNNING_EVENT("6") "data: <html>\n\n" RUNNING_EVENT("7")}},
     3, RUNNING_LINE, "quellctl: the socket's event is not JSON: is it a socket of Quell?\n"},
    {"events", {{"GET /v1/events?follow=0", NULL, 0, NULL}}, 3, "", NULL},

    /* answers that are none */
    {"show 7.1", {{"GET /v1/tasks/7.1", NULL, 200, "<html>"}},
     3, "", "quellctl: the socket's answer is not JSON: is it a socket of Quell?\n"},
    {"show 7.1", {{"GET /v1/tasks/7.1", NULL, 500, "<html>"}},
     3, "", "quellctl: the socket answered with HTTP status 500 and no word of why: is it a socket of Quell?\n"},
    {"nodes", {{"GET /v1/nodes", NULL, 200, "{}"}},
     3, "", "quellctl: the socket's answer has no nodes: is it the socket of quell-head?\n"},
    {"submit -n n1 -- true", {{"POST /v1/tasks", NULL, 413, "<html>"}},
     1, "", "quellctl: error 0x80070057: The request is larger than the server takes.\n"},
    {"submit -n n1 -- true", {{"POST /v1/tasks", NULL, 503, REFUSAL("0x800700AA", "Could not be recorded.")}},
     1, "", "quellctl: error 0x800700AA: Could not be recorded.\n"},
    {"cancel 7.1 7.2 7.3", {CANCEL("1", "{}", 409, ENDED), CANCEL("2", "{}", 0, NULL)}, 3, "", NULL},
    {"wait 7.1 7.2", {WAIT_FOR("1", 200, TASK_OF("1", "Failed")), WAIT_FOR("2", 0, NULL)},
     3, "7.1  TaskStatus_Failed\n", NULL},
    {"submit -n n1 --wait -- true", {{"POST /v1/tasks", NULL, 200, TASK_OF("1", "Queued")}, WAIT_FOR("1", 0, NULL)},
     3, "7.1\n", NULL},
};
/* clang-format on */

Test(ctl_program, asks_says_and_ends_as_the_contract_has_it, .timeout = 60)
{
    static struct outcome outcome;

    for (size_t i = 0; i < LEN(conversations); i++) {
        const struct conversation *row = &conversations[i];
        char line[256];
        char *argv[32] = {NULL};
        size_t n = 0;

        (void) snprintf(line, sizeof(line), "%s", row->line);
        for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
            argv[n++] = word;
        run_scripted(row->exchanges, argv, &outcome);
        cr_expect_eq(outcome.status, row->status, "row %zu: %s: exit status %d, stderr %s", i,
                     row->line, outcome.status, outcome.err);
        if (row->out)
            cr_expect_str_eq(outcome.out, row->out, "row %zu: %s: stdout\n%s", i, row->line,
                             outcome.out);
        if (row->err)
            cr_expect_str_eq(outcome.err, row->err, "row %zu: %s: stderr\n%s", i, row->line,
                             outcome.err);
        cr_expect_str_empty(outcome.verdict, "row %zu: %s: %s", i, row->line, outcome.verdict);
    }
}

static void run_words(const char *a, const char *b, const char *c, const char *d,
                      struct outcome *ret)
{
    char *argv[] = {(char *) a, (char *) b, (char *) c, (char *) d, NULL};
    char *env[] = {(char *) "A=1", NULL};

    run_program(argv, env, ret);
}

static void expect_no_answer(const struct outcome *outcome, const char *want)
{
    char line[512];

    (void) snprintf(line, sizeof(line), "quellctl: no answer from %s: %s\n", test_socket, want);
    cr_expect_eq(outcome->status, 3, "%d", outcome->status);
    cr_expect_str_eq(outcome->err, line, "%s", outcome->err);
    cr_expect_str_empty(outcome->out);
}

Test(ctl_program, without_a_socket_it_says_what_to_look_at)
{
    static struct outcome outcome;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    run_words("--head", test_socket, "nodes", NULL, &outcome);
    expect_no_answer(&outcome, "No such file or directory. Is quell-head running? --head PATH or "
                               "$QUELL_HEAD names its socket.");
    run_words("--agent", test_socket, "ps", NULL, &outcome);
    expect_no_answer(&outcome, "No such file or directory. Is quelld running? --agent PATH or "
                               "$QUELL_AGENT names its socket.");

    (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", test_socket);
    cr_assert_eq(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
    run_words("--head", test_socket, "nodes", NULL, &outcome);
    expect_no_answer(&outcome, "Connection refused. Nobody serves this socket: is quell-head "
                               "running?");
    (void) close(fd);
}

Test(ctl_program, asks_the_default_sockets)
{
    static struct outcome outcome;

    if (access("/run/quell", F_OK) == 0)
        cr_skip_test("there is a Quell on this machine");
    run_words("nodes", NULL, NULL, NULL, &outcome);
    cr_expect_eq(outcome.status, 3);
    cr_expect(strstr(outcome.err, "no answer from /run/quell/head.sock: "), "%s", outcome.err);
    run_words("status", NULL, NULL, NULL, &outcome);
    cr_expect_eq(outcome.status, 3);
    cr_expect(strstr(outcome.err, "no answer from /run/quell/quelld.sock: "), "%s", outcome.err);
}

static void copy_program(char ret[160])
{
    const int in = open(QUELLCTL, O_RDONLY | O_CLOEXEC);
    ssize_t n;
    int out;

    (void) snprintf(ret, 160, "%s/quellctl", test_dir);
    out = open(ret, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    cr_assert(in >= 0 && out >= 0, "%s", strerror(errno));
    while ((n = sendfile(out, in, NULL, 1 << 30)) > 0)
        ;
    cr_assert_eq(n, 0, "%s", strerror(errno));
    (void) close(in);
    (void) close(out);
}

Test(ctl_program, says_when_the_socket_is_not_permitted)
{
    static char copy[160];
    static struct outcome outcome;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pid_t pid;

    if (geteuid() != 0)
        cr_skip_test("needs root to become another user");
    (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", test_socket);
    cr_assert_eq(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
    cr_assert_eq(listen(fd, 1), 0);
    cr_assert_eq(chmod(test_socket, 0600), 0);
    cr_assert_eq(chmod(test_dir, 0755), 0);
    copy_program(copy); /* the other user may not be allowed into the build directory */
    pid = fork();
    if (pid == 0) {
        program = copy;
        if (setuid(65534) < 0)
            _exit(1);
        run_words("--head", test_socket, "nodes", NULL, &outcome);
        _exit(outcome.status == 3 && strstr(outcome.err, "Permission denied. User 65534 may not "
                                                         "connect to it: look at the permissions")
                  ? 0
                  : 2);
    }
    cr_expect_eq(exit_status(pid), 0);
    (void) unlink(copy);
    (void) close(fd);
}

Test(ctl_program, a_path_that_is_too_long_for_a_socket_is_said_to_be)
{
    static struct outcome outcome;
    char path[150];

    memset(path, 'x', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    run_words("--head", path, "nodes", NULL, &outcome);
    cr_expect_eq(outcome.status, 3);
    cr_expect(strstr(outcome.err, "the path has 149 bytes, and a socket's has at most 107"), "%s",
              outcome.err);
}

Test(ctl_program, a_server_that_dies_is_no_answer)
{
    static struct outcome outcome;
    static const struct exchange dies[] = {{"GET /v1/nodes", NULL, 0, NULL}, {NULL, NULL, 0, NULL}};
    char *argv[] = {(char *) "nodes", NULL};

    run_scripted(dies, argv, &outcome);
    cr_expect_eq(outcome.status, 3);
    cr_expect(strstr(outcome.err, "the connection was closed before the answer"), "%s",
              outcome.err);
}

Test(ctl_program, a_line_that_makes_no_sense_is_a_usage_error)
{
    static struct outcome outcome;

    run_words("dance", "7.1", NULL, NULL, &outcome);
    cr_expect_eq(outcome.status, 2);
    cr_expect_str_eq(outcome.err, "quellctl: there is no verb dance\nTry: quellctl --help\n");
    run_words("events", "--after", "-1", NULL, &outcome);
    cr_expect_eq(outcome.status, 2);
    cr_expect(strstr(outcome.err, "Try: quellctl events --help\n"), "%s", outcome.err);
    run_words("requeue", "-n", "n1", NULL, &outcome);
    cr_expect_eq(outcome.status, 2);
    cr_expect(strstr(outcome.err, "requeue needs at least one JOB.TASK\n"), "%s", outcome.err);
    run_words("show", "7", NULL, NULL, &outcome);
    cr_expect_eq(outcome.status, 2);
    cr_expect(strstr(outcome.err, "Try: quellctl show --help\n"), "%s", outcome.err);
    cr_expect_str_empty(outcome.out);
}

Test(ctl_program, help_and_version_are_on_stdout)
{
    static struct outcome outcome;

    run_words("--version", NULL, NULL, NULL, &outcome);
    cr_expect_eq(outcome.status, 0);
    cr_expect_str_eq(outcome.out, "quellctl " QUELL_VERSION "\n");
    run_words("--help", NULL, NULL, NULL, &outcome);
    cr_expect_eq(outcome.status, 0);
    cr_expect(strstr(outcome.out, "quellctl [--head PATH | --agent PATH] [--json] VERB"));
    run_words("cancel", "--help", NULL, NULL, &outcome);
    cr_expect_eq(outcome.status, 0);
    cr_expect(strstr(outcome.out, "-m MESSAGE"));
    cr_expect_str_empty(outcome.err);
}

/* A closed descriptor would become the socket's. */
Test(ctl_program, nothing_is_printed_into_the_socket_when_stdout_is_closed)
{
    static struct outcome outcome;
    static const struct exchange once[] = {
        {"GET /v1/events?follow=0", NULL, 200, RUNNING_EVENT("1") RUNNING_EVENT("2")},
        {NULL, NULL, 0, NULL}};
    char script[256];
    char *words[] = {(char *) "-c", script, NULL};

    (void) snprintf(script, sizeof(script), "exec %s events >&-", QUELLCTL);
    program = "/bin/sh";
    run_scripted(once, words, &outcome);
    cr_expect_eq(outcome.status, 1, "%d", outcome.status);
    cr_expect_str_eq(outcome.err, "quellctl: standard output: Bad file descriptor\n", "%s",
                     outcome.err);
    cr_expect_str_empty(outcome.verdict);
}

Test(ctl_program, a_list_that_can_not_be_written_is_no_success)
{
    posix_spawn_file_actions_t actions;
    char *argv[] = {(char *) QUELLCTL, (char *) "--help", NULL};
    pid_t pid;

    cr_assert_eq(posix_spawn_file_actions_init(&actions), 0);
    (void) posix_spawn_file_actions_addopen(&actions, 1, "/dev/full", O_WRONLY, 0);
    (void) posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    cr_assert_eq(posix_spawn(&pid, QUELLCTL, &actions, NULL, argv, environ), 0);
    (void) posix_spawn_file_actions_destroy(&actions);
    cr_expect_eq(exit_status(pid), 1);
}
