#include "agent/task.h"

#include "agent/agent.h"
#include "agent/core/launch_room.h"
#include "agent/events.h"
#include "agent/head_link.h"
#include "agent/launch_queue.h"
#include "agent/task_table.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/user_cache.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* ---- records ---- */

static int task_record(struct task *task, const char *file, Quell__Pb__Record *record, bool first,
                       struct err *err)
{
    record->uid = (ProtobufCBinaryData){.len = TASK_UID_SIZE, .data = task->uid};
    record->name = task->command ? task->command->name : NULL;
    record->boot_id = task->agent->boot_id;
    return store_write(&task->agent->store, task->uid_text, file, record, first, err);
}

static int task_record_command(struct task *task, struct err *err)
{
    Quell__Pb__Record record = QUELL__PB__RECORD__INIT;

    record.kind_case = QUELL__PB__RECORD__KIND_COMMAND;
    record.command = task->command;
    record.kill_at_us = task->kill_at_us;
    record.arrived_us = task->arrived_us;
    return task_record(task, "command", &record, false, err);
}

/* The command as it is in memory, on the disk. */
static int task_record_newest(struct task *task, struct err *err)
{
    const int r = task_record_command(task, err);

    if (r == 0)
        task->recorded_version = task->command->version;
    return r;
}

static Quell__Pb__Ending *task_copy_ending(const Quell__Pb__Ending *ending)
{
    const size_t size = quell__pb__ending__get_packed_size(ending);
    CLEANUP_FREE uint8_t *bytes = malloc(size);

    if (!bytes)
        return NULL;
    (void) quell__pb__ending__pack(ending, bytes);
    return quell__pb__ending__unpack(NULL, size, bytes);
}

static bool task_record_ending(struct task *task, Quell__Pb__Ending *ending)
{
    Quell__Pb__Record record = QUELL__PB__RECORD__INIT;
    struct err err = {0};

    record.kind_case = QUELL__PB__RECORD__KIND_ENDING;
    record.ending = ending;
    if (task_record(task, "ending", &record, true, &err) == 0)
        return true;
    log_warning("task %s: its ending is kept in memory alone: %s", task->label, err.text);
    return false;
}

/* An ending without a supervisor: the program never ran here. */
static void task_end_unborn(struct task *task, Quell__Pb__Cause cause, const char *text)
{
    Quell__Pb__Ending ending = QUELL__PB__ENDING__INIT;
    Quell__Pb__Proof proof = QUELL__PB__PROOF__INIT;

    proof.method = QUELL__PB__METHOD__METHOD_NEVER_STARTED;
    proof.boot_id = task->agent->boot_id;
    if (task->state.cancelled) {
        proof.has_received_us_case = QUELL__PB__PROOF__HAS_RECEIVED_US_RECEIVED_US;
        proof.received_us = 0;
    }
    proof.has_recorded_us_case = QUELL__PB__PROOF__HAS_RECORDED_US_RECORDED_US;
    proof.recorded_us = 0; /* it ends at the moment in which it is written */
    ending.uid = (ProtobufCBinaryData){.len = TASK_UID_SIZE, .data = task->uid};
    ending.name = task->command->name;
    ending.cause = cause;
    ending.text = (char *) text;
    ending.end_time_us = clock_wall_us();
    ending.proof = &proof;
    task->ending_unrecorded = !task_record_ending(task, &ending);
    task->ending = task_copy_ending(&ending);
    assert(task->ending);
    task_table_retire(task);
}

void task_record_again(struct task *task)
{
    task->ending_unrecorded = !task_record_ending(task, task->ending);
    if (!task->ending_unrecorded)
        head_link_report(task);
}

void task_ended(struct task *task, Quell__Pb__Ending *ending, bool recorded)
{
    if (task->ending) {
        quell__pb__ending__free_unpacked(ending, NULL);
        return;
    }
    task->ending = ending;
    task->ending_unrecorded = !recorded && !task_record_ending(task, ending);
    task->phase = QUELL__PB__PHASE__PHASE_ENDED;
    log_info("task %s: ended%s%s", task->label, *ending->text ? ": " : "", ending->text);
    task_event(task, ATTEMPT_EV_ENDED, NULL);
    task_table_retire(task);
}

