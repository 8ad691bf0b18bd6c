#pragma once

/*
 * files.h - the directory and the standard files of a task. The user named them, so they are opened
 * by the child after it became the user: whatever a path leads to, it is the user's own access that
 * counts. An open may hang (a FIFO, a dead file server): the child alone, until it is killed.
 */
#include "base/err.h"
#include "quell.pb-c.h"

/* Before the child becomes the user: lets go of every descriptor and directory of ours, which paths
   below /proc/self would lead to. @report_fd: what stays, O_CLOEXEC; it gets another number. */
int files_let_go(int *report_fd, struct err *err);

/* As the user: the working directory, then descriptors 0 to 2. */
int files_open(const Quell__Pb__Launch *order, struct err *err);
