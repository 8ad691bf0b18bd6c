/* verb_agent.c - the verbs that ask the agent of a node: status, tasks, ps. */
#include "base/clock.h"
#include "ctl/ctl.h"
#include "ctl/lists_view.h"
#include "ctl/terminal.h"
#include "ctl/text.h"
#include "ctl/tree_view.h"
#include "ctl/verbs.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

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
#define WATCH_MS     2000

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

/* The processes of one task. */
static json_t *ask_processes(struct ctl *ctl, const struct args_id *task, bool may_be_gone)
{
    char id[CTL_ID_SIZE];
    char address[ADDRESS_SIZE];

    (void) ctl_id_text(task->job_id, task->task_id, id);
    (void) processes_address(id, address);
    return may_be_gone ? ctl_ask_if_there(ctl, id, address) : ctl_ask(ctl, id, address, NULL);
}

static void print_found(struct ctl *ctl, const json_t *found)
{
    if (json_is_array(found))
        print_trees(ctl, found);
    else if (!tree_view_print(ctl->out, found))
        ctl_out_of_memory(ctl);
}

/* "2026-11-22T20:00:00.123456Z  n1", on a terminal at its top. */
static void print_round(struct ctl *ctl, const json_t *node, bool first)
{
    char now[CLOCK_TEXT_SIZE];

    if (terminal_can_redraw(STDOUT_FILENO))
        (void) fputs("\x1b[H\x1b[2J", ctl->out);
    else if (!first)
        (void) fputc('\n', ctl->out);
    (void) fprintf(ctl->out, "%s  ", clock_text(clock_wall_us(), now));
    text_write_field(ctl->out, node, "node");
    (void) fputc('\n', ctl->out);
}

/* Until interrupted; with one task, until that does not run any more. */
static void watch(struct ctl *ctl, const struct args *args, const json_t *node)
{
    const struct args_id *one = args->ids_len > 0 ? &args->ids[0] : NULL;
    bool first = true;
    bool more = true;

    while (more) {
        json_t *found = one ? ask_processes(ctl, one, !first) : ask_all_processes(ctl);

        if (!found)
            return;
        if (args->given & ARGS_JSON) {
            ctl_print_json_line(ctl, found);
        } else {
            print_round(ctl, node, first);
            print_found(ctl, found);
        }
        more = ctl_flush(ctl) && !ctl->unanswered && (!one || is_running(found));
        first = false;
        json_decref(found);
        if (more)
            (void) poll(NULL, 0, WATCH_MS);
    }
}

void verb_ps(struct ctl *ctl, const struct args *args)
{
    json_t *found;

    if (args->given & ARGS_WATCH) {
        found = ctl_ask(ctl, NULL, "/v1/node", NULL);
        (void) signal(SIGPIPE, SIG_DFL); /* who reads no more ends it, without a word */
        if (found)
            watch(ctl, args, found);
    } else {
        found =
            args->ids_len > 0 ? ask_processes(ctl, &args->ids[0], false) : ask_all_processes(ctl);
        if (found && (args->given & ARGS_JSON))
            ctl_print_json(ctl, found);
        else if (found)
            print_found(ctl, found);
    }
    json_decref(found);
}
