/*
 * How this machine is looked at: with its cgroups as they are, and, in a mount namespace of the
 * test's own, with cgroups that are absent, covered or read-only.
 */
#include "tests/contract/contract_host.h"

#include "base/fdio.h"
#include "cgroups/host_backend.h"
#include "cgroups/host_detect.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct contract now;
static char made[2 * TASK_CGROUP_PATH_SIZE]; /* a group that the test made by hand */

static void done(void)
{
    contract_done(&now);
    if (made[0])
        (void) rmdir(made);
}

static int open_host(const char *mode, const char *base, struct err *err)
{
    *err = (struct err){0};
    now.name = mode ? mode : "auto";
    now.options = (struct cgroup_host_options){.mode = mode, .base = base, .tag = now.tag};
    (void) snprintf(now.tag, sizeof(now.tag), "quell-test-%d", (int) getpid());
    return cgroup_host_open(&now.options, &now.host, err);
}

/* Where the hierarchies of this machine are. */
static struct host_layout layout;

static void look(void)
{
    struct err err = {0};

    cr_assert_eq(host_detect(NULL, &layout, &err), 0, "%s", err.text);
}

static const char *unified(void)
{
    return layout.places[CGROUP_SLOT_UNIFIED].mount;
}

static void own_mounts(void)
{
    cr_assert_eq(unshare(CLONE_NEWNS), 0, "%s", strerror(errno));
    cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0, "%s", strerror(errno));
}

static void expect_sentence(int r, int code, const struct err *err, const char *first,
                            const char *second)
{
    cr_expect_eq(r, code, "%d: %s", r, err->text);
    cr_expect(strstr(err->text, first), "\"%s\" does not name \"%s\"", err->text, first);
    cr_expect(strstr(err->text, second), "\"%s\" does not name \"%s\"", err->text, second);
    cr_expect_null(strchr(err->text, '\n'), "\"%s\" is more than a sentence", err->text);
}

/* In a child, because libcgroup looks at the mounts once per process. */
static void in_child(void (*test)(void))
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        test();
        _exit(0);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect_eq(status, 0, "the child ended with %#x", status);
}

static void expect_covered(const char *point, int code)
{
    struct err err;

    own_mounts();
    cr_assert_eq(mount("none", point, "tmpfs", 0, NULL), 0, "%s", strerror(errno));
    const size_t fds = contract_open_fds();
    const int r = open_host(NULL, NULL, &err);
    expect_sentence(r, code, &err, "looked for", unified());
    cr_expect_null(now.host);
    cr_expect_eq(contract_open_fds(), fds, "descriptors leaked");
}

Test(cgroup_host, a_covered_file_system_is_an_error_that_names_it, .fini = done)
{
    look();
    expect_covered(unified(), -ENODEV);
}

Test(cgroup_host, a_file_system_whose_place_is_gone_is_an_error_that_names_it, .fini = done)
{
    look();
    if (strcmp(unified(), "/sys/fs/cgroup") == 0)
        cr_skip_test("the place is /sys/fs/cgroup itself");
    expect_covered("/sys/fs/cgroup", -ENOENT);
}

/* Also those that this machine's own mode has no use for. */
static void unmount_all(void)
{
    struct host_layout v1;

    (void) host_detect("v1", &v1, NULL);
    for (enum cgroup_slot slot = CGROUP_SLOT_MEMORY; slot < CGROUP_SLOT_COUNT; slot++) {
        if (v1.places[slot].mount[0])
            layout.places[slot] = v1.places[slot];
    }
    for (enum cgroup_slot slot = CGROUP_SLOT_COUNT; slot-- > 0;) {
        if (layout.places[slot].mount[0])
            cr_assert_eq(umount2(layout.places[slot].mount, MNT_DETACH), 0, "%s", strerror(errno));
    }
}

