/*
 * The promises of task_cgroup.h about who is inside, what is used and what is limited. Each runs
 * for every real host of contract_host.h.
 */
#include "tests/contract/contract_task.h"

#include "base/clock.h"
#include "base/fdio.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PROMISE(promise) CONTRACT_PROMISE(task_cgroup_inside, promise, contract_end)

/* ---- empty, and who is inside ---------------------------------------------------------------- */

PROMISE(a_group_is_empty_until_and_after_it_has_a_process)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = contract_one(*row);

    cr_expect_eq(task_cgroup_is_empty(cg, NULL), TASK_CGROUP_EMPTY);
    contract_ready_init();
    const pid_t pid = contract_spawn(cg, contract_stay, NULL);
    cr_expect_eq(task_cgroup_is_empty(cg, NULL), 0, "%s: empty with a child", contract_now.name);
    (void) kill(pid, SIGKILL);
    contract_wait_empty(cg);
    (void) contract_reap(pid); /* it was a zombie all the time */
}

PROMISE(the_event_comes_when_the_last_process_ends)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = contract_one(*row);
    struct pollfd event = {0};

    contract_ready_init();
    const pid_t pid = contract_spawn(cg, contract_stay, NULL);
    contract_wait_ready(1);
    event.fd = task_cgroup_event_fd(cg, &event.events);
    while (task_cgroup_is_empty(cg, NULL) == 0 && poll(&event, 1, 0) > 0)
        ; /* the event of its birth */
    (void) kill(pid, SIGKILL);
    cr_expect_eq(poll(&event, 1, CONTRACT_DEADLINE_MS), 1, "%s: no event", contract_now.name);
    contract_wait_empty(cg);
}

static int make_subgroup(const char *group)
{
    char path[CONTRACT_PATH_SIZE];

    (void) contract_tree_path(group, path);
    return mkdir(path, 0755);
}

static void stay_in_subgroup(void *arg, const struct err *born_err)
{
    char group[CONTRACT_PATH_SIZE];
    int fd;

    (void) contract_tree_path(arg, group);
    fd = open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (born_err || fdio_write_text(fd, "cgroup.procs", "0") < 0)
        _exit(97);
    contract_stay(NULL, NULL);
}

static bool sum_pids(void *arg, pid_t pid)
{
    *(int64_t *) arg += pid;
    return true;
}

PROMISE(processes_of_sub_groups_are_inside_too)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = contract_one(*row);
    int64_t sum = 0;

    contract_ready_init();
    cr_assert_eq(make_subgroup("7.1.0/a"), 0);
    cr_assert_eq(make_subgroup("7.1.0/a/b"), 0);
    cr_assert_eq(make_subgroup("7.1.0/c"), 0);
    const pid_t one = contract_spawn(cg, contract_stay, NULL);
    const pid_t two = contract_spawn(cg, stay_in_subgroup, "7.1.0/a/b");
    const pid_t three = contract_spawn(cg, stay_in_subgroup, "7.1.0/c");
    contract_wait_ready(3);
    cr_expect_eq(contract_count(cg), 3);
    cr_assert_eq(task_cgroup_each_process(cg, sum_pids, &sum, NULL), 0);
    cr_expect_eq(sum, (int64_t) one + two + three);
    cr_expect(task_cgroup_contains(cg, two) && task_cgroup_contains(cg, three));
    cr_expect_eq(cgroup_host_remove(contract_now.host, "7.1.0", NULL), TASK_CGROUP_BUSY);
    (void) kill(one, SIGKILL);
    cr_expect_eq(task_cgroup_is_empty(cg, NULL), 0);
    contract_kill(cg);
    contract_wait_empty(cg);
    cr_expect_eq(cgroup_host_remove(contract_now.host, "7.1.0", NULL), 0);
}

static bool stop_at_two(void *arg, pid_t pid)
{
    (void) pid;
    return ++*(size_t *) arg < 2;
}

PROMISE(processes_are_told_until_the_caller_has_enough)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = contract_one(*row);
    const size_t fds = contract_open_fds();

    contract_ready_init();
    for (int i = 0; i < 3; i++)
        (void) contract_spawn(cg, contract_stay, NULL);
    contract_wait_ready(3);
    size_t seen = 0;
    cr_expect_eq(task_cgroup_each_process(cg, stop_at_two, &seen, NULL), 0);
    cr_expect_eq(seen, 2, "%s: %zu", contract_now.name, seen);
    cr_expect_eq(contract_open_fds(), fds + 2, "%s: descriptors leaked", contract_now.name);
    contract_kill(cg);
    contract_wait_empty(cg);
}

