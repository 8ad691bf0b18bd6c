#include "agent/core/launch_room.h"

bool launch_takes_place(enum attempt_phase phase)
{
    return phase == ATTEMPT_STARTING || phase == ATTEMPT_RUNNING;
}

uint32_t launch_room(uint32_t max_running, uint32_t running)
{
    if (max_running == 0)
        return UINT32_MAX;
    return running < max_running ? max_running - running : 0;
}
