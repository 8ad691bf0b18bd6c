/*
 * The N-th call to the kernel fails, for every N: nothing is left behind, no descriptor is leaked,
 * and there is a sentence. On files for v2, in the kernel for hybrid, v1 and v2.
 */
#include "cgroups/cgfs.h"
#include "cgroups/host_backend.h"
#include "cgroups/host_detect.h"

#include "tests/contract/contract_host.h"
#include "tests/fakes/fake_cgfs.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <libcgroup.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CALLS_MAX 500 /* more than any of these needs */

/* libcgroup's call counts as one of ours: the linker puts this in its place, under names of its
   own. NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __real_cgroup_create_cgroup(struct cgroup *group, int ignore_ownership);
int __wrap_cgroup_create_cgroup(struct cgroup *group, int ignore_ownership);

int __wrap_cgroup_create_cgroup(struct cgroup *group, int ignore_ownership)
{
    return fake_cgfs_gate() < 0 ? ECGFAIL : __real_cgroup_create_cgroup(group, ignore_ownership);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static const char *const rows[] = {"v2 on files", "v2", "hybrid", "v1"};

static char mount[FAKE_PATH_SIZE];
static char tag[64], base[64];
static struct host_layout layout;
static struct cgroup_host *host;

static void done(void)
{
    fake_cgfs = (struct fake_cgfs){0};
    if (host)
        (void) cgroup_host_remove(host, "7.1.0", NULL);
    host = cgroup_host_close(host);
    if (mount[0])
        fake_cgroup2_free(mount);
}

static void look(size_t row)
{
    struct host_place *place = &layout.places[CGROUP_SLOT_UNIFIED];
    struct err err = {0};

    (void) snprintf(tag, sizeof(tag), "quell-test-%d", (int) getpid());
    (void) snprintf(base, sizeof(base), "/quell-test-base-%d", (int) getpid());
    if (row == 0) {
        fake_cgroup2_new("cpu memory pids", mount);
        layout.mode = CGROUP_MODE_V2;
        (void) snprintf(place->mount, sizeof(place->mount), "%s", mount);
        place->root[0] = place->own[0] = '/';
        return;
    }
    int r = host_detect(rows[row], &layout, &err);
    if (r == -ENOENT)
        cr_skip_test("no %s host: %s", rows[row], err.text);
    cr_assert_eq(r, 0, "%s", err.text);
}

static int open_host(struct err *err)
{
    const struct cgroup_host_options options = {.base = base, .tag = tag};

    *err = (struct err){0};
    return host_open_layout(&layout, &options, &host, err);
}

/* Of all hierarchies, how many have this directory. */
static size_t places_of(const char *path)
{
    size_t count = 0;

    for (enum cgroup_slot slot = 0; slot < CGROUP_SLOT_COUNT; slot++) {
        char full[2048];

        (void) snprintf(full, sizeof(full), "%s%s", layout.places[slot].mount, path);
        if (layout.places[slot].mount[0] && access(full, F_OK) == 0)
            count++;
    }
    return count;
}

static void fail_call(int nth)
{
    fake_cgfs = (struct fake_cgfs){.fail_call = nth, .fail_code = -EMFILE};
}

/* Whether the N-th call was reached at all; from here on none fails. */
static bool call_was_reached(int nth)
{
    const bool reached = fake_cgfs.calls >= nth;

    fake_cgfs = (struct fake_cgfs){0};
    return reached;
}

#define FAULT(promise)                                                                             \
    ParameterizedTestParameters(fault, promise)                                                    \
    {                                                                                              \
        static size_t indexes[] = {0, 1, 2, 3};                                                    \
        return cr_make_param_array(size_t, indexes, 4);                                            \
    }                                                                                              \
    ParameterizedTest(const size_t *row, fault, promise, .fini = done)

FAULT(an_open_that_fails_leaves_nothing_behind)
{
    bool reached = true;
    int failed = 0;

    look(*row);
    const size_t fds = contract_open_fds();
    for (int nth = 1; reached; nth++) {
        struct err err;

        cr_assert_lt(nth, CALLS_MAX);
        fail_call(nth);
        int r = open_host(&err);
        reached = call_was_reached(nth);
        failed += r < 0;
        if (r < 0) {
            cr_expect_eq(r, -EMFILE, "%s, call %d: %d", rows[*row], nth, r);
            cr_expect_neq(err.text[0], '\0', "%s, call %d: no sentence", rows[*row], nth);
            cr_expect_null(host);
        } else { /* a call that it can do without: then all is as ever */
            host = cgroup_host_close(host);
        }
        cr_expect_eq(contract_open_fds(), fds, "%s, call %d: descriptors leaked", rows[*row], nth);
        cr_assert_eq(places_of(base), 0, "%s, call %d: groups are left", rows[*row], nth);
    }
    cr_expect_gt(failed, 3, "%s: hardly anything could fail", rows[*row]);
}

