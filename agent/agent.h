#pragma once

/*
 * agent.h - what the parts of quelld share: the agent itself and its tasks. Private to agent/.
 *
 * Everything runs in one libevent loop. A task is freed at one place only, at the end of a round
 * (task_table_clean()), so no callback frees its own object.
 */
#include "agent/core/attempt_state.h"
#include "agent/options.h"
#include "agent/store.h"
#include "base/user_lookup.h"
#include "cgroups/cgroup_host.h"
#include "ipc/task.h"
#include "quell.pb-c.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct event;
struct event_base;
struct events;
struct head_link;
struct http_server;
struct listings;
struct peeks;
struct user_cache;

struct task {
    TAILQ_ENTRY(task) entry;   /* in order of arrival */
    TAILQ_ENTRY(task) cleanup; /* in agent->cleanup or ->lingering while in_cleanup */
    bool in_cleanup;
    TAILQ_ENTRY(task) queued; /* in agent->queued while in_queued */
    bool in_queued;
    struct agent *agent; /* borrowed */
    uint8_t uid[TASK_UID_SIZE];
    char uid_text[TASK_UID_TEXT];
    char label[48]; /* "7.1.0", for people */
    char group[96]; /* the group's name */
    struct attempt_state state;
    Quell__Pb__Command *command; /* merged: all that is recorded of it; owned */
    uint32_t recorded_version;   /* of the command on the disk */
    uint64_t arrived_us;         /* wall, unique: when its first command came */
    uint64_t kill_at_us;         /* monotonic: when the accepted cancel's grace is over */
    Quell__Pb__Started *started; /* owned; NULL: not (yet) known */
    Quell__Pb__Ending *ending;   /* owned; NULL: not ended */
    Quell__Pb__Phase phase;      /* the supervisor's word, for people */
    bool ending_unrecorded;      /* the disk did not take it: it is in memory alone */

    pid_t supervisor_pid; /* 0: not our child */
    int link_fd;          /* -1: no connection with its supervisor */
    struct event *link_event;
    uint64_t succeeded_at_us; /* monotonic: when a successor was last started */
    bool cancel_unsent;       /* the supervisor could not be told of the cancel */
    bool unreadable;    /* its record can't be read: known to the head, otherwise left alone */
    bool leader_reaped; /* by the agent, its parent after the supervisor's death */
    int leader_wait_status;
    bool has_group; /* there may be a group to be removed */

    struct user_wait *user_wait;
    char *user_failure;       /* what a look-up that is over said; owned; NULL: no complaint */
    char *supervisor_failure; /* why its supervisor could not begin; owned; NULL: not told */

    TAILQ_ENTRY(task) unsent; /* in agent->unsent while in_unsent: a report to be sent */
    bool in_unsent;
    uint32_t acknowledged;   /* report version that the head has acknowledged, 0: none */
    uint64_t reported_at_us; /* monotonic, of the newest report that is not acknowledged; 0: none */
    TAILQ_ENTRY(task) unlisted; /* in agent->unlisted while in_unlisted, by ack_generation */
    bool in_unlisted;
    uint64_t ack_generation; /* of the command's version that the head must be told is recorded */
};

TAILQ_HEAD(task_list, task);

struct agent {
    struct options options;
    struct event_base *base;
    struct store store;
    struct cgroup_host *host;
    struct head_link *link;
    struct peeks *peeks;
    struct http_server *http;
    struct user_cache *users;
    struct events *events;
    struct listings *listings;
    struct task_list tasks;
    struct task_list cleanup;   /* ended: group, socket or records are still to be removed */
    struct task_list lingering; /* what could not be removed yet: again with the next round */
    struct task_list queued;    /* launch_queue.h */
    uint32_t running;           /* attempts that take a place there */
    struct task_list unsent;
    struct task_list unlisted;
    void *by_uid;           /* tsearch(3) tree of struct task */
    struct event *round;    /* active: reports to be flushed, then cleanup */
    struct event *launches; /* slices of these three: slice.h */
    struct event *cleaning;
    struct event *reaping;
    struct event *children;
    struct event *tick;
    struct event *looked_up; /* of users */
    struct event *stops[2];
    uint64_t ack_generation; /* counts recorded commands */
    uint64_t newest_arrival_us;
    char boot_id[40];
    int run_dirfd;
    int run_lock_fd;
    int supervisor_fd;   /* the program, opened at start */
    int oom_score_adj;   /* the agent's own, given back to tasks */
    uint64_t open_files; /* the soft limit that the agent was started with, given back to tasks */
    uint64_t memory_bytes;
    uint32_t cores;
    bool stopping;
};
