/* Agent and head are killed and restarted: tasks go on, and no outcome and no cancel is lost. */
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <unistd.h>

TestSuite(restart, .fini = worlds_close, .timeout = 120);

#define MESSAGE "for a restart"

enum stop { STOP_CLEANLY, STOP_KILL, STOP_COUNT };

static void stop(struct program *p, enum stop how)
{
    if (how == STOP_CLEANLY)
        program_end(p);
    else
        program_kill(p);
}

/* A task that exits with 7 when a line comes in the FIFO. */
static const char *submit_waiting(struct world *w, int row, int *ret_go)
{
    const char *ready = keepf(w, "ready-%d", row), *go = keepf(w, "go-%d", row);
    const int ready_fd = fifo_in(w, ready);
    const char *id;

    *ret_go = fifo_in(w, go);
    id = submit(w, "--stdout", path_in(w, ready), "--", program_in(w, "actor"), "say=ready",
                keepf(w, "read=%s", path_in(w, go)), "exit=7");
    fifo_expect(ready_fd, "ready");
    (void) close(ready_fd);
    return id;
}

/* @go stays open: closed before the task has opened its side, it would take the line with it. */
static void let_go(int go)
{
    cr_assert_eq(write(go, "go\n", 3), 3);
}

static void assert_exited_with_7(struct world *w, const char *id)
{
    const json_t *task = task_wait(w, id);

    assert_text(w, task, "status", "TaskStatus_Failed");
    assert_text(w, task, "cause", "exit_code");
    assert_number(w, task, "exit_code", 7);
    assert_text(w, task, "proof.method", "exited");
    assert_number(w, task, "proof.escaped", 0);
    assert_no_survivors(w, id);
    group_await_removal(&w->agents[0], id);
}

Test(restart, a_task_goes_on_over_an_agents_restart_and_its_true_exit_is_reported)
{
    struct world *w = world_open(1);

    for (int how = 0; how < STOP_COUNT; how++) {
        int go;
        const char *id = submit_waiting(w, how, &go);

        stop(&w->agents[0].program, (enum stop) how);
        cr_assert_eq(survivors(w, id), 1, "row %d", how);
        agent_start(&w->agents[0]);
        cr_assert_eq(survivors(w, id), 1, "row %d", how);
        let_go(go);
        assert_exited_with_7(w, id);
    }
}

Test(restart, a_task_that_ends_while_no_agent_runs_is_reported_by_the_next)
{
    struct world *w = world_open(1);

    for (int how = 0; how < STOP_COUNT; how++) {
        int go, supervisor;
        const char *id = submit_waiting(w, how, &go);

        supervisor = pidfd_open(supervisor_pid(&w->agents[0]), 0);
        cr_assert_geq(supervisor, 0);
        stop(&w->agents[0].program, (enum stop) how);
        let_go(go);
        cr_assert_eq(wait_readable(supervisor), 0, "the supervisor does not end");
        (void) close(supervisor);
        agent_start(&w->agents[0]);
        assert_exited_with_7(w, id);
    }
}

Test(restart, an_agent_that_is_restarted_in_the_grace_loses_no_cancel_and_no_proof)
{
    struct world *w = world_open(1);

    for (int how = 0; how < STOP_COUNT; how++) {
        const char *id = submit_fighter(w, "n1", 20);
        const json_t *task;

        cancel(w, id, "-m", MESSAGE, "--grace", "2s");
        program_await(&w->agents[0].program, "cancel accepted");
        stop(&w->agents[0].program, (enum stop) how);
        agent_start(&w->agents[0]);
        assert_cancelled(w, id, MESSAGE, "cgroup_kill");
        task = task_show(w, id);
        assert_number(w, task, "proof.processes_at_kill", 20);
        assert_number(w, task, "proof.escaped", 0);
        assert_number(w, task, "signal", SIGKILL);
        assert_number(w, task, "proof.us.received", 0);
        group_await_removal(&w->agents[0], id);
    }
}

