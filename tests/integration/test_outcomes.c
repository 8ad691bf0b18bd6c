/* How a task ends by itself, and what the head says of it. */
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>

TestSuite(outcomes, .fini = worlds_close, .timeout = 300);

#define PARTS(...) ((const char *const[]){__VA_ARGS__, NULL})

Test(outcomes, a_program_that_exits_0_is_finished)
{
    struct world *w = world_open(1);
    const json_t *task = task_wait(w, submit(w, "--", "true"));

    assert_text(w, task, "status", "TaskStatus_Finished");
    assert_number(w, task, "exit_code", 0);
    assert_null(w, task, "signal");
    assert_null(w, task, "cause");
    assert_null(w, task, "error_message");
    assert_null(w, task, "cancelled_by");
    assert_null(w, task, "cancel_time");
    assert_text(w, task, "proof.method", "exited");
    assert_null(w, task, "proof.processes_at_kill");
    assert_number(w, task, "proof.escaped", 0);
    assert_null(w, task, "proof.us.received");
    assert_null(w, task, "proof.us.term");
    assert_null(w, task, "proof.us.kill");
    cr_assert_gt(number_at(task, "proof.cgroup_inode"), 0);
}

Test(outcomes, a_program_that_exits_with_a_number_is_failed_with_that_number)
{
    struct world *w = world_open(1);
    const json_t *task = task_wait(w, submit(w, "--", program_in(w, "actor"), "exit=42"));

    assert_failed(w, task, "exit_code", PARTS("exit code 42"));
    assert_number(w, task, "exit_code", 42);
    assert_null(w, task, "signal");
    assert_text(w, task, "proof.method", "exited");
}

Test(outcomes, a_program_that_a_signal_ends_has_the_signal_and_no_exit_code)
{
    struct world *w = world_open(1);
    const json_t *task =
        task_wait(w, submit(w, "--", program_in(w, "actor"), keepf(w, "raise=%d", SIGUSR1)));

    assert_failed(w, task, "signal", PARTS("signal 10", "SIGUSR1"));
    assert_null(w, task, "exit_code");
    assert_number(w, task, "signal", SIGUSR1);
}

Test(outcomes, what_keeps_a_program_from_starting_is_named_with_the_call_and_the_path)
{
    static const struct {
        const char *option, *value, *program;
        const char *parts[4];
    } rows[] = {
        {"--name",
         "x",
         "/no/such/program",
         {"could not start", "execute /no/such/program", "No such file"}},
        {"--name", "x", "no-such-name", {"could not start", "execute no-such-name", "PATH"}},
        {"--name",
         "x",
         "/etc/passwd",
         {"could not start", "execute /etc/passwd", "Permission denied"}},
        {"--workdir",
         "/no/such/dir",
         "true",
         {"could not start", "enter /no/such/dir", "No such file"}},
        {"--stdout",
         "/etc/quell-not-writable",
         "true",
         {"could not start", "open /etc/quell-not-writable", "Permission denied"}},
        {"--stderr",
         "/no/such/dir/err",
         "true",
         {"could not start", "open /no/such/dir/err", "No such file"}},
        {"--stdin",
         "/no/such/stdin",
         "true",
         {"could not start", "open /no/such/stdin", "No such file"}},
        {"--env", "PATH=/nowhere", "true", {"could not start", "execute true", "PATH"}},
    };
    struct world *w = world_open(1);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *id = submit(w, rows[i].option, rows[i].value, "--", rows[i].program);
        const json_t *task = task_wait(w, id);

        (void) printf("row %zu: %s\n", i, text_at(task, "error_message"));
        assert_failed(w, task, "could_not_start", rows[i].parts);
        assert_null(w, task, "exit_code");
        assert_null(w, task, "signal");
        group_await_removal(&w->agents[0], id);
    }
}

Test(outcomes, a_user_whom_the_node_does_not_know_is_named)
{
    struct world *w = world_open(1);
    const char *id = submit_words(w, "n1", "no-such-user", PARTS("--", "true"));
    const json_t *task = task_wait(w, id);

    assert_failed(w, task, "could_not_start", PARTS("could not start", "user no-such-user"));
    assert_null(w, task, "exit_code");
    assert_text(w, task, "proof.method", "never_started");
}

Test(outcomes, a_time_limit_ends_the_whole_tree_and_is_the_cause)
{
    struct world *w = world_open(1);
    const json_t *task;
    const char *id =
        submit(w, "--runtime", "200ms", "--grace", "100ms", "--", program_in(w, "fighter"), "5");

    task = task_wait(w, id);
    assert_failed(w, task, "time_limit", PARTS("time limit", "0.200 s"));
    assert_text(w, task, "proof.method", kill_method());
    assert_null(w, task, "proof.us.received");
    assert_null(w, task, "exit_code");
    assert_number(w, task, "signal", SIGKILL);
    cr_assert_geq(number_at(task, "proof.us.kill"), 100000);
    assert_no_survivors(w, id);
}

Test(outcomes, a_limit_that_the_program_obeys_has_its_true_exit_code_beside_it)
{
    struct world *w = world_open(1);
    const json_t *task = task_wait(
        w, submit(w, "--runtime", "300ms", "--", program_in(w, "actor"), "on-term=7", "hold"));

    assert_failed(w, task, "time_limit", PARTS("time limit"));
    assert_number(w, task, "exit_code", 7);
    assert_text(w, task, "proof.method", "exited_in_grace");
}

Test(outcomes, what_the_leader_leaves_behind_is_ended_and_the_leader_decides_the_outcome)
{
    struct world *w = world_make("[tasks]\nleftover_grace = 200ms\n");
    const char *id;
    const json_t *task;

    head_start(w);
    agent_start(&w->agents[0]);
    id = submit(w, "--stdout", "/dev/null", "--", program_in(w, "actor"), "daemon=x", "daemon=y",
                "exit=0");
    task = task_wait(w, id);
    assert_text(w, task, "status", "TaskStatus_Finished");
    assert_number(w, task, "exit_code", 0);
    assert_text(w, task, "proof.method", "leftovers");
    assert_null(w, task, "proof.us.received");
    assert_no_survivors(w, id);
    group_await_removal(&w->agents[0], id);

    /* Those that ignore SIGTERM are killed behind the grace, and the leader's failure stays. */
    id = submit(w, "--stdout", "/dev/null", "--", "sh", "-c",
                keepf(w, "%s 5 & read x < %s; exit 3", program_in(w, "fighter"), "/dev/null"));
    task = task_wait(w, id);
    assert_failed(w, task, "exit_code", PARTS("exit code 3"));
    assert_text(w, task, "proof.method", "leftovers");
    assert_no_survivors(w, id);
}
