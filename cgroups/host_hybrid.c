/*
 * host_hybrid.c - the tree in the unified hierarchy, limits and memory's counters in v1's.
 */
#include "cgroups/host_backend.h"

static int hybrid_prepare(struct cgroup_host *host, struct err *err)
{
    (void) err;
    host_controllers_find(host);
    return 0;
}

static int hybrid_limit(struct cgroup_host *host, const char *name,
                        const struct cgroup_limits *limits, struct task_cgroup_dirs *dirs,
                        struct err *err)
{
    return host_controllers_make(host, name, limits, 1U << CGROUP_SLOT_MEMORY, dirs, err);
}

const struct host_backend host_backend_hybrid = {
    .tree = CGROUP_SLOT_UNIFIED,
    .prepare = hybrid_prepare,
    .limit = hybrid_limit,
    .is_busy = host_unified_is_busy,
};
