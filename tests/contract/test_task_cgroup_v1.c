/*
 * What v1 alone has to be watched for: lists that are read one after the other, threads in
 * different groups, processes that are frozen by somebody else. On this machine's v1 hierarchies.
 */
#include "tests/contract/contract_task.h"

#include "base/clock.h"
#include "base/fdio.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOKS 300

TestSuite(task_cgroup_v1, .fini = contract_end);

static struct task_cgroup *one(void)
{
    for (size_t row = 0; row < contract_rows; row++) {
        if (strcmp(contract_row_names[row], "v1") == 0)
            return contract_one(row);
    }
    cr_assert_fail("no row is v1");
    return NULL;
}

static void path_of(const char *file, char ret[CONTRACT_PATH_SIZE])
{
    cr_assert(contract_tree_path(file, ret));
}

static void make_below(const char *group)
{
    char path[CONTRACT_PATH_SIZE];

    path_of(group, path);
    cr_assert_eq(mkdir(path, 0755), 0, "%s: %s", path, strerror(errno));
}

/* A control file of a group in the freezer's hierarchy; -1 when it could not be written. */
static int put(const char *file, const char *text)
{
    char path[CONTRACT_PATH_SIZE];

    path_of(file, path);
    return fdio_write_text(AT_FDCWD, path, text);
}

static void put_pid(const char *file, pid_t pid)
{
    char text[16];

    (void) snprintf(text, sizeof(text), "%d", (int) pid);
    cr_assert_eq(put(file, text), 0, "%s to %s: %s", text, file, strerror(errno));
}

/* As another would find the group; @with_pids: false where the host has no such controller. */
static struct task_cgroup *found_anew(bool with_pids)
{
    struct task_cgroup_dirs dirs;
    struct task_cgroup *cg = NULL;
    struct err err = {0};

    cr_assert_eq(cgroup_host_adopt(contract_now.host, "7.1.0", &dirs, &err), 0, "%s", err.text);
    if (!with_pids) {
        cleanup_fd(&dirs.fd[CGROUP_SLOT_PIDS]);
        dirs.fd[CGROUP_SLOT_PIDS] = -1;
    }
    cr_assert_eq(task_cgroup_open(&dirs, &cg, &err), 0, "%s", err.text);
    return cg;
}

static void expect_killed(pid_t pid)
{
    const int status = contract_reap(pid);

    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%#x", status);
}

/* A child outside of the group. */
static pid_t fork_outside(void)
{
    const pid_t pid = fork();

    if (pid == 0)
        contract_stay(NULL, NULL);
    cr_assert_gt(pid, 0);
    return pid;
}

static void stay_below(void *arg, const struct err *born_err)
{
    if (born_err || put(arg, "0") < 0)
        _exit(97);
    contract_stay(NULL, NULL);
}

Test(task_cgroup_v1, what_a_task_has_frozen_below_dies_in_the_kill)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = one();

    contract_ready_init();
    make_below("7.1.0/a");
    make_below("7.1.0/a/b");
    const pid_t frozen = contract_spawn(cg, stay_below, "7.1.0/a/b/tasks");
    const pid_t other = contract_spawn(cg, contract_stay, NULL);
    contract_wait_ready(2);
    cr_assert_eq(put("7.1.0/a/b/freezer.state", "FROZEN"), 0);
    contract_kill(cg);
    contract_wait_empty(cg);
    expect_killed(frozen);
    expect_killed(other);
}

Test(task_cgroup_v1, what_is_frozen_after_the_kill_is_thawed_with_the_next_event)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = one();

    contract_ready_init();
    make_below("7.1.0/a");
    const pid_t first = fork_outside();
    contract_wait_ready(1);
    contract_kill(cg);
    cr_assert_eq(put("7.1.0/a/freezer.state", "FROZEN"), 0);
    put_pid("7.1.0/a/cgroup.procs", first);
    contract_wait_empty(cg);
    expect_killed(first);
}

Test(task_cgroup_v1, what_comes_in_after_the_kill_is_killed_too)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = one();

    contract_ready_init();
    const pid_t inside = contract_spawn(cg, contract_stay, NULL);
    const pid_t late = fork_outside();
    contract_wait_ready(2);
    contract_kill(cg);
    put_pid("7.1.0/cgroup.procs", late);
    contract_wait_empty(cg);
    expect_killed(inside);
    expect_killed(late);
}

