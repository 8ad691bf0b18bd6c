/* Directories and files that the user names: they are opened as the user, and may hang. */
#include "tests/integration/mounts.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(files, .fini = worlds_close, .timeout = 120);

#define NOBODY 65534

#define PARTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char *dir_in(struct world *w, const char *name, uid_t owner, mode_t mode)
{
    const char *path = path_in(w, name);

    cr_assert_eq(mkdir(path, mode), 0, "%s: %s", path, strerror(errno));
    cr_assert_eq(chmod(path, mode), 0);
    cr_assert_eq(chown(path, owner, owner), 0);
    return path;
}

static void assert_others_go_on(struct world *w)
{
    for (int i = 0; i < 3; i++)
        assert_text(w, task_wait(w, submit(w, "--", "true")), "status", "TaskStatus_Finished");
}

/* With the default grace: SIGTERM alone must be enough, before the kill. */
static void assert_cancel_ends(struct world *w, const char *id, const char *witness)
{
    const json_t *task = task_show(w, id);

    assert_null(w, task, "end_time");
    cancel(w, id, "-m", "hangs");
    assert_cancelled(w, id, "hangs", "exited_in_grace");
    assert_null(w, task_show(w, id), "exit_code");
    cr_assert(!file_exists(witness), "it has run");
    group_await_removal(&w->agents[0], id);
}

/* ---- files that hang ---- */

Test(files, a_fifo_that_nobody_opens_delays_its_task_alone_and_a_cancel_ends_that)
{
    static const char *const options[] = {"--stdin", "--stdout", "--stderr"};
    struct world *w = world_open(1);
    const char *dir = dir_in(w, "dir", NOBODY, 0755);
    const char *witness = keepf(w, "%s/ran", dir);

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        const char *fifo = path_in(w, keepf(w, "fifo-%zu", i));
        const char *id;

        cr_assert_eq(mkfifo(fifo, 0666), 0);
        cr_assert_eq(chmod(fifo, 0666), 0);
        id = submit(w, options[i], fifo, "--", program_in(w, "actor"),
                    keepf(w, "touch=%s", witness));
        assert_others_go_on(w);
        assert_cancel_ends(w, id, witness);
    }
}

/* ---- file systems that do not answer ---- */

/* A directory whose server never answers; @how: see programs/deaf.c. */
static const char *deaf_start(struct world *w, struct program *server, const char *name,
                              const char *how)
{
    const struct program_child child = {.mark = keepf(w, JANITOR_DAEMON "=%s", w->dir)};
    const char *dir = dir_in(w, name, 0, 0755);
    const char *argv[] = {keepf(w, "%s/deaf", QUELL_TEST_PROGRAMS_DIR), dir, how, NULL};

    program_init(server, name);
    program_start(server, argv, &child);
    program_await(server, "ready");
    return dir;
}

static void deaf_end(struct program *server)
{
    program_kill(server);
    program_done(server);
}

Test(files, a_file_system_that_does_not_answer_delays_its_task_alone_and_a_cancel_ends_that)
{
    static const struct {
        const char *option, *below;
    } rows[] = {{"--workdir", ""}, {"--stdin", "/in"}, {"--stdout", "/out"}, {"--stderr", "/err"}};
    struct world *w = world_make(NULL);
    const char *why = mounts_fuse(w);
    const char *dir = dir_in(w, "dir", NOBODY, 0755);
    const char *witness = keepf(w, "%s/ran", dir);

    if (why)
        SKIP("%s", why);
    head_start(w);
    agent_start(&w->agents[0]);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct program server;
        const char *deaf = deaf_start(w, &server, keepf(w, "deaf-%zu", i), "keep");
        const char *id = submit(w, rows[i].option, keepf(w, "%s%s", deaf, rows[i].below), "--",
                                program_in(w, "actor"), keepf(w, "touch=%s", witness));

        program_await(&server, "asked");
        assert_others_go_on(w);
        assert_cancel_ends(w, id, witness);
        deaf_end(&server);
    }
}

