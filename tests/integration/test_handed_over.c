/* A group that somebody else made is handed to the agent: watched, cancelled and proved like a task
 * of its own, with no process moved and the group left to its maker. Here the test is the maker. */
#include "tests/integration/await.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(handed_over, .fini = worlds_close, .timeout = 120);

#define MESSAGE    "handed back"
#define NOT_PARENT "Quell was not the parent"

struct given { /* a group of the test's own, with one process of it inside */
    const char *dir;
    const char *path; /* as /proc/PID/cgroup shows it */
    pid_t pid;
    int ready; /* its standard output */
};

/* Beside the agent's own. */
static const char *group_make(struct world *w, const char *name)
{
    const char *own = w->agents[0].group;
    const char *full = keepf(w, "%s-%s", strrchr(w->dir, '/') + 1, name);
    const char *dir = keepf(w, "%.*s/%s", (int) (strrchr(own, '/') - own), own, full);

    janitor_note_group(&w->janitor, full);
    cr_assert_eq(mkdir(dir, 0755), 0, "%s: %s", dir, strerror(errno));
    return dir;
}

static const char *group_of(struct world *w, pid_t pid)
{
    const char *hierarchy = world_is_v1() ? ":freezer:" : "0::";
    char *text = strstr(file_text(w, keepf(w, "/proc/%d/cgroup", (int) pid)), hierarchy);

    cr_assert_not_null(text);
    text += strlen(hierarchy);
    return keepf(w, "%.*s", (int) strcspn(text, "\n"), text);
}

/* A child of the test in group @dir; its output goes to the FIFO @out. */
static pid_t process_in(struct world *w, const char *dir, const char *out, const char *const *argv)
{
    const char *procs = keepf(w, "%s/cgroup.procs", dir);
    pid_t pid;

    (void) fflush(NULL);
    pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        FILE *file = fopen(procs, "we");

        if (!file || fputs("0", file) < 0 || fclose(file) != 0 || putenv((char *) w->mark) != 0 ||
            dup2(open(out, O_WRONLY | O_CLOEXEC), STDOUT_FILENO) < 0)
            _exit(126);
        (void) execv(argv[0], (char *const *) argv);
        _exit(127);
    }
    return pid;
}

static struct given give_words(struct world *w, const char *name, const char *const *argv)
{
    const char *out = keepf(w, "%s.out", name);
    struct given given = {.dir = group_make(w, name), .ready = fifo_in(w, out)};

    given.pid = process_in(w, given.dir, path_in(w, out), argv);
    return given;
}

/* When it has said @line it is in its group. */
static void given_await(struct world *w, struct given *given, const char *line)
{
    fifo_expect(given->ready, line);
    (void) close(given->ready);
    given->path = group_of(w, given->pid);
}

static struct given give_fighter(struct world *w, const char *name, int processes)
{
    struct given given = give_words(
        w, name, (const char *const[]){program_in(w, "fighter"), keepf(w, "%d", processes), NULL});

    given_await(w, &given, keepf(w, "ready %d", processes));
    return given;
}

static struct given give_actor(struct world *w, const char *name, const char *word,
                               const char *next)
{
    struct given given = give_words(
        w, name,
        (const char *const[]){program_in(w, "actor"), word, "say=ready", next, "exit=3", NULL});

    given_await(w, &given, "ready");
    return given;
}

static const char *hand_over(struct world *w, const char *path)
{
    const struct ctl answer = ctl(w, "submit", "-n", "n1", "--user", "nobody", "--cgroup", path);

    cr_assert_eq(answer.status, 0, "submit: %s", answer.err);
    return keepf(w, "%.*s", (int) strcspn(answer.out, "\n"), answer.out);
}

static const char *hand_over_running(struct world *w, const char *path)
{
    const char *id = hand_over(w, path);

    await_status(w, id, 0, "TaskStatus_Running");
    return id;
}

static void assert_empty_and_there(struct world *w, const char *dir)
{
    if (!world_is_v1())
        assert_has(file_text(w, keepf(w, "%s/cgroup.events", dir)), "populated 0");
    cr_assert_str_eq(file_text(w, keepf(w, "%s/cgroup.procs", dir)), "");
}

