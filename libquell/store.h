#pragma once

/*
 * store.h - the head's durable state: jobs, tasks, attempts, nodes, in one SQLite database.
 *
 * Knows no rules: it keeps what it is told. Nothing is durable before store_commit(). Results: 0,
 * STORE_NONE, or a negative errno of db.h with the sentence; after one, the caller rolls back.
 */
#include "base/cleanup.h"
#include "libquell/arena.h"
#include "libquell/core/attempt_end.h"
#include "libquell/core/cancel.h"
#include "libquell/quell.h"

struct store;

enum store_outcome { STORE_NONE = 1 }; /* there is no such row */

#define STORE_BOOT_ID_SIZE 40u
#define STORE_HEAD_ID_SIZE 16u

/* Makes @state_dir (0700) and the database where they are missing, locks the directory, and raises
   the epoch. A database that is foreign, newer or unreadable is left as it is. */
int store_open(const char *state_dir, struct store **ret, struct err *err);
struct store *store_close(struct store *store); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct store *, store_close);

const uint8_t *store_head_id(const struct store *store);
uint64_t store_epoch(const struct store *store);

/* Also looks how much room there is. */
int store_begin(struct store *store, struct err *err);
/* Whether there is room on the disk for more than cancels, endings and what nodes say. */
bool store_has_room(const struct store *store);
int store_commit(struct store *store, struct err *err); /* fails: all of it is rolled back */
void store_rollback(struct store *store);

/* ---- tasks: store_task.c ---- */

struct store_task {
    uint32_t job_id;
    uint32_t task_id;
    const char *node;
    bool owner_known;
    uint32_t owner_uid;
    const char *user;
    const char *name; /* NULL: none */
    bool rerunnable;
    uint64_t grace_ms;
    const uint8_t *spec; /* packed */
    size_t spec_len;
    uint64_t add_time_us;
};

int store_next_job(struct store *store, uint32_t *ret, struct err *err); /* STORE_NONE: all taken */
int store_next_task(struct store *store, uint32_t job_id, uint32_t *ret, struct err *err);
int store_has_job(struct store *store, uint32_t job_id, struct err *err); /* STORE_NONE: no */
int store_has_task(struct store *store, uint32_t job_id, uint32_t task_id, struct err *err);
/* Its first attempt comes with it, NotSubmitted. */
int store_add_task(struct store *store, const struct store_task *task, struct err *err);

/* The tasks of a job that have not ended, in order. STORE_NONE: no such job. The caller frees. */
int store_live_tasks(struct store *store, uint32_t job_id, uint32_t **ret, size_t *ret_len,
                     struct err *err);

/* The packed specification; the caller frees. STORE_NONE: no such task. */
int store_load_spec(struct store *store, uint32_t job_id, uint32_t task_id, uint8_t **ret,
                    size_t *ret_len, struct err *err);

/* Whether a packed specification is that of a group handed over. */
bool store_hands_over(const uint8_t *bytes, size_t len);

/* ---- attempts: store_attempt.c ---- */

struct store_attempt { /* what decisions are made of */
    uint32_t job_id;
    uint32_t task_id;
    uint32_t attempt;
    uint8_t uid[TASK_UID_SIZE]; /* zero before it was first Queued */
    char node[TASK_NODE_NAME_MAX + 1];
    enum task_status status;
    bool offered; /* the node may have the command */
    uint32_t cmd_version;
    uint32_t acked_version;
    uint32_t report_version;
    uint32_t cancel_version; /* the first command with the cancel; 0: none was sent */
    struct task_cancel cancel;
    bool owner_known;
    uint32_t owner_uid;
    char user[256];
    uint64_t grace_ms; /* the task's */
    bool rerunnable;
    bool requeued; /* its end is followed by the next attempt, on @requeue_node */
    char requeue_node[TASK_NODE_NAME_MAX + 1];
};

/* The current attempt of a task. */
int store_find_attempt(struct store *store, uint32_t job_id, uint32_t task_id,
                       struct store_attempt *ret, struct err *err);
/* Any attempt, also of the past. */
int store_find_uid(struct store *store, const uint8_t uid[TASK_UID_SIZE], struct store_attempt *ret,
                   struct err *err);

/* Makes @attempt, NotSubmitted and at its node, the task's current one. The task's earlier ones
   stay, the last STORE_EARLIER_MAX of them. */
#define STORE_EARLIER_MAX 1000u
int store_next_attempt(struct store *store, const struct store_attempt *attempt, struct err *err);
/* Writes status, uid, offered and cmd_version. */
int store_queue_attempt(struct store *store, const struct store_attempt *attempt,
                        uint64_t submit_time_us, struct err *err);
