/*
 * The promises of cgroup_host.h that need no process: groups, limits, names. Each runs for every
 * host of contract_host.h.
 */
#include "tests/contract/contract_host.h"

#include "cgroups/cgfs.h"
#include "cgroups/host_backend.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct contract now;

static void done(void)
{
    contract_done(&now);
}

#define PROMISE(promise) CONTRACT_PROMISE(contract, promise, done)

static const struct cgroup_limits no_limits;

/* All limits that the host can have. */
static struct cgroup_limits possible_limits(void)
{
    const struct cgroup_host *host = now.host;

    return (struct cgroup_limits){
        .memory_bytes = cgroup_host_can_limit(host, CGROUP_LIMIT_MEMORY) ? (64U << 20) + 1 : 0,
        .cpu_milli = cgroup_host_can_limit(host, CGROUP_LIMIT_CPU) ? 500 : 0,
        .pids = cgroup_host_can_limit(host, CGROUP_LIMIT_PIDS) ? 77 : 0,
    };
}

static void create(const char *name, const struct cgroup_limits *limits,
                   struct task_cgroup_dirs *ret)
{
    struct err err = {0};
    int r = cgroup_host_create(now.host, name, "a note", limits, ret, &err);

    cr_assert_eq(r, 0, "%s: create %s: %s", now.name, name, err.text);
}

static void create_and_close(const char *name)
{
    struct task_cgroup_dirs dirs;

    create(name, &no_limits, &dirs);
    task_cgroup_dirs_close(&dirs);
}

/* The directory of group @name in a hierarchy. */
static bool is_there(enum cgroup_slot slot, const char *name)
{
    char path[CONTRACT_PATH_SIZE];

    return contract_path(&now, slot, name, path) && access(path, F_OK) == 0;
}

static size_t places_of(const char *name)
{
    size_t count = 0;

    for (enum cgroup_slot slot = 0; slot < CGROUP_SLOT_COUNT; slot++)
        count += is_there(slot, name);
    return count;
}

static void expect_value(int fd, const char *file, const char *value)
{
    char text[128] = "";
    int file_fd = openat(fd, file, O_RDONLY | O_CLOEXEC);

    cr_assert(file_fd >= 0, "%s: open %s: %s", now.name, file, strerror(errno));
    cr_assert_gt(read(file_fd, text, sizeof(text) - 1), 0, "%s: read %s", now.name, file);
    (void) close(file_fd);
    text[strcspn(text, "\n")] = '\0';
    cr_expect_str_eq(text, value, "%s: %s is \"%s\", not \"%s\"", now.name, file, text, value);
}

PROMISE(limits_are_in_the_kernels_files_when_create_returns)
{
    struct task_cgroup_dirs dirs;

    contract_open(&now, *row);
    const struct cgroup_limits limits = possible_limits();
    create("7.1.0", &limits, &dirs);
    if (limits.memory_bytes && dirs.mode == CGROUP_MODE_V2) {
        expect_value(dirs.fd[CGROUP_SLOT_UNIFIED], "memory.max", "67108864");
        expect_value(dirs.fd[CGROUP_SLOT_UNIFIED], "memory.swap.max", "0");
    } else if (limits.memory_bytes) {
        expect_value(dirs.fd[CGROUP_SLOT_MEMORY], "memory.limit_in_bytes", "67108864");
        if (faccessat(dirs.fd[CGROUP_SLOT_MEMORY], "memory.memsw.limit_in_bytes", F_OK, 0) == 0)
            expect_value(dirs.fd[CGROUP_SLOT_MEMORY], "memory.memsw.limit_in_bytes", "67108864");
    }
    if (limits.cpu_milli && dirs.mode == CGROUP_MODE_V2) {
        expect_value(dirs.fd[CGROUP_SLOT_UNIFIED], "cpu.max", "50000 100000");
    } else if (limits.cpu_milli) {
        expect_value(dirs.fd[CGROUP_SLOT_CPU], "cpu.cfs_period_us", "100000");
        expect_value(dirs.fd[CGROUP_SLOT_CPU], "cpu.cfs_quota_us", "50000");
    }
    if (limits.pids)
        expect_value(dirs.fd[dirs.mode == CGROUP_MODE_V2 ? CGROUP_SLOT_UNIFIED : CGROUP_SLOT_PIDS],
                     "pids.max", "77");
    task_cgroup_dirs_close(&dirs);
}

