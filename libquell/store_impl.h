#pragma once

/* store_impl.h - what the files of the store share. */
#include "libquell/db.h"
#include "libquell/store.h"

#include <errno.h>

enum store_sql {
    STORE_SQL_MAX_JOB,
    STORE_SQL_FREE_JOB,
    STORE_SQL_NEXT_TASK,
    STORE_SQL_HAS_TASK,
    STORE_SQL_SPEC,
    STORE_SQL_PUT_JOB,
    STORE_SQL_PUT_LAST_JOB,
    STORE_SQL_ADD_TASK,
    STORE_SQL_ADD_ATTEMPT,
    STORE_SQL_TAKE_ATTEMPT,
    STORE_SQL_KEEP_ATTEMPT,
    STORE_SQL_DROP_ATTEMPTS,
    STORE_SQL_LIVE_TASKS,
    STORE_SQL_FIND_ATTEMPT,
    STORE_SQL_FIND_UID,
    STORE_SQL_QUEUE,
    STORE_SQL_CANCEL,
    STORE_SQL_START,
    STORE_SQL_END,
    STORE_SQL_ACK,
    STORE_SQL_UNACK,
    STORE_SQL_OFFER,
    STORE_SQL_COMMANDS,
    STORE_SQL_ACKED,
    STORE_SQL_SHOW,
    STORE_SQL_SHOW_EARLIER,
    STORE_SQL_PUT_EVENT,
    STORE_SQL_EVENTS,
    STORE_SQL_EVENT_RANGE,
    STORE_SQL_ENDED,
    STORE_SQL_PUT_FORGOTTEN,
    STORE_SQL_HAS_FORGOTTEN,
    STORE_SQL_DROP_FORGOTTEN,
    STORE_SQL_DROP_TASK,
    STORE_SQL_DROP_JOB,
    STORE_SQL_DROP_EVENTS,
    STORE_SQL_HAS_NODE,
    STORE_SQL_PUT_NODE,
    STORE_SQL_TOUCH_NODE,
    STORE_SQL_NODES,
    STORE_SQL_COUNT,
};

#define STORE_SCHEMA_VERSION 2u
#define STORE_APPLICATION_ID 0x5175656cu /* "Quel", in the database's header */

extern const char *const store_sql[STORE_SQL_COUNT];
extern const char store_schema[];      /* of a new database */
extern const char store_upgrade[];     /* from version 1 */
extern const char store_show_select[]; /* the columns that store_show.c reads, up to FROM */

struct store {
    int dir_fd;
    int lock_fd;
    struct db *db;
    struct db_statement *statements[STORE_SQL_COUNT];
    uint8_t head_id[STORE_HEAD_ID_SIZE];
    uint64_t epoch;
    int reserve_fd; /* -1: there is none */
    bool no_room;   /* the reserve is given away */
};

/* store_dir.c: the directory, made where missing and locked. */
int store_dir_open(const char *path, int *ret_dir_fd, int *ret_lock_fd, struct err *err);

/* store_room.c. Looks how much room there is, and gives the reserve away or takes it again. */
void store_room_open(struct store *store);
void store_room_look(struct store *store);

/* Runs the statement to its end; STORE_NONE when it has changed nothing. */
int store_run(struct store *store, enum store_sql sql, struct err *err);

#define STORE_CANCEL_COLUMNS 8
/* Columns of a cancel: version, message, grace, uid, name, time, kill time, whether by requeue;
   from
   @column on. */
void store_read_cancel(const struct db_statement *statement, int column, struct task_cancel *ret);

/* A text column into @buffer, cut to fit; "" for null. */
void store_read_text(const struct db_statement *statement, int column, char *buffer, size_t size);

static inline void store_bind_int_or_null(struct db_statement *statement, int index, bool known,
                                          int64_t value)
{
    if (known)
        db_bind_int(statement, index, value);
}
