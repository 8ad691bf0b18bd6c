#pragma once

/*
 * launch_queue.h - the attempts that wait for their start, in the order in which they came.
 *
 * Those that there is room for ([tasks] max_running) are started, in slices. A look-up of a user
 * holds no place and delays its task alone: others pass it.
 */
#include "agent/core/attempt_state.h"

struct agent;
struct task;

/* Puts @task, in phase QUEUED, behind all others. Again: it keeps its place. */
void launch_queue_add(struct task *task);

/* The phase of @task has changed: it may leave the queue, take a place or give one free. */
void launch_queue_follow(struct task *task, enum attempt_phase before);

/* Something that a start waited for has come: looks with the next turn. */
void launch_queue_wake(struct agent *agent);

/* One slice. */
void launch_queue_run(struct agent *agent);
