#pragma once

/*
 * life.h - how a task's life ends: a state machine of what has happened and what is to be done
 * next. Pure: no I/O, no clock; the caller brings the time (monotonic, microseconds).
 *
 * The shell feeds one event at a time and carries out the returned actions in the order of their
 * bits; each action may be repeated without harm. A cancel, the time limit or the leader's exit is
 * the first step of the ending; from there the rules of docs/task-states.md hold: TERM, grace,
 * kill, and over only when the group is empty, no descendant is left and the leader has ended.
 */
#include <stdbool.h>
#include <stdint.h>

enum life_phase {
    LIFE_RUNNING,
    LIFE_ENDING,  /* SIGTERM and SIGCONT were sent: waiting for the deadline or the end */
    LIFE_KILLING, /* the kill was given: nothing but the kernel is waited for */
    LIFE_OVER,    /* proved */
    LIFE_PHASE_COUNT,
};

enum life_reason { /* what began the ending */
                   LIFE_REASON_NONE,
                   LIFE_REASON_CANCEL,
                   LIFE_REASON_LIMIT,
                   LIFE_REASON_LEADER,
                   LIFE_REASON_EMPTY, /* of a group without a leader */
                   LIFE_REASON_CORE,  /* that was cut off */
};

enum life_event_type {
    LIFE_EV_CANCEL,       /* grace_us counts from now; also a further one */
    LIFE_EV_TIMER,        /* a deadline may have passed */
    LIFE_EV_LEADER_ENDED, /* the leader is a zombie, or gone */
    LIFE_EV_CORE_TIME,    /* the leader has been dumping core for as long as it may */
    LIFE_EV_LOOKED,       /* the shell has looked: empty, alone */
    LIFE_EV_COUNT,
};

struct life_event {
    enum life_event_type type;
    uint64_t now_us;
    uint64_t grace_us; /* CANCEL */
    bool empty;        /* LOOKED: the kernel says that no process is in the group */
    bool alone;        /* LOOKED: no descendant is left but the leader's zombie */
};

enum life_action {
    LIFE_DO_TERM = 1 << 0,   /* SIGTERM, then SIGCONT, to the whole tree */
    LIFE_DO_KILL = 1 << 1,   /* count, kill the group and what escaped */
    LIFE_DO_LOOK = 1 << 2,   /* reap, ask whether it is empty and alone, feed LOOKED */
    LIFE_DO_TIMER = 1 << 3,  /* arm for life_deadline_us() */
    LIFE_DO_RECORD = 1 << 4, /* over: write the ending */
};

struct life {
    enum life_phase phase;
    enum life_reason reason;
    bool limit_reached;
    bool core_cut;  /* the leader's dump has taken too long */
    bool no_leader; /* a group handed over: it is over when it is empty */
    bool leader_ended;
    bool leftovers;         /* the leader's exit left processes behind */
    uint64_t task_grace_us; /* before the kill at the time limit */
    uint64_t leftover_grace_us;
    uint64_t limit_at_us; /* 0: no time limit; here and below monotonic times, 0: did not happen */
    uint64_t kill_at_us;  /* the deadline while ENDING */
    uint64_t first_step_us;
    uint64_t received_us;
    uint64_t term_us;
    uint64_t kill_us;
    uint64_t empty_us;
    uint64_t reaped_us;
};

/* Milliseconds of a foreign message as microseconds, at most 100 years: sums of them can't
 * overflow. */
uint64_t life_us_of_ms(uint64_t ms);

/* @limit_us: 0 for no time limit; it counts from @now_us. For a group without a leader set
   `no_leader` afterwards. */
void life_init(struct life *life, uint64_t now_us, uint64_t limit_us, uint64_t task_grace_us,
               uint64_t leftover_grace_us);

/* Returns the actions (of enum life_action) that are due now. */
uint32_t life_step(struct life *life, const struct life_event *event);

/* When to feed TIMER: 0 for never. */
uint64_t life_deadline_us(const struct life *life);
