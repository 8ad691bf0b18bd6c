/*
 * No sleep and no poll loop in the kill path: strace looks at agent and supervisor while a task of
 * fighters is cancelled with a grace.
 */
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

TestSuite(strace, .fini = worlds_close, .timeout = 240);

#define HEARTBEATS_S 1.0 /* the agent may wake so often by itself, for its heartbeats */

struct trace {
    double from, to; /* the cancel, in wall time as strace prints it */
    int supervisor;
    int lines[2]; /* of the agent and the supervisor, within these */
    int timeouts; /* wake-ups of the agent by timer */
    int kills;    /* writes to cgroup.kill are the supervisor's */
};

static double wall_s(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_REALTIME, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

/* The last argument of the call as a number, where it is one: -1 for NULL and for a call whose
   arguments are not shown yet. */
static long last_number(const char *call)
{
    const char *end = strstr(call, ") = ");
    const char *comma = NULL;

    if (!end)
        end = strstr(call, " <unfinished");
    for (const char *at = call; end && at < end; at++)
        if (*at == ',')
            comma = at;
    return comma && strncmp(comma, ", NULL", 6) != 0 ? strtol(comma + 1, NULL, 10) : -1;
}

static bool is_call(const char *text, const char *name)
{
    const size_t len = strlen(name);

    return strncmp(text, name, len) == 0 && text[len] == '(';
}

/* "poll(...)" as well as "<... poll resumed>...". */
static bool is_any_part(const char *text, const char *name)
{
    return is_call(text, name) ||
           (strncmp(text, "<... ", 5) == 0 && strncmp(text + 5, name, strlen(name)) == 0 &&
            text[5 + strlen(name)] == ' ');
}

static bool is_forbidden(const char *call, bool supervisor)
{
    static const char *const sleeps[] = {"nanosleep", "clock_nanosleep", "select", "pselect6"};

    for (size_t i = 0; i < sizeof(sleeps) / sizeof(sleeps[0]); i++)
        if (is_any_part(call, sleeps[i]))
            return true;
    if (is_call(call, "ppoll")) /* its timeout is shown as {tv_sec=...} */
        return strstr(call, "tv_sec=") != NULL && !strstr(call, "{tv_sec=0, tv_nsec=0}");
    if (is_any_part(call, "poll"))
        return strstr(call, "], ") && last_number(call) > 0;
    return supervisor && is_any_part(call, "epoll_wait") && last_number(call) > 0;
}

/* A wait that its time ended, and not what it waited for. */
static bool is_timeout(const char *call)
{
    return is_any_part(call, "epoll_wait") && strstr(call, ") = 0") && last_number(call) != 0;
}

/* One line of strace -f -ttt: "PID TIME call(arguments) = result". */
static void judge(struct trace *trace, const char *line)
{
    char *rest;
    const bool supervisor = strtol(line, &rest, 10) == trace->supervisor;
    const double time = strtod(rest, &rest);

    if (time < trace->from || time > trace->to)
        return;
    line = rest + strspn(rest, " ");
    trace->lines[supervisor]++;
    cr_assert(!is_forbidden(line, supervisor), "%s: %s", supervisor ? "supervisor" : "agent", line);
    if (supervisor)
        trace->kills += is_call(line, "write") && strstr(line, ", \"1\", 1)");
    else
        trace->timeouts += is_timeout(line);
}

static void judge_file(struct trace *trace, const char *path)
{
    FILE *file = fopen(path, "re");
    char line[8192];

    cr_assert_not_null(file);
    while (fgets(line, sizeof(line), file))
        judge(trace, line);
    (void) fclose(file);
}

Test(strace, the_judge_of_the_calls_knows_a_sleep_and_a_poll_loop)
{
    static const struct {
        const char *line;
        bool forbidden_to_agent, forbidden_to_supervisor, timeout;
    } rows[] = {
        {"nanosleep({tv_sec=0, tv_nsec=1000}, NULL) = 0", true, true, false},
        {"clock_nanosleep(CLOCK_REALTIME, 0, {tv_sec=1}, <unfinished ...>", true, true, false},
        {"<... nanosleep resumed>NULL) = 0", true, true, false},
        {"select(5, [3], NULL, NULL, NULL) = 1", true, true, false},
        {"poll([{fd=3, events=POLLIN}], 1, 10) = 0 (Timeout)", true, true, false},
        {"poll([{fd=3, events=POLLIN}], 1, 10 <unfinished ...>", true, true, false},
        {"poll([{fd=3, events=POLLIN}, {fd=4}], 2, -1) = 1 ([{fd=4, revents=POLLIN}])", false,
         false, false},
        {"poll([{fd=3, events=POLLIN}], 1, 0) = 0 (Timeout)", false, false, false},
        {"<... poll resumed>) = 1 ([{fd=4, revents=POLLIN}])", false, false, false},
        {"ppoll([{fd=3}], 1, {tv_sec=1, tv_nsec=0}, NULL, 8) = 0", true, true, false},
        {"ppoll([{fd=3}], 1, NULL, NULL, 8) = 1", false, false, false},
        {"epoll_wait(3, [{events=EPOLLIN}], 32, 4999) = 1", false, true, false},
        {"epoll_wait(3, [], 32, 4999) = 0", false, true, true},
        {"<... epoll_wait resumed>[], 32, 4999) = 0", false, true, true},
        {"epoll_wait(3, [], 32, 0) = 0", false, false, false},
        {"epoll_wait(3, [], 32, -1) = 1", false, false, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect_eq(is_forbidden(rows[i].line, false), rows[i].forbidden_to_agent, "row %zu", i);
        cr_expect_eq(is_forbidden(rows[i].line, true), rows[i].forbidden_to_supervisor, "row %zu",
                     i);
        cr_expect_eq(is_timeout(rows[i].line), rows[i].timeout, "row %zu", i);
    }
}

static bool strace_works(struct world *w)
{
    const char *const argv[] = {"/usr/bin/env", "strace", "-f", "-o", "/dev/null", "true", NULL};

    return run(w, 0, argv).status == 0;
}

Test(strace, a_cancel_shows_no_sleep_and_no_poll_loop_in_agent_and_supervisor)
{
    struct world *w = world_make(NULL);
    const char *out = path_in(w, "trace");
    static const char calls[] = "trace=nanosleep,clock_nanosleep,select,pselect6,poll,ppoll,"
                                "epoll_wait,epoll_pwait,epoll_pwait2,write,timerfd_settime";
    /* -D: as a grandchild, so that the agent stays the test's own. */
    const char *const wrapper[] = {"strace", "-D", "-f",          "-ttt", "-qq", "-e",
                                   calls,    "-e", "signal=none", "-o",   out,   NULL};
    struct trace trace = {0};
    const char *id;

    if (!strace_works(w))
        SKIP("strace is not there, or may not trace here");
    if (QUELL_TEST_SANITIZED && !getenv("QUELL_BIN_DIR"))
        SKIP("this build looks for leaks at exit, which can't be done below a tracer");
    w->agents[0].wrapper = wrapper;
    head_start(w);
    agent_start(&w->agents[0]);
    id = submit_fighter(w, "n1", 10);
    trace.supervisor = supervisor_pid(&w->agents[0]);
    trace.from = wall_s();
    cancel(w, id, "-m", "watched", "--grace", "300ms");
    assert_cancelled(w, id, "watched", "cgroup_kill");
    trace.to = wall_s();
    group_await_removal(&w->agents[0], id);
    program_end(&w->agents[0].program);
    judge_file(&trace, out);
    (void) printf("%.3f s: %d calls of the agent, %d of the supervisor, %d wake-ups by timer\n",
                  trace.to - trace.from, trace.lines[0], trace.lines[1], trace.timeouts);
    cr_assert_gt(trace.lines[0], 0);
    cr_assert_gt(trace.lines[1], 0);
    /* Once, and once more when the group was not empty at once
     * (docs/decisions/cgroup-kill-misses.md). */
    cr_assert(world_is_v1() ? trace.kills == 0 : trace.kills == 1 || trace.kills == 2,
              "cgroup.kill was written %d times", trace.kills);
    cr_assert_leq(trace.timeouts, 2 + (int) ((trace.to - trace.from) / HEARTBEATS_S));
}
