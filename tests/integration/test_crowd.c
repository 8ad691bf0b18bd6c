/* A thousand short and two hundred long tasks of one job on one node: each has its own true
 * outcome, and both sockets answer quickly all the while. */
#include "tests/integration/asker.h"
#include "tests/integration/prober.h"
#include "tests/integration/stream.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(crowd, .fini = worlds_close, .timeout = 600);

#define TASKS        1200
#define LONG         200
#define IS_LONG(i)   ((i) % (TASKS / LONG) == 0)
#define EXIT_CODE(i) ((i) % 3)

static void submit_crowd(struct world *w)
{
    struct asker *asker = asker_open(w->head_socket);
    const char *mark = strchr(w->mark, '=') + 1;

    for (int i = 1; i <= TASKS; i++) {
        const char *act = IS_LONG(i) ? "hold" : keepf(w, "exit=%d", EXIT_CODE(i));
        const char *body = keepf(w,
                                 "{\"node\": \"n1\", \"job_id\": 5, \"task_id\": %d, \"user\": "
                                 "\"nobody\", \"submit\": true, \"env\": {\"%s\": \"%s\"}, "
                                 "\"command\": [\"%s\", \"%s\"]}",
                                 i, JANITOR_TASK, mark, program_in(w, "actor"), act);
        int status;
        json_t *task = asker_post(asker, "/v1/tasks", body, &status);

        cr_assert_eq(status, 200, "task %d: %s", i, dump(w, task));
        json_decref(task);
    }
    asker_close(asker);
}

/* Until all short ones have ended and all long ones run. */
static void await_crowd(struct world *w)
{
    struct stream *stream = stream_open(w->head_socket, "/v1/events", NULL);
    int ended = 0, running = 0;

    while (ended < TASKS - LONG || running < LONG) {
        struct stream_event event;
        const char *status;
        bool is_long;

        cr_assert(stream_next(stream, &event), "the events have ended");
        cr_assert_str_neq(event.name, "gap");
        is_long = IS_LONG(number_at(event.data, "task_id"));
        status = text_at(event.data, "status");
        running += is_long && strcmp(status, "TaskStatus_Running") == 0;
        ended += !is_long && (strcmp(status, "TaskStatus_Finished") == 0 ||
                              strcmp(status, "TaskStatus_Failed") == 0);
    }
    stream_close(stream);
}

/* Adds up how many of the job there are with this status. */
static size_t count_listed(struct world *w, const char *status)
{
    const struct ctl answer = ctl(w, "--json", "list", "-J", "5", "-s", status);
    json_t *tasks = json_loads(answer.out, 0, NULL);
    const size_t len = json_array_size(tasks);

    cr_assert_eq(answer.status, 0, "%s", answer.err);
    json_decref(tasks);
    return len;
}

static void cancel_crowd(struct world *w)
{
    struct asker *asker = asker_open(w->head_socket);
    int status;
    json_t *answer = asker_post(asker, "/v1/jobs/5/cancel",
                                "{\"message\": \"the whole crowd\", \"grace_ms\": 0}", &status);

    cr_assert_eq(status, 200, "%s", dump(w, answer));
    cr_assert_eq(json_array_size(at(answer, "tasks")), LONG);
    cr_assert_eq(json_array_size(at(answer, "refused")), 0);
    json_decref(answer);
    asker_close(asker);
}

static void assert_outcome(struct world *w, int i)
{
    const json_t *task = task_wait(w, keepf(w, "5.%d", i));

    if (IS_LONG(i)) {
        assert_text(w, task, "status", "TaskStatus_Cancelled");
        assert_text(w, task, "error_message", "the whole crowd");
        assert_text(w, task, "proof.method", kill_method());
        assert_number(w, task, "proof.processes_at_kill", 1);
        assert_number(w, task, "proof.escaped", 0);
        cr_assert_gt(number_at(task, "proof.cgroup_inode"), 0);
        return;
    }
    assert_text(w, task, "status", EXIT_CODE(i) ? "TaskStatus_Failed" : "TaskStatus_Finished");
    assert_number(w, task, "exit_code", EXIT_CODE(i));
    assert_text(w, task, "proof.method", "exited");
    assert_null(w, task, "cancelled_by");
}

/* False: somebody had to wait for an answer. */
static bool play(void)
{
    static const char *const of_head[] = {"/v1/tasks?limit=100",
                                          "/v1/tasks/5.600",
                                          "/healthz",
                                          "/v1/tasks?limit=100&job_id=5&status=Running",
                                          "/v1/nodes",
                                          NULL};
    static const char *const of_agent[] = {"/v1/tasks?limit=100", "/v1/tasks/5.600", "/healthz",
                                           "/v1/node", NULL};
    struct world *w = world_open(1);
    struct prober head, agent, floor;
    double floor_ms;
    bool in_time;

    prober_start_floor(&floor, w->dir);
    prober_start(&head, w->head_socket, of_head);
    prober_start(&agent, w->agents[0].socket, of_agent);
    submit_crowd(w);
    await_crowd(w);
    cr_assert_eq(count_listed(w, "Running"), LONG);
    cr_assert_eq(survivors(w, NULL), LONG);
    cancel_crowd(w);
    for (int i = 1; i <= TASKS; i++)
        assert_outcome(w, i);
    cr_assert_eq(survivors(w, NULL), 0);
    cr_assert_eq(count_listed(w, "Cancelled"), LONG);
    cr_assert_eq(count_listed(w, "Finished") + count_listed(w, "Failed"), TASKS - LONG);
    floor_ms = prober_finish_floor(&floor);
    in_time = prober_finish(&head, "head", floor_ms);
    return prober_finish(&agent, "agent", floor_ms) && in_time;
}

Test(crowd, a_job_of_1200_is_listed_and_cancelled_and_nobody_waits_for_an_answer)
{
    for (int round = 0; round < PROBER_ROUNDS; round++)
        if (play())
            return;
    cr_assert_fail("an answer took more than %.0f ms in each round", PROBER_LIMIT_MS);
}
