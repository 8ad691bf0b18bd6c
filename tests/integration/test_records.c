/* The node's records are damaged: nothing of it is taken for ended, and nothing is lost. */
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <unistd.h>

TestSuite(records, .fini = worlds_close, .timeout = 120);

/* The one file of that name in the agent's attempts. */
static const char *record_path(struct world *w, const char *file)
{
    glob_t found;
    const char *path;

    cr_assert_eq(glob(path_in(w, keepf(w, "n1.state/attempts/*/%s", file)), 0, NULL, &found), 0);
    cr_assert_eq(found.gl_pathc, 1, "%zu files named %s", found.gl_pathc, file);
    path = keep(w, found.gl_pathv[0]);
    globfree(&found);
    return path;
}

static void put_file(const char *path, const char *bytes, size_t len)
{
    const int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, bytes, len), (ssize_t) len);
    (void) close(fd);
}

static size_t get_file(const char *path, char *ret, size_t size)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t len = fd < 0 ? -1 : read(fd, ret, size);

    cr_assert_gt(len, 0);
    (void) close(fd);
    return (size_t) len;
}

Test(records, a_task_whose_record_cannot_be_read_is_not_taken_for_ended)
{
    struct world *w = world_open(1);
    struct agent *agent = &w->agents[0];
    const char *id = submit_fighter(w, "n1", 3);
    const char *record = record_path(w, "command");
    char whole[4096];
    const size_t len = get_file(record, whole, sizeof(whole));

    program_kill(&agent->program);
    put_file(record, whole, len / 2);
    agent_start(agent); /* and it has said hello */
    assert_text(w, task_show(w, id), "status", "TaskStatus_Running");
    cr_assert_eq(survivors(w, id), 3);

    /* Put right, it is as if nothing had been. */
    program_kill(&agent->program);
    put_file(record, whole, len);
    agent_start(agent);
    cancel(w, id, "-m", "mended", "--grace", "0");
    (void) task_wait(w, id);
    assert_cancelled(w, id, "mended", "cgroup_kill");
}

Test(records, a_torn_started_does_not_hide_a_running_task)
{
    struct world *w = world_open(1);
    struct agent *agent = &w->agents[0];
    const char *id = submit_fighter(w, "n1", 3);

    program_kill(&agent->program);
    put_file(record_path(w, "started"), "QUELL", 5);
    agent_start(agent);
    assert_text(w, task_show(w, id), "status", "TaskStatus_Running");
    cancel(w, id, "--grace", "0");
    (void) task_wait(w, id);
    assert_cancelled(w, id, NULL, "cgroup_kill");
}
