/* store_command.c - what the head wants of a node, and what the node has recorded of it. */
#include "libquell/store_impl.h"

#include <stdlib.h>
#include <string.h>

int store_ack_command(struct store *store, const char *node, const uint8_t uid[TASK_UID_SIZE],
                      uint32_t version, const char *boot_id, struct err *err)
{
    struct db_statement *statement = store->statements[STORE_SQL_ACK];

    db_bind_blob(statement, 1, uid, TASK_UID_SIZE);
    db_bind_text(statement, 2, node);
    db_bind_int(statement, 3, version);
    db_bind_text(statement, 4, boot_id);
    return store_run(store, STORE_SQL_ACK, err);
}

int store_unack_command(struct store *store, const uint8_t uid[TASK_UID_SIZE], uint32_t version,
                        struct err *err)
{
    struct db_statement *statement = store->statements[STORE_SQL_UNACK];

    db_bind_blob(statement, 1, uid, TASK_UID_SIZE);
    db_bind_int(statement, 2, version);
    return store_run(store, STORE_SQL_UNACK, err);
}

int store_offer_attempts(struct store *store, const char *node, struct err *err)
{
    db_bind_text(store->statements[STORE_SQL_OFFER], 1, node);
    return store_run(store, STORE_SQL_OFFER, err);
}

bool store_hands_over(const uint8_t *bytes, size_t len)
{
    Quell__Pb__Spec *spec = quell__pb__spec__unpack(NULL, len, bytes);
    const bool yes = spec && spec->cgroup.len > 0;

    if (spec)
        quell__pb__spec__free_unpacked(spec, NULL);
    return yes;
}

static void read_command(const struct db_statement *row, struct store_command *ret)
{
    bool start_acked = db_int(row, 5) != 0;
    size_t len;

    *ret = (struct store_command){
        .uid = db_blob(row, 0, &len),
        .job_id = (uint32_t) db_int(row, 1),
        .task_id = (uint32_t) db_int(row, 2),
        .attempt = (uint32_t) db_int(row, 3),
        .version = (uint32_t) db_int(row, 4),
    };
    store_read_cancel(row, 6, &ret->cancel);
    if (start_acked)
        return;
    ret->spec = db_blob(row, 6 + STORE_CANCEL_COLUMNS, &ret->spec_len);
    /* A start that may not have arrived is never sent beside its cancel: the node then makes a
       tombstone, and the attempt never starts. What is in a group handed over runs already: the
       node has to end it. */
    if (ret->cancel.accepted && !store_hands_over(ret->spec, ret->spec_len))
        ret->spec = NULL;
}

int store_each_command(struct store *store, const char *node,
                       int (*each)(void *arg, const struct store_command *command), void *arg,
                       struct err *err)
{
    struct db_statement *statement = store->statements[STORE_SQL_COMMANDS];
    int stopped = 0;
    int r;

    db_bind_text(statement, 1, node);
    while ((r = db_step(statement, err)) == DB_ROW && stopped == 0) {
        struct store_command command;

        read_command(statement, &command);
        stopped = each(arg, &command);
    }
    db_reset(statement);
    return r < 0 ? r : stopped;
}

static void read_acked(const struct db_statement *row, struct store_acked *ret)
{
    size_t len;
    const void *uid = db_blob(row, 0, &len);

    *ret = (struct store_acked){
        .acked_version = (uint32_t) db_int(row, 1),
        .start_acked = db_int(row, 2) != 0,
        .cancelled = db_int(row, 3) != 0,
    };
    if (uid && len == sizeof(ret->uid))
        memcpy(ret->uid, uid, len);
    store_read_text(row, 4, ret->acked_boot_id, sizeof(ret->acked_boot_id));
}

static int collect_acked(struct db_statement *statement, struct store_acked **ret, size_t *ret_len,
                         struct err *err)
{
    CLEANUP_FREE struct store_acked *all = NULL;
    size_t len = 0;
    size_t size = 0;
    int r;

    while ((r = db_step(statement, err)) == DB_ROW) {
        if (len == size) {
            struct store_acked *more = realloc(all, (size = size ? 2 * size : 16) * sizeof(*all));

            if (!more)
                return err_set(err, -ENOMEM, "no memory for the node's tasks");
            all = more;
        }
        read_acked(statement, &all[len++]);
    }
    if (r < 0)
        return r;
    *ret = TAKE_PTR(all);
    *ret_len = len;
    return 0;
}

int store_acked_attempts(struct store *store, const char *node, struct store_acked **ret,
                         size_t *ret_len, struct err *err)
{
    struct db_statement *statement = store->statements[STORE_SQL_ACKED];
    int r;

    db_bind_text(statement, 1, node);
    r = collect_acked(statement, ret, ret_len, err);
    db_reset(statement);
    return r;
}