/* A process that is a new one all the time: each forks the next and ends. */
static void run_away(void *arg, const struct err *born_err)
{
    (void) arg;
    if (born_err)
        _exit(98);
    contract_say_ready();
    while (fork() == 0)
        ;
    _exit(0);
}

static void expect_caught(struct task_cgroup *cg)
{
    const uint64_t deadline = clock_mono_us() + CONTRACT_DEADLINE_MS * 1000;
    struct pollfd event = {0};
    int r;

    contract_ready_init();
    for (int i = 0; i < 4; i++)
        (void) contract_spawn(cg, run_away, NULL);
    contract_wait_ready(4);
    contract_kill(cg);
    event.fd = task_cgroup_event_fd(cg, &event.events);
    /* Faster than the lists can be read is an error, and to be asked again. */
    while ((r = task_cgroup_is_empty(cg, NULL)) != TASK_CGROUP_EMPTY) {
        cr_assert_lt(clock_mono_us(), deadline, "they run and run");
        if (r == 0)
            (void) poll(&event, 1, CONTRACT_DEADLINE_MS);
    }
    cr_expect_eq(contract_count(cg), 0);
}

Test(task_cgroup_v1, who_runs_away_by_forking_is_stopped_by_pids)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = one();

    expect_caught(cg);
}

Test(task_cgroup_v1, who_runs_away_by_forking_is_caught_by_the_freezer_where_there_is_no_pids)
{
    (void) task_cgroup_free(one());
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = found_anew(false);

    expect_caught(cg);
}

/* From one group to the other and back, for ever. */
static void hop(void *arg, const struct err *born_err)
{
    char a[CONTRACT_PATH_SIZE];
    char b[CONTRACT_PATH_SIZE];

    (void) arg;
    path_of("7.1.0/a/tasks", a);
    path_of("7.1.0/b/tasks", b);
    const int fds[2] = {open(a, O_WRONLY | O_CLOEXEC), open(b, O_WRONLY | O_CLOEXEC)};
    if (born_err || fds[0] < 0 || fds[1] < 0)
        _exit(97);
    contract_say_ready();
    for (unsigned int i = 0;; i++)
        (void) !write(fds[i % 2], "0", 1);
}

Test(task_cgroup_v1, who_goes_from_group_to_group_is_never_overlooked)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = one();

    contract_ready_init();
    make_below("7.1.0/a");
    make_below("7.1.0/b");
    const pid_t pid = contract_spawn(cg, hop, NULL);
    contract_wait_ready(1);
    for (int i = 0; i < LOOKS; i++) {
        CLEANUP(task_cgroup_freep) struct task_cgroup *fresh = found_anew(true);

        cr_assert_neq(task_cgroup_is_empty(fresh, NULL), TASK_CGROUP_EMPTY, "look %d: a false end",
                      i);
    }
    contract_kill(cg);
    contract_wait_empty(cg);
    expect_killed(pid);
}

/* ---- threads -------------------------------------------------------------------------------- */

static void *second_thread(void *arg)
{
    const pid_t tid = (pid_t) syscall(SYS_gettid);

    (void) arg;
    if (write(contract_pipe[1], &tid, sizeof(tid)) != (ssize_t) sizeof(tid))
        _exit(99);
    for (;;)
        (void) pause();
    return NULL;
}

/* Tells the id of its second thread, and where it is @alone, ends its first one. */
static void two_threads(bool alone)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, second_thread, NULL) != 0)
        _exit(99);
    if (alone)
        pthread_exit(NULL);
    for (;;)
        (void) pause();
}

static pid_t read_tid(void)
{
    struct pollfd event = {.fd = contract_pipe[0], .events = POLLIN};
    pid_t tid;

    cr_assert_gt(poll(&event, 1, CONTRACT_DEADLINE_MS), 0);
    cr_assert_eq(read(contract_pipe[0], &tid, sizeof(tid)), sizeof(tid));
    return tid;
}

