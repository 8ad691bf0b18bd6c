/* The first promise, looked at every millisecond: no process of a task lives when it is Cancelled.
 */
#include "tests/integration/asker.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

TestSuite(watch, .fini = worlds_close, .timeout = 300);

#define FIGHTERS 50
#define LOOKS    300 /* at least so many, while the processes live */

struct process {
    pid_t pid;
    unsigned long long start_ticks;
};

struct crowd {
    struct process processes[FIGHTERS];
    size_t len;
};

/* Field 22 of its stat; 0 when it is gone, or a zombie. */
static unsigned long long start_ticks(pid_t pid)
{
    char path[64], text[1024];
    const char *field;
    FILE *file;
    size_t n;

    (void) snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);
    file = fopen(path, "re");
    if (!file)
        return 0;
    n = fread(text, 1, sizeof(text) - 1, file);
    (void) fclose(file);
    text[n] = '\0';
    field = strrchr(text, ')'); /* the end of the second field, which may have blanks in it */
    if (!field || field[2] == 'Z' || field[2] == 'X')
        return 0;
    for (int i = 2; field && i < 22; i++)
        field = strchr(field + 1, ' ');
    return field ? strtoull(field, NULL, 10) : 0;
}

static void note_process(pid_t pid, void *arg)
{
    struct crowd *crowd = arg;

    if (crowd->len < FIGHTERS)
        crowd->processes[crowd->len++] =
            (struct process){.pid = pid, .start_ticks = start_ticks(pid)};
}

static size_t living(const struct crowd *crowd)
{
    size_t count = 0;

    for (size_t i = 0; i < crowd->len; i++)
        count += start_ticks(crowd->processes[i].pid) == crowd->processes[i].start_ticks;
    return count;
}

/* Wakes once in a millisecond; what is late is not made up for. */
static int metronome(void)
{
    const struct itimerspec each = {.it_interval = {.tv_nsec = 1000000},
                                    .it_value = {.tv_nsec = 1000000}};
    const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

    cr_assert_geq(fd, 0);
    cr_assert_eq(timerfd_settime(fd, 0, &each, NULL), 0);
    return fd;
}

/* Looks until the head says Cancelled. Returns how often there was a living process to be seen. */
static size_t look(struct world *w, const char *id, const struct crowd *crowd)
{
    struct asker *asker = asker_open(w->head_socket);
    const char *path = keepf(w, "/v1/tasks/%s", id);
    const int beat = metronome();
    size_t looks = 0;

    for (;;) {
        json_t *task = asker_get(asker, path, NULL);
        const size_t count = living(crowd); /* after the head's word: it could only be less */
        const bool cancelled = strcmp(text_at(task, "status"), "TaskStatus_Cancelled") == 0;
        uint64_t beats;

        json_decref(task);
        if (cancelled) {
            cr_assert_eq(count, 0, "%zu processes live, and the task is Cancelled", count);
            break;
        }
        looks += count > 0;
        cr_assert_eq(wait_readable(beat), 0);
        cr_assert_eq(read(beat, &beats, sizeof(beats)), (ssize_t) sizeof(beats));
    }
    (void) close(beat);
    asker_close(asker);
    return looks;
}

Test(watch, while_any_of_50_processes_lives_the_status_never_says_cancelled)
{
    struct world *w = world_open(1);
    const char *id = submit_fighter(w, "n1", FIGHTERS);
    const char *const marks[] = {w->mark, NULL};
    struct crowd crowd = {.len = 0};
    size_t looks;

    cr_assert_eq(processes_marked(marks, note_process, &crowd), FIGHTERS);
    cr_assert_eq(living(&crowd), FIGHTERS);
    cancel(w, id, "-m", "seen to the end", "--grace", "2s");
    looks = look(w, id, &crowd);
    (void) printf("%zu looks at a task with living processes\n", looks);
    cr_assert_geq(looks, LOOKS);
    assert_cancelled(w, id, "seen to the end", "cgroup_kill");
}

Test(watch, the_last_of_a_crowd_that_dies_one_by_one_ends_the_task_and_none_before)
{
    struct world *w = world_open(1);

    /* Killed at once, ten times: the moment between kill and empty is the one to be looked at. */
    for (int i = 0; i < 10; i++) {
        const char *id = submit_fighter(w, "n1", FIGHTERS);
        const char *const marks[] = {w->mark, NULL};
        struct crowd crowd = {.len = 0};

        cr_assert_eq(processes_marked(marks, note_process, &crowd), FIGHTERS);
        cancel(w, id, "--grace", "0");
        (void) look(w, id, &crowd);
        assert_cancelled(w, id, NULL, "cgroup_kill");
    }
}
