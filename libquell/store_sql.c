/*
 * store_sql.c - every statement of the store, and the schema.
 *
 * Statuses are numbers of enum task_status: below 3 a task has not ended. Times are microseconds
 * since 1970 UTC. "cmd_version > acked_version AND status < 3" has to stand in a query word for
 * word, so that SQLite uses the partial index.
 */
#include "libquell/store_impl.h"

_Static_assert(TASK_QUEUED == 1 && TASK_RUNNING == 2 && TASK_FINISHED == 3,
               "the statements below say numbers");

/* clang-format off */
#define EVENTS                                                                                     \
    "CREATE TABLE events (" /* AUTOINCREMENT: a number is never used again */                      \
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"                                                      \
    "  time INTEGER NOT NULL,"                                                                     \
    "  job_id INTEGER NOT NULL,"                                                                   \
    "  task_id INTEGER NOT NULL,"                                                                  \
    "  attempt INTEGER NOT NULL,"                                                                  \
    "  node TEXT NOT NULL,"                                                                        \
    "  user TEXT NOT NULL,"                                                                        \
    "  status INTEGER NOT NULL,"                                                                   \
    "  cause INTEGER NOT NULL,"                                                                    \
    "  exit_code INTEGER,"                                                                         \
    "  signal INTEGER,"                                                                            \
    "  error_message TEXT"                                                                         \
    ") STRICT;"                                                                                    \
    /* Attempts that were forgotten: their node may say again how they ended. */                   \
    "CREATE TABLE forgotten ("                                                                     \
    "  uid BLOB PRIMARY KEY,"                                                                      \
    "  time INTEGER NOT NULL"                                                                      \
    ") STRICT, WITHOUT ROWID;"                                                                     \
    "CREATE INDEX forgotten_by_time ON forgotten (time);"

const char store_schema[] =
    "CREATE TABLE meta ("
    "  id INTEGER PRIMARY KEY CHECK (id = 1),"
    "  head_id BLOB NOT NULL,"
    "  epoch INTEGER NOT NULL,"
    "  last_job_id INTEGER NOT NULL" /* the highest that was ever used */
    ") STRICT;"
    "CREATE TABLE jobs ("
    "  job_id INTEGER PRIMARY KEY,"
    "  next_task_id INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE tasks ("
    "  job_id INTEGER NOT NULL,"
    "  task_id INTEGER NOT NULL,"
    "  attempt INTEGER NOT NULL," /* the current one */
    "  node TEXT NOT NULL,"
    "  owner_uid INTEGER," /* null: not known, operators only */
    "  user TEXT NOT NULL,"
    "  name TEXT,"
    "  rerunnable INTEGER NOT NULL,"
    "  grace_ms INTEGER NOT NULL,"
    "  spec BLOB NOT NULL,"
    "  add_time INTEGER NOT NULL,"
    "  PRIMARY KEY (job_id, task_id)"
    ") STRICT;"
    "CREATE INDEX tasks_by_node ON tasks (node, job_id, task_id);"
    "CREATE TABLE attempts ("
    "  job_id INTEGER NOT NULL,"
    "  task_id INTEGER NOT NULL,"
    "  attempt INTEGER NOT NULL,"
    "  uid BLOB UNIQUE," /* null until it is Queued */
    "  node TEXT NOT NULL,"
    "  status INTEGER NOT NULL,"
    "  offered INTEGER NOT NULL DEFAULT 0," /* the node may have the command */
    "  cmd_version INTEGER NOT NULL DEFAULT 0,"
    "  acked_version INTEGER NOT NULL DEFAULT 0,"
    "  start_acked INTEGER NOT NULL DEFAULT 0,"
    "  acked_boot_id TEXT,"
    "  cancel_version INTEGER," /* the first command with a cancel; 0: the node was never told */
    "  cancel_message TEXT,"
    "  cancel_grace_ms INTEGER,"
    "  cancel_by_uid INTEGER,"
    "  cancel_by_name TEXT,"
    "  cancel_time INTEGER,"
    "  cancel_kill_time INTEGER,"
    "  cancel_by_requeue INTEGER,"
    "  requeue_node TEXT," /* not null: its end is followed by the next attempt, there */
    "  report_version INTEGER NOT NULL DEFAULT 0,"
    "  cause INTEGER NOT NULL DEFAULT 0,"
    "  exit_code INTEGER,"
    "  signal INTEGER,"
    "  error_message TEXT,"
    "  method INTEGER NOT NULL DEFAULT 0,"
    "  submit_time INTEGER,"
    "  start_time INTEGER,"
    "  end_time INTEGER," /* by the node's clock */
    "  recorded_time INTEGER," /* by ours, of the end; null: not ended, or not the current one */
    "  started BLOB," /* the node's reports, as they came */
    "  ending BLOB,"
    "  PRIMARY KEY (job_id, task_id, attempt)"
    ") STRICT;"
    "CREATE INDEX attempts_by_status ON attempts (status, job_id, task_id);"
    "CREATE INDEX attempts_ended ON attempts (recorded_time) WHERE recorded_time IS NOT NULL;"
    "CREATE INDEX attempts_live ON attempts (node, status) WHERE status < 3;"
    "CREATE INDEX attempts_to_send ON attempts (node, cancel_version IS NULL, submit_time)"
    "  WHERE cmd_version > acked_version AND status < 3;"
    "CREATE TABLE nodes ("
    "  name TEXT PRIMARY KEY,"
    "  instance TEXT NOT NULL,"
    "  boot_id TEXT NOT NULL,"
    "  version TEXT NOT NULL,"
    "  cgroup_mode TEXT NOT NULL,"
    "  unenforceable TEXT NOT NULL,"
    "  cores INTEGER NOT NULL,"
    "  memory_bytes INTEGER NOT NULL,"
    "  last_heard INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;" EVENTS;

