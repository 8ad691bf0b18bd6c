/* As whom a task runs: the user is looked up by a helper of the agent, which may hang; and nothing
 * of root's, nor of the agent's, is left in the task. */
#include "tests/integration/mounts.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

TestSuite(users, .fini = worlds_close, .timeout = 120);

#define PARTS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define ODD        "Quell $(odd); 'n\\am\"e \xc3\xa9\t."

/* A head that knows the machine's users, and an agent that knows those of nss_stand_in.c too. NULL:
   it can't be had, and the test is skipped. */
static struct world *world_with_users(const char *agent_config)
{
    struct world *w = world_make(agent_config);
    const char *why;

    head_start(w);
    why = mounts_users(w);
    if (why) {
        (void) fprintf(stderr, "SKIPPED: %s\n", why);
        return NULL;
    }
    agent_start(&w->agents[0]);
    return w;
}

/* What a task of @user writes to its stdout. */
static const char *output_of(struct world *w, const char *user, const char *script)
{
    const char *out = file_in(w, "out", "");
    const char *id = submit_words(
        w, "n1", user,
        PARTS("--stdout", out, "--stderr", "/dev/null", "--", "/bin/sh", "-c", script));

    assert_text(w, task_wait(w, id), "status", "TaskStatus_Finished");
    return file_text(w, out);
}

static void assert_user_refused(struct world *w, const char *user, const char *reason)
{
    const json_t *task = task_wait(w, submit_words(w, "n1", user, PARTS("--", "true")));

    assert_failed(w, task, "could_not_start", PARTS("could not start", reason));
    assert_null(w, task, "exit_code");
    assert_text(w, task, "proof.method", "never_started");
}

/* ---- look-ups that hang ---- */

/* The daemon's only child that looks a user up. */
static int helper_pidfd(struct world *w, const struct program *daemon)
{
    const char *children =
        keepf(w, "/proc/%d/task/%d/children", (int) daemon->pid, (int) daemon->pid);
    char *at = file_text(w, children);
    int found = -1;

    for (long pid = strtol(at, &at, 10); pid > 0; pid = strtol(at, &at, 10)) {
        const char *name = file_text(w, keepf(w, "/proc/%ld/cmdline", pid));

        if (strcmp(name, "quell-user-lookup") != 0)
            continue;
        cr_assert_lt(found, 0, "more than one helper");
        found = pidfd_open((pid_t) pid, 0);
        cr_assert_geq(found, 0);
    }
    cr_assert_geq(found, 0, "there is no helper");
    return found;
}

