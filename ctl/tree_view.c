#include "ctl/tree_view.h"

#include "ctl/table.h"
#include "ctl/task_view.h"
#include "ctl/text.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32 /* deeper generations are drawn as if they were of this one */
#define NONE      SIZE_MAX

struct process {
    const json_t *json; /* borrowed */
    int64_t pid;
    int64_t ppid;
    size_t parent; /* indices in the tree, or NONE, here and below */
    size_t first_child;
    size_t next_sibling;
    bool drawn;
};

struct tree {
    struct process *processes; /* by pid */
    size_t len;
    struct table *table;
};

/* Where a line of the tree stands: for each generation above, whether more siblings follow. */
struct branch {
    bool more[DEPTH_MAX];
    size_t depth;
};

static int compare_pids(const void *a, const void *b)
{
    const struct process *x = a;
    const struct process *y = b;

    return (x->pid > y->pid) - (x->pid < y->pid);
}

static size_t find_pid(const struct tree *tree, int64_t pid)
{
    const struct process key = {.pid = pid};
    const struct process *found =
        tree->len == 0 ? NULL
                       : bsearch(&key, tree->processes, tree->len, sizeof(key), compare_pids);

    return found ? (size_t) (found - tree->processes) : NONE;
}

static bool collect(struct tree *tree, const json_t *list)
{
    size_t i;
    const json_t *json;

    tree->processes = calloc(json_array_size(list) + 1, sizeof(*tree->processes));
    if (!tree->processes)
        return false;
    json_array_foreach(list, i, json)
    {
        struct process *process = &tree->processes[tree->len];

        *process = (struct process){.json = json, .first_child = NONE, .next_sibling = NONE};
        if (!text_get_number(json, "pid", &process->pid))
            continue;
        (void) text_get_number(json, "ppid", &process->ppid);
        tree->len++;
    }
    qsort(tree->processes, tree->len, sizeof(*tree->processes), compare_pids);
    /* From the last to the first: each is put before its younger siblings. */
    for (i = tree->len; i-- > 0;) {
        struct process *process = &tree->processes[i];

        process->parent = find_pid(tree, process->ppid);
        if (process->parent == i)
            process->parent = NONE;
        if (process->parent == NONE)
            continue;
        process->next_sibling = tree->processes[process->parent].first_child;
        tree->processes[process->parent].first_child = i;
    }
    return true;
}

static void write_branch(FILE *out, const struct branch *branch)
{
    for (size_t i = 0; i + 1 < branch->depth; i++)
        (void) fputs(branch->more[i] ? "│  " : "   ", out);
    if (branch->depth > 0)
        (void) fputs(branch->more[branch->depth - 1] ? "├─ " : "└─ ", out);
}

static void write_number(FILE *out, const json_t *json, const char *key,
                         void (*write)(FILE *out, int64_t value))
{
    int64_t value;

    if (text_get_number(json, key, &value))
        write(out, value);
    else
        (void) fputc('-', out);
}

static void add_row(struct table *table, const json_t *json, const struct branch *branch)
{
    bool has_user = json_is_string(json_object_get(json, "user"));
    FILE *cell;

    text_write_field(table_cell(table), json, "pid");
    text_write_field(table_cell(table), json, has_user ? "user" : "uid");
    text_write_field(table_cell(table), json, "state");
    write_number(table_cell(table), json, "cpu_us", text_write_cpu_time);
    write_number(table_cell(table), json, "memory_bytes", text_write_bytes);
    cell = table_cell(table);
    write_branch(cell, branch);
    text_write_field(cell, json, "command");
}

/* Draws @index and all below it. No recursion: a chain of forks may be thousands of processes long.
 */
static void draw(struct tree *tree, size_t index)
{
    struct branch branch = {.depth = 0};
    size_t level = 0; /* as branch.depth, but without its limit */
    size_t top = index;

    for (;;) {
        struct process *process = &tree->processes[index];

        process->drawn = true;
        branch.depth = level < DEPTH_MAX ? level : DEPTH_MAX;
        if (level > 0)
            branch.more[branch.depth - 1] = process->next_sibling != NONE;
        add_row(tree->table, process->json, &branch);

        if (process->first_child != NONE && !tree->processes[process->first_child].drawn) {
            index = process->first_child;
            level++;
            continue;
        }
        while (index != top && (tree->processes[index].next_sibling == NONE ||
                                tree->processes[tree->processes[index].next_sibling].drawn)) {
            index = tree->processes[index].parent;
            level--;
        }
        if (index == top)
            return;
        index = tree->processes[index].next_sibling;
    }
}

/* "7.1  TaskStatus_Running  nobody  50 processes" */
static void print_title(FILE *out, const json_t *object, size_t count)
{
    task_view_print_id(out, object);
    (void) fputs("  ", out);
    text_write_field(out, object, "status");
    (void) fputs("  ", out);
    text_write_field(out, object, "user");
    (void) fputs("  ", out);
    text_write_plural(out, (int64_t) count, "process", "processes");
    (void) fputc('\n', out);
}

bool tree_view_print(FILE *out, const json_t *object)
{
    static const struct table_column columns[] = {
        {"PID", true},    {"USER", false},    {"S", false}, {"CPU", true},
        {"MEMORY", true}, {"COMMAND", false}, {NULL, false}};
    struct tree tree = {.table = table_new(columns)};
    bool printed = false;

    if (tree.table && collect(&tree, json_object_get(object, "processes"))) {
        for (size_t i = 0; i < tree.len; i++)
            if (tree.processes[i].parent == NONE)
                draw(&tree, i);
        /* A number that came round again may close a circle, which has no root. */
        for (size_t i = 0; i < tree.len; i++)
            if (!tree.processes[i].drawn)
                draw(&tree, i);
        print_title(out, object, tree.len);
        printed = tree.len == 0 || table_print(tree.table, out, 2);
    }
    free(tree.processes);
    (void) table_free(tree.table);
    return printed;
}
