#include "supervisor/core/ending.h"

#include "ipc/task.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/wait.h>

/* An optional field of the schema is a oneof of one: its case is the field's number. */
#define SET(message, field, value, number)                                                         \
    do {                                                                                           \
        (message)->has_##field##_case = (number);                                                  \
        (message)->field = (value);                                                                \
    } while (0)

static Quell__Pb__Cause ending_cause(const struct ending_facts *facts)
{
    const struct life *life = facts->life;
    const bool killed =
        facts->status_known && WIFSIGNALED(facts->wait_status) && WTERMSIG(facts->wait_status) == 9;
    /* The kill of what a leader has left behind is not the one that it died of. */
    const bool by_us = life->kill_us && life->reason != LIFE_REASON_LEADER;

    if (facts->could_not_start)
        return QUELL__PB__CAUSE__CAUSE_COULD_NOT_START;
    if (life->limit_reached)
        return QUELL__PB__CAUSE__CAUSE_TIME_LIMIT;
    if (life->core_cut)
        return QUELL__PB__CAUSE__CAUSE_CORE_DUMP;
    if (life->no_leader) /* there never was a status to be known */
        return QUELL__PB__CAUSE__CAUSE_NONE;
    if (!facts->status_known)
        return QUELL__PB__CAUSE__CAUSE_UNKNOWN;
    if (killed && facts->oom_kills > 0 && !by_us)
        return QUELL__PB__CAUSE__CAUSE_OUT_OF_MEMORY;
    if (WIFSIGNALED(facts->wait_status))
        return WCOREDUMP(facts->wait_status) ? QUELL__PB__CAUSE__CAUSE_CORE_DUMP
                                             : QUELL__PB__CAUSE__CAUSE_SIGNAL;
    return WEXITSTATUS(facts->wait_status) ? QUELL__PB__CAUSE__CAUSE_EXIT_CODE
                                           : QUELL__PB__CAUSE__CAUSE_NONE;
}

static Quell__Pb__Method ending_method(const struct ending_facts *facts)
{
    const struct life *life = facts->life;

    if (facts->could_not_start)
        return QUELL__PB__METHOD__METHOD_NEVER_STARTED;
    if (life->leftovers && !life->received_us)
        return QUELL__PB__METHOD__METHOD_LEFTOVERS;
    if (life->kill_us)
        return facts->v1 ? QUELL__PB__METHOD__METHOD_V1_FREEZER
                         : QUELL__PB__METHOD__METHOD_CGROUP_KILL;
    if (life->term_us)
        return QUELL__PB__METHOD__METHOD_EXITED_IN_GRACE;
    return QUELL__PB__METHOD__METHOD_EXITED;
}

/* Whose limit it was. Where the kernel does not tell, the task's own is the likely one. */
static void ending_say_memory(const struct ending_facts *facts, char *ret, size_t size)
{
    if (!facts->memory_limit_bytes)
        (void) snprintf(ret, size,
                        "killed for memory (the task has no limit of its own: at that of a group "
                        "above it, or of the machine)");
    else if (facts->memory_at_limit != 0)
        (void) snprintf(ret, size, "killed for memory (the task's limit is %" PRIu64 " bytes)",
                        facts->memory_limit_bytes);
    else
        (void) snprintf(ret, size,
                        "killed for memory (not at the task's own limit of %" PRIu64
                        " bytes: at that of a group above it, or of the machine)",
                        facts->memory_limit_bytes);
}

/* A program may fail because the kernel killed a process that it had started. */
static void ending_say_exit(const struct ending_facts *facts, char *ret, size_t size)
{
    const int len = snprintf(ret, size, "exit code %d", WEXITSTATUS(facts->wait_status));

    if (facts->oom_kills > 0)
        (void) snprintf(ret + len, size - (size_t) len,
                        " (processes of the task that were killed for memory: %" PRId64 ")",
                        facts->oom_kills);
}

