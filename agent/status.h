#pragma once

/* status.h - the agent's status socket: read-only, for everyone on the node. */
#include "base/err.h"

struct agent;

int status_open(struct agent *agent, struct err *err);
