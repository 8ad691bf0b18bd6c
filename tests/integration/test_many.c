/* Many tasks, several agents, several heads. */
#include "tests/integration/asker.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <stdio.h>

TestSuite(many, .fini = worlds_close, .timeout = 240);

#define TASKS 100

Test(many, a_hundred_short_tasks_of_one_job_have_each_its_own_outcome)
{
    struct world *w = world_open(1);
    struct asker *asker = asker_open(w->head_socket);
    json_t *list;
    struct ctl answer;

    for (int i = 1; i <= TASKS; i++) {
        int status;
        const char *body =
            keepf(w,
                  "{\"node\": \"n1\", \"job_id\": 5, \"task_id\": %d, \"user\": "
                  "\"nobody\", \"submit\": true, \"command\": [\"%s\", \"exit=%d\"]}",
                  i, program_in(w, "actor"), i % 5);
        json_t *task = keep_json(w, asker_post(asker, "/v1/tasks", body, &status));

        cr_assert_eq(status, 200, "task %d: %s", i, dump(w, task));
    }
    asker_close(asker);
    for (int i = 1; i <= TASKS; i++) {
        const json_t *task = task_wait(w, keepf(w, "5.%d", i));

        assert_text(w, task, "status", i % 5 ? "TaskStatus_Failed" : "TaskStatus_Finished");
        assert_number(w, task, "exit_code", i % 5);
        assert_text(w, task, "proof.method", "exited");
    }
    answer = ctl(w, "--json", "list", "-J", "5");
    list = keep_json(w, json_loads(answer.out, 0, NULL));
    cr_assert_eq(json_array_size(list), TASKS);
    answer = ctl(w, "--json", "list", "-J", "5", "-s", "Finished");
    list = keep_json(w, json_loads(answer.out, 0, NULL));
    cr_assert_eq(json_array_size(list), TASKS / 5);
}

Test(many, a_job_over_two_nodes_is_cancelled_as_one)
{
    struct world *w = world_open(2);
    const char *tasks[4];
    struct ctl answer;

    tasks[0] = submit_fighter(w, "n1", 5);
    for (int i = 1; i < 4; i++) {
        const char *name = keepf(w, "ready%d", i);
        const int ready = fifo_in(w, name);

        tasks[i] = submit_on(w, i % 2 ? "n2" : "n1", "-J", "1", "--stdout", path_in(w, name), "--",
                             program_in(w, "fighter"), "5");
        fifo_expect(ready, "ready 5");
    }
    cr_assert_eq(survivors(w, NULL), 20);
    cr_assert(group_exists(&w->agents[0], tasks[0]) && !group_exists(&w->agents[1], tasks[0]));
    cr_assert(group_exists(&w->agents[1], tasks[1]) && !group_exists(&w->agents[0], tasks[1]));
    answer = ctl(w, "cancel", "-J", "1", "-m", "the whole job", "--grace", "100ms", "--wait");
    cr_assert_eq(answer.status, 5, "%s", answer.err);
    for (int i = 0; i < 4; i++) {
        assert_cancelled(w, tasks[i], "the whole job", "cgroup_kill");
        assert_text(w, task_show(w, tasks[i]), "node", i % 2 ? "n2" : "n1");
    }
    cr_assert_eq(survivors(w, NULL), 0);
    answer = ctl(w, "cancel", "-J", "1");
    cr_assert_eq(answer.status, 1, "a job without a task to cancel is refused");
}

Test(many, worlds_side_by_side_share_nothing)
{
    struct world *a = world_open(1), *b = world_open(1);
    const char *in_a = submit_fighter(a, "n1", 3), *in_b = submit_fighter(b, "n1", 3);

    cr_assert_str_eq(in_a, in_b); /* the same name, another task */
    cr_assert_str_neq(a->agents[0].group, b->agents[0].group);
    cancel(a, in_a, "-m", "here", "--grace", "0");
    assert_cancelled(a, in_a, "here", "cgroup_kill");
    cr_assert_eq(survivors(b, in_b), 3);
    assert_null(b, task_show(b, in_b), "end_time");
    program_kill(&a->agents[0].program);
    program_kill(&a->head);
    cancel(b, in_b, "-m", "there", "--grace", "0");
    assert_cancelled(b, in_b, "there", "cgroup_kill");
}

Test(many, the_nodes_are_listed_with_what_runs_on_them)
{
    struct world *w = world_open(2);
    const char *id = submit_fighter(w, "n2", 2);
    const struct ctl answer = ctl(w, "--json", "nodes");
    const json_t *nodes = keep_json(w, json_loads(answer.out, 0, NULL));

    cr_assert_eq(json_array_size(nodes), 2, "%s", answer.out);
    for (size_t i = 0; i < 2; i++) {
        const json_t *node = json_array_get(nodes, i);

        assert_text(w, node, "node", i ? "n2" : "n1");
        assert_text(w, node, "state", "up");
        cr_assert(!null_at(node, "last_heard") && !null_at(node, "cgroup_mode"));
        (void) number_at(node, "tasks_running");
    }
    cancel(w, id, "--grace", "0");
    assert_cancelled(w, id, NULL, "cgroup_kill");
}