void task_lost(struct task *task, Quell__Pb__Cause cause, const char *text)
{
    Quell__Pb__Ending ending = QUELL__PB__ENDING__INIT;
    Quell__Pb__Ending *copy;

    ending.uid = (ProtobufCBinaryData){.len = TASK_UID_SIZE, .data = task->uid};
    ending.name = task->command->name;
    ending.cause = cause;
    ending.text = (char *) text;
    ending.end_time_us = clock_wall_us();
    if (task->started) {
        ending.has_start_time_us_case = QUELL__PB__ENDING__HAS_START_TIME_US_START_TIME_US;
        ending.start_time_us = task->started->start_time_us;
    }
    copy = task_copy_ending(&ending);
    assert(copy);
    task_ended(task, copy, false); /* not on the disk yet: task_ended() puts it there */
}

/* ---- the core's word, carried out ---- */

static void task_do(struct task *task, uint32_t actions, const char *failure)
{
    if (actions & ATTEMPT_DO_RECORD_UNBORN) {
        task->user_wait = user_cache_withdraw(task->user_wait);
        task_end_unborn(task, QUELL__PB__CAUSE__CAUSE_NONE, "");
        log_info("task %s: cancelled before it started", task->label);
    }
    if (actions & ATTEMPT_DO_RECORD_FAILURE) {
        task_end_unborn(task, QUELL__PB__CAUSE__CAUSE_COULD_NOT_START, failure);
        log_warning("task %s: %s", task->label, failure);
    }
    if (actions & ATTEMPT_DO_LAUNCH)
        launch_queue_add(task);
    if (actions & ATTEMPT_DO_SUCCEED)
        task_succeed(task);
    if (actions & ATTEMPT_DO_CANCEL)
        task_send_cancel(task);
    if (actions & ATTEMPT_DO_ACKNOWLEDGE)
        head_link_acknowledge(task);
    if (actions & ATTEMPT_DO_REPORT)
        head_link_report(task);
    if (actions & ATTEMPT_DO_FORGET)
        task_table_retire(task);
}

/* What follows from a step that led here from @before. */
static void task_follow(struct task *task, enum attempt_phase before, uint32_t actions,
                        const char *failure)
{
    const bool moved = task->state.phase != before;

    task_do(task, actions, failure);
    if (moved)
        events_note(task);
}

int task_step(struct task *task, enum attempt_event event, uint32_t *ret_actions)
{
    const enum attempt_phase before = task->state.phase;
    const int r = attempt_step(&task->state, event, ret_actions);

    if (task->state.phase != before)
        launch_queue_follow(task, before);
    return r;
}

void task_event(struct task *task, enum attempt_event event, const char *failure)
{
    const enum attempt_phase before = task->state.phase;
    uint32_t actions;

    if (task_step(task, event, &actions) == ATTEMPT_ILLEGAL) {
        log_warning("task %s: event %d does not fit its phase %s", task->label, (int) event,
                    attempt_phase_name(task->state.phase));
        return;
    }
    task_follow(task, before, actions, failure);
}

void task_resume(struct task *task)
{
    task_do(task, attempt_due(&task->state), NULL);
}

bool task_is_alive(const struct task *task)
{
    return launch_takes_place(task->state.phase);
}

uint64_t task_grace_left_ms(const struct task *task)
{
    const uint64_t now = clock_mono_us();

    return task->kill_at_us > now ? (task->kill_at_us - now + 999) / 1000 : 0;
}

uint32_t task_report_version(const struct task *task)
{
    /* What never ran here may not run after a restart either: first the disk, then the head. */
    if (task->ending && task->ending_unrecorded && task->ending->proof &&
        task->ending->proof->method == QUELL__PB__METHOD__METHOD_NEVER_STARTED)
        return 0;
    if (task->ending)
        return 2;
    return task->started ? 1 : 0;
}

/* ---- commands ---- */

/* One command out of the recorded and the new one, which is the later state of the same attempt.
   What is taken over is moved, not copied. */
static void task_merge(struct task *task, Quell__Pb__Command *command)
{
    Quell__Pb__Command *old = task->command;

    if (old && !command->start) {
        command->start = old->start;
        old->start = NULL;
    }
    if (old && !command->cancel) {
        command->cancel = old->cancel;
        old->cancel = NULL;
    }
    if (old)
        quell__pb__command__free_unpacked(old, NULL);
    task->command = command;
    task->state.handed_over = command->start && command->start->cgroup.len > 0;
}

