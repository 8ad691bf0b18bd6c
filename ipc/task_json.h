#pragma once

/*
 * task_json.h - the parts of a task's JSON object that head and agent have in common.
 * What is not known is null, never 0. Times are RFC 3339, UTC, microseconds.
 * Each returns a new reference.
 */
#include "ipc/task.h"

#include <jansson.h>

json_t *task_json_proof(const struct task_proof *proof);
json_t *task_json_usage(const struct task_usage *usage);
json_t *task_json_time(uint64_t wall_us); /* null for 0 */
json_t *task_json_number(int64_t value);  /* null for TASK_UNKNOWN */
/* Bytes as a string; what is not UTF-8 shows as U+FFFD. null for NULL. */
json_t *task_json_text(const void *bytes, size_t len);
json_t *task_json_name_or_null(const char *name); /* null for NULL or "" */
/* {"error": {"code": "0x80040209", "text": "..."}} */
json_t *task_json_error(int code, const char *text);
