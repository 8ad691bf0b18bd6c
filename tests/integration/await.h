#pragma once

/* await.h - waiting for a task's status by the events that tell of it. What goes wrong ends the
 * test. */
#include "tests/integration/world.h"

/* Until this attempt of the task has become @status, as the head says. */
void await_status(struct world *world, const char *task, int attempt, const char *status);
/* Until the agent tells of this attempt of the task: its node has it. */
void await_at_node(const struct agent *agent, const char *task, int attempt);
