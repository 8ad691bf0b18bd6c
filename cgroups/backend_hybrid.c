/*
 * backend_hybrid.c - the tree in the unified hierarchy, memory counted by its v1 controller.
 */
#include "cgroups/backend.h"

#include <poll.h>

static void hybrid_read_usage(struct task_cgroup *cg, struct task_cgroup_usage *ret)
{
    /* The kernel counts CPU time in every group of the unified hierarchy, controller or not. */
    ret->cpu_us = group_file_value(cg->dirs.fd[CGROUP_SLOT_UNIFIED], "cpu.stat", "usage_usec");
    v1_read_memory(cg->dirs.fd[CGROUP_SLOT_MEMORY], ret);
}

const struct task_cgroup_backend task_cgroup_backend_hybrid = {
    .open = unified_open,
    .kill = unified_kill,
    .freeze = unified_freeze,
    .is_empty = unified_is_empty,
    .read_usage = hybrid_read_usage,
    .walked = CGROUP_SLOT_UNIFIED,
    .controller = "",
    .events = POLLPRI,
};