PROMISE(groups_too_deep_to_be_looked_into_are_told_and_killed)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = contract_one(*row);
    char group[512] = "7.1.0";
    pid_t seen = 0, unseen = 0;
    struct err err = {0};
    size_t count = 0;

    contract_ready_init();
    for (int depth = 1; depth <= 66; depth++) {
        const size_t len = strlen(group);

        (void) snprintf(group + len, sizeof(group) - len, "/d");
        cr_assert_eq(make_subgroup(group), 0, "%s: depth %d", contract_now.name, depth);
        if (depth == 60)
            seen = contract_spawn(cg, stay_in_subgroup, group);
        if (depth == 66)
            unseen = contract_spawn(cg, stay_in_subgroup, group);
    }
    contract_wait_ready(2);
    cr_expect_eq(task_cgroup_each_process(cg, contract_count_one, &count, &err), -ELOOP);
    cr_expect_eq(count, 1, "%s: %zu", contract_now.name, count);
    cr_expect(strstr(err.text, "deep"), "%s", err.text);
    if (contract_is_v1()) { /* nobody there can be killed, and so the group is never empty */
        cr_expect_eq(task_cgroup_kill(cg, &err), -ELOOP);
        (void) contract_reap(seen);
        cr_expect_eq(task_cgroup_is_empty(cg, &err), -ELOOP);
        (void) kill(unseen, SIGKILL);
        (void) contract_reap(unseen);
    } else {
        contract_kill(cg);
        contract_wait_empty(cg);
    }
    /* remove gives up below, and says so; the rest is removed by hand. */
    cr_expect_eq(cgroup_host_remove(contract_now.host, "7.1.0", &err), TASK_CGROUP_BUSY);
    for (char *slash; (slash = strrchr(group, '/')); *slash = '\0') {
        char path[CONTRACT_PATH_SIZE];

        (void) contract_tree_path(group, path);
        (void) rmdir(path);
    }
    cr_expect_eq(cgroup_host_remove(contract_now.host, "7.1.0", &err), 0, "%s", err.text);
}

PROMISE(contains_knows_who_is_inside)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = contract_one(*row);
    CLEANUP(task_cgroup_freep) struct task_cgroup *other = contract_create("7.1.01", NULL);

    contract_ready_init();
    const pid_t inside = contract_spawn(cg, contract_stay, NULL);
    const pid_t outside =
        contract_spawn(other, contract_stay, NULL); /* of a name that begins with the other's */
    contract_wait_ready(2);
    cr_expect(task_cgroup_contains(cg, inside));
    cr_expect_not(task_cgroup_contains(cg, outside), "%s: 7.1.0 is not 7.1.01", contract_now.name);
    cr_expect_not(task_cgroup_contains(other, inside));
    cr_expect(task_cgroup_contains(other, outside));
    cr_expect_not(task_cgroup_contains(cg, getpid()));
    contract_kill(cg);
    (void) contract_reap(inside);
    cr_expect_not(task_cgroup_contains(cg, inside), "%s: it is gone", contract_now.name);
    contract_kill(other);
    (void) contract_reap(outside);
}

PROMISE(remove_of_a_group_with_a_process_says_busy_and_leaves_it)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = contract_limited(*row);
    struct err err = {0};
    char path[CONTRACT_PATH_SIZE];

    cr_assert_eq(make_subgroup("7.1.0/empty"), 0);
    contract_ready_init();
    const pid_t pid = contract_spawn(cg, contract_stay, NULL);
    contract_wait_ready(1);
    cr_expect_eq(cgroup_host_remove(contract_now.host, "7.1.0", &err), TASK_CGROUP_BUSY);
    cr_expect(task_cgroup_contains(cg, pid), "%s: remove moved a process", contract_now.name);
    (void) contract_tree_path("7.1.0/empty", path);
    cr_expect_eq(access(path, F_OK), 0, "%s: remove took what the task made", contract_now.name);
    contract_kill(cg);
    contract_wait_empty(cg);
    cr_expect_eq(cgroup_host_remove(contract_now.host, "7.1.0", &err), 0, "%s: with a zombie: %s",
                 contract_now.name, err.text);
    (void) contract_reap(pid);
}

/* ---- counted and limited --------------------------------------------------------------------- */

#define TOUCHED (32U << 20)

static void use_things(void *arg, const struct err *born_err)
{
    const uint64_t end = clock_mono_us() + 60000;
    char *memory = mmap(NULL, TOUCHED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void) arg;
    if (born_err || memory == MAP_FAILED)
        _exit(98);
    for (size_t i = 0; i < TOUCHED; i += 4096)
        memory[i] = 1;
    while (clock_mono_us() < end)
        ;
    _exit(0);
}

