/* A supervisor is killed: its task runs on, and another takes its place. */
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <unistd.h>

TestSuite(supervisor, .fini = worlds_close, .timeout = 120);

static void kill_supervisor(struct world *w)
{
    const int pidfd = pidfd_open(supervisor_pid(&w->agents[0]), 0);

    cr_assert_geq(pidfd, 0);
    cr_assert_eq(pidfd_send_signal(pidfd, SIGKILL, NULL, 0), 0);
    cr_assert_eq(wait_readable(pidfd), 0);
    (void) close(pidfd);
}

Test(supervisor, when_it_is_killed_the_tree_runs_on_and_a_cancel_still_ends_it)
{
    struct world *w = world_open(1);
    const char *id = submit_fighter(w, "n1", 20);
    const json_t *task;

    kill_supervisor(w);
    program_await(&w->agents[0].program, "a new supervisor has taken over");
    cr_assert_eq(survivors(w, id), 20);
    assert_null(w, task_show(w, id), "end_time");
    cancel(w, id, "-m", "still there", "--grace", "300ms");
    assert_cancelled(w, id, "still there", "cgroup_kill");
    task = task_show(w, id);
    assert_null(w, task, "proof.escaped");
    assert_number(w, task, "proof.processes_at_kill", 20);
    assert_number(w, task, "signal", SIGKILL);
    group_await_removal(&w->agents[0], id);
}

Test(supervisor, when_it_is_killed_the_true_exit_code_is_still_found)
{
    struct world *w = world_open(1);
    const int ready = fifo_in(w, "ready"), go = fifo_in(w, "go");
    const char *id = submit(w, "--stdout", path_in(w, "ready"), "--", program_in(w, "actor"),
                            "say=ready", keepf(w, "read=%s", path_in(w, "go")), "exit=7");
    const json_t *task;

    fifo_expect(ready, "ready");
    kill_supervisor(w);
    program_await(&w->agents[0].program, "a new supervisor has taken over");
    cr_assert_eq(write(go, "go\n", 3), 3);
    task = task_wait(w, id);
    assert_text(w, task, "status", "TaskStatus_Failed");
    assert_number(w, task, "exit_code", 7);
    assert_null(w, task, "proof.escaped");
    assert_no_survivors(w, id);
}

Test(supervisor, when_it_is_killed_in_the_grace_its_successor_ends_what_is_left)
{
    struct world *w = world_open(1);
    const char *id = submit_fighter(w, "n1", 20);

    cancel(w, id, "-m", "half way", "--grace", "1s");
    program_await(&w->agents[0].program, "cancel accepted");
    kill_supervisor(w);
    assert_cancelled(w, id, "half way", "cgroup_kill");
    assert_null(w, task_show(w, id), "proof.escaped");
}

Test(supervisor, when_it_and_the_agent_are_killed_the_next_agent_still_ends_the_tree)
{
    struct world *w = world_open(1);
    const char *id = submit_fighter(w, "n1", 20);
    const json_t *task;
    pid_t supervisor = supervisor_pid(&w->agents[0]);

    /* The agent first, so that it can't see to a successor. */
    program_kill(&w->agents[0].program);
    cr_assert_eq(kill(supervisor, SIGKILL), 0);
    agent_start(&w->agents[0]);
    cr_assert_eq(survivors(w, id), 20);
    cancel(w, id, "-m", "orphans", "--grace", "100ms");
    assert_cancelled(w, id, "orphans", "cgroup_kill");
    task = task_show(w, id);
    assert_null(w, task, "proof.escaped");
    assert_null(w, task, "exit_code");
}
