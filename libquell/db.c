#include "libquell/db.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

struct db {
    sqlite3 *handle;
};

struct db_statement {
    sqlite3_stmt *handle;
    int bind_result; /* the first that failed */
};

static int db_errno(int result)
{
    switch (result & 0xff) {
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EBADMSG;
    case SQLITE_NOMEM:
        return -ENOMEM;
    default:
        return -EIO;
    }
}

static int db_error(sqlite3 *handle, int result, struct err *err)
{
    return err_set(err, db_errno(result), "database: %s",
                   handle ? sqlite3_errmsg(handle) : sqlite3_errstr(result));
}

int db_open(const char *path, bool create, struct db **ret, struct err *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (create ? SQLITE_OPEN_CREATE : 0);
    struct db *db = calloc(1, sizeof(*db));
    int r;

    if (!db)
        return err_set(err, -ENOMEM, "database: no memory");
    r = sqlite3_open_v2(path, &db->handle, flags, NULL);
    if (r != SQLITE_OK) {
        r = db_error(db->handle, r, err);
        (void) db_close(db);
        return r;
    }
    *ret = db;
    return 0;
}

struct db *db_close(struct db *db)
{
    if (!db)
        return NULL;
    (void) sqlite3_close_v2(db->handle);
    free(db);
    return NULL;
}

int db_exec(struct db *db, const char *sql, struct err *err)
{
    int r = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

    return r == SQLITE_OK ? 0 : db_error(db->handle, r, err);
}

bool db_in_transaction(const struct db *db)
{
    return !sqlite3_get_autocommit(db->handle);
}

int64_t db_changes(const struct db *db)
{
    return sqlite3_changes64(db->handle);
}

int db_prepare(struct db *db, const char *sql, struct db_statement **ret, struct err *err)
{
    struct db_statement *statement = calloc(1, sizeof(*statement));
    int r;

    if (!statement)
        return err_set(err, -ENOMEM, "database: no memory");
    r = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement->handle,
                           NULL);
    if (r != SQLITE_OK) {
        r = db_error(db->handle, r, err);
        free(statement);
        return r;
    }
    *ret = statement;
    return 0;
}

struct db_statement *db_finish(struct db_statement *statement)
{
    if (!statement)
        return NULL;
    (void) sqlite3_finalize(statement->handle);
    free(statement);
    return NULL;
}

static void note_bind(struct db_statement *statement, int result)
{
    if (statement->bind_result == SQLITE_OK)
        statement->bind_result = result;
}

void db_bind_int(struct db_statement *statement, int index, int64_t value)
{
    note_bind(statement, sqlite3_bind_int64(statement->handle, index, value));
}

void db_bind_text(struct db_statement *statement, int index, const char *text)
{
    note_bind(statement, sqlite3_bind_text(statement->handle, index, text, -1, SQLITE_STATIC));
}

void db_bind_blob(struct db_statement *statement, int index, const void *bytes, size_t len)
{
    note_bind(statement, sqlite3_bind_blob64(statement->handle, index, bytes, len, SQLITE_STATIC));
}

int db_step(struct db_statement *statement, struct err *err)
{
    int r = statement->bind_result;

    if (r != SQLITE_OK)
        return err_set(err, db_errno(r), "database: %s", sqlite3_errstr(r));
    r = sqlite3_step(statement->handle);
    if (r == SQLITE_ROW)
        return DB_ROW;
    return r == SQLITE_DONE ? 0 : db_error(sqlite3_db_handle(statement->handle), r, err);
}

void db_reset(struct db_statement *statement)
{
    (void) sqlite3_reset(statement->handle);
    (void) sqlite3_clear_bindings(statement->handle);
    statement->bind_result = SQLITE_OK;
}

int db_run(struct db_statement *statement, struct err *err)
{
    int r = db_step(statement, err);

    db_reset(statement);
    return r;
}

bool db_is_null(const struct db_statement *statement, int column)
{
    return sqlite3_column_type(statement->handle, column) == SQLITE_NULL;
}

int64_t db_int(const struct db_statement *statement, int column)
{
    return sqlite3_column_int64(statement->handle, column);
}

const char *db_text(const struct db_statement *statement, int column)
{
    return (const char *) sqlite3_column_text(statement->handle, column);
}

const void *db_blob(const struct db_statement *statement, int column, size_t *ret_len)
{
    const void *bytes = sqlite3_column_blob(statement->handle, column);

    *ret_len = (size_t) sqlite3_column_bytes(statement->handle, column);
    return bytes;
}
