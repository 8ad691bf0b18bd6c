#pragma once

/*
 * become.h - the child stops being a part of Quell: first a process like any other, then the
 * task's user. What can be had of root, and what the agent has for itself, ends here.
 */
#include "base/err.h"
#include "quell.pb-c.h"

/* Takes back what agent and supervisor protect themselves with or were started with: signals,
   priority, limits, the OOM killer's favour, keys. As root. */
int become_ordinary(const Quell__Pb__Launch *order, struct err *err);

/* Becomes the user for good, without a capability, and makes sure of it. */
int become_user(const Quell__Pb__User *user, struct err *err);
