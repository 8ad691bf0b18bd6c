#pragma once

/* status.h - the agent's status socket: read-only, for everyone on the node. */
#include "base/err.h"

#include <jansson.h>

struct agent;
struct http_request;

int status_open(struct agent *agent, struct err *err);

/* Answers with @object, which is used up; NULL (no memory): 500. */
void status_reply(struct http_request *request, int status, json_t *object);
/* Answers with an error's number (enum task_error) and sentence. */
void status_refuse(struct http_request *request, int status, int code, const char *text);
