#pragma once

/*
 * call.h - a callback that is owed to a user of libquell, with what it will be told; and the calls
 * that wait for a task to end, or for an event.
 */
#include "libquell/quell.h"
#include "libquell/store.h"
#include "quell.pb-c.h"

#include <sys/queue.h>

enum call_kind {
    CALL_TASK, /* one task as it is now */
    CALL_WAIT, /* one task once it has ended */
    CALL_LIST, /* tasks by filter */
    CALL_NODES,
    CALL_EVENTS,     /* once there are any behind `after_id` */
    CALL_PEEK,       /* once the node has answered */
    CALL_NODE_STATE, /* of the node `filter_node`, unasked */
};

struct wait_place;

struct peek { /* a question for the end of a task's output, and its answer */
    char node[TASK_NODE_NAME_MAX + 1];
    uint8_t id[16];
    bool sent;
    Quell__Pb__Peek question; /* borrows from @spec and the above */
    Quell__Pb__Name name;
    Quell__Pb__Spec *spec;     /* owned */
    Quell__Pb__Peeked *answer; /* owned; NULL: not (yet) there */
};

struct call {
    TAILQ_ENTRY(call) entry;
    enum call_kind kind;
    bool changes; /* a verb that changes something: void when the round fails */
    union {
        quell_on_task task;
        quell_on_tasks tasks;
        quell_on_nodes nodes;
        quell_on_events events;
        quell_on_outputs outputs;
        void (*node)(void *arg, const char *node, const char *state);
    } on_done;
    void *arg;
    struct quell_refusal refusal;
    bool refused;
    uint32_t job_id;
    uint32_t task_id;
    struct quell_filter filter;
    char filter_node[TASK_NODE_NAME_MAX + 1];
    struct task_set tasks;
    struct node_set nodes;
    struct event_set events;
    uint64_t after_id;
    struct peek *peek;      /* owned */
    const char *node_state; /* static */
    bool more;
    bool parked;          /* in a wait_table */
    uint64_t deadline_us; /* CALL_WAIT, CALL_EVENTS: monotonic */
    struct wait_place *place;
    TAILQ_ENTRY(call) place_entry;
};
TAILQ_HEAD(call_list, call);

struct call *call_new(enum call_kind kind, void *arg); /* NULL: no memory */
uint64_t call_deadline_us(uint64_t timeout_ms);        /* from now; monotonic */
void call_refuse(struct call *call, int code, const char *text);
/* Reads from the store what the call will tell; a failure becomes its refusal. */
void call_load(struct call *call, struct store *store);
/* Calls back, then frees. */
void call_run(struct call *call);
void call_run_peek(struct call *call, const struct quell_refusal *refusal); /* peek.c, likewise */
struct peek *peek_free(struct peek *peek);                                  /* accepts NULL */

/* ---- the calls that wait ---- */

struct wait_table {
    void *root;                 /* of tsearch(3): wait_place by task */
    struct call_list deadlines; /* earliest first */
    struct call_list events;    /* those that wait for an event */
    struct call_list peeks;     /* and those that wait for the answer of a node */
    bool event_noted;
    TAILQ_HEAD(, wait_place) ended;
};

void wait_table_init(struct wait_table *table);
/* False: no memory, and the call was not taken. */
bool wait_table_add(struct wait_table *table, struct call *call);
/* The task has ended in the transaction that is open; nothing happens before
 * wait_table_take_ended(). */
void wait_table_note_end(struct wait_table *table, uint32_t job_id, uint32_t task_id);
void wait_table_note_event(struct wait_table *table);  /* the same: an event */
void wait_table_forget_ends(struct wait_table *table); /* the transaction came to nothing */
/* Takes @call off, if it is there. */
void wait_table_take(struct wait_table *table, struct call *call, struct call_list *to);
void wait_table_take_ended(struct wait_table *table, struct call_list *to);
void wait_table_take_due(struct wait_table *table, uint64_t now_us, struct call_list *to);
