/* quell-head: how it is started, and what its socket answers. */
#include "test_head_fixture.h"

/* ---- how it is started ---- */

TestSuite(head_program, .init = make_place, .fini = remove_place, .timeout = 60);

Test(head_program, it_says_what_it_is)
{
    struct run help = RUN("--help"), version = RUN("--version");

    cr_expect_eq(help.status, 0);
    cr_expect(strstr(help.out, "usage: quell-head --listen URL"), "%s", help.out);
    cr_expect_eq(version.status, 0);
    cr_expect_eq(strncmp(version.out, "quell-head 0.", 13), 0, "%s", version.out);
}

Test(head_program, a_wrong_call_exits_2_with_a_sentence)
{
    const char *const calls[][4] = {
        {"--listen", NULL},
        {"--key-file", "/x", NULL},
        {"stray", NULL},
        {"--socket", "x", NULL},
        {"--socket", "", NULL},
        {"--state-dir", "rel", NULL},
        {NULL},
    };

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        struct run call = run(calls[i]);

        cr_expect_eq(call.status, 2, "call %zu: %d %s", i, call.status, call.err);
        cr_expect_eq(strncmp(call.err, "quell-head: ", 12), 0, "call %zu: %s", i, call.err);
        cr_expect_eq(strchr(call.err, '\n'), call.err + strlen(call.err) - 1, "call %zu: %s", i,
                     call.err);
    }
}

Test(head_program, a_configuration_is_checked)
{
    struct run check;

    write_config("# all of it\n[head]\nlisten = ipc:///run/a\nlisten = ipc:///run/b\n"
                 "socket = /run/h.sock\nstate_dir = /var/x\nheartbeat = 500ms\ninsecure = no\n"
                 "[tasks]\ngrace = 1m\nkeep = 1h\n");
    check = RUN("--config", config, "--check-config");
    cr_expect_eq(check.status, 0, "%s", check.err);
    cr_expect_str_eq(check.out, "ok\n");
    write_config("[head]\nsocket = /run/h.sock\n");
    check = RUN("--config", config, "--check-config");
    cr_expect_eq(check.status, 2, "%s", check.out);
    cr_expect(strstr(check.err, "no address for the agents to dial"), "%s", check.err);
    cr_expect_eq(RUN("--config", config, "--check-config", "--listen", "ipc:///run/a").status, 0);
    check = RUN("--check-config", "--config", "/nonexistent.conf");
    cr_expect_eq(check.status, 1);
    cr_expect(strstr(check.err, "/nonexistent.conf"), "%s", check.err);
}

struct bad_config {
    const char *text;
    const char *line;
    const char *word;
};

static const struct bad_config bad_configs[] = {
    {"[head]\ncolour = red\n", ":2:", "colour"},
    {"[tail]\nlisten = x\n", ":2:", "tail"},
    {"[head]\nheartbeat = fast\n", ":2:", "\"fast\" is not a duration"},
    {"[head]\nheartbeat = 0\n", ":2:", "\"0\" is not a duration"},
    {"[head]\n\nheartbeat = 2h\n", ":3:", "\"2h\" is not a duration"},
    {"[tasks]\ngrace = 25h\n", ":2:", "\"25h\" is not a duration"},
    {"[tasks]\nkeep = 999ms\n", ":2:", "\"999ms\" is not a duration from 1s to 87600h"},
    {"[tasks]\nkeep = 87601h\n", ":2:", "\"87601h\" is not a duration"},
    {"[head]\nsocket = here\n", ":2:", "'here' is not an absolute path"},
    {"[head]\ninsecure = perhaps\n", ":2:", "perhaps"},
    {"[head]\nsocket = /a\nsocket = /b\n", ":3:", "socket"},
};

