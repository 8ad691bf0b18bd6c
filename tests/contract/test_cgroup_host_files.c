/*
 * The v2 host on files: which controllers are switched on and off, where, and where the agent sits;
 * and what is read from files that this machine may not have.
 */
#include "cgroups/host_backend.h"

#include "base/fdio.h"
#include "tests/contract/contract_host.h"
#include "tests/fakes/fake_cgfs.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char mount[FAKE_PATH_SIZE];
static struct cgroup_host *host;

static void done(void)
{
    host = cgroup_host_close(host);
    fake_cgroup2_free(mount);
}

static int open_host(const char *own, const char *base, struct err *err)
{
    const struct cgroup_host_options options = {.base = base, .tag = "quell-1"};
    struct host_layout layout = {.mode = CGROUP_MODE_V2};
    struct host_place *place = &layout.places[CGROUP_SLOT_UNIFIED];

    (void) snprintf(place->mount, sizeof(place->mount), "%s", mount);
    (void) snprintf(place->root, sizeof(place->root), "/");
    (void) snprintf(place->own, sizeof(place->own), "%s", own);
    return host_open_layout(&layout, &options, &host, err);
}

static void open_well(const char *own, const char *base)
{
    struct err err = {0};

    cr_assert_eq(open_host(own, base, &err), 0, "%s", err.text);
}

static void expect_file(const char *file, const char *text)
{
    char path[512];
    char found[4096];

    (void) snprintf(path, sizeof(path), "%s/%s", mount, file);
    cr_assert_geq(fdio_read_text(AT_FDCWD, path, found, sizeof(found)), 0, "read %s", file);
    cr_expect_str_eq(found, text, "%s is \"%s\", not \"%s\"", file, found, text);
}

static bool is_there(const char *path)
{
    char full[512];

    (void) snprintf(full, sizeof(full), "%s/%s", mount, path);
    return access(full, F_OK) == 0;
}

static const char *own_pid(void)
{
    static char text[16];

    (void) snprintf(text, sizeof(text), "%d\n", (int) getpid());
    return text;
}

static unsigned int limits_had(void)
{
    unsigned int had = 0;

    for (enum cgroup_limit limit = 0; limit < CGROUP_LIMIT_COUNT; limit++)
        had += cgroup_host_can_limit(host, limit) ? 1U << limit : 0;
    return had;
}

Test(cgroup_files, an_agent_alone_in_its_group_moves_to_a_leaf_and_comes_back, .fini = done)
{
    fake_cgroup2_new("cpu io memory pids", mount);
    fake_group_new(mount, "own");
    fake_group_put(mount, "own", own_pid());
    open_well("/own", NULL);
    cr_expect_eq(limits_had(), 7);
    expect_file("own/cgroup.procs", "");
    expect_file("own/quell-1/agent/cgroup.procs", own_pid());
    expect_file("own/cgroup.subtree_control", "memory cpu pids io\n");
    expect_file("own/quell-1/cgroup.subtree_control", "memory cpu pids io\n");
    host = cgroup_host_close(host);
    expect_file("own/cgroup.procs", own_pid());
    expect_file("own/cgroup.subtree_control", "\n");
    cr_expect_not(is_there("own/quell-1"));
}

static void expect_left_alone(const char *procs)
{
    fake_group_put(mount, "own", procs);
    open_well("/own", NULL);
    cr_expect_eq(limits_had(), 0);
    expect_file("own/cgroup.procs", procs);
    expect_file("own/cgroup.subtree_control", "\n");
    expect_file("own/quell-1/cgroup.subtree_control", "\n");
    cr_expect_not(is_there("own/quell-1/agent"));
    host = cgroup_host_close(host);
}

Test(cgroup_files, a_group_with_others_in_it_is_left_as_it_is, .fini = done)
{
    char procs[32];

    fake_cgroup2_new("cpu memory pids", mount);
    fake_group_new(mount, "own");
    (void) snprintf(procs, sizeof(procs), "1\n%d\n", (int) getpid());
    expect_left_alone(procs);
    (void) snprintf(procs, sizeof(procs), "%d\n4194303\n", (int) getpid());
    expect_left_alone(procs);
}

Test(cgroup_files, the_root_of_the_tree_needs_no_leaf, .fini = done)
{
    fake_cgroup2_new("cpu memory pids", mount);
    fake_group_put(mount, ".", own_pid());
    open_well("/", NULL);
    cr_expect_eq(limits_had(), 7);
    expect_file("cgroup.procs", own_pid());
    host = cgroup_host_close(host);
    expect_file("cgroup.subtree_control", "cpu memory pids\n");
    cr_expect_not(is_there("quell-1"));
}

