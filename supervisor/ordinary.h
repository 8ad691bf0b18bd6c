#pragma once

/*
 * ordinary.h - the child stops being a part of Quell: a process like any other, before it becomes
 * the task's user (base/become.h). What can be had of root, and what the agent has for itself, ends
 * here.
 */
#include "base/err.h"
#include "quell.pb-c.h"

/* Takes back what agent and supervisor protect themselves with or were started with: signals,
   priority, limits, the OOM killer's favour, keys. As root. */
int ordinary_become(const Quell__Pb__Launch *order, struct err *err);