PROMISE(a_small_share_of_a_cpu_can_be_asked_for)
{
    const struct cgroup_limits limits = {.cpu_milli = 1};
    struct task_cgroup_dirs dirs;

    contract_open(&now, *row);
    if (!cgroup_host_can_limit(now.host, CGROUP_LIMIT_CPU))
        contract_skip(&now, "no cpu controller");
    create("7.1.0", &limits, &dirs);
    if (dirs.mode == CGROUP_MODE_V2)
        expect_value(dirs.fd[CGROUP_SLOT_UNIFIED], "cpu.max", "1000 1000000");
    else
        expect_value(dirs.fd[CGROUP_SLOT_CPU], "cpu.cfs_quota_us", "1000");
    task_cgroup_dirs_close(&dirs);
}

PROMISE(a_limit_that_the_host_can_not_enforce_is_refused_by_name)
{
    contract_open(&now, *row);
    for (enum cgroup_limit limit = 0; limit < CGROUP_LIMIT_COUNT; limit++) {
        const struct cgroup_limits limits = {
            .memory_bytes = limit == CGROUP_LIMIT_MEMORY ? 1U << 26 : 0,
            .cpu_milli = limit == CGROUP_LIMIT_CPU ? 100 : 0,
            .pids = limit == CGROUP_LIMIT_PIDS ? 9 : 0,
        };
        struct task_cgroup_dirs dirs;
        struct err err = {0};
        int r = cgroup_host_create(now.host, "7.1.0", NULL, &limits, &dirs, &err);

        if (cgroup_host_can_limit(now.host, limit)) {
            cr_assert_eq(r, 0, "%s: %s", now.name, err.text);
            task_cgroup_dirs_close(&dirs);
            cr_expect_eq(cgroup_host_remove(now.host, "7.1.0", &err), 0, "%s", err.text);
            continue;
        }
        cr_expect_eq(r, -EOPNOTSUPP, "%s: limit %d gave %d", now.name, (int) limit, r);
        cr_expect(strstr(err.text, cgroup_limit_name(limit)), "\"%s\" does not name it", err.text);
        cr_expect_eq(places_of("7.1.0"), 0, "%s: a refused group is there", now.name);
    }
}

PROMISE(every_group_is_a_fresh_one)
{
    struct task_cgroup_dirs dirs;
    struct err err = {0};

    contract_open(&now, *row);
    const struct cgroup_limits limits = possible_limits();
    create("7.1.0", &limits, &dirs);
    const size_t places = places_of("7.1.0");
    const size_t fds = contract_open_fds();
    int r = cgroup_host_create(now.host, "7.1.0", NULL, &limits, &dirs, &err);
    cr_expect_eq(r, -EEXIST, "%s: got %d", now.name, r);
    cr_expect(strstr(err.text, "7.1.0"), "\"%s\" does not name the group", err.text);
    cr_expect_eq(places_of("7.1.0"), places, "%s: the group that was there is damaged", now.name);
    cr_expect_eq(contract_open_fds(), fds, "%s: descriptors leaked", now.name);
    task_cgroup_dirs_close(&dirs);
}