/* Cancelled with the whole proof of a group that is not Quell's, and nothing in it lives. */
static void assert_ended(struct world *w, const char *id, const struct given *given,
                         const char *method)
{
    const json_t *task = task_wait(w, id);
    struct stat st;

    assert_text(w, task, "status", "TaskStatus_Cancelled");
    assert_text(w, task, "error_message", MESSAGE);
    assert_text(w, task, "cause", "cancelled");
    assert_null(w, task, "exit_code");
    assert_null(w, task, "signal");
    assert_text(w, task, "proof.method", method);
    assert_null(w, task, "proof.escaped");
    assert_null(w, task, "proof.us.reaped");
    assert_number(w, task, "proof.us.received", 0);
    cr_assert(!null_at(task, "proof.us.empty"), "%s", dump(w, task));
    /* On v1 the CPU's counters are another hierarchy's, and nobody knows the group's there. */
    cr_assert_eq(null_at(task, "usage.cpu_us"), world_is_v1(), "%s", dump(w, task));
    cr_assert_eq(stat(given->dir, &st), 0, "%s: %s", given->dir, strerror(errno));
    assert_number(w, task, "proof.cgroup_inode", (int64_t) st.st_ino);
    assert_empty_and_there(w, given->dir);
    cr_assert_eq(survivors(w, NULL), 0);
}

static int wait_status(pid_t pid)
{
    int status = -1;

    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return status;
}

Test(handed_over, a_group_runs_at_once_and_ends_by_itself_as_finished_without_an_exit_code)
{
    struct world *w = world_open(1);
    const int go = fifo_in(w, "go");
    struct given given = give_actor(w, "a", "on-term=0", keepf(w, "read=%s", path_in(w, "go")));
    const char *id;
    const json_t *task;

    id = hand_over_running(w, given.path);
    task = task_show(w, id);
    assert_text(w, task, "cgroup", given.path);
    cr_assert_eq(json_array_size(at(task, "command")), 0);
    assert_text(w, task, "user", "nobody");
    cr_assert(json_is_false(at(task, "rerunnable")));
    cr_assert(!null_at(task, "start_time"));
    cr_assert_str_eq(group_of(w, given.pid), given.path, "it was moved");
    assert_has(ctl(w, "show", id).out, given.path);
    assert_has(ctl(w, "--agent", w->agents[0].socket, "ps", id).out, "actor");
    cr_assert_eq(write(go, "go\n", 3), 3);
    cr_assert_eq(WEXITSTATUS(wait_status(given.pid)), 3);
    task = task_wait(w, id);
    assert_text(w, task, "status", "TaskStatus_Finished");
    assert_null(w, task, "exit_code");
    assert_null(w, task, "signal");
    assert_null(w, task, "cause");
    assert_has(text_at(task, "error_message"), NOT_PARENT);
    assert_text(w, task, "proof.method", "exited");
    assert_null(w, task, "proof.us.received");
    assert_null(w, task, "proof.escaped");
    assert_empty_and_there(w, given.dir);
    cr_assert_eq(rmdir(given.dir), 0, "its maker can't remove it: %s", strerror(errno));
}

Test(handed_over, a_cancel_sends_sigterm_and_waits_for_the_group_to_be_empty)
{
    struct world *w = world_open(1);
    struct given given = give_actor(w, "a", "on-term=5", "hold");
    const char *id = hand_over_running(w, given.path);

    cancel(w, id, "-m", MESSAGE, "--grace", "60s");
    assert_ended(w, id, &given, "exited_in_grace");
    cr_assert_eq(WEXITSTATUS(wait_status(given.pid)), 5);
    assert_number(w, task_show(w, id), "proof.signals_sent", 1);
}

Test(handed_over, a_cancel_without_grace_kills_all_that_is_inside_and_below)
{
    struct world *w = world_open(1);
    struct given given = give_fighter(w, "a", 20);
    const char *below = keepf(w, "%s/below", given.dir);
    const int ready = fifo_in(w, "below.out");
    const char *id;

    cr_assert_eq(mkdir(below, 0755), 0);
    (void) process_in(w, below, path_in(w, "below.out"),
                      (const char *const[]){program_in(w, "fighter"), "5", NULL});
    fifo_expect(ready, "ready 5");
    id = hand_over_running(w, given.path);
    cancel(w, id, "-m", MESSAGE, "--grace", "0");
    assert_ended(w, id, &given, kill_method());
    assert_number(w, task_show(w, id), "proof.processes_at_kill", 25);
    assert_empty_and_there(w, below);
    cr_assert_eq(WTERMSIG(wait_status(given.pid)), SIGKILL);
}

Test(handed_over, when_its_grace_is_over_what_ignores_sigterm_is_killed)
{
    struct world *w = world_open(1);
    struct given given = give_fighter(w, "a", 3);
    const char *id = hand_over_running(w, given.path);

    cancel(w, id, "-m", MESSAGE, "--grace", "100ms");
    assert_ended(w, id, &given, kill_method());
    cr_assert_geq(number_at(task_show(w, id), "proof.us.kill"), 100000);
}

Test(handed_over, a_time_limit_counts_from_the_hand_over)
{
    struct world *w = world_open(1);
    struct given given = give_fighter(w, "a", 2);
    const struct ctl answer = ctl(w, "submit", "-n", "n1", "--cgroup", given.path, "--runtime",
                                  "100ms", "--grace", "0", "--wait");

    cr_assert_eq(answer.status, 4, "%s", answer.err);
    assert_failed(w, task_show(w, keepf(w, "%.*s", (int) strcspn(answer.out, "\n"), answer.out)),
                  "time_limit", (const char *const[]){"its time limit of 0.100 s", NULL});
    assert_empty_and_there(w, given.dir);
}

