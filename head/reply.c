#include "head/reply.h"

#include "base/version.h"
#include "head/routes.h"
#include "head/task_view.h"
#include "ipc/task_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_TYPE "application/json"

static const char no_memory[] = "{\"error\": {\"code\": \"0x800700AA\", \"text\": \"the head has "
                                "no memory for the answer\"}}\n";

static void send_json(struct http_request *request, int status, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    size_t len = text ? strlen(text) : 0;

    json_decref(json);
    if (!text) {
        http_reply(request, 503, JSON_TYPE, no_memory, sizeof(no_memory) - 1);
        return;
    }
    text[len] = '\n'; /* in place of the NUL */
    http_reply(request, status, JSON_TYPE, text, len + 1);
    free(text);
}

void reply_text(struct http_request *request, const char *text)
{
    http_reply(request, 200, "text/plain", text, strlen(text));
}

void reply_error(struct http_request *request, int status, int code, const char *text)
{
    send_json(request, status, task_json_error(code, text));
}

static int status_of(int code)
{
    static const struct {
        int code;
        int status;
    } statuses[] = {
        {TASK_E_UNKNOWN_TASK, 404},
        {TASK_E_NOT_FOUND, 404},
        {TASK_E_DENIED, 403},
        {TASK_E_ENDED, 409},
        {TASK_E_WRONG_STATUS, 409},
        {TASK_E_NOT_RERUNNABLE, 409},
        {TASK_E_MESSAGE_TOO_LONG, 400},
        {TASK_E_INVALID, 400},
        {TASK_E_BUSY, 503},
    };

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
        if (statuses[i].code == code)
            return statuses[i].status;
    return 500;
}

void reply_refusal(struct http_request *request, int code, const char *text)
{
    reply_error(request, status_of(code), code, text);
}

void reply_task(struct http_request *request, const struct quell_task *task)
{
    send_json(request, 200, task_view(task));
}

struct text { /* JSON that is printed one object after the other: a job may have many tasks, and
                 their JSON trees are large */
    char *bytes;
    size_t len;
    FILE *stream;
    bool failed;
};

static void text_open(struct text *ret)
{
    *ret = (struct text){0};
    ret->stream = open_memstream(&ret->bytes, &ret->len);
    ret->failed = !ret->stream;
}

static void text_add(struct text *text, const char *bytes)
{
    text->failed = text->failed || fputs(bytes, text->stream) < 0;
}

/* @separator stands before every object but the first. Takes @json over. */
static void text_add_json(struct text *text, const char *separator, json_t *json)
{
    text_add(text, separator);
    text->failed = text->failed || !json || json_dumpf(json, text->stream, JSON_COMPACT) < 0;
    json_decref(json);
}

static void text_send(struct text *text, struct http_request *request, int status)
{
    if (text->stream && fclose(text->stream) != 0)
        text->failed = true;
    if (text->failed)
        http_reply(request, 503, JSON_TYPE, no_memory, sizeof(no_memory) - 1);
    else
        http_reply(request, status, JSON_TYPE, text->bytes, text->len);
    free(text->bytes);
}

void reply_tasks(struct http_request *request, const struct quell_task *tasks, size_t len,
                 bool more)
{
    struct text text;
    char next[64] = "],\"next\":null}\n";

    text_open(&text);
    text_add(&text, "{\"tasks\":[");
    for (size_t i = 0; i < len; i++)
        text_add_json(&text, i > 0 ? "," : "", task_view(&tasks[i]));
    if (more && len > 0)
        (void) snprintf(next, sizeof(next), "],\"next\":\"%" PRIu32 ".%" PRIu32 "\"}\n",
                        tasks[len - 1].job_id, tasks[len - 1].task_id);
    text_add(&text, next);
    text_send(&text, request, 200);
}

/* As in "error" of task_json_error(), with the task. */
static json_t *refused_view(const struct quell_result *result)
{
    json_t *error = task_json_error(result->refusal->code, result->refusal->text);
    json_t *object = json_pack("{s:I, s:I}", "job_id", (json_int_t) result->job_id, "task_id",
                               (json_int_t) result->task_id);

    if (json_object_update(object, json_object_get(error, "error")) < 0) {
        json_decref(object);
        object = NULL;
    }
    json_decref(error);
    return object;
}

/* By number alone where the answer would grow too large. */
static json_t *done_view(const struct quell_result *result)
{
    if (result->task)
        return task_view(result->task);
    return json_pack("{s:I, s:I}", "job_id", (json_int_t) result->job_id, "task_id",
                     (json_int_t) result->task_id);
}

void reply_results(struct http_request *request, const struct quell_result *results, size_t len)
{
    const struct quell_refusal *first = NULL;
    struct text text;
    size_t done = 0;

    text_open(&text);
    text_add(&text, "{\"tasks\":[");
    for (size_t i = 0; i < len; i++)
        if (!results[i].refusal)
            text_add_json(&text, done++ > 0 ? "," : "", done_view(&results[i]));
    text_add(&text, "],\"refused\":[");
    for (size_t i = 0; i < len; i++) {
        if (!results[i].refusal)
            continue;
        text_add_json(&text, first ? "," : "", refused_view(&results[i]));
        first = first ? first : results[i].refusal;
    }
    text_add(&text, "]");
    if (first && done == 0) {
        json_t *error = task_json_error(first->code, first->text);

        text_add_json(&text, ",\"error\":", json_incref(json_object_get(error, "error")));
        json_decref(error);
    }
    text_add(&text, "}\n");
    text_send(&text, request, first && done == 0 ? status_of(first->code) : 200);
}

static json_t *output_view(const struct quell_output *output)
{
    bool known = output->path && !output->text;

    return json_pack(
        "{s:s, s:o, s:o, s:o, s:o}", "stream", output->stream, "path",
        output->path ? task_json_text(output->path, strlen(output->path)) : json_null(), "size",
        known ? json_integer((json_int_t) output->size) : json_null(), "tail",
        known ? task_json_text(output->tail, output->tail_len) : json_null(), "error",
        output->text ? task_json_text(output->text, strlen(output->text)) : json_null());
}

void reply_outputs(struct http_request *request, const struct target *target,
                   const struct quell_output *outputs, size_t len)
{
    json_t *array = json_array();

    for (size_t i = 0; i < len; i++)
        (void) json_array_append_new(array, output_view(&outputs[i]));
    send_json(request, 200,
              json_pack("{s:I, s:I, s:o}", "job_id", (json_int_t) target->job_id, "task_id",
                        (json_int_t) target->task_id, "outputs", array));
}

void reply_nodes(struct http_request *request, const struct quell_node *nodes, size_t len)
{
    json_t *array = json_array();

    for (size_t i = 0; i < len; i++)
        (void) json_array_append_new(array, node_view(&nodes[i]));
    send_json(request, 200, json_pack("{s:o}", "nodes", array));
}

void reply_head(struct http_request *request, const struct http_stats *stats)
{
    send_json(request, 200,
              json_pack("{s:s, s:{s:I, s:I, s:I}}", "version", QUELL_VERSION, "http", "requests",
                        (json_int_t) stats->requests, "cut_off", (json_int_t) stats->cut_off,
                        "connections", (json_int_t) stats->connections));
}
