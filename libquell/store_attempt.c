/* store_attempt.c - attempts: found, and carried from one status to the next. */
#include "libquell/store_impl.h"

#include <string.h>

static void read_attempt(const struct db_statement *row, struct store_attempt *ret)
{
    const void *uid;
    size_t len;

    *ret = (struct store_attempt){
        .job_id = (uint32_t) db_int(row, 0),
        .task_id = (uint32_t) db_int(row, 1),
        .attempt = (uint32_t) db_int(row, 2),
        .status = (enum task_status) db_int(row, 5),
        .offered = db_int(row, 6) != 0,
        .cmd_version = (uint32_t) db_int(row, 7),
        .acked_version = (uint32_t) db_int(row, 8),
        .report_version = (uint32_t) db_int(row, 9),
        .owner_known = !db_is_null(row, 10),
        .owner_uid = (uint32_t) db_int(row, 10),
        .grace_ms = (uint64_t) db_int(row, 12),
        .rerunnable = db_int(row, 13) != 0,
        .requeued = !db_is_null(row, 14),
        .cancel_version = (uint32_t) db_int(row, 15),
    };
    uid = db_blob(row, 3, &len);
    if (uid && len == sizeof(ret->uid))
        memcpy(ret->uid, uid, len);
    store_read_text(row, 4, ret->node, sizeof(ret->node));
    store_read_text(row, 11, ret->user, sizeof(ret->user));
    store_read_text(row, 14, ret->requeue_node, sizeof(ret->requeue_node));
    store_read_cancel(row, 15, &ret->cancel);
}

static int find(struct db_statement *statement, struct store_attempt *ret, struct err *err)
{
    int r = db_step(statement, err);

    if (r == DB_ROW)
        read_attempt(statement, ret);
    db_reset(statement);
    if (r < 0)
        return r;
    return r == DB_ROW ? 0 : STORE_NONE;
}

int store_find_attempt(struct store *store, uint32_t job_id, uint32_t task_id,
                       struct store_attempt *ret, struct err *err)
{
    struct db_statement *statement = store->statements[STORE_SQL_FIND_ATTEMPT];

    db_bind_int(statement, 1, job_id);
    db_bind_int(statement, 2, task_id);
    return find(statement, ret, err);
}

int store_find_uid(struct store *store, const uint8_t uid[TASK_UID_SIZE], struct store_attempt *ret,
                   struct err *err)
{
    struct db_statement *statement = store->statements[STORE_SQL_FIND_UID];

    db_bind_blob(statement, 1, uid, TASK_UID_SIZE);
    return find(statement, ret, err);
}

static struct db_statement *keyed(struct store *store, enum store_sql sql,
                                  const struct store_attempt *attempt)
{
    struct db_statement *statement = store->statements[sql];

    db_bind_int(statement, 1, attempt->job_id);
    db_bind_int(statement, 2, attempt->task_id);
    db_bind_int(statement, 3, attempt->attempt);
    return statement;
}

int store_next_attempt(struct store *store, const struct store_attempt *attempt, struct err *err)
{
    const enum store_sql sqls[] = {STORE_SQL_ADD_ATTEMPT, STORE_SQL_TAKE_ATTEMPT,
                                   STORE_SQL_KEEP_ATTEMPT};

    for (size_t i = 0; i < sizeof(sqls) / sizeof(sqls[0]); i++) {
        struct db_statement *statement = keyed(store, sqls[i], attempt);
        int r;

        if (sqls[i] != STORE_SQL_KEEP_ATTEMPT)
            db_bind_text(statement, 4, attempt->node);
        r = db_run(statement, err);
        if (r < 0)
            return r;
    }
    if (attempt->attempt <= STORE_EARLIER_MAX)
        return 0;
    db_bind_int(store->statements[STORE_SQL_DROP_ATTEMPTS], 1, attempt->job_id);
    db_bind_int(store->statements[STORE_SQL_DROP_ATTEMPTS], 2, attempt->task_id);
    db_bind_int(store->statements[STORE_SQL_DROP_ATTEMPTS], 3,
                attempt->attempt - STORE_EARLIER_MAX);
    return db_run(store->statements[STORE_SQL_DROP_ATTEMPTS], err);
}

int store_queue_attempt(struct store *store, const struct store_attempt *attempt,
                        uint64_t submit_time_us, struct err *err)
{
    struct db_statement *statement = keyed(store, STORE_SQL_QUEUE, attempt);

    db_bind_int(statement, 4, attempt->status);
    db_bind_blob(statement, 5, attempt->uid, sizeof(attempt->uid));
    db_bind_int(statement, 6, attempt->offered);
    db_bind_int(statement, 7, attempt->cmd_version);
    db_bind_int(statement, 8, (int64_t) submit_time_us);
    return db_run(statement, err);
}

int store_cancel_attempt(struct store *store, const struct store_attempt *attempt, struct err *err)
{
    struct db_statement *statement = keyed(store, STORE_SQL_CANCEL, attempt);
    const struct task_cancel *cancel = &attempt->cancel;

    db_bind_int(statement, 4, attempt->cmd_version);
    db_bind_int(statement, 5, attempt->cancel_version);
    db_bind_text(statement, 6, cancel->has_message ? cancel->message : NULL);
    db_bind_int(statement, 7, (int64_t) cancel->grace_ms);
    store_bind_int_or_null(statement, 8, cancel->has_by_uid, cancel->by_uid);
    db_bind_text(statement, 9, *cancel->by_name ? cancel->by_name : NULL);
    db_bind_int(statement, 10, (int64_t) cancel->time_us);
    db_bind_int(statement, 11, (int64_t) cancel->kill_time_us);
    db_bind_int(statement, 12, cancel->by_requeue);
    db_bind_text(statement, 13, attempt->requeued ? attempt->requeue_node : NULL);
    return db_run(statement, err);
}

int store_start_attempt(struct store *store, const struct store_attempt *attempt,
                        uint64_t start_time_us, const uint8_t *started, size_t started_len,
                        struct err *err)
{
    struct db_statement *statement = keyed(store, STORE_SQL_START, attempt);

    db_bind_int(statement, 4, attempt->report_version);
    db_bind_int(statement, 5, (int64_t) start_time_us);
    db_bind_blob(statement, 6, started, started_len);
    return db_run(statement, err);
}

int store_end_attempt(struct store *store, const struct store_attempt *attempt,
                      const struct attempt_end *end, const uint8_t *ending, size_t ending_len,
                      uint64_t recorded_us, struct err *err)
{
    struct db_statement *statement = keyed(store, STORE_SQL_END, attempt);

    db_bind_int(statement, 4, end->status);
    db_bind_int(statement, 5, attempt->report_version);
    db_bind_int(statement, 6, end->cause);
    store_bind_int_or_null(statement, 7, end->exit_code != TASK_UNKNOWN, end->exit_code);
    store_bind_int_or_null(statement, 8, end->signal != TASK_UNKNOWN, end->signal);
    db_bind_text(statement, 9, end->error_message);
    db_bind_int(statement, 10, end->method);
    store_bind_int_or_null(statement, 11, end->start_time_us != 0, (int64_t) end->start_time_us);
    db_bind_int(statement, 12, (int64_t) end->end_time_us);
    if (ending)
        db_bind_blob(statement, 13, ending, ending_len);
    db_bind_int(statement, 14, (int64_t) recorded_us);
    return db_run(statement, err);
}
