/*
 * Out of processes, descriptors, groups, memory, disk: new tasks are refused with the reason, or
 * wait, and are taken again by themselves when it is over; a cancel works all the time.
 */
#include "tests/integration/await.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(exhausted, .fini = worlds_close, .timeout = 300);

/* ---- a node with two tasks that run and one that is queued ---- */

struct node {
    struct world *world;
    struct agent *agent;
    const char *running[2];
    const char *queued;
};

static struct node node_make(void)
{
    struct node n = {.world = world_make("[tasks]\nmax_running = 2\n")};

    n.agent = &n.world->agents[0];
    return n;
}

/* The head runs already. */
static void node_start(struct node *n)
{
    agent_start(n->agent);
    for (int i = 0; i < 2; i++)
        n->running[i] = submit_fighter(n->world, "n1", 2);
    n->queued = submit(n->world, "--", "/bin/true");
    await_at_node(n->agent, n->queued, 0);
}

static void cancel_at_once(const struct node *n, const char *task, const char *method)
{
    cancel(n->world, task, "-m", "all the same", "--grace", "0");
    assert_cancelled(n->world, task, "all the same", method);
}

/* One of each kind is cancelled. What there is too little of is too little for a new task. */
static void cancel_both(const struct node *n)
{
    cancel_at_once(n, n->queued, "never_started");
    cancel_at_once(n, n->running[0], "cgroup_kill");
}

static void expect_refused(const struct node *n, const char *reason)
{
    const char *const parts[] = {"could not start: ", reason, NULL};

    assert_failed(n->world, task_wait(n->world, submit(n->world, "--", "/bin/true")),
                  "could_not_start", parts);
}

/* All is as ever. */
static void expect_well(const struct node *n)
{
    const char *task = submit(n->world, "--", "/bin/true");

    assert_text(n->world, task_wait(n->world, task), "status", "TaskStatus_Finished");
    cancel_at_once(n, n->running[1], "cgroup_kill");
    group_await_removal(n->agent, n->running[0]);
    group_await_removal(n->agent, n->queued);
    program_end(&n->agent->program);
}

static void write_file(const char *path, const char *text)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC);

    cr_assert_geq(fd, 0, "%s: %s", path, strerror(errno));
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t) strlen(text), "%s: %s", path,
                 strerror(errno));
    (void) close(fd);
}

static struct rlimit set_limit(pid_t pid, int resource, rlim_t value)
{
    struct rlimit before, now;

    cr_assert_eq(prlimit(pid, (__rlimit_resource_t) resource, NULL, &before), 0);
    now = before;
    now.rlim_cur = value < before.rlim_max ? value : before.rlim_max;
    cr_assert_eq(prlimit(pid, (__rlimit_resource_t) resource, &now, NULL), 0);
    return before;
}

