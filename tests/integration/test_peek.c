/* The end of a task's output, through head and agent. */
#include "tests/integration/await.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(peek, .fini = worlds_close, .timeout = 120);

#define NOBODY 65534

/* A directory in which user nobody may write. */
static const char *room(struct world *w)
{
    const char *path = path_in(w, "room");

    cr_assert_eq(mkdir(path, 0700), 0);
    cr_assert_eq(chown(path, NOBODY, NOBODY), 0);
    return path;
}

static const json_t *outputs(struct world *w, const char *id)
{
    const struct ctl answer = ctl(w, "--json", "peek", id);

    cr_assert_eq(answer.status, 0, "%s", answer.err);
    return at(keep_json(w, json_loads(answer.out, 0, NULL)), "outputs");
}

Test(peek, of_a_running_task_the_last_bytes_of_both_files_are_shown)
{
    struct world *w = world_open(1);
    const char *dir = room(w);
    const int ready = fifo_in(w, "ready");
    const char *id = submit(w, "--workdir", dir, "--", "/bin/sh", "-c",
                            keepf(w, "echo first; echo wrong >&2; echo here > %s; exec sleep 1000",
                                  path_in(w, "ready")));
    const struct ctl answer = (fifo_expect(ready, "here"), ctl(w, "peek", id));
    const json_t *found;

    cr_assert_eq(answer.status, 0, "%s", answer.err);
    assert_has(answer.out, "==> stdout: quell-1.1.0.out (6 bytes) <==\nfirst\n");
    assert_has(answer.out, "==> stderr: quell-1.1.0.err (6 bytes) <==\nwrong\n");
    found = json_array_get(outputs(w, id), 0);
    assert_text(w, found, "stream", "stdout");
    assert_text(w, found, "tail", "first\n");
    assert_number(w, found, "size", 6);
    assert_null(w, found, "error");
}

Test(peek, the_tail_of_a_large_file_is_cut_at_its_beginning_and_shown_after_the_end)
{
    struct world *w = world_open(1);
    const char *out = file_in(w, "out", "");
    const char *id =
        submit(w, "--stdout", out, "--", "/bin/sh", "-c", "yes 0123456 | head -n 10000; echo end");
    const json_t *found;

    (void) task_wait(w, id);
    found = json_array_get(outputs(w, id), 0);
    assert_text(w, found, "path", out);
    assert_number(w, found, "size", 80004);
    cr_assert_eq(strlen(text_at(found, "tail")), 4096);
    cr_assert_str_eq(text_at(found, "tail") + 4092, "end\n");
}

Test(peek, output_that_went_nowhere_is_said_and_control_characters_are_not_printed)
{
    struct world *w = world_open(1);
    const char *out = file_in(w, "out", "");
    const char *silent = submit(w, "--workdir", "/", "--", "/bin/echo", "lost");
    const char *loud = submit(w, "--stdout", out, "--", "/usr/bin/printf", "\\033[31mred\\n");
    struct ctl answer;

    (void) task_wait(w, silent);
    (void) task_wait(w, loud);
    answer = ctl(w, "peek", silent);
    assert_has(answer.out, "==> stdout: /dev/null <==\n");
    answer = ctl(w, "peek", loud);
    assert_has(answer.out, "\\x1B[31mred\n");
}

Test(peek, what_the_tasks_user_may_not_read_is_not_read)
{
    struct world *w = world_open(1);
    const char *out = file_in(w, "out", "");
    const char *id = submit(w, "--stdout", out, "--", "/bin/echo", "mine");
    const json_t *found;

    (void) task_wait(w, id);
    cr_assert_eq(unlink(out), 0);
    cr_assert_eq(symlink("/etc/shadow", out), 0);
    found = json_array_get(outputs(w, id), 0);
    assert_null(w, found, "tail");
    assert_has(text_at(found, "error"), "Permission denied");
    cr_assert_eq(unlink(out), 0);
    cr_assert_eq(mkfifo(out, 0666), 0); /* an open for reading would wait */
    found = json_array_get(outputs(w, id), 0);
    assert_has(text_at(found, "error"), "no regular file");
}

Test(peek, only_its_owner_root_and_operators_see_the_output)
{
    struct world *w = world_open(1);
    const char *out = file_in(w, "out", "");
    const char *id = submit(w, "--stdout", out, "--", "/bin/echo", "secret");
    struct ctl answer;

    (void) task_wait(w, id);
    answer = ctl_as(w, 1, "peek", id);
    cr_assert_eq(answer.status, 1);
    assert_has(answer.err, "0x80070005");
    cr_assert_null(strstr(answer.out, "secret"));
    answer = ctl_as(w, NOBODY, "peek", id);
    cr_assert_eq(answer.status, 0, "%s", answer.err);
    assert_has(answer.out, "secret");
}

Test(peek, what_has_no_output_and_a_node_that_does_not_answer_are_refused)
{
    struct world *w = world_open(1);
    const char *id = submit_fighter(w, "n1", 1);
    struct ctl answer = ctl(w, "add", "-n", "n1", "-J", "9", "--", "/bin/true");

    cr_assert_eq(answer.status, 0, "%s", answer.err);
    answer = ctl(w, "peek", "9.1");
    cr_assert_eq(answer.status, 1);
    assert_has(answer.err, "0x8007139F");
    answer = ctl(w, "peek", "77.1");
    assert_has(answer.err, "0x80040207");
    await_status(w, id, 0, "TaskStatus_Running");
    program_signal(&w->agents[0].program, SIGSTOP);
    answer = ctl(w, "peek", id);
    program_signal(&w->agents[0].program, SIGCONT);
    cr_assert_eq(answer.status, 1);
    assert_has(answer.err, "0x800700AA");
    cancel(w, id, "--grace", "0");
    assert_cancelled(w, id, NULL, "cgroup_kill");
}
