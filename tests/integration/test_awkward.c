/* Cancels at awkward moments: before the node has the task, while it starts, while it ends. */
#include "tests/integration/asker.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(awkward, .fini = worlds_close, .timeout = 120);

/* A task that leaves a file behind if it ever runs. Returns the file's path. */
static const char *submit_witness(struct world *w, const char **ret_task)
{
    const char *dir = path_in(w, "witness");

    if (!file_exists(dir)) {
        cr_assert_eq(mkdir(dir, 0777), 0);
        cr_assert_eq(chmod(dir, 0777), 0);
    }
    *ret_task = submit(w, "--", program_in(w, "actor"), keepf(w, "touch=%s/ran", dir), "hold");
    return keepf(w, "%s/ran", dir);
}

static void assert_never_started(struct world *w, const char *id, const char *witness)
{
    const json_t *task = task_wait(w, id);

    assert_text(w, task, "status", "TaskStatus_Cancelled");
    assert_text(w, task, "error_message", "not now");
    assert_text(w, task, "cause", "cancelled");
    assert_null(w, task, "exit_code");
    assert_null(w, task, "signal");
    assert_null(w, task, "start_time");
    cr_assert(!file_exists(witness), "it has run");
    assert_no_survivors(w, id);
}

Test(awkward, a_task_that_was_only_added_is_cancelled_at_once)
{
    struct world *w = world_open(1);
    const struct ctl added = ctl(w, "add", "-n", "n1", "--user", "nobody", "--", "true");

    cr_assert_str_eq(added.out, "1.1\n");
    assert_text(w, task_show(w, "1.1"), "status", "TaskStatus_NotSubmitted");
    cancel(w, "1.1", "-m", "not now");
    assert_never_started(w, "1.1", "/no/such/file");
    assert_null(w, task_show(w, "1.1"), "proof");
    cr_assert_eq(ctl(w, "submit", "1.1").status, 1);
    assert_has(ctl(w, "submit", "1.1").err, "1.1: error 0x8007139F");
}

Test(awkward, a_task_that_no_agent_can_have_is_cancelled_at_once)
{
    struct world *w = world_open(1);
    const char *id, *witness;

    /* The head knows the node, and since its own start has not heard of it. */
    program_end(&w->agents[0].program);
    program_end(&w->head);
    head_start(w);
    witness = submit_witness(w, &id);
    assert_text(w, task_show(w, id), "status", "TaskStatus_Queued");
    cancel(w, id, "-m", "not now");
    assert_text(w, task_show(w, id), "status", "TaskStatus_Cancelled");
    assert_never_started(w, id, witness);
    agent_start(&w->agents[0]);
    assert_text(w, task_wait(w, submit(w, "--", "true")), "status", "TaskStatus_Finished");
    assert_never_started(w, id, witness);
}

Test(awkward,
     a_task_that_a_killed_agent_may_have_is_cancelled_when_the_agent_is_back_and_never_runs)
{
    struct world *w = world_open(1);
    const char *id, *witness;

    /* The command goes out, to an agent that never looks at it. */
    program_signal(&w->agents[0].program, SIGSTOP);
    witness = submit_witness(w, &id);
    program_kill(&w->agents[0].program);
    cancel(w, id, "-m", "not now");
    agent_start(&w->agents[0]);
    assert_never_started(w, id, witness);
    assert_text(w, task_wait(w, submit(w, "--", "true")), "status", "TaskStatus_Finished");
    assert_never_started(w, id, witness);
}

Test(awkward, an_agent_that_is_killed_anywhere_between_submit_and_start_ends_it_cancelled)
{
    struct world *w = world_open(1);

    for (int i = 0; i < 20; i++) {
        const char *id, *witness = submit_witness(w, &id);
        const json_t *task;

        program_kill(&w->agents[0].program);
        cancel(w, id, "-m", "not now", "--grace", "0");
        agent_start(&w->agents[0]);
        task = task_wait(w, id);
        assert_text(w, task, "status", "TaskStatus_Cancelled");
        assert_text(w, task, "error_message", "not now");
        assert_no_survivors(w, id);
        if (null_at(task, "start_time"))
            cr_assert(!file_exists(witness), "row %d: it has run: %s", i, dump(w, task));
        (void) unlink(witness);
    }
}

