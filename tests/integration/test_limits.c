/* Limits: what the kernel was told while the task runs, what it enforces, and what is refused where
 * it can't. And who pays for what. */
#include "tests/integration/asker.h"
#include "tests/integration/await.h"
#include "tests/integration/groups.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(limits, .fini = worlds_close, .timeout = 300);

#define NOBODY 65534

#define PARTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char *const backends[] = BACKENDS;
static const char *const limits[] = {"memory", "cpus", "pids"};

#define BACKENDS_LEN (sizeof(backends) / sizeof(backends[0]))
#define LIMITS_LEN   (sizeof(limits) / sizeof(limits[0]))

/* A world with an agent of this backend, or NULL. */
static struct world *open_on(const char *backend)
{
    struct world *w = group_world(backend, "");

    if (!w)
        return NULL;
    head_start(w);
    agent_start(&w->agents[0]);
    return w;
}

/* The same, and it can enforce all limits. */
static struct world *open_with_limits(const char *backend)
{
    struct world *w = open_on(backend);

    for (size_t i = 0; w && i < LIMITS_LEN; i++) {
        if (!group_can_limit(w, limits[i])) {
            (void) printf("SKIPPED: %s: no limit of %s can be had here\n", backend, limits[i]);
            return NULL;
        }
    }
    return w;
}

static bool is_v2(const char *backend)
{
    return strcmp(backend, "v2") == 0;
}

/* ---- what the kernel was told ---- */

/* A v2 host has one directory for all. */
static void assert_told(struct world *w, const char *backend, pid_t pid, const char *controller,
                        const char *file, const char *value)
{
    const char *group = group_of(w, pid, is_v2(backend) ? "" : controller);
    const char *seen = group_says(w, group, file);

    (void) printf("%s: %s/%s: %s\n", backend, group, file, seen);
    cr_assert_str_eq(seen, value, "%s: %s/%s is %s, not %s", backend, group, file, seen, value);
}

/* 64 MiB, half a CPU and 20 processes. */
static void assert_all_told(struct world *w, const char *backend, pid_t pid)
{
    if (is_v2(backend)) {
        assert_told(w, backend, pid, "", "memory.max", "67108864");
        assert_told(w, backend, pid, "", "memory.swap.max", "0");
        assert_told(w, backend, pid, "", "cpu.max", "50000 100000");
        assert_told(w, backend, pid, "", "pids.max", "20");
        return;
    }
    assert_told(w, backend, pid, "memory", "memory.limit_in_bytes", "67108864");
    if (file_exists(keepf(w, "%s/memory.memsw.limit_in_bytes", group_of(w, pid, "memory"))))
        assert_told(w, backend, pid, "memory", "memory.memsw.limit_in_bytes", "67108864");
    assert_told(w, backend, pid, "cpu", "cpu.cfs_quota_us", "50000");
    assert_told(w, backend, pid, "cpu", "cpu.cfs_period_us", "100000");
    assert_told(w, backend, pid, "pids", "pids.max", "20");
}

/* Runs when it is back. */
static const char *submit_holding(struct world *w, const char *const *options, const char *workdir)
{
    const char *argv[32] = {NULL};
    const int ready = fifo_in(w, "ready");
    size_t len = 0;
    const char *id;

    for (; *options; options++)
        argv[len++] = *options;
    argv[len++] = "--workdir";
    argv[len++] = workdir;
    argv[len++] = "--";
    argv[len++] = "sh";
    argv[len++] = "-c";
    argv[len++] = keepf(w,
                        "trap '' TERM; read line; echo \"$line in $PWD, $COLOUR\"; id -un >&2; "
                        "dd if=/dev/zero of=written bs=64k count=16 conv=fsync 2>/dev/null; "
                        "exec %s say=ready hold >%s",
                        program_in(w, "actor"), path_in(w, "ready"));
    id = submit_words(w, "n1", "nobody", argv);
    fifo_expect(ready, "ready");
    (void) close(ready);
    (void) unlink(path_in(w, "ready"));
    return id;
}

static const char *workdir(struct world *w)
{
    const char *dir = path_in(w, "work");

    cr_assert_eq(mkdir(dir, 0755), 0);
    cr_assert_eq(chown(dir, NOBODY, NOBODY), 0);
    return dir;
}

/* Not counted, or so much at least. */
static void assert_counted(struct world *w, const json_t *task, const char *path, int64_t least)
{
    if (!null_at(task, path))
        cr_assert_geq(number_at(task, path), least, "%s in %s", path, dump(w, task));
}

