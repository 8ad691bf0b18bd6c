/*
 * One kernel call of the running programs fails, for each of them in turn: of the agent, of the
 * supervisor, of the child that becomes the task; while a task starts and ends, and while one is
 * cancelled. Whatever it is, the outcome is true, nothing is left behind or leaked, and the next
 * task runs as ever.
 */
#include "tests/fault/injector.h"
#include "tests/integration/asker.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <unistd.h>

TestSuite(launch_fault, .fini = worlds_close, .timeout = 1200);

#define LANES     4   /* worlds side by side that share the calls of one row */
#define CALLS_MAX 600 /* more than any of these needs */

struct lane {
    enum injector_role role;
    struct world *world;
    struct agent *agent;
    struct injector injector;
    struct program waiter; /* quellctl wait */
    size_t fds;            /* of the agent, at rest */
    size_t groups;         /* entries where the tasks' groups are, without any */
    size_t log_seen;
    int hits;
};

/* ---- what is looked at ---- */

/* How many entries but `lock` and the dots. */
static size_t entries_of(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    size_t count = 0;

    cr_assert_not_null(dir, "%s: %s", path, strerror(errno));
    while ((entry = readdir(dir)))
        count += entry->d_name[0] != '.' && strcmp(entry->d_name, "lock") != 0;
    (void) closedir(dir);
    return count;
}

/* Once it has answered twice, so that what it was about is done, the end of the connection before
   too; its end of this one counts. */
static size_t agent_fds(const struct lane *lane)
{
    struct asker *asker = asker_open(lane->agent->socket);
    size_t len;

    for (int i = 0; i < 2; i++)
        json_decref(asker_get(asker, "/v1/node", NULL));
    len = entries_of(keepf(lane->world, "/proc/%d/fd", (int) lane->agent->program.pid));
    asker_close(asker);
    return len;
}

static void assert_same_fds(struct lane *lane, const char *when)
{
    char path[64], target[256];

    const size_t fds = agent_fds(lane);

    if (fds == lane->fds)
        return;
    for (int fd = 0; fd < 1024; fd++) {
        ssize_t len;

        (void) snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int) lane->agent->program.pid, fd);
        len = readlink(path, target, sizeof(target) - 1);
        if (len > 0)
            (void) fprintf(stderr, "%s -> %.*s\n", path, (int) len, target);
    }
    cr_assert_fail("%s: the agent has %zu descriptors, and had %zu", when, fds, lane->fds);
}

/* ---- waiting; the agent is started again when a call was too much for it ---- */

/* Its libraries end it: nanomsg with an assertion that names its own file, libevent with [err]. */
static void revive(struct lane *lane)
{
    const int status = program_wait(&lane->agent->program);
    const char *log = program_log(&lane->agent->program) + lane->log_seen;

    cr_assert(strstr(log, "./src/") || strstr(log, "[err]"),
              "the agent ended with wait status 0x%x:\n%s", (unsigned) status, log);
    lane->log_seen = lane->agent->program.log_len;
    agent_start(lane->agent);
    lane->fds = 0; /* counted anew */
}

static void fail(struct lane *lane, const char *what)
{
    const struct injector_hit hit = injector_disarm(&lane->injector);

    cr_assert_fail("%s since %s(%s) failed:\n%s", what, hit.call, hit.path,
                   program_log(&lane->agent->program));
}

/* Until @fd is readable. */
static void await(struct lane *lane, int fd, const char *what)
{
    struct program *agent = &lane->agent->program;
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.events = POLLIN}};

    do {
        fds[1].fd = agent->pidfd;
        if (poll(fds, 2, DEADLINE_MS) <= 0)
            fail(lane, what);
        if (fds[1].revents)
            revive(lane);
    } while (!fds[0].revents);
}

static void await_empty(struct lane *lane, const char *path, size_t but)
{
    const int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    char events[4096];

    cr_assert_geq(fd, 0);
    cr_assert_geq(inotify_add_watch(fd, path, IN_DELETE | IN_MOVE), 0, "%s: %s", path,
                  strerror(errno));
    while (entries_of(path) > but) {
        await(lane, fd, keepf(lane->world, "something stays in %s", path));
        (void) !read(fd, events, sizeof(events));
    }
    (void) close(fd);
}

