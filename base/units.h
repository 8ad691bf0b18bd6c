#pragma once

/*
 * units.h - durations and sizes as people write them (command line, configuration).
 *
 * DUR: "0", or numbers each with ms, s, m or h: "500ms", "15s", "2m", "1h30m", at most 10 years.
 * SIZE: bytes, or a number with K, M, G or T (powers of 1024).
 * Results: 0; or -EINVAL (not of that form) or -ERANGE (too large), @ret untouched.
 */
#include <stddef.h>
#include <stdint.h>

int units_parse_duration_ms(const char *text, uint64_t *ret);
int units_parse_size_bytes(const char *text, uint64_t *ret);

/* A whole decimal number from @min to @max; no sign, no blanks. */
int units_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret);
