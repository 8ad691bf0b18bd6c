/* The database as a file: what is opened, what is refused, and that a refused one is left as it is.
 */
#include "test_libquell_rig.h"

#include "base/fdio.h"
#include "libquell/store.h"
#include "libquell/store_impl.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], state[96], db[128];

static void setup(void)
{
    (void) snprintf(dir, sizeof(dir), "/tmp/quell-store-XXXXXX");
    cr_assert(mkdtemp(dir));
    (void) snprintf(state, sizeof(state), "%s/a/state", dir);
    (void) snprintf(db, sizeof(db), "%s/head.db", state);
}

static void teardown(void)
{
    rig_remove_tree(dir);
}

TestSuite(quell_store, .init = setup, .fini = teardown, .timeout = 60);

static struct store *open_store(void)
{
    struct store *store = NULL;
    struct err err = {0};

    cr_assert_eq(store_open(state, &store, &err), 0, "%s", err.text);
    return store;
}

static int refused(struct err *err)
{
    struct store *store = NULL;
    int r = store_open(state, &store, err);

    cr_assert_lt(r, 0);
    cr_assert_null(store);
    return r;
}

static size_t read_db(char *bytes, size_t size)
{
    int fd = open(db, O_RDONLY | O_CLOEXEC);
    ssize_t len = fdio_read(fd, bytes, size);

    cr_assert_geq(len, 0);
    (void) close(fd);
    return (size_t) len;
}

