#include "agent/status.h"

#include "agent/agent.h"
#include "agent/head_link.h"
#include "agent/processes.h"
#include "agent/task.h"
#include "base/cleanup.h"
#include "base/units.h"
#include "base/version.h"
#include "http/http_server.h"
#include "ipc/task_json.h"
#include "ipc/task_pb.h"

#include <stdio.h>
#include <string.h>

#define PAGE_DEFAULT 100u
#define PAGE_MAX     1000u

static void status_reply(struct http_request *request, int status, json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

    http_reply(request, text ? status : 500, "application/json", text ? text : "",
               text ? strlen(text) : 0);
    free(text);
    json_decref(object);
}

static void status_refuse(struct http_request *request, int status, int code, const char *text)
{
    status_reply(request, status, task_json_error(code, text));
}

/* ---- a task's object ---- */

/* The node's own view; the head's acceptance of a cancel may be a message ahead of it. */
static enum task_status status_of(const struct task *task)
{
    if (task->ending)
        return task_status_of_end(task->state.cancelled, (enum task_cause) task->ending->cause);
    return task->state.phase == ATTEMPT_RUNNING ? TASK_RUNNING : TASK_QUEUED;
}

static json_t *status_command(const Quell__Pb__Spec *spec)
{
    json_t *array = json_array();

    for (size_t i = 0; spec && i < spec->n_argv; i++)
        (void) json_array_append_new(array, task_json_text(spec->argv[i].data, spec->argv[i].len));
    return array;
}

static json_t *status_message(const struct task *task)
{
    const Quell__Pb__Cancel *cancel = task->command->cancel;

    if (task->state.cancelled && task->ending)
        return cancel && TASK_PB_HAS(cancel, message)
                   ? task_json_text(cancel->message, strlen(cancel->message))
                   : json_null();
    return task->ending ? task_json_name_or_null(task->ending->text) : json_null();
}

static json_t *status_canceller(const Quell__Pb__Cancel *cancel)
{
    if (!cancel || !TASK_PB_HAS(cancel, by_uid))
        return json_null();
    return json_pack("{s:I, s:o}", "uid", (json_int_t) cancel->by_uid, "name",
                     task_json_name_or_null(cancel->by_name));
}

static void status_add_end(const struct task *task, json_t *object)
{
    const Quell__Pb__Ending *ending = task->ending;
    const enum task_cause cause = !ending                 ? TASK_CAUSE_NONE
                                  : task->state.cancelled ? TASK_CAUSE_CANCELLED
                                                          : (enum task_cause) ending->cause;
    struct task_proof proof;
    struct task_usage usage;

    task_proof_from_pb(ending ? ending->proof : NULL, &proof);
    task_usage_from_pb(ending ? ending->usage : NULL, &usage);
    (void) json_object_set_new(object, "exit_code",
                               ending && TASK_PB_HAS(ending, exit_code)
                                   ? task_json_number(ending->exit_code)
                                   : json_null());
    (void) json_object_set_new(
        object, "signal",
        ending && TASK_PB_HAS(ending, signal) ? task_json_number(ending->signal) : json_null());
    (void) json_object_set_new(object, "cause", task_json_name_or_null(task_cause_name(cause)));
    (void) json_object_set_new(object, "end_time",
                               task_json_time(ending ? ending->end_time_us : 0));
    (void) json_object_set_new(object, "proof", task_json_proof(&proof));
    (void) json_object_set_new(object, "usage", task_json_usage(&usage));
}