Test(files, a_program_on_a_file_system_that_does_not_answer_delays_its_task_alone)
{
    struct world *w = world_make(NULL);
    const char *why = mounts_fuse(w);
    struct program server;
    const char *deaf, *id;

    if (why)
        SKIP("%s", why);
    head_start(w);
    agent_start(&w->agents[0]);
    deaf = deaf_start(w, &server, "deaf", "keep");
    id = submit(w, "--", keepf(w, "%s/program", deaf));
    program_await(&server, "asked");
    assert_others_go_on(w);
    assert_cancel_ends(w, id, "/no/such/file");
    deaf_end(&server);
}

/* A request that the server has taken holds whoever waits in the kernel until the server has ended:
   not even SIGKILL ends that. */
Test(files, what_the_kernel_holds_is_not_called_ended_and_becomes_cancelled_when_it_lets_go)
{
    struct world *w = world_make(NULL);
    const char *why = mounts_fuse(w);
    struct program server;
    const char *deaf, *id;
    const json_t *task;

    if (why)
        SKIP("%s", why);
    head_start(w);
    agent_start(&w->agents[0]);
    deaf = deaf_start(w, &server, "deaf", "take");
    id = submit(w, "--workdir", deaf, "--", "true");
    program_await(&server, "asked");
    cancel(w, id, "-m", "held", "--grace", "0");
    assert_others_go_on(w);
    task = task_show(w, id);
    cr_assert(!null_at(task, "cancel_time"));
    assert_null(w, task, "end_time");
    cr_assert(group_exists(&w->agents[0], id));
    deaf_end(&server);
    assert_cancelled(w, id, "held", "cgroup_kill");
    assert_number(w, task_show(w, id), "signal", 9);
    group_await_removal(&w->agents[0], id);
}

/* ---- what is nobody's ---- */

/* Ends Failed without having run, and the sentence has the path and the reason. */
static void assert_refused(struct world *w, const char *option, const char *path,
                           const char *reason)
{
    const json_t *task = task_wait(w, submit(w, option, path, "--", "true"));

    assert_failed(w, task, "could_not_start", PARTS("could not start", path, reason));
    assert_null(w, task, "exit_code");
}

Test(files, paths_below_proc_lead_to_nothing_of_ours)
{
    static const char *const files[] = {"environ", "mem",  "maps",           "fd/0",
                                        "fd/3",    "fd/5", "root/etc/passwd"};
    struct world *w = world_open(1);
    const pid_t agent = w->agents[0].program.pid;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        assert_refused(w, "--stdin", keepf(w, "/proc/1/%s", files[i]), "Permission denied");
        assert_refused(w, "--stdin", keepf(w, "/proc/%d/%s", (int) agent, files[i]),
                       "Permission denied");
    }
    assert_refused(w, "--workdir", keepf(w, "/proc/%d/cwd", (int) agent), "Permission denied");
    assert_refused(w, "--stdin", "/proc/self/environ", "Permission denied");
    assert_refused(w, "--stdin", "/proc/self/mem", "Permission denied");
    assert_refused(w, "--stdout", "/proc/self/oom_score_adj", "Permission denied");
    assert_refused(w, "--stdout", "/proc/sys/kernel/core_pattern", "Permission denied");
    /* The pipe by which the child tells what failed is there, but not for the user. */
    assert_refused(w, "--stdout", "/proc/self/fd/3", "Permission denied");
    for (int fd = 4; fd < 20; fd++) {
        assert_refused(w, "--stdin", keepf(w, "/proc/self/fd/%d", fd), "No such file");
        assert_refused(w, "--workdir", keepf(w, "/dev/fd/%d", fd), "No such file");
    }
}

Test(files, standard_files_and_directories_of_proc_are_the_childs_own)
{
    static const char *const files[] = {"/dev/stdin", "/proc/self/fd/1", "/dev/stderr"};
    struct world *w = world_open(1);
    const char *out = file_in(w, "out", "");

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const char *id = submit(w, "--stdin", files[i], "--stdout", out, "--", "sh", "-c",
                                "readlink /proc/self/fd/0; wc -c");

        assert_text(w, task_wait(w, id), "status", "TaskStatus_Finished");
        cr_assert_str_eq(file_text(w, out), "/dev/null\n0\n");
    }
    assert_text(w,
                task_wait(w, submit(w, "--workdir", "/proc/self/cwd", "--stdout", out, "--", "sh",
                                    "-c", "readlink /proc/self/cwd")),
                "status", "TaskStatus_Finished");
    cr_assert_str_eq(file_text(w, out), "/\n");
}

