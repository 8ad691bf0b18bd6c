#pragma once

/* task_view.h - a task's JSON object as a block that a person reads. Pure: it writes to a stream.
 */
#include <jansson.h>
#include <stdio.h>

void task_view_print(FILE *out, const json_t *task);
/* One line: the task, its status, and its message where there is one. */
void task_view_print_line(FILE *out, const json_t *task);
/* Which member says what it is: "command", or "cgroup" of a group that was handed over. */
const char *task_view_what(const json_t *task);
/* "7.1"; "?.?" of an object that is no task. */
void task_view_print_id(FILE *out, const json_t *task);