Test(cgroup_files, only_the_controllers_that_there_are_can_limit, .fini = done)
{
    struct task_cgroup_dirs dirs;
    struct err err = {0};
    const struct cgroup_limits limits = {.cpu_milli = 1000};

    fake_cgroup2_new("memory pids", mount);
    open_well("/", "/base");
    cr_expect_eq(limits_had(), 1U << CGROUP_LIMIT_MEMORY | 1U << CGROUP_LIMIT_PIDS);
    cr_expect_eq(cgroup_host_create(host, "7.1.0", NULL, &limits, &dirs, &err), -EOPNOTSUPP);
    cr_expect(strstr(err.text, "cpus") && strstr(err.text, "v2"), "%s", err.text);
}

Test(cgroup_files, an_agent_started_from_a_leaf_finds_the_base_above_it, .fini = done)
{
    fake_cgroup2_new("memory pids", mount);
    fake_group_new(mount, "own");
    fake_group_put(mount, "own", own_pid());
    open_well("/own", NULL);
    struct cgroup_host *before = host; /* its process is this one, and goes on in its leaf */
    open_well("/own/quell-1/agent", NULL);
    cr_expect(is_there("own/quell-1/agent"));
    cr_expect_not(is_there("own/quell-1/agent/quell-1"));
    cr_expect_eq(limits_had(), 1U << CGROUP_LIMIT_MEMORY | 1U << CGROUP_LIMIT_PIDS);
    (void) cgroup_host_close(before);
}

Test(cgroup_files, the_group_of_the_systemd_unit_is_the_base_where_there_is_one, .fini = done)
{
    fake_cgroup2_new("memory pids", mount);
    fake_group_new(mount, "system.slice");
    fake_group_new(mount, "system.slice/quell-tasks.service");
    fake_group_new(mount, "system.slice/quelld.service");
    fake_group_put(mount, "system.slice/quelld.service", own_pid());
    open_well("/system.slice/quelld.service", NULL);
    cr_expect(is_there("system.slice/quell-tasks.service/quell-1/supervisors"));
    expect_file("system.slice/quelld.service/cgroup.procs", own_pid());
    /* What is above the base is not ours to change: no controller reaches it, and that is that. */
    expect_file("system.slice/cgroup.subtree_control", "\n");
    cr_expect_eq(limits_had(), 0);
}

Test(cgroup_files, controllers_stay_while_others_use_the_base, .fini = done)
{
    fake_cgroup2_new("memory pids", mount);
    open_well("/", "/base");
    expect_file("base/cgroup.subtree_control", "memory pids\n");
    fake_group_new(mount, "base/quell-2");
    host = cgroup_host_close(host);
    expect_file("base/cgroup.subtree_control", "memory pids\n");
    cr_expect_not(is_there("base/quell-1"));
}

Test(cgroup_files, limits_stay_while_tasks_run, .fini = done)
{
    const struct cgroup_limits limits = {.pids = 5};
    struct task_cgroup_dirs dirs;
    struct err err = {0};

    fake_cgroup2_new("memory pids", mount);
    fake_group_new(mount, "own");
    fake_group_put(mount, "own", own_pid());
    open_well("/own", NULL);
    cr_assert_eq(cgroup_host_create(host, "7.1.0", NULL, &limits, &dirs, &err), 0, "%s", err.text);
    task_cgroup_dirs_close(&dirs);
    fake_group_put(mount, "own/quell-1/7.1.0", "4711\n");
    cr_expect_eq(cgroup_host_remove(host, "7.1.0", &err), TASK_CGROUP_BUSY);
    host = cgroup_host_close(host);
    expect_file("own/quell-1/7.1.0/pids.max", "5\n");
    expect_file("own/quell-1/agent/cgroup.procs", own_pid());
}

static const struct {
    const char *file;
    struct cgroup_limits limits;
} forgotten[] = {
    {"memory.max", {.memory_bytes = 1 << 20}},
    {"memory.swap.max", {.memory_bytes = 1 << 20}},
    {"cpu.max", {.cpu_milli = 100}},
    {"pids.max", {.pids = 3}},
};

Test(cgroup_files, a_limit_that_the_kernel_did_not_keep_is_an_error, .fini = done)
{
    fake_cgroup2_new("cpu memory pids", mount);
    open_well("/", "/base");
    const size_t fds = contract_open_fds();
    for (size_t i = 0; i < sizeof(forgotten) / sizeof(forgotten[0]); i++) {
        struct task_cgroup_dirs dirs;
        struct err err = {0};

        fake_cgfs.forgets = forgotten[i].file;
        int r = cgroup_host_create(host, "7.1.0", NULL, &forgotten[i].limits, &dirs, &err);
        cr_expect_eq(r, -EIO, "row %zu: %d", i, r);
        cr_expect(strstr(err.text, forgotten[i].file) && strstr(err.text, "reads back as max"),
                  "row %zu: %s", i, err.text);
        cr_expect_not(is_there("base/quell-1/7.1.0"), "row %zu: the group is left", i);
        cr_expect_eq(contract_open_fds(), fds, "row %zu: descriptors leaked", i);
    }
    fake_cgfs.forgets = NULL;
}

