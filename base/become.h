#pragma once

/*
 * become.h - from root to a user, for good: for whoever acts on a user's behalf. Only in a process
 * of one thread that executes nothing of ours afterwards.
 */
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct become {
    uint32_t uid;
    uint32_t gid;
    const uint32_t *groups; /* supplementary */
    size_t groups_len;
    const char *name; /* for sentences */
};

/* Becomes the user, without a capability and with no_new_privs, and makes sure of it: -EPERM when
   something of root's would have stayed (number -1 means "leave it" to the kernel). After a failure
   the process must end. */
int become_user(const struct become *user, struct err *err);
