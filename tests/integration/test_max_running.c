/* [tasks] max_running: what does not fit stays Queued, in the order in which it came. */
#include "tests/integration/asker.h"
#include "tests/integration/stream.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(max_running, .fini = worlds_close, .timeout = 240);

#define TASKS_MAX 16

/* Tasks of job 1, in the order of their submission; each ends when it is let go. */
struct queue {
    struct world *world;
    struct stream *events; /* of the agent */
    const char *tasks[TASKS_MAX + 1];
    int go[TASKS_MAX + 1];
    bool has_come[TASKS_MAX + 1]; /* as the events say, here and below */
    bool runs[TASKS_MAX + 1];
    int len;
    int limit;
};

static int queue_running(const struct queue *q)
{
    int count = 0;

    for (int n = 1; n <= q->len; n++)
        count += q->runs[n];
    return count;
}

static struct queue queue_open(int limit)
{
    struct world *w;
    char config[64];

    (void) snprintf(config, sizeof(config), "[tasks]\nmax_running = %d\n", limit);
    w = world_make(config);
    head_start(w);
    agent_start(&w->agents[0]);
    return (struct queue){
        .world = w, .limit = limit, .events = stream_open(w->agents[0].socket, "/v1/events", NULL)};
}

static void queue_submit(struct queue *q, int count)
{
    for (int i = 0; i < count; i++) {
        const int n = ++q->len;
        const char *go = keepf(q->world, "go-%d", n);

        q->go[n] = fifo_in(q->world, go);
        q->tasks[n] = submit(q->world, "-J", "1", "-T", keepf(q->world, "%d", n), "--",
                             program_in(q->world, "actor"),
                             keepf(q->world, "read=%s", path_in(q->world, go)));
    }
}

static void queue_let_go(struct queue *q, int n)
{
    cr_assert_eq(write(q->go[n], "go\n", 3), 3);
}

/* Reads an event and notes what it says. Returns the number of its task. */
static int queue_read(struct queue *q, const char **ret_status)
{
    struct stream_event event;
    int n;

    cr_assert(stream_next(q->events, &event));
    cr_assert_str_eq(event.name, "", "%s", dump(q->world, event.data));
    n = (int) number_at(event.data, "task_id");
    *ret_status = keep(q->world, text_at(event.data, "status") + strlen("TaskStatus_"));
    if (strcmp(*ret_status, "Queued") == 0)
        q->has_come[n] = true;
    else if (strcmp(*ret_status, "Running") == 0)
        q->runs[n] = true;
    else
        q->runs[n] = false;
    return n;
}

/* The next event must be this one of the n-th task; that others have come is passed over. */
static void queue_expect(struct queue *q, int n, const char *status)
{
    const char *got;
    int of;

    do
        of = queue_read(q, &got);
    while (strcmp(got, "Queued") == 0);
    cr_assert(of == n && strcmp(got, status) == 0, "task %d is %s, not task %d %s", of, got, n,
              status);
    cr_assert_leq(queue_running(q), q->limit);
}

/* All have come, and as many run as may. */
static void queue_await_arrival(struct queue *q)
{
    const char *status;

    while (!q->has_come[q->len] || queue_running(q) < q->limit)
        (void) queue_read(q, &status);
    cr_assert_eq(survivors(q->world, NULL), q->limit);
}

static json_t *ask(struct world *w, const char *path)
{
    struct asker *asker = asker_open(w->agents[0].socket);
    json_t *json = keep_json(w, asker_get(asker, path, NULL));

    asker_close(asker);
    return json;
}

/* Reads the agent's events from the oldest on, until it says so. */
static void await_status(struct world *w, const char *task, const char *status)
{
    struct stream *events = stream_open(w->agents[0].socket, "/v1/events", NULL);
    struct stream_event event;

    do
        cr_assert(stream_next(events, &event));
    while (strcmp(text_at(event.data, "status"), status) != 0 ||
           strcmp(task, keepf(w, "%lld.%lld", (long long) number_at(event.data, "job_id"),
                              (long long) number_at(event.data, "task_id"))) != 0);
    stream_close(events);
}

static void assert_phase(struct queue *q, int n, const char *phase)
{
    assert_text(q->world, ask(q->world, keepf(q->world, "/v1/tasks/%s", q->tasks[n])), "phase",
                phase);
}

/* From the first of two that run on: one goes, the next comes. */
static void queue_run_down(struct queue *q, int first)
{
    for (int n = first; n <= q->len; n++) {
        queue_let_go(q, n);
        queue_expect(q, n, "Finished");
        if (n + 2 <= q->len)
            queue_expect(q, n + 2, "Running");
    }
}

static void queue_close(struct queue *q)
{
    stream_close(q->events);
    for (int n = 1; n <= q->len; n++)
        (void) close(q->go[n]);
}

Test(max_running, two_run_at_a_time_and_the_others_come_in_the_order_of_arrival)
{
    struct queue q = queue_open(2);
    struct world *w = q.world;
    const json_t *node;

    queue_submit(&q, 6);
    queue_await_arrival(&q);
    node = ask(w, "/v1/node");
    assert_number(w, node, "max_running", 2);
    assert_number(w, node, "tasks.running", 2);
    assert_number(w, node, "tasks.queued", 4);
    queue_run_down(&q, 1);
    for (int n = 1; n <= 6; n++)
        assert_text(w, task_wait(w, q.tasks[n]), "status", "TaskStatus_Finished");
    queue_close(&q);
}

