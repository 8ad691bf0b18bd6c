#pragma once

/*
 * test_libquell_rig.h - a libquell with real sockets in a temporary place, and the node's side of
 * the wire spoken by hand. Everything runs in one thread: whoever waits for something lets the head
 * work.
 */
#include "ipc/endpoint.h"
#include "ipc/task_pb.h"
#include "libquell/quell.h"

#include <stdbool.h>

#define RIG_WAIT_MS 20000 /* a disk may be slow to sync */

struct rig {
    char dir[64];
    char state_dir[96];
    char url[128];
    uint64_t heartbeat_ms;
    uint64_t keep_ms;     /* 0: the default */
    char nodes_told[256]; /* "n1 up;" and so on */
    struct quell *quell;  /* NULL: the head is another process */
    char log[8192];       /* all lines so far */
};

void rig_remove_tree(const char *dir); /* with all that is in it */
void rig_open(struct rig *rig, uint64_t heartbeat_ms);
void rig_start(struct rig *rig); /* again, after rig_stop() */
void rig_stop(struct rig *rig);
void rig_done(struct rig *rig);
/* Lets the head work until it has nothing to do for @quiet_ms. */
void rig_settle(struct rig *rig, int quiet_ms);

struct peer { /* a node */
    struct rig *rig;
    const char *name;
    struct endpoint *endpoint;
    uint8_t session[16];
    uint64_t counter;
    uint8_t last_id[16];
    char boot_id[40];
};

void peer_connect(struct peer *peer, struct rig *rig, const char *name);
void peer_close(struct peer *peer);

/* Sends @body (with session, id and a counter that rises). */
void peer_send(struct peer *peer, Quell__Pb__Request *request);
/* The answer to the last request, or NULL when none comes in @wait_ms. Freed by the next call. */
const Quell__Pb__Reply *peer_receive(struct peer *peer, int wait_ms);
/* Both; there must be an answer. */
const Quell__Pb__Reply *peer_ask(struct peer *peer, Quell__Pb__Request *request);

void peer_challenge(struct peer *peer);
/* Challenge and hello, with @known of @known_len attempts. */
void peer_hello(struct peer *peer, Quell__Pb__Known **known, size_t known_len);
const Quell__Pb__Reply *peer_poll(struct peer *peer, Quell__Pb__Acked **acked, size_t acked_len);

struct remembered { /* a command that was received, by value */
    uint8_t uid[16];
    uint32_t job_id, task_id, attempt, version;
    bool start, cancel, has_message;
    char message[1400];
    uint64_t grace_ms;
    uint32_t pids;
    char argv0[64];
};

/* Polls; there must be exactly one command. */
struct remembered peer_one_command(struct peer *peer);
struct remembered peer_remember(const Quell__Pb__Command *command);
void peer_ack(struct peer *peer, const struct remembered *command); /* by a poll, left parked */
bool peer_report_started(struct peer *peer, const uint8_t uid[16], uint32_t version);
/* True when it was acknowledged. */
bool peer_report_ending(struct peer *peer, const uint8_t uid[16], uint32_t version,
                        Quell__Pb__Ending *ending);
void ending_exit(Quell__Pb__Ending *ending, Quell__Pb__Proof *proof, uint32_t code);

struct outcome { /* what a callback was told, by value */
    int calls;
    bool refused;
    struct quell_refusal refusal;
    struct quell_task task;
    char node[64], user[64], name[64], message[1400], by_name[64];
    bool has_message;
    size_t len; /* of a list */
    bool more;
    uint32_t task_ids[64];
    uint32_t job_ids[64];
    enum task_status statuses[64];
    uint32_t attempts[64]; /* of events */
    int codes[64];         /* of results: 0, or the refusal's number */
    bool gap;
    uint64_t last_id;
    struct quell_node nodes[8];
    char node_names[8][64], node_states[8][16], node_modes[8][16];
};

void on_outcome_task(void *arg, const struct quell_refusal *refusal, const struct quell_task *task);
void on_outcome_tasks(void *arg, const struct quell_refusal *refusal,
                      const struct quell_task *tasks, size_t len, bool more);
void on_outcome_results(void *arg, const struct quell_refusal *refusal,
                        const struct quell_result *results, size_t len);
void on_outcome_events(void *arg, const struct quell_refusal *refusal,
                       const struct quell_events *events);
void on_outcome_nodes(void *arg, const struct quell_refusal *refusal,
                      const struct quell_node *nodes, size_t len);
/* Lets the head work until @outcome has been told. */
void rig_wait(struct rig *rig, const struct outcome *outcome);

extern const struct quell_who root_asks, alice_asks, bob_asks, operator_asks;

/* The verbs, waited for. */
struct outcome rig_add(struct rig *rig, const struct quell_task_request *request,
                       const struct quell_who *who);
/* A task of alice's with the command "/bin/true". */
struct outcome rig_add_simple(struct rig *rig, const char *node, uint32_t job_id, bool submit);
struct outcome rig_submit(struct rig *rig, uint32_t job_id, uint32_t task_id,
                          const struct quell_who *who);
struct outcome rig_cancel(struct rig *rig, uint32_t job_id, uint32_t task_id, const char *message,
                          int64_t grace_ms, const struct quell_who *who); /* grace < 0: none */
struct outcome rig_cancel_job(struct rig *rig, uint32_t job_id, const struct quell_who *who);
/* @node: NULL for where it was. */
struct outcome rig_requeue(struct rig *rig, uint32_t job_id, uint32_t task_id, const char *node,
                           const struct quell_who *who);
struct outcome rig_events(struct rig *rig, uint64_t after_id, size_t limit); /* those there are */
struct outcome rig_show(struct rig *rig, uint32_t job_id, uint32_t task_id);
struct outcome rig_list(struct rig *rig, const struct quell_filter *filter);
struct outcome rig_nodes(struct rig *rig);

/* A task that @peer has started, as the head knows it too. */
struct remembered rig_running_task(struct rig *rig, struct peer *peer);