PROMISE(usage_is_what_the_task_used_or_unknown)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = contract_one(*row);
    const bool memory = cgroup_host_can_limit(contract_now.host, CGROUP_LIMIT_MEMORY);
    struct task_cgroup_usage usage;

    task_cgroup_read_usage(cg, &usage);
    cr_expect_eq(usage.cpu_us, 0, "%s: %lld us before the start", contract_now.name,
                 (long long) usage.cpu_us);
    cr_expect_eq(contract_reap(contract_spawn(cg, use_things, NULL)), 0);
    contract_wait_empty(cg);
    task_cgroup_read_usage(cg, &usage);
    cr_expect_geq(usage.cpu_us, 5000, "%s: %lld us", contract_now.name, (long long) usage.cpu_us);
    cr_expect_lt(usage.cpu_us, 5000000, "%s: %lld us", contract_now.name, (long long) usage.cpu_us);
    if (memory) {
        cr_expect_geq(usage.memory_peak_bytes, TOUCHED, "%s: %lld bytes", contract_now.name,
                      (long long) usage.memory_peak_bytes);
        cr_expect_lt(usage.memory_peak_bytes, 4 * (int64_t) TOUCHED, "%s: %lld bytes",
                     contract_now.name, (long long) usage.memory_peak_bytes);
        cr_expect_eq(usage.oom_kills, 0);
    } else {
        cr_expect_eq(usage.memory_peak_bytes, -1);
        cr_expect_eq(usage.oom_kills, -1);
    }
    cr_assert_eq(cgroup_host_remove(contract_now.host, "7.1.0", NULL), 0);
    task_cgroup_read_usage(cg, &usage);
    cr_expect_eq(usage.cpu_us, -1, "%s: of a removed group nothing is known", contract_now.name);
}

PROMISE(the_memory_limit_holds_and_its_kills_are_counted)
{
    const struct cgroup_limits limits = {.memory_bytes = TOUCHED / 2};
    struct task_cgroup_usage usage;

    contract_open(&contract_now, *row);
    if (!cgroup_host_can_limit(contract_now.host, CGROUP_LIMIT_MEMORY))
        contract_skip(&contract_now, "no memory controller");
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = contract_create("7.1.0", &limits);
    const int status = contract_reap(contract_spawn(cg, use_things, NULL));
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%s: %#x", contract_now.name,
              status);
    contract_wait_empty(cg);
    task_cgroup_read_usage(cg, &usage);
    cr_expect_eq(usage.oom_kills, 1, "%s: %lld", contract_now.name, (long long) usage.oom_kills);
    cr_expect_leq(usage.memory_peak_bytes, TOUCHED / 2);
    cr_expect_eq(usage.memory_at_limit, 1, "%s: %lld", contract_now.name,
                 (long long) usage.memory_at_limit);
}

PROMISE(a_kill_for_memory_at_the_limit_of_a_group_above_is_known_from_one_at_its_own)
{
    const struct cgroup_limits limits = {.memory_bytes = 4 * TOUCHED};
    struct task_cgroup_usage usage;
    char path[CONTRACT_PATH_SIZE];

    contract_open(&contract_now, *row);
    if (!cgroup_host_can_limit(contract_now.host, CGROUP_LIMIT_MEMORY))
        contract_skip(&contract_now, "no memory controller");
    if (contract_path(&contract_now, CGROUP_SLOT_MEMORY, "memory.limit_in_bytes", path) ||
        contract_tree_path("memory.max", path))
        cr_assert_eq(fdio_write_text(AT_FDCWD, path, "16777216"), 0, "%s", path);
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = contract_create("7.1.0", &limits);
    cr_expect(WIFSIGNALED(contract_reap(contract_spawn(cg, use_things, NULL))));
    contract_wait_empty(cg);
    task_cgroup_read_usage(cg, &usage);
    cr_expect_eq(usage.oom_kills, 1, "%s: %lld", contract_now.name, (long long) usage.oom_kills);
    cr_expect_eq(usage.memory_at_limit, 0, "%s: %lld", contract_now.name,
                 (long long) usage.memory_at_limit);
}

static void fork_until_refused(void *arg, const struct err *born_err)
{
    int count = 0;

    (void) arg;
    if (born_err)
        _exit(98);
    while (count < 90) {
        const pid_t pid = fork();

        if (pid < 0)
            break;
        if (pid == 0)
            for (;;)
                (void) pause();
        count++;
    }
    _exit(errno == EAGAIN ? count : 96);
}

PROMISE(the_pids_limit_holds)
{
    const struct cgroup_limits limits = {.pids = 7};

    contract_open(&contract_now, *row);
    if (!cgroup_host_can_limit(contract_now.host, CGROUP_LIMIT_PIDS))
        contract_skip(&contract_now, "no pids controller");
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = contract_create("7.1.0", &limits);
    const int status = contract_reap(contract_spawn(cg, fork_until_refused, NULL));
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 6, "%s: %#x", contract_now.name, status);
    contract_kill(cg);
    contract_wait_empty(cg);
}

PROMISE(the_note_can_be_read_from_the_group)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = contract_one(*row);
    char path[CONTRACT_PATH_SIZE];
    char note[64] = "";

    (void) contract_tree_path("7.1.0", path);
    cr_assert_gt(getxattr(path, "user.quell", note, sizeof(note) - 1), 0, "%s: %s",
                 contract_now.name, strerror(errno));
    cr_expect_str_eq(note, "a note");
}