Test(cgroup_host, no_file_system_at_all_is_an_error_that_says_so, .fini = done)
{
    struct err err;

    look();
    own_mounts();
    unmount_all();
    int r = open_host(NULL, NULL, &err);
    expect_sentence(r, -ENOENT, &err, "cgroup2", "found none");
    r = open_host("hybrid", NULL, &err);
    expect_sentence(r, -ENOENT, &err, "cgroup2", "found none");
    r = open_host("v1", NULL, &err);
    expect_sentence(r, -ENOENT, &err, "freezer", "found none");
}

Test(cgroup_host, a_host_without_the_unified_hierarchy_is_v1, .fini = done)
{
    struct err err;

    look();
    own_mounts();
    cr_assert_eq(umount2(unified(), MNT_DETACH), 0, "%s", strerror(errno));
    const int r = open_host(NULL, NULL, &err);
    if (r == -ENOENT)
        cr_skip_test("no v1 freezer here: %s", err.text);
    cr_assert_eq(r, 0, "%s", err.text);
    cr_expect_eq(cgroup_host_mode(now.host), CGROUP_MODE_V1);
    cr_expect(strstr(cgroup_host_path(now.host), "freezer"), "%s", cgroup_host_path(now.host));
}

Test(cgroup_host, a_read_only_file_system_is_an_error_that_names_the_group, .fini = done)
{
    char group[2 * TASK_CGROUP_PATH_SIZE];
    struct err err;

    look();
    own_mounts();
    cr_assert_eq(mount(NULL, unified(), NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0, "%s",
                 strerror(errno));
    const size_t fds = contract_open_fds();
    int r = open_host(NULL, NULL, &err);
    (void) snprintf(group, sizeof(group), "/quell-test-%d", (int) getpid());
    expect_sentence(r, -EROFS, &err, unified(), group);
    cr_expect_eq(contract_open_fds(), fds, "descriptors leaked");
}

Test(cgroup_host, a_v1_controller_that_is_read_only_is_a_limit_less, .fini = done)
{
    struct err err;

    look();
    if (layout.mode != CGROUP_MODE_HYBRID || !layout.places[CGROUP_SLOT_MEMORY].mount[0])
        cr_skip_test("no v1 memory controller here");
    own_mounts();
    cr_assert_eq(mount(NULL, layout.places[CGROUP_SLOT_MEMORY].mount, NULL,
                       MS_REMOUNT | MS_BIND | MS_RDONLY, NULL),
                 0, "%s", strerror(errno));
    cr_assert_eq(open_host(NULL, NULL, &err), 0, "%s", err.text);
    cr_expect_not(cgroup_host_can_limit(now.host, CGROUP_LIMIT_MEMORY));
    cr_expect(cgroup_host_can_limit(now.host, CGROUP_LIMIT_PIDS));
}

static void without_v1(void)
{
    struct err err;

    for (enum cgroup_slot slot = CGROUP_SLOT_MEMORY; slot < CGROUP_SLOT_COUNT; slot++) {
        if (layout.places[slot].mount[0] && umount2(layout.places[slot].mount, MNT_DETACH) < 0)
            _exit(1);
    }
    if (open_host("hybrid", NULL, &err) != -ENOENT || !strstr(err.text, "v1 hierarchy"))
        _exit(2);
    if (open_host(NULL, NULL, &err) != 0)
        _exit(3);
    if (cgroup_host_mode(now.host) != CGROUP_MODE_V2)
        _exit(4);
    (void) cgroup_host_close(now.host);
}

Test(cgroup_host, a_host_without_v1_controllers_is_v2, .fini = done)
{
    look();
    own_mounts();
    in_child(without_v1);
}

Test(cgroup_host, what_is_asked_for_must_be_a_mode_that_is_known)
{
    struct err err;
    int r = open_host("v3", NULL, &err);

    expect_sentence(r, -EINVAL, &err, "v3", "hybrid");
    r = open_host(NULL, "relative", &err);
    expect_sentence(r, -EINVAL, &err, "relative", "/name");
}

static void base_path(enum cgroup_slot slot, const char *base, char ret[2 * TASK_CGROUP_PATH_SIZE])
{
    (void) snprintf(ret, 2 * TASK_CGROUP_PATH_SIZE, "%s%s", layout.places[slot].mount, base);
}

Test(cgroup_host, a_base_that_is_missing_is_made_and_removed, .fini = done)
{
    char base[80];
    char outer[64];
    char path[2 * TASK_CGROUP_PATH_SIZE];
    struct err err;

    look();
    (void) snprintf(outer, sizeof(outer), "/quell-test-new-%d", (int) getpid());
    (void) snprintf(base, sizeof(base), "%s/b/", outer);
    cr_assert_eq(open_host(NULL, base, &err), 0, "%s", err.text);
    for (enum cgroup_slot slot = 0; slot < CGROUP_SLOT_COUNT; slot++) {
        base_path(slot, base, path);
        if (layout.places[slot].mount[0])
            cr_expect_eq(access(path, F_OK), 0, "%s is missing", path);
    }
    now.host = cgroup_host_close(now.host);
    for (enum cgroup_slot slot = 0; slot < CGROUP_SLOT_COUNT; slot++) {
        base_path(slot, outer, path);
        if (layout.places[slot].mount[0])
            cr_expect_neq(access(path, F_OK), 0, "%s is left", path);
    }
}

Test(cgroup_host, a_base_that_was_there_stays, .fini = done)
{
    char outer[64];
    char base[128];
    struct err err;

    look();
    (void) snprintf(outer, sizeof(outer), "/quell-test-old-%d", (int) getpid());
    (void) snprintf(base, sizeof(base), "%s/new", outer);
    base_path(CGROUP_SLOT_UNIFIED, outer, made);
    cr_assert_eq(mkdir(made, 0755), 0, "%s", strerror(errno));
    cr_assert_eq(open_host("v2", base, &err), 0, "%s", err.text);
    now.host = cgroup_host_close(now.host);
    cr_expect_eq(access(made, F_OK), 0, "the base that was there is gone");
    cr_expect_eq(rmdir(made), 0, "something is left in it: %s", strerror(errno));
}

Test(cgroup_host, a_base_can_not_be_a_file, .fini = done)
{
    struct err err;
    int r = open_host("v2", "/cgroup.procs", &err);

    expect_sentence(r, -ENOTDIR, &err, "cgroup.procs", "looked for");
}

static void enter_made(void)
{
    char procs[3 * TASK_CGROUP_PATH_SIZE];

    (void) snprintf(procs, sizeof(procs), "%s/cgroup.procs", made);
    if (fdio_write_text(AT_FDCWD, procs, "0") < 0)
        _exit(10);
}

static void own_group(char ret[4096])
{
    char text[4096];

    if (fdio_read_text(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text)) < 0)
        _exit(11);
    (void) snprintf(ret, 4096, "%s", strstr(text, "0::"));
}

