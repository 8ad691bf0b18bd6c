#include "ipc/task_pb.h"

#include <string.h>

static int64_t task_number(bool known, uint64_t value)
{
    return known && value <= INT64_MAX ? (int64_t) value : TASK_UNKNOWN;
}

#define NUMBER(message, field) task_number(TASK_PB_HAS(message, field), (message)->field)

static enum task_method task_method_from_pb(Quell__Pb__Method method)
{
    /* proto3 lets any number through, and a newer node may know more methods. */
    return (unsigned) method < TASK_METHOD_COUNT ? (enum task_method) method : TASK_METHOD_NONE;
}

void task_proof_from_pb(const Quell__Pb__Proof *pb, struct task_proof *ret)
{
    *ret = (struct task_proof){
        .processes_at_kill = TASK_UNKNOWN,
        .escaped = TASK_UNKNOWN,
        .cgroup_inode = TASK_UNKNOWN,
        .signals_sent = TASK_UNKNOWN,
        .received_us = TASK_UNKNOWN,
        .term_us = TASK_UNKNOWN,
        .kill_us = TASK_UNKNOWN,
        .empty_us = TASK_UNKNOWN,
        .reaped_us = TASK_UNKNOWN,
        .recorded_us = TASK_UNKNOWN,
    };
    if (!pb)
        return;
    ret->known = true;
    ret->method = task_method_from_pb(pb->method);
    ret->processes_at_kill = NUMBER(pb, processes_at_kill);
    ret->escaped = NUMBER(pb, escaped);
    ret->cgroup_inode = NUMBER(pb, cgroup_inode);
    ret->signals_sent = pb->signals_sent;
    ret->received_us = NUMBER(pb, received_us);
    ret->term_us = NUMBER(pb, term_us);
    ret->kill_us = NUMBER(pb, kill_us);
    ret->empty_us = NUMBER(pb, empty_us);
    ret->reaped_us = NUMBER(pb, reaped_us);
    ret->recorded_us = NUMBER(pb, recorded_us);
    if (pb->boot_id && strlen(pb->boot_id) < sizeof(ret->boot_id))
        memcpy(ret->boot_id, pb->boot_id, strlen(pb->boot_id) + 1);
}

void task_usage_from_pb(const Quell__Pb__Usage *pb, struct task_usage *ret)
{
    *ret = (struct task_usage){
        .cpu_us = TASK_UNKNOWN,
        .memory_peak_bytes = TASK_UNKNOWN,
        .oom_kills = TASK_UNKNOWN,
        .io_read_bytes = TASK_UNKNOWN,
        .io_write_bytes = TASK_UNKNOWN,
    };
    if (!pb)
        return;
    ret->known = true;
    ret->cpu_us = NUMBER(pb, cpu_us);
    ret->memory_peak_bytes = NUMBER(pb, memory_peak_bytes);
    ret->oom_kills = NUMBER(pb, oom_kills);
    ret->io_read_bytes = NUMBER(pb, io_read_bytes);
    ret->io_write_bytes = NUMBER(pb, io_write_bytes);
}
