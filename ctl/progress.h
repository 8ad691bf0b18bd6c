#pragma once

/*
 * progress.h - one line about what is waited for, redrawn in place. For a person at a terminal
 * alone: when stdout or stderr is anything else, not a byte of it is written.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
    bool wanted; /* somebody watches */
    bool shown;  /* the line is on the terminal */
    size_t ended;
    size_t total;
};

/* Looks who is on the other side of stdout and stderr. */
void progress_begin(struct progress *progress, size_t total);
/* Draws the line for @task, which has not ended, in place of the last. */
void progress_show(struct progress *progress, const json_t *task);
/* Takes the line away, if there is one: before anything else is written. Accepts NULL. */
void progress_clear(struct progress *progress);

/* The line's text: "3 of 10 ended; 7.4 Running 12s". Pure. @now_us: wall clock. */
void progress_write(FILE *out, const json_t *task, size_t ended, size_t total, uint64_t now_us);
