#pragma once

/*
 * mounts.h - a mount namespace of the test's own: of the test and of what it starts from then on.
 * Its mounts end with the last of these processes, whatever happens, and the world's janitor, which
 * was started before, never sees them. Each returns why it can't be had (kept), or NULL.
 */
#include "tests/integration/world.h"

const char *mounts_own(struct world *world);
/* The same, and file systems of FUSE can be mounted in it. */
const char *mounts_fuse(struct world *world);
/* The same as the first, with the users of programs/nss_stand_in.c and a tmpfs on /mnt. */
const char *mounts_users(struct world *world);
