/* head_outbox.c - which tasks have something to tell the head: reports, and commands recorded. */
#include "agent/agent.h"
#include "agent/head_link_impl.h"
#include "agent/task.h"

#include <event2/event.h>

void head_link_report(struct task *task)
{
    struct agent *agent = task->agent;

    if (task_report_version(task) == 0)
        return;
    if (!task->in_unsent)
        TAILQ_INSERT_TAIL(&agent->unsent, task, unsent);
    task->in_unsent = true;
    event_active(agent->round, 0, 0);
}

void head_link_acknowledge(struct task *task)
{
    struct agent *agent = task->agent;

    if (task->in_unlisted)
        TAILQ_REMOVE(&agent->unlisted, task, unlisted);
    task->ack_generation = ++agent->ack_generation;
    TAILQ_INSERT_TAIL(&agent->unlisted, task, unlisted);
    task->in_unlisted = true;
}

void head_link_forget(struct task *task)
{
    if (task->in_unsent)
        TAILQ_REMOVE(&task->agent->unsent, task, unsent);
    if (task->in_unlisted)
        TAILQ_REMOVE(&task->agent->unlisted, task, unlisted);
    if (task->agent->link && task->agent->link->hello_next == task)
        task->agent->link->hello_next = TAILQ_NEXT(task, entry);
    task->in_unsent = task->in_unlisted = false;
}

void head_outbox_confirm(struct agent *agent, uint64_t generation)
{
    struct task *task;

    while ((task = TAILQ_FIRST(&agent->unlisted)) && task->ack_generation <= generation) {
        TAILQ_REMOVE(&agent->unlisted, task, unlisted);
        task->in_unlisted = false;
    }
}
