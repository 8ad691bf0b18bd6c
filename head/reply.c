#include "head/reply.h"

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

void reply_refusal(struct http_request *request, int code, const char *text)
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
    int status = 500;

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
        if (statuses[i].code == code)
            status = statuses[i].status;
    reply_error(request, status, code, text);
}

void reply_task(struct http_request *request, const struct quell_task *task)
{
    send_json(request, 200, task_view(task));
}

/* One object at a time: a job may have many tasks, and their JSON trees are large. */
static void print_tasks(FILE *stream, const struct quell_task *tasks, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        json_t *task = task_view(&tasks[i]);

        if (i > 0)
            (void) fputc(',', stream);
        if (!task || json_dumpf(task, stream, JSON_COMPACT) < 0)
            (void) fputs("null", stream);
        json_decref(task);
    }
}

void reply_tasks(struct http_request *request, const struct quell_task *tasks, size_t len,
                 bool paged, bool more)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    bool failed = !stream;

    if (stream) {
        (void) fputs("{\"tasks\":[", stream);
        print_tasks(stream, tasks, len);
        (void) fputs("]", stream);
        if (paged && more && len > 0)
            (void) fprintf(stream, ",\"next\":\"%" PRIu32 ".%" PRIu32 "\"", tasks[len - 1].job_id,
                           tasks[len - 1].task_id);
        else if (paged)
            (void) fputs(",\"next\":null", stream);
        (void) fputs("}\n", stream);
        failed = ferror(stream) != 0;
        failed = fclose(stream) != 0 || failed;
    }
    if (failed)
        http_reply(request, 503, JSON_TYPE, no_memory, sizeof(no_memory) - 1);
    else
        http_reply(request, 200, JSON_TYPE, text, size);
    free(text);
}

void reply_nodes(struct http_request *request, const struct quell_node *nodes, size_t len)
{
    json_t *array = json_array();

    for (size_t i = 0; i < len; i++)
        (void) json_array_append_new(array, node_view(&nodes[i]));
    send_json(request, 200, json_pack("{s:o}", "nodes", array));
}