static json_t *status_task(const struct task *task)
{
    const Quell__Pb__Name *name = task->command->name;
    const Quell__Pb__Spec *spec = task->command->start;
    const Quell__Pb__Cancel *cancel = task->command->cancel;
    json_t *object = json_pack(
        "{s:I, s:I, s:I, s:s, s:s, s:o, s:o, s:s, s:s, s:o, s:n, s:o, s:o, s:o, s:b}", "job_id",
        (json_int_t) name->job_id, "task_id", (json_int_t) name->task_id, "attempt",
        (json_int_t) name->attempt, "uid", task->uid_text, "node", task->agent->options.node,
        "user", task_json_name_or_null(spec ? spec->user : NULL), "command", status_command(spec),
        "status", task_status_name(status_of(task)), "phase", attempt_phase_name(task->state.phase),
        "error_message", status_message(task), "stuck", "cancelled_by", status_canceller(cancel),
        "cancel_time", task_json_time(cancel ? cancel->time_us : 0), "start_time",
        task_json_time(task->started ? task->started->start_time_us : 0), "recorded",
        !task->ending_unrecorded);

    if (object)
        status_add_end(task, object);
    return object;
}

/* ---- routes ---- */

static void status_node(struct agent *agent, struct http_request *request)
{
    unsigned counts[ATTEMPT_PHASE_COUNT] = {0};
    struct head_link_status head;
    json_t *unenforceable = json_array();
    struct task *task;

    TAILQ_FOREACH(task, &agent->tasks, entry)
    counts[task->state.phase]++;
    for (enum cgroup_limit limit = 0; limit < CGROUP_LIMIT_COUNT; limit++)
        if (!cgroup_host_can_limit(agent->host, limit))
            (void) json_array_append_new(unenforceable, json_string(cgroup_limit_name(limit)));
    head_link_status(agent->link, &head);
    status_reply(
        request, 200,
        json_pack("{s:s, s:s, s:s, s:o, s:i, s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:o, s:{s:i, s:i, "
                  "s:i}}",
                  "node", agent->options.node, "head", head.address, "connection",
                  head.connected ? "connected" : "connecting", "last_heard",
                  task_json_time(head.last_heard_us), "reports_waiting", (int) head.reports_waiting,
                  "cgroup_mode", cgroup_mode_name(cgroup_host_mode(agent->host)), "cgroup",
                  cgroup_host_path(agent->host), "boot_id", agent->boot_id, "instance",
                  agent->store.instance, "version", QUELL_VERSION, "cores", (int) agent->cores,
                  "memory_bytes", (json_int_t) agent->memory_bytes, "unenforceable", unenforceable,
                  "tasks", "queued", (int) (counts[ATTEMPT_QUEUED] + counts[ATTEMPT_STARTING]),
                  "running", (int) counts[ATTEMPT_RUNNING], "ended", (int) counts[ATTEMPT_ENDED]));
}

/* In order of (job, task, attempt), so that a page knows where it ends. */
static int status_compare(const void *a, const void *b)
{
    const Quell__Pb__Name *x = (*(struct task *const *) a)->command->name;
    const Quell__Pb__Name *y = (*(struct task *const *) b)->command->name;

    if (x->job_id != y->job_id)
        return x->job_id < y->job_id ? -1 : 1;
    if (x->task_id != y->task_id)
        return x->task_id < y->task_id ? -1 : 1;
    return x->attempt < y->attempt ? -1 : x->attempt > y->attempt;
}

static struct task **status_sorted(struct agent *agent, size_t *ret_len)
{
    struct task **sorted;
    struct task *task;
    size_t len = 0;

    TAILQ_FOREACH(task, &agent->tasks, entry)
    len += task->command != NULL;
    sorted = calloc(len + 1, sizeof(struct task *));
    *ret_len = 0;
    if (!sorted)
        return NULL;
    TAILQ_FOREACH(task, &agent->tasks, entry)
    if (task->command)
        sorted[(*ret_len)++] = task;
    qsort(sorted, *ret_len, sizeof(struct task *), status_compare);
    return sorted;
}

static bool status_is_behind(const struct task *task, uint32_t job_id, uint32_t task_id)
{
    const Quell__Pb__Name *name = task->command->name;

    return name->job_id > job_id || (name->job_id == job_id && name->task_id > task_id);
}

