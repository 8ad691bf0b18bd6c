#pragma once

/*
 * status_task.h - a task as its node sees it, as JSON. The head's acceptance of a cancel may be a
 * message ahead of it.
 */
#include "ipc/task.h"

#include <jansson.h>
#include <stdint.h>

struct task;

enum task_status status_task_status(const struct task *task);

/* Its object (new reference, as the next). */
json_t *status_task_json(const struct task *task);

/* What is told of a change of its status that has just happened. */
json_t *status_task_event(const struct task *task, uint64_t id);