/* From version 1, which had no requeue, no retention and no events. */
const char store_upgrade[] =
    "ALTER TABLE attempts ADD COLUMN cancel_kill_time INTEGER;"
    "ALTER TABLE attempts ADD COLUMN cancel_by_requeue INTEGER;"
    "ALTER TABLE attempts ADD COLUMN recorded_time INTEGER;"
    "UPDATE attempts SET recorded_time = unixepoch() * 1000000 WHERE status >= 3;"
    "CREATE INDEX attempts_ended ON attempts (recorded_time) WHERE recorded_time IS NOT NULL;"
    EVENTS;

#define CANCEL_COLUMNS "a.cancel_version, a.cancel_message, a.cancel_grace_ms, a.cancel_by_uid, " \
                       "a.cancel_by_name, a.cancel_time, a.cancel_kill_time, "           \
                       "a.cancel_by_requeue"

#define FIND                                                                                       \
    "SELECT a.job_id, a.task_id, a.attempt, a.uid, a.node, a.status, a.offered, a.cmd_version,"    \
    " a.acked_version, a.report_version, t.owner_uid, t.user, t.grace_ms, t.rerunnable,"            \
    " a.requeue_node, " CANCEL_COLUMNS                                                             \
    " FROM attempts a JOIN tasks t ON t.job_id = a.job_id AND t.task_id = a.task_id "

#define SHOW                                                                                       \
    "SELECT a.job_id, a.task_id, a.attempt, a.uid, a.node, t.user, t.name, a.status,"              \
    " a.error_message, a.exit_code, a.signal, a.cause, a.submit_time, a.start_time, a.end_time,"   \
    " a.method, a.ending, a.requeue_node, " CANCEL_COLUMNS ", t.rerunnable, t.spec "

const char store_show_select[] = SHOW;

#define KEY " WHERE job_id = ?1 AND task_id = ?2 AND attempt = ?3"

