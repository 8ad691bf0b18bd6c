#pragma once

/*
 * options.h - what quell-head was told: the configuration file first, then the flags, which win.
 */
#include "base/settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTIONS_LISTEN_MAX 64u

struct options {
    char *listen[OPTIONS_LISTEN_MAX];
    size_t listen_len;
    char *socket;
    char *state_dir;
    bool insecure;
    uint64_t heartbeat_ms;
    uint64_t grace_ms; /* for tasks and cancels that name none */
    uint64_t keep_ms;  /* of ended tasks and their events */
};

/* 0, an outcome of settings.h, or a negative errno. The caller ends with options_done() in any
 * case. */
int options_read(int argc, char **argv, struct options *ret, struct err *err);
void options_done(struct options *options);
