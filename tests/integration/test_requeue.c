/* Requeue: the next attempt begins when the end of the one before is proved, and what became of the
 * earlier ones stays. */
#include "tests/integration/asker.h"
#include "tests/integration/await.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

TestSuite(requeue, .fini = worlds_close, .timeout = 120);

/* An accepted requeue. */
#define requeue(world, ...)                                                                        \
    do {                                                                                           \
        const struct ctl requeue_ctl = ctl((world), "requeue", __VA_ARGS__);                       \
        cr_assert_eq(requeue_ctl.status, 0, "requeue: %s", requeue_ctl.err);                       \
    } while (0)

/* Each of its attempts exits with 3 when a line comes in the FIFO "go", which is @ret_go. */
static const char *submit_waiting(struct world *w, int *ret_go)
{
    *ret_go = fifo_in(w, "go");
    return submit(w, "--", program_in(w, "actor"), keepf(w, "read=%s", path_in(w, "go")), "exit=3");
}

static void let_go(int go)
{
    cr_assert_eq(write(go, "go\n", 3), 3);
}

/* The ending of an earlier attempt. */
static const json_t *attempt(struct world *w, const char *id, size_t number)
{
    const json_t *attempts = at(task_show(w, id), "attempts");
    const json_t *one = json_array_get(attempts, number);

    cr_assert_not_null(one, "there is no attempt %zu: %s", number, dump(w, attempts));
    assert_number(w, one, "attempt", (int) number);
    return one;
}

static void assert_refused(struct ctl answer, const char *id, const char *number)
{
    cr_assert_eq(answer.status, 1, "%d %s", answer.status, answer.err);
    assert_has(answer.err, id);
    assert_has(answer.err, number);
}

Test(requeue, a_failed_task_runs_again_and_every_earlier_ending_stays)
{
    struct world *w = world_open(1);
    int go;
    const char *id = submit_waiting(w, &go);
    const json_t *task;

    for (int i = 0; i < 3; i++) {
        await_status(w, id, i, "TaskStatus_Running");
        let_go(go);
        task = task_wait(w, id);
        assert_text(w, task, "status", "TaskStatus_Failed");
        assert_number(w, task, "attempt", i);
        requeue(w, id);
        assert_text(w, attempt(w, id, (size_t) i), "uid", text_at(task, "uid"));
    }
    await_status(w, id, 3, "TaskStatus_Running");
    task = task_show(w, id);
    cr_assert_eq(json_array_size(at(task, "attempts")), 3);
    assert_null(w, task, "exit_code");
    assert_null(w, task, "error_message");
    assert_null(w, task, "end_time");
    for (size_t i = 0; i < 3; i++) {
        const json_t *ending = attempt(w, id, i);

        assert_text(w, ending, "status", "TaskStatus_Failed");
        assert_text(w, ending, "cause", "exit_code");
        assert_number(w, ending, "exit_code", 3);
        assert_has(text_at(ending, "error_message"), "3");
        assert_text(w, ending, "proof.method", "exited");
        cr_assert_str_neq(text_at(ending, "uid"), text_at(task, "uid"));
        cr_assert_leq(strcmp(text_at(ending, "start_time"), text_at(ending, "end_time")), 0);
    }
}

Test(requeue, a_cancelled_task_runs_again_without_its_cancel)
{
    struct world *w = world_open(1);
    int go;
    const char *id = submit_waiting(w, &go);
    const json_t *ending;

    await_status(w, id, 0, "TaskStatus_Running");
    cancel(w, id, "-m", "not now", "--grace", "0");
    assert_cancelled(w, id, "not now", "cgroup_kill");
    requeue(w, id);
    await_status(w, id, 1, "TaskStatus_Running");
    assert_null(w, task_show(w, id), "cancel_time");
    assert_null(w, task_show(w, id), "cancelled_by");
    assert_null(w, task_show(w, id), "error_message");
    ending = attempt(w, id, 0);
    assert_text(w, ending, "error_message", "not now");
    assert_text(w, ending, "cancelled_by.name", "root");
    assert_text(w, ending, "cause", "cancelled");
    let_go(go);
    assert_text(w, task_wait(w, id), "status", "TaskStatus_Failed");
}