Test(handed_over, agent_and_supervisor_may_be_killed_at_any_moment)
{
    struct world *w = world_open(1);
    struct agent *agent = &w->agents[0];
    struct given given = give_fighter(w, "a", 4);
    const char *id = hand_over_running(w, given.path);

    program_kill(&agent->program);
    agent_start(agent);
    cr_assert_eq(kill(supervisor_pid(agent), SIGKILL), 0);
    program_await(&agent->program, "a new supervisor has taken over");
    cr_assert_str_eq(group_of(w, given.pid), given.path, "it was moved");
    cancel(w, id, "-m", MESSAGE, "--grace", "3s");
    program_await(&agent->program, "cancel accepted");
    program_kill(&agent->program);
    cr_assert_eq(kill(supervisor_pid(agent), SIGKILL), 0);
    agent_start(agent);
    assert_ended(w, id, &given, kill_method());
    assert_number(w, task_show(w, id), "proof.processes_at_kill", 4);
}

Test(handed_over, a_group_that_ends_while_nobody_watches_is_finished)
{
    struct world *w = world_open(1);
    struct agent *agent = &w->agents[0];
    struct given given = give_fighter(w, "a", 1);
    const char *id = hand_over_running(w, given.path);
    const pid_t supervisor = supervisor_pid(agent);
    const json_t *task;

    program_kill(&agent->program);
    cr_assert_eq(kill(supervisor, SIGKILL), 0);
    cr_assert_eq(kill(given.pid, SIGKILL), 0);
    (void) wait_status(given.pid);
    agent_start(agent);
    task = task_wait(w, id);
    assert_text(w, task, "status", "TaskStatus_Finished");
    assert_has(text_at(task, "error_message"), NOT_PARENT);
}

Test(handed_over, another_group_that_has_the_name_by_now_is_left_alone)
{
    struct world *w = world_open(1);
    struct agent *agent = &w->agents[0];
    struct given given = give_fighter(w, "a", 1);
    const char *id = hand_over_running(w, given.path);
    const int ready = fifo_in(w, "second.out");
    pid_t second;

    program_kill(&agent->program);
    cr_assert_eq(kill(supervisor_pid(agent), SIGKILL), 0);
    cr_assert_eq(kill(given.pid, SIGKILL), 0);
    (void) wait_status(given.pid);
    cr_assert_eq(rmdir(given.dir), 0, "%s", strerror(errno));
    cr_assert_eq(mkdir(given.dir, 0755), 0);
    second = process_in(w, given.dir, path_in(w, "second.out"),
                        (const char *const[]){program_in(w, "fighter"), "1", NULL});
    fifo_expect(ready, "ready 1");
    cancel(w, id, "-m", MESSAGE, "--grace", "0");
    agent_start(agent);
    assert_text(w, task_wait(w, id), "status", "TaskStatus_Cancelled");
    assert_null(w, task_show(w, id), "proof");
    cr_assert_eq(waitpid(second, NULL, WNOHANG), 0, "it was killed");
}

/* A head without a session with the node, so that it knows that the node can't have the start. */
Test(handed_over, a_cancel_that_is_there_before_the_hand_over_ends_the_group_all_the_same)
{
    struct world *w = world_open(1);
    struct given given = give_fighter(w, "a", 3);
    const char *id;

    program_end(&w->agents[0].program);
    program_end(&w->head);
    head_start(w);
    id = hand_over(w, given.path);
    cancel(w, id, "-m", MESSAGE, "--grace", "0");
    assert_text(w, task_show(w, id), "status", "TaskStatus_Queued");
    cr_assert_eq(survivors(w, NULL), 3);
    agent_start(&w->agents[0]);
    assert_ended(w, id, &given, kill_method());
}

Test(handed_over, a_cancel_right_behind_the_hand_over_never_leaves_anybody_alive)
{
    struct world *w = world_open(1);

    for (int row = 0; row < 10; row++) {
        struct given given = give_fighter(w, keepf(w, "row-%d", row), 3);
        const char *id = hand_over(w, given.path);

        cancel(w, id, "-m", MESSAGE, "--grace", "0");
        assert_ended(w, id, &given, kill_method());
    }
}