Test(files, what_only_root_may_reach_stays_roots)
{
    struct world *w = world_open(1);
    const char *locked = dir_in(w, "locked", 0, 0700);
    const char *mine = dir_in(w, "mine", NOBODY, 0755);
    const char *secret = file_in(w, "secret", "roots\n");

    cr_assert_eq(chmod(secret, 0600), 0);
    cr_assert_eq(symlink(secret, keepf(w, "%s/link", mine)), 0);
    assert_refused(w, "--workdir", locked, "Permission denied");
    assert_refused(w, "--stdout", keepf(w, "%s/out", locked), "Permission denied");
    assert_refused(w, "--stdin", secret, "Permission denied");
    assert_refused(w, "--stdin", keepf(w, "%s/link", mine), "Permission denied");
    assert_refused(w, "--stdout", keepf(w, "%s/link", mine), "Permission denied");
    assert_refused(w, "--workdir", keepf(w, "%s/gone", mine), "No such file");
    cr_assert_str_eq(file_text(w, secret), "roots\n");
}

Test(files, a_link_in_the_place_of_the_usual_output_is_not_followed)
{
    struct world *w = world_open(1);
    const char *dir = dir_in(w, "dir", NOBODY, 0777);
    const char *other = file_in(w, "other", "as it was\n");
    const char *id;

    cr_assert_eq(symlink(other, keepf(w, "%s/quell-5.1.0.out", dir)), 0);
    id = submit(w, "-J", "5", "-T", "1", "--workdir", dir, "--", "echo", "nobody hears this");
    assert_text(w, task_wait(w, id), "status", "TaskStatus_Finished");
    cr_assert_str_eq(file_text(w, other), "as it was\n");
}

/* ---- shared and special files ---- */

Test(files, tasks_with_one_output_between_them_write_over_nothing_of_each_other)
{
    struct world *w = world_open(1);
    const char *out = file_in(w, "out", "");
    const int ready = fifo_in(w, "ready"), go = fifo_in(w, "go");
    const char *script = keepf(w, "echo ready > %s; read line < %s; echo a line of $0",
                               path_in(w, "ready"), path_in(w, "go"));
    const char *ids[2], *text;

    for (int i = 0; i < 2; i++) {
        ids[i] = submit(w, "--stdout", out, "--", "sh", "-c", script, keepf(w, "task-%d", i));
        fifo_expect(ready, "ready");
    }
    for (int i = 0; i < 2; i++) /* a shell reads no byte more than its line */
        cr_assert_eq(write(go, "go\n", 3), 3);
    for (int i = 0; i < 2; i++)
        assert_text(w, task_wait(w, ids[i]), "status", "TaskStatus_Finished");
    text = file_text(w, out);
    cr_assert_eq(strlen(text), 2 * strlen("a line of task-0\n"), "%s", text);
    assert_has(text, "a line of task-0\n");
    assert_has(text, "a line of task-1\n");
    (void) close(ready);
    (void) close(go);
}

Test(files, a_terminal_that_is_opened_does_not_become_the_tasks)
{
    struct world *w = world_open(1);
    const char *out = file_in(w, "out", "");
    const int pty = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    const char *id, *path;

    if (pty < 0 || grantpt(pty) < 0 || unlockpt(pty) < 0)
        SKIP("no terminals here: %s", strerror(errno));
    path = keep(w, ptsname(pty));
    cr_assert_eq(chmod(path, 0666), 0);
    id = submit(w, "--stdin", path, "--stdout", out, "--", "sh", "-c",
                "test -t 0 && cut -d' ' -f7 /proc/self/stat");
    assert_text(w, task_wait(w, id), "status", "TaskStatus_Finished");
    cr_assert_str_eq(file_text(w, out), "0\n"); /* its controlling terminal */
    (void) close(pty);
}