static void status_tasks(struct agent *agent, struct http_request *request)
{
    const char *limit_text = http_request_query(request, "limit");
    const char *after = http_request_query(request, "after");
    uint32_t job_id = 0, task_id = 0;
    uint64_t limit = PAGE_DEFAULT;
    CLEANUP_FREE struct task **sorted = NULL;
    const struct task *last = NULL;
    json_t *array, *next = json_null();
    size_t len;

    if ((limit_text && units_parse_number(limit_text, 1, PAGE_MAX, &limit) < 0) ||
        (after && !task_id_parse(after, &job_id, &task_id))) {
        json_decref(next);
        status_refuse(request, 400, TASK_E_INVALID,
                      "limit is a number from 1 to 1000, after is JOB.TASK");
        return;
    }
    sorted = status_sorted(agent, &len);
    array = json_array();
    for (size_t i = 0; sorted && i < len; i++) {
        if (!status_is_behind(sorted[i], job_id, task_id))
            continue;
        if (last && json_array_size(array) >= limit && status_compare(&sorted[i], &last)) {
            next = json_sprintf("%u.%u", last->command->name->job_id, last->command->name->task_id);
            break;
        }
        (void) json_array_append_new(array, status_task(sorted[i]));
        last = sorted[i];
    }
    status_reply(request, 200, json_pack("{s:o, s:o}", "tasks", array, "next", next));
}

/* The newest attempt here of JOB.TASK. */
static struct task *status_find(struct agent *agent, uint32_t job_id, uint32_t task_id)
{
    struct task *found = NULL;
    struct task *task;
    uint32_t attempt = 0;

    TAILQ_FOREACH(task, &agent->tasks, entry)
    {
        const Quell__Pb__Name *name = task->command ? task->command->name : NULL;

        if (name && name->job_id == job_id && name->task_id == task_id &&
            (!found || name->attempt > attempt)) {
            found = task;
            attempt = name->attempt;
        }
    }
    return found;
}

static void status_one(struct agent *agent, struct http_request *request, const char *name)
{
    const char *slash = strchr(name, '/');
    const bool processes = slash && strcmp(slash, "/processes") == 0;
    uint32_t job_id = 0, task_id = 0;
    struct task *task = NULL;
    char id[32], text[96];
    json_t *object;

    (void) snprintf(id, sizeof(id), "%.*s", slash ? (int) (slash - name) : (int) strlen(name),
                    name);
    if ((slash && !processes) || !task_id_parse(id, &job_id, &task_id)) {
        status_refuse(request, 404, TASK_E_NOT_FOUND, "no such path");
        return;
    }
    task = status_find(agent, job_id, task_id);
    if (!task) {
        (void) snprintf(text, sizeof(text), "no task %u.%u is on this node", job_id, task_id);
        status_refuse(request, 404, TASK_E_UNKNOWN_TASK, text);
        return;
    }
    object = status_task(task);
    if (processes)
        (void) json_object_set_new(object, "processes", processes_json(task));
    status_reply(request, 200, object);
}

static void on_request(void *arg, struct http_request *request)
{
    static const char tasks[] = "/v1/tasks/";
    struct agent *agent = arg;
    const char *path = http_request_path(request);

    if (strcmp(http_request_method(request), "GET") != 0)
        status_refuse(request, 405, TASK_E_INVALID, "the status socket is read-only: GET");
    else if (strcmp(path, "/healthz") == 0)
        http_reply(request, 200, "text/plain", "ok\n", 3);
    else if (strcmp(path, "/v1/node") == 0)
        status_node(agent, request);
    else if (strcmp(path, "/v1/tasks") == 0)
        status_tasks(agent, request);
    else if (strncmp(path, tasks, strlen(tasks)) == 0)
        status_one(agent, request, path + strlen(tasks));
    else
        status_refuse(request, 404, TASK_E_NOT_FOUND, "no such path");
}

int status_open(struct agent *agent, struct err *err)
{
    const struct http_server_options options = {.path = agent->options.socket,
                                                .mode = 0666,
                                                .body_max = 4096,
                                                .header_max = 16384,
                                                .connections_max = 64,
                                                .request_timeout_ms = 10000};

    return http_server_open(agent->base, &options, on_request, agent, &agent->http, err);
}
