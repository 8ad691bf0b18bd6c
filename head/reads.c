/*
 * reads.c - the requests that change nothing and are answered in one piece.
 */
#include "base/units.h"
#include "head/reply.h"
#include "head/routes.h"

#include <stdio.h>
#include <stdlib.h>

#define WAIT_MAX_MS 60000u
#define LIMIT_MAX   1000u

bool read_number(struct http_request *request, const char *name, uint64_t min, uint64_t max,
                 uint64_t *ret)
{
    const char *text = http_request_query(request, name);
    char why[128];

    if (!text || units_parse_number(text, min, max, ret) == 0)
        return true;
    (void) snprintf(why, sizeof(why), "%s must be a whole number from %llu to %llu", name,
                    (unsigned long long) min, (unsigned long long) max);
    reply_refusal(request, TASK_E_INVALID, why);
    return false;
}

/* ---- the head and its nodes ---- */

void read_health(struct routes *routes, struct http_request *request, const struct target *target)
{
    (void) routes;
    (void) target;
    reply_text(request, "ok\n");
}

void read_head(struct routes *routes, struct http_request *request, const struct target *target)
{
    struct http_stats stats;

    (void) target;
    http_server_stats(routes->server, &stats);
    reply_head(request, &stats);
}

static void on_nodes(void *arg, const struct quell_refusal *refusal, const struct quell_node *nodes,
                     size_t len)
{
    if (refusal)
        reply_refusal(arg, refusal->code, refusal->text);
    else
        reply_nodes(arg, nodes, len);
}

void read_nodes(struct routes *routes, struct http_request *request, const struct target *target)
{
    (void) target;
    quell_list_nodes(routes->quell, on_nodes, request);
}

/* ---- one task, at once or when it has ended ---- */

static void on_task(void *arg, const struct quell_refusal *refusal, const struct quell_task *task)
{
    if (refusal)
        reply_refusal(arg, refusal->code, refusal->text);
    else
        reply_task(arg, task);
}

struct waiter { /* a request that waits for a task's end, and no longer than its client */
    struct quell *quell;
    struct http_request *request;
    struct quell_wait *wait;
};

static void on_waited(void *arg, const struct quell_refusal *refusal, const struct quell_task *task)
{
    struct waiter *waiter = arg;

    on_task(waiter->request, refusal, task);
    free(waiter);
}

static void on_waiter_gone(void *arg)
{
    const struct waiter *waiter = arg;

    quell_stop_wait(waiter->quell, waiter->wait);
}

static void wait_task(struct quell *quell, struct http_request *request,
                      const struct target *target, uint64_t wait_ms)
{
    struct waiter *waiter = malloc(sizeof(*waiter));
    struct quell_wait *wait;

    if (!waiter) {
        reply_refusal(request, TASK_E_BUSY, "the head has no memory for the request");
        return;
    }
    *waiter = (struct waiter){.quell = quell, .request = request};
    wait = quell_wait_task(quell, target->job_id, target->task_id, wait_ms, on_waited, waiter);
    if (!wait)
        return; /* answered, and the waiter is gone */
    waiter->wait = wait;
    http_request_on_gone(request, on_waiter_gone, waiter);
}

void read_task(struct routes *routes, struct http_request *request, const struct target *target)
{
    uint64_t wait_ms = 0;

    if (!read_number(request, "wait_ms", 0, WAIT_MAX_MS, &wait_ms))
        return;
    if (http_request_query(request, "wait_ms"))
        wait_task(routes->quell, request, target, wait_ms);
    else
        quell_show_task(routes->quell, target->job_id, target->task_id, on_task, request);
}

/* ---- many ---- */

static void on_page(void *arg, const struct quell_refusal *refusal, const struct quell_task *tasks,
                    size_t len, bool more)
{
    if (refusal)
        reply_refusal(arg, refusal->code, refusal->text);
    else
        reply_tasks(arg, tasks, len, more);
}

/* False: a parameter makes no sense, and the request has been answered. */
static bool read_filter(struct http_request *request, struct quell_filter *ret)
{
    const char *status = http_request_query(request, "status");
    const char *after = http_request_query(request, "after");
    uint64_t job_id = 0;
    uint64_t limit = 0;

    *ret = (struct quell_filter){.node = http_request_query(request, "node"),
                                 .has_status = status != NULL};
    if (!read_number(request, "job_id", 1, TASK_ID_MAX, &job_id) ||
        !read_number(request, "limit", 1, LIMIT_MAX, &limit))
        return false;
    ret->job_id = (uint32_t) job_id;
    ret->limit = limit;
    if (ret->node && !task_node_name_is_valid(ret->node)) {
        reply_refusal(request, TASK_E_INVALID, "node must be the name of a node");
        return false;
    }
    if (status && !task_status_parse(status, &ret->status)) {
        reply_refusal(
            request, TASK_E_INVALID,
            "status must be NotSubmitted, Queued, Running, Finished, Failed or Cancelled");
        return false;
    }
    if (after && !task_id_parse(after, &ret->after_job_id, &ret->after_task_id)) {
        reply_refusal(request, TASK_E_INVALID, "after must be a task as JOB.TASK");
        return false;
    }
    return true;
}

void read_tasks(struct routes *routes, struct http_request *request, const struct target *target)
{
    struct quell_filter filter;

    (void) target;
    if (read_filter(request, &filter))
        quell_list_tasks(routes->quell, &filter, on_page, request);
}
