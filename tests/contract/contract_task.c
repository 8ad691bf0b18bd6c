#include "tests/contract/contract_task.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct contract contract_now;
int contract_pipe[2];

void contract_end(void)
{
    contract_done(&contract_now);
}

bool contract_is_v1(void)
{
    return cgroup_host_mode(contract_now.host) == CGROUP_MODE_V1;
}

bool contract_tree_path(const char *below, char ret[CONTRACT_PATH_SIZE])
{
    return contract_path(&contract_now, contract_tree(&contract_now), below, ret);
}

struct task_cgroup *contract_create(const char *name, const struct cgroup_limits *limits)
{
    static const struct cgroup_limits none;
    struct task_cgroup_dirs dirs;
    struct task_cgroup *cg = NULL;
    struct err err = {0};

    cr_assert_eq(
        cgroup_host_create(contract_now.host, name, "a note", limits ? limits : &none, &dirs, &err),
        0, "%s: %s", contract_now.name, err.text);
    cr_assert_eq(task_cgroup_open(&dirs, &cg, &err), 0, "%s: %s", contract_now.name, err.text);
    return cg;
}

struct task_cgroup *contract_one(size_t row)
{
    contract_open(&contract_now, row);
    return contract_create("7.1.0", NULL);
}

pid_t contract_spawn(struct task_cgroup *cg, void (*child)(void *arg, const struct err *born_err),
                     void *arg)
{
    struct err err = {0};
    pid_t pid = task_cgroup_spawn(cg, child, arg, NULL, &err);

    cr_assert_gt(pid, 0, "%s: %s", contract_now.name, err.text);
    return pid;
}

int contract_reap(pid_t pid)
{
    int status = -1;

    cr_assert_eq(waitpid(pid, &status, 0), pid, "%s: waitpid: %s", contract_now.name,
                 strerror(errno));
    return status;
}

void contract_kill(struct task_cgroup *cg)
{
    struct err err = {0};

    cr_assert_eq(task_cgroup_kill(cg, &err), 0, "%s: %s", contract_now.name, err.text);
}

/* Waits as a supervisor does: ask, then sleep until the kernel tells of a change. */
void contract_wait_empty(struct task_cgroup *cg)
{
    struct pollfd event = {0};
    struct err err = {0};
    int r;

    event.fd = task_cgroup_event_fd(cg, &event.events);
    while ((r = task_cgroup_is_empty(cg, &err)) == 0)
        cr_assert_gt(poll(&event, 1, CONTRACT_DEADLINE_MS), 0, "%s: no event, and not empty",
                     contract_now.name);
    cr_assert_eq(r, TASK_CGROUP_EMPTY, "%s: %s", contract_now.name, err.text);
}

void contract_ready_init(void)
{
    cr_assert_eq(pipe2(contract_pipe, O_CLOEXEC), 0);
}

void contract_say_ready(void)
{
    if (write(contract_pipe[1], "r", 1) != 1)
        _exit(99);
}

void contract_wait_ready(int count)
{
    struct pollfd event = {.fd = contract_pipe[0], .events = POLLIN};

    while (count-- > 0) {
        char c;

        cr_assert_gt(poll(&event, 1, CONTRACT_DEADLINE_MS), 0, "%s: %d not ready",
                     contract_now.name, count + 1);
        cr_assert_eq(read(contract_pipe[0], &c, 1), 1);
    }
}

void contract_stay(void *arg, const struct err *born_err)
{
    (void) arg;
    if (born_err)
        _exit(98);
    contract_say_ready();
    for (;;)
        (void) pause();
}

bool contract_count_one(void *arg, pid_t pid)
{
    (void) pid;
    (*(size_t *) arg)++;
    return true;
}

size_t contract_count(struct task_cgroup *cg)
{
    size_t count = 0;
    struct err err = {0};

    cr_assert_eq(task_cgroup_each_process(cg, contract_count_one, &count, &err), 0, "%s: %s",
                 contract_now.name, err.text);
    return count;
}

struct task_cgroup *contract_limited(size_t row)
{
    struct cgroup_limits limits = {0};

    contract_open(&contract_now, row);
    if (cgroup_host_can_limit(contract_now.host, CGROUP_LIMIT_MEMORY))
        limits.memory_bytes = 64U << 20;
    if (cgroup_host_can_limit(contract_now.host, CGROUP_LIMIT_CPU))
        limits.cpu_milli = 2000;
    if (cgroup_host_can_limit(contract_now.host, CGROUP_LIMIT_PIDS))
        limits.pids = 100;
    return contract_create("7.1.0", &limits);
}