static struct task_cgroup *create(void)
{
    static const struct cgroup_limits none;
    struct task_cgroup_dirs dirs;
    struct task_cgroup *cg = NULL;
    struct err err = {0};

    cr_assert_eq(cgroup_host_create(host, "7.1.0", NULL, &none, &dirs, &err), 0, "%s", err.text);
    cr_assert_eq(task_cgroup_open(&dirs, &cg, &err), 0, "%s", err.text);
    return cg;
}

Test(cgroup_files, usage_is_read_from_the_files_of_v2, .fini = done)
{
    struct task_cgroup_usage usage;

    fake_cgroup2_new("cpu io memory pids", mount);
    open_well("/", "/base");
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = create();
    task_cgroup_read_usage(cg, &usage);
    cr_expect_eq(usage.cpu_us, 1234);
    cr_expect_eq(usage.memory_peak_bytes, 8192);
    cr_expect_eq(usage.oom_kills, 2);
    cr_expect_eq(usage.memory_at_limit, 0);
    cr_expect_eq(usage.io_read_bytes, 4196);
    cr_expect_eq(usage.io_write_bytes, 512);
}

static bool check_pid(void *arg, pid_t pid)
{
    pid_t *last = arg;

    cr_assert_eq(pid, *last + 7, "after %d came %d", (int) *last, (int) pid);
    *last = pid;
    return true;
}

Test(cgroup_files, five_thousand_processes_are_told_one_by_one, .fini = done)
{
    static char procs[65536];
    size_t len = 0;
    pid_t last = 93;

    fake_cgroup2_new("memory pids", mount);
    open_well("/", "/base");
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = create();
    for (int pid = 100; pid < 100 + 7 * 5000; pid += 7)
        len += (size_t) snprintf(procs + len, sizeof(procs) - len, "%d\n", pid);
    fake_group_put(mount, "base/quell-1/7.1.0", procs);
    cr_expect_eq(task_cgroup_each_process(cg, check_pid, &last, NULL), 0);
    cr_expect_eq(last, 93 + 7 * 5000);
    cr_expect_eq(task_cgroup_is_empty(cg, NULL), 0);
    cr_expect_eq(task_cgroup_kill(cg, NULL), 0);
    cr_expect_eq(task_cgroup_is_empty(cg, NULL), TASK_CGROUP_EMPTY);
}

Test(cgroup_files, events_that_tell_no_populated_are_an_error, .fini = done)
{
    struct err err = {0};
    char path[512];

    fake_cgroup2_new("memory pids", mount);
    open_well("/", "/base");
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = create();
    (void) snprintf(path, sizeof(path), "%s/base/quell-1/7.1.0/cgroup.events", mount);
    cr_assert_eq(fdio_write_text(AT_FDCWD, path, "unpopulated 0 "), 0);
    cr_expect_eq(task_cgroup_is_empty(cg, &err), -EPROTO, "never a false end");
    cr_expect(strstr(err.text, "7.1.0"), "%s", err.text);
}

Test(cgroup_files, a_group_without_a_kill_file_is_an_old_kernels, .fini = done)
{
    struct err err = {0};
    char path[512];

    fake_cgroup2_new("memory", mount);
    fake_group_new(mount, "base");
    fake_group_new(mount, "base/quell-1");
    fake_group_new(mount, "base/quell-1/supervisors");
    (void) snprintf(path, sizeof(path), "%s/base/quell-1/supervisors/cgroup.kill", mount);
    cr_assert_eq(unlink(path), 0);
    const size_t fds = contract_open_fds();
    cr_expect_eq(open_host("/", "/base", &err), -EOPNOTSUPP);
    cr_expect(strstr(err.text, "cgroup.kill") && strstr(err.text, "5.14"), "%s", err.text);
    cr_expect_eq(contract_open_fds(), fds);
}

Test(cgroup_files, a_base_that_no_process_can_be_below_is_refused, .fini = done)
{
    struct err err = {0};

    fake_cgroup2_new("cpu", mount);
    fake_group_new(mount, "base");
    fake_group_new(mount, "base/quell-1");
    fake_group_new(mount, "base/quell-1/supervisors");
    fake_group_set(mount, "base/quell-1/supervisors", "cgroup.type", "domain invalid\n");
    cr_expect_eq(open_host("/", "/base", &err), -EOPNOTSUPP);
    cr_expect(strstr(err.text, "domain invalid"), "%s", err.text);
}