Test(limits, a_task_that_asks_for_everything_gets_everything)
{
    for (size_t i = 0; i < BACKENDS_LEN; i++) {
        struct world *w = open_with_limits(backends[i]);
        const char *dir, *out, *err, *id;
        const json_t *task;

        if (!w)
            continue;
        dir = workdir(w);
        out = keepf(w, "%s/o", dir);
        err = keepf(w, "%s/e", dir);
        id = submit_holding(w,
                            PARTS("-J", "7", "-T", "3", "--name", "all", "--stdin",
                                  file_in(w, "in", "a line\n"), "--stdout", out, "--stderr", err,
                                  "--env", "COLOUR=blue", "--runtime", "1h", "--memory", "64M",
                                  "--cpus", "0.5", "--pids", "20", "--grace", "300ms",
                                  "--not-rerunnable"),
                            dir);
        assert_all_told(w, backends[i], group_task_pid(w, id));
        cr_assert_str_eq(file_text(w, out), keepf(w, "a line in %s, blue\n", dir));
        cr_assert_str_eq(file_text(w, err), "nobody\n");
        cancel(w, id, "-m", "enough");
        assert_cancelled(w, id, "enough", "cgroup_kill");
        task = task_show(w, id);
        /* A part of the grace may have passed at the agent. */
        cr_assert_geq(number_at(task, "proof.us.kill"), 150000, "%s", dump(w, task));
        assert_number(w, task, "runtime_ms", 3600000);
        assert_number(w, task, "memory_bytes", 67108864);
        assert_number(w, task, "pids", 20);
        assert_number(w, task, "usage.oom_kills", 0);
        cr_assert_gt(number_at(task, "usage.cpu_us"), 0);
        cr_assert_gt(number_at(task, "usage.memory_peak_bytes"), 65536);
        cr_assert_leq(number_at(task, "usage.memory_peak_bytes"), 67108864);
        assert_counted(w, task, "usage.io_write_bytes", 0);
        assert_counted(w, task, "usage.io_read_bytes", 0);
        group_await_removal(&w->agents[0], id);
    }
}

Test(limits, a_task_that_asks_for_none_has_a_limit_of_4096_processes)
{
    for (size_t i = 0; i < BACKENDS_LEN; i++) {
        struct world *w = open_with_limits(backends[i]);
        const char *id;

        if (!w)
            continue;
        id = submit_fighter(w, "n1", 1);
        assert_told(w, backends[i], group_task_pid(w, id), "pids", "pids.max", "4096");
        cancel(w, id, "--grace", "0");
        assert_cancelled(w, id, NULL, "cgroup_kill");
    }
}

/* ---- what it enforces ---- */

Test(limits, a_task_has_no_more_cpu_and_no_more_processes_than_it_asked_for)
{
    for (size_t i = 0; i < BACKENDS_LEN; i++) {
        struct world *w = open_with_limits(backends[i]);
        const char *err;
        const json_t *task;

        if (!w)
            continue;
        task = task_wait(
            w, submit(w, "--cpus", "0.1", "--runtime", "2s", "--", program_in(w, "actor"), "spin"));
        assert_failed(w, task, "time_limit", PARTS("2.000 s"));
        (void) printf("%s: %lld us in 2 s with a tenth of a CPU\n", backends[i],
                      (long long) number_at(task, "usage.cpu_us"));
        cr_assert_lt(number_at(task, "usage.cpu_us"), 600000);

        err = file_in(w, "forks", "");
        task = task_wait(w, submit(w, "--pids", "3", "--stderr", err, "--", "sh", "-c",
                                   "sleep 60 & sleep 60 & sleep 60 & sleep 60 & exit 0"));
        assert_failed(w, task, "exit_code", PARTS("exit code 2"));
        assert_has(file_text(w, err), "fork");
    }
}

/* Not even exec fits. */
Test(limits, a_limit_that_no_program_fits_into_is_told_as_such)
{
    for (size_t i = 0; i < BACKENDS_LEN; i++) {
        struct world *w = open_with_limits(backends[i]);
        const json_t *task;

        if (!w)
            continue;
        task = task_wait(w, submit(w, "--memory", "4K", "--", "true"));
        (void) printf("%s: %s\n", backends[i], text_at(task, "error_message"));
        assert_failed(w, task, "out_of_memory", PARTS("limit is 4096 bytes"));
        cr_assert_geq(number_at(task, "usage.oom_kills"), 1);
    }
}

