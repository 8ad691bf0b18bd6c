/* Cancel of a running task: what is ended, how, and what is said of it. */
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

TestSuite(cancel, .fini = worlds_close, .timeout = 300);

/* All that section 9 of the design promises of a task that ended on a node. */
static const char *const fields[] = {
    "job_id",
    "task_id",
    "attempt",
    "attempts",
    "node",
    "user",
    "command",
    "status",
    "error_message",
    "exit_code",
    "signal",
    "cause",
    "stuck",
    "cancelled_by",
    "cancel_time",
    "submit_time",
    "start_time",
    "end_time",
    "proof.method",
    "proof.processes_at_kill",
    "proof.escaped",
    "proof.cgroup_inode",
    "proof.boot_id",
    "proof.us.received",
    "proof.us.term",
    "proof.us.kill",
    "proof.us.empty",
    "proof.us.reaped",
    "proof.us.recorded",
    "usage.cpu_us",
    "usage.memory_peak_bytes",
    "usage.oom_kills",
};

Test(cancel, without_grace_50_fighters_are_killed_at_once_and_proved_gone)
{
    struct world *w = world_open(1);
    const char *id = submit_fighter(w, "n1", 50);
    const struct ctl answer =
        ctl(w, "cancel", id, "-m", "its node is needed", "--grace", "0", "--wait");
    const json_t *task;

    cr_assert_eq(answer.status, 5, "%s", answer.err);
    assert_no_survivors(w, id);
    assert_cancelled(w, id, "its node is needed", "cgroup_kill");
    task = task_show(w, id);
    assert_number(w, task, "proof.us.received", 0);
    assert_number(w, task, "proof.us.kill", 0);
    assert_null(w, task, "proof.us.term");
    assert_number(w, task, "proof.processes_at_kill", 50);
    assert_number(w, task, "proof.escaped", 0);
    assert_null(w, task, "exit_code");
    assert_number(w, task, "signal", SIGKILL);
    group_await_removal(&w->agents[0], id);
}

Test(cancel, with_a_grace_50_fighters_get_it_and_are_then_killed)
{
    struct world *w = world_open(1);
    const char *id = submit_fighter(w, "n1", 50);
    const json_t *task;

    cancel(w, id, "-m", "its node is needed", "--grace", "1s");
    assert_cancelled(w, id, "its node is needed", "cgroup_kill");
    task = task_show(w, id);
    assert_number(w, task, "proof.us.received", 0);
    cr_assert(!null_at(task, "proof.us.term"));
    /* The grace began when the cancel reached the node, a little before the supervisor's clock. */
    cr_assert_geq(number_at(task, "proof.us.kill"), 700000, "%s", dump(w, task));
    assert_number(w, task, "proof.processes_at_kill", 50);
    assert_number(w, task, "proof.escaped", 0);
    assert_number(w, task, "signal", SIGKILL);
    group_await_removal(&w->agents[0], id);
}

Test(cancel, a_cancelled_task_is_shown_with_all_fields_that_are_promised)
{
    struct world *w = world_open(1);
    const char *id = submit_fighter(w, "n1", 3);
    struct ctl answer;
    json_t *task;

    cancel(w, id, "-m", "why not", "--grace", "100ms");
    (void) task_wait(w, id);
    answer = ctl(w, "--json", "show", id);
    cr_assert_eq(answer.status, 0, "%s", answer.err);
    task = keep_json(w, json_loads(answer.out, 0, NULL));
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        (void) at(task, fields[i]);
    cr_assert(json_equal(task, task_show(w, id)), "%s", answer.out);
    assert_number(w, task, "attempt", 0);
    cr_assert(json_is_array(at(task, "attempts")));
    assert_null(w, task, "stuck");
    assert_null(w, task, "exit_code");
    assert_text(w, task, "node", "n1");
    assert_text(w, task, "user", "nobody");
    cr_assert_geq(number_at(task, "usage.cpu_us"), 0);
    for (size_t i = 14; i < 18; i++) {
        const char *time = text_at(task, fields[i]);

        cr_assert(strlen(time) == 27 && time[10] == 'T' && time[19] == '.' && time[26] == 'Z',
                  "%s is %s", fields[i], time);
    }
}

Test(cancel, a_program_that_obeys_sigterm_has_its_true_exit_code_beside_cancelled)
{
    static const struct {
        const char *word;
        int exit_code;
    } rows[] = {{"on-term=0", 0}, {"on-term=9", 9}};
    struct world *w = world_open(1);

    for (size_t i = 0; i < 2; i++) {
        const char *name = keepf(w, "ready%zu", i);
        const int ready = fifo_in(w, name);
        const char *id = submit(w, "--stdout", path_in(w, name), "--", program_in(w, "actor"),
                                rows[i].word, "say=ready", "hold");
        const json_t *task;

        fifo_expect(ready, "ready");
        cancel(w, id, "--grace", "50s");
        assert_cancelled(w, id, NULL, "exited_in_grace");
        task = task_show(w, id);
        assert_number(w, task, "exit_code", rows[i].exit_code);
        assert_null(w, task, "signal");
        assert_null(w, task, "proof.processes_at_kill");
        cr_assert_lt(number_at(task, "proof.us.recorded"), 50000000);
    }
}

Test(cancel, a_program_that_dies_of_sigterm_has_that_signal_beside_cancelled)
{
    struct world *w = world_open(1);
    const int ready = fifo_in(w, "ready");
    const char *id = submit(w, "--stdout", path_in(w, "ready"), "--", program_in(w, "actor"),
                            "say=ready", "hold");

    fifo_expect(ready, "ready");
    cancel(w, id, "--grace", "50s");
    assert_cancelled(w, id, NULL, "exited_in_grace");
    assert_number(w, task_show(w, id), "signal", SIGTERM);
}

