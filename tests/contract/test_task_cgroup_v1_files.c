/*
 * A v1 group made of files: in which order a kill writes what, what it does when a step fails, and
 * what is read from files that this machine may not have.
 */
#include "cgroups/task_cgroup.h"

#include "base/fdio.h"
#include "tests/fakes/fake_cgfs.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];
static struct task_cgroup *cg;
static pid_t child;

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void) st;
    (void) type;
    (void) where;
    return remove(path);
}

static void done(void)
{
    cg = task_cgroup_free(cg);
    if (child > 0 && kill(child, SIGKILL) == 0)
        (void) waitpid(child, NULL, 0);
    (void) nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *file, const char *text)
{
    char path[256];
    FILE *out;

    (void) snprintf(path, sizeof(path), "%s/%s", dir, file);
    out = fopen(path, "we");
    cr_assert_not_null(out, "%s: %s", path, strerror(errno));
    (void) fputs(text, out);
    (void) fclose(out);
}

static int make(const char *group)
{
    char path[256];

    (void) snprintf(path, sizeof(path), "%s/%s", dir, group);
    cr_assert_eq(mkdir(path, 0755), 0, "%s: %s", path, strerror(errno));
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void make_freezer(const char *group, const char *procs, struct task_cgroup_dirs *ret)
{
    char file[64];
    const int fd = make(group);

    if (ret)
        ret->fd[CGROUP_SLOT_FREEZER] = fd;
    else
        (void) close(fd);
    (void) snprintf(file, sizeof(file), "%s/cgroup.procs", group);
    put(file, procs);
    (void) snprintf(file, sizeof(file), "%s/freezer.state", group);
    put(file, "THAWED\n");
}

static struct task_cgroup_dirs begin(const char *procs)
{
    struct task_cgroup_dirs dirs = {.mode = CGROUP_MODE_V1, .cgroup_path = "/no/such/group"};

    (void) snprintf(dir, sizeof(dir), "/tmp/quell-fake-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    for (enum cgroup_slot slot = 0; slot < CGROUP_SLOT_COUNT; slot++)
        dirs.fd[slot] = -1;
    make_freezer("freezer", procs, &dirs);
    return dirs;
}

static void open_group(const struct task_cgroup_dirs *dirs)
{
    struct err err = {0};

    cr_assert_eq(task_cgroup_open(dirs, &cg, &err), 0, "%s", err.text);
}

/* Returns it as a line of cgroup.procs. */
static const char *fork_child(void)
{
    static char line[16];

    child = fork();
    if (child == 0)
        for (;;)
            (void) pause();
    cr_assert_gt(child, 0);
    (void) snprintf(line, sizeof(line), "%d\n", (int) child);
    return line;
}

static void expect_killed(void)
{
    int status = -1;

    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%#x", status);
    child = 0;
}

Test(task_cgroup_v1_files, a_kill_stops_forks_and_freezes_first_and_thaws_all_in_the_end,
     .fini = done)
{
    struct task_cgroup_dirs dirs = begin(fork_child());

    make_freezer("freezer/a", "", NULL);
    dirs.fd[CGROUP_SLOT_PIDS] = make("pids");
    put("pids/pids.max", "max\n");
    open_group(&dirs);
    fake_cgfs.written[0] = '\0';
    cr_expect_eq(task_cgroup_kill(cg, NULL), 0);
    cr_expect_str_eq(fake_cgfs.written,
                     "pids.max=0 freezer.state=FROZEN freezer.state=THAWED freezer.state=THAWED ");
    expect_killed();
}

Test(task_cgroup_v1_files, where_there_is_no_pids_the_freezer_alone_stops_forks, .fini = done)
{
    struct task_cgroup_dirs dirs = begin(fork_child());

    open_group(&dirs);
    fake_cgfs.written[0] = '\0';
    cr_expect_eq(task_cgroup_kill(cg, NULL), 0);
    cr_expect_str_eq(fake_cgfs.written, "freezer.state=FROZEN freezer.state=THAWED ");
    expect_killed();
}

Test(task_cgroup_v1_files, a_step_of_the_kill_that_fails_is_told_and_can_be_done_again,
     .fini = done)
{
    struct task_cgroup_dirs dirs = begin(fork_child());
    bool reached = true;
    int failed = 0;

    dirs.fd[CGROUP_SLOT_PIDS] = make("pids");
    put("pids/pids.max", "max\n");
    open_group(&dirs);
    for (int nth = 1; reached; nth++) {
        char file[256];
        char state[16];
        struct err err = {0};

        cr_assert_lt(nth, 100);
        fake_cgfs = (struct fake_cgfs){.fail_call = nth, .fail_code = -EMFILE};
        const int r = task_cgroup_kill(cg, &err);
        reached = fake_cgfs.calls >= nth;
        fake_cgfs = (struct fake_cgfs){0};
        failed += r < 0;
        cr_expect(r == 0 || (r == -EMFILE && err.text[0]), "call %d: %d %s", nth, r, err.text);
        /* Nobody stays frozen, unless the thaw itself has failed. */
        (void) snprintf(file, sizeof(file), "%s/freezer/freezer.state", dir);
        cr_assert_gt(fdio_read_text(AT_FDCWD, file, state, sizeof(state)), 0);
        cr_expect(strncmp(state, "THAWED", 6) == 0 || strstr(err.text, "THAWED") ||
                      strstr(err.text, "open group"),
                  "call %d: %s, %s", nth, state, err.text);
        put("freezer/freezer.state", "THAWED\n");
    }
    cr_expect_gt(failed, 5);
    expect_killed();
}

Test(task_cgroup_v1_files, a_group_below_that_does_not_freeze_leaves_doubt_and_no_false_end,
     .fini = done)
{
    struct task_cgroup_dirs dirs = begin("");
    struct err err = {0};

    make_freezer("freezer/a", "", NULL);
    open_group(&dirs);
    cr_expect_eq(task_cgroup_is_empty(cg, NULL), TASK_CGROUP_EMPTY);
    fake_cgfs.forgets = "freezer.state"; /* as FREEZING: something in there is on its way */
    put("freezer/freezer.state", "FREEZING\n");
    cr_expect_eq(task_cgroup_is_empty(cg, &err), -EAGAIN);
    cr_expect(strstr(err.text, "/no/such/group"), "%s", err.text);
}

/* @count: 1 when it is to come, 0 when it is not to be there. */
static void expect_event(int count)
{
    struct pollfd event = {0};

    event.fd = task_cgroup_event_fd(cg, &event.events);
    cr_expect_eq(poll(&event, 1, count ? 10000 : 0), count);
}

Test(task_cgroup_v1_files, a_number_on_the_list_that_is_nobodys_is_no_end, .fini = done)
{
    struct task_cgroup_dirs dirs = begin("4194303\n");

    open_group(&dirs);
    cr_expect_eq(task_cgroup_is_empty(cg, NULL), -EAGAIN);
    expect_event(1);
    put("freezer/cgroup.procs", "");
    cr_expect_eq(task_cgroup_is_empty(cg, NULL), TASK_CGROUP_EMPTY);
    expect_event(0);
}

Test(task_cgroup_v1_files, a_list_that_can_not_be_read_is_no_end_and_is_read_again, .fini = done)
{
    struct task_cgroup_dirs dirs = begin("");
    struct err err = {0};

    open_group(&dirs);
    fake_cgfs = (struct fake_cgfs){.fail_call = 1, .fail_code = -ENFILE};
    cr_expect_eq(task_cgroup_is_empty(cg, &err), -ENFILE, "%s", err.text);
    expect_event(1);
    cr_expect_eq(task_cgroup_is_empty(cg, &err), TASK_CGROUP_EMPTY, "%s", err.text);
}

Test(task_cgroup_v1_files, usage_is_read_from_the_files_of_v1, .fini = done)
{
    struct task_cgroup_dirs dirs = begin("");
    struct task_cgroup_usage usage;

    dirs.fd[CGROUP_SLOT_MEMORY] = make("memory");
    put("memory/memory.max_usage_in_bytes", "8192\n");
    put("memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("memory/memory.memsw.max_usage_in_bytes", "1048576\n");
    put("memory/memory.memsw.limit_in_bytes", "1048576\n");
    put("memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
    dirs.fd[CGROUP_SLOT_CPU] = make("cpu,cpuacct"); /* as systemd mounts them */
    put("cpu,cpuacct/cpuacct.usage", "1234567\n");
    dirs.fd[CGROUP_SLOT_BLKIO] = make("blkio");
    put("blkio/blkio.throttle.io_service_bytes_recursive",
        "8:0 Read 4096\n8:0 Write 512\n8:0 Sync 4608\n8:0 Async 0\n8:0 Discard 0\n8:0 Total 4608\n"
        "8:16 Read 100\n8:16 Write 0\n8:16 Total 100\nTotal 4708\n");
    open_group(&dirs);
    task_cgroup_read_usage(cg, &usage);
    cr_expect_eq(usage.cpu_us, 1234);
    cr_expect_eq(usage.memory_peak_bytes, 8192);
    cr_expect_eq(usage.memory_at_limit, 1);
    cr_expect_eq(usage.oom_kills, 2);
    cr_expect_eq(usage.io_read_bytes, 4196);
    cr_expect_eq(usage.io_write_bytes, 512);
}

Test(task_cgroup_v1_files, what_is_not_counted_is_unknown, .fini = done)
{
    struct task_cgroup_dirs dirs = begin("");
    struct task_cgroup_usage usage;

    dirs.fd[CGROUP_SLOT_BLKIO] = make("blkio");
    put("blkio/blkio.throttle.io_service_bytes_recursive", "Total 0\n");
    open_group(&dirs);
    task_cgroup_read_usage(cg, &usage);
    cr_expect_eq(usage.cpu_us, -1);
    cr_expect_eq(usage.memory_peak_bytes, -1);
    cr_expect_eq(usage.memory_at_limit, -1);
    cr_expect_eq(usage.oom_kills, -1);
    cr_expect_eq(usage.io_read_bytes, -1);
    cr_expect_eq(usage.io_write_bytes, -1);
}