Test(head_program, a_bad_configuration_is_refused_with_file_line_and_key)
{
    for (size_t i = 0; i < sizeof(bad_configs) / sizeof(bad_configs[0]); i++) {
        char where[160];
        struct run check;

        write_config(bad_configs[i].text);
        check = RUN("--config", config, "--check-config");
        (void) snprintf(where, sizeof(where), "%s%s", config, bad_configs[i].line);
        cr_expect_eq(check.status, 1, "row %zu", i);
        cr_expect(strstr(check.err, where), "row %zu: %s", i, check.err);
        cr_expect(strstr(check.err, bad_configs[i].word), "row %zu: %s", i, check.err);
    }
}

Test(head_program, tcp_without_a_key_needs_the_flag_and_is_logged)
{
    struct run refused = RUN("--listen", "tcp://127.0.0.1:45972", "--socket", socket_path,
                             "--state-dir", rig.state_dir);
    const char *const args[] = {"--listen",    "tcp://127.0.0.1:45972", "--socket",   socket_path,
                                "--state-dir", rig.state_dir,           "--insecure", NULL};
    char log[4096] = "";

    cr_expect_eq(refused.status, 1);
    cr_expect(strstr(refused.err, "--insecure"), "%s", refused.err);
    head = spawn(args);
    while (!strstr(log, "listening on")) {
        (void) poll(NULL, 0, 5);
        read_file("err", log, sizeof(log));
    }
    cr_expect(strstr(log, "tcp://127.0.0.1:45972 is open without a key"), "%s", log);
    cr_expect(strstr(log, "listening on tcp://127.0.0.1:45972, socket "), "%s", log);
    stop_head();
}

Test(head_program, what_is_in_use_is_a_sentence)
{
    char other[128], url[160];
    struct run second;

    write_config("");
    start_head();
    second = RUN("--listen", rig.url, "--socket", socket_path, "--state-dir", rig.state_dir);
    cr_expect_eq(second.status, 1);
    cr_expect(strstr(second.err, "is in use by another head that is running"), "%s", second.err);
    (void) snprintf(other, sizeof(other), "%s/other", rig.dir);
    second = RUN("--listen", rig.url, "--socket", socket_path, "--state-dir", other);
    cr_expect_eq(second.status, 1);
    cr_expect(strstr(second.err, rig.url), "%s", second.err);
    (void) snprintf(url, sizeof(url), "%s2", rig.url);
    second = RUN("--listen", url, "--socket", socket_path, "--state-dir", other);
    cr_expect_eq(second.status, 1);
    cr_expect(strstr(second.err, socket_path), "%s", second.err);
    cr_expect_eq(ask("GET", "/healthz", "")->status, 200, "the first one goes on");
    stop_head();
}

Test(head_program, sigterm_and_sigint_end_it_cleanly)
{
    const int signals[] = {SIGTERM, SIGINT};

    write_config("");
    for (size_t i = 0; i < 2; i++) {
        start_head();
        (void) kill(head, signals[i]);
        cr_expect_eq(finish(head), 0);
        head = 0;
        cr_expect_neq(access(socket_path, F_OK), 0, "its socket is gone");
    }
}

/* ---- its socket ---- */

TestSuite(head, .init = setup, .fini = teardown, .timeout = 60);

Test(head, a_new_task_has_every_member_and_null_for_what_is_not_known)
{
    static const char *const nulls[] = {
        "uid",          "name",     "error_message", "exit_code",    "signal",
        "cause",        "stuck",    "cancelled_by",  "cancel_time",  "submit_time",
        "start_time",   "end_time", "proof",         "usage",        "runtime_ms",
        "memory_bytes", "cpus",     "kill_time",     "requeue_node", "cgroup",
    };
    const struct http *http = ask("POST", "/v1/tasks", TASK_N1);
    json_t *task = http->json;

    expect_status(http, "TaskStatus_NotSubmitted");
    for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++)
        cr_expect(json_is_null(json_object_get(task, nulls[i])), "%s: %s", nulls[i], http->text);
    cr_expect_eq(json_integer_value(json_object_get(task, "job_id")), 1);
    cr_expect_eq(json_integer_value(json_object_get(task, "task_id")), 1);
    cr_expect_eq(json_integer_value(json_object_get(task, "attempt")), 0);
    cr_expect(json_is_array(json_object_get(task, "attempts")));
    cr_expect_eq(json_array_size(json_object_get(task, "attempts")), 0);
    cr_expect_str_eq(text_of(task, "node"), "n1");
    cr_expect_str_eq(text_of(task, "user"), "root");
    cr_expect_str_eq(json_string_value(json_array_get(json_object_get(task, "command"), 0)),
                     "/bin/true");
    cr_expect(json_is_true(json_object_get(task, "rerunnable")));
    cr_expect(json_is_null(json_object_get(task, "pids")), "the node knows its default");
    cr_expect_eq(json_integer_value(json_object_get(task, "grace_ms")), 7000, "the configured");
}

