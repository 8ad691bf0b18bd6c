#pragma once

/* processes.h - the live processes of a task's group, read from /proc, as JSON. */
#include <jansson.h>

struct task;

/* An array (new reference), empty when there is no process, parents mostly before children. */
json_t *processes_json(struct task *task);