static bool is_pid(void *arg, pid_t pid)
{
    cr_expect_eq(pid, *(pid_t *) arg);
    *(pid_t *) arg = 0;
    return true;
}

static void expect_inside_and_killed(struct task_cgroup *cg, pid_t pid)
{
    pid_t seen = pid;

    cr_expect_eq(task_cgroup_is_empty(cg, NULL), 0, "a thread does not count");
    cr_expect(task_cgroup_contains(cg, pid), "a thread is not inside");
    cr_expect_eq(task_cgroup_each_process(cg, is_pid, &seen, NULL), 0);
    cr_expect_eq(seen, 0, "a thread is not told");
    contract_kill(cg);
    contract_wait_empty(cg);
    expect_killed(pid);
}

Test(task_cgroup_v1, a_process_with_one_thread_inside_is_inside)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = one();

    contract_ready_init();
    const pid_t pid = fork();
    if (pid == 0)
        two_threads(false);
    cr_assert_gt(pid, 0);
    const pid_t tid = read_tid();
    cr_expect_not(task_cgroup_contains(cg, pid));
    put_pid("7.1.0/tasks", tid);
    expect_inside_and_killed(cg, pid);
}

static void lose_main_thread(void *arg, const struct err *born_err)
{
    (void) arg;
    if (born_err)
        _exit(98);
    two_threads(true);
}

/* State Z in field 3 of /proc/PID/stat: its main thread has ended. */
static void wait_headless(pid_t pid)
{
    const uint64_t deadline = clock_mono_us() + CONTRACT_DEADLINE_MS * 1000;
    char path[64];
    char text[1024] = "";

    (void) snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);
    while (!strstr(text, ") Z ")) {
        cr_assert_lt(clock_mono_us(), deadline);
        cr_assert_gt(fdio_read_text(AT_FDCWD, path, text, sizeof(text)), 0);
    }
}

Test(task_cgroup_v1, a_process_that_lost_its_main_thread_is_inside)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = one();

    contract_ready_init();
    const pid_t pid = contract_spawn(cg, lose_main_thread, NULL);
    (void) read_tid();
    wait_headless(pid);
    expect_inside_and_killed(cg, pid);
}

/* ---- who looks ------------------------------------------------------------------------------ */

Test(task_cgroup_v1, the_one_who_kills_is_not_killed_nor_counted_nor_frozen)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = one();

    contract_ready_init();
    make_below("7.1.0/a");
    const pid_t other = contract_spawn(cg, stay_below, "7.1.0/a/tasks");
    contract_wait_ready(1);
    put_pid("7.1.0/cgroup.procs", getpid());
    contract_kill(cg);
    contract_wait_empty(cg);
    expect_killed(other);
    cr_expect(task_cgroup_contains(cg, getpid()));
    put_pid("../cgroup.procs", getpid());
    cr_expect_eq(task_cgroup_is_empty(cg, NULL), TASK_CGROUP_EMPTY);
}

/* While the task runs nothing wakes who waits, but the end of the one under watch. */
Test(task_cgroup_v1, the_event_is_silent_while_others_come_and_go)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = one();
    struct pollfd event = {0};

    contract_ready_init();
    const pid_t leader = contract_spawn(cg, contract_stay, NULL);
    contract_wait_ready(1);
    event.fd = task_cgroup_event_fd(cg, &event.events);
    cr_expect_eq(task_cgroup_is_empty(cg, NULL), 0);
    const pid_t other = contract_spawn(cg, contract_stay, NULL);
    const pid_t heir = fork_outside(); /* of a copy of each descriptor */
    contract_wait_ready(2);
    (void) kill(other, SIGKILL);
    (void) contract_reap(other);
    cr_expect_eq(poll(&event, 1, 0), 0, "woken for nothing");
    (void) kill(leader, SIGKILL);
    cr_expect_eq(poll(&event, 1, CONTRACT_DEADLINE_MS), 1, "not woken");
    cr_expect_eq(task_cgroup_is_empty(cg, NULL), TASK_CGROUP_EMPTY);
    cr_expect_eq(poll(&event, 1, 0), 0, "the event stays raised");
    (void) contract_reap(leader);
    (void) kill(heir, SIGKILL);
    (void) contract_reap(heir);
}