Test(head, every_member_of_a_new_task_is_taken)
{
    const struct http *http =
        ask("POST", "/v1/tasks",
            "{\"node\":\"n1\",\"command\":[\"a\",\"b "
            "c\",\"\"],\"job_id\":7,\"task_id\":9,\"name\":\"N\","
            "\"user\":\"nobody\",\"workdir\":\"/w\",\"stdin\":\"/i\",\"stdout\":\"/"
            "o\",\"stderr\":\"/e\","
            "\"env\":{\"A\":\"1\",\"B\":\"\"},\"runtime_ms\":60000,\"memory_bytes\":1048576,"
            "\"cpus\":0.5,\"pids\":10,\"grace_ms\":0,\"rerunnable\":false,\"submit\":true}");
    const Quell__Pb__Reply *reply;
    const Quell__Pb__Spec *spec;
    json_t *task = http->json;

    expect_status(http, "TaskStatus_Queued");
    cr_expect_eq(json_integer_value(json_object_get(task, "job_id")), 7);
    cr_expect_eq(json_integer_value(json_object_get(task, "task_id")), 9);
    cr_expect_str_eq(text_of(task, "name"), "N");
    cr_expect_str_eq(text_of(task, "user"), "nobody");
    cr_expect_eq(strlen(text_of(task, "uid")), 32);
    cr_expect(json_is_false(json_object_get(task, "rerunnable")));
    cr_expect_float_eq(json_real_value(json_object_get(task, "cpus")), 0.5, 0.0001);
    cr_expect_eq(json_array_size(json_object_get(task, "command")), 3);
    reply = peer_poll(&peer, NULL, 0);
    cr_assert_eq(reply->commands->n_commands, 1);
    spec = reply->commands->commands[0]->start;
    cr_assert(spec);
    cr_assert_eq(spec->n_argv, 3);
    cr_expect_eq(spec->argv[1].len, 3);
    cr_expect_eq(spec->argv[2].len, 0);
    cr_assert_eq(spec->n_env, 2);
    cr_expect_eq(memcmp(spec->env[0].data, "A=1", 3), 0);
    cr_expect_str_eq(spec->user, "nobody");
    cr_expect_eq(memcmp(spec->workdir.data, "/w", 2), 0);
    cr_expect_eq(memcmp(spec->stdin_path.data, "/i", 2), 0);
    cr_expect_eq(memcmp(spec->stdout_path.data, "/o", 2), 0);
    cr_expect_eq(memcmp(spec->stderr_path.data, "/e", 2), 0);
    cr_expect_eq(spec->runtime_ms, 60000);
    cr_expect_eq(spec->memory_bytes, 1048576);
    cr_expect_eq(spec->cpu_milli, 500);
    cr_expect_eq(spec->pids, 10);
    cr_expect_eq(spec->grace_ms, 0);
}

