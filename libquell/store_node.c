/* store_node.c - the nodes that have said hello. */
#include "libquell/store_impl.h"

#include <stdlib.h>
#include <string.h>

int store_has_node(struct store *store, const char *name, struct err *err)
{
    struct db_statement *statement = store->statements[STORE_SQL_HAS_NODE];
    int r;

    db_bind_text(statement, 1, name);
    r = db_step(statement, err);
    db_reset(statement);
    if (r < 0)
        return r;
    return r == DB_ROW ? 0 : STORE_NONE;
}

int store_put_node(struct store *store, const struct store_node *node, struct err *err)
{
    struct db_statement *statement = store->statements[STORE_SQL_PUT_NODE];
    int64_t memory = node->memory_bytes > INT64_MAX ? INT64_MAX : (int64_t) node->memory_bytes;

    db_bind_text(statement, 1, node->name);
    db_bind_text(statement, 2, node->instance);
    db_bind_text(statement, 3, node->boot_id);
    db_bind_text(statement, 4, node->version);
    db_bind_text(statement, 5, node->cgroup_mode);
    db_bind_text(statement, 6, node->unenforceable);
    db_bind_int(statement, 7, node->cores);
    db_bind_int(statement, 8, memory);
    db_bind_int(statement, 9, (int64_t) node->last_heard_us);
    return db_run(statement, err);
}

int store_touch_node(struct store *store, const char *name, uint64_t last_heard_us, struct err *err)
{
    struct db_statement *statement = store->statements[STORE_SQL_TOUCH_NODE];

    db_bind_text(statement, 1, name);
    db_bind_int(statement, 2, (int64_t) last_heard_us);
    return db_run(statement, err);
}

void node_set_done(struct node_set *set)
{
    free(set->nodes);
    arena_done(&set->arena);
    *set = (struct node_set){0};
}

static const char *copy_text(struct arena *arena, const struct db_statement *row, int column)
{
    const char *text = db_text(row, column);

    return text ? arena_copy(arena, text, strlen(text)) : NULL;
}

static int add_row(struct node_set *set, const struct db_statement *row, struct err *err)
{
    if (set->len == set->size) {
        size_t size = set->size ? 2 * set->size : 16;
        struct quell_node *more = realloc(set->nodes, size * sizeof(*more));

        if (!more)
            return err_set(err, -ENOMEM, "no memory for the nodes");
        set->nodes = more;
        set->size = size;
    }
    set->nodes[set->len++] = (struct quell_node){
        .name = copy_text(&set->arena, row, 0),
        .last_heard_us = (uint64_t) db_int(row, 1),
        .cgroup_mode = copy_text(&set->arena, row, 2),
        .boot_id = copy_text(&set->arena, row, 3),
        .version = copy_text(&set->arena, row, 4),
        .cores = (uint32_t) db_int(row, 5),
        .memory_bytes = (uint64_t) db_int(row, 6),
        .tasks_running = (uint32_t) db_int(row, 7),
        .tasks_queued = (uint32_t) db_int(row, 8),
    };
    if (set->arena.failed)
        return err_set(err, -ENOMEM, "no memory for the nodes");
    return 0;
}

int store_load_nodes(struct store *store, struct node_set *set, struct err *err)
{
    struct db_statement *statement = store->statements[STORE_SQL_NODES];
    int r;

    while ((r = db_step(statement, err)) == DB_ROW) {
        r = add_row(set, statement, err);
        if (r < 0)
            break;
    }
    db_reset(statement);
    return r;
}
