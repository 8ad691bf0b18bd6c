#include "agent/launch_queue.h"

#include "agent/agent.h"
#include "agent/core/launch_room.h"
#include "agent/slice.h"
#include "agent/task.h"

void launch_queue_wake(struct agent *agent)
{
    if (!TAILQ_EMPTY(&agent->queued))
        slice_next(agent->launches);
}

void launch_queue_add(struct task *task)
{
    if (task->in_queued)
        return;
    task->in_queued = true;
    task->phase = QUELL__PB__PHASE__PHASE_QUEUED;
    if (task->state.handed_over) /* what is in it runs already, and needs no room */
        TAILQ_INSERT_HEAD(&task->agent->queued, task, queued);
    else
        TAILQ_INSERT_TAIL(&task->agent->queued, task, queued);
    launch_queue_wake(task->agent);
}

void launch_queue_follow(struct task *task, enum attempt_phase before)
{
    struct agent *agent = task->agent;

    if (task->in_queued && task->state.phase != ATTEMPT_QUEUED) {
        TAILQ_REMOVE(&agent->queued, task, queued);
        task->in_queued = false;
    }
    if (task->state.handed_over)
        return;
    agent->running += launch_takes_place(task->state.phase);
    agent->running -= launch_takes_place(before);
    if (launch_takes_place(before))
        launch_queue_wake(agent);
}

void launch_queue_run(struct agent *agent)
{
    const uint64_t slice = slice_begin();
    struct task *task, *next;

    for (task = TAILQ_FIRST(&agent->queued); task; task = next) {
        next = TAILQ_NEXT(task, queued);
        if (!task->state.handed_over &&
            launch_room(agent->options.max_running, agent->running) == 0)
            return; /* woken again when there is */
        if (task->user_wait)
            continue;
        if (slice_is_over(slice)) {
            slice_next(agent->launches);
            return;
        }
        task_launch(task);
    }
}
