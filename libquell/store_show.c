/*
 * store_show.c - tasks as users see them. An answer is cut at SHOW_BYTES_MAX, and says that more
 * follows: one page of large specifications must not take the head's memory.
 */
#include "libquell/store_impl.h"

#include "base/hex.h"
#include "ipc/task_pb.h"

#include <assert.h>
#include <inttypes.h>
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

/* The columns of a row, in the order of the statements' SHOW. */
enum {
    SHOW_JOB_ID,
    SHOW_TASK_ID,
    SHOW_ATTEMPT,
    SHOW_UID,
    SHOW_NODE,
    SHOW_USER,
    SHOW_NAME,
    SHOW_STATUS,
    SHOW_ERROR_MESSAGE,
    SHOW_EXIT_CODE,
    SHOW_SIGNAL,
    SHOW_CAUSE,
    SHOW_SUBMIT_TIME,
    SHOW_START_TIME,
    SHOW_END_TIME,
    SHOW_METHOD,
    SHOW_ENDING,
    SHOW_REQUEUE_NODE,
    SHOW_CANCEL,
    SHOW_RERUNNABLE = SHOW_CANCEL + STORE_CANCEL_COLUMNS,
    SHOW_SPEC,
};

static int read_spec(struct arena *arena, const struct db_statement *row, struct quell_task *task,
                     struct err *err)
{
    size_t len;
    const void *bytes = db_blob(row, SHOW_SPEC, &len);
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
    if (spec->cgroup.len)
        task->cgroup = arena_copy(arena, spec->cgroup.data, spec->cgroup.len);
    task->runtime_ms = spec->runtime_ms;
    task->memory_bytes = spec->memory_bytes;
    task->cpu_milli = spec->cpu_milli;
    task->pids = spec->pids;
    task->grace_ms = spec->grace_ms;
    quell__pb__spec__free_unpacked(spec, NULL);
    return 0;
}

static int read_ending(const struct db_statement *row, struct quell_attempt *attempt,
                       struct err *err)
{
    Quell__Pb__Ending *ending = NULL;
    size_t len;
    const void *bytes = db_blob(row, SHOW_ENDING, &len);

    if (bytes) {
        ending = quell__pb__ending__unpack(NULL, len, bytes);
        if (!ending)
            return err_set(err, -EBADMSG,
                           "database: the end of attempt %" PRIi64 ".%" PRIi64 ".%u can't be read",
                           db_int(row, SHOW_JOB_ID), db_int(row, SHOW_TASK_ID), attempt->attempt);
    }
    task_proof_from_pb(ending ? ending->proof : NULL, &attempt->proof);
    task_usage_from_pb(ending ? ending->usage : NULL, &attempt->usage);
    /* As the head has judged it. */
    attempt->proof.method = (enum task_method) db_int(row, SHOW_METHOD);
    if (ending)
        quell__pb__ending__free_unpacked(ending, NULL);
    return 0;
}

/* The message of an accepted cancel is the task's error message from then on. */
static void read_cancel(struct arena *arena, const struct db_statement *row,
                        struct quell_attempt *attempt)
{
    struct task_cancel cancel;

    store_read_cancel(row, SHOW_CANCEL, &cancel);
    attempt->cancel_accepted = cancel.accepted;
    attempt->cancelled_by_uid = TASK_UNKNOWN;
    if (!cancel.accepted)
        return;
    if (attempt->status != TASK_CANCELLED && cancel.has_message)
        attempt->error_message = arena_copy(arena, cancel.message, strlen(cancel.message));
    if (cancel.has_by_uid)
        attempt->cancelled_by_uid = (int64_t) cancel.by_uid;
    if (*cancel.by_name)
        attempt->cancelled_by_name = arena_copy(arena, cancel.by_name, strlen(cancel.by_name));
    attempt->cancel_time_us = cancel.time_us;
    attempt->kill_time_us = cancel.kill_time_us;
}

