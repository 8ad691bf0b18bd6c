/*
 * backend_v2.c - one hierarchy for everything.
 */
#include "cgroups/backend.h"
#include "cgroups/cgfs.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* Sums "rbytes=" and "wbytes=" over the devices. Left as it is where io is not counted. */
static void read_io(int dirfd, int64_t *read_bytes, int64_t *write_bytes)
{
    char text[16384]; /* a line of 100 characters for each device */

    if (cgfs_read(dirfd, "io.stat", text, sizeof(text)) < 0)
        return;
    *read_bytes = 0;
    *write_bytes = 0;
    for (const char *at = text; (at = strstr(at, "bytes=")); at += 6) {
        if (at < text + 2)
            continue;
        if (at[-1] == 'r' && at[-2] == ' ')
            *read_bytes += strtoll(at + 6, NULL, 10);
        else if (at[-1] == 'w' && at[-2] == ' ')
            *write_bytes += strtoll(at + 6, NULL, 10);
    }
}

static void v2_read_usage(struct task_cgroup *cg, struct task_cgroup_usage *ret)
{
    const int dir = cg->dirs.fd[CGROUP_SLOT_UNIFIED];

    ret->cpu_us = group_file_value(dir, "cpu.stat", "usage_usec");
    ret->memory_peak_bytes = group_file_number(dir, "memory.peak"); /* since Linux 5.19 */
    ret->memory_at_limit = group_file_value(dir, "memory.events", "oom");
    if (ret->memory_at_limit > 1) /* so many times */
        ret->memory_at_limit = 1;
    ret->oom_kills = group_file_value(dir, "memory.events", "oom_kill");
    read_io(dir, &ret->io_read_bytes, &ret->io_write_bytes);
}

const struct task_cgroup_backend task_cgroup_backend_v2 = {
    .open = unified_open,
    .kill = unified_kill,
    .freeze = unified_freeze,
    .is_empty = unified_is_empty,
    .read_usage = v2_read_usage,
    .walked = CGROUP_SLOT_UNIFIED,
    .controller = "",
    .events = POLLPRI,
};
