#pragma once

/*
 * self_spawn.h - this very program once more, as a helper that may block where a daemon's loop must
 * not. Its main() hands a call with the helper's flag to the helper's own main before anything
 * else.
 */
#include <sys/types.h>

/* Executes /proc/self/exe as NAME FLAG [ARG] with @in and @out (-1: /dev/null) as its standard
   input and output, and nothing else of ours: default signals, an environment with PATH alone.
   @arg: NULL for none. Returns 0 or an errno, as posix_spawn(3) does. */
int self_spawn(const char *name, const char *flag, const char *arg, int in, int out, pid_t *ret);
