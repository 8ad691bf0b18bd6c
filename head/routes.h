#pragma once

/*
 * routes.h - the paths of the head's socket: who answers what. What only reads is answered in
 * reads.c, peek.c and events.c; what changes something (verbs.c) first has to know who asks.
 */
#include "http/http_server.h"
#include "libquell/quell.h"

#include <sys/types.h>

struct user_cache;

struct routes {          /* all borrowed */
    struct quell *quell; /* NULL once the head is ending: then all is refused */
    struct user_cache *users;
    const struct http_server *server;
    bool has_operators;
    gid_t operators; /* whose members may act on every task */
};

struct target {       /* what the path names */
    uint32_t job_id;  /* 0: none */
    uint32_t task_id; /* 0: none, or the whole job */
};

void routes_handle(void *arg, struct http_request *request); /* an http_handler of a routes */

typedef void route_handler(struct routes *routes, struct http_request *request,
                           const struct target *target);

/* Who asks, without a name. */
void routes_who(const struct routes *routes, const struct http_request *request,
                struct quell_who *ret);

/* ---- reads.c ---- */

route_handler read_health;
route_handler read_head;
route_handler read_nodes;
route_handler read_tasks;
route_handler read_task;

/* A number from the query, or *ret as it was. False: it is none, and the request has been answered.
 */
bool read_number(struct http_request *request, const char *name, uint64_t min, uint64_t max,
                 uint64_t *ret);

/* ---- events.c ---- */

route_handler read_events;

/* ---- peek.c ---- */

route_handler read_peek;

/* ---- verbs.c ---- */

route_handler verb_add;
route_handler verb_submit;
route_handler verb_cancel;
route_handler verb_cancel_job;
route_handler verb_requeue;
