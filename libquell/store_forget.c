/* store_forget.c - what has ended long ago goes, a bounded number at a time. */
#include "libquell/store_impl.h"

#define FORGET_TASKS  100
#define FORGET_EVENTS 1000
#define KEEP_UIDS_US  (UINT64_C(7) * 24 * 3600 * 1000000)

struct place {
    uint32_t job_id;
    uint32_t task_id;
};

static int find_ended(struct store *store, uint64_t before_us, struct place *ret, size_t *ret_len,
                      struct err *err)
{
    struct db_statement *statement = store->statements[STORE_SQL_ENDED];
    int r;

    *ret_len = 0;
    db_bind_int(statement, 1, (int64_t) before_us);
    db_bind_int(statement, 2, FORGET_TASKS);
    while ((r = db_step(statement, err)) == DB_ROW) {
        ret[*ret_len].job_id = (uint32_t) db_int(statement, 0);
        ret[*ret_len].task_id = (uint32_t) db_int(statement, 1);
        (*ret_len)++;
    }
    db_reset(statement);
    return r;
}

/* What its node says of it again, because our answer was lost, still has to be acknowledged. */
static int remember_uids(struct store *store, const struct place *place, uint64_t now_us,
                         struct err *err)
{
    struct db_statement *statement = store->statements[STORE_SQL_PUT_FORGOTTEN];

    db_bind_int(statement, 1, place->job_id);
    db_bind_int(statement, 2, place->task_id);
    db_bind_int(statement, 3, (int64_t) now_us);
    return db_run(statement, err);
}

int store_was_forgotten(struct store *store, const uint8_t uid[TASK_UID_SIZE], struct err *err)
{
    struct db_statement *statement = store->statements[STORE_SQL_HAS_FORGOTTEN];
    int r;

    db_bind_blob(statement, 1, uid, TASK_UID_SIZE);
    r = db_step(statement, err);
    db_reset(statement);
    if (r < 0)
        return r;
    return r == DB_ROW ? 0 : STORE_NONE;
}

static int drop_task(struct store *store, const struct place *place, struct err *err)
{
    struct db_statement *attempts = store->statements[STORE_SQL_DROP_ATTEMPTS];
    struct db_statement *task = store->statements[STORE_SQL_DROP_TASK];
    struct db_statement *job = store->statements[STORE_SQL_DROP_JOB];
    int r;

    db_bind_int(attempts, 1, place->job_id);
    db_bind_int(attempts, 2, place->task_id);
    db_bind_int(attempts, 3, INT64_MAX);
    r = db_run(attempts, err);
    if (r < 0)
        return r;
    db_bind_int(task, 1, place->job_id);
    db_bind_int(task, 2, place->task_id);
    r = db_run(task, err);
    if (r < 0)
        return r;
    db_bind_int(job, 1, place->job_id);
    return db_run(job, err);
}

/* The rows of a table that are old enough, at most @limit. *@ret_more: there may be others. */
static int drop_old(struct store *store, enum store_sql sql, uint64_t before_us, int64_t limit,
                    bool *ret_more, struct err *err)
{
    struct db_statement *statement = store->statements[sql];
    int r;

    db_bind_int(statement, 1, (int64_t) before_us);
    db_bind_int(statement, 2, limit);
    r = db_run(statement, err);
    *ret_more = *ret_more || (r == 0 && db_changes(store->db) == limit);
    return r;
}

int store_forget(struct store *store, uint64_t before_us, uint64_t now_us, bool *ret_more,
                 struct err *err)
{
    struct place places[FORGET_TASKS];
    uint64_t uids_before_us = now_us > KEEP_UIDS_US ? now_us - KEEP_UIDS_US : 0;
    size_t len;
    int r = find_ended(store, before_us, places, &len, err);

    *ret_more = len == FORGET_TASKS;
    for (size_t i = 0; i < len && r == 0; i++) {
        r = remember_uids(store, &places[i], now_us, err);
        if (r == 0)
            r = drop_task(store, &places[i], err);
    }
    if (r == 0)
        r = drop_old(store, STORE_SQL_DROP_EVENTS, before_us, FORGET_EVENTS, ret_more, err);
    if (r == 0)
        r = drop_old(store, STORE_SQL_DROP_FORGOTTEN, uids_before_us, FORGET_EVENTS, ret_more, err);
    return r;
}
