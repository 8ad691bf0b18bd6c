#include "ctl/lists_view.h"

#include "ctl/table.h"
#include "ctl/task_view.h"
#include "ctl/text.h"

#include <inttypes.h>

/* How it ended, in one short cell. */
static void write_exit(FILE *out, const json_t *task)
{
    int64_t number;

    if (text_get_number(task, "exit_code", &number))
        (void) fprintf(out, "%" PRId64, number);
    else if (text_get_number(task, "signal", &number))
        (void) fprintf(out, "sig %" PRId64, number);
    else
        (void) fputc('-', out);
}

static bool print_and_free(struct table *table, FILE *out)
{
    bool printed = table_print(table, out, 0);

    (void) table_free(table);
    return printed;
}

bool lists_view_tasks(FILE *out, const json_t *tasks)
{
    static const struct table_column columns[] = {
        {"TASK", false}, {"STATUS", false},  {"NODE", false}, {"USER", false},
        {"EXIT", true},  {"COMMAND", false}, {NULL, false}};
    struct table *table = table_new(columns);
    size_t i;
    const json_t *task;

    if (!table)
        return false;
    json_array_foreach(tasks, i, task)
    {
        task_view_print_id(table_cell(table), task);
        text_write_field(table_cell(table), task, "status");
        text_write_field(table_cell(table), task, "node");
        text_write_field(table_cell(table), task, "user");
        write_exit(table_cell(table), task);
        text_write_field(table_cell(table), task, task_view_what(task));
    }
    return print_and_free(table, out);
}

bool lists_view_nodes(FILE *out, const json_t *nodes)
{
    static const struct table_column columns[] = {{"NODE", false},       {"STATE", false},
                                                  {"CGROUPS", false},    {"RUNNING", true},
                                                  {"LAST HEARD", false}, {NULL, false}};
    struct table *table = table_new(columns);
    size_t i;
    const json_t *node;

    if (!table)
        return false;
    json_array_foreach(nodes, i, node)
    {
        text_write_field(table_cell(table), node, "node");
        text_write_field(table_cell(table), node, "state");
        text_write_field(table_cell(table), node, "cgroup_mode");
        text_write_field(table_cell(table), node, "tasks_running");
        text_write_field(table_cell(table), node, "last_heard");
    }
    return print_and_free(table, out);
}

bool lists_view_agent_tasks(FILE *out, const json_t *tasks)
{
    static const struct table_column columns[] = {{"TASK", false},    {"ATTEMPT", true},
                                                  {"STATUS", false},  {"USER", false},
                                                  {"COMMAND", false}, {NULL, false}};
    struct table *table = table_new(columns);
    size_t i;
    const json_t *task;

    if (!table)
        return false;
    json_array_foreach(tasks, i, task)
    {
        task_view_print_id(table_cell(table), task);
        text_write_field(table_cell(table), task, "attempt");
        text_write_field(table_cell(table), task, "status");
        text_write_field(table_cell(table), task, "user");
        text_write_field(table_cell(table), task, task_view_what(task));
    }
    return print_and_free(table, out);
}

static void print_line(FILE *out, const json_t *node, const char *key, const char *label)
{
    (void) fprintf(out, "%-15s ", label);
    text_write_field(out, node, key);
    (void) fputc('\n', out);
}

static void print_counts(FILE *out, const json_t *counts)
{
    static const char *const keys[] = {"queued", "running", "ending", "ended"};
    const char *gap = "";
    int64_t count;

    (void) fprintf(out, "%-15s ", "tasks");
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (!text_get_number(counts, keys[i], &count))
            continue;
        (void) fprintf(out, "%s%s %" PRId64, gap, keys[i], count);
        gap = ", ";
    }
    (void) fputc('\n', out);
}

void lists_view_agent(FILE *out, const json_t *node)
{
    const json_t *unenforceable = json_object_get(node, "unenforceable");
    size_t i;
    const json_t *limit;

    print_line(out, node, "node", "node");
    print_line(out, node, "head", "head");
    print_line(out, node, "connection", "connection");
    print_counts(out, json_object_get(node, "tasks"));
    print_line(out, node, "cgroup_mode", "cgroups");
    print_line(out, node, "cgroup", "cgroup");
    if (json_array_size(unenforceable) > 0) {
        (void) fprintf(out, "%-15s ", "cannot enforce");
        json_array_foreach(unenforceable, i, limit)
        {
            (void) fputs(i > 0 ? ", " : "", out);
            text_write_json(out, limit);
        }
        (void) fputc('\n', out);
    }
    print_line(out, node, "boot_id", "boot");
    print_line(out, node, "instance", "instance");
    print_line(out, node, "version", "version");
}
