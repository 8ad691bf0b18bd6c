#pragma once

/*
 * head_link.h - the agent's side of the conversation with the head (docs/wire.md): challenge,
 * hello, the long poll for commands, reports until they are acknowledged, heartbeat and reopening.
 */
#include "base/err.h"
#include "quell.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

struct agent;
struct head_link;
struct task;

int head_link_open(struct agent *agent, struct head_link **ret, struct err *err);
struct head_link *head_link_close(struct head_link *link); /* accepts NULL, returns NULL */

/* There is something to report of @task; sent at the end of the round. */
void head_link_report(struct task *task);
/* The task's command version is on the disk: every request lists it until one is answered. */
void head_link_acknowledge(struct task *task);
/* @task is about to be freed. */
void head_link_forget(struct task *task);

/* Sends the answer to a question of the head; lost without a connection. */
void head_link_peeked(struct head_link *link, const Quell__Pb__Peeked *peeked);

/* Sends what there is to send: the end of a round. */
void head_link_flush(struct head_link *link);
/* Once per heartbeat: silence, reports whose answer was lost. */
void head_link_tick(struct head_link *link);

struct head_link_status {
    const char *address;    /* borrowed */
    bool connected;         /* the head has answered the hello */
    uint64_t last_heard_us; /* wall; 0: never */
    unsigned reports_waiting;
};
void head_link_status(const struct head_link *link, struct head_link_status *ret);