Test(awkward, a_task_that_hangs_in_the_opening_of_a_file_is_ended_there)
{
    static const char *const graces[] = {"0", "300ms"};
    struct world *w = world_open(1);

    for (size_t i = 0; i < 2; i++) {
        const char *fifo = path_in(w, keepf(w, "nobody-writes-%zu", i));
        const char *dir = path_in(w, "dir");
        const json_t *task;
        const char *id;

        cr_assert_eq(mkfifo(fifo, 0666), 0);
        cr_assert_eq(chmod(fifo, 0666), 0);
        (void) mkdir(dir, 0777);
        (void) chmod(dir, 0777);
        id =
            submit(w, "--stdin", fifo, "--", program_in(w, "actor"), keepf(w, "touch=%s/ran", dir));
        cancel(w, id, "-m", "not now", "--grace", graces[i]);
        task = task_wait(w, id);
        assert_text(w, task, "status", "TaskStatus_Cancelled");
        assert_text(w, task, "error_message", "not now");
        assert_null(w, task, "exit_code");
        cr_assert(!file_exists(keepf(w, "%s/ran", dir)));
        group_await_removal(&w->agents[0], id);
    }
}

static void tell_to_end(int fifo_fd)
{
    cr_assert_eq(write(fifo_fd, "now\n", 4), 4);
}

/* Tells the task to end, and cancels it a moment later. Returns whether that was accepted. */
static bool cross(struct world *w, struct asker *asker, int row)
{
    const char *go = keepf(w, "go-%d", row), *ready = keepf(w, "ready-%d", row);
    const int go_fd = fifo_in(w, go), ready_fd = fifo_in(w, ready);
    const char *id =
        submit(w, "--stdout", path_in(w, ready), "--", program_in(w, "actor"), "on-term=77",
               "say=ready", keepf(w, "read=%s", path_in(w, go)), keepf(w, "exit=%d", row % 2));
    const json_t *task;
    json_t *answer;
    int status;

    fifo_expect(ready_fd, "ready");
    tell_to_end(go_fd);
    for (int i = 0; i < row % 12; i++) /* each takes the head a little */
        json_decref(asker_get(asker, "/v1/nodes", NULL));
    answer = asker_post(asker, keepf(w, "/v1/tasks/%s/cancel", id),
                        "{\"message\": \"crossed\", \"grace_ms\": 50000}", &status);
    task = task_wait(w, id);
    if (status == 200) {
        assert_text(w, task, "status", "TaskStatus_Cancelled");
        assert_text(w, task, "error_message", "crossed");
        assert_text(w, task, "cause", "cancelled");
        cr_assert(number_at(task, "exit_code") == row % 2 || number_at(task, "exit_code") == 77,
                  "%s", dump(w, task));
    } else {
        cr_assert_eq(status, 409);
        assert_text(w, answer, "error.code", "0x80040209");
        assert_text(w, task, "status", row % 2 ? "TaskStatus_Failed" : "TaskStatus_Finished");
        assert_number(w, task, "exit_code", row % 2);
        assert_null(w, task, "cancelled_by");
    }
    assert_no_survivors(w, id);
    json_decref(answer);
    (void) close(go_fd);
    (void) close(ready_fd);
    return status == 200;
}

Test(awkward, a_cancel_that_crosses_the_end_is_either_accepted_and_cancelled_or_refused)
{
    struct world *w = world_open(1);
    struct asker *asker = asker_open(w->head_socket);
    int accepted = 0;

    for (int row = 0; row < 60; row++)
        accepted += cross(w, asker, row);
    (void) printf("%d of 60 cancels were accepted\n", accepted);
    asker_close(asker);
}

Test(awkward, a_cancel_that_the_node_never_got_before_the_end_is_already_ended)
{
    struct world *w = world_open(1);
    const int ready = fifo_in(w, "ready"), go = fifo_in(w, "go");
    const char *id = submit(w, "--stdout", path_in(w, "ready"), "--", program_in(w, "actor"),
                            "say=ready", keepf(w, "read=%s", path_in(w, "go")), "exit=6");
    const json_t *task;
    int supervisor;

    fifo_expect(ready, "ready");
    supervisor = pidfd_open(supervisor_pid(&w->agents[0]), 0);
    cr_assert_geq(supervisor, 0);
    program_end(&w->agents[0].program);
    tell_to_end(go);
    cr_assert_eq(wait_readable(supervisor), 0, "the supervisor does not end");
    cancel(w, id, "-m", "crossed");
    agent_start(&w->agents[0]); /* and it finds the ending on the disk */
    task = task_wait(w, id);
    assert_text(w, task, "status", "TaskStatus_Cancelled");
    assert_text(w, task, "error_message", "crossed");
    assert_number(w, task, "exit_code", 6);
    assert_text(w, task, "proof.method", "already_ended");
    assert_null(w, task, "proof.us.received");
}
