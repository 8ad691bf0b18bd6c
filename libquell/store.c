/*
 * store.c - opening the head's database, and its transactions.
 *
 * A new database is made under another name and put in place whole, so that head.db is always one
 * of ours. Its header is read before SQLite sees the file: SQLite writes beside, and into, what it
 * opens.
 */
#include "libquell/store_impl.h"

#include "base/fdio.h"
#include "base/hex.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DB_NAME     "head.db"
#define DB_NEW_NAME "head.db.new"

/* https://www.sqlite.org/fileformat.html, "The Database Header": big endian */
#define HEADER_SIZE           100u
#define HEADER_MAGIC          "SQLite format 3"
#define HEADER_USER_VERSION   60
#define HEADER_APPLICATION_ID 68

static uint32_t header_number(const uint8_t *at)
{
    return (uint32_t) at[0] << 24 | (uint32_t) at[1] << 16 | (uint32_t) at[2] << 8 | at[3];
}

/* 0; STORE_NONE: there is no database yet. */
static int check_header(int dir_fd, const char *path, struct err *err)
{
    CLEANUP_FD int fd = openat(dir_fd, DB_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    uint8_t header[HEADER_SIZE] = {0};
    uint32_t version;
    ssize_t len;

    if (fd < 0 && errno == ENOENT)
        return STORE_NONE;
    if (fd < 0)
        return err_errno(err, -errno, "open %s", path);
    len = fdio_read(fd, header, sizeof(header));
    if (len < 0)
        return err_errno(err, (int) len, "read %s", path);
    if ((size_t) len < sizeof(header) || memcmp(header, HEADER_MAGIC, sizeof(HEADER_MAGIC)) != 0 ||
        header_number(header + HEADER_APPLICATION_ID) != STORE_APPLICATION_ID)
        return err_set(
            err, -EBADMSG,
            "%s is not a database of Quell's; it was left as it is: move it away, or name "
            "another state directory",
            path);
    version = header_number(header + HEADER_USER_VERSION);
    if (version < 1 || version > STORE_SCHEMA_VERSION)
        return err_set(err, -EPROTONOSUPPORT,
                       "%s has version %" PRIu32 ", and this program knows versions 1 to %u; it "
                       "was left as it is: start the program that made it",
                       path, version, STORE_SCHEMA_VERSION);
    return 0;
}

static int fill_new_database(const char *path, struct err *err)
{
    CLEANUP(db_closep) struct db *db = NULL;
    uint8_t head_id[STORE_HEAD_ID_SIZE];
    char hex[2 * STORE_HEAD_ID_SIZE + 1];
    char sql[256];
    int r = db_open(path, true, &db, err);

    if (r < 0)
        return r;
    fdio_random(head_id, sizeof(head_id));
    (void) snprintf(sql, sizeof(sql),
                    "INSERT INTO meta VALUES (1, x'%s', 0, 0); PRAGMA application_id = %u; "
                    "PRAGMA user_version = %u; COMMIT",
                    hex_encode(head_id, sizeof(head_id), hex), STORE_APPLICATION_ID,
                    STORE_SCHEMA_VERSION);
    r = db_exec(db, "BEGIN IMMEDIATE", err);
    if (r == 0)
        r = db_exec(db, store_schema, err);
    return r < 0 ? r : db_exec(db, sql, err);
}

static int create_database(int dir_fd, const char *state_dir, struct err *err)
{
    char path[4200];
    int r;

    if (faccessat(dir_fd, DB_NAME "-wal", F_OK, 0) == 0)
        return err_set(err, -EBADMSG,
                       "%s/" DB_NAME "-wal is there without its " DB_NAME "; it was left as it is: "
                       "bring " DB_NAME " back, or move it away",
                       state_dir);
    (void) unlinkat(dir_fd, DB_NEW_NAME, 0); /* of a start that did not come to its end */
    (void) unlinkat(dir_fd, DB_NEW_NAME "-journal", 0);
    (void) snprintf(path, sizeof(path), "%s/" DB_NEW_NAME, state_dir);
    r = fill_new_database(path, err);
    if (r < 0)
        return r;
    if (renameat(dir_fd, DB_NEW_NAME, dir_fd, DB_NAME) < 0 || fsync(dir_fd) < 0)
        return err_errno(err, -errno, "put %s/" DB_NAME " in place", state_dir);
    return 0;
}

static int read_meta(struct store *store, struct err *err)
{
    CLEANUP(db_finishp) struct db_statement *statement = NULL;
    const void *head_id;
    size_t len;
    int r = db_prepare(store->db, "SELECT head_id, epoch FROM meta WHERE id = 1", &statement, err);

    if (r < 0)
        return r;
    r = db_step(statement, err);
    if (r < 0)
        return r;
    head_id = r == DB_ROW ? db_blob(statement, 0, &len) : NULL;
    if (!head_id || len != sizeof(store->head_id))
        return err_set(err, -EBADMSG, "database: it has no id");
    memcpy(store->head_id, head_id, len);
    store->epoch = (uint64_t) db_int(statement, 1);
    return 0;
}

static int use_wal(struct store *store, struct err *err)
{
    CLEANUP(db_finishp) struct db_statement *statement = NULL;
    int r = db_prepare(store->db, "PRAGMA journal_mode = WAL", &statement, err);

    if (r < 0)
        return r;
    r = db_step(statement, err);
    if (r == DB_ROW && strcmp(db_text(statement, 0), "wal") != 0)
        return err_set(err, -EIO, "database: no write-ahead log can be had here");
    return r < 0 ? r : 0;
}

/* A database of the version before, in one transaction. */
static int upgrade(struct store *store, struct err *err)
{
    CLEANUP(db_finishp) struct db_statement *statement = NULL;
    char version[64];
    int r = db_prepare(store->db, "PRAGMA user_version", &statement, err);

    if (r == 0)
        r = db_step(statement, err);
    if (r < 0)
        return r;
    if (db_int(statement, 0) == STORE_SCHEMA_VERSION)
        return 0;
    /* The file's header, which was read before, may be behind the log beside it. */
    if (db_int(statement, 0) > STORE_SCHEMA_VERSION)
        return err_set(err, -EPROTONOSUPPORT,
                       "it has version %" PRIi64 ", and this program knows versions 1 to %u",
                       db_int(statement, 0), STORE_SCHEMA_VERSION);
    statement = db_finish(statement);
    (void) snprintf(version, sizeof(version), "PRAGMA user_version = %u", STORE_SCHEMA_VERSION);
    r = store_begin(store, err);
    if (r == 0)
        r = db_exec(store->db, store_upgrade, err);
    if (r == 0)
        r = db_exec(store->db, version, err);
    if (r == 0)
        r = store_commit(store, err);
    else
        store_rollback(store);
    /* Into the header too, where the program of the version before looks. */
    return r < 0 ? r : db_exec(store->db, "PRAGMA wal_checkpoint(TRUNCATE)", err);
}

static int open_database(struct store *store, const char *path, struct err *err)
{
    int r = db_open(path, false, &store->db, err);

    if (r == 0)
        r = upgrade(store, err);
    if (r == 0)
        r = read_meta(store, err);
    for (size_t i = 0; i < STORE_SQL_COUNT && r == 0; i++)
        r = db_prepare(store->db, store_sql[i], &store->statements[i], err);
    if (r == 0)
        r = use_wal(store, err);
    if (r == 0)
        r = db_exec(store->db,
                    "PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;"
                    "PRAGMA journal_size_limit = 16777216;"
                    "UPDATE meta SET epoch = epoch + 1 WHERE id = 1",
                    err);
    if (r == 0)
        r = read_meta(store, err);
    return r;
}

int store_open(const char *state_dir, struct store **ret, struct err *err)
{
    CLEANUP(store_closep) struct store *store = calloc(1, sizeof(*store));
    struct err why;
    char path[4200];
    int r;

    if (!store)
        return err_set(err, -ENOMEM, "no memory for the table of tasks");
    store->dir_fd = -1;
    store->lock_fd = -1;
    store->reserve_fd = -1;
    r = store_dir_open(state_dir, &store->dir_fd, &store->lock_fd, err);
    if (r < 0)
        return r;
    store_room_open(store);
    (void) snprintf(path, sizeof(path), "%s/" DB_NAME, state_dir);
    r = check_header(store->dir_fd, path, err);
    if (r < 0)
        return r;
    if (r == STORE_NONE) {
        r = create_database(store->dir_fd, state_dir, err);
        if (r < 0)
            return r;
    }
    r = open_database(store, path, &why);
    if (r < 0)
        return err_set(err, r, "%s can't be used: %.300s", path, why.text);
    *ret = TAKE_PTR(store);
    return 0;
}

struct store *store_close(struct store *store)
{
    if (!store)
        return NULL;
    for (size_t i = 0; i < STORE_SQL_COUNT; i++)
        store->statements[i] = db_finish(store->statements[i]);
    (void) db_close(store->db);
    if (store->reserve_fd >= 0)
        (void) close(store->reserve_fd);
    if (store->lock_fd >= 0)
        (void) close(store->lock_fd);
    if (store->dir_fd >= 0)
        (void) close(store->dir_fd);
    free(store);
    return NULL;
}

const uint8_t *store_head_id(const struct store *store)
{
    return store->head_id;
}

uint64_t store_epoch(const struct store *store)
{
    return store->epoch;
}

int store_begin(struct store *store, struct err *err)
{
    store_room_look(store);
    return db_exec(store->db, "BEGIN IMMEDIATE", err);
}

int store_commit(struct store *store, struct err *err)
{
    int r = db_exec(store->db, "COMMIT", err);

    if (r < 0)
        store_rollback(store);
    return r;
}

void store_rollback(struct store *store)
{
    /* SQLite has rolled back by itself after some errors (a full disk, no memory). */
    if (db_in_transaction(store->db))
        (void) db_exec(store->db, "ROLLBACK", NULL);
}

int store_run(struct store *store, enum store_sql sql, struct err *err)
{
    int r = db_run(store->statements[sql], err);

    if (r < 0)
        return r;
    return db_changes(store->db) == 0 ? STORE_NONE : 0;
}

void store_read_text(const struct db_statement *statement, int column, char *buffer, size_t size)
{
    const char *text = db_text(statement, column);

    (void) snprintf(buffer, size, "%s", text ? text : "");
}

void store_read_cancel(const struct db_statement *statement, int column, struct task_cancel *ret)
{
    *ret = (struct task_cancel){.accepted = !db_is_null(statement, column)};
    if (!ret->accepted)
        return;
    ret->has_message = !db_is_null(statement, column + 1);
    store_read_text(statement, column + 1, ret->message, sizeof(ret->message));
    ret->grace_ms = (uint64_t) db_int(statement, column + 2);
    ret->has_by_uid = !db_is_null(statement, column + 3);
    ret->by_uid = (uint32_t) db_int(statement, column + 3);
    store_read_text(statement, column + 4, ret->by_name, sizeof(ret->by_name));
    ret->time_us = (uint64_t) db_int(statement, column + 5);
    ret->kill_time_us = (uint64_t) db_int(statement, column + 6);
    ret->by_requeue = db_int(statement, column + 7) != 0;
}