/* Until quellctl says that the task has ended; a dead agent is started again. */
static json_t *await_end(struct lane *lane, const char *id)
{
    struct world *w = lane->world;
    const char *argv[] = {bin(w, "quellctl"), "--head", w->head_socket, "wait", id, NULL};

    program_start(&lane->waiter, argv, NULL);
    await(lane, lane->waiter.pidfd, keepf(w, "%s does not end", id));
    (void) program_wait(&lane->waiter);
    return task_show(w, id);
}

/* They may have done all and be about to exit: under a sanitizer that takes a while. */
static void await_supervisors(struct lane *lane)
{
    const char *path = keepf(lane->world, "%s/supervisors/cgroup.procs", lane->agent->group);
    pid_t pid;

    while ((pid = (pid_t) strtol(file_text(lane->world, path), NULL, 10)) > 0) {
        const int fd = pidfd_open(pid, 0);

        if (fd < 0)
            continue; /* it is gone */
        await(lane, fd, "a supervisor stays");
        (void) close(fd);
    }
}

/* Nothing is left of what ran. */
static void await_rest(struct lane *lane)
{
    struct world *w = lane->world;

    await_empty(lane, lane->agent->group, lane->groups);
    await_empty(lane, keepf(w, "%s/n1.state/attempts", w->dir), 0);
    await_empty(lane, keepf(w, "%s/n1.run", w->dir), 0);
    assert_no_survivors(w, NULL);
    await_supervisors(lane);
}

/* ---- a task ---- */

static const char *submit_short(struct lane *lane, const char *ran)
{
    return submit(lane->world, "--", "/bin/sh", "-c",
                  keepf(lane->world, "echo ran >> %s; exit 7", ran));
}

static void expect_ran(struct lane *lane, const json_t *task)
{
    assert_text(lane->world, task, "status", "TaskStatus_Failed");
    assert_text(lane->world, task, "cause", "exit_code");
    assert_number(lane->world, task, "exit_code", 7);
}

/* With nothing that fails. */
static void play_plain(struct lane *lane)
{
    const char *ran = file_in(lane->world, "plain", "");
    const char *id = submit_short(lane, ran);

    expect_ran(lane, await_end(lane, id));
    cr_assert_str_eq(file_text(lane->world, ran), "ran\n");
    await_rest(lane);
}

static void tell(const struct lane *lane, int nth, const struct injector_hit *hit,
                 const json_t *task)
{
    static const char *const roles[] = {"agent", "supervisor", "child"};

    if (hit->hit)
        (void) printf("call %d of the %s, %s(%s): %s, %s\n", nth, roles[lane->role], hit->call,
                      hit->path, text_at(task, "cause"), text_at(task, "error_message"));
}

/* Of a static supervisor in musl's words; of libcgroup in its own. */
static bool says_why(const char *text, int code)
{
    const char *musl = code == EMFILE   ? "No file descriptors available"
                       : code == EIO    ? "I/O error"
                       : code == ENOMEM ? "Out of memory"
                                        : strerror(code);

    return strstr(text, strerror(code)) || strstr(text, musl) || strstr(text, "libcgroup: ") ||
           (code == ENOMEM && strstr(text, "no memory"));
}

/* What is said of a task must agree with what it did. */
static void judge_start(struct lane *lane, const json_t *task, const char *ran,
                        const struct injector_hit *hit)
{
    const char *did = file_text(lane->world, ran);
    const char *text = text_at(task, "error_message");

    cr_assert(*did == '\0' || strcmp(did, "ran\n") == 0, "it ran twice: %s", did);
    if (strcmp(text_at(task, "cause"), "could_not_start") == 0) {
        cr_assert_str_empty(did, "it ran: %s", dump(lane->world, task));
        cr_assert(says_why(text, -hit->code), "%s %s failed, and the sentence is: %s", hit->call,
                  hit->path, text);
        return;
    }
    if (strcmp(text_at(task, "cause"), "unknown") == 0) {
        assert_null(lane->world, task, "exit_code");
        return;
    }
    expect_ran(lane, task);
    cr_assert_str_eq(did, "ran\n");
}

