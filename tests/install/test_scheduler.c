/* The example docs/examples/scheduler.c in the head's place. $QUELL_SCHEDULER: another build of it.
 */
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

TestSuite(scheduler, .fini = worlds_close, .timeout = 120);

static void scheduler_start(struct world *w, const char *address)
{
    const char *other = getenv("QUELL_SCHEDULER");
    const char *argv[] = {other ? other : QUELL_SCHEDULER, path_in(w, "head"), address, NULL};
    const struct program_child child = {.mark = keepf(w, JANITOR_DAEMON "=%s", w->dir)};

    program_start(&w->head, argv, &child);
}

/* All of @lines (ends with NULL) are in @log, in this order. */
static void assert_in_order(const char *log, const char *const *lines)
{
    const char *at = log;

    for (; *lines; lines++) {
        const char *found = strstr(at, *lines);

        cr_assert_not_null(found, "\"%s\" is not there, or too early, in:\n%s", *lines, log);
        at = found + strlen(*lines);
    }
}
#define LINES(...) ((const char *const[]){__VA_ARGS__, NULL})

Test(scheduler, the_example_runs_cancels_and_requeues_tasks_of_a_real_node)
{
    struct world *w = world_make("[tasks]\nallow_root = yes\n");
    const char *log;

    scheduler_start(w, w->head_url);
    program_await(&w->head, "waiting for a node");
    agent_launch(&w->agents[0]);
    cr_assert_eq(program_wait(&w->head), 0, "%s", program_log(&w->head));
    log = program_log(&w->head);
    assert_in_order(log, LINES("node n1 is up\n", "1.1 attempt 0: TaskStatus_Queued\n",
                               "1.1 attempt 0: TaskStatus_Finished\n"));
    assert_in_order(log, LINES("1.2 attempt 0: TaskStatus_Running\n", "1.2: cancel accepted\n",
                               "1.2 attempt 0: TaskStatus_Cancelled, cancelled: its place is "
                               "needed\n"));
    assert_in_order(log, LINES("1.3 attempt 0: TaskStatus_Failed, exit_code: ",
                               "1.3 attempt 1: TaskStatus_Queued\n",
                               "1.3 attempt 1: TaskStatus_Finished\n"));
    assert_in_order(log, LINES("1.3 (flaky) has ended as TaskStatus_Finished after 1 earlier"));
}

Test(scheduler, the_example_ends_when_it_is_told_to)
{
    struct world *w = world_make(NULL);
    int status;

    scheduler_start(w, w->head_url);
    program_await(&w->head, "waiting for a node");
    program_signal(&w->head, SIGTERM);
    status = program_wait(&w->head);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1, "wait status 0x%x", (unsigned) status);
}

Test(scheduler, the_example_says_why_it_can_not_begin)
{
    struct world *w = world_make(NULL);
    int status;

    scheduler_start(w, "tcp://127.0.0.1:5960");
    status = program_wait(&w->head);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1, "wait status 0x%x", (unsigned) status);
    assert_in_order(program_log(&w->head), LINES("scheduler: ", "key"));
}
