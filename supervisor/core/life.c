#include "supervisor/core/life.h"

#include <assert.h>

uint64_t life_us_of_ms(uint64_t ms)
{
    const uint64_t most_ms = 100ull * 365 * 24 * 3600 * 1000;

    return (ms < most_ms ? ms : most_ms) * 1000;
}

void life_init(struct life *life, uint64_t now_us, uint64_t limit_us, uint64_t task_grace_us,
               uint64_t leftover_grace_us)
{
    *life = (struct life){
        .phase = LIFE_RUNNING,
        .task_grace_us = task_grace_us,
        .leftover_grace_us = leftover_grace_us,
        .limit_at_us = limit_us ? now_us + limit_us : 0,
    };
}

static uint32_t life_kill(struct life *life, uint64_t now_us)
{
    life->phase = LIFE_KILLING;
    life->kill_at_us = 0;
    if (!life->kill_us)
        life->kill_us = now_us;
    return LIFE_DO_KILL | LIFE_DO_LOOK | LIFE_DO_TIMER;
}

/* The first step of the ending; without grace the kill comes at once. */
static uint32_t life_begin(struct life *life, enum life_reason reason, uint64_t now_us,
                           uint64_t grace_us)
{
    life->reason = reason;
    if (!life->first_step_us)
        life->first_step_us = now_us;
    if (grace_us == 0)
        return life_kill(life, now_us);
    life->phase = LIFE_ENDING;
    life->kill_at_us = now_us + grace_us;
    life->term_us = now_us;
    return LIFE_DO_TERM | LIFE_DO_LOOK | LIFE_DO_TIMER;
}

static uint32_t life_cancel(struct life *life, const struct life_event *event)
{
    if (life->phase == LIFE_OVER)
        return 0; /* it crossed the end: the ending is written already */
    if (!life->received_us)
        life->received_us = event->now_us;
    if (life->phase == LIFE_RUNNING)
        return life_begin(life, LIFE_REASON_CANCEL, event->now_us, event->grace_us);
    if (life->phase == LIFE_KILLING) /* its maker may have put more into it since */
        return life->no_leader ? LIFE_DO_KILL | LIFE_DO_LOOK : 0;
    /* A further cancel moves the deadline only to the earlier one. */
    if (event->grace_us == 0)
        return life_kill(life, event->now_us);
    if (event->now_us + event->grace_us < life->kill_at_us)
        life->kill_at_us = event->now_us + event->grace_us;
    return LIFE_DO_TIMER;
}

static uint32_t life_timer(struct life *life, uint64_t now_us)
{
    if (life->phase == LIFE_RUNNING && life->limit_at_us && now_us >= life->limit_at_us) {
        life->limit_reached = true;
        return life_begin(life, LIFE_REASON_LIMIT, now_us, life->task_grace_us);
    }
    if (life->phase == LIFE_ENDING && now_us >= life->kill_at_us)
        return life_kill(life, now_us);
    return life->phase == LIFE_OVER ? 0 : LIFE_DO_TIMER;
}

/* What dumps core takes no SIGTERM; the kill ends the dump. */
static uint32_t life_core_time(struct life *life, uint64_t now_us)
{
    if (life->phase != LIFE_RUNNING)
        return 0;
    life->core_cut = true;
    return life_begin(life, LIFE_REASON_CORE, now_us, 0);
}

static uint32_t life_leader_ended(struct life *life, uint64_t now_us)
{
    life->leader_ended = true;
    if (life->phase == LIFE_RUNNING) {
        life->reason = LIFE_REASON_LEADER;
        if (!life->first_step_us)
            life->first_step_us = now_us;
    }
    return LIFE_DO_LOOK;
}

/* Nobody of them is ours to reap. */
static uint32_t life_vanished(struct life *life, uint64_t now_us)
{
    if (life->phase == LIFE_RUNNING) {
        life->reason = LIFE_REASON_EMPTY;
        life->first_step_us = now_us;
    }
    life->phase = LIFE_OVER;
    return LIFE_DO_RECORD | LIFE_DO_TIMER;
}

static uint32_t life_looked(struct life *life, const struct life_event *event)
{
    if (life->phase == LIFE_OVER)
        return 0;
    if (!event->empty)
        life->empty_us = 0;
    else if (!life->empty_us)
        life->empty_us = event->now_us;
    if (life->no_leader && event->empty)
        return life_vanished(life, event->now_us);
    if (event->empty && event->alone && life->leader_ended) {
        life->reaped_us = event->now_us;
        life->phase = LIFE_OVER;
        return LIFE_DO_RECORD | LIFE_DO_TIMER;
    }
    if (life->phase == LIFE_RUNNING && life->leader_ended) {
        life->leftovers = true;
        return life_begin(life, LIFE_REASON_LEADER, event->now_us, life->leftover_grace_us);
    }
    /* What escaped the group is not reached by the group's kill, and may have forked meanwhile. */
    if (life->phase == LIFE_KILLING && event->empty)
        return LIFE_DO_KILL;
    return 0;
}

uint32_t life_step(struct life *life, const struct life_event *event)
{
    switch (event->type) {
    case LIFE_EV_CANCEL:
        return life_cancel(life, event);
    case LIFE_EV_TIMER:
        return life_timer(life, event->now_us);
    case LIFE_EV_CORE_TIME:
        return life_core_time(life, event->now_us);
    case LIFE_EV_LEADER_ENDED:
        return life_leader_ended(life, event->now_us);
    case LIFE_EV_LOOKED:
        return life_looked(life, event);
    case LIFE_EV_COUNT:
        break;
    }
    assert(!"life_step: no such event");
    return 0;
}

uint64_t life_deadline_us(const struct life *life)
{
    switch (life->phase) {
    case LIFE_RUNNING:
        return life->limit_at_us;
    case LIFE_ENDING:
        return life->kill_at_us;
    case LIFE_KILLING:
    case LIFE_OVER:
    case LIFE_PHASE_COUNT:
        break;
    }
    return 0;
}
