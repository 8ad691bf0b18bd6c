/* Supervisors and agents die or hang while a task hangs, escapes or leaves half of itself behind:
 * its end is never invented, and a cancel always reaches all of it. */
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(hostile, .fini = worlds_close, .timeout = 120);

#define TAKEN_OVER "a new supervisor has taken over"

/* ---- processes ---- */

static int pidfd_of(pid_t pid)
{
    const int pidfd = pidfd_open(pid, 0);

    cr_assert_geq(pidfd, 0, "pidfd_open %d: %s", (int) pid, strerror(errno));
    return pidfd;
}

static void kill_supervisor(const struct agent *agent)
{
    const int pidfd = pidfd_of(supervisor_pid(agent));

    cr_assert_eq(pidfd_send_signal(pidfd, SIGKILL, NULL, 0), 0);
    cr_assert_eq(wait_readable(pidfd), 0);
    (void) close(pidfd);
}

/* With all its threads, now. Before exec, or without its main thread, it has no environment by
   which survivors() could find it. */
static void assert_gone(int pidfd, const char *what)
{
    struct pollfd event = {.fd = pidfd, .events = POLLIN};

    cr_assert_eq(poll(&event, 1, 0), 1, "%s is alive", what);
    (void) close(pidfd);
}

static int count(const char *text, const char *part)
{
    int found = 0;

    for (const char *p = strstr(text, part); p; p = strstr(p + 1, part))
        found++;
    return found;
}

/* ---- a task that hangs in the opening of its stdin ---- */

static const char *attempt_dir(struct world *w)
{
    const char *path = NULL;
    glob_t found;

    if (glob(path_in(w, "n1.state/attempts/*"), 0, NULL, &found) == 0) {
        cr_assert_eq(found.gl_pathc, 1, "%zu attempts", found.gl_pathc);
        path = keep(w, found.gl_pathv[0]);
        globfree(&found);
    }
    return path;
}

/* Waits until the world's only attempt has this record. */
static void await_record(struct world *w, const char *record)
{
    const int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    char events[4096];

    cr_assert_geq(fd, 0);
    cr_assert_geq(inotify_add_watch(fd, path_in(w, "n1.state/attempts"), IN_CREATE | IN_MOVED_TO),
                  0);
    for (;;) {
        const char *dir = attempt_dir(w);

        if (dir) {
            (void) inotify_add_watch(fd, dir, IN_CREATE | IN_MOVED_TO);
            if (file_exists(keepf(w, "%s/%s", dir, record)))
                break;
        }
        cr_assert_eq(wait_readable(fd), 0, "no record %s comes", record);
        (void) !read(fd, events, sizeof(events));
    }
    (void) close(fd);
}

/* The one process in the task's group. */
static pid_t only_process(struct world *w, const char *task)
{
    const char *pattern = keepf(w, "%s/%s.*/cgroup.procs", w->agents[0].group, task);
    const char *procs;
    glob_t found;
    char *rest;
    pid_t pid;

    cr_assert_eq(glob(pattern, 0, NULL, &found), 0, "nothing is %s", pattern);
    cr_assert_eq(found.gl_pathc, 1);
    procs = file_text(w, found.gl_pathv[0]);
    globfree(&found);
    pid = (pid_t) strtol(procs, &rest, 10);
    cr_assert(pid > 0 && strcmp(rest, "\n") == 0, "the group has \"%s\"", procs);
    return pid;
}

/* Nobody opens the other side of its stdin, the FIFO "stdin". */
static const char *submit_hanging(struct world *w, const char *program, int *ret_pidfd)
{
    const char *fifo = path_in(w, "stdin");
    const char *id;

    cr_assert_eq(mkfifo(fifo, 0666), 0);
    cr_assert_eq(chmod(fifo, 0666), 0);
    id = submit(w, "--stdin", fifo, "--", program);
    await_record(w, "started");
    *ret_pidfd = pidfd_of(only_process(w, id));
    return id;
}

enum loss { LOSS_SUPERVISOR, LOSS_SUPERVISOR_THEN_AGENT, LOSS_AGENT_THEN_SUPERVISOR };