static void idle(void *arg, const struct err *born_err)
{
    (void) arg;
    _exit(born_err ? 1 : 0);
}

/* Spawns and reaps a child in a fresh group. */
static void run_one(void)
{
    const struct cgroup_limits limits = {
        .pids = cgroup_host_can_limit(now.host, CGROUP_LIMIT_PIDS) ? 9 : 0,
        .memory_bytes = cgroup_host_can_limit(now.host, CGROUP_LIMIT_MEMORY) ? 64U << 20 : 0,
    };
    struct task_cgroup_dirs dirs;
    struct task_cgroup *cg = NULL;
    struct err err;
    int status = -1;
    pid_t pid;

    if (cgroup_host_create(now.host, "7.1.0", NULL, &limits, &dirs, &err) < 0 ||
        task_cgroup_open(&dirs, &cg, &err) < 0)
        _exit(20);
    pid = task_cgroup_spawn(cg, idle, NULL, NULL, &err);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        _exit(21);
    (void) task_cgroup_free(cg);
    if (cgroup_host_remove(now.host, "7.1.0", &err) != 0)
        _exit(22);
}

static void alone_in_own_group(void)
{
    char before[4096];
    char after[4096];
    struct err err;

    enter_made();
    own_group(before);
    if (open_host("v2", NULL, &err) < 0)
        _exit(12);
    if (strncmp(cgroup_host_path(now.host), made, strlen(made)) != 0)
        _exit(13);
    run_one();
    now.host = cgroup_host_close(now.host);
    own_group(after);
    if (strcmp(before, after) != 0)
        _exit(14);
}

