#include "ipc/task.h"
#include "supervisor/core/ending.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#define EXITED(code)   ((code) << 8)
#define SIGNALLED(sig) (sig)
#define DUMPED(sig)    ((sig) | 0x80)

struct row {
    const char *name;
    struct life life;
    const char *could_not_start;
    bool unknown;
    int wait_status;
    int64_t oom_kills;
    int64_t at_limit;
    uint64_t memory_limit;
    enum task_cause cause;
    enum task_method method;
    const char *text;
};

static struct row rows[] = {
    {.name = "exit 0", .life = {0}, .method = TASK_METHOD_EXITED, .text = ""},
    {.name = "exit 3",
     .wait_status = EXITED(3),
     .cause = TASK_CAUSE_EXIT_CODE,
     .method = TASK_METHOD_EXITED,
     .text = "exit code 3"},
    {.name = "signal",
     .wait_status = SIGNALLED(15),
     .cause = TASK_CAUSE_SIGNAL,
     .method = TASK_METHOD_EXITED,
     .text = "ended by signal 15 (SIGTERM)"},
    {.name = "core dump",
     .wait_status = DUMPED(11),
     .cause = TASK_CAUSE_CORE_DUMP,
     .method = TASK_METHOD_EXITED,
     .text = "ended by signal 11 (SIGSEGV), core dumped"},
    {.name = "memory",
     .wait_status = SIGNALLED(9),
     .oom_kills = 1,
     .at_limit = 1,
     .memory_limit = 1048576,
     .cause = TASK_CAUSE_OUT_OF_MEMORY,
     .method = TASK_METHOD_EXITED,
     .text = "killed for memory (the task's limit is 1048576 bytes)"},
    {.name = "memory, and the kernel does not tell at whose limit",
     .wait_status = SIGNALLED(9),
     .oom_kills = 1,
     .at_limit = -1,
     .memory_limit = 1048576,
     .cause = TASK_CAUSE_OUT_OF_MEMORY,
     .method = TASK_METHOD_EXITED,
     .text = "killed for memory (the task's limit is 1048576 bytes)"},
    {.name = "memory, at the limit of a group above",
     .wait_status = SIGNALLED(9),
     .oom_kills = 1,
     .memory_limit = 1048576,
     .cause = TASK_CAUSE_OUT_OF_MEMORY,
     .method = TASK_METHOD_EXITED,
     .text = "killed for memory (not at the task's own limit of 1048576 bytes: at that of a group "
             "above it, or of the machine)"},
    {.name = "memory without a limit",
     .wait_status = SIGNALLED(9),
     .oom_kills = 1,
     .cause = TASK_CAUSE_OUT_OF_MEMORY,
     .method = TASK_METHOD_EXITED,
     .text = "killed for memory (the task has no limit of its own: at that of a group above it, or "
             "of the machine)"},
    {.name = "killed by us with an OOM kill of another process: not memory",
     .life = {.reason = LIFE_REASON_CANCEL, .kill_us = 20, .received_us = 10, .first_step_us = 10},
     .wait_status = SIGNALLED(9),
     .oom_kills = 1,
     .cause = TASK_CAUSE_SIGNAL,
     .method = TASK_METHOD_CGROUP_KILL,
     .text = "ended by signal 9 (SIGKILL)"},
    {.name = "time limit, ended within its grace with exit 0",
     .life = {.limit_reached = true, .term_us = 10, .first_step_us = 10},
     .cause = TASK_CAUSE_TIME_LIMIT,
     .method = TASK_METHOD_EXITED_IN_GRACE,
     .text = "its time limit of 1.500 s was exceeded"},
    {.name = "leftovers that had to be killed",
     .life = {.leftovers = true, .term_us = 10, .kill_us = 20, .first_step_us = 10},
     .method = TASK_METHOD_LEFTOVERS,
     .text = ""},
    {.name = "cancelled while its leftovers were ended",
     .life = {.leftovers = true, .term_us = 10, .received_us = 15, .first_step_us = 10},
     .method = TASK_METHOD_EXITED_IN_GRACE,
     .text = ""},
    {.name = "could not start",
     .could_not_start = "execute /nix: No such file or directory",
     .wait_status = EXITED(127),
     .cause = TASK_CAUSE_COULD_NOT_START,
     .method = TASK_METHOD_NEVER_STARTED,
     .text = "could not start: execute /nix: No such file or directory"},
    {.name = "status not known",
     .unknown = true,
     .cause = TASK_CAUSE_UNKNOWN,
     .method = TASK_METHOD_EXITED,
     .text = "the task is over, but its wait status is not known: its supervisor died and nobody "
             "else could be told"},
    {.name = "memory, and what the leader left behind had to be killed",
     .life = {.reason = LIFE_REASON_LEADER,
              .leftovers = true,
              .term_us = 10,
              .kill_us = 20,
              .first_step_us = 10},
     .wait_status = SIGNALLED(9),
     .oom_kills = 1,
     .at_limit = 1,
     .memory_limit = 1048576,
     .cause = TASK_CAUSE_OUT_OF_MEMORY,
     .method = TASK_METHOD_LEFTOVERS,
     .text = "killed for memory (the task's limit is 1048576 bytes)"},
    {.name = "exit 3, and a process that it had started was killed for memory",
     .wait_status = EXITED(3),
     .oom_kills = 1,
     .at_limit = 1,
     .memory_limit = 1048576,
     .cause = TASK_CAUSE_EXIT_CODE,
     .method = TASK_METHOD_EXITED,
     .text = "exit code 3 (processes of the task that were killed for memory: 1)"},
    {.name = "exit 0, and a process that it had started was killed for memory",
     .oom_kills = 1,
     .at_limit = 1,
     .memory_limit = 1048576,
     .method = TASK_METHOD_EXITED,
     .text = ""},
    {.name = "a group handed over, empty by itself",
     .life = {.no_leader = true, .first_step_us = 10},
     .unknown = true,
     .oom_kills = 1,
     .method = TASK_METHOD_EXITED,
     .text = "the group is empty; Quell was not the parent of its processes, and does not know how "
             "they ended"},
    {.name = "a group handed over, killed at its time limit",
     .life = {.no_leader = true, .limit_reached = true, .kill_us = 20, .first_step_us = 10},
     .unknown = true,
     .cause = TASK_CAUSE_TIME_LIMIT,
     .method = TASK_METHOD_CGROUP_KILL,
     .text = "its time limit of 1.500 s was exceeded"},
};