static void task_set_deadline(struct task *task, const Quell__Pb__Cancel *cancel)
{
    const uint64_t at =
        clock_mono_us() +
        (cancel->grace_ms < TASK_GRACE_MAX_MS ? cancel->grace_ms : TASK_GRACE_MAX_MS) * 1000;

    if (!task->state.cancelled || at < task->kill_at_us)
        task->kill_at_us = at;
}

/* The command as a message of its own, so that it can stay. */
static Quell__Pb__Command *task_copy_command(const Quell__Pb__Command *command)
{
    const size_t size = quell__pb__command__get_packed_size(command);
    CLEANUP_FREE uint8_t *bytes = malloc(size);

    if (!bytes)
        return NULL;
    (void) quell__pb__command__pack(command, bytes);
    return quell__pb__command__unpack(NULL, size, bytes);
}

static int task_take_command(struct task *task, const Quell__Pb__Command *command, struct err *err)
{
    const enum attempt_event event = command->cancel ? ATTEMPT_EV_CANCEL : ATTEMPT_EV_START;
    const enum attempt_phase before = task->state.phase;
    Quell__Pb__Command *copy = task_copy_command(command);
    uint32_t actions;
    int r;

    if (!copy)
        return err_set(err, -ENOMEM, "no memory for the command");
    if (copy->cancel)
        task_set_deadline(task, copy->cancel);
    task_merge(task, copy);
    r = task_record_newest(task, err);
    /* A start that is not recorded never happened. A cancel is carried out whatever the disk says;
       it is not acknowledged, so the head sends it again. */
    if (r < 0 && event == ATTEMPT_EV_START)
        return r;
    if (copy->cancel) /* once more: the grace begins with the SIGTERM, however slow the disk was */
        task_set_deadline(task, copy->cancel);
    if (task_step(task, event, &actions) == ATTEMPT_ILLEGAL)
        return err_set(err, -EPROTO, "a command in phase %s",
                       attempt_phase_name(task->state.phase));
    if (r < 0)
        actions &= ~(uint32_t) ATTEMPT_DO_ACKNOWLEDGE;
    if (copy->cancel)
        log_info("task %s: cancel accepted, grace %llu ms", task->label,
                 (unsigned long long) copy->cancel->grace_ms);
    task_follow(task, before, actions, NULL);
    return r;
}

/* Rises from one to the next, also when somebody sets the clock back. */
static uint64_t task_arrival(struct agent *agent)
{
    const uint64_t now = clock_wall_us();

    agent->newest_arrival_us = now > agent->newest_arrival_us ? now : agent->newest_arrival_us + 1;
    return agent->newest_arrival_us;
}

int task_command(struct agent *agent, Quell__Pb__Command *command, struct err *err)
{
    struct task *task;
    int r;

    if (command->uid.len != TASK_UID_SIZE || !command->name || command->version == 0)
        return err_set(err, -EPROTO, "a command without uid, name or version");
    task = task_table_find(agent, command->uid.data);
    if (task && task->command && command->version <= task->command->version) {
        if (task->recorded_version < task->command->version) {
            r = task_record_newest(task, err); /* it could not be, when it came */
            if (r < 0)
                return r;
        }
        task_event(task, ATTEMPT_EV_REPEATED, NULL);
        return 0;
    }
    if (task && task->unreadable)
        return err_set(err, -EBADMSG, "task %u.%u: its record on this node can't be read",
                       command->name->job_id, command->name->task_id);
    if (!command->start && !command->cancel)
        return err_set(err, -EPROTO, "a command with neither start nor cancel");
    if (!task)
        task = task_table_add(agent, command->uid.data, command->name->job_id,
                              command->name->task_id, command->name->attempt);
    if (!task)
        return err_set(err, -ENOMEM, "no memory for task %u.%u", command->name->job_id,
                       command->name->task_id);
    if (task->arrived_us == 0)
        task->arrived_us = task_arrival(agent);
    r = task_take_command(task, command, err);
    if (r < 0 && task->state.phase == ATTEMPT_NEW) {
        task->state.phase = ATTEMPT_GONE; /* nothing of it may stay: the head sends it again */
        task_table_retire(task);
    }
    return r;
}