static void write_db(const char *bytes, size_t len)
{
    int fd = open(db, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    cr_assert_eq(fdio_write(fd, bytes, len), 0);
    (void) close(fd);
}

static void make_state(mode_t mode)
{
    char parent[96];

    (void) snprintf(parent, sizeof(parent), "%s/a", dir);
    cr_assert_eq(mkdir(parent, 0755), 0);
    cr_assert_eq(mkdir(state, mode), 0);
    cr_assert_eq(chmod(state, mode), 0);
}

/* Opening @bytes as the database is refused with @code and a sentence that has @word, and neither
   changes the file nor puts another beside it. */
static void expect_untouched(const char *bytes, size_t len, int code, const char *word)
{
    static char after[1 << 20];
    char wal[160];
    struct err err;

    write_db(bytes, len);
    cr_expect_eq(refused(&err), code, "%s", err.text);
    cr_expect(strstr(err.text, word), "%s", err.text);
    cr_expect(strstr(err.text, db), "%s", err.text);
    cr_expect_eq(read_db(after, sizeof(after)), len);
    cr_expect_eq(memcmp(bytes, after, len), 0);
    (void) snprintf(wal, sizeof(wal), "%s-wal", db);
    cr_expect_neq(access(wal, F_OK), 0);
}

Test(quell_store, what_is_missing_is_made_for_its_owner_alone)
{
    struct stat st;

    (void) store_close(open_store());
    cr_assert_eq(stat(state, &st), 0);
    cr_expect_eq(st.st_mode & 07777, 0700);
    cr_assert_eq(stat(db, &st), 0);
}

Test(quell_store, the_head_keeps_its_id_and_raises_its_epoch_at_each_opening)
{
    uint8_t head_id[STORE_HEAD_ID_SIZE];
    struct store *store = open_store();

    memcpy(head_id, store_head_id(store), sizeof(head_id));
    cr_expect_eq(store_epoch(store), 1);
    (void) store_close(store);
    store = open_store();
    cr_expect_eq(store_epoch(store), 2);
    cr_expect_eq(memcmp(head_id, store_head_id(store), sizeof(head_id)), 0);
    (void) store_close(store);
}

Test(quell_store, a_second_head_on_the_same_directory_is_refused)
{
    struct store *store = open_store();
    struct err err;

    cr_expect_eq(refused(&err), -EBUSY);
    cr_expect(strstr(err.text, "is in use by another head that is running"), "%s", err.text);
    (void) store_close(store);
    (void) store_close(open_store());
}

Test(quell_store, a_directory_that_is_open_to_others_is_refused_with_what_mends_it)
{
    struct err err;

    make_state(0750);
    cr_expect_eq(refused(&err), -EPERM);
    cr_expect(strstr(err.text, "has mode 0750 and is open to others: chmod 700"), "%s", err.text);
}

Test(quell_store, a_directory_of_somebody_else_is_refused)
{
    struct err err;

    make_state(0700);
    if (chown(state, 65534, 65534) < 0)
        cr_skip("only root can give a directory away");
    cr_expect_eq(refused(&err), -EPERM);
    cr_expect(strstr(err.text, "belongs to uid 65534"), "%s", err.text);
}

Test(quell_store, a_foreign_file_is_refused_and_left_as_it_is)
{
    char zeros[4096] = "";

    make_state(0700);
    expect_untouched("", 0, -EBADMSG, "is not a database of Quell's");
    expect_untouched("SQLite format 3", 16, -EBADMSG, "is not a database of Quell's");
    expect_untouched("some notes of mine\n", 19, -EBADMSG, "is not a database of Quell's");
    expect_untouched(zeros, sizeof(zeros), -EBADMSG, "is not a database of Quell's");
}

Test(quell_store, the_database_of_another_program_is_refused_and_left_as_it_is)
{
    static char bytes[1 << 20];
    struct db *other;
    struct err err;
    size_t len;

    make_state(0700);
    cr_assert_eq(db_open(db, true, &other, &err), 0);
    cr_assert_eq(db_exec(other, "CREATE TABLE t (x); PRAGMA application_id = 7", &err), 0);
    (void) db_close(other);
    len = read_db(bytes, sizeof(bytes));
    expect_untouched(bytes, len, -EBADMSG, "is not a database of Quell's");
}

Test(quell_store, a_database_of_another_version_is_refused_and_left_as_it_is)
{
    static char bytes[1 << 20];
    size_t len;

    (void) store_close(open_store());
    len = read_db(bytes, sizeof(bytes));
    cr_assert_eq(bytes[63], STORE_SCHEMA_VERSION);
    bytes[63] = STORE_SCHEMA_VERSION + 1; /* the last byte of user_version */
    expect_untouched(bytes, len, -EPROTONOSUPPORT,
                     "has version 3, and this program knows versions 1 to 2");
    bytes[63] = 0;
    expect_untouched(bytes, len, -EPROTONOSUPPORT,
                     "has version 0, and this program knows versions 1 to 2");
}

Test(quell_store, a_damaged_database_is_refused_and_left_as_it_is)
{
    static char bytes[1 << 20];
    size_t len;

    (void) store_close(open_store());
    len = read_db(bytes, sizeof(bytes));
    cr_assert_gt(len, 8192);
    expect_untouched(bytes, len - 4096, -EBADMSG, "can't be used"); /* cut off */
    memset(bytes + 100, 0xa5, 3996);                                /* the schema */
    expect_untouched(bytes, len, -EBADMSG, "can't be used");
}

Test(quell_store, a_log_without_its_database_is_refused)
{
    char wal[160];
    struct err err;
    int fd;

    make_state(0700);
    (void) snprintf(wal, sizeof(wal), "%s-wal", db);
    fd = open(wal, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    (void) close(fd);
    cr_expect_eq(refused(&err), -EBADMSG);
    cr_expect(strstr(err.text, "head.db-wal is there without its head.db"), "%s", err.text);
    cr_expect_neq(access(db, F_OK), 0);
    cr_expect_eq(access(wal, F_OK), 0);
}

Test(quell_store, a_start_that_was_cut_short_is_begun_again)
{
    char unfinished[160];
    int fd;

    make_state(0700);
    (void) snprintf(unfinished, sizeof(unfinished), "%s.new", db);
    fd = open(unfinished, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_eq(fdio_write(fd, "half a page", 11), 0);
    (void) close(fd);
    (void) store_close(open_store());
    cr_expect_neq(access(unfinished, F_OK), 0);
}

/* ---- transactions ---- */

static void add_task(struct store *store, uint32_t job_id)
{
    struct store_task task = {.job_id = job_id,
                              .task_id = 1,
                              .node = "n1",
                              .user = "alice",
                              .owner_known = true,
                              .owner_uid = 1001,
                              .spec = (const uint8_t *) "",
                              .add_time_us = 1};
    struct err err;

    cr_assert_eq(store_add_task(store, &task, &err), 0, "%s", err.text);
}

Test(quell_store, what_is_committed_is_there_and_what_is_not_is_not)
{
    struct store *store = open_store();
    struct err err;

    cr_assert_eq(store_begin(store, &err), 0);
    add_task(store, 1);
    cr_assert_eq(store_commit(store, &err), 0);
    cr_assert_eq(store_begin(store, &err), 0);
    add_task(store, 2);
    store_rollback(store);
    cr_assert_eq(store_begin(store, &err), 0);
    add_task(store, 3);
    (void) store_close(store); /* as a crash would */
    store = open_store();
    cr_expect_eq(store_has_task(store, 1, 1, &err), 0);
    cr_expect_eq(store_has_task(store, 2, 1, &err), STORE_NONE);
    cr_expect_eq(store_has_task(store, 3, 1, &err), STORE_NONE);
    (void) store_close(store);
}

Test(quell_store, a_database_of_the_version_before_is_brought_up_with_its_tasks)
{
    struct store *store = open_store();
    struct store_attempt attempt;
    struct err err;

    cr_assert_eq(store_begin(store, &err), 0);
    add_task(store, 1);
    cr_assert_eq(store_commit(store, &err), 0);
    cr_assert_eq(db_exec(store->db,
                         "DROP TABLE events; DROP INDEX attempts_ended;"
                         "ALTER TABLE attempts DROP COLUMN cancel_kill_time;"
                         "ALTER TABLE attempts DROP COLUMN cancel_by_requeue;"
                         "ALTER TABLE attempts DROP COLUMN recorded_time; DROP TABLE forgotten;"
                         "PRAGMA user_version = 1",
                         &err),
                 0, "%s", err.text);
    (void) store_close(store);
    store = open_store();
    cr_assert_eq(store_find_attempt(store, 1, 1, &attempt, &err), 0, "%s", err.text);
    cr_assert_eq(store_begin(store, &err), 0);
    cr_expect_eq(store_put_event(store, &attempt, NULL, 1, &err), 0, "%s", err.text);
    cr_assert_eq(store_commit(store, &err), 0);
    (void) store_close(store);
    (void) store_close(open_store()); /* and stays so */
}

Test(quell_store, every_number_of_a_cancel_survives)
{
    struct store *store = open_store();
    struct store_attempt attempt, again;
    struct err err;

    cr_assert_eq(store_begin(store, &err), 0);
    add_task(store, 1);
    cr_assert_eq(store_find_attempt(store, 1, 1, &attempt, &err), 0);
    cr_expect_not(attempt.cancel.accepted);
    attempt.cancel = (struct task_cancel){.accepted = true,
                                          .has_message = true,
                                          .message = "gr\xC3\xBC\xC3\x9F dich",
                                          .grace_ms = TASK_GRACE_MAX_MS,
                                          .has_by_uid = true,
                                          .by_uid = UINT32_MAX,
                                          .by_name = "alice",
                                          .time_us = 1700000000000000,
                                          .kill_time_us = 1700000000000001,
                                          .by_requeue = true};
    attempt.requeued = true;
    (void) snprintf(attempt.requeue_node, sizeof(attempt.requeue_node), "n9");
    attempt.cmd_version = UINT32_MAX;
    attempt.cancel_version = UINT32_MAX;
    cr_assert_eq(store_cancel_attempt(store, &attempt, &err), 0);
    cr_assert_eq(store_commit(store, &err), 0);
    cr_assert_eq(store_find_attempt(store, 1, 1, &again, &err), 0);
    cr_expect_eq(again.cmd_version, UINT32_MAX);
    cr_expect_eq(again.cancel_version, UINT32_MAX);
    cr_expect(again.cancel.accepted && again.cancel.has_message && again.cancel.has_by_uid);
    cr_expect_str_eq(again.cancel.message, attempt.cancel.message);
    cr_expect_eq(again.cancel.grace_ms, TASK_GRACE_MAX_MS);
    cr_expect_eq(again.cancel.by_uid, UINT32_MAX);
    cr_expect_str_eq(again.cancel.by_name, "alice");
    cr_expect_eq(again.cancel.time_us, 1700000000000000);
    cr_expect_eq(again.cancel.kill_time_us, 1700000000000001);
    cr_expect(again.cancel.by_requeue && again.requeued);
    cr_expect_str_eq(again.requeue_node, "n9");
    (void) store_close(store);
}

/* The statements of the hot paths must not look at every task: SQLite says how it would go about.
 */
Test(quell_store, no_statement_walks_a_whole_table_but_those_that_list_one)
{
    struct store *store = open_store();

    for (int i = 0; i < STORE_SQL_COUNT; i++) {
        struct db_statement *plan;
        char sql[2048];
        struct err err;

        if (i == STORE_SQL_NODES || i == STORE_SQL_FREE_JOB ||
            i == STORE_SQL_EVENT_RANGE || /* a table of one row */
            i == STORE_SQL_DROP_EVENTS)   /* up to its limit */
            continue;
        (void) snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", store_sql[i]);
        cr_assert_eq(db_prepare(store->db, sql, &plan, &err), 0, "%s", err.text);
        while (db_step(plan, &err) == DB_ROW)
            cr_expect_neq(strncmp(db_text(plan, 3), "SCAN", 4), 0, "%s: %s", store_sql[i],
                          db_text(plan, 3));
        (void) db_finish(plan);
    }
    (void) store_close(store);
}

Test(quell_store, the_commands_of_a_node_are_found_in_order_without_sorting)
{
    struct store *store = open_store();
    struct db_statement *plan;
    bool indexed = false;
    char sql[2048];
    struct err err;

    (void) snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", store_sql[STORE_SQL_COMMANDS]);
    cr_assert_eq(db_prepare(store->db, sql, &plan, &err), 0, "%s", err.text);
    while (db_step(plan, &err) == DB_ROW) {
        indexed = indexed || strstr(db_text(plan, 3), "attempts_to_send");
        cr_expect_null(strstr(db_text(plan, 3), "TEMP B-TREE"), "%s", db_text(plan, 3));
    }
    cr_expect(indexed);
    (void) db_finish(plan);
    (void) store_close(store);
}
