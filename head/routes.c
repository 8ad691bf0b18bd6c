#include "head/routes.h"

#include "base/units.h"
#include "head/reply.h"

#include <stdio.h>
#include <string.h>

#define ID_MAX 64u /* bytes of a path's piece that names a task or a job */

enum names { NAMES_NOTHING, NAMES_TASK, NAMES_JOB };

static const struct route {
    const char *pattern; /* '*' is one piece of the path, which names what `names` says */
    enum names names;
    const char *method;
    route_handler *handle;
} table[] = {
    {"/healthz", NAMES_NOTHING, "GET", read_health},
    {"/v1/head", NAMES_NOTHING, "GET", read_head},
    {"/v1/nodes", NAMES_NOTHING, "GET", read_nodes},
    {"/v1/events", NAMES_NOTHING, "GET", read_events},
    {"/v1/tasks", NAMES_NOTHING, "GET", read_tasks},
    {"/v1/tasks", NAMES_NOTHING, "POST", verb_add},
    {"/v1/tasks/*", NAMES_TASK, "GET", read_task},
    {"/v1/tasks/*/peek", NAMES_TASK, "GET", read_peek},
    {"/v1/tasks/*/submit", NAMES_TASK, "POST", verb_submit},
    {"/v1/tasks/*/cancel", NAMES_TASK, "POST", verb_cancel},
    {"/v1/tasks/*/requeue", NAMES_TASK, "POST", verb_requeue},
    {"/v1/jobs/*/cancel", NAMES_JOB, "POST", verb_cancel_job},
};

#define ROUTES (sizeof(table) / sizeof(table[0]))

void routes_who(const struct routes *routes, const struct http_request *request,
                struct quell_who *ret)
{
    const struct http_peer *peer = http_request_peer(request);

    *ret = (struct quell_who){.uid = peer->uid};
    ret->operator_ = peer->uid == 0 || (routes->has_operators &&
                                        http_request_peer_in_group(request, routes->operators));
}

/* @ret_id: what stands at the pattern's '*'. */
static bool matches(const char *pattern, const char *path, char ret_id[ID_MAX])
{
    const char *star = strchr(pattern, '*');
    size_t before = star ? (size_t) (star - pattern) : 0;
    size_t len;

    ret_id[0] = '\0';
    if (!star)
        return strcmp(pattern, path) == 0;
    if (strncmp(pattern, path, before) != 0)
        return false;
    path += before;
    len = strcspn(path, "/");
    if (len >= ID_MAX || strcmp(star + 1, path + len) != 0)
        return false;
    memcpy(ret_id, path, len);
    ret_id[len] = '\0';
    return true;
}

static void refuse_path(struct http_request *request)
{
    char why[400];

    (void) snprintf(why, sizeof(why), "there is nothing at %.300s", http_request_path(request));
    reply_error(request, 404, TASK_E_NOT_FOUND, why);
}

/* @route is the first with the path; further methods follow it in the table. */
static void refuse_method(struct http_request *request, const struct route *route)
{
    char why[128];
    bool both = route + 1 < table + ROUTES && strcmp(route[1].pattern, route->pattern) == 0;

    (void) snprintf(why, sizeof(why), "this path takes %s%s%s only", route->method,
                    both ? " and " : "", both ? route[1].method : "");
    reply_error(request, 405, TASK_E_INVALID, why);
}

/* False: @why says what is wrong. */
static bool parse_target(enum names names, const char *id, struct target *ret, const char **why)
{
    uint64_t job_id = 0;

    *ret = (struct target){0};
    switch (names) {
    case NAMES_NOTHING:
        return true;
    case NAMES_TASK:
        *why = "a task is named JOB.TASK, two numbers from 1 to 2147483647";
        return task_id_parse(id, &ret->job_id, &ret->task_id);
    case NAMES_JOB:
        break;
    }
    *why = "a job is a number from 1 to 2147483647";
    if (units_parse_number(id, 1, TASK_ID_MAX, &job_id) < 0)
        return false;
    ret->job_id = (uint32_t) job_id;
    return true;
}

void routes_handle(void *arg, struct http_request *request)
{
    struct routes *routes = arg;
    const struct route *same_path = NULL;
    const struct route *route = NULL;
    struct target target;
    const char *why;
    char id[ID_MAX];

    for (size_t i = ROUTES; i-- > 0 && !route;) {
        if (!matches(table[i].pattern, http_request_path(request), id))
            continue;
        same_path = &table[i];
        if (strcmp(table[i].method, http_request_method(request)) == 0)
            route = &table[i];
    }
    if (!same_path)
        refuse_path(request);
    else if (!route)
        refuse_method(request, same_path);
    else if (!parse_target(route->names, id, &target, &why))
        reply_refusal(request, TASK_E_INVALID, why);
    else if (!routes->quell)
        reply_refusal(request, TASK_E_BUSY, "the head is ending");
    else
        route->handle(routes, request, &target);
}
