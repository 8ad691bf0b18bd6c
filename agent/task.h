#pragma once

/*
 * task.h - one task at its node: events come in, the core (core/attempt_state.h) decides, and the
 * actions are carried out here: record, then act, then report.
 */
#include "agent/core/attempt_state.h"
#include "base/err.h"
#include "quell.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

struct agent;
struct task;
struct task_cgroup_dirs;

/* A command of the head. Takes what it needs out of @command (which stays valid to be freed). A
   negative errno: it could not be recorded, and must not be acknowledged. */
int task_command(struct agent *agent, Quell__Pb__Command *command, struct err *err);

/* A step of the core alone: nothing is carried out. As attempt_step(). */
int task_step(struct task *task, enum attempt_event event, uint32_t *ret_actions);

/* Feeds the core and carries out what it says. @failure: the sentence for NOT_LAUNCHED, else NULL.
 */
void task_event(struct task *task, enum attempt_event event, const char *failure);

/* There is an ending (owned by the task from now on), on the disk unless @recorded is false. */
void task_ended(struct task *task, Quell__Pb__Ending *ending, bool recorded);

/* Writes the ending that is in memory alone. */
void task_record_again(struct task *task);

/* It is over, and nobody can tell how: an ending with @cause and the sentence @text. */
void task_lost(struct task *task, Quell__Pb__Cause cause, const char *text);

/* Carries out what is due after a restart. */
void task_resume(struct task *task);

/* A supervisor has it, or should have. */
bool task_is_alive(const struct task *task);

/* Milliseconds until the accepted cancel's kill, rounded up; 0: now. */
uint64_t task_grace_left_ms(const struct task *task);

/* The report that there is to make: 0 none, 1 started, 2 ended. */
uint32_t task_report_version(const struct task *task);

/* ---- task_launch.c ---- */

/* There is room for it: makes the group and starts the supervisor; where the user is not known,
   looks the user up instead, and wakes the queue when that is over. */
void task_launch(struct task *task);
/* A supervisor for a tree that runs already, in place of one that died. */
void task_succeed(struct task *task);
/* Reads what the supervisor's child wrote of itself, if it is there. */
void task_read_started(struct task *task);
/* Opens the group's directories. -ENOENT: there is no such group (any more). */
int task_open_group(const struct task *task, struct task_cgroup_dirs *ret, struct err *err);
/* Whether the task's group has a process; false when there is no such group. */
bool task_group_is_populated(struct task *task);

/* ---- task_link.c ---- */

/* Takes over a connection with the task's supervisor. */
int task_open_link(struct task *task, int fd, struct err *err);
void task_close_link(struct task *task);
/* Finds the supervisor that a former agent started: 0, or a negative errno when none answers. */
int task_connect(struct task *task);
/* Whether that error says that no supervisor is there; any other says nothing. */
bool task_connect_refused(int code);
/* The agent's child, its supervisor, is gone. */
void task_supervisor_reaped(struct task *task);
/* Tries again to record an ending that is in memory alone. */
void task_retry_ending(struct task *task);
void task_send_cancel(struct task *task);
/* The leader had become the agent's child, and the agent has reaped it: its successor must know. */
void task_send_leader_ended(struct task *task);
