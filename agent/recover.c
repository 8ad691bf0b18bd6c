#include "agent/recover.h"

#include "agent/agent.h"
#include "agent/head_link.h"
#include "agent/task.h"
#include "agent/task_table.h"

#include "base/cleanup.h"
#include "base/hex.h"
#include "base/log.h"
#include "ipc/record.h"

#include <errno.h>
#include <string.h>

struct facts { /* what the disk says of one attempt */
    Quell__Pb__Record *command;
    Quell__Pb__Record *started;
    Quell__Pb__Record *ending;
    bool was_started; /* the file is there, whatever it says */
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

/* 0 also when there is none. -EBADMSG: it is there and can't be read: left untouched, and its
   attempt with it. Anything else: it could not be read now. */
static int facts_read_one(int fd, const char *uid_text, const char *file,
                          Quell__Pb__Record__KindCase kind, Quell__Pb__Record **ret,
                          struct err *err)
{
    int r;

    if (!store_has(fd, file))
        return 0;
    r = store_read(fd, file, ret, err);
    if (r == -ENOENT)
        return 0;
    if (r == -EMFILE || r == -ENFILE || r == -ENOMEM)
        return r;
    if (r == 0 && (*ret)->kind_case == kind)
        return 0;
    log_error("attempt %s: %s: %s", uid_text, file,
              *ret ? "not the record that belongs here" : err->text);
    if (*ret)
        quell__pb__record__free_unpacked(*ret, NULL);
    *ret = NULL;
    return -EBADMSG;
}

static int facts_read(int fd, const char *uid_text, struct facts *ret, struct err *err)
{
    int r;

    ret->was_started = store_has(fd, "started");
    r = facts_read_one(fd, uid_text, "started", QUELL__PB__RECORD__KIND_STARTED, &ret->started,
                       err);
    if (r < 0 && r != -EBADMSG) /* a torn one still says that the attempt was started */
        return r;
    r = facts_read_one(fd, uid_text, "command", QUELL__PB__RECORD__KIND_COMMAND, &ret->command,
                       err);
    if (r == 0)
        r = facts_read_one(fd, uid_text, "ending", QUELL__PB__RECORD__KIND_ENDING, &ret->ending,
                           err);
    return r == 0 && ret->command && !ret->command->command->name ? -EBADMSG : r;
}

static void take_facts(struct task *task, struct facts *facts)
{
    task->command = record_take_command(facts->command);
    task->state.handed_over = task->command->start && task->command->start->cgroup.len > 0;
    task->kill_at_us = facts->command->kill_at_us;
    task->recorded_version = task->command->version;
    task->arrived_us = facts->command->arrived_us;
    if (task->arrived_us > task->agent->newest_arrival_us)
        task->agent->newest_arrival_us = task->arrived_us;
    if (facts->started)
        task->started = record_take_started(facts->started);
}

static void replay(struct task *task, enum attempt_event event)
{
    uint32_t ignored; /* what is still due is carried out at the end, in one go */

    (void) task_step(task, event, &ignored);
}

/* The facts in the order in which they came about. */
static void replay_facts(struct task *task, struct facts *facts)
{
    const bool cancelled = task->command->cancel != NULL;
    const bool same_boot =
        facts->command->boot_id && strcmp(facts->command->boot_id, task->agent->boot_id) == 0;
    const bool alive = !facts->ending && same_boot && !task_connect_refused(task_connect(task));

    task->has_group = same_boot;
    if (facts->ending) {
        task->ending = record_take_ending(facts->ending);
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
    if (!alive && !facts->was_started &&
        (task->state.handed_over || !task_group_is_populated(task))) {
        /* Never executed, and nobody is about to: as if the command had come just now. */
        if (cancelled)
            task_event(task, ATTEMPT_EV_CANCEL, NULL);
        else
            replay(task, ATTEMPT_EV_START);
        return;
    }
    replay(task, ATTEMPT_EV_START);
    replay(task, ATTEMPT_EV_LAUNCHED);
    if (cancelled)
        replay(task, ATTEMPT_EV_CANCEL);
    if (!alive)
        task_event(task, ATTEMPT_EV_SUPERVISOR_GONE, NULL);
}

struct recovery {
    struct agent *agent;
    struct err *err;
    int result;
};

/* The head is told that it is here, so that nobody takes it for ended; nothing else is done with
 * it. */
static void recover_unreadable(struct task *task)
{
    log_error("attempt %s is left alone until its records can be read", task->uid_text);
    task->unreadable = true;
}

/* An attempt that is passed over would be taken for ended by the head: whatever hinders here ends
   the agent, with its tasks unharmed. */
static void recover_one(void *arg, const char *uid_text)
{
    struct recovery *recovery = arg;
    struct agent *agent = recovery->agent;
    CLEANUP(facts_free) struct facts facts = {0};
    CLEANUP_FD int fd = -1;
    const Quell__Pb__Name *name;
    struct task *task;
    uint8_t uid[TASK_UID_SIZE];
    int r;

    if (recovery->result < 0 || !hex_decode(uid_text, uid, sizeof(uid)))
        return;
    fd = store_open_attempt(&agent->store, uid_text, false, recovery->err);
    if (fd < 0) {
        recovery->result = fd;
        return;
    }
    r = facts_read(fd, uid_text, &facts, recovery->err);
    if (r < 0 && r != -EBADMSG) {
        recovery->result = r;
        return;
    }
    if (r == 0 && !facts.command) { /* never recorded, or acknowledged and half removed */
        (void) store_forget(&agent->store, uid_text, NULL);
        return;
    }
    name = r == 0 ? facts.command->command->name : NULL;
    task = task_table_add(agent, uid, name ? name->job_id : 0, name ? name->task_id : 0,
                          name ? name->attempt : 0);
    if (!task) {
        recovery->result = err_set(recovery->err, -ENOMEM, "no memory for the tasks of this node");
        return;
    }
    if (r < 0) {
        recover_unreadable(task);
        return;
    }
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
    struct recovery recovery = {.agent = agent, .err = err};
    struct task *task, *next;
    int r;

    r = store_each(&agent->store, recover_one, &recovery, err);
    r = r < 0 ? r : recovery.result;
    r = r < 0 ? r : task_table_sort(agent, err); /* they were found in no order */
    if (r < 0)
        return r;
    for (task = TAILQ_FIRST(&agent->tasks); task; task = next) {
        next = TAILQ_NEXT(task, entry);
        task_resume(task);
    }
    return cgroup_host_each(agent->host, recover_group, agent, err);
}
