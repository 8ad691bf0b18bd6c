/*
 * store_show.c - tasks as users see them. An answer is cut at SHOW_BYTES_MAX, and says that more
 * follows: one page of large specifications must not take the head's memory.
 */
#include "libquell/store_impl.h"

#include "base/hex.h"
#include "ipc/task_pb.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOW_BYTES_MAX     (8u * 1024u * 1024u)
#define SHOW_LIMIT_DEFAULT 100u
#define SHOW_LIMIT_MAX     1000u

void task_set_done(struct task_set *set)
{
    free(set->tasks);
    arena_done(&set->arena);
    *set = (struct task_set){0};
}

static const char *copy_text(struct arena *arena, const struct db_statement *row, int column)
{
    const char *text = db_text(row, column);

    return text ? arena_copy(arena, text, strlen(text)) : NULL;
}

static int64_t number_or_unknown(const struct db_statement *row, int column)
{
    return db_is_null(row, column) ? TASK_UNKNOWN : db_int(row, column);
}

static int read_spec(struct arena *arena, const struct db_statement *row, struct quell_task *task,
                     struct err *err)
{
    size_t len;
    const void *bytes = db_blob(row, 18, &len);
    Quell__Pb__Spec *spec = quell__pb__spec__unpack(NULL, len, bytes);
    const char **argv;

    if (!spec)
        return err_set(err, -EBADMSG, "database: the specification of task %u.%u can't be read",
                       task->job_id, task->task_id);
    argv = arena_alloc(arena, (spec->n_argv + 1) * sizeof(*argv));
    for (size_t i = 0; argv && i < spec->n_argv; i++)
        argv[i] = arena_copy(arena, spec->argv[i].data, spec->argv[i].len);
    task->argv = argv;
    task->argv_len = argv ? spec->n_argv : 0;
    task->runtime_ms = spec->runtime_ms;
    task->memory_bytes = spec->memory_bytes;
    task->cpu_milli = spec->cpu_milli;
    task->pids = spec->pids;
    task->grace_ms = spec->grace_ms;
    quell__pb__spec__free_unpacked(spec, NULL);
    return 0;
}

static int read_ending(const struct db_statement *row, struct quell_task *task, struct err *err)
{
    Quell__Pb__Ending *ending = NULL;
    size_t len;
    const void *bytes = db_blob(row, 16, &len);

    if (bytes) {
        ending = quell__pb__ending__unpack(NULL, len, bytes);
        if (!ending)
            return err_set(err, -EBADMSG, "database: the end of task %u.%u can't be read",
                           task->job_id, task->task_id);
    }
    task_proof_from_pb(ending ? ending->proof : NULL, &task->proof);
    task_usage_from_pb(ending ? ending->usage : NULL, &task->usage);
    task->proof.method = (enum task_method) db_int(row, 15); /* as the head has judged it */
    if (ending)
        quell__pb__ending__free_unpacked(ending, NULL);
    return 0;
}

/* The message of an accepted cancel is the task's error message from then on. */
static void read_cancel(struct arena *arena, const struct db_statement *row,
                        struct quell_task *task)
{
    task->cancel_accepted = !db_is_null(row, 19);
    if (!task->cancel_accepted)
        return;
    if (task->status != TASK_CANCELLED)
        task->error_message = copy_text(arena, row, 20);
    task->cancelled_by_uid = number_or_unknown(row, 22);
    task->cancelled_by_name = copy_text(arena, row, 23);
    task->cancel_time_us = (uint64_t) db_int(row, 24);
}

static int read_task(struct arena *arena, const struct db_statement *row, struct quell_task *task,
                     struct err *err)
{
    const void *uid;
    size_t len;
    int r;

