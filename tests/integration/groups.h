#pragma once

/* groups.h - where the groups of a process are, and what their files say. What goes wrong ends the
 * test. */
#include "tests/integration/world.h"

#define BACKENDS                                                                                   \
    {                                                                                              \
        "hybrid", "v1", "v2"                                                                       \
    }

/* world_make() for this backend; the rest of the test is about it. Its groups are below a base of
   its own, group_base(), which is a name at the top of each hierarchy. NULL where the host has no
   such cgroups: it has printed that. */
struct world *group_world(const char *backend, const char *agent_config);
const char *group_base(const struct world *world);

/* Where the hierarchy of a v1 controller is mounted, or the unified one (""). NULL: it is not. */
const char *group_mount(struct world *world, const char *controller);
/* The group of the process there. */
const char *group_of(struct world *world, pid_t pid, const char *controller);
/* The first line of a file in it. */
const char *group_says(struct world *world, const char *group, const char *file);

/* The one process of the task, which is marked. */
pid_t group_task_pid(struct world *world, const char *task);
/* Whether the first node can enforce a limit of "memory", "cpus" or "pids". */
bool group_can_limit(struct world *world, const char *limit);
