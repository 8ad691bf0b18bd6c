#pragma once

/*
 * quell.h - the head's side of Quell as a library: the durable table of tasks, the endpoint that
 * the nodes' agents dial, and the task verbs. quell-head uses nothing else; a scheduler may link it
 * in its place.
 *
 * One descriptor to poll: quell_fd() is readable when quell_dispatch() has something to do. All is
 * asynchronous and single-threaded: a verb changes state at once, but its callback runs from a
 * later quell_dispatch(), after the change is on the disk (changes of one round share one commit).
 * Every callback runs exactly once, also on failure, and at the latest in quell_close(); without
 * memory to remember it, it runs at once with the refusal. Pointers
 * handed to a callback are borrowed for its duration.
 *
 * nanomsg, beneath, may abort the process on an internal error: a scheduler that can't accept that
 * talks to quell-head's socket instead.
 *
 * Rules: Microsoft Compute Cluster Pack, ICluster (AddTask, SubmitTask, CancelTask, CancelTasks,
 * RequeueTask, ListTasks) and ITask; docs/canceltask.md. Refusals carry numbers of enum task_error
 * (ipc/task.h); task_error_text() says what each means.
 */
#include "ipc/task.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct quell;

struct quell_options {
    const char *state_dir;     /* made if missing (0700); one quell at a time (locked) */
    const char *const *listen; /* nanomsg addresses */
    size_t listen_len;
    bool insecure;         /* tcp:// without a key */
    uint64_t heartbeat_ms; /* 0: 5000 */
    uint64_t grace_ms;     /* for tasks and cancels that name none; see has_grace */
    bool has_grace;        /* else TASK_GRACE_DEFAULT_MS */
    /* How long ended tasks and their events are kept: 0 is TASK_KEEP_DEFAULT_MS, else from
       TASK_KEEP_MIN_MS to TASK_KEEP_MAX_MS. */
    uint64_t keep_ms;
    /* What an operator should know; levels as syslog's. It may call nothing here. May be NULL. */
    void (*on_log)(void *arg, int level, const char *text);
    void *log_arg;
    /* A node has become @state, "up" or "unreachable". From quell_dispatch(); may be NULL. */
    void (*on_node)(void *arg, const char *node, const char *state);
    void *node_arg;
};

struct quell_refusal { /* a number of enum task_error, and the sentence */
    int code;
    char text[512];
};

struct quell_who { /* who asks, for cancelled_by and for permission */
    uint32_t uid;
    const char *name; /* NULL when not known */
    bool operator_;   /* root, or of the operators' group: may act on every task */
};

struct quell_bytes {
    const char *bytes; /* NUL-terminated too */
    size_t len;
};

struct quell_task_request {
    uint32_t job_id;  /* 0: a new job */
    uint32_t task_id; /* 0: the next of the job */
    const char *node; /* required */
    const char *name; /* NULL: none */
    const char *user; /* NULL: the one who asks; only root may name another */
    /* Whose task it is where root names another @user: that user's number. Not known: only
       operators may act on it. */
    bool has_owner;
    uint32_t owner_uid;
    const char *const *argv; /* at least one */
    size_t argv_len;
    /* NULL, or in place of argv: a group handed over, by its path as /proc/PID/cgroup shows it (in
       the unified hierarchy; on a v1 node in the freezer's). Its processes are the task. Only root
       and operators; never rerunnable; what describes a command or its limits is refused beside it,
       a runtime is not. */
    const char *cgroup;
    const char *const *env; /* "NAME=value" */
    size_t env_len;
    const char *workdir; /* NULL here and below: the defaults of "a task's world" */
    const char *stdin_path;
    const char *stdout_path;
    const char *stderr_path;
    uint64_t runtime_ms; /* 0 here and below: no limit */
    uint64_t memory_bytes;
    uint32_t cpu_milli;
    uint32_t pids; /* 0: the node's default, TASK_PIDS_DEFAULT where it can enforce one */
    bool has_grace;
    uint64_t grace_ms;
    bool not_rerunnable;
    bool submit; /* Queued at once */
};

/* One attempt of a task. A requeue makes the next; what has become of the earlier ones stays. */
struct quell_attempt {
    uint32_t attempt;        /* from 0 */
    char uid[TASK_UID_TEXT]; /* "" before it was first submitted */
    const char *node;
    enum task_status status;
    const char *error_message; /* NULL: none */
    int64_t exit_code;         /* TASK_UNKNOWN here and below */
    int64_t signal;
    enum task_cause cause;
    bool cancel_accepted; /* also while it is still ending */
    int64_t cancelled_by_uid;
    const char *cancelled_by_name; /* NULL: not known */
    uint64_t cancel_time_us;       /* wall; 0 here and below: not (yet) */
    uint64_t kill_time_us; /* when the accepted cancel's grace is over, as the head reckons */
    uint64_t submit_time_us;
    uint64_t start_time_us;
    uint64_t end_time_us;
    struct task_proof proof;
    struct task_usage usage;
};

