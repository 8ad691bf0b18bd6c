#pragma once

/*
 * leader.h - for a successor: the task's leader is another process's child by now (the agent's, or
 * PID 1's), so its end is seen through a pidfd, and its wait status asked of the kernel; where that
 * can't tell (it was reaped, and Linux is older than 6.15), the agent that reaped it may.
 */
#include "quell.pb-c.h"

#include <stdbool.h>

/* A pidfd of the process that @started names, or -1 when it is gone (also when its number has been
   given to another since). */
int leader_open(const Quell__Pb__Started *started);

/* The wait status of a process that has ended, as waitpid(2) gives it: of a zombie from field 52 of
   its stat, on every kernel; of one that is reaped where the kernel keeps it. False: nobody can
   tell any more. */
bool leader_wait_status(const Quell__Pb__Started *started, int pidfd, int *ret);