Test(max_running, a_task_that_waits_can_be_cancelled_there_and_is_passed)
{
    struct queue q = queue_open(1);
    struct world *w = q.world;

    queue_submit(&q, 3);
    queue_await_arrival(&q);
    cancel(w, q.tasks[2], "-m", "not today");
    queue_expect(&q, 2, "Cancelled");
    assert_cancelled(w, q.tasks[2], "not today", "never_started");
    queue_let_go(&q, 1);
    queue_expect(&q, 1, "Finished");
    queue_expect(&q, 3, "Running");
    queue_let_go(&q, 3);
    queue_expect(&q, 3, "Finished");
    queue_close(&q);
}

Test(max_running, an_agent_that_is_killed_keeps_the_order_and_harms_none)
{
    struct queue q = queue_open(2);
    struct world *w = q.world;

    queue_submit(&q, 12);
    queue_await_arrival(&q);
    stream_close(q.events);
    program_kill(&w->agents[0].program);
    agent_start(&w->agents[0]);
    cr_assert_eq(survivors(w, NULL), 2, "who ran still runs, and nobody else");
    q.events = stream_open(w->agents[0].socket, "/v1/events", NULL);
    q.runs[1] = q.runs[2] = false;
    queue_await_arrival(&q); /* their supervisors have told the new agent */
    queue_run_down(&q, 1);
    queue_close(&q);
}

Test(max_running, more_than_the_limit_that_run_at_a_restart_go_on_and_none_starts)
{
    struct queue q = queue_open(3);
    struct world *w = q.world;

    queue_submit(&q, 4);
    queue_await_arrival(&q);
    stream_close(q.events);
    program_end(&w->agents[0].program);
    (void) file_in(w, "quelld.conf", "[tasks]\nmax_running = 1\n");
    agent_start(&w->agents[0]);
    cr_assert_eq(survivors(w, NULL), 3);
    q.events = stream_open(w->agents[0].socket, "/v1/events", NULL);
    for (int n = 1; n <= 2; n++) {
        queue_let_go(&q, n);
        (void) task_wait(w, q.tasks[n]);
        assert_phase(&q, 4, "queued");
    }
    queue_let_go(&q, 3);
    (void) task_wait(w, q.tasks[3]);
    queue_let_go(&q, 4);
    assert_text(w, task_wait(w, q.tasks[4]), "status", "TaskStatus_Finished");
    queue_close(&q);
}

/* ---- a look-up that hangs ---- */

/* An agent whose /etc/group is a FIFO: who looks a user up waits until somebody opens it to write.
 */
static struct world *world_with_slow_users(const char **ret_fifo)
{
    struct world *w = world_make("[tasks]\nmax_running = 1\n");
    static const char *wrapper[7] = {"unshare", "-m", "sh", "-c",
                                     "mount --bind \"$0\" /etc/group && exec \"$@\""};

    *ret_fifo = path_in(w, "group");
    cr_assert_eq(mkfifo(*ret_fifo, 0644), 0);
    wrapper[5] = *ret_fifo;
    w->agents[0].wrapper = wrapper;
    head_start(w);
    agent_start(&w->agents[0]);
    return w;
}

/* Waits for who reads it: there is no group. */
static void answer_lookup(const char *fifo)
{
    const int fd = open(fifo, O_WRONLY | O_CLOEXEC);

    cr_assert_geq(fd, 0);
    (void) close(fd);
}

Test(max_running, a_look_up_that_hangs_holds_no_place_and_delays_its_own_task_alone)
{
    const char *fifo, *first, *slow, *other;
    struct world *w = world_with_slow_users(&fifo);
    const int go = fifo_in(w, "go");
    const char *const waits[] = {"--", program_in(w, "actor"),
                                 keepf(w, "read=%s", path_in(w, "go")), NULL};

    first = submit(w, "--", "/bin/true");
    answer_lookup(fifo);
    assert_text(w, task_wait(w, first), "status", "TaskStatus_Finished");
    slow = submit_words(w, "n1", "daemon", (const char *const[]){"--", "/bin/true", NULL});
    other = submit_words(w, "n1", "nobody", waits);
    await_status(w, other, "TaskStatus_Running"); /* nobody is known, and passes */
    answer_lookup(fifo);
    assert_text(w, ask(w, keepf(w, "/v1/tasks/%s", slow)), "phase", "queued");
    cr_assert_eq(write(go, "go\n", 3), 3);
    assert_text(w, task_wait(w, other), "status", "TaskStatus_Finished");
    assert_text(w, task_wait(w, slow), "status", "TaskStatus_Finished");
    (void) close(go);
}

Test(max_running, without_the_key_there_is_no_limit_and_a_bad_value_is_refused)
{
    static const char *const bad[] = {"0", "-1", "many", "4294967296", ""};
    struct world *w = world_open(1);

    assert_null(w, ask(w, "/v1/node"), "max_running");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *config = file_in(
            w, "bad.conf",
            keepf(w, "[agent]\nhead = %s\n[tasks]\nmax_running = %s\n", w->head_url, bad[i]));
        const struct ctl answer = run(
            w, 0,
            (const char *const[]){bin(w, "quelld"), "--check-config", "--config", config, NULL});

        cr_assert_eq(answer.status, 1, "%s", bad[i]);
        assert_has(answer.err, keepf(w, "%s:4", config));
        assert_has(answer.err, "max_running");
    }
}