const char *const store_sql[STORE_SQL_COUNT] = {
    [STORE_SQL_MAX_JOB] = "SELECT last_job_id FROM meta WHERE id = 1",
    [STORE_SQL_FREE_JOB] =
        "SELECT coalesce((SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE job_id = 1)),"
        " (SELECT min(j.job_id) + 1 FROM jobs j WHERE j.job_id < 2147483647"
        "  AND NOT EXISTS (SELECT 1 FROM jobs k WHERE k.job_id = j.job_id + 1)))",
    [STORE_SQL_NEXT_TASK] = "SELECT next_task_id FROM jobs WHERE job_id = ?1",
    [STORE_SQL_HAS_TASK] = "SELECT 1 FROM tasks WHERE job_id = ?1 AND task_id = ?2",
    [STORE_SQL_SPEC] = "SELECT spec FROM tasks WHERE job_id = ?1 AND task_id = ?2",
    [STORE_SQL_PUT_JOB] =
        "INSERT INTO jobs (job_id, next_task_id) VALUES (?1, ?2)"
        " ON CONFLICT (job_id) DO UPDATE SET next_task_id = max(next_task_id, excluded.next_task_id)",
    [STORE_SQL_PUT_LAST_JOB] =
        "UPDATE meta SET last_job_id = ?1 WHERE id = 1 AND last_job_id < ?1",
    [STORE_SQL_ADD_TASK] =
        "INSERT INTO tasks (job_id, task_id, attempt, node, owner_uid, user, name, rerunnable,"
        " grace_ms, spec, add_time) VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [STORE_SQL_ADD_ATTEMPT] =
        "INSERT INTO attempts (job_id, task_id, attempt, node, status) VALUES (?1, ?2, ?3, ?4, 0)",
    [STORE_SQL_TAKE_ATTEMPT] =
        "UPDATE tasks SET attempt = ?3, node = ?4 WHERE job_id = ?1 AND task_id = ?2",
    [STORE_SQL_KEEP_ATTEMPT] =
        "UPDATE attempts SET recorded_time = NULL"
        " WHERE job_id = ?1 AND task_id = ?2 AND attempt = ?3 - 1",
    [STORE_SQL_DROP_ATTEMPTS] =
        "DELETE FROM attempts WHERE job_id = ?1 AND task_id = ?2 AND attempt < ?3",
    [STORE_SQL_LIVE_TASKS] =
        "SELECT t.task_id FROM tasks t JOIN attempts a ON a.job_id = t.job_id"
        " AND a.task_id = t.task_id AND a.attempt = t.attempt"
        " WHERE t.job_id = ?1 AND a.status < 3 ORDER BY t.task_id",
    [STORE_SQL_FIND_ATTEMPT] =
        FIND "WHERE t.job_id = ?1 AND t.task_id = ?2 AND a.attempt = t.attempt",
    [STORE_SQL_FIND_UID] = FIND "WHERE a.uid = ?1",
    [STORE_SQL_QUEUE] =
        "UPDATE attempts SET status = ?4, uid = ?5, offered = ?6, cmd_version = ?7,"
        " submit_time = ?8" KEY,
    [STORE_SQL_CANCEL] =
        "UPDATE attempts SET cmd_version = ?4, cancel_version = ?5, cancel_message = ?6,"
        " cancel_grace_ms = ?7, cancel_by_uid = ?8, cancel_by_name = ?9, cancel_time = ?10,"
        " cancel_kill_time = ?11, cancel_by_requeue = ?12, requeue_node = ?13" KEY,
    [STORE_SQL_START] =
        "UPDATE attempts SET status = 2, report_version = ?4, start_time = ?5, started = ?6" KEY,
    [STORE_SQL_END] =
        "UPDATE attempts SET status = ?4, report_version = ?5, cause = ?6, exit_code = ?7,"
        " signal = ?8, error_message = ?9, method = ?10, start_time = coalesce(?11, start_time),"
        " end_time = ?12, ending = ?13, recorded_time = ?14, requeue_node = NULL" KEY,
    /* A version below the first with a cancel had the start. */
    [STORE_SQL_ACK] =
        "UPDATE attempts SET acked_version = max(acked_version, ?3),"
        " start_acked = start_acked OR coalesce(?3 < cancel_version, 1),"
        " acked_boot_id = iif(start_acked, acked_boot_id, ?4)"
        " WHERE uid = ?1 AND node = ?2 AND status < 3 AND ?3 BETWEEN 1 AND cmd_version"
        " AND (acked_version < ?3 OR (NOT start_acked AND coalesce(?3 < cancel_version, 1)))",
    [STORE_SQL_UNACK] = "UPDATE attempts SET acked_version = ?2 WHERE uid = ?1",
    [STORE_SQL_OFFER] =
        "UPDATE attempts SET offered = 1"
        " WHERE node = ?1 AND status < 3 AND status = 1 AND offered = 0",
    /* Without statistics SQLite would take the index of the live ones, and sort. */
    [STORE_SQL_COMMANDS] =
        "SELECT a.uid, a.job_id, a.task_id, a.attempt, a.cmd_version, a.start_acked, "
        CANCEL_COLUMNS ", t.spec"
        " FROM attempts a INDEXED BY attempts_to_send"
        " JOIN tasks t ON t.job_id = a.job_id AND t.task_id = a.task_id"
        " WHERE a.node = ?1 AND a.cmd_version > a.acked_version AND a.status < 3 AND a.offered = 1"
        " ORDER BY a.cancel_version IS NULL, a.submit_time",
    [STORE_SQL_ACKED] =
        "SELECT uid, acked_version, start_acked, cancel_version IS NOT NULL, acked_boot_id"
        " FROM attempts WHERE node = ?1 AND status < 3 AND (acked_version > 0 OR start_acked)",
    [STORE_SQL_SHOW] = SHOW
        "FROM tasks t JOIN attempts a ON a.job_id = t.job_id AND a.task_id = t.task_id"
        " AND a.attempt = t.attempt WHERE t.job_id = ?1 AND t.task_id = ?2",
    [STORE_SQL_SHOW_EARLIER] = SHOW
        "FROM tasks t JOIN attempts a ON a.job_id = t.job_id AND a.task_id = t.task_id"
        " AND a.attempt < t.attempt WHERE t.job_id = ?1 AND t.task_id = ?2 ORDER BY a.attempt",
    [STORE_SQL_PUT_EVENT] =
        "INSERT INTO events (time, job_id, task_id, attempt, node, user, status, cause, exit_code,"
        " signal, error_message) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [STORE_SQL_EVENTS] =
        "SELECT id, time, job_id, task_id, attempt, node, user, status, cause, exit_code, signal,"
        " error_message FROM events WHERE id > ?1 ORDER BY id LIMIT ?2",
    [STORE_SQL_EVENT_RANGE] =
        "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0),"
        " (SELECT min(id) FROM events)",
    /* The current attempts that ended before ?1. */
    [STORE_SQL_ENDED] =
        "SELECT a.job_id, a.task_id FROM attempts a INDEXED BY attempts_ended"
        " JOIN tasks t ON t.job_id = a.job_id AND t.task_id = a.task_id AND t.attempt = a.attempt"
        " WHERE a.recorded_time < ?1 LIMIT ?2",
    [STORE_SQL_PUT_FORGOTTEN] =
        "INSERT OR IGNORE INTO forgotten SELECT uid, ?3 FROM attempts"
        " WHERE job_id = ?1 AND task_id = ?2 AND uid IS NOT NULL",
    [STORE_SQL_HAS_FORGOTTEN] = "SELECT 1 FROM forgotten WHERE uid = ?1",
    [STORE_SQL_DROP_FORGOTTEN] =
        "DELETE FROM forgotten WHERE uid IN"
        " (SELECT uid FROM forgotten WHERE time < ?1 LIMIT ?2)",
    [STORE_SQL_DROP_TASK] = "DELETE FROM tasks WHERE job_id = ?1 AND task_id = ?2",
    [STORE_SQL_DROP_JOB] =
        "DELETE FROM jobs WHERE job_id = ?1"
        " AND NOT EXISTS (SELECT 1 FROM tasks WHERE job_id = ?1)",
    [STORE_SQL_DROP_EVENTS] =
        "DELETE FROM events WHERE id <= (SELECT max(id) FROM"
        " (SELECT id, time FROM events ORDER BY id LIMIT ?2) WHERE time < ?1)",
    [STORE_SQL_HAS_NODE] = "SELECT 1 FROM nodes WHERE name = ?1",
    [STORE_SQL_PUT_NODE] =
        "INSERT OR REPLACE INTO nodes (name, instance, boot_id, version, cgroup_mode,"
        " unenforceable, cores, memory_bytes, last_heard) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [STORE_SQL_TOUCH_NODE] = "UPDATE nodes SET last_heard = ?2 WHERE name = ?1",
    [STORE_SQL_NODES] =
        "SELECT name, last_heard, cgroup_mode, boot_id, version, cores, memory_bytes,"
        " (SELECT count(*) FROM attempts WHERE node = name AND status < 3 AND status = 2),"
        " (SELECT count(*) FROM attempts WHERE node = name AND status < 3 AND status = 1)"
        " FROM nodes ORDER BY name",
};
/* clang-format on */
