/*
 * The promises of task_cgroup.h about how processes begin and end. Each runs for every real host of
 * contract_host.h.
 */
#include "tests/contract/contract_task.h"

#include "base/clock.h"
#include "base/fdio.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define TREE 50

#define PROMISE(promise) CONTRACT_PROMISE(task_cgroup_kill, promise, contract_end)

/* ---- born in the group ---------------------------------------------------------------------- */

static void tell_groups(void *arg, const struct err *born_err)
{
    char text[4096];
    ssize_t len;

    (void) arg;
    if (born_err)
        _exit(98);
    len = fdio_read_text(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text));
    if (len < 0 || fdio_write(contract_pipe[1], text, (size_t) len) < 0)
        _exit(99);
    _exit(0);
}

static void expect_born(struct task_cgroup *cg)
{
    static const char *const lines[CGROUP_SLOT_COUNT] = {
        "0::", ":memory:", ":pids:", ":cpu:", ":freezer:", ":cpuacct:", ":blkio:"};
    char text[4096] = "";
    char tail[256];
    char path[CONTRACT_PATH_SIZE];
    int pidfd = -1;
    struct err err = {0};
    pid_t pid;

    contract_ready_init();
    pid = task_cgroup_spawn(cg, tell_groups, NULL, &pidfd, &err);
    cr_assert_gt(pid, 0, "%s: %s", contract_now.name, err.text);
    cr_expect(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
    struct pollfd event = {.fd = pidfd, .events = POLLIN};
    cr_expect_eq(poll(&event, 1, CONTRACT_DEADLINE_MS), 1, "%s: the pidfd says nothing",
                 contract_now.name);
    (void) close(pidfd);
    cr_assert_eq(contract_reap(pid), 0, "%s: the child could not tell", contract_now.name);
    (void) close(contract_pipe[1]);
    cr_assert_gt(fdio_read(contract_pipe[0], text, sizeof(text) - 1), 0);

    (void) snprintf(tail, sizeof(tail), "%s/7.1.0\n", contract_now.tag);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        const bool has = contract_path(&contract_now, (enum cgroup_slot) i, "", path);
        const char *line = strstr(text, lines[i]);

        if (!has)
            continue;
        cr_assert(line, "%s: no line %s in %s", contract_now.name, lines[i], text);
        const char *end = strchr(line, '\n');
        cr_expect(end && strncmp(end + 1 - strlen(tail), tail, strlen(tail)) == 0,
                  "%s: born outside, says %s", contract_now.name, text);
    }
}

PROMISE(a_child_is_born_in_the_group_in_all_its_hierarchies)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = contract_limited(*row);

    expect_born(cg);
}

PROMISE(a_child_is_in_the_group_also_where_clone3_can_not_put_it_there)
{
    struct task_cgroup_dirs dirs;
    struct err err = {0};

    (void) task_cgroup_free(contract_limited(*row));
    cr_assert_eq(cgroup_host_adopt(contract_now.host, "7.1.0", &dirs, &err), 0, "%s", err.text);
    dirs.clone_into = false;
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = NULL;
    cr_assert_eq(task_cgroup_open(&dirs, &cg, &err), 0, "%s", err.text);
    expect_born(cg);
}

static void tell_born_err(void *arg, const struct err *born_err)
{
    (void) arg;
    if (!born_err)
        _exit(1);
    (void) fdio_write(contract_pipe[1], born_err->text, strlen(born_err->text));
    _exit(born_err->code == -ENOENT ? 0 : 2);
}

PROMISE(a_child_that_can_not_enter_a_hierarchy_is_told_so)
{
    struct task_cgroup_dirs dirs;
    struct err err = {0};
    char text[512] = "";

    (void) task_cgroup_free(contract_one(*row));
    cr_assert_eq(cgroup_host_adopt(contract_now.host, "7.1.0", &dirs, &err), 0, "%s", err.text);
    cleanup_fd(&dirs.fd[CGROUP_SLOT_CPU]);
    dirs.fd[CGROUP_SLOT_CPU] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* has no `tasks` */
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = NULL;
    cr_assert_eq(task_cgroup_open(&dirs, &cg, &err), 0, "%s", err.text);
    contract_ready_init();
    cr_expect_eq(contract_reap(contract_spawn(cg, tell_born_err, NULL)), 0,
                 "%s: the child was not told", contract_now.name);
    cr_assert_gt(read(contract_pipe[0], text, sizeof(text) - 1), 0);
    cr_expect(strstr(text, "tasks") && strstr(text, "7.1.0"), "\"%s\" does not say what", text);
}

static void on_signal(int number)
{
    (void) number;
}

