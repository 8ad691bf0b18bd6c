#pragma once

/* process.h - one process, read from /proc, as JSON. */
#include <jansson.h>
#include <sys/types.h>

struct user_cache;

/* A new reference; NULL when it is gone. */
json_t *process_json(const struct user_cache *users, pid_t pid);