static void ending_say(const struct ending_facts *facts, Quell__Pb__Cause cause, char *ret,
                       size_t size)
{
    const uint32_t signal = facts->status_known && WIFSIGNALED(facts->wait_status)
                                ? (uint32_t) WTERMSIG(facts->wait_status)
                                : 0;

    ret[0] = '\0';
    if (cause == QUELL__PB__CAUSE__CAUSE_COULD_NOT_START)
        (void) snprintf(ret, size, "could not start: %s", facts->could_not_start);
    else if (cause == QUELL__PB__CAUSE__CAUSE_TIME_LIMIT)
        (void) snprintf(ret, size, "its time limit of %" PRIu64 ".%03" PRIu64 " s was exceeded",
                        facts->runtime_ms / 1000, facts->runtime_ms % 1000);
    else if (cause == QUELL__PB__CAUSE__CAUSE_OUT_OF_MEMORY)
        ending_say_memory(facts, ret, size);
    else if (cause == QUELL__PB__CAUSE__CAUSE_CORE_DUMP && facts->life->core_cut)
        (void) snprintf(ret, size,
                        "it crashed, and writing its core took more than %" PRIu64 ".%03" PRIu64
                        " s: it was cut off",
                        facts->core_dump_ms / 1000, facts->core_dump_ms % 1000);
    else if (cause == QUELL__PB__CAUSE__CAUSE_CORE_DUMP)
        (void) snprintf(ret, size, "ended by signal %u (%s), core dumped", signal,
                        task_signal_name(signal));
    else if (cause == QUELL__PB__CAUSE__CAUSE_SIGNAL)
        (void) snprintf(ret, size, "ended by signal %u (%s)", signal, task_signal_name(signal));
    else if (cause == QUELL__PB__CAUSE__CAUSE_EXIT_CODE)
        ending_say_exit(facts, ret, size);
    else if (cause == QUELL__PB__CAUSE__CAUSE_UNKNOWN)
        (void) snprintf(ret, size,
                        "the task is over, but its wait status is not known: its supervisor died "
                        "and nobody else could be told");
    else if (facts->life->no_leader)
        (void) snprintf(ret, size,
                        "the group is empty; Quell was not the parent of its processes, and does "
                        "not know how they ended");
}

static void ending_prove(const struct ending_facts *facts, Quell__Pb__Proof *proof)
{
    const struct life *life = facts->life;

    proof->method = ending_method(facts);
    proof->boot_id = (char *) facts->boot_id;
    proof->signals_sent = facts->signals_sent;
    if (facts->processes_at_kill >= 0)
        SET(proof, processes_at_kill, (uint32_t) facts->processes_at_kill, 2);
    if (facts->escaped >= 0)
        SET(proof, escaped, (uint32_t) facts->escaped, 3);
    if (facts->cgroup_inode >= 0)
        SET(proof, cgroup_inode, (uint64_t) facts->cgroup_inode, 4);
    if (life->received_us)
        SET(proof, received_us, life->received_us - life->first_step_us, 6);
    if (life->term_us)
        SET(proof, term_us, life->term_us - life->first_step_us, 7);
    if (life->kill_us)
        SET(proof, kill_us, life->kill_us - life->first_step_us, 8);
    if (life->empty_us)
        SET(proof, empty_us, life->empty_us - life->first_step_us, 9);
    if (life->reaped_us)
        SET(proof, reaped_us, life->reaped_us - life->first_step_us, 10);
    SET(proof, recorded_us, facts->recorded_us - life->first_step_us, 11);
}

static void ending_count(const struct ending_facts *facts, Quell__Pb__Usage *usage)
{
    if (facts->cpu_us >= 0)
        SET(usage, cpu_us, (uint64_t) facts->cpu_us, 1);
    if (facts->memory_peak_bytes >= 0)
        SET(usage, memory_peak_bytes, (uint64_t) facts->memory_peak_bytes, 2);
    if (facts->oom_kills >= 0)
        SET(usage, oom_kills, (uint64_t) facts->oom_kills, 3);
    if (facts->io_read_bytes >= 0)
        SET(usage, io_read_bytes, (uint64_t) facts->io_read_bytes, 4);
    if (facts->io_write_bytes >= 0)
        SET(usage, io_write_bytes, (uint64_t) facts->io_write_bytes, 5);
}

void ending_make(struct ending *ret, const struct ending_facts *facts)
{
    Quell__Pb__Ending *ending = &ret->ending;

    quell__pb__ending__init(ending);
    quell__pb__proof__init(&ret->proof);
    quell__pb__usage__init(&ret->usage);
    ending->cause = ending_cause(facts);
    ending_say(facts, ending->cause, ret->text, sizeof(ret->text));
    ending->text = ret->text;
    ending->end_time_us = facts->end_time_us;
    if (facts->start_time_us)
        SET(ending, start_time_us, facts->start_time_us, 8);
    /* A leader that never got to exec tells nothing of the task's program. */
    if (facts->status_known && !facts->could_not_start) {
        if (WIFSIGNALED(facts->wait_status)) {
            SET(ending, signal, (uint32_t) WTERMSIG(facts->wait_status), 5);
            ending->core_dump = WCOREDUMP(facts->wait_status);
        } else {
            SET(ending, exit_code, (uint32_t) WEXITSTATUS(facts->wait_status), 4);
        }
    }
    ending_prove(facts, &ret->proof);
    ending_count(facts, &ret->usage);
    ending->proof = &ret->proof;
    ending->usage = &ret->usage;
}