static int read_attempt(struct arena *arena, const struct db_statement *row,
                        struct quell_attempt *attempt, struct err *err)
{
    const void *uid;
    size_t len;

    *attempt = (struct quell_attempt){
        .attempt = (uint32_t) db_int(row, SHOW_ATTEMPT),
        .node = copy_text(arena, row, SHOW_NODE),
        .status = (enum task_status) db_int(row, SHOW_STATUS),
        .error_message = copy_text(arena, row, SHOW_ERROR_MESSAGE),
        .exit_code = number_or_unknown(row, SHOW_EXIT_CODE),
        .signal = number_or_unknown(row, SHOW_SIGNAL),
        .cause = (enum task_cause) db_int(row, SHOW_CAUSE),
        .submit_time_us = (uint64_t) db_int(row, SHOW_SUBMIT_TIME),
        .start_time_us = (uint64_t) db_int(row, SHOW_START_TIME),
        .end_time_us = (uint64_t) db_int(row, SHOW_END_TIME),
    };
    uid = db_blob(row, SHOW_UID, &len);
    if (uid && len == TASK_UID_SIZE)
        (void) hex_encode(uid, len, attempt->uid);
    read_cancel(arena, row, attempt);
    return read_ending(row, attempt, err);
}

/* The attempts before the current one. */
static int read_earlier(struct store *store, struct arena *arena, struct quell_task *task,
                        struct err *err)
{
    struct db_statement *statement = store->statements[STORE_SQL_SHOW_EARLIER];
    size_t most =
        task->current.attempt < STORE_EARLIER_MAX ? task->current.attempt : STORE_EARLIER_MAX;
    struct quell_attempt *earlier;
    int r = 0;

    if (most == 0)
        return 0;
    earlier = arena_alloc(arena, most * sizeof(*earlier));
    task->attempts = earlier;
    db_bind_int(statement, 1, task->job_id);
    db_bind_int(statement, 2, task->task_id);
    while (earlier && task->attempts_len < most && (r = db_step(statement, err)) == DB_ROW) {
        r = read_attempt(arena, statement, &earlier[task->attempts_len++], err);
        if (r < 0)
            break;
    }
    db_reset(statement);
    return r < 0 ? r : 0;
}

static int read_task(struct store *store, struct arena *arena, const struct db_statement *row,
                     struct quell_task *task, struct err *err)
{
    int r;

    *task = (struct quell_task){
        .job_id = (uint32_t) db_int(row, SHOW_JOB_ID),
        .task_id = (uint32_t) db_int(row, SHOW_TASK_ID),
        .user = copy_text(arena, row, SHOW_USER),
        .name = copy_text(arena, row, SHOW_NAME),
        .requeue_node = copy_text(arena, row, SHOW_REQUEUE_NODE),
        .rerunnable = db_int(row, SHOW_RERUNNABLE) != 0,
    };
    r = read_attempt(arena, row, &task->current, err);
    if (r == 0)
        r = read_spec(arena, row, task, err);
    if (r == 0)
        r = read_earlier(store, arena, task, err);
    if (r == 0 && arena->failed)
        r = err_set(err, -ENOMEM, "no memory for the answer");
    return r;
}

/* Reads the row that @statement stands on into @set. */
static int add_row(struct store *store, struct task_set *set, const struct db_statement *statement,
                   struct err *err)
{
    int r;

    if (set->len == set->size) {
        size_t size = set->size ? 2 * set->size : 1;
        struct quell_task *more = realloc(set->tasks, size * sizeof(*more));

        if (!more)
            return err_set(err, -ENOMEM, "no memory for the answer");
        set->tasks = more;
        set->size = size;
    }
    r = read_task(store, &set->arena, statement, &set->tasks[set->len], err);
    if (r == 0)
        set->len++;
    return r;
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
        r = add_row(store, set, statement, err);
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
        r = add_row(store, set, statement, err);
        if (r < 0)
            break;
    }
    *ret_more = r == DB_ROW;
    return r < 0 ? r : 0;
}