static rlim_t lowest_free_fd(pid_t pid)
{
    char path[64];
    rlim_t fd = 0;

    do
        (void) snprintf(path, sizeof(path), "/proc/%d/fd/%lu", (int) pid, (unsigned long) fd++);
    while (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
    return fd - 1;
}

static size_t entries_of(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    size_t count = 0;

    cr_assert_not_null(dir, "%s: %s", path, strerror(errno));
    while ((entry = readdir(dir)))
        count += entry->d_name[0] != '.';
    (void) closedir(dir);
    return count;
}

/* ---- groups, processes, descriptors ---- */

Test(exhausted, without_groups_tasks_are_refused_and_cancels_work)
{
    struct node n;
    const char *limit;

    if (world_is_v1())
        SKIP("v1 has no limit on how many groups there are");
    n = node_make();
    head_start(n.world);
    node_start(&n);
    limit = keepf(n.world, "%s/cgroup.max.descendants", n.agent->group);
    write_file(limit, "0");
    cancel_both(&n);
    expect_refused(&n, "make group");
    write_file(limit, "max");
    expect_well(&n);
}

/* The agent sits in a group of the pids hierarchy, and so does all that it starts. */
Test(exhausted, without_processes_tasks_are_refused_and_cancels_work)
{
    const char *wrapper[] = {"/bin/sh", "-c", "echo $$ > $0/cgroup.procs && exec \"$@\"", NULL,
                             NULL};
    struct node n = node_make();
    const char *name = keepf(n.world, "quell-test-pids-%d", (int) getpid());
    const char *group = keepf(n.world, "/sys/fs/cgroup/pids/%s", name);
    const char *limit = keepf(n.world, "%s/pids.max", group);

    if (QUELL_TEST_SANITIZED && !getenv("QUELL_BIN_DIR"))
        SKIP("this build looks for leaks at exit, which needs a process");
    if (mkdir(group, 0755) < 0)
        SKIP("there is no hierarchy for pids alone: %s", strerror(errno));
    janitor_note_group(&n.world->janitor, name);
    wrapper[3] = group;
    n.agent->wrapper = wrapper;
    head_start(n.world);
    node_start(&n);
    write_file(limit, "1");
    cancel_both(&n);
    expect_refused(&n, "clone a child: Resource temporarily unavailable");
    write_file(limit, "max");
    expect_well(&n);
}

Test(exhausted, without_descriptors_of_the_agent_tasks_wait_and_cancels_work)
{
    struct node n = node_make();
    struct rlimit before;
    const char *waiting;
    pid_t pid;

    head_start(n.world);
    node_start(&n);
    pid = n.agent->program.pid;
    before = set_limit(pid, RLIMIT_NOFILE, lowest_free_fd(pid));
    cancel_both(&n);
    (void) set_limit(pid, RLIMIT_NOFILE, 3); /* nothing that was closed meanwhile can be used */
    waiting = submit(n.world, "--", "/bin/true");
    program_await(&n.agent->program, "Too many open files");
    (void) set_limit(pid, RLIMIT_NOFILE, before.rlim_cur);
    assert_text(n.world, task_wait(n.world, waiting), "status", "TaskStatus_Finished");
    expect_well(&n);
}

/* What the agent has it can use; more it does not get: no stack for a supervisor's first steps. */
Test(exhausted, without_memory_for_the_agent_tasks_are_refused_and_cancels_work)
{
    struct node n = node_make();
    struct rlimit before;

    if (QUELL_TEST_SANITIZED && !getenv("QUELL_BIN_DIR"))
        SKIP("this build ends where there is no memory");
    head_start(n.world);
    node_start(&n);
    before = set_limit(n.agent->program.pid, RLIMIT_AS, 1 << 20);
    cancel_both(&n);
    expect_refused(&n, "get a stack: Cannot allocate memory");
    (void) set_limit(n.agent->program.pid, RLIMIT_AS, before.rlim_cur);
    expect_well(&n);
}

/* ---- the node's disk: a file system of its own, seen by the agent alone, and gone with it ---- */

/* For `unshare -m sh -c`: the directory, mount's options, the program. */
static const char on_own_disk[] =
    "mkdir \"$0\" && mount -t tmpfs -o \"$1\" quell-test \"$0\" && shift && exec \"$@\"";

static const char *state_of(const struct node *n, const char *name)
{
    return keepf(n->world, "/proc/%d/root%s/n1.state/%s", (int) n->agent->program.pid,
                 n->world->dir, name);
}

/* To the last byte. */
static void fill_file(const char *path)
{
    static const char page[4096];
    const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    cr_assert_geq(fd, 0, "%s: %s", path, strerror(errno));
    while (write(fd, page, sizeof(page)) > 0)
        ;
    cr_assert_eq(errno, ENOSPC, "%s", strerror(errno));
    (void) close(fd);
}

static void fill_bytes(const struct node *n)
{
    fill_file(state_of(n, "filler"));
}

/* To the last inode. */
static void fill_inodes(const struct node *n)
{
    static int count;
    int fd;

    while ((fd = open(state_of(n, keepf(n->world, "filler.%d", ++count)),
                      O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) >= 0)
        (void) close(fd);
    cr_assert_eq(errno, ENOSPC, "%s", strerror(errno));
}

static void remove_fillers(const struct node *n)
{
    DIR *dir = opendir(state_of(n, "."));
    struct dirent *entry;

    cr_assert_not_null(dir);
    while ((entry = readdir(dir)))
        if (strncmp(entry->d_name, "filler", 6) == 0)
            (void) unlinkat(dirfd(dir), entry->d_name, 0);
    (void) closedir(dir);
}

/* What has ended and is acknowledged gives its space back: that is waited for, and used up too. */
static void await_records(const struct node *n, size_t attempts)
{
    const char *path = state_of(n, "attempts");
    const int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    char events[4096];

    cr_assert_geq(fd, 0);
    cr_assert_geq(inotify_add_watch(fd, path, IN_DELETE), 0, "%s: %s", path, strerror(errno));
    while (entries_of(path) > attempts) {
        cr_assert_eq(wait_readable(fd), 0, "records stay in %s", path);
        (void) !read(fd, events, sizeof(events));
    }
    (void) close(fd);
}

static void play_full_disk(const char *options, void (*fill)(const struct node *n))
{
    const char *wrapper[] = {"unshare", "-m", "sh", "-c", on_own_disk, NULL, options, NULL};
    struct node n = node_make();
    const char *waiting;

    wrapper[5] = path_in(n.world, "n1.state");
    n.agent->wrapper = wrapper;
    head_start(n.world);
    node_start(&n);
    fill(&n);
    cancel_both(&n);
    await_records(&n, 1);
    fill(&n);
    waiting = submit(n.world, "--", "/bin/true");
    program_await(&n.agent->program, "No space left on device");
    remove_fillers(&n);
    assert_text(n.world, task_wait(n.world, waiting), "status", "TaskStatus_Finished");
    expect_well(&n);
}

Test(exhausted, with_a_full_disk_tasks_wait_and_cancels_work)
{
    play_full_disk("size=2m", fill_bytes);
}

Test(exhausted, without_inodes_tasks_wait_and_cancels_work)
{
    play_full_disk("nr_inodes=100", fill_inodes);
}

/* ---- the head's disk ---- */

static void head_start_on_disk_of(struct world *w, const char *options)
{
    const char *argv[] = {"unshare",     "-m",
                          "sh",          "-c",
                          on_own_disk,   path_in(w, "head"),
                          options,       bin(w, "quell-head"),
                          "--listen",    w->head_url,
                          "--socket",    w->head_socket,
                          "--state-dir", path_in(w, "head"),
                          "--config",    path_in(w, "head.conf"),
                          NULL};
    const struct program_child child = {.mark = keepf(w, JANITOR_DAEMON "=%s", w->dir)};

    program_start(&w->head, argv, &child);
    program_await(&w->head, "listening");
}

Test(exhausted, with_a_full_disk_of_the_head_tasks_are_refused_and_cancels_work)
{
    struct node n = node_make();
    struct world *w = n.world;
    const char *filler, *added;
    struct ctl answer;

    head_start_on_disk_of(w, "size=32m,mode=700");
    node_start(&n);
    added = ctl(w, "add", "-n", "n1", "--user", "nobody", "--", "/bin/true").out;
    added = keepf(w, "%.*s", (int) strcspn(added, "\n"), added);
    filler = keepf(w, "/proc/%d/root%s/head/filler", (int) w->head.pid, w->dir);
    fill_file(filler);
    answer = ctl(w, "submit", "-n", "n1", "--user", "nobody", "--", "/bin/true");
    cr_assert_eq(answer.status, 1);
    assert_has(answer.err, "disk");
    answer = ctl(w, "submit", added);
    cr_assert_eq(answer.status, 1);
    assert_has(answer.err, "disk");
    cancel_both(&n);
    answer = ctl(w, "requeue", n.queued);
    cr_assert_eq(answer.status, 1);
    assert_has(answer.err, "disk");
    cr_assert_eq(unlink(filler), 0);
    cr_assert_eq(ctl(w, "submit", "--wait", added).status, 0);
    expect_well(&n);
}