static void play_start(struct lane *lane, int nth)
{
    const char *ran = file_in(lane->world, keepf(lane->world, "ran.%d", nth), "");
    struct injector_hit hit;
    const json_t *task;
    const char *id;

    injector_arm(&lane->injector, nth);
    id = submit_short(lane, ran);
    task = await_end(lane, id);
    await_rest(lane);
    hit = injector_disarm(&lane->injector);
    tell(lane, nth, &hit, task);
    judge_start(lane, task, ran, &hit);
}

static void play_cancel(struct lane *lane, int nth)
{
    struct world *w = lane->world;
    const char *id = submit_fighter(w, "n1", 2);
    struct injector_hit hit;
    const json_t *task;

    injector_arm(&lane->injector, nth);
    cancel(w, id, "-m", "for a reason", "--grace", nth % 2 ? "0" : "1ms");
    task = await_end(lane, id);
    await_rest(lane);
    hit = injector_disarm(&lane->injector);
    tell(lane, nth, &hit, task);
    assert_text(w, task, "status", "TaskStatus_Cancelled");
    assert_text(w, task, "error_message", "for a reason");
}

/* ---- the sweep ---- */

static void lane_open(struct lane *lane, enum injector_role role)
{
    *lane = (struct lane){.role = role, .world = world_open(1)};
    lane->agent = &lane->world->agents[0];
    program_init(&lane->waiter, "quellctl wait");
    lane->groups = entries_of(lane->agent->group);
    (void) setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    play_plain(lane); /* the user is known from here on */
    lane->fds = agent_fds(lane);
    injector_start(&lane->injector, lane->agent->program.pid, role);
}

static void lane_rest(struct lane *lane)
{
    if (lane->fds == 0) { /* another agent */
        injector_stop(&lane->injector);
        play_plain(lane);
        lane->fds = agent_fds(lane);
        injector_start(&lane->injector, lane->agent->program.pid, lane->role);
    }
    play_plain(lane);
    assert_same_fds(lane, "at rest");
}

struct fault_row {
    enum injector_role role;
    bool cancel;
    int lane;
};

/* Calls first, first + LANES, ... until one is not reached any more. */
static void sweep(const struct fault_row *row)
{
    struct lane lane;
    bool reached = true;
    const char *why = injector_hindrance();

    if (why)
        SKIP("%s", why);
    if (QUELL_TEST_SANITIZED && !getenv("QUELL_BIN_DIR") && row->role != INJECT_PROGRAM)
        SKIP("this build looks for leaks at exit, which a traced supervisor can't");
    lane_open(&lane, row->role);
    for (int nth = 1 + row->lane; reached; nth += LANES) {
        cr_assert_lt(nth, CALLS_MAX);
        if (row->cancel)
            play_cancel(&lane, nth);
        else
            play_start(&lane, nth);
        reached = injector_disarm(&lane.injector).hit;
        lane.hits += reached;
        lane_rest(&lane);
    }
    injector_stop(&lane.injector);
    program_done(&lane.waiter);
    cr_assert_gt(lane.hits, 2, "hardly anything could fail");
}

static struct fault_row rows[5 * LANES];

ParameterizedTestParameters(launch_fault, whatever_fails_once_the_outcome_is_true)
{
    static const struct fault_row kinds[] = {{INJECT_PROGRAM, false, 0},
                                             {INJECT_SUPERVISOR, false, 0},
                                             {INJECT_CHILD, false, 0},
                                             {INJECT_PROGRAM, true, 0},
                                             {INJECT_SUPERVISOR, true, 0}};

    for (int i = 0; i < 5 * LANES; i++) {
        rows[i] = kinds[i / LANES];
        rows[i].lane = i % LANES;
    }
    return cr_make_param_array(struct fault_row, rows, 5 * LANES);
}

ParameterizedTest(const struct fault_row *row, launch_fault,
                  whatever_fails_once_the_outcome_is_true)
{
    sweep(row);
}
