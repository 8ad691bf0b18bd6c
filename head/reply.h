#pragma once

/* reply.h - answers of the head's socket. Each ends its request. */
#include "http/http_server.h"
#include "libquell/quell.h"

#include <jansson.h>

struct target;

void reply_text(struct http_request *request, const char *text);
/* The number of a refusal decides the status. */
void reply_refusal(struct http_request *request, int code, const char *text);
void reply_error(struct http_request *request, int status, int code, const char *text);

void reply_task(struct http_request *request, const struct quell_task *task);
/* A page: "next" says where the one that follows begins, or null. */
void reply_tasks(struct http_request *request, const struct quell_task *tasks, size_t len,
                 bool more);
/* Of one task among several each: those that were done, and the refusals of the others. Where all
   were refused, it is the first refusal's reply too. */
void reply_results(struct http_request *request, const struct quell_result *results, size_t len);
/* The end of the output of the task that @target names. */
void reply_outputs(struct http_request *request, const struct target *target,
                   const struct quell_output *outputs, size_t len);
void reply_nodes(struct http_request *request, const struct quell_node *nodes, size_t len);
void reply_head(struct http_request *request, const struct http_stats *stats);
