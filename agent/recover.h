#pragma once

/* recover.h - after a restart: what the disk, the run directory and the groups say is replayed. */
#include "base/err.h"

struct agent;

int recover_tasks(struct agent *agent, struct err *err);
