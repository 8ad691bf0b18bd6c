#include "agent/recover.h"

#include "agent/agent.h"
#include "agent/head_link.h"
#include "agent/task.h"
#include "agent/task_table.h"

#include "base/cleanup.h"
#include "base/hex.h"
#include "base/log.h"

#include <string.h>

struct facts { /* what the disk says of one attempt */
    Quell__Pb__Record *command;
    Quell__Pb__Record *started;
    Quell__Pb__Record *ending;
};

static void facts_free(struct facts *facts)
{
    if (facts->command)
        quell__pb__record__free_unpacked(facts->command, NULL);
    if (facts->started)
        quell__pb__record__free_unpacked(facts->started, NULL);
    if (facts->ending)
        quell__pb__record__free_unpacked(facts->ending, NULL);
}

/* A record that is there and can't be read is left untouched, and its attempt with it. */
static bool facts_read_one(int fd, const char *uid_text, const char *file,
                           Quell__Pb__Record__KindCase kind, Quell__Pb__Record **ret)
{
    struct err err = {0};

    if (!store_has(fd, file))
        return true;
    if (store_read(fd, file, ret, &err) == 0 && (*ret)->kind_case == kind)
        return true;
    log_error("attempt %s is left alone: %s: %s", uid_text, file,
              *ret ? "not the record that belongs here" : err.text);
    return false;
}

static bool facts_read(int fd, const char *uid_text, struct facts *ret)
{
    return facts_read_one(fd, uid_text, "command", QUELL__PB__RECORD__KIND_COMMAND,
                          &ret->command) &&
           facts_read_one(fd, uid_text, "started", QUELL__PB__RECORD__KIND_STARTED,
                          &ret->started) &&
           facts_read_one(fd, uid_text, "ending", QUELL__PB__RECORD__KIND_ENDING, &ret->ending);
}

static void take_facts(struct task *task, struct facts *facts)
{
    task->command = facts->command->command;
    facts->command->command = NULL;
    facts->command->kind_case = QUELL__PB__RECORD__KIND__NOT_SET;
    task->kill_at_us = facts->command->kill_at_us;
    if (facts->started) {
        task->started = facts->started->started;
        facts->started->started = NULL;
        facts->started->kind_case = QUELL__PB__RECORD__KIND__NOT_SET;
    }
}

static void replay(struct task *task, enum attempt_event event)
{
    uint32_t ignored; /* what is still due is carried out at the end, in one go */

    (void) attempt_step(&task->state, event, &ignored);
}

/* The facts in the order in which they came about. */
static void replay_facts(struct task *task, struct facts *facts)
{
    const bool cancelled = task->command->cancel != NULL;
    const bool same_boot =
        facts->command->boot_id && strcmp(facts->command->boot_id, task->agent->boot_id) == 0;
    const bool alive = !facts->ending && same_boot && task_connect(task) == 0;

    task->has_group = same_boot;
    if (facts->ending) {
        task->ending = facts->ending->ending;
        facts->ending->ending = NULL;
        facts->ending->kind_case = QUELL__PB__RECORD__KIND__NOT_SET;
        task->phase = QUELL__PB__PHASE__PHASE_ENDED;
        replay(task, ATTEMPT_EV_START);
        replay(task, ATTEMPT_EV_ENDED);
        if (cancelled)
            replay(task, ATTEMPT_EV_CANCEL);
        task_table_retire(task);
        return;
    }
    if (!same_boot && task->command->start) {
        /* It may have run: what tells so is not synced, and a program is executed once at most. */
        replay(task, ATTEMPT_EV_START);
        replay(task, ATTEMPT_EV_LAUNCHED);
        if (cancelled)
            replay(task, ATTEMPT_EV_CANCEL);
        task_lost(task, QUELL__PB__CAUSE__CAUSE_NODE_REBOOTED,
                  "the node was rebooted before the task had ended");
        return;
    }
    if (!alive && !task->started && !task_group_is_populated(task)) {
        /* Never executed, and nobody is about to: as if the command had come just now. */
        task_event(task, cancelled ? ATTEMPT_EV_CANCEL : ATTEMPT_EV_START, NULL);
        return;
    }
    replay(task, ATTEMPT_EV_START);
    replay(task, ATTEMPT_EV_LAUNCHED);
    if (task->started)
        replay(task, ATTEMPT_EV_EXECUTED);
    if (cancelled)
        replay(task, ATTEMPT_EV_CANCEL);
    if (!alive)
        task_event(task, ATTEMPT_EV_SUPERVISOR_GONE, NULL);
}

static void recover_one(void *arg, const char *uid_text)
{
    struct agent *agent = arg;
    CLEANUP(facts_free) struct facts facts = {0};
    uint8_t uid[TASK_UID_SIZE];
    const Quell__Pb__Name *name;
    struct task *task;
    CLEANUP_FD int fd = store_open_attempt(&agent->store, uid_text, false, NULL);

    if (fd < 0 || !facts_read(fd, uid_text, &facts) || !hex_decode(uid_text, uid, sizeof(uid)))
        return;
    if (!facts.command) { /* made and never recorded, or acknowledged and half removed */
        (void) store_forget(&agent->store, uid_text, NULL);
        return;
    }
    name = facts.command->command->name;
    if (!name) {
        log_error("attempt %s is left alone: its command names no task", uid_text);
        return;
    }
    task = task_table_add(agent, uid, name->job_id, name->task_id, name->attempt);
    if (!task)
        return;
    take_facts(task, &facts);
    replay_facts(task, &facts);
    head_link_acknowledge(task);
}

static void recover_group(void *arg, const char *name)
{
    struct agent *agent = arg;
    const char *dash = strrchr(name, '-');
    uint8_t uid[TASK_UID_SIZE];

    if (!dash || !hex_decode(dash + 1, uid, sizeof(uid)) || task_table_find(agent, uid))
        return;
    /* Its end was acknowledged before it could be removed; with a process inside it stays. */
    if (cgroup_host_remove(agent->host, name, NULL) != 0)
        log_warning("group %s has processes and belongs to no task that is known: left alone",
                    name);
}

int recover_tasks(struct agent *agent, struct err *err)
{
    struct task *task, *next;
    int r;

    r = store_each(&agent->store, recover_one, agent, err);
    if (r < 0)
        return r;
    for (task = TAILQ_FIRST(&agent->tasks); task; task = next) {
        next = TAILQ_NEXT(task, entry);
        task_resume(task);
    }
    return cgroup_host_each(agent->host, recover_group, agent, err);
}