Test(head, a_group_is_handed_over_in_place_of_a_command)
{
    const struct http *http =
        ask("POST", "/v1/tasks", "{\"node\":\"n1\",\"cgroup\":\"/theirs\",\"command\":[]}");

    expect_status(http, "TaskStatus_NotSubmitted");
    cr_expect_str_eq(text_of(http->json, "cgroup"), "/theirs");
    cr_expect_eq(json_array_size(json_object_get(http->json, "command")), 0);
    cr_expect(json_is_false(json_object_get(http->json, "rerunnable")));
    if (geteuid() != 0)
        return; /* only root can become somebody else */
    expect_error(ask_as(NOBODY, "POST", "/v1/tasks", "{\"node\":\"n1\",\"cgroup\":\"/theirs\"}"),
                 403, "0x80070005",
                 "user 65534 may not hand over a group: only root and the operators may");
}

static const struct bad_body bad_bodies[] = {
    {"[]", "the body must be a JSON object"},
    {"{\"node\":1}", "node must be a string without NUL"},
    {"{}", "node is missing: a task needs the name of its node"},
    {"{\"node\":\"n1\"}", "command is missing: a task needs at least one string there"},
    {"{\"node\":\"n1\",\"command\":[]}",
     "command is missing: a task needs at least one string there"},
    {"{\"node\":\"n1\",\"cgroup\":[]}", "cgroup must be a string without NUL"},
    {"{\"node\":\"n1\",\"cgroup\":\"/a\",\"command\":[\"x\"]}",
     "command can't be given with cgroup: the group is there already, with all that is in it"},
    {"{\"node\":\"n1\",\"command\":\"x\"}", "command must be an array of strings"},
    {"{\"node\":\"n1\",\"command\":[1]}", "command must be an array of strings without NUL"},
    {"{\"node\":\"n1\",\"command\":[\"a\\u0000b\"]}",
     "command must be an array of strings without NUL"},
    {"{\"node\":\"n1\",\"command\":[\"\"]}", "a task needs a command that is not empty"},
    {"{\"nodes\":\"n1\"}", "there is no member \"nodes\" in such a request"},
    {"{\"job_id\":0}", "job_id must be a whole number from 1 to 2147483647"},
    {"{\"job_id\":2147483648}", "job_id must be a whole number from 1 to 2147483647"},
    {"{\"task_id\":\"1\"}", "task_id must be a whole number from 1 to 2147483647"},
    {"{\"runtime_ms\":-1}", "runtime_ms must be a whole number from 0 to 9223372036854775807"},
    {"{\"memory_bytes\":1.5}", "memory_bytes must be a whole number from 0 to 9223372036854775807"},
    {"{\"cpus\":\"1\"}", "cpus must be a number from 0 to 1000000, such as 0.5"},
    {"{\"cpus\":-0.1}", "cpus must be a number from 0 to 1000000, such as 0.5"},
    {"{\"cpus\":0.0001}", "cpus must be 0 or at least 0.001"},
    {"{\"pids\":4294967296}", "pids must be a whole number from 0 to 4294967295"},
    {"{\"grace_ms\":86400001}", "grace_ms must be a whole number from 0 to 86400000"},
    {"{\"rerunnable\":1}", "rerunnable must be true or false"},
    {"{\"submit\":\"yes\"}", "submit must be true or false"},
    {"{\"env\":[\"A=1\"]}", "env must be an object of strings"},
    {"{\"env\":{\"A\":1}}", "env must be an object of strings without NUL"},
    {"{\"env\":{\"A=B\":\"1\"}}", "env has a name that is empty or has \"=\" in it: \"A=B\""},
    {"{\"env\":{\"\":\"1\"}}", "env has a name that is empty or has \"=\" in it: \"\""},
    {"{\"name\":\"a\\u0000\"}", "name must be a string without NUL"},
    {"{\"node\":\"a b\",\"command\":[\"x\"]}",
     "\"a b\" is no node's name: 1 to 255 of letters, digits, '.', '-' and '_'"},
};

Test(head, a_new_task_that_makes_no_sense_is_400_and_names_the_member)
{
    for (size_t i = 0; i < sizeof(bad_bodies) / sizeof(bad_bodies[0]); i++) {
        cr_log_info("row %zu", i);
        expect_error(ask("POST", "/v1/tasks", bad_bodies[i].body), 400, "0x80070057",
                     bad_bodies[i].text);
    }
    cr_expect_eq(json_array_size(json_object_get(ask("GET", "/v1/tasks", "")->json, "tasks")), 0);
}

