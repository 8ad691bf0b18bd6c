/* verb_head.c - the verbs that ask the head and change nothing: show, list, nodes. */
#include "base/cleanup.h"
#include "ctl/ctl.h"
#include "ctl/lists_view.h"
#include "ctl/task_view.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

#include <stdlib.h>

void verb_show(struct ctl *ctl, const struct args *args)
{
    char id[CTL_ID_SIZE];
    char address[64];
    json_t *task;

    (void) ctl_id_text(args->ids[0].job_id, args->ids[0].task_id, id);
    (void) snprintf(address, sizeof(address), "/v1/tasks/%s", id);
    task = ctl_ask(ctl, id, address, NULL);
    if (!task)
        return;
    if (args->given & ARGS_JSON)
        ctl_print_json(ctl, task);
    else
        task_view_print(ctl->out, task);
    json_decref(task);
}

/* "job_id=7&node=n1&", for what the line asks for. NULL: out of memory. */
static char *list_query(const struct args *args)
{
    char *query = NULL;
    size_t len;
    FILE *stream = open_memstream(&query, &len);

    if (!stream)
        return NULL;
    if (args->given & ARGS_JOB)
        (void) fprintf(stream, "job_id=%u&", args->job_id);
    if (args->given & ARGS_NODE) {
        (void) fputs("node=", stream);
        text_write_escaped_query(stream, args->node);
        (void) fputc('&', stream);
    }
    if (args->given & ARGS_STATUS)
        (void) fprintf(stream, "status=%s&", task_status_name(args->status));
    if (fclose(stream) != 0) {
        free(query);
        return NULL;
    }
    return query;
}

static void print_list(struct ctl *ctl, const json_t *items,
                       bool (*view)(FILE *out, const json_t *items))
{
    if (ctl->args->given & ARGS_JSON)
        ctl_print_json(ctl, items);
    else if (!view(ctl->out, items))
        ctl_out_of_memory(ctl);
}

void verb_list(struct ctl *ctl, const struct args *args)
{
    CLEANUP_FREE char *query = list_query(args);
    json_t *tasks;

    if (!query) {
        ctl_out_of_memory(ctl);
        return;
    }
    tasks = ctl_ask_pages(ctl, "/v1/tasks", query);
    if (tasks)
        print_list(ctl, tasks, lists_view_tasks);
    json_decref(tasks);
}

void verb_nodes(struct ctl *ctl, const struct args *args)
{
    json_t *answer = ctl_ask(ctl, NULL, "/v1/nodes", NULL);
    json_t *nodes = json_object_get(answer, "nodes");

    (void) args;
    if (json_is_array(nodes))
        print_list(ctl, nodes, lists_view_nodes);
    else if (answer)
        ctl_no_answer(ctl, "the socket's answer has no nodes: is it the socket of quell-head?");
    json_decref(answer);
}