struct quell_task {
    uint32_t job_id;
    uint32_t task_id;
    const char *user;
    const char *name; /* NULL: none */
    const char *const *argv;
    size_t argv_len;    /* 0: a group was handed over */
    const char *cgroup; /* that group's path; NULL: none */
    struct quell_attempt current;
    const struct quell_attempt *attempts; /* the earlier ones, oldest first */
    size_t attempts_len;
    const char
        *requeue_node; /* where it is Queued again as soon as it has ended; NULL: it is not */
    bool rerunnable;
    uint64_t runtime_ms; /* 0 here and below: no limit */
    uint64_t memory_bytes;
    uint32_t cpu_milli;
    uint32_t pids;
    uint64_t grace_ms;
};

struct quell_node {
    const char *name;
    const char *state;      /* "up", "unreachable" */
    uint64_t last_heard_us; /* wall */
    const char *cgroup_mode;
    const char *boot_id;
    const char *version;
    uint32_t cores;
    uint64_t memory_bytes;
    uint32_t tasks_running; /* status Running */
    uint32_t tasks_queued;
};

/* @refusal: NULL when it was done. @task: NULL with a refusal that has none. */
typedef void (*quell_on_task)(void *arg, const struct quell_refusal *refusal,
                              const struct quell_task *task);
/* Called once with all there is; @more: further tasks follow behind the last one. */
typedef void (*quell_on_tasks)(void *arg, const struct quell_refusal *refusal,
                               const struct quell_task *tasks, size_t tasks_len, bool more);
struct quell_result { /* of one task among several */
    uint32_t job_id;
    uint32_t task_id;
    const struct quell_refusal *refusal; /* NULL: done */
    const struct quell_task *task;       /* as it is now; NULL with a refusal, and where the answer
                                            has grown too large: then ask for it */
};
/* @refusal: of the whole; then there are no results. */
typedef void (*quell_on_results)(void *arg, const struct quell_refusal *refusal,
                                 const struct quell_result *results, size_t results_len);
typedef void (*quell_on_nodes)(void *arg, const struct quell_refusal *refusal,
                               const struct quell_node *nodes, size_t nodes_len);

/* Opens state and addresses. Fails with a sentence: a database that is unreadable, foreign or newer
   is left untouched; an address in use; a directory that is not 0700. */
int quell_open(const struct quell_options *options, struct quell **ret, struct err *err);
/* Commits and tells what was done, then refuses what still waits (TASK_E_BUSY), and with it what a
   callback asks meanwhile. Neither this nor quell_dispatch() may be called from a callback. Accepts
   NULL, returns NULL. */
struct quell *quell_close(struct quell *quell);

int quell_fd(const struct quell *quell); /* poll for reading; borrowed */
/* Does what is due, then returns; never blocks but for the disk. A negative errno is fatal. */
int quell_dispatch(struct quell *quell, struct err *err);

/* AddTask: NotSubmitted, or Queued with submit. Ids are unique within the job. */
void quell_add_task(struct quell *quell, const struct quell_task_request *request,
                    const struct quell_who *who, quell_on_task on_done, void *arg);
void quell_submit_task(struct quell *quell, uint32_t job_id, uint32_t task_id,
                       const struct quell_who *who, quell_on_task on_done, void *arg);

struct quell_cancel_options {
    bool has_grace;
    uint64_t grace_ms; /* 0 kills at once; at most TASK_GRACE_MAX_MS */
};

/* CancelTask. @message: NULL, or @message_len bytes of UTF-8, at most 320 code points. @options:
   NULL for none. Done means accepted and on the disk; the task is Cancelled when its node has
   proved it. */
void quell_cancel_task(struct quell *quell, uint32_t job_id, uint32_t task_id, const char *message,
                       size_t message_len, const struct quell_cancel_options *options,
                       const struct quell_who *who, quell_on_task on_done, void *arg);

struct quell_requeue_options {
    const char *node; /* NULL: where it was (or where a pending requeue will have it) */
    bool has_grace;
    uint64_t grace_ms; /* of the cancel, for a task that is running */
};

/* RequeueTask: a Failed or Cancelled task is Queued again, as the next attempt; one that is Running
   is cancelled first, and Queued when the proof of its end has come. Refused for a task that is not
   rerunnable. The last verb wins: a cancel withdraws a pending requeue, and a requeue makes the end
   of a cancel that is under way Queued. @options: NULL for none. */