PROMISE(names_that_are_none_are_refused)
{
    char long_name[202];
    const char *const names[] = {"",     ".",     "..",          ".x",    "a/b",
                                 "a\nb", "agent", "supervisors", "probe", long_name};

    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    contract_open(&now, *row);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct task_cgroup_dirs dirs;
        struct err err = {0};

        cr_expect_eq(cgroup_host_create(now.host, names[i], NULL, &no_limits, &dirs, &err), -EINVAL,
                     "%s: name %zu was taken", now.name, i);
        cr_expect_neq(err.text[0], '\0');
        cr_expect_eq(cgroup_host_adopt(now.host, names[i], &dirs, &err), -EINVAL, "name %zu", i);
        cr_expect_eq(cgroup_host_remove(now.host, names[i], &err), -EINVAL, "name %zu", i);
    }
    long_name[200] = '\0';
    create_and_close(long_name);
}

PROMISE(adopt_finds_what_create_made)
{
    struct task_cgroup_dirs made;
    struct task_cgroup_dirs found;
    struct err err = {0};

    contract_open(&now, *row);
    const struct cgroup_limits limits = possible_limits();
    create("7.1.0", &limits, &made);
    cr_assert_eq(cgroup_host_adopt(now.host, "7.1.0", &found, &err), 0, "%s", err.text);
    cr_expect_eq(found.mode, made.mode);
    cr_expect_eq(found.clone_into, made.clone_into);
    cr_expect_str_eq(found.cgroup_path, made.cgroup_path);
    for (enum cgroup_slot slot = 0; slot < CGROUP_SLOT_COUNT; slot++) {
        struct stat a;
        struct stat b;

        cr_assert_eq(found.fd[slot] < 0, made.fd[slot] < 0, "%s: slot %d", now.name, (int) slot);
        if (made.fd[slot] < 0) {
            cr_expect_eq(found.fd[slot], -1);
            continue;
        }
        cr_assert_eq(fstat(made.fd[slot], &a), 0);
        cr_assert_eq(fstat(found.fd[slot], &b), 0);
        cr_expect_eq(a.st_ino, b.st_ino, "%s: slot %d is another directory", now.name, (int) slot);
        cr_expect(fcntl(found.fd[slot], F_GETFD) & FD_CLOEXEC, "slot %d", (int) slot);
        cr_expect(fcntl(made.fd[slot], F_GETFD) & FD_CLOEXEC, "slot %d", (int) slot);
    }
    task_cgroup_dirs_close(&made);
    task_cgroup_dirs_close(&found);
}

PROMISE(adopt_of_no_group_is_enoent)
{
    struct task_cgroup_dirs dirs;
    struct err err = {0};

    contract_open(&now, *row);
    const size_t fds = contract_open_fds();
    cr_expect_eq(cgroup_host_adopt(now.host, "7.1.0", &dirs, &err), -ENOENT);
    cr_expect(strstr(err.text, "7.1.0"), "\"%s\" does not name the group", err.text);
    cr_expect_eq(contract_open_fds(), fds);
}

PROMISE(a_group_that_somebody_else_made_is_found_by_its_path_and_not_touched)
{
    char name[80], path[CONTRACT_PATH_SIZE];
    struct err err = {0}, other_err = {0};
    struct task_cgroup_dirs dirs;
    struct task_cgroup *cg = NULL;
    struct stat st = {0};

    contract_open(&now, *row);
    const enum cgroup_slot tree =
        now.host->mode == CGROUP_MODE_V1 ? CGROUP_SLOT_FREEZER : CGROUP_SLOT_UNIFIED;
    const int base = now.host->at[tree].base_fd;
    /* Beside the agent's own. */
    (void) snprintf(name, sizeof(name), "theirs-%s", now.tag);
    (void) snprintf(path, sizeof(path), "%.*s%s",
                    (int) (strlen(now.host->cgroup_path) - strlen(now.tag)), now.host->cgroup_path,
                    name);
    const size_t fds = contract_open_fds();
    cr_assert_eq(cgfs_mkdir(base, name), 0, "%s: %s", now.name, name);
    cr_expect_eq(fstatat(base, name, &st, 0), 0);
    const int found = cgroup_host_adopt_path(now.host, path, 0, &dirs, &err);
    const int opened = found == 0 ? task_cgroup_open(&dirs, &cg, &err) : -1;
    const int empty = opened == 0 ? task_cgroup_is_empty(cg, &err) : 0;
    const uint64_t inode = opened == 0 ? task_cgroup_inode(cg) : 0;
    const int other = cgroup_host_adopt_path(now.host, path, st.st_ino + 1, &dirs, &other_err);
    cg = task_cgroup_free(cg);
    cr_expect_eq(cgfs_rmdir(base, name), 0, "%s: its maker can't remove it", now.name);
    cr_expect_eq(found, 0, "%s: %s", now.name, err.text);
    cr_expect_eq(empty, TASK_CGROUP_EMPTY, "%s: %s", now.name, err.text);
    cr_expect_eq(inode, st.st_ino, "%s: another directory", now.name);
    cr_expect_eq(other, -ENOENT, "%s: another group of that name was taken", now.name);
    cr_expect(strstr(other_err.text, path), "%s", other_err.text);
    cr_expect_eq(cgroup_host_adopt_path(now.host, path, 0, &dirs, &err), -ENOENT);
    cr_expect_eq(contract_open_fds(), fds, "%s: descriptors leaked", now.name);
}