    *task = (struct quell_task){
        .job_id = (uint32_t) db_int(row, 0),
        .task_id = (uint32_t) db_int(row, 1),
        .attempt = (uint32_t) db_int(row, 2),
        .node = copy_text(arena, row, 4),
        .user = copy_text(arena, row, 5),
        .name = copy_text(arena, row, 6),
        .status = (enum task_status) db_int(row, 7),
        .error_message = copy_text(arena, row, 8),
        .exit_code = number_or_unknown(row, 9),
        .signal = number_or_unknown(row, 10),
        .cause = (enum task_cause) db_int(row, 11),
        .cancelled_by_uid = TASK_UNKNOWN,
        .submit_time_us = (uint64_t) db_int(row, 12),
        .start_time_us = (uint64_t) db_int(row, 13),
        .end_time_us = (uint64_t) db_int(row, 14),
        .rerunnable = db_int(row, 17) != 0,
    };
    uid = db_blob(row, 3, &len);
    if (uid && len == TASK_UID_SIZE)
        (void) hex_encode(uid, len, task->uid);
    read_cancel(arena, row, task);
    r = read_spec(arena, row, task, err);
    if (r == 0)
        r = read_ending(row, task, err);
    if (r == 0 && arena->failed)
        r = err_set(err, -ENOMEM, "no memory for the answer");
    return r;
}

/* Reads the row that @statement stands on into @set. */
static int add_row(struct task_set *set, const struct db_statement *statement, struct err *err)
{
    if (set->len == set->size) {
        size_t size = set->size ? 2 * set->size : 1;
        struct quell_task *more = realloc(set->tasks, size * sizeof(*more));

        if (!more)
            return err_set(err, -ENOMEM, "no memory for the answer");
        set->tasks = more;
        set->size = size;
    }
    return read_task(&set->arena, statement, &set->tasks[set->len++], err);
}

int store_load_task(struct store *store, uint32_t job_id, uint32_t task_id, struct task_set *set,
                    struct err *err)
{
    struct db_statement *statement = store->statements[STORE_SQL_SHOW];
    int r;

    db_bind_int(statement, 1, job_id);
    db_bind_int(statement, 2, task_id);
    r = db_step(statement, err);
    if (r == DB_ROW)
        r = add_row(set, statement, err);
    else if (r == 0)
        r = STORE_NONE;
    db_reset(statement);
    return r;
}

/* Which index is walked follows from which table's columns bound and order the rows. */
static int prepare_list(struct store *store, const struct quell_filter *filter,
                        struct db_statement **ret, struct err *err)
{
    bool by_status = filter->has_status && !filter->node && filter->job_id == 0;
    const char *by = by_status ? "a" : "t";
    char sql[1536];
    int len =
        snprintf(sql, sizeof(sql),
                 "%sFROM %s WHERE a.job_id = t.job_id AND a.task_id = t.task_id"
                 " AND a.attempt = t.attempt AND (%s.job_id, %s.task_id) > (?1, ?2)"
                 "%s%s%s%s%s ORDER BY %s.job_id, %s.task_id LIMIT ?6",
                 store_show_select,
                 by_status ? "attempts a CROSS JOIN tasks t" : "tasks t CROSS JOIN attempts a", by,
                 by, filter->job_id ? " AND " : "", filter->job_id ? by : "",
                 filter->job_id ? ".job_id = ?3" : "", filter->node ? " AND t.node = ?4" : "",
                 filter->has_status ? " AND a.status = ?5" : "", by, by);

    assert(len > 0 && (size_t) len < sizeof(sql));
    return db_prepare(store->db, sql, ret, err);
}

static size_t page_size(const struct quell_filter *filter)
{
    if (filter->limit == 0)
        return SHOW_LIMIT_DEFAULT;
    return filter->limit < SHOW_LIMIT_MAX ? filter->limit : SHOW_LIMIT_MAX;
}

int store_load_tasks(struct store *store, const struct quell_filter *filter, struct task_set *set,
                     bool *ret_more, struct err *err)
{
    CLEANUP(db_finishp) struct db_statement *statement = NULL;
    size_t limit = page_size(filter);
    int r = prepare_list(store, filter, &statement, err);

    if (r < 0)
        return r;
    db_bind_int(statement, 1, filter->after_job_id);
    db_bind_int(statement, 2, filter->after_task_id);
    if (filter->job_id)
        db_bind_int(statement, 3, filter->job_id);
    if (filter->node)
        db_bind_text(statement, 4, filter->node);
    if (filter->has_status)
        db_bind_int(statement, 5, filter->status);
    db_bind_int(statement, 6, (int64_t) limit + 1);
    while ((r = db_step(statement, err)) == DB_ROW) {
        if (set->len == limit || set->arena.bytes > SHOW_BYTES_MAX)
            break;
        r = add_row(set, statement, err);
        if (r < 0)
            break;
    }
    *ret_more = r == DB_ROW;
    return r < 0 ? r : 0;
}