Test(requeue, what_was_cancelled_before_it_was_submitted_is_queued_again)
{
    struct world *w = world_open(1);

    cr_assert_eq(ctl(w, "add", "-n", "n1", "--user", "nobody", "--", "true").status, 0);
    cancel(w, "1.1");
    requeue(w, "1.1");
    assert_text(w, task_wait(w, "1.1"), "status", "TaskStatus_Finished");
    assert_number(w, task_show(w, "1.1"), "attempt", 1);
    assert_text(w, attempt(w, "1.1", 0), "status", "TaskStatus_Cancelled");
}

/* Processes of an attempt that live, by their environment. */
static int living(struct world *w, const char *attempt_number)
{
    const char *marks[] = {w->mark, keepf(w, "QUELL_ATTEMPT=%s", attempt_number), NULL};

    return processes_marked(marks, NULL, NULL);
}

Test(requeue, a_running_task_is_ended_first_and_starts_again_only_when_that_is_proved)
{
    struct world *w = world_open(1);
    const int ready = fifo_in(w, "ready");
    const char *id =
        submit(w, "--stdout", path_in(w, "ready"), "--", program_in(w, "fighter"), "20");
    const json_t *ending, *task;

    fifo_expect(ready, "ready 20");
    await_status(w, id, 0, "TaskStatus_Running");
    requeue(w, id, "--grace", "100ms");
    fifo_expect(ready, "ready 20");
    cr_assert_eq(living(w, "0"), 0, "the earlier attempt lives beside the next");
    cr_assert_eq(living(w, "1"), 20);
    await_status(w, id, 1, "TaskStatus_Running");
    task = task_show(w, id);
    assert_null(w, task, "cancel_time");
    assert_null(w, task, "requeue_node");
    ending = attempt(w, id, 0);
    assert_text(w, ending, "status", "TaskStatus_Cancelled");
    assert_text(w, ending, "proof.method", kill_method());
    assert_number(w, ending, "proof.processes_at_kill", 20);
    assert_number(w, ending, "signal", SIGKILL);
    assert_text(w, ending, "cancelled_by.name", "root");
    assert_null(w, ending, "error_message");
    cr_assert_leq(strcmp(text_at(ending, "end_time"), text_at(task, "start_time")), 0, "%s",
                  dump(w, task));
}

Test(requeue, the_next_attempt_may_be_on_another_node)
{
    struct world *w = world_open(2);
    int go;
    const char *id = submit_waiting(w, &go);

    await_status(w, id, 0, "TaskStatus_Running");
    assert_refused(ctl(w, "requeue", id, "-n", "n7"), id, "0x80070490");
    assert_null(w, task_show(w, id), "requeue_node");
    requeue(w, id, "-n", "n2", "--grace", "0");
    await_status(w, id, 1, "TaskStatus_Running");
    assert_text(w, task_show(w, id), "node", "n2");
    assert_text(w, attempt(w, id, 0), "node", "n1");
    cr_assert(group_exists(&w->agents[1], id));
    let_go(go);
    (void) task_wait(w, id);
    requeue(w, id, "-n", "n1");
    await_status(w, id, 2, "TaskStatus_Running");
    assert_text(w, task_show(w, id), "node", "n1");
    assert_text(w, attempt(w, id, 1), "node", "n2");
}

Test(requeue, a_cancel_withdraws_a_requeue_that_is_pending)
{
    struct world *w = world_open(1);
    const char *id = submit_fighter(w, "n1", 1);

    await_status(w, id, 0, "TaskStatus_Running");
    requeue(w, id, "--grace", "50s");
    assert_text(w, task_show(w, id), "requeue_node", "n1");
    cancel(w, id, "-m", "after all not", "--grace", "0");
    assert_null(w, task_show(w, id), "requeue_node");
    assert_cancelled(w, id, "after all not", "cgroup_kill");
    cr_assert_eq(json_array_size(at(task_show(w, id), "attempts")), 0);
    assert_number(w, task_show(w, id), "attempt", 0);
}

Test(requeue, a_requeue_makes_the_end_of_a_cancel_under_way_queued)
{
    struct world *w = world_open(1);
    const int ready = fifo_in(w, "ready");
    const char *id =
        submit(w, "--stdout", path_in(w, "ready"), "--", program_in(w, "fighter"), "1");

    fifo_expect(ready, "ready 1");
    cancel(w, id, "-m", "first this", "--grace", "50s");
    requeue(w, id, "--grace", "0");
    await_status(w, id, 1, "TaskStatus_Running");
    assert_text(w, attempt(w, id, 0), "status", "TaskStatus_Cancelled");
    assert_text(w, attempt(w, id, 0), "error_message", "first this");
    assert_null(w, task_show(w, id), "error_message");
    fifo_expect(ready, "ready 1");
    await_status(w, id, 1, "TaskStatus_Running");
    /* And of the last of three verbs the same. */
    requeue(w, id, "--grace", "50s");
    cancel(w, id, "--grace", "50s");
    requeue(w, id, "--grace", "0");
    await_status(w, id, 2, "TaskStatus_Running");
    cr_assert_eq(json_array_size(at(task_show(w, id), "attempts")), 2);
}