Test(handed_over, an_agent_that_is_killed_between_the_hand_over_and_the_cancels_end_loses_nothing)
{
    struct world *w = world_open(1);

    for (int row = 0; row < 10; row++) {
        struct given given = give_fighter(w, keepf(w, "row-%d", row), 3);
        const char *id;

        if (row % 2) { /* it gets both with its first answer */
            program_kill(&w->agents[0].program);
            id = hand_over(w, given.path);
            cancel(w, id, "-m", MESSAGE, "--grace", "0");
            agent_launch(&w->agents[0]);
            program_await(&w->agents[0].program, "cancel accepted");
        } else {
            id = hand_over(w, given.path);
            cancel(w, id, "-m", MESSAGE, "--grace", "0");
        }
        program_kill(&w->agents[0].program);
        agent_start(&w->agents[0]);
        assert_ended(w, id, &given, kill_method());
    }
}

Test(handed_over, a_node_without_room_for_more_tasks_takes_a_group_all_the_same)
{
    struct world *w = world_make("[tasks]\nmax_running = 1\n");
    struct given given;
    const char *id, *waiting;

    head_start(w);
    agent_start(&w->agents[0]);
    given = give_actor(w, "a", "on-term=0", "hold");
    (void) hand_over_running(w, given.path);
    (void) submit_fighter(w, "n1", 1); /* a group takes no place */
    waiting = submit(w, "--", "/bin/true");
    given = give_actor(w, "b", "on-term=0", "hold");
    id = hand_over_running(w, given.path);
    assert_text(w, task_show(w, waiting), "status", "TaskStatus_Queued");
    cancel(w, id, "--grace", "0");
    assert_text(w, task_wait(w, id), "status", "TaskStatus_Cancelled");
}

static void assert_refused(struct ctl answer, const char *number, const char *part)
{
    cr_assert_eq(answer.status, 1, "%d %s", answer.status, answer.err);
    assert_has(answer.err, number);
    assert_has(answer.err, part);
}

#define HAND(w, ...) ctl((w), "submit", "-n", "n1", __VA_ARGS__)

Test(handed_over, what_makes_no_sense_is_refused_at_the_head)
{
    static const char *const paths[] = {"", "/", "a", "/a/", "//a", "/a/../b", "/.", "/a//b"};
    struct world *w = world_open(1);
    struct given given = give_fighter(w, "a", 1);
    const char *id;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        assert_refused(HAND(w, "--cgroup", paths[i]), "0x80070057", "cgroup");
    assert_refused(HAND(w, "--cgroup", "/a", "--memory", "1M"), "0x80070057", "memory");
    assert_refused(HAND(w, "--cgroup", "/a", "--workdir", "/"), "0x80070057", "workdir");
    cr_assert_eq(HAND(w, "--cgroup", "/a", "--", "true").status, 2);
    assert_refused(ctl_as(w, 65534, "submit", "-n", "n1", "--cgroup", given.path), "0x80070005",
                   "operators");
    id = hand_over_running(w, given.path);
    assert_refused(ctl(w, "requeue", id), "0x80040612", id);
    /* Its owner may act on it. */
    cr_assert_eq(ctl_as(w, 65534, "cancel", id, "--grace", "0").status, 0);
    assert_text(w, task_wait(w, id), "status", "TaskStatus_Cancelled");
    assert_refused(ctl(w, "requeue", id), "0x80040612", id);
}

static void assert_could_not_start(struct world *w, const char *path, const char *part)
{
    const json_t *task = task_wait(w, hand_over(w, path));

    assert_failed(w, task, "could_not_start", (const char *const[]){path, part, NULL});
    assert_text(w, task, "proof.method", "never_started");
}

Test(handed_over, a_node_refuses_a_group_that_is_not_there_or_holds_quell_itself)
{
    struct world *w = world_open(1);
    struct agent *agent = &w->agents[0];
    const char *dir = group_make(w, "outer");
    const char *inner = keepf(w, "%s/inner", dir), *outer_path, *own;
    const char *const wrapper[] = {"/bin/sh", "-c", "echo 0 > \"$0\"/cgroup.procs && exec \"$@\"",
                                   inner, NULL};

    program_end(&agent->program);
    cr_assert_eq(mkdir(inner, 0755), 0);
    agent->wrapper = wrapper;
    agent->group[0] = '\0';
    agent_start(agent);
    own = group_of(w, agent->program.pid); /* or on v2 a leaf below it */
    outer_path = keepf(w, "%.*s", (int) (strstr(own, "/inner") - own), own);
    own = keepf(w, "%s/inner", outer_path);
    assert_could_not_start(w, keepf(w, "%s/nothing", outer_path), "there is no group");
    assert_could_not_start(w, outer_path, "the agent itself");
    assert_could_not_start(w, own, "the agent itself");
    assert_could_not_start(w, keepf(w, "%s/%s", own, strrchr(agent->group, '/') + 1),
                           "one of Quell's own");
    assert_could_not_start(w, keepf(w, "%s/%s/supervisors", own, strrchr(agent->group, '/') + 1),
                           "one of Quell's own");
}