Test(cgroup_files, a_group_handed_over_without_its_path_or_mode_is_refused, .fini = done)
{
    struct task_cgroup_dirs dirs;
    struct task_cgroup *cg = NULL;
    struct err err = {0};

    fake_cgroup2_new("memory", mount);
    open_well("/", "/base");
    (void) task_cgroup_free(create());
    const size_t fds = contract_open_fds();
    cr_assert_eq(cgroup_host_adopt(host, "7.1.0", &dirs, &err), 0);
    dirs.cgroup_path[0] = '\0';
    cr_expect_eq(task_cgroup_open(&dirs, &cg, &err), -EINVAL);
    cr_assert_eq(cgroup_host_adopt(host, "7.1.0", &dirs, &err), 0);
    dirs.mode = CGROUP_MODE_V1; /* which has no unified directory */
    cr_expect_eq(task_cgroup_open(&dirs, &cg, &err), -EINVAL);
    cr_expect(strstr(err.text, "v1"), "%s", err.text);
    cr_assert_eq(cgroup_host_adopt(host, "7.1.0", &dirs, &err), 0);
    dirs.mode = CGROUP_MODE_COUNT;
    cr_expect_eq(task_cgroup_open(&dirs, &cg, &err), -EOPNOTSUPP);
    cr_expect_eq(contract_open_fds(), fds, "the descriptors were not taken over");
    cr_expect_null(cg);
}

/* ---- a group that somebody else made ---- */

static void expect_no_adoption(const char *path, int code, const char *part)
{
    struct task_cgroup_dirs dirs;
    struct err err = {0};
    const size_t fds = contract_open_fds();

    cr_expect_eq(cgroup_host_adopt_path(host, path, 0, &dirs, &err), code, "%s: %s", path,
                 err.text);
    cr_expect(strstr(err.text, path) && strstr(err.text, part), "\"%s\" is not about %s: %s",
              err.text, path, part);
    cr_expect_eq(contract_open_fds(), fds, "%s", path);
}

Test(cgroup_files, a_group_where_a_kill_would_reach_quell_is_refused, .fini = done)
{
    fake_cgroup2_new("memory", mount);
    fake_group_new(mount, "sys");
    fake_group_new(mount, "sys/quelld");
    fake_group_new(mount, "sys/quelldx");
    open_well("/sys/quelld", "/base/tasks");
    (void) task_cgroup_free(create());
    expect_no_adoption("/sys/quelld", -EPERM, "the agent itself");
    expect_no_adoption("/sys", -EPERM, "the agent itself");
    expect_no_adoption("/base", -EPERM, "Quell's own groups are below");
    expect_no_adoption("/base/tasks", -EPERM, "Quell's own groups are below");
    expect_no_adoption("/base/tasks/quell-1", -EPERM, "one of Quell's own");
    expect_no_adoption("/base/tasks/quell-1/7.1.0", -EPERM, "one of Quell's own");
    expect_no_adoption("/base/tasks/quell-1/supervisors", -EPERM, "one of Quell's own");
    expect_no_adoption("/base/tasks/quell-1/nothing", -EPERM, "one of Quell's own");
}

Test(cgroup_files, a_group_that_cannot_be_killed_or_is_not_there_is_refused, .fini = done)
{
    char path[512];

    fake_cgroup2_new("memory", mount);
    fake_group_new(mount, "theirs");
    fake_group_new(mount, "theirs/threads");
    fake_group_new(mount, "theirs/old");
    fake_group_set(mount, "theirs/threads", "cgroup.type", "threaded\n");
    (void) snprintf(path, sizeof(path), "%s/theirs/old/cgroup.kill", mount);
    cr_assert_eq(unlink(path), 0);
    open_well("/", "/base");
    expect_no_adoption("/nothing", -ENOENT, "there is no group");
    expect_no_adoption("/theirs/cgroup.procs", -ENOTDIR, "open group");
    expect_no_adoption("/theirs/threads", -EOPNOTSUPP, "threaded");
    expect_no_adoption("/theirs/old", -EOPNOTSUPP, "cgroup.kill");
}

Test(cgroup_files, a_path_too_long_for_the_supervisor_is_refused, .fini = done)
{
    char path[TASK_CGROUP_PATH_SIZE + 1];
    struct task_cgroup_dirs dirs;
    struct err err = {0};

    fake_cgroup2_new("memory", mount);
    open_well("/", "/base");
    (void) memset(path, 'x', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    cr_expect_eq(cgroup_host_adopt_path(host, path, 0, &dirs, &err), -ENAMETOOLONG);
}
