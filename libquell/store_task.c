/* store_task.c - jobs and tasks: their numbers, and new ones. */
#include "libquell/store_impl.h"

#include <stdlib.h>
#include <string.h>

/* The one number of the one row; STORE_NONE without a row, or when it is null. */
static int read_number(struct store *store, enum store_sql sql, int64_t *ret, struct err *err)
{
    struct db_statement *statement = store->statements[sql];
    int r = db_step(statement, err);

    if (r >= 0)
        r = r == DB_ROW && !db_is_null(statement, 0) ? 0 : STORE_NONE;
    if (r == 0)
        *ret = db_int(statement, 0);
    db_reset(statement);
    return r;
}

int store_next_job(struct store *store, uint32_t *ret, struct err *err)
{
    int64_t number;
    int r = read_number(store, STORE_SQL_MAX_JOB, &number, err);

    if (r != 0)
        return r;
    if (number < TASK_ID_MAX) {
        *ret = (uint32_t) number + 1;
        return 0;
    }
    /* Somebody has named the highest job of all: the gaps below it are left. */
    r = read_number(store, STORE_SQL_FREE_JOB, &number, err);
    if (r == 0)
        *ret = (uint32_t) number;
    return r;
}

int store_next_task(struct store *store, uint32_t job_id, uint32_t *ret, struct err *err)
{
    int64_t number;
    int r;

    db_bind_int(store->statements[STORE_SQL_NEXT_TASK], 1, job_id);
    r = read_number(store, STORE_SQL_NEXT_TASK, &number, err);
    if (r < 0)
        return r;
    if (r == 0 && number > TASK_ID_MAX)
        return STORE_NONE;
    *ret = r == STORE_NONE ? 1 : (uint32_t) number;
    return 0;
}

int store_has_job(struct store *store, uint32_t job_id, struct err *err)
{
    int64_t next;

    db_bind_int(store->statements[STORE_SQL_NEXT_TASK], 1, job_id);
    return read_number(store, STORE_SQL_NEXT_TASK, &next, err);
}

int store_has_task(struct store *store, uint32_t job_id, uint32_t task_id, struct err *err)
{
    int64_t one;

    db_bind_int(store->statements[STORE_SQL_HAS_TASK], 1, job_id);
    db_bind_int(store->statements[STORE_SQL_HAS_TASK], 2, task_id);
    return read_number(store, STORE_SQL_HAS_TASK, &one, err);
}

static int put_job(struct store *store, const struct store_task *task, struct err *err)
{
    struct db_statement *job = store->statements[STORE_SQL_PUT_JOB];
    struct db_statement *last = store->statements[STORE_SQL_PUT_LAST_JOB];
    int r;

    db_bind_int(job, 1, task->job_id);
    db_bind_int(job, 2, (int64_t) task->task_id + 1);
    r = db_run(job, err);
    if (r < 0)
        return r;
    db_bind_int(last, 1, task->job_id);
    return db_run(last, err);
}

static int put_task(struct store *store, const struct store_task *task, struct err *err)
{
    struct db_statement *statement = store->statements[STORE_SQL_ADD_TASK];

    db_bind_int(statement, 1, task->job_id);
    db_bind_int(statement, 2, task->task_id);
    db_bind_text(statement, 3, task->node);
    store_bind_int_or_null(statement, 4, task->owner_known, task->owner_uid);
    db_bind_text(statement, 5, task->user);
    db_bind_text(statement, 6, task->name);
    db_bind_int(statement, 7, task->rerunnable);
    db_bind_int(statement, 8, (int64_t) task->grace_ms);
    db_bind_blob(statement, 9, task->spec, task->spec_len);
    db_bind_int(statement, 10, (int64_t) task->add_time_us);
    return db_run(statement, err);
}

int store_add_task(struct store *store, const struct store_task *task, struct err *err)
{
    struct db_statement *attempt = store->statements[STORE_SQL_ADD_ATTEMPT];
    int r = put_job(store, task, err);

    if (r == 0)
        r = put_task(store, task, err);
    if (r < 0)
        return r;
    db_bind_int(attempt, 1, task->job_id);
    db_bind_int(attempt, 2, task->task_id);
    db_bind_int(attempt, 3, 0);
    db_bind_text(attempt, 4, task->node);
    return db_run(attempt, err);
}

int store_load_spec(struct store *store, uint32_t job_id, uint32_t task_id, uint8_t **ret,
                    size_t *ret_len, struct err *err)
{
    struct db_statement *statement = store->statements[STORE_SQL_SPEC];
    const void *bytes;
    int r;

    db_bind_int(statement, 1, job_id);
    db_bind_int(statement, 2, task_id);
    r = db_step(statement, err);
    if (r == DB_ROW) {
        bytes = db_blob(statement, 0, ret_len);
        *ret = malloc(*ret_len + 1);
        if (*ret)
            (void) memcpy(*ret, bytes, *ret_len);
        r = *ret ? 0 : err_set(err, -ENOMEM, "no memory for the task");
    } else if (r == 0) {
        r = STORE_NONE;
    }
    db_reset(statement);
    return r;
}

static int collect_ids(struct db_statement *statement, uint32_t **ret, size_t *ret_len,
                       struct err *err)
{
    CLEANUP_FREE uint32_t *ids = NULL;
    size_t len = 0;
    size_t size = 0;
    int r;

    while ((r = db_step(statement, err)) == DB_ROW) {
        if (len == size) {
            uint32_t *more = realloc(ids, (size = size ? 2 * size : 64) * sizeof(*ids));

            if (!more)
                return err_set(err, -ENOMEM, "no memory for the job's tasks");
            ids = more;
        }
        ids[len++] = (uint32_t) db_int(statement, 0);
    }
    if (r < 0)
        return r;
    *ret = TAKE_PTR(ids);
    *ret_len = len;
    return 0;
}

int store_live_tasks(struct store *store, uint32_t job_id, uint32_t **ret, size_t *ret_len,
                     struct err *err)
{
    struct db_statement *statement = store->statements[STORE_SQL_LIVE_TASKS];
    int r = store_has_job(store, job_id, err);

    if (r != 0)
        return r;
    db_bind_int(statement, 1, job_id);
    r = collect_ids(statement, ret, ret_len, err);
    db_reset(statement);
    return r;
}
