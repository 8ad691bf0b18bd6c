#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t clock_us(clockid_t id)
{
    struct timespec now;

    (void) clock_gettime(id, &now);
    return (uint64_t) now.tv_sec * 1000000u + (uint64_t) now.tv_nsec / 1000u;
}

uint64_t clock_mono_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

uint64_t clock_wall_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

const char *clock_text(uint64_t wall_us, char ret[CLOCK_TEXT_SIZE])
{
    const time_t seconds = (time_t) (wall_us / 1000000u);
    struct tm tm;
    size_t len;

    (void) gmtime_r(&seconds, &tm);
    len = strftime(ret, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    (void) snprintf(ret + len, CLOCK_TEXT_SIZE - len, ".%06uZ", (unsigned) (wall_us % 1000000u));
    return ret;
}
