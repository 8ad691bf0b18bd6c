#pragma once

/* asker.h - one HTTP connection to a Unix socket, kept open: questions by the thousand. */
#include <jansson.h>

struct asker;

struct asker *asker_open(const char *socket_path);
/* The answer's JSON as a new reference; @ret_status may be NULL. */
json_t *asker_get(struct asker *asker, const char *path, int *ret_status);
json_t *asker_post(struct asker *asker, const char *path, const char *body, int *ret_status);
void asker_close(struct asker *asker);
