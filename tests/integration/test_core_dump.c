/*
 * A leader whose core goes to a file system that does not answer. While the kernel writes it, the
 * process is no zombie and takes no SIGTERM: it is Running. What bounds that is the time limit, a
 * cancel and [tasks] core_dump_time, whose kill ends the dump.
 */
#include "tests/integration/await.h"
#include "tests/integration/groups.h"
#include "tests/integration/mounts.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(core_dump, .fini = worlds_close, .timeout = 300);

#define PARTS(...) ((const char *const[]){__VA_ARGS__, NULL})

struct stage {
    struct world *world;
    struct program server;
    const char *dir; /* where the core goes */
    const char *id;
};

static const char *const backends[] = BACKENDS;
/* The main thread crashes, or another one. */
static const char *const crashes[] = {"raise=11", "thread=11"};

/* Why a core would not go to the task's directory, or NULL. */
static const char *elsewhere(struct world *w)
{
    const char *pattern = file_text(w, "/proc/sys/kernel/core_pattern");

    return strpbrk(pattern, "/|@") ? keepf(w, "cores of this machine go to %s", pattern) : NULL;
}

/* With an agent of this backend. False: it can't be had, or not with such a file system. */
static bool stage_open(struct stage *s, const char *backend)
{
    const char *why;

    s->world = group_world(backend, "[tasks]\nleftover_grace = 100ms\ncore_dump_time = 3s\n");
    if (!s->world)
        return false;
    why = elsewhere(s->world);
    if (!why)
        why = mounts_fuse(s->world);
    if (why) {
        (void) printf("SKIPPED: %s: %s\n", backend, why);
        return false;
    }
    head_start(s->world);
    agent_start(&s->world->agents[0]);
    return true;
}

static void server_start(struct stage *s)
{
    static int count;
    struct world *w = s->world;
    const struct program_child child = {.mark = keepf(w, JANITOR_DAEMON "=%s", w->dir)};

    s->dir = path_in(w, keepf(w, "cores-%d", count++));
    cr_assert_eq(mkdir(s->dir, 0755), 0);
    program_init(&s->server, "deaf");
    program_start(
        &s->server,
        (const char *const[]){keepf(w, "%s/deaf", QUELL_TEST_PROGRAMS_DIR), s->dir, "file", NULL},
        &child);
    program_await(&s->server, "ready");
}

static void server_end(struct stage *s)
{
    program_kill(&s->server);
    program_done(&s->server);
}

/* When it is back, the leader dumps, and is called Running. */
static void submit_crash(struct stage *s, const char *crash, const char *option, const char *value)
{
    server_start(s);
    s->id = submit(s->world, "--workdir", s->dir, "--stdout", "/dev/null", "--stderr", "/dev/null",
                   "--grace", "200ms", option, value, "--", program_in(s->world, "actor"), "core",
                   crash);
    program_await(&s->server, "asked");
    cr_assert_eq(survivors(s->world, s->id), 1);
    await_status(s->world, s->id, 0, "TaskStatus_Running");
}

static void assert_kill(struct stage *s, int64_t from_us, int64_t to_us)
{
    const json_t *task = task_show(s->world, s->id);
    const int64_t kill_us = number_at(task, "proof.us.kill");
    const int64_t reaped_us = number_at(task, "proof.us.reaped");

    (void) printf("%s, %s: kill after %lld us, reaped %lld us behind it\n", s->id,
                  getenv("QUELL_TEST_CGROUP_MODE"), (long long) kill_us,
                  (long long) (reaped_us - kill_us));
    assert_number(s->world, task, "signal", 9); /* there is no core, and nobody says so */
    assert_null(s->world, task, "exit_code");
    cr_assert_geq(kill_us, from_us);
    cr_assert_lt(reaped_us, to_us);
    assert_no_survivors(s->world, s->id);
}

/* On a machine under load; far below what the file system would take. */
#define LATE_US 30000000

Test(core_dump, a_cancel_ends_a_leader_that_dumps_for_ever)
{
    for (size_t b = 0; b < 3; b++) {
        struct stage s;

        if (!stage_open(&s, backends[b]))
            continue;
        for (size_t i = 0; i < 4; i++) {
            const bool at_once = i >= 2;

            submit_crash(&s, crashes[i % 2], "--name", "crash");
            cancel(s.world, s.id, "-m", "no core", "--grace", at_once ? "0" : "300ms");
            assert_cancelled(s.world, s.id, "no core", "cgroup_kill");
            /* A part of the grace may have passed at the agent. */
            assert_kill(&s, at_once ? 0 : 150000, LATE_US);
            server_end(&s);
        }
    }
}

Test(core_dump, a_dump_that_takes_too_long_is_cut_off)
{
    for (size_t b = 0; b < 3; b++) {
        struct stage s;

        if (!stage_open(&s, backends[b]))
            continue;
        for (size_t i = 0; i < 2; i++) {
            submit_crash(&s, crashes[i], "--name", "crash");
            assert_failed(s.world, task_wait(s.world, s.id), "core_dump",
                          PARTS("crashed", "more than 3.000 s", "cut off"));
            assert_kill(&s, 0, LATE_US);
            server_end(&s);
        }
    }
}

Test(core_dump, the_time_limit_ends_a_leader_that_dumps_for_ever)
{
    for (size_t b = 0; b < 3; b++) {
        struct stage s;

        if (!stage_open(&s, backends[b]))
            continue;
        for (size_t i = 0; i < 2; i++) {
            submit_crash(&s, crashes[i], "--runtime", "2s");
            assert_failed(s.world, task_wait(s.world, s.id), "time_limit", PARTS("2.000 s"));
            assert_text(s.world, task_show(s.world, s.id), "proof.method", kill_method());
            assert_kill(&s, 200000, LATE_US);
            server_end(&s);
        }
    }
}

/* A process that the leader has left behind has the leftover grace for its core. */
Test(core_dump, the_leftover_grace_bounds_a_dump_that_the_leader_leaves_behind)
{
    for (size_t b = 0; b < 3; b++) {
        struct stage s;
        const char *go;
        int fd;

        if (!stage_open(&s, backends[b]))
            continue;
        go = path_in(s.world, "go");
        fd = fifo_in(s.world, "go");
        server_start(&s);
        s.id = submit(s.world, "--workdir", s.dir, "--stdout", "/dev/null", "--stderr", "/dev/null",
                      "--", "sh", "-c",
                      keepf(s.world, "%s core raise=11 & read x < %s; exit 4",
                            program_in(s.world, "actor"), go));
        program_await(&s.server, "asked");
        cr_assert_eq(write(fd, "go\n", 3), 3);
        assert_failed(s.world, task_wait(s.world, s.id), "exit_code", PARTS("exit code 4"));
        assert_text(s.world, task_show(s.world, s.id), "proof.method", "leftovers");
        cr_assert_geq(number_at(task_show(s.world, s.id), "proof.us.kill"), 100000);
        assert_no_survivors(s.world, s.id);
        server_end(&s);
        (void) close(fd);
    }
}
