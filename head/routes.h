#pragma once

/*
 * routes.h - the paths of the head's socket. What only reads is answered here; what changes
 * something (verbs.c) first has to know who asks.
 */
#include "http/http_server.h"
#include "libquell/quell.h"

#include <sys/types.h>

struct who;

struct routes { /* all borrowed */
    struct quell *quell;
    struct who *who;
    bool has_operators;
    gid_t operators; /* whose members may act on every task */
};

void routes_handle(void *arg, struct http_request *request); /* an http_handler of a routes */

/* ---- verbs.c ---- */

void verb_add(struct routes *routes, struct http_request *request);
void verb_submit(struct routes *routes, struct http_request *request, uint32_t job_id,
                 uint32_t task_id);
/* @task_id: 0 for the whole job. */
void verb_cancel(struct routes *routes, struct http_request *request, uint32_t job_id,
                 uint32_t task_id);
