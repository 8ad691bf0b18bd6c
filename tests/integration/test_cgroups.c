/* Without cgroups that can be written, quelld ends with one sentence that tells what it looked for.
 */
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/wait.h>

TestSuite(cgroups, .fini = worlds_close, .timeout = 120);

#define CAN_NOT 121 /* exit status: this machine does not let us prepare that */

static int own_mounts(void)
{
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return CAN_NOT;
    return 0;
}

/* Nothing is mounted where cgroups are. */
static int make_absent(void *arg)
{
    (void) arg;
    if (own_mounts() != 0 || umount2("/sys/fs/cgroup", MNT_DETACH) < 0)
        return CAN_NOT;
    return 0;
}

/* Something else is mounted over them. */
static int make_covered(void *arg)
{
    (void) arg;
    if (own_mounts() != 0 || mount("none", "/sys/fs/cgroup", "tmpfs", 0, NULL) < 0)
        return CAN_NOT;
    return 0;
}

/* All are there, and none can be written. */
static int make_read_only(void *arg)
{
    FILE *mounts;
    char points[64][256], line[4096], type[64];
    int len = 0;

    (void) arg;
    if (own_mounts() != 0)
        return CAN_NOT;
    mounts = fopen("/proc/self/mounts", "re");
    if (!mounts)
        return CAN_NOT;
    while (len < 64 && fgets(line, sizeof(line), mounts))
        if (sscanf(line, "%*s %255s %63s", points[len], type) == 2 &&
            strncmp(type, "cgroup", 6) == 0)
            len++;
    (void) fclose(mounts);
    for (int i = 0; i < len; i++)
        if (mount("none", points[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
            return CAN_NOT;
    return 0;
}

/* Returns false when it can't be prepared here. */
static bool quelld_fails(struct world *w, int (*prepare)(void *arg), const char *const *parts)
{
    struct program *p = &w->agents[0].program;
    const char *const argv[] = {bin(w, "quelld"),
                                "--head",
                                w->head_url,
                                "--node",
                                "n1",
                                "--socket",
                                w->agents[0].socket,
                                "--state-dir",
                                path_in(w, "n1.state"),
                                "--run-dir",
                                path_in(w, "n1.run"),
                                "--config",
                                path_in(w, "quelld.conf"),
                                NULL};
    const struct program_child child = {.mark = keepf(w, JANITOR_DAEMON "=%s", w->dir),
                                        .prepare = prepare};
    const char *log;
    int status;

    program_start(p, argv, &child);
    status = program_wait(p);
    log = program_log(p);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CAN_NOT)
        return false;
    (void) printf("%s", log);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1, "wait status 0x%x: %s",
              (unsigned) status, log);
    cr_assert_eq(strncmp(log, "quelld: ", 8), 0, "%s", log);
    cr_assert_eq(strchr(log, '\n')[1], '\0', "more than one line: %s", log);
    for (; *parts; parts++)
        assert_has(log, *parts);
    return true;
}

Test(cgroups, absent_ones_are_told_in_one_sentence)
{
    struct world *w = world_make(NULL);

    if (!quelld_fails(w, make_absent,
                      (const char *const[]){"looked for", world_is_v1() ? "freezer" : "cgroup2",
                                            "found", NULL}))
        SKIP("mounts of its own can't be had here: %s", strerror(EPERM));
}

Test(cgroups, covered_ones_are_told_in_one_sentence)
{
    struct world *w = world_make(NULL);

    if (!quelld_fails(w, make_covered, (const char *const[]){"looked for", "cgroup", NULL}))
        SKIP("mounts of its own can't be had here: %s", strerror(EPERM));
}

Test(cgroups, read_only_ones_are_told_in_one_sentence)
{
    struct world *w = world_make(NULL);

    if (!quelld_fails(w, make_read_only,
                      (const char *const[]){"looked for", "/sys/fs/cgroup", "Read-only", NULL}))
        SKIP("mounts of its own can't be had here: %s", strerror(EPERM));
}
