#pragma once

/*
 * store.h - the agent's state directory: a directory for each attempt below `attempts`, named by
 * its uid, with small checksummed records (ipc/record.h); `lock`; `instance`, the agent's
 * random id; and the reserve.
 *
 * The agent writes `command`, and an ending only where no supervisor ever had the attempt. A file
 * is written under a temporary name and put in place whole.
 */
#include "agent/reserve.h"
#include "base/err.h"
#include "ipc/task.h"
#include "quell.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

struct store {
    int dirfd;
    int attempts_fd;
    int lock_fd;
    struct reserve reserve;
    char instance[TASK_UID_TEXT];
};

#define STORE_CLOSED                                                                               \
    {                                                                                              \
        .dirfd = -1, .attempts_fd = -1, .lock_fd = -1, .reserve = {.dirfd = -1 }                   \
    }

/* Opens or makes the directory (0700), locks it (-EBUSY: another agent has it), reads the instance.
 */
int store_open(const char *path, struct store *ret, struct err *err);
void store_close(struct store *store);

/* Descriptor of an attempt's directory, made if @make; -ENOENT else. The caller closes it. */
int store_open_attempt(const struct store *store, const char *uid_text, bool make, struct err *err);

/* Puts @record in place as @file of the attempt, whose directory is made if need be; a cancel or an
   ending out of the reserve when there is no space or no descriptor. @first: only if there is none
   (0 also then). */
int store_write(struct store *store, const char *uid_text, const char *file,
                const Quell__Pb__Record *record, bool first, struct err *err);

/* The record, to be freed with quell__pb__record__free_unpacked(). -ENOENT without a sentence's
   need; else torn, foreign or newer: refused, left untouched. */
int store_read(int attempt_fd, const char *file, Quell__Pb__Record **ret, struct err *err);

/* What can't be looked at may be there. */
bool store_has(int attempt_fd, const char *file);

/* Removes the attempt's directory with all its files. 0 also when it is gone. */
int store_forget(const struct store *store, const char *uid_text, struct err *err);

/* Calls @each with the uid of every attempt that has a directory. */
int store_each(const struct store *store, void (*each)(void *arg, const char *uid_text), void *arg,
               struct err *err);
