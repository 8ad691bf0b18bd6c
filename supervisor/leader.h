#pragma once

/*
 * leader.h - for a successor: the task's leader is another process's child by now (the agent's, or
 * PID 1's), so its end is seen through a pidfd, and its wait status asked of the kernel where it
 * can tell (PIDFD_GET_INFO with PIDFD_INFO_EXIT, Linux 6.15), else heard from the agent that reaped
 * it.
 */
#include "quell.pb-c.h"

#include <stdbool.h>

/* A pidfd of the process that @started names, or -1 when it is gone (also when its number has been
   given to another since). */
int leader_open(const Quell__Pb__Started *started);

/* The wait status of a process that is gone and reaped, as waitpid(2) gives it. False: this kernel
 * can't tell. */
bool leader_wait_status(int pidfd, int *ret);
