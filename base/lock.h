#pragma once

/*
 * lock.h - one process at a time: a POSIX record lock on a file of a directory.
 *
 * It belongs to the process, not to the descriptor: a child between clone and exec does not hold it
 * on when its parent was killed (flock(2) would, and the next agent would be refused for nothing).
 * So it tells processes apart, not two users within one; and the file must not be opened and closed
 * a second time by the process that holds it.
 */
#include "base/err.h"

/* Makes @file (0600) if it is missing and locks it. Returns the descriptor, which is the lock;
   -EBUSY, without a sentence, when another process holds it; or what failed. */
int lock_take(int dirfd, const char *file, struct err *err);