static int fifo_asked(void)
{
    int fd;

    cr_assert_eq(mkfifo("/mnt/asked", 0600), 0, "%s", strerror(errno));
    fd = open("/mnt/asked", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    return fd;
}

Test(users, a_look_up_that_hangs_delays_the_tasks_of_that_user_alone_and_ends_with_the_last)
{
    struct world *w = world_with_users(NULL);
    const char *ids[2];
    int asked, helper;

    if (!w)
        return;
    asked = fifo_asked();
    ids[0] = submit_words(w, "n1", "quell-hangs", PARTS("--", "true"));
    fifo_expect(asked, "hangs");
    ids[1] = submit_words(w, "n1", "quell-hangs", PARTS("--", "true"));
    for (int i = 0; i < 3; i++)
        assert_text(w, task_wait(w, submit(w, "--", "true")), "status", "TaskStatus_Finished");
    cr_assert_str_eq(output_of(w, "quell-homed", "id -u"), "40007\n");
    helper = helper_pidfd(w, &w->agents[0].program);
    for (int i = 0; i < 2; i++) {
        assert_null(w, task_show(w, ids[i]), "start_time");
        assert_text(w, task_show(w, ids[i]), "status", "TaskStatus_Queued");
        cancel(w, ids[i], "-m", "not now");
        assert_cancelled(w, ids[i], "not now", "never_started");
        assert_null(w, task_show(w, ids[i]), "signal");
    }
    cr_assert_eq(wait_readable(helper), 0, "the helper goes on");
    (void) close(helper);
    (void) close(asked);
}

Test(users, an_agent_that_ends_while_a_look_up_hangs_leaves_the_task_to_the_next)
{
    struct world *w = world_with_users(NULL);
    const char *id;
    int asked, helper;

    if (!w)
        return;
    asked = fifo_asked();
    id = submit_words(w, "n1", "quell-hangs", PARTS("--", "true"));
    fifo_expect(asked, "hangs");
    helper = helper_pidfd(w, &w->agents[0].program);
    program_kill(&w->agents[0].program);
    cr_assert_eq(wait_readable(helper), 0, "the helper goes on without its agent");
    agent_start(&w->agents[0]);
    fifo_expect(asked, "hangs");
    program_end(&w->agents[0].program);
    agent_start(&w->agents[0]);
    fifo_expect(asked, "hangs");
    cancel(w, id, "-m", "not now");
    assert_cancelled(w, id, "not now", "never_started");
    (void) close(helper);
    (void) close(asked);
}

Test(users, a_look_up_that_hangs_at_the_head_delays_that_request_alone)
{
    struct world *w = world_make(NULL);
    const char *why = mounts_users(w);
    const char *const argv[] = {bin(w, "quellctl"), "submit", "-n",   "n1", "--user",
                                "quell-hangs",      "--",     "true", NULL};
    const struct program_child child = {.mark = keepf(w, JANITOR_DAEMON "=%s", w->dir)};
    struct program request;
    int asked, helper;

    if (why)
        SKIP("%s", why);
    head_start(w);
    agent_start(&w->agents[0]);
    asked = fifo_asked();
    cr_assert_eq(setenv("QUELL_HEAD", w->head_socket, 1), 0);
    program_init(&request, "quellctl");
    program_start(&request, argv, &child);
    fifo_expect(asked, "hangs");
    assert_text(w, task_wait(w, submit(w, "--", "true")), "status", "TaskStatus_Finished");
    cr_assert_str_eq(program_log(&request), "");
    helper = helper_pidfd(w, &w->head);
    cr_assert_eq(pidfd_send_signal(helper, SIGKILL, NULL, 0), 0);
    program_await(&request, "2.1\n"); /* it is added: a user whom only the node may know */
    cr_assert_eq(program_wait(&request), 0);
    program_done(&request);
    fifo_expect(asked, "hangs"); /* the node's helper */
    cancel(w, "2.1", "-m", "not now");
    assert_cancelled(w, "2.1", "not now", "never_started");
    (void) close(helper);
    (void) close(asked);
}

/* ---- users whom a directory may have ---- */

Test(users, odd_ones_run_as_what_they_are)
{
    struct world *w = world_with_users(NULL);
    const char *text;

    if (!w)
        return;
    text = output_of(w, ODD, "printf '%s|%s|%s' \"$USER\" \"$LOGNAME\" \"$HOME\"");
    cr_assert_str_eq(text, ODD "|" ODD "|/tmp");
    text = output_of(w, "quell-homeless", "id -u; pwd; echo $HOME $SHELL");
    cr_assert_str_eq(text, "40001\n/\n/ /bin/sh\n");
    cr_assert_str_eq(output_of(w, "40001", "id -u"), "40001\n");
    cr_assert_str_eq(output_of(w, "quell-many", "id -G | wc -w"), "1000\n");
    cr_assert_eq(mkdir("/mnt/sub", 0755), 0);
    text = file_in(w, "out", "");
    cr_assert_eq(ctl(w, "submit", "-n", "n1", "--user", "quell-homed", "--workdir", "sub",
                     "--stdout", text, "--wait", "--", "pwd")
                     .status,
                 0);
    cr_assert_str_eq(file_text(w, text), "/mnt/sub\n");
}

Test(users, impossible_ones_are_refused_with_a_sentence)
{
    struct world *w = world_with_users(NULL);

    if (!w)
        return;
    assert_user_refused(w, "quell-too-many", "user quell-too-many is in more than 1024 groups");
    assert_user_refused(w, "quell-none", "user quell-none has a number that no process can have");
    assert_user_refused(w, "quell-no-group", "a number that no process can have");
    assert_user_refused(w, "quell-second-root", "allow_root");
    assert_user_refused(w, "0", "allow_root");
    assert_user_refused(w, "4294967295", "there is no user 4294967295");
    assert_user_refused(w, "49999", "there is no user 49999");
    assert_user_refused(w, "no\nsuch user", "there is no user no\nsuch user");
    assert_user_refused(w, "quell-trouble", "looking up user quell-trouble: ");
    /* It was not the agent's own end. */
    assert_text(w, task_wait(w, submit(w, "--", "true")), "status", "TaskStatus_Finished");
}

/* ---- what a task has ---- */

static void assert_status_line(const char *text, const char *name, const char *value)
{
    const char *line = strstr(text, name);

    cr_assert_not_null(line, "no %s in:\n%s", name, text);
    line += strlen(name) + 1 + strspn(line + strlen(name) + 1, "\t ");
    cr_assert(strncmp(line, value, strlen(value)) == 0 && strchr(" \n", line[strlen(value)]),
              "%s is not %s in:\n%s", name, value, text);
}

Test(users, a_task_has_the_users_numbers_a_session_and_no_capability)
{
    static const char *const sets[] = {"CapInh", "CapPrm", "CapEff", "CapAmb"};
    struct world *w = world_open(1);
    const char *text = output_of(w, "daemon",
                                 "cat /proc/self/status; id -G; "
                                 "test \"$(cut -d' ' -f5,6,7 /proc/$$/stat)\" = \"$$ $$ 0\" && "
                                 "echo a group, a session, no terminal");

    assert_status_line(text, "\nUid", "1\t1\t1\t1");
    assert_status_line(text, "\nGid", "1\t1\t1\t1");
    assert_status_line(text, "\nGroups", "1");
    assert_status_line(text, "\nNoNewPrivs", "1");
    assert_has(text, "a group, a session, no terminal");
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
        assert_status_line(text, sets[i], "0000000000000000");
}

/* What whoever starts the agent may have: the agent has it from this process. */
static void spoil(void)
{
    const struct sched_param param = {0};
    struct { /* the kernel's */
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)(void);
        unsigned long mask;
    } ignore = {.handler = SIG_IGN};

    for (int signo = 1; signo <= 64; signo++)
        if (signo != SIGCHLD && signo != SIGTERM)
            (void) syscall(SYS_rt_sigaction, signo, &ignore, NULL, sizeof(ignore.mask));
    cr_assert_eq(setpriority(PRIO_PROCESS, 0, 7), 0);
    cr_assert_eq(sched_setscheduler(0, SCHED_BATCH, &param), 0);
    cr_assert_eq(
        syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)), 0);
    (void) umask(0);
}