PROMISE(the_path_is_that_of_the_directory)
{
    struct task_cgroup_dirs dirs;
    char self[64];
    char found[1024] = "";

    contract_open(&now, *row);
    create("7.1.0", &no_limits, &dirs);
    (void) snprintf(self, sizeof(self), "/proc/self/fd/%d", dirs.fd[contract_tree(&now)]);
    cr_assert_gt(readlink(self, found, sizeof(found) - 1), 0);
    const size_t len = strlen(cgroup_host_path(now.host));
    cr_expect_eq(strncmp(found, cgroup_host_path(now.host), len), 0, "%s is not below %s", found,
                 cgroup_host_path(now.host));
    cr_expect_str_eq(found + len, "/7.1.0");
    cr_expect_str_eq(dirs.cgroup_path + strlen(dirs.cgroup_path) - 6, "/7.1.0");
    task_cgroup_dirs_close(&dirs);
}

static void note_name(void *arg, const char *name)
{
    unsigned int *seen = arg;

    if (strcmp(name, "7.1.0") == 0)
        *seen += 1;
    else if (strcmp(name, "7.2.0") == 0)
        *seen += 10;
    else
        *seen += 100;
}

PROMISE(each_tells_the_attempts_groups_and_no_other)
{
    unsigned int seen = 0;
    struct err err = {0};

    contract_open(&now, *row);
    cr_expect_eq(cgroup_host_each(now.host, note_name, &seen, &err), 0, "%s", err.text);
    cr_expect_eq(seen, 0);
    create_and_close("7.1.0");
    create_and_close("7.2.0");
    cr_expect_eq(cgroup_host_each(now.host, note_name, &seen, &err), 0, "%s", err.text);
    cr_expect_eq(seen, 11, "%s: %u", now.name, seen);
}

static void remove_one(void *arg, const char *name)
{
    unsigned int *removed = arg;

    *removed += cgroup_host_remove(now.host, name, NULL) == 0;
}

PROMISE(what_each_tells_may_be_removed_meanwhile)
{
    unsigned int removed = 0;
    char name[32];

    contract_open(&now, *row);
    for (unsigned int i = 0; i < 60; i++) {
        (void) snprintf(name, sizeof(name), "%u.1.0", i);
        create_and_close(name);
    }
    cr_expect_eq(cgroup_host_each(now.host, remove_one, &removed, NULL), 0);
    cr_expect_eq(removed, 60, "%s: %u of 60", now.name, removed);
}

