/* What a task finds: user, directory, files, environment. */
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(world_of_a_task, .fini = worlds_close, .timeout = 300);

#define NOBODY 65534

/* A directory of nobody's. */
static const char *workdir(struct world *w)
{
    const char *path = path_in(w, "work");

    cr_assert_eq(mkdir(path, 0755), 0);
    cr_assert_eq(chown(path, NOBODY, NOBODY), 0);
    return path;
}

static void assert_line(const char *text, const char *line)
{
    const size_t len = strlen(line);

    for (const char *at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
        if (strncmp(at, line, len) == 0 && (at[len] == '\n' || at[len] == '\0'))
            return;
    cr_assert_fail("there is no line \"%s\" in:\n%s", line, text);
}

static size_t lines(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += *text == '\n';
    return count;
}

Test(world_of_a_task, it_has_the_environment_that_is_promised_and_nothing_of_the_agents)
{
    struct world *w = world_open(1);
    const char *dir = workdir(w);
    const char *id, *text;

    id = submit(w, "-J", "7", "-T", "3", "--workdir", dir, "--env", "COLOUR=blue", "--", "env");
    cr_assert_str_eq(id, "7.3");
    assert_text(w, task_wait(w, id), "status", "TaskStatus_Finished");
    text = file_text(w, keepf(w, "%s/quell-7.3.0.out", dir));
    assert_line(text, "HOME=/nonexistent");
    assert_line(text, "USER=nobody");
    assert_line(text, "LOGNAME=nobody");
    assert_line(text, "SHELL=/usr/sbin/nologin");
    assert_line(text, "PATH=/usr/local/bin:/usr/bin:/bin");
    assert_line(text, "QUELL_JOB_ID=7");
    assert_line(text, "QUELL_TASK_ID=3");
    assert_line(text, "QUELL_ATTEMPT=0");
    assert_line(text, "QUELL_NODE=n1");
    assert_line(text, "COLOUR=blue");
    assert_line(text, w->mark);
    cr_assert_eq(lines(text), 11, "more than that:\n%s", text);
    cr_assert_str_eq(file_text(w, keepf(w, "%s/quell-7.3.0.err", dir)), "");
}

Test(world_of_a_task, it_is_the_user_in_the_directory_with_standard_files_only)
{
    static const char script[] = "id -u; id -g; id -G; pwd; readlink /proc/self/fd/0; "
                                 "ls /proc/self/fd; umask; "
                                 "grep -E 'Sig(Blk|Ign)|NoNewPrivs' /proc/$$/status | sort; "
                                 "echo to-err >&2";
    struct world *w = world_open(1);
    const char *dir = workdir(w);
    const char *id, *text;
    struct stat st;

    id = submit(w, "-J", "1", "--workdir", dir, "--", "sh", "-c", script);
    assert_text(w, task_wait(w, id), "status", "TaskStatus_Finished");
    text = file_text(w, keepf(w, "%s/quell-1.1.0.out", dir));
    /* 3 is the directory that ls reads. */
    cr_assert_str_eq(text,
                     keepf(w,
                           "65534\n65534\n65534\n%s\n/dev/null\n0\n1\n2\n3\n0022\n"
                           "NoNewPrivs:\t1\nSigBlk:\t0000000000000000\n"
                           "SigIgn:\t0000000000000000\n",
                           dir),
                     "%s", text);
    cr_assert_str_eq(file_text(w, keepf(w, "%s/quell-1.1.0.err", dir)), "to-err\n");
    cr_assert_eq(stat(keepf(w, "%s/quell-1.1.0.out", dir), &st), 0);
    cr_assert_eq(st.st_uid, NOBODY);
}

Test(world_of_a_task, files_that_are_named_are_its_standard_files)
{
    struct world *w = world_open(1);
    const char *in = file_in(w, "in", "one line\n");
    const char *out = file_in(w, "out", "to be cut\n");

    assert_text(w,
                task_wait(w, submit(w, "--stdin", in, "--stdout", out, "--stderr", out, "--", "sh",
                                    "-c", "cat; echo err >&2; echo out")),
                "status", "TaskStatus_Finished");
    cr_assert_str_eq(file_text(w, out), "one line\nerr\nout\n");
}

Test(world_of_a_task, output_goes_nowhere_where_the_user_may_not_write)
{
    struct world *w = world_open(1);
    const char *id = submit(w, "--", "echo", "nobody hears this");

    assert_text(w, task_wait(w, id), "status", "TaskStatus_Finished");
    cr_assert(!file_exists(keepf(w, "/quell-%s.0.out", id)));
}

Test(world_of_a_task, root_is_refused_unless_the_node_allows_it)
{
    struct world *w = world_open(1);
    const struct ctl answer = ctl(w, "submit", "-n", "n1", "--wait", "--", "id", "-u");
    const json_t *task = task_show(w, "1.1");

    cr_assert_eq(answer.status, 4, "%s", answer.err);
    assert_failed(w, task, "could_not_start",
                  ((const char *const[]){"root", "not allowed", "allow_root", NULL}));
}

Test(world_of_a_task, root_runs_where_the_node_allows_it)
{
    struct world *w = world_make("[tasks]\nallow_root = yes\n");
    const char *out = path_in(w, "out");
    struct ctl answer;

    head_start(w);
    agent_start(&w->agents[0]);
    answer = ctl(w, "submit", "-n", "n1", "--stdout", out, "--stderr", "/dev/null", "--wait", "--",
                 "id", "-u");
    cr_assert_eq(answer.status, 0, "%s", answer.err);
    cr_assert_str_eq(file_text(w, out), "0\n");
    assert_text(w, task_show(w, "1.1"), "user", "root");
}

Test(world_of_a_task, a_user_submits_for_themselves_and_for_nobody_else)
{
    struct world *w = world_open(1);
    struct ctl answer = ctl_as(w, NOBODY, "submit", "-n", "n1", "--wait", "--", "true");

    cr_assert_eq(answer.status, 0, "%s", answer.err);
    assert_text(w, task_show(w, "1.1"), "user", "nobody");
    answer = ctl_as(w, NOBODY, "submit", "-n", "n1", "--user", "root", "--", "true");
    cr_assert_eq(answer.status, 1);
    assert_has(answer.err, "0x80070005");
}

Test(world_of_a_task, it_has_a_pids_limit_of_4096_where_the_node_can_set_one)
{
    struct world *w = world_open(1);
    const char *id = submit_fighter(w, "n1", 2);
    const char *group = w->agents[0].group;
    const char *tag = strrchr(group, '/') + 1;
    glob_t found;

    /* On v2 beside the other files, on hybrid in the v1 hierarchy. */
    (void) glob(keepf(w, "%s/%s.*/pids.max", group, id), 0, NULL, &found);
    (void) glob(keepf(w, "/sys/fs/cgroup/pids/%s/%s.*/pids.max", tag, id), GLOB_APPEND, NULL,
                &found);
    if (found.gl_pathc == 0) {
        globfree(&found);
        SKIP("no pids controller for the groups of this test");
    }
    cr_assert_eq(found.gl_pathc, 1);
    cr_assert_str_eq(file_text(w, found.gl_pathv[0]), "4096\n");
    globfree(&found);
    cancel(w, id, "--grace", "0");
    (void) task_wait(w, id);
}
