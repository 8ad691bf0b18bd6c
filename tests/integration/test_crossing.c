/* Verbs that cross the end of the task on their way: the head's acceptance decides, and the true
 * wait status stands beside it. More of it is in test_awkward.c. */
#include "tests/integration/await.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(crossing, .fini = worlds_close, .timeout = 120);

/* Runs a task that ends by itself, with @code, while its agent stands still: the head has not heard
   of the end when this returns. */
static const char *end_unheard(struct world *w, int row, int code)
{
    const char *go = keepf(w, "go-%d", row);
    const int fd = fifo_in(w, go);
    const char *id = submit(w, "--", program_in(w, "actor"), keepf(w, "read=%s", path_in(w, go)),
                            keepf(w, "exit=%d", code));
    int supervisor;

    await_status(w, id, 0, "TaskStatus_Running");
    supervisor = pidfd_open(supervisor_pid(&w->agents[0]), 0);
    cr_assert_geq(supervisor, 0);
    program_signal(&w->agents[0].program, SIGSTOP);
    cr_assert_eq(write(fd, "go\n", 3), 3);
    cr_assert_eq(wait_readable(supervisor), 0, "the supervisor does not end");
    (void) close(supervisor);
    return id;
}

static void assert_already_ended(struct world *w, const json_t *ending, int code)
{
    assert_text(w, ending, "status", "TaskStatus_Cancelled");
    assert_text(w, ending, "cause", "cancelled");
    assert_text(w, ending, "proof.method", "already_ended");
    assert_number(w, ending, "exit_code", code);
    assert_null(w, ending, "signal");
    assert_null(w, ending, "proof.us.received");
    assert_null(w, ending, "proof.processes_at_kill");
}

Test(crossing, a_cancel_that_the_head_accepts_while_the_node_stands_still_is_already_ended)
{
    struct world *w = world_open(1);
    const int codes[] = {0, 6};

    for (int row = 0; row < 2; row++) {
        const char *id = end_unheard(w, row, codes[row]);

        cancel(w, id, "-m", "crossed", "--grace", row == 0 ? "0" : "50s");
        program_signal(&w->agents[0].program, SIGCONT);
        assert_already_ended(w, task_wait(w, id), codes[row]);
        assert_text(w, task_show(w, id), "error_message", "crossed");
        assert_no_survivors(w, id);
        group_await_removal(&w->agents[0], id);
    }
}

Test(crossing, a_requeue_that_crosses_the_end_makes_it_queued_whatever_the_exit_code)
{
    struct world *w = world_open(1);
    const char *id = end_unheard(w, 0, 0);
    const struct ctl answer = ctl(w, "requeue", id);
    const json_t *attempts;

    cr_assert_eq(answer.status, 0, "%s", answer.err);
    program_signal(&w->agents[0].program, SIGCONT);
    await_status(w, id, 1, "TaskStatus_Running");
    attempts = at(task_show(w, id), "attempts");
    cr_assert_eq(json_array_size(attempts), 1);
    assert_already_ended(w, json_array_get(attempts, 0), 0);
    assert_null(w, json_array_get(attempts, 0), "error_message");
}

Test(crossing, an_end_that_the_head_has_heard_of_is_not_cancelled_any_more)
{
    struct world *w = world_open(1);
    const char *id = end_unheard(w, 0, 6);
    struct ctl answer;

    program_signal(&w->agents[0].program, SIGCONT);
    (void) task_wait(w, id);
    answer = ctl(w, "cancel", id, "-m", "too late");
    cr_assert_eq(answer.status, 1);
    assert_has(answer.err, "0x80040209");
    assert_text(w, task_show(w, id), "status", "TaskStatus_Failed");
    assert_null(w, task_show(w, id), "cancelled_by");
}

Test(crossing, what_waits_for_its_turn_at_the_node_is_cancelled_there_and_never_runs)
{
    struct world *w = world_make("[tasks]\nmax_running = 1\n");
    const char *first, *second, *dir = path_in(w, "witness");
    const json_t *task;

    head_start(w);
    agent_start(&w->agents[0]);
    cr_assert_eq(mkdir(dir, 0777), 0);
    cr_assert_eq(chmod(dir, 0777), 0);
    first = submit_fighter(w, "n1", 1);
    second = submit(w, "--", program_in(w, "actor"), keepf(w, "touch=%s/ran", dir), "hold");
    await_at_node(&w->agents[0], second, 0);
    assert_text(w, task_show(w, second), "status", "TaskStatus_Queued");
    cancel(w, second, "-m", "not now");
    assert_cancelled(w, second, "not now", "never_started");
    task = task_show(w, second);
    assert_null(w, task, "start_time");
    assert_null(w, task, "exit_code");
    /* Its turn comes, and passes. */
    cancel(w, first, "--grace", "0");
    assert_cancelled(w, first, NULL, "cgroup_kill");
    assert_text(w, task_wait(w, submit(w, "--", "true")), "status", "TaskStatus_Finished");
    cr_assert(!file_exists(keepf(w, "%s/ran", dir)), "it has run");
}