Test(restart, an_agent_that_is_restarted_during_the_kill_loses_no_cancel_and_no_proof)
{
    struct world *w = world_open(1);

    for (int row = 0; row < 10; row++) {
        const char *id = submit_fighter(w, "n1", 50);
        const json_t *task;

        cancel(w, id, "-m", MESSAGE, "--grace", "0");
        if (row % 2)
            program_await(&w->agents[0].program, "cancel accepted");
        stop(&w->agents[0].program, row % 4 == 3 ? STOP_CLEANLY : STOP_KILL);
        agent_start(&w->agents[0]);
        assert_cancelled(w, id, MESSAGE, "cgroup_kill");
        task = task_show(w, id);
        assert_number(w, task, "proof.processes_at_kill", 50);
        assert_number(w, task, "proof.escaped", 0);
        assert_number(w, task, "signal", SIGKILL);
    }
}

Test(restart, a_cancel_that_comes_while_no_agent_runs_is_carried_out_by_the_next)
{
    struct world *w = world_open(1);

    for (int how = 0; how < STOP_COUNT; how++) {
        const char *id = submit_fighter(w, "n1", 5);

        stop(&w->agents[0].program, (enum stop) how);
        cancel(w, id, "-m", MESSAGE, "--grace", "100ms");
        cr_assert_eq(survivors(w, id), 5);
        cr_assert(null_at(task_show(w, id), "end_time"), "it ended without its node");
        agent_start(&w->agents[0]);
        assert_cancelled(w, id, MESSAGE, "cgroup_kill");
    }
}

Test(restart, a_head_that_is_restarted_keeps_its_tasks_and_hears_how_they_end)
{
    struct world *w = world_open(1);

    for (int how = 0; how < STOP_COUNT; how++) {
        int go;
        const char *id = submit_waiting(w, how, &go);

        stop(&w->head, (enum stop) how);
        head_start(w);
        let_go(go);
        assert_exited_with_7(w, id);
    }
}

Test(restart, a_task_that_ends_while_no_head_runs_is_reported_to_the_next)
{
    struct world *w = world_open(1);

    for (int how = 0; how < STOP_COUNT; how++) {
        int go;
        const char *id = submit_waiting(w, how, &go);

        stop(&w->head, (enum stop) how);
        let_go(go);
        program_await(&w->agents[0].program, "ended");
        head_start(w);
        assert_exited_with_7(w, id);
    }
}

Test(restart, a_head_that_is_restarted_with_a_cancel_accepted_still_ends_it)
{
    struct world *w = world_open(1);

    for (int how = 0; how < STOP_COUNT; how++) {
        const char *id = submit_fighter(w, "n1", 10);

        cancel(w, id, "-m", MESSAGE, "--grace", "1s");
        stop(&w->head, (enum stop) how);
        head_start(w);
        assert_cancelled(w, id, MESSAGE, "cgroup_kill");
        assert_number(w, task_show(w, id), "proof.processes_at_kill", 10);
    }
}

Test(restart, when_head_and_agent_are_both_killed_the_cancel_goes_on_and_is_recorded)
{
    struct world *w = world_open(1);

    for (int row = 0; row < 4; row++) {
        const char *id = submit_fighter(w, "n1", 10);

        cancel(w, id, "-m", MESSAGE, "--grace", row < 2 ? "0" : "500ms");
        if (row % 2)
            program_await(&w->agents[0].program, "cancel accepted");
        program_kill(&w->head);
        program_kill(&w->agents[0].program);
        if (row % 2)
            head_start(w);
        agent_launch(&w->agents[0]);
        if (row % 2 == 0)
            head_start(w);
        assert_cancelled(w, id, MESSAGE, "cgroup_kill");
        assert_number(w, task_show(w, id), "proof.processes_at_kill", 10);
    }
}