static void lose(struct agent *agent, enum loss loss)
{
    if (loss == LOSS_AGENT_THEN_SUPERVISOR)
        program_kill(&agent->program);
    kill_supervisor(agent);
    if (loss != LOSS_AGENT_THEN_SUPERVISOR)
        program_await(&agent->program, TAKEN_OVER);
    if (loss == LOSS_SUPERVISOR_THEN_AGENT)
        program_kill(&agent->program);
    if (loss != LOSS_SUPERVISOR)
        agent_start(agent);
}

static void assert_cancel_ends_what_hangs(enum loss loss)
{
    struct world *w = world_open(1);
    int child;
    const char *id = submit_hanging(w, "/bin/cat", &child);
    struct ctl answer;

    lose(&w->agents[0], loss);
    answer = ctl(w, "cancel", id, "-m", "hangs", "--grace", "0", "--wait");
    cr_assert_eq(answer.status, 5, "exit status %d: %s%s", answer.status, answer.out, answer.err);
    assert_cancelled(w, id, "hangs", "cgroup_kill");
    assert_gone(child, "what hung in open");
    group_await_removal(&w->agents[0], id);
}

Test(hostile, a_task_that_hangs_in_open_without_its_supervisor_is_ended)
{
    assert_cancel_ends_what_hangs(LOSS_SUPERVISOR);
}

Test(hostile, a_task_that_hangs_in_open_without_its_supervisor_is_ended_by_the_next_agent)
{
    assert_cancel_ends_what_hangs(LOSS_SUPERVISOR_THEN_AGENT);
}

Test(hostile, a_task_that_hangs_in_open_and_whose_supervisor_died_unseen_is_ended)
{
    assert_cancel_ends_what_hangs(LOSS_AGENT_THEN_SUPERVISOR);
}

