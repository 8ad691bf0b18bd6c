/*
 * One kernel call of the running head fails, for each of them in turn: while a task is submitted,
 * runs and ends, and while one is cancelled. What is refused has not happened; what is accepted is
 * kept; the next verb works.
 */
#include "tests/fault/injector.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

TestSuite(head_fault, .fini = worlds_close, .timeout = 1200);

#define LANES     8   /* worlds side by side that share the calls */
#define CALLS_MAX 800 /* more than any of these needs */
#define FDS_SLACK 3   /* connections that the head has not seen the end of yet */

struct lane {
    struct world *world;
    struct injector injector;
    struct program waiter; /* quellctl wait */
    size_t fds;
    size_t log_seen;
    int hits, plain;
};

static size_t head_fds(const struct lane *lane)
{
    DIR *dir = opendir(keepf(lane->world, "/proc/%d/fd", (int) lane->world->head.pid));
    size_t count = 0;

    cr_assert_not_null(dir);
    while (readdir(dir))
        count++;
    (void) closedir(dir);
    return count;
}

/* Nothing fails any more; and where a call was too much for the head's libraries, it is started
   again: nanomsg has an assertion that names its own file, libevent says [err]. */
static void revive(struct lane *lane)
{
    struct program *head = &lane->world->head;
    struct injector_hit hit = {0};
    struct ctl answer;
    const char *log;
    int status;

    if (lane->injector.pid)
        hit = injector_disarm(&lane->injector);
    answer = ctl(lane->world, "nodes");
    if (answer.status == 0)
        return;
    cr_assert_eq(answer.status, 3, "since %s(%s) failed: %s", hit.call, hit.path, answer.err);
    status = program_wait(head);
    log = program_log(head) + lane->log_seen;
    cr_assert(strstr(log, "./src/") || strstr(log, "[err]"),
              "the head ended with wait status 0x%x:\n%s", (unsigned) status, log);
    lane->log_seen = head->log_len;
    head_start(lane->world);
    lane->fds = 0; /* counted anew */
}

/* The task of that name, as "7.1", or NULL. */
static const char *find(struct lane *lane, const char *name)
{
    const struct ctl answer = ctl(lane->world, "--json", "list");
    json_t *tasks = keep_json(lane->world, json_loads(answer.out, 0, NULL));
    const json_t *task;
    size_t i;

    json_array_foreach(tasks, i, task) if (strcmp(text_at(task, "name"), name) == 0) return keepf(
        lane->world, "%d.%d", (int) number_at(task, "job_id"), (int) number_at(task, "task_id"));
    return NULL;
}

/* Submits; again, where the head has refused. What it did not answer it may have done. */
static const char *submit_surely(struct lane *lane, const char *name, const char *ran)
{
    struct world *w = lane->world;
    const char *command = keepf(w, "echo ran >> %s; exit 7", ran);

    for (int i = 0; i < 3; i++) {
        const struct ctl answer = ctl(w, "submit", "-n", "n1", "--user", "nobody", "--env", w->mark,
                                      "--name", name, "--", "/bin/sh", "-c", command);
        const char *id;

        if (answer.status == 0)
            return keepf(w, "%.*s", (int) strcspn(answer.out, "\n"), answer.out);
        revive(lane);
        cr_assert_str_not_empty(answer.err);
        id = find(lane, name);
        cr_assert(!id || answer.status == 3, "refused, and there is %s: %s", id, answer.err);
        if (id)
            return id;
    }
    cr_assert_fail("nothing is accepted any more:\n%s", program_log(&w->head));
    return NULL;
}

static json_t *await_end(struct lane *lane, const char *id)
{
    struct world *w = lane->world;
    const char *argv[] = {bin(w, "quellctl"), "--head", w->head_socket, "wait", id, NULL};

    for (int i = 0; i < 3; i++) {
        int status;

        program_start(&lane->waiter, argv, NULL);
        if (wait_readable(lane->waiter.pidfd) != 0) {
            const struct injector_hit hit = injector_disarm(&lane->injector);

            cr_assert_fail("%s does not end since %s(%s) failed:\n%s\n%s", id, hit.call, hit.path,
                           program_log(&w->head), program_log(&w->agents[0].program));
        }
        status = program_wait(&lane->waiter);
        revive(lane);
        if (WIFEXITED(status) && WEXITSTATUS(status) != 3 && WEXITSTATUS(status) != 1)
            return task_show(w, id);
    }
    cr_assert_fail("no answer any more:\n%s", program_log(&w->head));
    return NULL;
}

