#pragma once

/* clock.h - time, as microseconds in 64 bits. */
#include <stdint.h>

uint64_t clock_mono_us(void); /* CLOCK_MONOTONIC: durations and deadlines */
uint64_t clock_wall_us(void); /* CLOCK_REALTIME since 1970: what people read */

#define CLOCK_TEXT_SIZE 40
/* RFC 3339, UTC, microseconds: 2026-11-22T17:34:23.000001Z. Returns @ret. */
const char *clock_text(uint64_t wall_us, char ret[CLOCK_TEXT_SIZE]);
