#pragma once

/* options.h - what quelld was told by its configuration file and its flags, checked. */
#include "base/settings.h"

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
    uint64_t core_dump_ms; /* 0: as long as it takes */
    uint32_t max_running;  /* attempts at a time; 0: no limit */
};

/* 0; an outcome of settings.h; or a negative errno with the sentence (exit 1). The caller ends with
   options_done() in any case. */
int options_read(int argc, char **argv, struct options *ret, struct err *err);
void options_done(struct options *options);
