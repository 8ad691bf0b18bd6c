#pragma once

/*
 * slice.h - what would hold the loop up is done in slices, one in a turn of the loop.
 *
 * The next slice comes by a timer that is over at once: the loop looks at its descriptors first. An
 * event that is made active in a callback runs in the same pass of libevent 2.1, before them.
 */
#include <stdbool.h>
#include <stdint.h>

struct event;

#define SLICE_US 2000u /* one launch, perhaps two */

uint64_t slice_begin(void);
bool slice_is_over(uint64_t slice);

/* Runs @event, a timer, in the next turn. Again: once. */
void slice_next(struct event *event);
