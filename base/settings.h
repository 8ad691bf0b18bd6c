#pragma once

/*
 * settings.h - how a daemon of ours is told what to do: its configuration file, then its flags,
 * which win. One table of keys says both.
 */
#include "base/config.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define SETTINGS_FLAGS_MAX 32

struct settings_flag { /* a flag that sets what a key of the file sets */
    const char *flag;  /* without its dashes */
    const char *key;   /* the key's name, unique among those with a flag */
    bool is_switch;    /* takes no value: it says yes */
    void (*clear)(
        void *arg); /* for a repeatable key: the first such flag replaces the file's values */
};

struct settings_program {
    const char *name;
    const char *usage; /* what --help prints */
    const char
        *file; /* the configuration that is read if it is there and --config names no other */
    const struct config_key *keys; /* ends with a NULL name */
    const struct settings_flag
        *flags; /* ends with a NULL flag; config, check-config, help and version are added */
};

enum settings_outcome {
    SETTINGS_DONE = 1,  /* --help or --version has printed: exit 0 */
    SETTINGS_USAGE = 2, /* called wrongly, with the sentence in @err: exit 2 */
};

/* Fills what @arg points at through the keys' set(). @ret_check: --check-config was given. Returns
   0, an outcome, or a negative errno with the sentence (exit 1). */
int settings_read(int argc, char **argv, const struct settings_program *program, void *arg,
                  bool *ret_check, struct err *err);

/* For set(): a copy of @value in *@field, which is freed before. Empty text is refused. */
int settings_set_text(char **field, const char *value, struct err *err);
/* The same for an absolute path. */
int settings_set_path(char **field, const char *value, struct err *err);
