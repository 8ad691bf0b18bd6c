#pragma once

/*
 * task.h - what a task is, for every program: status, cause, method, ids, limits, refusals.
 * Pure values and their names.
 *
 * Sources: Microsoft Compute Cluster Pack, TaskStatus enumeration (names and order) and
 * ICluster::CancelTask (the message's limit, who can be cancelled).
 */
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum task_status {
    TASK_NOT_SUBMITTED,
    TASK_QUEUED,
    TASK_RUNNING,
    TASK_FINISHED,
    TASK_FAILED,
    TASK_CANCELLED,
    TASK_STATUS_COUNT,
};

/* Numbers as in quell.proto (Cause, Method, Phase); task.c checks that at compile time. */
enum task_cause {
    TASK_CAUSE_NONE,
    TASK_CAUSE_EXIT_CODE,
    TASK_CAUSE_SIGNAL,
    TASK_CAUSE_CORE_DUMP,
    TASK_CAUSE_TIME_LIMIT,
    TASK_CAUSE_OUT_OF_MEMORY,
    TASK_CAUSE_COULD_NOT_START,
    TASK_CAUSE_NODE_REBOOTED,
    TASK_CAUSE_NODE_SHUTDOWN,
    TASK_CAUSE_NODE_LOST,
    TASK_CAUSE_UNKNOWN,
    TASK_CAUSE_CANCELLED,
    TASK_CAUSE_COUNT,
};

enum task_method {
    TASK_METHOD_NONE,
    TASK_METHOD_EXITED,
    TASK_METHOD_LEFTOVERS,
    TASK_METHOD_CGROUP_KILL,
    TASK_METHOD_V1_FREEZER,
    TASK_METHOD_EXITED_IN_GRACE,
    TASK_METHOD_ALREADY_ENDED,
    TASK_METHOD_NEVER_STARTED,
    TASK_METHOD_COUNT,
};

#define TASK_ID_MAX           2147483647u
#define TASK_UID_SIZE         16u             /* bytes of an attempt's uid */
#define TASK_UID_TEXT         33u             /* as hex, with the NUL */
#define TASK_MESSAGE_MAX      320u            /* Unicode code points of a cancel's message */
#define TASK_SPEC_MAX         (128u * 1024u)  /* bytes, packed */
#define TASK_GRACE_MAX_MS     86400000ull     /* 24 h */
#define TASK_RUNTIME_MAX_MS   315360000000ull /* 10 years */
#define TASK_GRACE_DEFAULT_MS 15000ull
#define TASK_PIDS_DEFAULT     4096u
#define TASK_KEEP_DEFAULT_MS  2592000000ull /* 30 days: ended tasks at the head */
#define TASK_KEEP_MIN_MS      1000ull
#define TASK_KEEP_MAX_MS      315360000000ull /* 10 years */
#define TASK_NODE_NAME_MAX    255u
#define TASK_GROUP_PATH_MAX   4095u /* bytes of the path of a group handed over */

/* Refusals: numbers of the Compute Cluster Pack and of Windows, as HRESULTs. */
enum task_error {
    TASK_E_UNKNOWN_TASK = (int) 0x80040207, /* no such task */
    TASK_E_ENDED = (int) 0x80040209,        /* cancel: Finished, Failed or Cancelled already */
    TASK_E_MESSAGE_TOO_LONG = (int) 0x800402D3,
    TASK_E_NOT_RERUNNABLE = (int) 0x80040612,
    TASK_E_INVALID = (int) 0x80070057,      /* an argument makes no sense */
    TASK_E_WRONG_STATUS = (int) 0x8007139F, /* the verb does not fit the status */
    TASK_E_NOT_FOUND = (int) 0x80070490,    /* no such node or job */
    TASK_E_DENIED = (int) 0x80070005,       /* not permitted */
    TASK_E_BUSY = (int) 0x800700AA,         /* could not be recorded now: nothing has changed */
};

/* What a refusal's number means, as a sentence (static); NULL for a number that is none. */
const char *task_error_text(int code);

const char *task_status_name(enum task_status status);           /* "TaskStatus_Cancelled" */
bool task_status_parse(const char *text, enum task_status *ret); /* with or without the prefix */
bool task_status_is_terminal(enum task_status status);
const char *task_cause_name(enum task_cause cause);    /* "time_limit"; NULL for NONE */
const char *task_method_name(enum task_method method); /* "cgroup_kill"; NULL for NONE */
const char *task_signal_name(uint32_t signal);         /* "SIGKILL", or "signal 77" (static) */

/* "7.1" -> 7, 1. False when it is not two ids of 1..2147483647 with a dot between. */
bool task_id_parse(const char *text, uint32_t *ret_job_id, uint32_t *ret_task_id);

enum task_message_check { TASK_MESSAGE_OK, TASK_MESSAGE_TOO_LONG, TASK_MESSAGE_NOT_TEXT };

/* A cancel's message: UTF-8 of at most TASK_MESSAGE_MAX code points, no NUL. @ret_len is the
   number of code points (meaningful for OK and TOO_LONG). */
enum task_message_check task_message_check(const uint8_t *bytes, size_t len, size_t *ret_len);

/* True for valid UTF-8 without NUL; @ret_len counts its code points. */
bool task_text_is_utf8(const uint8_t *bytes, size_t len, size_t *ret_len);

/* The status of an ended attempt: a cancel that was accepted always wins; else exit 0 is Finished,
   and anything else is Failed. */
enum task_status task_status_of_end(bool cancel_accepted, enum task_cause cause);

/* The name of a node: 1..255 of letters, digits, '.', '-', '_'. */
bool task_node_name_is_valid(const char *name);

/* Whether @path can be that of a group as /proc/PID/cgroup shows it: absolute, of at most
   TASK_GROUP_PATH_MAX bytes, not the root, and no part is empty, "." or "..". */
bool task_group_path_is_valid(const char *path);

#define TASK_UNKNOWN (-1) /* of the int64_t below: not known, or did not happen */

/* What the node can prove of an ending. Times in microseconds since the ending's first step (cancel
   received, limit reached or the leader's exit). */
struct task_proof {
    bool known; /* false: the attempt never ran on a node, or nothing was verified */
    enum task_method method;
    int64_t processes_at_kill; /* read just before the kill; TASK_UNKNOWN without one */
    int64_t escaped;           /* descendants found outside the group */
    int64_t cgroup_inode;
    int64_t signals_sent; /* processes that got SIGTERM and SIGCONT */
    char boot_id[40];     /* "" when not known */
    int64_t received_us;
    int64_t term_us;
    int64_t kill_us;
    int64_t empty_us;
    int64_t reaped_us;
    int64_t recorded_us;
};

struct task_usage {
    bool known;
    int64_t cpu_us;
    int64_t memory_peak_bytes;
    int64_t oom_kills;
    int64_t io_read_bytes;
    int64_t io_write_bytes;
};

#ifdef __cplusplus
}
#endif