static void assert_no_exit_code_is_invented(enum loss loss)
{
    struct world *w = world_open(1);
    int child, fifo;
    const char *id = submit_hanging(w, "/no/such/program", &child);
    const json_t *task;

    lose(&w->agents[0], loss);
    fifo = open(path_in(w, "stdin"), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    cr_assert_geq(fifo, 0);
    task = task_wait(w, id);
    assert_text(w, task, "status", "TaskStatus_Failed");
    assert_text(w, task, "cause", "unknown");
    assert_null(w, task, "exit_code");
    assert_null(w, task, "signal");
    assert_gone(child, "the child");
    (void) close(fifo);
}

Test(hostile, a_failed_exec_that_no_supervisor_hears_of_is_no_exit_code)
{
    assert_no_exit_code_is_invented(LOSS_SUPERVISOR);
}

Test(hostile, a_failed_exec_that_no_supervisor_hears_of_is_no_exit_code_to_the_next_agent)
{
    assert_no_exit_code_is_invented(LOSS_AGENT_THEN_SUPERVISOR);
}

/* ---- a task of root that leaves its group ---- */

static struct world *world_with_root(void)
{
    struct world *w = world_make("[tasks]\nallow_root = yes\n");

    head_start(w);
    agent_start(&w->agents[0]);
    return w;
}

/* Beside the agent's own, in the hierarchy that counts; the janitor removes it. */
static const char *group_outside(struct world *w)
{
    const char *own = w->agents[0].group, *name = strrchr(own, '/') + 1;
    const char *outside = keepf(w, "%.*s%s-outside", (int) (name - own), own, name);

    janitor_note_group(&w->janitor, strrchr(outside, '/') + 1);
    cr_assert_eq(mkdir(outside, 0755), 0, "%s: %s", outside, strerror(errno));
    return outside;
}

/* The escaper, with @who outside its group; @ret_pidfd: of that one. */
static const char *submit_escaper(struct world *w, const char *who, int *ret_pidfd)
{
    const char *outside = group_outside(w);
    const char *procs = keepf(w, "%s/cgroup.procs", outside);
    const int out = fifo_in(w, "out");
    const char *const words[] = {"--stdout", path_in(w, "out"),        "--stderr", "/dev/null",
                                 "--",       program_in(w, "escaper"), who,        procs,
                                 NULL};
    const char *id = submit_words(w, "n1", "root", words);
    pid_t pid;

    cr_assert_eq(wait_readable(out), 0, "nobody is outside");
    pid = (pid_t) strtol(file_text(w, procs), NULL, 10);
    cr_assert_gt(pid, 0);
    fifo_expect(out, keepf(w, "out %d", (int) pid));
    (void) close(out);
    *ret_pidfd = pidfd_of(pid);
    return id;
}

Test(hostile, what_escaped_and_lost_its_main_thread_is_still_found_and_ended)
{
    struct world *w = world_with_root();
    int escaped;
    const char *id = submit_escaper(w, "child", &escaped);

    cancel(w, id, "-m", "come back", "--grace", "0");
    assert_cancelled(w, id, "come back", "cgroup_kill");
    assert_gone(escaped, "what escaped");
    assert_number(w, task_show(w, id), "proof.escaped", 1);
}

/* The kernel's cgroup.kill queues SIGKILL at the main thread alone, where nobody takes it. */
Test(hostile, a_task_whose_main_thread_has_ended_is_killed_inside_its_group)
{
    struct world *w = world_open(1);
    const int out = fifo_in(w, "out");
    const char *id =
        submit(w, "--stdout", path_in(w, "out"), "--", program_in(w, "escaper"), "thread", "none");
    pid_t pid;
    int pidfd;

    cr_assert_eq(wait_readable(out), 0);
    pid = only_process(w, id);
    pidfd = pidfd_of(pid);
    fifo_expect(out, keepf(w, "out %d", (int) pid));
    cancel(w, id, "-m", "headless", "--grace", "0");
    assert_cancelled(w, id, "headless", "cgroup_kill");
    assert_gone(pidfd, "what lost its main thread");
}

Test(hostile, a_leader_outside_its_group_is_ended_by_a_successor)
{
    struct world *w = world_with_root();
    int escaped;
    const char *id = submit_escaper(w, "leader", &escaped);

    kill_supervisor(&w->agents[0]);
    program_await(&w->agents[0].program, TAKEN_OVER);
    assert_text(w, task_show(w, id), "status", "TaskStatus_Running");
    cancel(w, id, "-m", "come back", "--grace", "0");
    assert_cancelled(w, id, "come back", "cgroup_kill");
    assert_gone(escaped, "the leader");
}

/* ---- supervisors that answer nobody, or have nothing to say ---- */

#define RESTARTS 7 /* more than a short queue of connections holds */

Test(hostile, a_stopped_supervisor_is_not_taken_for_gone)
{
    struct world *w = world_open(1);
    struct agent *agent = &w->agents[0];
    const char *id = submit_fighter(w, "n1", 3);
    const int supervisor = pidfd_of(supervisor_pid(agent));

    cr_assert_eq(pidfd_send_signal(supervisor, SIGSTOP, NULL, 0), 0);
    for (int i = 0; i < RESTARTS; i++) {
        program_kill(&agent->program);
        agent_start(agent);
    }
    assert_text(w, task_show(w, id), "status", "TaskStatus_Running");
    cr_assert_eq(survivors(w, id), 3);
    cr_assert_eq(pidfd_send_signal(supervisor, SIGCONT, NULL, 0), 0);
    (void) close(supervisor);
    cancel(w, id, "-m", "awake", "--grace", "0");
    assert_cancelled(w, id, "awake", "cgroup_kill");
    assert_number(w, task_show(w, id), "proof.escaped", 0); /* a successor could not tell */
    cr_assert_eq(count(program_log(&agent->program), TAKEN_OVER), 0);
}

Test(hostile, an_ending_that_cannot_be_read_ends_nothing_and_wakes_no_herd_of_supervisors)
{
    struct world *w = world_open(1);
    struct agent *agent = &w->agents[0];
    const char *id = submit_fighter(w, "n1", 3);
    const char *log;

    (void) file_in(w, keepf(w, "%s/ending", attempt_dir(w) + strlen(w->dir) + 1), "");
    kill_supervisor(agent);
    program_await(&agent->program, "is left alone");
    for (int i = 0; i < 3; i++)
        assert_text(w, task_wait(w, submit(w, "--", "true")), "status", "TaskStatus_Finished");
    assert_text(w, task_show(w, id), "status", "TaskStatus_Running");
    cr_assert_eq(survivors(w, id), 3);
    log = program_log(&agent->program);
    cr_assert_leq(count(log, TAKEN_OVER), 3, "%s", log);
    cr_assert_leq(count(log, "is left alone"), 3, "%s", log);
    cr_assert_leq(count(log, "its supervisor is gone"), 3, "%s", log);
}
