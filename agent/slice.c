#include "agent/slice.h"

#include "base/clock.h"

#include <event2/event.h>
#include <stddef.h>

uint64_t slice_begin(void)
{
    return clock_mono_us() + SLICE_US;
}

bool slice_is_over(uint64_t slice)
{
    return clock_mono_us() >= slice;
}

void slice_next(struct event *event)
{
    static const struct timeval at_once = {0};

    (void) event_add(event, &at_once);
}