Test(head, a_body_that_is_not_json_is_400)
{
    static const char *const bodies[] = {"{", "nonsense", "{\"node\":\"n1\",\"node\":\"n2\"}",
                                         "{\"name\":\"caf\xE9\"}", "{} {}"};

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        const struct http *http = ask("POST", "/v1/tasks", bodies[i]);

        cr_expect_eq(http->status, 400, "row %zu", i);
        cr_expect(strstr(http->text, "the body is not JSON: "), "row %zu: %s", i, http->text);
        cr_expect(strstr(http->text, "0x80070057"), "row %zu: %s", i, http->text);
    }
}

Test(head, unknown_paths_are_404_and_wrong_methods_405)
{
    static const char *const unknown[] = {"/",
                                          "/v1",
                                          "/v1/task",
                                          "/v1/tasks/1.1/peek",
                                          "/v1/tasks/1.1/",
                                          "/v1/events/1",
                                          "/v1/jobs/1",
                                          "/v1/jobs/1/submit",
                                          "/v2/tasks"};
    static const char *const wrong[][2] = {
        {"DELETE", "/v1/tasks"},         {"POST", "/v1/tasks/1.1"},
        {"GET", "/v1/tasks/1.1/cancel"}, {"GET", "/v1/jobs/1/cancel"},
        {"POST", "/v1/nodes"},           {"PUT", "/healthz"},
        {"GET", "/v1/tasks/1.1/submit"}, {"GET", "/v1/tasks/1.1/requeue"},
        {"POST", "/v1/events"},          {"POST", "/v1/head"},
    };

    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        cr_expect_eq(ask("GET", unknown[i], "")->status, 404, "%s", unknown[i]);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_expect_eq(ask(wrong[i][0], wrong[i][1], "")->status, 405, "%s %s", wrong[i][0],
                     wrong[i][1]);
}

Test(head, parameters_that_make_no_sense_are_400)
{
    static const char *const paths[] = {
        "/v1/tasks?limit=0",
        "/v1/tasks?limit=1001",
        "/v1/tasks?limit=x",
        "/v1/tasks?job_id=0",
        "/v1/tasks?after=7",
        "/v1/tasks?status=Done",
        "/v1/tasks?node=a/b",
        "/v1/tasks/0.1",
        "/v1/tasks/1.2147483648",
        "/v1/tasks/1",
        "/v1/tasks/1.1?wait_ms=-1",
        "/v1/tasks/1.1?wait_ms=60001",
        "/v1/events?after=x",
        "/v1/events?after=-1",
        "/v1/events?follow=2",
        "/v1/events?follow=",
        "/v1/events?after=9223372036854775808",
    };

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const struct http *http = ask("GET", paths[i], "");

        cr_expect_eq(http->status, 400, "%s: %s", paths[i], http->text);
        cr_expect(strstr(http->text, "0x80070057"), "%s", http->text);
    }
}