/* Writes cancel, cmd_version, cancel_version and where it is requeued. */
int store_cancel_attempt(struct store *store, const struct store_attempt *attempt, struct err *err);
/* Running, as the node's report says. @started: packed. */
int store_start_attempt(struct store *store, const struct store_attempt *attempt,
                        uint64_t start_time_us, const uint8_t *started, size_t started_len,
                        struct err *err);
/* @ending: the report, packed, or NULL. @recorded_us: now, by our clock: the end's own time is the
   node's. Writes report_version too. */
int store_end_attempt(struct store *store, const struct store_attempt *attempt,
                      const struct attempt_end *end, const uint8_t *ending, size_t ending_len,
                      uint64_t recorded_us, struct err *err);

/* ---- commands: store_command.c ---- */

/* The node has recorded command @version of an attempt that is its own. */
int store_ack_command(struct store *store, const char *node, const uint8_t uid[TASK_UID_SIZE],
                      uint32_t version, const char *boot_id, struct err *err);
/* Counts as acknowledged up to @version only, so that what is above is sent again. */
int store_unack_command(struct store *store, const uint8_t uid[TASK_UID_SIZE], uint32_t version,
                        struct err *err);
/* From now on the node may have the commands of its queued attempts. */
int store_offer_attempts(struct store *store, const char *node, struct err *err);

struct store_command { /* borrowed for the call */
    const uint8_t *uid;
    uint32_t job_id;
    uint32_t task_id;
    uint32_t attempt;
    uint32_t version;
    struct task_cancel cancel;
    const uint8_t *spec; /* NULL: without the start */
    size_t spec_len;
};

/* Calls @each for every command that @node has not acknowledged, cancels first, until it returns
   something else than 0, which is then the result. */
int store_each_command(struct store *store, const char *node,
                       int (*each)(void *arg, const struct store_command *command), void *arg,
                       struct err *err);

struct store_acked { /* an attempt that the node is believed to have, and that has not ended */
    uint8_t uid[TASK_UID_SIZE];
    uint32_t acked_version;
    bool start_acked;
    bool cancelled;
    char acked_boot_id[STORE_BOOT_ID_SIZE];
};

/* The caller frees. */
int store_acked_attempts(struct store *store, const char *node, struct store_acked **ret,
                         size_t *ret_len, struct err *err);

/* ---- reading for users: store_show.c ---- */

struct task_set { /* all zero is an empty one */
    struct arena arena;
    struct quell_task *tasks;
    size_t len;
    size_t size;
};
void task_set_done(struct task_set *set);

/* Adds the task to @set. STORE_NONE: no such task. */
int store_load_task(struct store *store, uint32_t job_id, uint32_t task_id, struct task_set *set,
                    struct err *err);
/* Adds up to the filter's limit; *@ret_more: others follow. */
int store_load_tasks(struct store *store, const struct quell_filter *filter, struct task_set *set,
                     bool *ret_more, struct err *err);

/* ---- events: store_event.c ---- */

/* The status that @attempt has now; @end: with how it ended, or NULL. */
int store_put_event(struct store *store, const struct store_attempt *attempt,
                    const struct attempt_end *end, uint64_t time_us, struct err *err);

struct event_set { /* all zero is an empty one */
    struct arena arena;
    struct quell_event *list;
    struct quell_events events; /* borrows @list */
};
void event_set_done(struct event_set *set);
/* As quell_read_events() says, without waiting. */
int store_load_events(struct store *store, uint64_t after_id, size_t limit, struct event_set *set,
                      struct err *err);

/* ---- forgetting: store_forget.c ---- */

/* Removes what was recorded as ended before @before_us, and its events: a bounded number.
 *@ret_more: there may be others. */
int store_forget(struct store *store, uint64_t before_us, uint64_t now_us, bool *ret_more,
                 struct err *err);
/* 0: an attempt of that uid was forgotten in the last days; STORE_NONE: not. */
int store_was_forgotten(struct store *store, const uint8_t uid[TASK_UID_SIZE], struct err *err);

/* ---- nodes: store_node.c ---- */

struct store_node {
    const char *name;
    const char *instance;
    const char *boot_id;
    const char *version;
    const char *cgroup_mode;
    const char *unenforceable; /* names with commas between */
    uint32_t cores;
    uint64_t memory_bytes;
    uint64_t last_heard_us; /* wall */
};

int store_has_node(struct store *store, const char *name, struct err *err);
int store_put_node(struct store *store, const struct store_node *node, struct err *err);
int store_touch_node(struct store *store, const char *name, uint64_t last_heard_us,
                     struct err *err);

struct node_set {
    struct arena arena;
    struct quell_node *nodes;
    size_t len;
    size_t size;
};
void node_set_done(struct node_set *set);

/* All of them by name; `state` is left NULL. */
int store_load_nodes(struct store *store, struct node_set *set, struct err *err);