static void tell_handlers(void *arg, const struct err *born_err)
{
    struct sigaction usr1;
    struct sigaction term;

    (void) arg;
    (void) sigaction(SIGUSR1, NULL, &usr1);
    (void) sigaction(SIGTERM, NULL, &term);
    _exit(!born_err && usr1.sa_handler == SIG_DFL && term.sa_handler == SIG_DFL ? 0 : 1);
}

PROMISE(a_child_has_the_default_signal_handlers)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = contract_one(*row);

    (void) signal(SIGUSR1, on_signal);
    (void) signal(SIGTERM, on_signal);
    cr_expect_eq(contract_reap(contract_spawn(cg, tell_handlers, NULL)), 0,
                 "%s: handlers are inherited", contract_now.name);
    (void) signal(SIGTERM, SIG_DFL);
}

/* Nobody kills the agent's own groups there, and a move would cost 10 ms. */
static void expect_supervisors_stay(void)
{
    char path[CONTRACT_PATH_SIZE];

    cr_expect_eq(cgroup_host_supervisors_fd(contract_now.host), -1);
    cr_expect_eq(cgroup_host_move_supervisor(contract_now.host, getpid(), NULL), 0);
    (void) contract_tree_path("supervisors", path);
    cr_expect_neq(access(path, F_OK), 0);
}

PROMISE(a_supervisor_is_born_or_moved_beside_the_groups)
{
    static const char *const tail = "/supervisors\n";
    char text[4096];
    char path[64];
    struct err err = {0};
    pid_t pid;

    contract_open(&contract_now, *row);
    if (contract_is_v1()) {
        expect_supervisors_stay();
        return;
    }
    cr_assert_geq(cgroup_host_supervisors_fd(contract_now.host), 0, "%s: clone3 does not work",
                  contract_now.name);
    pid = fork();
    if (pid == 0)
        for (;;)
            (void) pause();
    cr_expect_eq(cgroup_host_move_supervisor(contract_now.host, pid, &err), 0, "%s", err.text);
    (void) snprintf(path, sizeof(path), "/proc/%d/cgroup", (int) pid);
    cr_expect_gt(fdio_read_text(AT_FDCWD, path, text, sizeof(text)), 0);
    cr_expect(strstr(text, "0::") && strstr(strstr(text, "0::"), tail), "%s", text);
    (void) kill(pid, SIGKILL);
    (void) contract_reap(pid);
    cr_expect_lt(cgroup_host_move_supervisor(contract_now.host, pid, &err), 0);
    cr_expect(strstr(err.text, "supervisors"), "%s", err.text);
}

/* ---- the kill ------------------------------------------------------------------------------- */

/* Each is deaf to SIGTERM, in a session of its own, and makes the next by forking twice. */
static void tree(void *arg, const struct err *born_err)
{
    int left = TREE;
    pid_t pid;

    (void) arg;
    if (born_err)
        _exit(98);
    do {
        (void) signal(SIGTERM, SIG_IGN);
        (void) setsid();
        pid = --left > 0 ? fork() : -1;
        if (pid == 0 && fork() != 0)
            _exit(0);
    } while (pid == 0);
    if (pid > 0)
        (void) waitpid(pid, NULL, 0);
    contract_say_ready();
    for (;;)
        (void) pause();
}

PROMISE(a_kill_ends_a_tree_that_fights_back)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = contract_one(*row);

    contract_ready_init();
    const pid_t leader = contract_spawn(cg, tree, NULL);
    contract_wait_ready(TREE);
    cr_expect_eq(contract_count(cg), TREE, "%s: %zu", contract_now.name, contract_count(cg));
    cr_expect_eq(task_cgroup_is_empty(cg, NULL), 0);
    contract_kill(cg);
    contract_wait_empty(cg);
    cr_expect_eq(contract_count(cg), 0, "%s: survivors", contract_now.name);
    const int status = contract_reap(leader);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%s: %#x", contract_now.name,
              status);
}

/* Never more than two at a time, and always a new one. */
static void breed(void *arg, const struct err *born_err)
{
    (void) arg;
    if (born_err)
        _exit(98);
    contract_say_ready();
    for (;;) {
        const pid_t pid = fork();

        if (pid == 0)
            _exit(0);
        (void) waitpid(pid, NULL, 0);
    }
}

PROMISE(a_kill_ends_what_forks_meanwhile)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = contract_one(*row);

    contract_ready_init();
    for (int i = 0; i < 8; i++)
        (void) contract_spawn(cg, breed, NULL);
    contract_wait_ready(8);
    contract_kill(cg);
    contract_wait_empty(cg);
    cr_expect_eq(contract_count(cg), 0, "%s: survivors", contract_now.name);
}

