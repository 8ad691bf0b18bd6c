#pragma once

/*
 * config.h - an INI file (read with inih) into a table of settings that the program declares.
 *
 * Flags win over the file: a program reads the file first, then its flags. An unknown section or
 * key, a second value for a key and a value that @set refuses are errors whose sentence names file,
 * line and key.
 */
#include "base/err.h"

#include <stdbool.h>

struct config_key {
    const char *section;
    const char *name;
    /* Takes the value or says in @err what is wrong with it (the value alone: file, line and key
       are put in front). @arg is what config_read() was given. */
    int (*set)(void *arg, const char *value, struct err *err);
    bool repeatable; /* may stand more than once */
};

/* @keys ends with a key whose name is NULL. -ENOENT when there is no such file: the caller decides
   whether that is an error (it is when the user named the file). */
int config_read(const char *path, const struct config_key *keys, void *arg, struct err *err);

int config_parse_bool(const char *value, bool *ret,
                      struct err *err); /* yes no true false on off 1 0 */