static struct ending_facts facts_of(const struct row *row)
{
    return (struct ending_facts){.life = &row->life,
                                 .could_not_start = row->could_not_start,
                                 .status_known = !row->unknown,
                                 .wait_status = row->wait_status,
                                 .memory_limit_bytes = row->memory_limit,
                                 .runtime_ms = 1500,
                                 .processes_at_kill = -1,
                                 .escaped = -1,
                                 .cgroup_inode = 7,
                                 .cpu_us = -1,
                                 .memory_peak_bytes = 0,
                                 .oom_kills = row->oom_kills,
                                 .memory_at_limit = row->at_limit,
                                 .io_read_bytes = -1,
                                 .io_write_bytes = -1,
                                 .boot_id = "boot",
                                 .recorded_us = 50};
}

ParameterizedTestParameters(ending, facts_become_cause_method_and_sentence)
{
    return cr_make_param_array(struct row, rows, sizeof(rows) / sizeof(rows[0]));
}

ParameterizedTest(struct row *row, ending, facts_become_cause_method_and_sentence)
{
    const struct ending_facts facts = facts_of(row);
    struct ending ending;

    ending_make(&ending, &facts);
    cr_expect_eq((int) ending.ending.cause, (int) row->cause, "%s: cause %d", row->name,
                 (int) ending.ending.cause);
    cr_expect_eq((int) ending.proof.method, (int) row->method, "%s: method %d", row->name,
                 (int) ending.proof.method);
    cr_expect_str_eq(ending.text, row->text, "%s: '%s'", row->name, ending.text);
}

Test(ending, what_is_not_known_is_absent_and_zero_is_said)
{
    const struct ending_facts facts = facts_of(&rows[0]);
    struct ending ending;

    ending_make(&ending, &facts);
    cr_expect_eq(ending.proof.has_processes_at_kill_case, 0);
    cr_expect_eq(ending.proof.has_kill_us_case, 0);
    cr_expect_eq(ending.proof.has_escaped_case, 0);
    cr_expect_eq(ending.usage.has_cpu_us_case, 0);
    cr_expect_neq(ending.usage.has_memory_peak_bytes_case, 0, "0 bytes are known");
    cr_expect_neq(ending.ending.has_exit_code_case, 0, "exit code 0 is known");
    cr_expect_eq(ending.ending.has_signal_case, 0);
    cr_expect_eq(ending.proof.recorded_us, 50);
}

Test(ending, a_program_that_never_ran_has_no_exit_code)
{
    struct ending_facts facts = facts_of(&rows[12]);
    struct ending ending;

    cr_assert_not_null(facts.could_not_start);
    ending_make(&ending, &facts);
    cr_expect_eq(ending.ending.has_exit_code_case, 0);
    cr_expect_eq(ending.ending.has_signal_case, 0);
}

Test(ending, steps_count_from_the_first)
{
    const struct life life = {.first_step_us = 100,
                              .received_us = 100,
                              .term_us = 100,
                              .kill_us = 1100,
                              .empty_us = 1200,
                              .reaped_us = 1300};
    struct ending_facts facts = facts_of(&rows[0]);
    struct ending ending;

    facts.life = &life;
    facts.recorded_us = 1400;
    ending_make(&ending, &facts);
    cr_expect_eq(ending.proof.has_received_us_case, QUELL__PB__PROOF__HAS_RECEIVED_US_RECEIVED_US);
    cr_expect_eq(ending.proof.received_us, 0);
    cr_expect_eq(ending.proof.has_term_us_case, QUELL__PB__PROOF__HAS_TERM_US_TERM_US);
    cr_expect_eq(ending.proof.has_kill_us_case, QUELL__PB__PROOF__HAS_KILL_US_KILL_US);
    cr_expect_eq(ending.proof.kill_us, 1000);
    cr_expect_eq(ending.proof.has_empty_us_case, QUELL__PB__PROOF__HAS_EMPTY_US_EMPTY_US);
    cr_expect_eq(ending.proof.empty_us, 1100);
    cr_expect_eq(ending.proof.has_reaped_us_case, QUELL__PB__PROOF__HAS_REAPED_US_REAPED_US);
    cr_expect_eq(ending.proof.has_recorded_us_case, QUELL__PB__PROOF__HAS_RECORDED_US_RECORDED_US);
    cr_expect_eq(ending.proof.recorded_us, 1300);
}
