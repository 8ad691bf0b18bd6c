#pragma once

/*
 * db.h - one SQLite connection and its prepared statements; the only owner of SQLite.
 *
 * Results: 0; or a negative errno with SQLite's sentence in @err: -ENOSPC the disk is full, -EBUSY
 * another process holds the database, -EBADMSG it is no intact database, -ENOMEM, else -EIO.
 */
#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct db_statement;

enum db_outcome { DB_ROW = 1 }; /* db_step(): a row is there to be read */

/* @create: the file must not exist yet; else it must exist. */
int db_open(const char *path, bool create, struct db **ret, struct err *err);
/* Its statements must be finished before. Accepts NULL, returns NULL. */
struct db *db_close(struct db *db);
DEFINE_CLEANUP(struct db *, db_close);

int db_exec(struct db *db, const char *sql, struct err *err);
bool db_in_transaction(const struct db *db);
int64_t db_changes(const struct db *db); /* rows that the last statement has changed */

int db_prepare(struct db *db, const char *sql, struct db_statement **ret, struct err *err);
struct db_statement *db_finish(struct db_statement *statement); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct db_statement *, db_finish);

/* Parameters count from 1 and stay bound only until db_reset(). Texts and blobs are borrowed until
   then. A failed binding is told by db_step(). */
void db_bind_int(struct db_statement *statement, int index, int64_t value);
void db_bind_text(struct db_statement *statement, int index, const char *text); /* NULL: null */
void db_bind_blob(struct db_statement *statement, int index, const void *bytes, size_t len);

/* DB_ROW, or 0 when there is no further row. */
int db_step(struct db_statement *statement, struct err *err);
/* The statement can be used again, its parameters are null. */
void db_reset(struct db_statement *statement);
/* Steps once and resets: for statements without rows. */
int db_run(struct db_statement *statement, struct err *err);

/* Columns of the row, from 0. Texts and blobs are borrowed until the next step or reset. */
bool db_is_null(const struct db_statement *statement, int column);
int64_t db_int(const struct db_statement *statement, int column);
const char *db_text(const struct db_statement *statement, int column); /* NULL: null */
const void *db_blob(const struct db_statement *statement, int column, size_t *ret_len);