/* Where the own group has controllers, the process leaves it for a leaf, and comes back. */
Test(cgroup_host, groups_live_below_the_own_group_of_a_process, .fini = done)
{
    look();
    (void) snprintf(made, sizeof(made), "%s/quell-test-own-%d", unified(), (int) getpid());
    cr_assert_eq(mkdir(made, 0755), 0, "%s", strerror(errno));
    in_child(alone_in_own_group);
    cr_expect_eq(rmdir(made), 0, "something is left in it: %s", strerror(errno));
}

static void with_another_in_own_group(void)
{
    const pid_t other = fork();
    char text[256];
    char path[3 * TASK_CGROUP_PATH_SIZE];
    struct err err;

    enter_made();
    (void) snprintf(path, sizeof(path), "%s/cgroup.procs", made);
    if (other == 0) {
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            (void) pause();
    }
    (void) snprintf(text, sizeof(text), "%d", (int) other);
    if (other < 0 || fdio_write_text(AT_FDCWD, path, text) < 0)
        _exit(15);
    if (open_host("v2", NULL, &err) < 0)
        _exit(16);
    for (enum cgroup_limit limit = 0; limit < CGROUP_LIMIT_COUNT; limit++) {
        if (cgroup_host_can_limit(now.host, limit))
            _exit(17);
    }
    run_one();
    now.host = cgroup_host_close(now.host);
    (void) snprintf(path, sizeof(path), "%s/cgroup.subtree_control", made);
    if (fdio_read_text(AT_FDCWD, path, text, sizeof(text)) < 0 || strcspn(text, "\n") != 0)
        _exit(18);
    (void) kill(other, SIGKILL);
    (void) waitpid(other, NULL, 0);
}

/* On v2 the kernel would take cpu and pids, and let no process into the sub-groups then. */
Test(cgroup_host, a_group_shared_with_others_gives_no_limits_and_runs_tasks, .fini = done)
{
    look();
    (void) snprintf(made, sizeof(made), "%s/quell-test-shared-%d", unified(), (int) getpid());
    cr_assert_eq(mkdir(made, 0755), 0, "%s", strerror(errno));
    in_child(with_another_in_own_group);
    cr_expect_eq(rmdir(made), 0, "something is left in it: %s", strerror(errno));
}

static void in_killed_group(void)
{
    char base[64];
    struct err err;

    enter_made();
    (void) snprintf(base, sizeof(base), "/quell-test-new-%d", (int) getpid());
    if (open_host(NULL, base, &err) < 0)
        _exit(12);
    run_one();
    (void) cgroup_host_close(now.host);
}

/* On recent kernels, what a process there clones into another group dies at birth. */
Test(cgroup_host, an_agent_in_a_group_that_was_killed_once_can_still_start_tasks, .fini = done)
{
    char path[3 * TASK_CGROUP_PATH_SIZE];

    look();
    (void) snprintf(made, sizeof(made), "%s/quell-test-killed-%d", unified(), (int) getpid());
    cr_assert_eq(mkdir(made, 0755), 0, "%s", strerror(errno));
    (void) snprintf(path, sizeof(path), "%s/cgroup.kill", made);
    cr_assert_eq(fdio_write_text(AT_FDCWD, path, "1"), 0);
    in_child(in_killed_group);
}