FAULT(a_create_that_fails_leaves_nothing_behind)
{
    char group[256];
    bool reached = true;
    int failed = 0;
    struct err err;

    look(*row);
    cr_assert_eq(open_host(&err), 0, "%s", err.text);
    const struct cgroup_limits limits = {
        .memory_bytes = host->can_limit[CGROUP_LIMIT_MEMORY] ? 64U << 20 : 0,
        .cpu_milli = host->can_limit[CGROUP_LIMIT_CPU] ? 100 : 0,
        .pids = host->can_limit[CGROUP_LIMIT_PIDS] ? 10 : 0,
    };
    (void) snprintf(group, sizeof(group), "%s/%s/7.1.0", base, tag);
    const size_t fds = contract_open_fds();
    for (int nth = 1; reached; nth++) {
        struct task_cgroup_dirs dirs;

        err = (struct err){0};
        cr_assert_lt(nth, CALLS_MAX);
        fail_call(nth);
        int r = cgroup_host_create(host, "7.1.0", "note", &limits, &dirs, &err);
        reached = call_was_reached(nth);
        failed += r < 0;
        if (r < 0) {
            cr_expect(r == -EMFILE || r == -EIO, "%s, call %d: %d", rows[*row], nth, r);
            cr_expect_neq(err.text[0], '\0', "%s, call %d: no sentence", rows[*row], nth);
        } else {
            task_cgroup_dirs_close(&dirs);
            cr_assert_eq(cgroup_host_remove(host, "7.1.0", &err), 0, "%s", err.text);
        }
        cr_expect_eq(contract_open_fds(), fds, "%s, call %d: descriptors leaked", rows[*row], nth);
        cr_assert_eq(places_of(group), 0, "%s, call %d: groups are left", rows[*row], nth);
    }
    cr_expect_gt(failed, 1, "%s: hardly anything could fail", rows[*row]);
}

static bool stop(void *arg, pid_t pid)
{
    (void) arg;
    (void) pid;
    return false;
}

/* adopt, open, read, remove: none of them may lose a descriptor, and each is done the next time. */
static int use_group(struct err *err)
{
    struct task_cgroup_dirs dirs;
    struct task_cgroup *cg = NULL;
    int r = cgroup_host_adopt(host, "7.1.0", &dirs, err);

    if (r == 0)
        r = task_cgroup_open(&dirs, &cg, err);
    if (r == 0) {
        struct task_cgroup_usage usage;

        task_cgroup_read_usage(cg, &usage);
        r = task_cgroup_each_process(cg, stop, NULL, err);
        if (r == 0)
            r = task_cgroup_kill(cg, err);
        if (r == 0)
            r = task_cgroup_freeze(cg, false, err);
        if (r == 0)
            r = task_cgroup_is_empty(cg, err);
        if (r == TASK_CGROUP_EMPTY)
            r = 0;
    }
    (void) task_cgroup_free(cg);
    return r == 0 ? cgroup_host_remove(host, "7.1.0", err) : r;
}

FAULT(what_fails_in_a_groups_life_loses_no_descriptor_and_can_be_done_again)
{
    const struct cgroup_limits limits = {0};
    bool reached = true;
    struct err err;

    look(*row);
    cr_assert_eq(open_host(&err), 0, "%s", err.text);
    const size_t fds = contract_open_fds();
    for (int nth = 1; reached; nth++) {
        struct task_cgroup_dirs dirs;

        cr_assert_lt(nth, CALLS_MAX);
        cr_assert_eq(cgroup_host_create(host, "7.1.0", NULL, &limits, &dirs, &err), 0, "%s",
                     err.text);
        cr_assert_eq(cgfs_mkdir(dirs.fd[host->backend->tree], "below"), 0);
        task_cgroup_dirs_close(&dirs);
        err = (struct err){0};
        fail_call(nth);
        int r = use_group(&err);
        reached = call_was_reached(nth);
        if (r != 0) {
            cr_expect_eq(r, -EMFILE, "%s, call %d: %d", rows[*row], nth, r);
            cr_expect_neq(err.text[0], '\0', "%s, call %d: no sentence", rows[*row], nth);
            err = (struct err){0};
            cr_assert_eq(cgroup_host_remove(host, "7.1.0", &err), 0, "%s, call %d: %s", rows[*row],
                         nth, err.text);
        }
        cr_expect_eq(contract_open_fds(), fds, "%s, call %d: descriptors leaked", rows[*row], nth);
    }
}