void quell_requeue_task(struct quell *quell, uint32_t job_id, uint32_t task_id,
                        const struct quell_requeue_options *options, const struct quell_who *who,
                        quell_on_task on_done, void *arg);

void quell_show_task(struct quell *quell, uint32_t job_id, uint32_t task_id, quell_on_task on_done,
                     void *arg);

/* A call that waits, until its callback runs. */
struct quell_wait;

/* As show, but @on_done waits until the task is terminal, with no requeue pending, or @timeout_ms
   have passed. NULL: no memory, and @on_done has run with the refusal. */
struct quell_wait *quell_wait_task(struct quell *quell, uint32_t job_id, uint32_t task_id,
                                   uint64_t timeout_ms, quell_on_task on_done, void *arg);
/* Ends the wait: its callback runs with the next quell_dispatch(), as if its time were up. */
void quell_stop_wait(struct quell *quell, struct quell_wait *wait);

#define QUELL_PEEK_MAX     65536u
#define QUELL_PEEK_DEFAULT 4096u

struct quell_output {   /* of a task: where it went, and its end */
    const char *stream; /* "stdout", "stderr" */
    const char *path;   /* on the node; NULL: nowhere */
    uint64_t size;      /* bytes that the file has */
    const char *tail;   /* its last bytes, any bytes */
    size_t tail_len;
    const char *text; /* why it can't be read; NULL: it could */
};
typedef void (*quell_on_outputs)(void *arg, const struct quell_refusal *refusal,
                                 const struct quell_output *outputs, size_t outputs_len);

/* The last @bytes (up to QUELL_PEEK_MAX; 0: QUELL_PEEK_DEFAULT) of each file that the current
   attempt writes or wrote to, read on its node as the task's user. For its owner and operators;
   refused when the node does not answer within @timeout_ms. NULL as with quell_wait_task(). */
struct quell_wait *quell_peek_task(struct quell *quell, uint32_t job_id, uint32_t task_id,
                                   uint32_t bytes, uint64_t timeout_ms, const struct quell_who *who,
                                   quell_on_outputs on_done, void *arg);

struct quell_filter {
    uint32_t job_id;  /* 0: any */
    const char *node; /* NULL: any */
    bool has_status;
    enum task_status status;
    uint32_t after_job_id; /* only tasks behind this one in order of (job, task) */
    uint32_t after_task_id;
    size_t limit; /* 1..1000; 0: 100 */
};

void quell_list_tasks(struct quell *quell, const struct quell_filter *filter,
                      quell_on_tasks on_done, void *arg);

/* CancelTasks: each of the @task_ids of one job, by the rule of cancel and answered by itself: one
   refusal stops none of the others. At most QUELL_IDS_MAX. */
#define QUELL_IDS_MAX 10000u
void quell_cancel_tasks(struct quell *quell, uint32_t job_id, const uint32_t *task_ids,
                        size_t task_ids_len, const char *message, size_t message_len,
                        const struct quell_cancel_options *options, const struct quell_who *who,
                        quell_on_results on_done, void *arg);
/* The same for every task of the job that has not ended; refused when the job is unknown or none
   was left to cancel. */
void quell_cancel_job(struct quell *quell, uint32_t job_id, const char *message, size_t message_len,
                      const struct quell_cancel_options *options, const struct quell_who *who,
                      quell_on_results on_done, void *arg);
void quell_list_nodes(struct quell *quell, quell_on_nodes on_done, void *arg);

/* ---- events: each change of a task's status, on the disk with the change itself ---- */

struct quell_event {
    uint64_t id; /* rises; survives restarts */
    uint64_t time_us;
    uint32_t job_id;
    uint32_t task_id;
    uint32_t attempt;
    const char *node;
    const char *user;
    enum task_status status; /* what it became */
    enum task_cause cause;
    int64_t exit_code; /* TASK_UNKNOWN here and below */
    int64_t signal;
    const char *error_message; /* NULL: none */
};

struct quell_events {
    const struct quell_event *events; /* oldest first */
    size_t len;
    bool gap; /* events between the one asked for and the first here are no longer kept (or the
                 one asked for is of another database) */
    uint64_t last_id; /* to go on from: of the last one here, else the newest of all */
};

typedef void (*quell_on_events)(void *arg, const struct quell_refusal *refusal,
                                const struct quell_events *events);

/* Up to @limit (1..1000; 0: 100) events behind @after_id (0: from the oldest that is kept). When
   there are none yet, waits for the next one, or until @timeout_ms have passed. NULL as with
   quell_wait_task(). */
struct quell_wait *quell_read_events(struct quell *quell, uint64_t after_id, size_t limit,
                                     uint64_t timeout_ms, quell_on_events on_done, void *arg);

#ifdef __cplusplus
}
#endif
