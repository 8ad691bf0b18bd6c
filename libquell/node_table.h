#pragma once

/*
 * node_table.h - the nodes that are connected, or about to be: their sessions, the poll that each
 * has parked here, and when each was last heard. In memory only.
 *
 * Nothing here costs more with more nodes than the look-up of a name. A node is freed only by
 * node_table_sweep(), at the end of a round, so that a round may keep pointers.
 */
#include "ipc/endpoint.h"
#include "ipc/task.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define NODE_SESSION_SIZE 16u
#define NODE_ID_SIZE      16u
#define NODE_PENDING_MAX  16384u /* sessions begun by a challenge alone, which anyone can send */
#define NODE_BOOT_ID_SIZE 40u

struct node_known { /* an attempt that a hello lists */
    uint8_t uid[TASK_UID_SIZE];
    uint32_t version;
};

struct node_session {
    uint8_t nonce[NODE_SESSION_SIZE];
    uint64_t counter; /* of the newest request */
    char boot_id[NODE_BOOT_ID_SIZE];
    uint32_t next_part; /* of a hello that comes in parts */
    struct node_known *known;
    size_t known_len;
    size_t known_size;
};

struct node_poll { /* a request for commands that waits for its answer */
    struct endpoint_route route;
    uint8_t id[NODE_ID_SIZE];
    uint64_t deadline_us; /* monotonic */
};

struct node {
    char *name;
    struct node_session *settled; /* after its hello: commands and reports */
    struct node_session *pending; /* after a challenge: a hello only */
    bool settling;                /* its hello stands in the transaction that is open */
    bool waking;                  /* new commands for it stand there */
    bool parked;
    bool retired;
    bool strange_reported; /* an unknown attempt was logged in this session */
    struct node_poll poll;
    uint64_t heard_us;               /* monotonic */
    uint64_t heard_wall_us;          /* 0: not in this life of the head */
    TAILQ_ENTRY(node) heard_entry;   /* settled ones, longest silent first */
    TAILQ_ENTRY(node) poll_entry;    /* parked ones, earliest deadline first */
    TAILQ_ENTRY(node) pending_entry; /* oldest first */
    TAILQ_ENTRY(node) waking_entry;
    TAILQ_ENTRY(node) retired_entry;
};
TAILQ_HEAD(node_list, node);

struct node_table {
    void *root; /* of tsearch(3), by name */
    struct node_list heard;
    struct node_list polls;
    struct node_list pending;
    struct node_list waking;
    struct node_list retired;
    size_t pending_len;
};

void node_table_init(struct node_table *table);
void node_table_done(struct node_table *table);
struct node *node_table_find(struct node_table *table, const char *name); /* NULL: none */
void node_table_sweep(struct node_table *table);

/* Begins a session; an older pending one of that name is forgotten. NULL: no memory. */
struct node_session *node_table_challenge(struct node_table *table, const char *name);
/* The session of @nonce, or NULL. */
struct node_session *node_find_session(const struct node *node, const uint8_t *nonce, size_t len);

/* Adds to what a hello has listed so far. -ENOMEM. */
int node_session_know(struct node_session *session, const uint8_t uid[TASK_UID_SIZE],
                      uint32_t version);
void node_session_sort(struct node_session *session); /* once all are there */
const struct node_known *node_session_find(const struct node_session *session,
                                           const uint8_t uid[TASK_UID_SIZE]);
void node_session_forget(struct node_session *session); /* begins an empty list */

/* @session, pending or settled, becomes the node's only one. */
void node_table_settle(struct node_table *table, struct node *node, struct node_session *session);
void node_table_heard(struct node_table *table, struct node *node, uint64_t now_us,
                      uint64_t wall_us);
void node_table_silent(struct node_table *table, struct node *node); /* ends its session */

void node_table_park(struct node_table *table, struct node *node, const struct node_poll *poll);
void node_table_unpark(struct node_table *table, struct node *node);
void node_table_wake(struct node_table *table, struct node *node);
struct node *node_table_next_waking(struct node_table *table); /* takes it off; NULL: none */