PROMISE(a_kill_of_an_empty_group_is_no_error)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = contract_one(*row);
    struct err err = {0};

    contract_kill(cg);
    cr_expect_eq(task_cgroup_is_empty(cg, NULL), TASK_CGROUP_EMPTY);
    cr_assert_eq(cgroup_host_remove(contract_now.host, "7.1.0", &err), 0, "%s: %s",
                 contract_now.name, err.text);
    contract_kill(cg);
    cr_expect_eq(task_cgroup_freeze(cg, false, &err), 0, "%s: %s", contract_now.name, err.text);
    cr_expect_eq(task_cgroup_is_empty(cg, &err), TASK_CGROUP_EMPTY, "%s: a removed group: %s",
                 contract_now.name, err.text);
    cr_expect_eq(contract_count(cg), 0);
}

PROMISE(an_adopted_group_can_be_killed)
{
    struct task_cgroup_dirs dirs;
    struct err err = {0};

    contract_ready_init();
    struct task_cgroup *first = contract_one(*row);
    const pid_t pid = contract_spawn(first, contract_stay, NULL);
    contract_wait_ready(1);
    (void) task_cgroup_free(first);
    contract_reopen(&contract_now);
    cr_assert_eq(cgroup_host_adopt(contract_now.host, "7.1.0", &dirs, &err), 0, "%s", err.text);
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = NULL;
    cr_assert_eq(task_cgroup_open(&dirs, &cg, &err), 0, "%s", err.text);
    cr_expect(task_cgroup_contains(cg, pid));
    contract_kill(cg);
    contract_wait_empty(cg);
    cr_expect(WIFSIGNALED(contract_reap(pid)));
}

/* ---- stopped -------------------------------------------------------------------------------- */

static void count_up(void *arg, const struct err *born_err)
{
    volatile uint64_t *counter = arg;

    if (born_err)
        _exit(98);
    contract_say_ready();
    for (;;)
        ++*counter;
}

/* v1 tells nobody: it has to be asked again and again. */
static void wait_frozen_v1(void)
{
    const uint64_t deadline = clock_mono_us() + CONTRACT_DEADLINE_MS * 1000;
    char path[CONTRACT_PATH_SIZE];
    char text[64] = "";

    (void) contract_tree_path("7.1.0/freezer.state", path);
    while (strcmp(text, "FROZEN\n") != 0) {
        cr_assert_lt(clock_mono_us(), deadline, "never frozen");
        cr_assert_gt(fdio_read_text(AT_FDCWD, path, text, sizeof(text)), 0);
        (void) sched_yield();
    }
}

static void wait_frozen(void)
{
    char path[CONTRACT_PATH_SIZE];
    char text[256];
    struct pollfd event = {.events = POLLPRI};

    if (contract_is_v1()) {
        wait_frozen_v1();
        return;
    }
    (void) contract_tree_path("7.1.0/cgroup.events", path);
    event.fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(event.fd, 0);
    for (;;) {
        const ssize_t len = pread(event.fd, text, sizeof(text) - 1, 0);

        cr_assert_gt(len, 0);
        text[len] = '\0';
        if (strstr(text, "frozen 1"))
            break;
        cr_assert_gt(poll(&event, 1, CONTRACT_DEADLINE_MS), 0, "%s: never frozen",
                     contract_now.name);
    }
    (void) close(event.fd);
}

PROMISE(freeze_stops_and_thaw_goes_on)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = contract_one(*row);
    volatile uint64_t *counter =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct err err = {0};

    contract_ready_init();
    (void) contract_spawn(cg, count_up, (void *) counter);
    contract_wait_ready(1);
    cr_assert_eq(task_cgroup_freeze(cg, true, &err), 0, "%s: %s", contract_now.name, err.text);
    wait_frozen();
    const uint64_t before = *counter;
    (void) poll(NULL, 0, 20);
    cr_expect_eq(*counter, before, "%s: it runs", contract_now.name);
    cr_expect_eq(task_cgroup_is_empty(cg, NULL), 0, "%s: frozen is not empty", contract_now.name);
    cr_assert_eq(task_cgroup_freeze(cg, false, &err), 0, "%s: %s", contract_now.name, err.text);
    const uint64_t deadline = clock_mono_us() + CONTRACT_DEADLINE_MS * 1000;
    while (*counter == before && clock_mono_us() < deadline)
        (void) sched_yield();
    cr_expect_gt(*counter, before, "%s: it never went on", contract_now.name);
    contract_kill(cg);
    contract_wait_empty(cg);
}

PROMISE(a_frozen_group_can_be_killed)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = contract_one(*row);

    contract_ready_init();
    const pid_t pid = contract_spawn(cg, contract_stay, NULL);
    contract_wait_ready(1);
    cr_assert_eq(task_cgroup_freeze(cg, true, NULL), 0);
    wait_frozen();
    contract_kill(cg);
    contract_wait_empty(cg);
    cr_expect(WIFSIGNALED(contract_reap(pid)));
}