/* ---- what is refused ---- */

Test(limits, one_that_the_host_cannot_enforce_is_refused_and_the_others_hold)
{
    static const char *const values[] = {"64M", "0.5", "20"};
    int refused = 0;

    for (size_t i = 0; i < BACKENDS_LEN; i++) {
        struct world *w = open_on(backends[i]);

        for (size_t j = 0; w && j < LIMITS_LEN; j++) {
            const char *id;
            const json_t *task;

            if (group_can_limit(w, limits[j]))
                continue;
            refused++;
            id = submit(w, keepf(w, "--%s", limits[j]), values[j], "--", "true");
            task = task_wait(w, id);
            (void) printf("%s: %s\n", backends[i], text_at(task, "error_message"));
            assert_failed(w, task, "could_not_start",
                          PARTS(keepf(w, "a limit of %s was asked for", limits[j]),
                                "this host can't enforce one",
                                keepf(w, "cgroup mode %s", backends[i])));
            assert_text(w, task, "proof.method", "never_started");
            cr_assert(!group_exists(&w->agents[0], id));
            assert_has(program_log(&w->agents[0].program),
                       keepf(w, "can't enforce a limit of %s", limits[j]));
            task = task_wait(w, submit(w, "--runtime", "100ms", "--", "sleep", "60"));
            assert_failed(w, task, "time_limit", PARTS("0.100 s"));
        }
    }
    if (!refused)
        SKIP("this host can enforce every limit, in each mode that it has");
}

/* ---- who pays ---- */

/* Nanoseconds on a CPU. */
static long long cpu_ns(struct world *w, pid_t pid)
{
    return strtoll(file_text(w, keepf(w, "/proc/%d/schedstat", (int) pid)), NULL, 10);
}

static void assert_elsewhere(struct world *w, const char *id, pid_t pid)
{
    const char *text = file_text(w, keepf(w, "/proc/%d/cgroup", (int) pid));

    cr_assert_null(strstr(text, keepf(w, "/%s.", id)), "process %d is in the task's group:\n%s",
                   (int) pid, text);
}

/* What the task was charged with until now. */
static const char *charged(struct world *w, const char *backend, pid_t pid)
{
    return strcmp(backend, "v1") == 0 ? group_says(w, group_of(w, pid, "cpuacct"), "cpuacct.usage")
                                      : group_says(w, group_of(w, pid, ""), "cpu.stat");
}

static void ask_often(struct world *w, const char *id)
{
    struct asker *head = asker_open(w->head_socket);
    struct asker *agent = asker_open(w->agents[0].socket);
    int status;

    for (int i = 0; i < 200; i++) {
        json_decref(asker_post(head, keepf(w, "/v1/tasks/%s/cancel", id), "{\"grace_ms\": 600000}",
                               &status));
        cr_assert_eq(status, 200);
        json_decref(asker_get(agent, keepf(w, "/v1/tasks/%s/processes", id), NULL));
    }
    asker_close(agent);
    asker_close(head);
    /* The supervisor carries out one after the other. */
    cancel(w, id, "--grace", "0");
}

Test(limits, supervisor_and_agent_are_charged_to_no_task)
{
    for (size_t i = 0; i < BACKENDS_LEN; i++) {
        struct world *w = open_on(backends[i]);
        long long agent_ns;
        const char *id, *before;
        const json_t *task;
        pid_t supervisor;
        int64_t cpu_us;

        if (!w)
            continue;
        id = submit_fighter(w, "n1", 1);
        supervisor = supervisor_pid(&w->agents[0]);
        assert_elsewhere(w, id, supervisor);
        assert_elsewhere(w, id, w->agents[0].program.pid);
        before = charged(w, backends[i], group_task_pid(w, id));
        agent_ns = cpu_ns(w, w->agents[0].program.pid);
        ask_often(w, id);
        assert_cancelled(w, id, NULL, "cgroup_kill");
        agent_ns = cpu_ns(w, w->agents[0].program.pid) - agent_ns;
        task = task_show(w, id);
        cpu_us = number_at(task, "usage.cpu_us");
        (void) printf("%s: agent %lld us, task %lld us, of them \"%s\" before the cancels\n",
                      backends[i], agent_ns / 1000, (long long) cpu_us, before);
        cr_assert_gt(agent_ns / 1000, 0);
        cr_assert_lt(cpu_us * 1000, agent_ns, "%s", dump(w, task));
    }
}