Test(users, a_task_has_nothing_of_what_the_agent_was_started_with)
{
    static const char script[] =
        "cat /proc/self/status; ulimit -Sn; umask; ionice | cut -d: -f1; "
        "cut -d' ' -f19,40,41 /proc/self/stat; cat /proc/self/oom_score_adj";
    struct world *w = world_make(NULL);
    struct rlimit files, before;
    const char *text;

    head_start(w);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    files = before;
    files.rlim_cur = 512;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
    spoil();
    agent_start(&w->agents[0]);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    text = output_of(w, "nobody", script);
    assert_status_line(text, "\nSigIgn", "0000000000000000");
    assert_status_line(text, "\nSigBlk", "0000000000000000");
    assert_status_line(text, "\nSigPnd", "0000000000000000");
    /* nice, real-time priority, policy; and no protection from the OOM killer */
    assert_has(text, "\n512\n0022\nnone\n0 0 0\n0\n");
}

Test(users, a_task_can_use_no_key_of_the_one_who_started_the_agent)
{
    static const char secret[] = "quell-test-secret";
    struct world *w = world_make(NULL);

    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 ||
        syscall(SYS_add_key, "user", secret, "x", 1, KEY_SPEC_SESSION_KEYRING) < 0)
        SKIP("no keys here: %s", strerror(errno));
    cr_assert_not_null(strstr(file_text(w, "/proc/keys"), secret), "the test itself has it not");
    head_start(w);
    agent_start(&w->agents[0]);
    cr_assert_null(strstr(output_of(w, "nobody", "cat /proc/keys"), secret));
}