Test(head, refusals_have_their_status_number_and_sentence)
{
    char message[330];
    char body[400];

    memset(message, 'm', 321);
    message[321] = '\0';
    (void) snprintf(body, sizeof(body), "{\"message\":\"%s\"}", message);
    expect_error(ask("POST", "/v1/tasks", "{\"node\":\"n2\",\"command\":[\"x\"]}"), 404,
                 "0x80070490", "no node named n2 has said hello to this head");
    expect_error(ask("GET", "/v1/tasks/1.1", ""), 404, "0x80040207", "there is no task 1.1");
    expect_error(ask("POST", "/v1/jobs/3/cancel", ""), 404, "0x80070490", "there is no job 3");
    (void) ask("POST", "/v1/tasks", TASK_N1);
    expect_error(ask("POST", "/v1/tasks/1.1/cancel", body), 400, "0x800402D3",
                 "the message has 321 characters, at most 320 are allowed");
    expect_error(ask("POST", "/v1/tasks/1.1/cancel", "{\"message\":\"a\\u0000b\"}"), 400,
                 "0x80070057", "message must be a string without NUL");
    expect_error(ask("POST", "/v1/tasks/1.1/cancel", "{\"mesage\":\"a\"}"), 400, "0x80070057",
                 "there is no member \"mesage\" in such a request");
    expect_error(ask("POST", "/v1/tasks/1.1/submit", "{\"x\":1}"), 400, "0x80070057",
                 "there is no member \"x\" in such a request");
    expect_status(ask("POST", "/v1/tasks/1.1/submit", ""), "TaskStatus_Queued");
    expect_error(
        ask("POST", "/v1/tasks/1.1/submit", "{}"), 409, "0x8007139F",
        "task 1.1 is TaskStatus_Queued: only a task that is not submitted can be submitted");
    (void) ask("POST", "/v1/tasks", TASK_N1);
    expect_status(ask("POST", "/v1/tasks/2.1/cancel", "{\"message\":null}"),
                  "TaskStatus_Cancelled");
    expect_error(ask("POST", "/v1/tasks/2.1/cancel", ""), 409, "0x80040209",
                 "task 2.1 is TaskStatus_Cancelled: only a task that is not submitted, queued or "
                 "running can be cancelled");
    expect_error(ask("POST", "/v1/jobs/2/cancel", ""), 409, "0x80040209",
                 "every task of job 2 has ended: there is none left to be cancelled");
}

Test(head, a_cancelled_task_shows_its_message_its_canceller_and_the_proof)
{
    Quell__Pb__Ending ending = QUELL__PB__ENDING__INIT;
    Quell__Pb__Proof proof = QUELL__PB__PROOF__INIT;
    Quell__Pb__Usage usage = QUELL__PB__USAGE__INIT;
    struct remembered command;
    const struct http *http;
    const json_t *shown, *us;

    (void) ask("POST", "/v1/tasks", "{\"node\":\"n1\",\"command\":[\"x\"],\"submit\":true}");
    command = peer_one_command(&peer);
    peer_ack(&peer, &command);
    cr_assert(peer_report_started(&peer, command.uid, 1));
    http = ask("POST", "/v1/tasks/1.1/cancel",
               "{\"message\":\"gr\xC3\xBC\xC3\x9F\",\"grace_ms\":100}");
    expect_status(http, "TaskStatus_Running");
    cr_expect_str_eq(text_of(json_object_get(http->json, "cancelled_by"), "name"), "root");
    command = peer_one_command(&peer);
    cr_expect_eq(command.grace_ms, 100);
    ending.cause = QUELL__PB__CAUSE__CAUSE_CANCELLED;
    ending.has_signal_case = QUELL__PB__ENDING__HAS_SIGNAL_SIGNAL;
    ending.signal = 9;
    ending.end_time_us = 1700000000000001;
    ending.proof = &proof;
    ending.usage = &usage;
    usage.has_cpu_us_case = QUELL__PB__USAGE__HAS_CPU_US_CPU_US;
    usage.cpu_us = 12;
    proof.method = QUELL__PB__METHOD__METHOD_CGROUP_KILL;
    proof.boot_id = (char *) "the-boot";
    proof.has_processes_at_kill_case = QUELL__PB__PROOF__HAS_PROCESSES_AT_KILL_PROCESSES_AT_KILL;
    proof.processes_at_kill = 50;
    proof.has_received_us_case = QUELL__PB__PROOF__HAS_RECEIVED_US_RECEIVED_US;
    proof.has_kill_us_case = QUELL__PB__PROOF__HAS_KILL_US_KILL_US;
    proof.kill_us = 100400;
    cr_assert(peer_report_ending(&peer, command.uid, 2, &ending));
    http = ask("GET", "/v1/tasks/1.1", "");
    expect_status(http, "TaskStatus_Cancelled");
    cr_expect_str_eq(text_of(http->json, "error_message"), "gr\xC3\xBC\xC3\x9F");
    cr_expect_str_eq(text_of(http->json, "cause"), "cancelled");
    cr_expect_eq(json_integer_value(json_object_get(http->json, "signal")), 9);
    cr_expect(json_is_null(json_object_get(http->json, "exit_code")));
    cr_expect_str_eq(text_of(http->json, "end_time"), "2023-11-14T22:13:20.000001Z");
    cr_expect_eq(
        json_integer_value(json_object_get(json_object_get(http->json, "usage"), "cpu_us")), 12);
    shown = json_object_get(http->json, "proof");
    cr_expect_str_eq(text_of(shown, "method"), "cgroup_kill");
    cr_expect_str_eq(text_of(shown, "boot_id"), "the-boot");
    cr_expect_eq(json_integer_value(json_object_get(shown, "processes_at_kill")), 50);
    cr_expect(json_is_null(json_object_get(shown, "escaped")));
    us = json_object_get(shown, "us");
    cr_expect_eq(json_object_size(us), 6);
    cr_expect(json_is_integer(json_object_get(us, "received")));
    cr_expect(json_is_null(json_object_get(us, "term")));
    cr_expect_eq(json_integer_value(json_object_get(us, "kill")), 100400);
}

