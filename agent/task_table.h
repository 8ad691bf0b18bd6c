#pragma once

/* task_table.h - the agent's tasks by uid, and what has to follow when they have ended. */
#include <stdint.h>

struct agent;
struct task;
struct err;

struct task *task_table_find(const struct agent *agent, const uint8_t *uid);

/* A new task in phase NEW, without a command. NULL: no memory. */
struct task *task_table_add(struct agent *agent, const uint8_t *uid, uint32_t job_id,
                            uint32_t task_id, uint32_t attempt);

/* Its group and socket (and, once acknowledged, its records and itself) are removed at the end of
   the round, behind the reports. */
void task_table_retire(struct task *task);

/* The end of a round: what can be removed will be, in slices; the rest waits for the next round or
   tick. */
void task_table_clean(struct agent *agent);
void task_table_clean_slice(struct agent *agent);

/* Puts the tasks in the order of their arrival. -ENOMEM. */
int task_table_sort(struct agent *agent, struct err *err);

void task_table_done(struct agent *agent); /* frees all; touches neither kernel nor disk */
