#pragma once

/* options.h - quelld's flags and /etc/quell/quelld.conf, checked. */
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTIONS_HEADS_MAX 8

struct options {
    char *
        heads[OPTIONS_HEADS_MAX]; /* addresses of the one head, tried in turn; owned, as all text */
    size_t heads_len;
    char *node;
    char *socket;
    char *state_dir;
    char *run_dir;
    char *cgroup_mode; /* NULL: auto */
    char *cgroup_base; /* NULL: the default */
    bool insecure;
    bool allow_root;
    uint64_t leftover_grace_ms;
};

enum options_outcome {
    OPTIONS_DONE = 1,  /* --help, --version or --check-config have said what there is: exit 0 */
    OPTIONS_WRONG = 2, /* usage: exit 2 */
};

/* The file first, then the flags. 0; an outcome; or a negative errno with the sentence (exit 1). */
int options_parse(int argc, char **argv, struct options *ret, struct err *err);
void options_done(struct options *options);
