#include "head/routes.h"

#include "base/units.h"
#include "head/reply.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WAIT_MAX_MS 60000u
#define LIMIT_MAX   1000u

static void on_task(void *arg, const struct quell_refusal *refusal, const struct quell_task *task)
{
    if (refusal)
        reply_refusal(arg, refusal->code, refusal->text);
    else
        reply_task(arg, task);
}

static void on_page(void *arg, const struct quell_refusal *refusal, const struct quell_task *tasks,
                    size_t len, bool more)
{
    if (refusal)
        reply_refusal(arg, refusal->code, refusal->text);
    else
        reply_tasks(arg, tasks, len, true, more);
}

static void on_nodes(void *arg, const struct quell_refusal *refusal, const struct quell_node *nodes,
                     size_t len)
{
    if (refusal)
        reply_refusal(arg, refusal->code, refusal->text);
    else
        reply_nodes(arg, nodes, len);
}

/* A number from the query. False: it was not one, and the request has been answered. */
static bool query_number(struct http_request *request, const char *name, uint64_t min, uint64_t max,
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

static void show_task(struct routes *routes, struct http_request *request, uint32_t job_id,
                      uint32_t task_id)
{
    uint64_t wait_ms = 0;

    if (!query_number(request, "wait_ms", 0, WAIT_MAX_MS, &wait_ms))
        return;
    if (http_request_query(request, "wait_ms"))
        quell_wait_task(routes->quell, job_id, task_id, wait_ms, on_task, request);
    else
        quell_show_task(routes->quell, job_id, task_id, on_task, request);
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
    if (!query_number(request, "job_id", 1, TASK_ID_MAX, &job_id) ||
        !query_number(request, "limit", 1, LIMIT_MAX, &limit))
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

static void list_tasks(struct routes *routes, struct http_request *request)
{
    struct quell_filter filter;

    if (read_filter(request, &filter))
        quell_list_tasks(routes->quell, &filter, on_page, request);
}

static void refuse_method(struct http_request *request, const char *allowed)
{
    char why[128];

    (void) snprintf(why, sizeof(why), "this path takes %s only", allowed);
    reply_error(request, 405, TASK_E_INVALID, why);
}

static void refuse_path(struct http_request *request)
{
    char why[400];

    (void) snprintf(why, sizeof(why), "there is nothing at %.300s", http_request_path(request));
    reply_error(request, 404, TASK_E_NOT_FOUND, why);
}

enum method { METHOD_GET, METHOD_POST, METHOD_OTHER };

static enum method method_of(const struct http_request *request)
{
    const char *name = http_request_method(request);

    if (strcmp(name, "GET") == 0)
        return METHOD_GET;
    return strcmp(name, "POST") == 0 ? METHOD_POST : METHOD_OTHER;
}

/* Splits "7.1/cancel" at its slash. False: too long to be a task with a verb. */
static bool split(const char *rest, char id[64], const char **ret_verb)
{
    const char *slash = strchr(rest, '/');
    size_t len = slash ? (size_t) (slash - rest) : strlen(rest);

    if (len >= 64)
        return false;
    memcpy(id, rest, len);
    id[len] = '\0';
    *ret_verb = slash ? slash + 1 : "";
    return true;
}

static void handle_task(struct routes *routes, struct http_request *request, const char *rest)
{
    enum method method = method_of(request);
    uint32_t job_id;
    uint32_t task_id;
    const char *verb;
    char id[64];
    bool submits;
    bool cancels;

    if (!split(rest, id, &verb)) {
        refuse_path(request);
        return;
    }
    submits = strcmp(verb, "submit") == 0;
    cancels = strcmp(verb, "cancel") == 0;
    if (*verb != '\0' && !submits && !cancels)
        refuse_path(request);
    else if (method != (*verb == '\0' ? METHOD_GET : METHOD_POST))
        refuse_method(request, *verb == '\0' ? "GET" : "POST");
    else if (!task_id_parse(id, &job_id, &task_id))
        reply_refusal(request, TASK_E_INVALID,
                      "a task is named JOB.TASK, two numbers from 1 to 2147483647");
    else if (submits)
        verb_submit(routes, request, job_id, task_id);
    else if (cancels)
        verb_cancel(routes, request, job_id, task_id);
    else
        show_task(routes, request, job_id, task_id);
}

static void handle_job(struct routes *routes, struct http_request *request, const char *rest)
{
    const char *verb;
    uint64_t job_id;
    char id[64];

    if (!split(rest, id, &verb) || strcmp(verb, "cancel") != 0)
        refuse_path(request);
    else if (method_of(request) != METHOD_POST)
        refuse_method(request, "POST");
    else if (units_parse_number(id, 1, TASK_ID_MAX, &job_id) < 0)
        reply_refusal(request, TASK_E_INVALID, "a job is a number from 1 to 2147483647");
    else
        verb_cancel(routes, request, (uint32_t) job_id, 0);
}

void routes_handle(void *arg, struct http_request *request)
{
    static const char tasks[] = "/v1/tasks/";
    static const char jobs[] = "/v1/jobs/";
    const char *path = http_request_path(request);
    enum method method = method_of(request);
    struct routes *routes = arg;

    if (strcmp(path, "/v1/tasks") == 0 && method == METHOD_GET)
        list_tasks(routes, request);
    else if (strcmp(path, "/v1/tasks") == 0 && method == METHOD_POST)
        verb_add(routes, request);
    else if (strcmp(path, "/v1/tasks") == 0)
        refuse_method(request, "GET and POST");
    else if (strncmp(path, tasks, sizeof(tasks) - 1) == 0)
        handle_task(routes, request, path + sizeof(tasks) - 1);
    else if (strncmp(path, jobs, sizeof(jobs) - 1) == 0)
        handle_job(routes, request, path + sizeof(jobs) - 1);
    else if (strcmp(path, "/v1/nodes") != 0 && strcmp(path, "/healthz") != 0)
        refuse_path(request);
    else if (method != METHOD_GET)
        refuse_method(request, "GET");
    else if (strcmp(path, "/healthz") == 0)
        reply_text(request, "ok\n");
    else
        quell_list_nodes(routes->quell, on_nodes, request);
}