Test(requeue, a_task_that_is_not_rerunnable_is_refused_whatever_its_status)
{
    struct world *w = world_open(1);
    const char *failed = submit(w, "--not-rerunnable", "--", "false");
    const char *running = submit(w, "--not-rerunnable", "--", program_in(w, "actor"), "hold");
    const json_t *before;

    (void) task_wait(w, failed);
    before = task_show(w, failed);
    assert_refused(ctl(w, "requeue", failed), failed, "0x80040612");
    cr_assert(json_equal(before, task_show(w, failed)), "a refusal has changed something");
    await_status(w, running, 0, "TaskStatus_Running");
    before = task_show(w, running);
    assert_refused(ctl(w, "requeue", running, "--grace", "0"), running, "0x80040612");
    cr_assert(json_equal(before, task_show(w, running)), "a refusal has changed something");
    cr_assert_eq(survivors(w, running), 1);
}

Test(requeue, a_finished_task_is_refused_and_of_several_the_others_are_queued)
{
    struct world *w = world_open(1);
    const char *failed = submit(w, "--", "false");
    const char *finished = submit(w, "--", "true");
    const char *cancelled = submit(w, "--", program_in(w, "actor"), "hold");
    struct ctl answer;

    cancel(w, cancelled, "--grace", "0");
    (void) task_wait(w, cancelled);
    (void) task_wait(w, failed);
    (void) task_wait(w, finished);
    answer = ctl(w, "requeue", failed, finished, cancelled);
    assert_refused(answer, keepf(w, "%s: error 0x8007139F", finished), "TaskStatus_Finished");
    assert_number(w, task_show(w, failed), "attempt", 1);
    assert_number(w, task_show(w, finished), "attempt", 0);
    assert_number(w, task_show(w, cancelled), "attempt", 1);
}

Test(requeue, what_waits_for_the_task_waits_for_the_next_attempt)
{
    struct world *w = world_open(1);
    int go;
    const char *id = submit_waiting(w, &go);
    struct asker *asker = asker_open(w->head_socket);
    const json_t *task;

    await_status(w, id, 0, "TaskStatus_Running");
    program_signal(&w->agents[0].program,
                   SIGSTOP); /* the requeue is pending while it stands still */
    requeue(w, id, "--grace", "0");
    task = keep_json(w, asker_get(asker, keepf(w, "/v1/tasks/%s?wait_ms=200", id), NULL));
    assert_text(w, task, "status", "TaskStatus_Running");
    program_signal(&w->agents[0].program, SIGCONT);
    task = keep_json(w, asker_get(asker, keepf(w, "/v1/tasks/%s?wait_ms=200", id), NULL));
    cr_assert(null_at(task, "end_time"), "the end of attempt 0 has ended the wait: %s",
              dump(w, task));
    await_status(w, id, 1, "TaskStatus_Running");
    let_go(go);
    task = task_wait(w, id);
    assert_number(w, task, "attempt", 1);
    assert_text(w, task, "status", "TaskStatus_Failed");
    asker_close(asker);
}

Test(requeue, a_requeue_that_is_pending_outlives_head_and_agent)
{
    struct world *w = world_open(2);
    int go;
    const char *id = submit_waiting(w, &go);

    await_status(w, id, 0, "TaskStatus_Running");
    program_kill(&w->agents[0].program);
    requeue(w, id, "-n", "n2", "--grace", "0");
    program_kill(&w->head);
    head_start(w);
    assert_text(w, task_show(w, id), "requeue_node", "n2");
    assert_text(w, task_show(w, id), "status", "TaskStatus_Running");
    cr_assert_eq(living(w, "0"), 1);
    cr_assert_eq(living(w, "1"), 0, "the next attempt began without the proof");
    agent_start(&w->agents[0]);
    await_status(w, id, 1, "TaskStatus_Running");
    assert_text(w, task_show(w, id), "node", "n2");
    assert_text(w, attempt(w, id, 0), "proof.method", kill_method());
    cr_assert_eq(living(w, "0"), 0);
}