Test(cancel, a_stopped_program_is_woken_for_its_sigterm)
{
    struct world *w = world_open(1);
    const int ready = fifo_in(w, "ready");
    const char *id = submit(w, "--stdout", path_in(w, "ready"), "--", program_in(w, "actor"),
                            "on-term=4", "say=ready", "raise=19", "hold");

    fifo_expect(ready, "ready");
    cancel(w, id, "--grace", "50s");
    assert_cancelled(w, id, NULL, "exited_in_grace");
    assert_number(w, task_show(w, id), "exit_code", 4);
}

Test(cancel, the_message_is_kept_as_it_was_given_up_to_320_code_points)
{
    struct world *w = world_open(1);
    char longest[320 * 4 + 1] = "", too_long[322] = "";
    const char *id;
    struct ctl answer;

    for (size_t i = 0; i < 320; i++)
        memcpy(longest + 4 * i, "\xf0\x9d\x84\x9e", 4); /* a clef: 4 bytes, one code point */
    memset(too_long, 'x', 321);

    id = submit_fighter(w, "n1", 1);
    answer = ctl(w, "cancel", id, "-m", too_long);
    cr_assert_eq(answer.status, 1);
    assert_has(answer.err, "0x800402D3");
    assert_has(answer.err, "321");
    assert_has(answer.err, "320");
    assert_null(w, task_show(w, id), "cancel_time");
    cancel(w, id, "-m", longest, "--grace", "0");
    assert_cancelled(w, id, longest, "cgroup_kill");

    id = submit_fighter(w, "n1", 1);
    cancel(w, id, "-m", "", "--grace", "0");
    assert_cancelled(w, id, "", "cgroup_kill");

    id = submit_fighter(w, "n1", 1);
    cancel(w, id, "--grace", "0");
    assert_cancelled(w, id, NULL, "cgroup_kill");

    id = submit_fighter(w, "n1", 1);
    answer = ctl(w, "cancel", id, "-m", "no text: \xff");
    cr_assert_eq(answer.status, 1, "%d %s", answer.status, answer.err);
    assert_has(answer.err, "UTF-8");
    assert_null(w, task_show(w, id), "cancel_time");
}

Test(cancel, a_second_cancel_is_accepted_and_the_first_message_stays)
{
    struct world *w = world_open(1);
    const char *id = submit_fighter(w, "n1", 3);

    cancel(w, id, "-m", "first", "--grace", "50s");
    cancel(w, id, "-m", "second", "--grace", "200ms");
    assert_cancelled(w, id, "first", "cgroup_kill");
    /* The deadline has moved to the earlier one. */
    cr_assert_lt(number_at(task_show(w, id), "proof.us.kill"), 40000000);
}

Test(cancel, a_second_cancel_gives_the_message_that_the_first_had_not_and_never_a_later_deadline)
{
    struct world *w = world_open(1);
    const char *id = submit_fighter(w, "n1", 3);

    cancel(w, id, "--grace", "500ms");
    cancel(w, id, "-m", "late", "--grace", "50s");
    cancel(w, id);
    assert_cancelled(w, id, "late", "cgroup_kill");
    cr_assert_lt(number_at(task_show(w, id), "proof.us.kill"), 40000000);
}

Test(cancel, a_second_cancel_without_grace_kills_at_once)
{
    struct world *w = world_open(1);
    const char *id = submit_fighter(w, "n1", 3);
    const json_t *task;

    cancel(w, id, "--grace", "50s");
    cancel(w, id, "--grace", "0");
    assert_cancelled(w, id, NULL, "cgroup_kill");
    task = task_show(w, id);
    cr_assert_lt(number_at(task, "proof.us.kill"), 40000000);
    cr_assert(!null_at(task, "proof.us.term"));
}

Test(cancel, what_has_ended_is_not_cancelled_any_more)
{
    struct world *w = world_open(1);
    const char *id = submit(w, "--", "true");
    const json_t *before = task_wait(w, id);
    const struct ctl answer = ctl(w, "cancel", id, "-m", "too late");

    cr_assert_eq(answer.status, 1);
    assert_has(answer.err, keepf(w, "quellctl: %s: error 0x80040209: ", id));
    assert_has(answer.err, "TaskStatus_Finished");
    cr_assert(json_equal(before, task_show(w, id)), "a refusal has changed something");
    cr_assert_eq(ctl(w, "cancel", "99.1").status, 1);
    assert_has(ctl(w, "cancel", "99.1").err, "99.1: error 0x80040207: ");
}

Test(cancel, several_are_cancelled_one_by_one_and_one_refusal_stops_none)
{
    struct world *w = world_open(1);
    const char *a = submit_fighter(w, "n1", 2);
    const char *done = submit(w, "--", "true");
    const char *b = submit_fighter(w, "n1", 2);
    struct ctl answer;

    (void) task_wait(w, done);
    answer = ctl(w, "cancel", a, done, b, "-m", "all of you", "--grace", "0", "--wait");
    cr_assert_eq(answer.status, 1, "a refusal wins: %d", answer.status);
    assert_has(answer.err, keepf(w, "%s: error 0x80040209", done));
    assert_cancelled(w, a, "all of you", "cgroup_kill");
    assert_cancelled(w, b, "all of you", "cgroup_kill");
}
