#include "ipc/task_pb.h"

#include <criterion/criterion.h>
#include <string.h>

Test(task_pb, what_is_absent_is_unknown_and_not_zero)
{
    Quell__Pb__Proof proof_pb = QUELL__PB__PROOF__INIT;
    Quell__Pb__Usage usage_pb = QUELL__PB__USAGE__INIT;
    struct task_proof proof;
    struct task_usage usage;

    task_proof_from_pb(NULL, &proof);
    task_usage_from_pb(NULL, &usage);
    cr_expect_not(proof.known);
    cr_expect_not(usage.known);
    cr_expect_eq(proof.signals_sent, TASK_UNKNOWN);

    task_proof_from_pb(&proof_pb, &proof);
    task_usage_from_pb(&usage_pb, &usage);
    cr_expect(proof.known);
    cr_expect(usage.known);
    cr_expect_eq(proof.signals_sent, 0, "this one is always counted");
    cr_expect_eq(proof.method, TASK_METHOD_NONE);
    cr_expect_str_eq(proof.boot_id, "");
    const int64_t unknown[] = {
        proof.processes_at_kill, proof.escaped,        proof.cgroup_inode, proof.received_us,
        proof.term_us,           proof.kill_us,        proof.empty_us,     proof.reaped_us,
        proof.recorded_us,       usage.cpu_us,         usage.oom_kills,    usage.memory_peak_bytes,
        usage.io_read_bytes,     usage.io_write_bytes,
    };
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        cr_expect_eq(unknown[i], TASK_UNKNOWN, "row %zu", i);
}

#define GIVE(message, kind, field, name, value)                                                    \
    ((message).has_##field##_case = QUELL__PB__##kind##__HAS_##name##_##name,                      \
     (message).field = (value))

Test(task_pb, every_number_arrives_in_its_place)
{
    char boot_id[] = "2f1c8a52-58d8-4ef9-a2c4-1d7d17f1b4a1";
    Quell__Pb__Proof proof_pb = QUELL__PB__PROOF__INIT;
    Quell__Pb__Usage usage_pb = QUELL__PB__USAGE__INIT;
    struct task_proof proof;
    struct task_usage usage;

    proof_pb.method = QUELL__PB__METHOD__METHOD_CGROUP_KILL;
    proof_pb.signals_sent = 50;
    proof_pb.boot_id = boot_id;
    GIVE(proof_pb, PROOF, processes_at_kill, PROCESSES_AT_KILL, 0);
    GIVE(proof_pb, PROOF, escaped, ESCAPED, 2);
    GIVE(proof_pb, PROOF, cgroup_inode, CGROUP_INODE, 3);
    GIVE(proof_pb, PROOF, received_us, RECEIVED_US, 4);
    GIVE(proof_pb, PROOF, term_us, TERM_US, 5);
    GIVE(proof_pb, PROOF, kill_us, KILL_US, 6);
    GIVE(proof_pb, PROOF, empty_us, EMPTY_US, 7);
    GIVE(proof_pb, PROOF, reaped_us, REAPED_US, 8);
    GIVE(proof_pb, PROOF, recorded_us, RECORDED_US, INT64_MAX);
    GIVE(usage_pb, USAGE, cpu_us, CPU_US, 10);
    GIVE(usage_pb, USAGE, memory_peak_bytes, MEMORY_PEAK_BYTES, 11);
    GIVE(usage_pb, USAGE, oom_kills, OOM_KILLS, 0);
    GIVE(usage_pb, USAGE, io_read_bytes, IO_READ_BYTES, 13);
    GIVE(usage_pb, USAGE, io_write_bytes, IO_WRITE_BYTES, 14);

    task_proof_from_pb(&proof_pb, &proof);
    task_usage_from_pb(&usage_pb, &usage);
    cr_expect(proof.known && usage.known);
    cr_expect_eq(proof.method, TASK_METHOD_CGROUP_KILL);
    cr_expect_eq(proof.signals_sent, 50);
    cr_expect_str_eq(proof.boot_id, boot_id);
    cr_expect_eq(proof.processes_at_kill, 0);
    cr_expect_eq(proof.escaped, 2);
    cr_expect_eq(proof.cgroup_inode, 3);
    cr_expect_eq(proof.received_us, 4);
    cr_expect_eq(proof.term_us, 5);
    cr_expect_eq(proof.kill_us, 6);
    cr_expect_eq(proof.empty_us, 7);
    cr_expect_eq(proof.reaped_us, 8);
    cr_expect_eq(proof.recorded_us, INT64_MAX);
    cr_expect_eq(usage.cpu_us, 10);
    cr_expect_eq(usage.memory_peak_bytes, 11);
    cr_expect_eq(usage.oom_kills, 0);
    cr_expect_eq(usage.io_read_bytes, 13);
    cr_expect_eq(usage.io_write_bytes, 14);
}

Test(task_pb, values_that_make_no_sense_become_unknown)
{
    Quell__Pb__Proof proof_pb = QUELL__PB__PROOF__INIT;
    struct task_proof proof;
    char boot_id[64];

    memset(boot_id, 'x', sizeof(boot_id));
    boot_id[40] = '\0';
    proof_pb.boot_id = boot_id;
    proof_pb.method = (Quell__Pb__Method) 99;
    GIVE(proof_pb, PROOF, kill_us, KILL_US, (uint64_t) INT64_MAX + 1);
    GIVE(proof_pb, PROOF, term_us, TERM_US, UINT64_MAX);
    task_proof_from_pb(&proof_pb, &proof);
    cr_expect_eq(proof.method, TASK_METHOD_NONE);
    cr_expect_eq(proof.kill_us, TASK_UNKNOWN);
    cr_expect_eq(proof.term_us, TASK_UNKNOWN);
    cr_expect_str_eq(proof.boot_id, "");

    proof_pb.method = (Quell__Pb__Method) -1;
    boot_id[39] = '\0';
    task_proof_from_pb(&proof_pb, &proof);
    cr_expect_eq(proof.method, TASK_METHOD_NONE);
    cr_expect_str_eq(proof.boot_id, boot_id);
}