Test(head, a_wait_answers_when_the_task_ends_or_the_time_is_over)
{
    uint64_t start_us = clock_mono_us();

    (void) ask("POST", "/v1/tasks", TASK_N1);
    expect_status(ask("GET", "/v1/tasks/1.1?wait_ms=200", ""), "TaskStatus_NotSubmitted");
    cr_expect_geq(clock_mono_us() - start_us, 200000);
    (void) ask("POST", "/v1/tasks/1.1/cancel", "");
    start_us = clock_mono_us();
    expect_status(ask("GET", "/v1/tasks/1.1?wait_ms=60000", ""), "TaskStatus_Cancelled");
    cr_expect_lt(clock_mono_us() - start_us, 5000000);
}

Test(head, lists_say_where_the_next_page_begins)
{
    const struct http *http;

    for (int i = 0; i < 3; i++)
        (void) ask("POST", "/v1/tasks", "{\"node\":\"n1\",\"command\":[\"x\"],\"job_id\":4}");
    http = ask("GET", "/v1/tasks?limit=2&job_id=4&node=n1&status=TaskStatus_NotSubmitted", "");
    cr_expect_eq(json_array_size(json_object_get(http->json, "tasks")), 2);
    cr_expect_str_eq(text_of(http->json, "next"), "4.2");
    http = ask("GET", "/v1/tasks?limit=2&after=4.2&status=notsubmitted", "");
    if (http->status == 200) /* whether case counts is task.h's to say */
        cr_expect_eq(json_array_size(json_object_get(http->json, "tasks")), 1);
    http = ask("GET", "/v1/tasks?limit=2&after=4.2&status=NotSubmitted", "");
    cr_expect_eq(json_array_size(json_object_get(http->json, "tasks")), 1);
    cr_expect(json_is_null(json_object_get(http->json, "next")));
    http = ask("POST", "/v1/jobs/4/cancel", "{\"message\":\"all\"}");
    cr_expect_eq(http->status, 200);
    cr_expect_eq(json_array_size(json_object_get(http->json, "tasks")), 3);
}

Test(head, nodes_are_listed)
{
    const struct http *http = ask("GET", "/v1/nodes", "");
    const json_t *node = json_array_get(json_object_get(http->json, "nodes"), 0);

    cr_assert_eq(http->status, 200);
    cr_expect_str_eq(text_of(node, "node"), "n1");
    cr_expect_str_eq(text_of(node, "state"), "up");
    cr_expect_str_eq(text_of(node, "cgroup_mode"), "hybrid");
    cr_expect_eq(json_integer_value(json_object_get(node, "tasks_running")), 0);
    cr_expect_eq(text_of(node, "last_heard")[10], 'T');
}

