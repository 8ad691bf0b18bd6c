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
    int lines[2];  /* of the agent and the supervisor, within these */
    int timeouts;  /* wake-ups of the agent by timer */
    int kills;     /* writes to cgroup.kill are the supervisor's */
};

static double wall_s(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_REALTIME, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

/* The last argument but those in @behind ("" for none), as a number; -1 for NULL and the like. */
static long last_number(const char *call)
{
    const char *end = strrchr(call, ')');
    const char *comma = NULL;

    for (const char *at = call; end && at < end; at++)
        if (*at == ',')
            comma = at;
    return comma ? strtol(comma + 1, NULL, 10) : -1;
}

static bool is_call(const char *text, const char *name)
{
    const size_t len = strlen(name);

    return strncmp(text, name, len) == 0 && text[len] == '(';
}

/* One line of strace -f -ttt: "PID TIME call(arguments) = result". */
static void judge(struct trace *trace, const char *line)
{
    static const char *const never[] = {"nanosleep", "clock_nanosleep", "select", "pselect6"};
    double time;
    int pid, at;
    bool supervisor;

    if (sscanf(line, "%d %lf %n", &pid, &time, &at) != 2 || time < trace->from || time > trace->to)
        return;
    supervisor = pid == trace->supervisor;
    trace->lines[supervisor]++;
    line += at;
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        cr_assert(!is_call(line, never[i]), "%s", line);
    if (supervisor) {
        /* ppoll shows its timeout as {tv_sec=...}: NULL is for ever. */
        cr_assert(!is_call(line, "ppoll") || strstr(line, "NULL"), "%s", line);
        cr_assert(!(is_call(line, "poll") || is_call(line, "epoll_wait")) || last_number(line) <= 0,
                  "a wait with a timeout in the supervisor: %s", line);
        trace->kills += strstr(line, "\"1\", 1)") != NULL;
        return;
    }
    cr_assert(!is_call(line, "poll") || last_number(line) <= 0, "%s", line);
    if ((is_call(line, "epoll_wait") || strstr(line, "epoll_wait resumed")) &&
        strstr(line, ") = 0") && last_number(line) != 0)
        trace->timeouts++;
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

static bool strace_works(void)
{
    return system("strace -f -o /dev/null true >/dev/null 2>&1") == 0;
}

Test(strace, a_cancel_shows_no_sleep_and_no_poll_loop_in_agent_and_supervisor)
{
    struct world *w = world_make(NULL);
    const char *out = path_in(w, "trace");
    const char *const wrapper[] = {
        "strace",
        "-f",
        "-ttt",
        "-qq",
        "-e",
        "trace=nanosleep,clock_nanosleep,select,pselect6,poll,ppoll,epoll_wait,epoll_pwait,"
        "epoll_pwait2,write,timerfd_settime",
        "-e",
        "signal=none",
        "-o",
        out,
        NULL};
    struct trace trace = {0};
    const char *id;

    if (!strace_works())
        SKIP("strace is not there, or may not trace here");
    /* LeakSanitizer can't work below a tracer. */
    cr_assert_eq(setenv("ASAN_OPTIONS", "detect_leaks=0", 1), 0);
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
    program_end(&w->agents[0].program); /* strace hands the signal on, and has written all */
    judge_file(&trace, out);
    (void) printf("%.3f s: %d calls of the agent, %d of the supervisor, %d wake-ups by timer\n",
                  trace.to - trace.from, trace.lines[0], trace.lines[1], trace.timeouts);
    cr_assert_gt(trace.lines[0], 0);
    cr_assert_gt(trace.lines[1], 0);
    cr_assert_eq(trace.kills, 1, "cgroup.kill was written %d times", trace.kills);
    cr_assert_leq(trace.timeouts, 2 + (int) ((trace.to - trace.from) / HEARTBEATS_S));
}
