/* verb_agent.c - the verbs that ask the agent of a node: status, tasks, ps. */
#include "ctl/ctl.h"
#include "ctl/lists_view.h"
#include "ctl/text.h"
#include "ctl/tree_view.h"
#include "ctl/verbs.h"

#include <string.h>

void verb_status(struct ctl *ctl, const struct args *args)
{
    json_t *node = ctl_ask(ctl, NULL, "/v1/node", NULL);

    if (!node)
        return;
    if (args->given & ARGS_JSON)
        ctl_print_json(ctl, node);
    else
        lists_view_agent(ctl->out, node);
    json_decref(node);
}

void verb_tasks(struct ctl *ctl, const struct args *args)
{
    json_t *tasks = ctl_ask_pages(ctl, "/v1/tasks", "");

    if (!tasks)
        return;
    if (args->given & ARGS_JSON)
        ctl_print_json(ctl, tasks);
    else if (!lists_view_agent_tasks(ctl->out, tasks))
        ctl_out_of_memory(ctl);
    json_decref(tasks);
}

#define ADDRESS_SIZE 64

static const char *processes_address(const char *id, char ret[ADDRESS_SIZE])
{
    (void) snprintf(ret, ADDRESS_SIZE, "/v1/tasks/%s/processes", id);
    return ret;
}

static bool is_running(const json_t *task)
{
    const char *text = text_get_string(task, "status");
    enum task_status status;

    return text && task_status_parse(text, &status) && status == TASK_RUNNING;
}

/* The trees of all tasks that run, as a new array; NULL when no answer came. One that ends
   meanwhile is not missed. */
static json_t *ask_all_processes(struct ctl *ctl)
{
    json_t *tasks = ctl_ask_pages(ctl, "/v1/tasks", "");
    json_t *trees = tasks ? json_array() : NULL;
    size_t i;
    const json_t *task;

    json_array_foreach(tasks, i, task)
    {
        char id[CTL_ID_SIZE];
        char address[ADDRESS_SIZE];
        int64_t job_id;
        int64_t task_id;
        json_t *tree;

        if (ctl->unanswered || !is_running(task) || !text_get_number(task, "job_id", &job_id) ||
            !text_get_number(task, "task_id", &task_id))
            continue;
        (void) ctl_id_text((uint32_t) job_id, (uint32_t) task_id, id);
        tree = ctl_ask_if_there(ctl, id, processes_address(id, address));
        if (tree)
            (void) json_array_append_new(trees, tree);
    }
    json_decref(tasks);
    return trees;
}

static void print_trees(struct ctl *ctl, const json_t *trees)
{
    size_t i;
    const json_t *tree;

    json_array_foreach(trees, i, tree)
    {
        if (i > 0)
            (void) fputc('\n', ctl->out);
        if (!tree_view_print(ctl->out, tree))
            ctl_out_of_memory(ctl);
    }
}

static json_t *ask_processes(struct ctl *ctl, const struct args_id *task)
{
    char id[CTL_ID_SIZE];
    char address[ADDRESS_SIZE];

    (void) ctl_id_text(task->job_id, task->task_id, id);
    return ctl_ask(ctl, id, processes_address(id, address), NULL);
}

void verb_ps(struct ctl *ctl, const struct args *args)
{
    json_t *found = args->ids_len > 0 ? ask_processes(ctl, &args->ids[0]) : ask_all_processes(ctl);

    if (!found)
        return;
    if (args->given & ARGS_JSON)
        ctl_print_json(ctl, found);
    else if (json_is_array(found))
        print_trees(ctl, found);
    else if (!tree_view_print(ctl->out, found))
        ctl_out_of_memory(ctl);
    json_decref(found);
}