Test(head, a_user_acts_on_own_tasks_only_and_under_the_own_name)
{
    const struct http *http;

    if (geteuid() != 0)
        cr_skip("only root can become somebody else");
    http = ask_as(NOBODY, "POST", "/v1/tasks", TASK_N1);
    expect_status(http, "TaskStatus_NotSubmitted");
    cr_expect_str_eq(text_of(http->json, "user"), "nobody");
    expect_error(ask_as(NOBODY, "POST", "/v1/tasks",
                        "{\"node\":\"n1\",\"command\":[\"x\"],\"user\":\"root\"}"),
                 403, "0x80070005",
                 "user nobody may not run a task as root: only root may name another user");
    (void) ask("POST", "/v1/tasks", TASK_N1);
    expect_error(ask_as(NOBODY, "POST", "/v1/tasks/2.1/cancel", ""), 403, "0x80070005",
                 "task 2.1 belongs to user root: only its owner, root and the operators may cancel "
                 "it");
    expect_error(ask_as(NOBODY, "POST", "/v1/tasks/2.1/submit", ""), 403, "0x80070005",
                 "task 2.1 belongs to user root: only its owner, root and the operators may submit "
                 "it");
    cr_expect_eq(ask_as(NOBODY, "GET", "/v1/tasks/2.1", "")->status, 200, "anyone may look");
    http = ask_as(NOBODY, "POST", "/v1/tasks/1.1/cancel", "{}");
    expect_status(http, "TaskStatus_Cancelled");
    cr_expect_str_eq(text_of(json_object_get(http->json, "cancelled_by"), "name"), "nobody");
    cr_expect_eq(
        json_integer_value(json_object_get(json_object_get(http->json, "cancelled_by"), "uid")),
        NOBODY);
}

Test(head, a_task_that_root_gave_to_a_user_is_that_users)
{
    if (geteuid() != 0)
        cr_skip("only root can become somebody else");
    (void) ask("POST", "/v1/tasks",
               "{\"node\":\"n1\",\"command\":[\"x\"],\"user\":\"nobody\",\"job_id\":1}");
    expect_status(ask_as(NOBODY, "POST", "/v1/tasks/1.1/cancel", ""), "TaskStatus_Cancelled");
    (void) ask("POST", "/v1/tasks",
               "{\"node\":\"n1\",\"command\":[\"x\"],\"user\":\"nobody-knows-this\",\"job_id\":2}");
    expect_error(
        ask_as(NOBODY, "POST", "/v1/tasks/2.1/cancel", ""), 403, "0x80070005",
        "task 2.1 belongs to user nobody-knows-this: only its owner, root and the operators "
        "may cancel it");
    expect_status(ask("POST", "/v1/tasks/2.1/cancel", ""), "TaskStatus_Cancelled");
}

Test(head, a_user_without_a_name_is_a_number)
{
    const struct http *http;

    if (geteuid() != 0)
        cr_skip("only root can become somebody else");
    cr_assert_null(getpwuid(54321));
    http = ask_as(54321, "POST", "/v1/tasks", TASK_N1);
    expect_status(http, "TaskStatus_NotSubmitted");
    cr_expect_str_eq(text_of(http->json, "user"), "54321");
    http = ask_as(54321, "POST", "/v1/tasks/1.1/cancel", "");
    expect_status(http, "TaskStatus_Cancelled");
    cr_expect(json_is_null(json_object_get(json_object_get(http->json, "cancelled_by"), "name")));
}

Test(head, what_was_accepted_outlives_kill_9)
{
    (void) ask("POST", "/v1/tasks", TASK_N1);
    expect_status(ask("POST", "/v1/tasks/1.1/cancel", "{\"message\":\"kept\"}"),
                  "TaskStatus_Cancelled");
    (void) kill(head, SIGKILL);
    cr_expect_eq(finish(head), -SIGKILL);
    start_head();
    cr_expect_str_eq(text_of(ask("GET", "/v1/tasks/1.1", "")->json, "error_message"), "kept");
}
