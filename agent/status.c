#include "agent/status.h"

#include "agent/agent.h"
#include "agent/events.h"
#include "agent/head_link.h"
#include "agent/processes.h"
#include "agent/status_page.h"
#include "agent/status_task.h"
#include "base/version.h"
#include "http/http_server.h"
#include "ipc/task_json.h"

#include <stdio.h>
#include <string.h>

void status_reply(struct http_request *request, int status, json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

    http_reply(request, text ? status : 500, "application/json", text ? text : "",
               text ? strlen(text) : 0);
    free(text);
    json_decref(object);
}

void status_refuse(struct http_request *request, int status, int code, const char *text)
{
    status_reply(request, status, task_json_error(code, text));
}

/* ---- routes ---- */

static void status_node(struct agent *agent, struct http_request *request)
{
    unsigned counts[ATTEMPT_PHASE_COUNT] = {0};
    const uint32_t max_running = agent->options.max_running;
    struct head_link_status head;
    struct http_stats http;
    json_t *unenforceable = json_array();
    struct task *task;

    TAILQ_FOREACH(task, &agent->tasks, entry)
    counts[task->state.phase]++;
    for (enum cgroup_limit limit = 0; limit < CGROUP_LIMIT_COUNT; limit++)
        if (!cgroup_host_can_limit(agent->host, limit))
            (void) json_array_append_new(unenforceable, json_string(cgroup_limit_name(limit)));
    head_link_status(agent->link, &head);
    http_server_stats(agent->http, &http);
    status_reply(
        request, 200,
        json_pack("{s:s, s:s, s:s, s:o, s:i, s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:o, s:{s:i, s:i, "
                  "s:i}, s:o, s:{s:I, s:I, s:I}}",
                  "node", agent->options.node, "head", head.address, "connection",
                  head.connected ? "connected" : "connecting", "last_heard",
                  task_json_time(head.last_heard_us), "reports_waiting", (int) head.reports_waiting,
                  "cgroup_mode", cgroup_mode_name(cgroup_host_mode(agent->host)), "cgroup",
                  cgroup_host_path(agent->host), "boot_id", agent->boot_id, "instance",
                  agent->store.instance, "version", QUELL_VERSION, "cores", (int) agent->cores,
                  "memory_bytes", (json_int_t) agent->memory_bytes, "unenforceable", unenforceable,
                  "tasks", "queued", (int) (counts[ATTEMPT_QUEUED] + counts[ATTEMPT_STARTING]),
                  "running", (int) counts[ATTEMPT_RUNNING], "ended", (int) counts[ATTEMPT_ENDED],
                  "max_running", max_running ? json_integer(max_running) : json_null(), "http",
                  "requests", (json_int_t) http.requests, "cut_off", (json_int_t) http.cut_off,
                  "connections", (json_int_t) http.connections));
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
    if (processes)
        processes_answer(task, request);
    else
        status_reply(request, 200, status_task_json(task));
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
        status_page_answer(agent, request);
    else if (strncmp(path, tasks, strlen(tasks)) == 0)
        status_one(agent, request, path + strlen(tasks));
    else if (strcmp(path, "/v1/events") == 0)
        events_answer(agent->events, request);
    else
        status_refuse(request, 404, TASK_E_NOT_FOUND, "no such path");
}

int status_open(struct agent *agent, struct err *err)
{
    const struct http_server_options options = {.path = agent->options.socket,
                                                .mode = 0666,
                                                .body_max = 4096,
                                                .header_max = 16384,
                                                .streams_max = 32,
                                                .connections_max = 64,
                                                .request_timeout_ms = 10000};

    return http_server_open(agent->base, &options, on_request, agent, &agent->http, err);
}
