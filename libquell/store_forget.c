/* store_forget.c - what has ended long ago goes, a bounded number at a time. */
#include "libquell/store_impl.h"

#define FORGET_TASKS  100
#define FORGET_EVENTS 1000

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

int store_forget(struct store *store, uint64_t before_us, bool *ret_more, struct err *err)
{
    struct place places[FORGET_TASKS];
    size_t len;
    int r = find_ended(store, before_us, places, &len, err);

    for (size_t i = 0; i < len && r == 0; i++)
        r = drop_task(store, &places[i], err);
    if (r < 0)
        return r;
    db_bind_int(store->statements[STORE_SQL_DROP_EVENTS], 1, (int64_t) before_us);
    db_bind_int(store->statements[STORE_SQL_DROP_EVENTS], 2, FORGET_EVENTS);
    r = db_run(store->statements[STORE_SQL_DROP_EVENTS], err);
    *ret_more = r == 0 && (len == FORGET_TASKS || db_changes(store->db) == FORGET_EVENTS);
    return r;
}
