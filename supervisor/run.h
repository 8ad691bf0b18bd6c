#pragma once

/*
 * run.h - one running supervisor: what it holds, and what its events do. Private to supervisor/.
 */
#include "ipc/frame.h"
#include "supervisor/attempt.h"
#include "supervisor/core/ending.h"
#include "supervisor/core/life.h"
#include "supervisor/launch.h"
#include "supervisor/link.h"
#include "supervisor/tree.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

enum { /* what is polled */
       AT_SIGNAL,
       AT_TIMER,
       AT_LINK,
       AT_LISTEN,
       AT_REPORT,
       AT_GROUP,
       AT_LEADER,
       AT_COUNT,
};

struct supervisor {
    const Quell__Pb__Launch *order;
    struct link link;
    struct attempt attempt;
    struct launch launch;
    struct task_cgroup *group;
    struct tree tree;
    struct life life;
    struct pollfd fds[AT_COUNT];
    int report_fd;        /* reading end of the child's pipe; -1 once it told */
    int leader_pidfd;     /* a successor's only: the leader is not its child */
    bool agent_is_parent; /* of a successor's leader, and there: LeaderEnded will come */
    bool leader_unknown;  /* a successor's, without `started` */
    bool leader_gone;     /* reaped by another; its status may still come from the agent */
    int64_t processes_at_kill;
    bool cgroup_killed;
    bool recorded;
    bool released;          /* the agent has taken over what could not be recorded */
    bool look_again;        /* the last look has failed */
    uint64_t core_look_us;  /* monotonic: when to see next whether the leader dumps core */
    uint64_t core_since_us; /* when it was first seen to; 0: it does not */
    struct launch_failure failure;
    struct ending ending;
};

/* ---- tell.c ---- */

void supervisor_tell_state(struct supervisor *s);
void supervisor_tell_ending(struct supervisor *s);
/* The proof is complete: writes the ending, tells it, and only then lets the leader's zombie go. */
void supervisor_record(struct supervisor *s);

/* ---- run.c ---- */

/* Looks at what is left and feeds the core with it. */
void supervisor_look(struct supervisor *s);
void supervisor_arm_timer(struct supervisor *s);
/* Waits for events until the ending is recorded, or taken over by an agent. */
int supervisor_run(struct supervisor *s, struct err *err);