PROMISE(remove_takes_the_group_out_of_every_hierarchy)
{
    struct task_cgroup_dirs dirs;
    struct err err = {0};

    contract_open(&now, *row);
    const struct cgroup_limits limits = possible_limits();
    create("7.1.0", &limits, &dirs);
    task_cgroup_dirs_close(&dirs);
    cr_expect_geq(places_of("7.1.0"), 1);
    cr_expect_eq(cgroup_host_remove(now.host, "7.1.0", &err), 0, "%s: %s", now.name, err.text);
    cr_expect_eq(places_of("7.1.0"), 0, "%s: still there", now.name);
    cr_expect_eq(cgroup_host_remove(now.host, "7.1.0", &err), 0, "%s: a group that is gone: %s",
                 now.name, err.text);
}

PROMISE(remove_takes_the_groups_below_with_it)
{
    static const char *const below[] = {"7.1.0/a", "7.1.0/a/b", "7.1.0/a/b/c", "7.1.0/d"};
    struct task_cgroup_dirs dirs;
    struct err err = {0};

    contract_open(&now, *row);
    const struct cgroup_limits limits = possible_limits();
    create("7.1.0", &limits, &dirs);
    for (enum cgroup_slot slot = 0; slot < CGROUP_SLOT_COUNT; slot++) {
        for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
            /* On files, what is made by hand gets no control files: it is made by the seam. */
            if (dirs.fd[slot] >= 0)
                cr_assert_eq(cgfs_mkdir(now.host->at[slot].tag_fd, below[i]), 0, "%s: %s", below[i],
                             strerror(errno));
        }
    }
    task_cgroup_dirs_close(&dirs);
    cr_expect_eq(cgroup_host_remove(now.host, "7.1.0", &err), 0, "%s: %s", now.name, err.text);
    cr_expect_eq(places_of("7.1.0"), 0, "%s: still there", now.name);
}

PROMISE(close_removes_what_is_empty)
{
    static char dirs[CGROUP_SLOT_COUNT][CONTRACT_PATH_SIZE];

    contract_open(&now, *row);
    for (enum cgroup_slot slot = 0; slot < CGROUP_SLOT_COUNT; slot++)
        (void) contract_path(&now, slot, "", dirs[slot]);
    now.host = cgroup_host_close(now.host);
    cr_expect_null(now.host);
    for (enum cgroup_slot slot = 0; slot < CGROUP_SLOT_COUNT; slot++) {
        if (dirs[slot][0])
            cr_expect_neq(access(dirs[slot], F_OK), 0, "%s is left", dirs[slot]);
    }
}

PROMISE(close_leaves_a_group_and_the_next_open_finds_it)
{
    struct task_cgroup_dirs dirs;
    struct err err = {0};

    contract_open(&now, *row);
    const size_t fds = contract_open_fds();
    const struct cgroup_limits limits = possible_limits();
    create("7.1.0", &limits, &dirs);
    task_cgroup_dirs_close(&dirs);
    contract_reopen(&now);
    cr_expect_eq(contract_open_fds(), fds, "%s: descriptors leaked", now.name);
    cr_assert_eq(cgroup_host_adopt(now.host, "7.1.0", &dirs, &err), 0, "%s: %s", now.name,
                 err.text);
    if (limits.pids)
        expect_value(dirs.fd[dirs.mode == CGROUP_MODE_V2 ? CGROUP_SLOT_UNIFIED : CGROUP_SLOT_PIDS],
                     "pids.max", "77");
    task_cgroup_dirs_close(&dirs);
    /* And limits can be set as before. */
    create("7.2.0", &limits, &dirs);
    task_cgroup_dirs_close(&dirs);
}

PROMISE(a_group_is_identified_by_its_inode)
{
    struct task_cgroup_dirs dirs;
    struct err err = {0};
    struct stat st;

    contract_open(&now, *row);
    create("7.1.0", &no_limits, &dirs);
    cr_assert_eq(fstat(dirs.fd[contract_tree(&now)], &st), 0);
    CLEANUP(task_cgroup_freep) struct task_cgroup *cg = NULL;
    cr_assert_eq(task_cgroup_open(&dirs, &cg, &err), 0, "%s", err.text);
    cr_expect_eq(task_cgroup_inode(cg), st.st_ino);
}
