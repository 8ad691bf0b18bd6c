#pragma once

/* launch_room.h - how many attempts may start on the node ([tasks] max_running). Pure. */
#include "agent/core/attempt_state.h"

#include <stdbool.h>
#include <stdint.h>

/* A supervisor has it. A look-up of its user or its place in the queue takes no place; an ending
   that is known gives it free. */
bool launch_takes_place(enum attempt_phase phase);

/* @max_running 0: no limit. 0 also when more than that many run already, as after a restart with a
   lower limit: none of them is harmed. */
uint32_t launch_room(uint32_t max_running, uint32_t running);
