/* What people look at: the agent's status, the live tree, lists, and what waiting exits with. */
#include "tests/integration/asker.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(looks, .fini = worlds_close, .timeout = 120);

static size_t count(const char *text, const char *part)
{
    size_t found = 0;

    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        found++;
    return found;
}

Test(looks, the_live_tree_of_a_task_has_every_process_of_it)
{
    struct world *w = world_open(1);
    const char *id = submit_fighter(w, "n1", 50);
    struct ctl answer = ctl(w, "ps", id);
    const json_t *object;
    json_t *process;
    size_t i;

    cr_assert_eq(answer.status, 0, "%s", answer.err);
    assert_has(answer.out, "50 processes");
    cr_assert_eq(count(answer.out, "fighter 50\n"), 50, "%s", answer.out);
    answer = ctl(w, "--json", "ps", id);
    object = keep_json(w, json_loads(answer.out, 0, NULL));
    if (json_is_array(object))
        object = json_array_get(object, 0);
    cr_assert_eq(json_array_size(at(object, "processes")), 50, "%s", answer.out);
    json_array_foreach(at(object, "processes"), i, process)
        cr_assert_str_eq(text_at(process, "user"), "nobody");
    cancel(w, id, "--grace", "0");
    assert_cancelled(w, id, NULL, "cgroup_kill");
}

Test(looks, the_agent_tells_its_node_its_head_and_its_tasks)
{
    struct world *w = world_open(1);
    const char *id = submit_fighter(w, "n1", 2);
    const struct ctl status = ctl(w, "--json", "status"), tasks = ctl(w, "--json", "tasks");
    const json_t *node = keep_json(w, json_loads(status.out, 0, NULL));
    const json_t *list = keep_json(w, json_loads(tasks.out, 0, NULL));

    assert_text(w, node, "node", "n1");
    assert_text(w, node, "head", w->head_url);
    assert_text(w, node, "connection", "connected");
    assert_number(w, node, "tasks.running", 1);
    cr_assert_eq(json_array_size(list), 1, "%s", tasks.out);
    assert_text(w, json_array_get(list, 0), "status", "TaskStatus_Running");
    assert_has(ctl(w, "tasks").out, id);
    assert_has(ctl(w, "status").out, "n1");
    cancel(w, id, "--grace", "0");
    assert_cancelled(w, id, NULL, "cgroup_kill");
}

Test(looks, what_is_waited_for_decides_the_exit_status)
{
    struct world *w = world_open(1);
    const char *good = submit(w, "--", "true"), *bad = submit(w, "--", "false");
    const char *cancelled = submit_fighter(w, "n1", 2);

    cr_assert_eq(ctl(w, "wait", good).status, 0);
    cr_assert_eq(ctl(w, "wait", good, bad).status, 4);
    cancel(w, cancelled, "--grace", "0");
    cr_assert_eq(ctl(w, "wait", good, cancelled).status, 5);
    cr_assert_eq(ctl(w, "wait", good, cancelled, bad).status, 4, "a failed one wins");
    cr_assert_eq(ctl(w, "wait", good, "77.1").status, 1, "a refusal wins");
    cr_assert_eq(ctl(w, "submit", "-n", "n1", "--user", "nobody", "--wait", "--", "true").status,
                 0);
}

Test(looks, a_task_that_was_added_waits_for_its_submission)
{
    struct world *w = world_open(1);
    struct ctl answer =
        ctl(w, "add", "-n", "n1", "-J", "4", "-T", "9", "--user", "nobody", "--", "true");

    cr_assert_str_eq(answer.out, "4.9\n");
    assert_text(w, task_show(w, "4.9"), "status", "TaskStatus_NotSubmitted");
    assert_null(w, task_show(w, "4.9"), "submit_time");
    answer = ctl(w, "add", "-n", "n1", "-J", "4", "-T", "9", "--user", "nobody", "--", "true");
    cr_assert_eq(answer.status, 1, "a name is given once");
    cr_assert_eq(ctl(w, "submit", "4.9").status, 0);
    assert_text(w, task_wait(w, "4.9"), "status", "TaskStatus_Finished");
    answer = ctl(w, "submit", "4.9");
    cr_assert_eq(answer.status, 1);
    assert_has(answer.err, "4.9: error 0x8007139F");
}

Test(looks, both_sockets_are_healthy_and_refuse_in_json)
{
    struct world *w = world_open(1);
    const char *const sockets[] = {w->head_socket, w->agents[0].socket};

    for (size_t i = 0; i < 2; i++) {
        struct asker *asker = asker_open(sockets[i]);
        const json_t *answer;
        int status;

        answer = keep_json(w, asker_get(asker, "/v1/tasks/77.1", &status));
        cr_assert_eq(status, 404);
        assert_text(w, answer, "error.code", "0x80040207");
        cr_assert_gt(strlen(text_at(answer, "error.text")), 10);
        answer = keep_json(w, asker_get(asker, "/no/such/path", &status));
        cr_assert_eq(status, 404);
        answer = keep_json(w, asker_get(asker, "/v1/tasks", &status));
        cr_assert_eq(status, 200);
        cr_assert_eq(json_array_size(at(answer, "tasks")), 0);
        asker_close(asker);
    }
}