static void expect_ran(struct lane *lane, const json_t *task, const char *ran)
{
    assert_text(lane->world, task, "status", "TaskStatus_Failed");
    assert_text(lane->world, task, "cause", "exit_code");
    assert_number(lane->world, task, "exit_code", 7);
    cr_assert_str_eq(file_text(lane->world, ran), "ran\n");
}

static void play_start(struct lane *lane, int nth)
{
    const char *name = keepf(lane->world, "ran.%d", nth);
    const char *ran = file_in(lane->world, name, "");
    const char *id;

    injector_arm(&lane->injector, nth);
    id = submit_surely(lane, name, ran);
    expect_ran(lane, await_end(lane, id), ran);
}

static void play_cancel(struct lane *lane, int nth)
{
    struct world *w = lane->world;
    const char *id = submit_fighter(w, "n1", 1);
    const json_t *task;
    struct ctl answer;

    injector_arm(&lane->injector, nth);
    answer = ctl(w, "cancel", id, "-m", "for a reason", "--grace", "0");
    if (answer.status != 0) {
        revive(lane);
        cr_assert_str_not_empty(answer.err);
        if (answer.status == 1) /* nothing has changed */
            assert_null(w, task_show(w, id), "cancel_time");
        answer = ctl(w, "cancel", id, "-m", "for a reason", "--grace", "0");
        cr_assert(answer.status == 0 || strstr(answer.err, "0x80040209"), "%s", answer.err);
    }
    task = await_end(lane, id);
    assert_text(w, task, "status", "TaskStatus_Cancelled");
    assert_text(w, task, "error_message", "for a reason");
    assert_no_survivors(w, NULL);
}

static void play_plain(struct lane *lane)
{
    const char *name = keepf(lane->world, "plain.%d", ++lane->plain);
    const char *ran = file_in(lane->world, name, "");
    const char *id = submit_surely(lane, name, ran);

    expect_ran(lane, await_end(lane, id), ran);
}

struct head_row {
    bool cancel;
    int lane;
};

/* Calls first, first + LANES, ... until one is not reached any more. */
static void sweep(const struct head_row *row)
{
    struct lane lane = {0};
    bool reached = true;

    if (injector_hindrance())
        SKIP("%s", injector_hindrance());
    lane.world = world_open(1);
    program_init(&lane.waiter, "quellctl wait");
    (void) setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    for (int nth = 1 + row->lane; reached; nth += LANES) {
        struct injector_hit hit;

        cr_assert_lt(nth, CALLS_MAX);
        if (lane.fds == 0) { /* the first head, or another */
            if (lane.injector.pid)
                injector_stop(&lane.injector);
            play_plain(&lane);
            lane.fds = head_fds(&lane);
            injector_start(&lane.injector, lane.world->head.pid, INJECT_PROGRAM);
        }
        (row->cancel ? play_cancel : play_start)(&lane, nth);
        hit = injector_disarm(&lane.injector);
        (void) printf("call %d of the head: %s(%s)\n", nth, hit.call, hit.path);
        reached = hit.hit;
        lane.hits += reached;
        play_plain(&lane);
    }
    injector_stop(&lane.injector);
    program_done(&lane.waiter);
    cr_assert_gt(lane.hits, 2, "hardly anything could fail");
    cr_assert_leq(head_fds(&lane), lane.fds + FDS_SLACK, "descriptors leaked");
}

static struct head_row rows[2 * LANES];

ParameterizedTestParameters(head_fault, whatever_fails_once_the_heads_word_is_true)
{
    for (int i = 0; i < 2 * LANES; i++)
        rows[i] = (struct head_row){.cancel = i >= LANES, .lane = i % LANES};
    return cr_make_param_array(struct head_row, rows, 2 * LANES);
}

ParameterizedTest(const struct head_row *row, head_fault,
                  whatever_fails_once_the_heads_word_is_true)
{
    sweep(row);
}
