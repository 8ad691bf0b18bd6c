#pragma once

/*
 * task_pb.h - between the schema's messages and the plain values of task.h.
 *
 * An optional field `x` is a oneof `has_x` (see quell.proto): TASK_PB_HAS(m, x) asks for it, and
 * the case's value is the field's number.
 */
#include "ipc/task.h"
#include "quell.pb-c.h"

#define TASK_PB_HAS(message, field) ((message)->has_##field##_case != 0)

void task_proof_from_pb(const Quell__Pb__Proof *pb, struct task_proof *ret); /* NULL: not known */
void task_usage_from_pb(const Quell__Pb__Usage *pb, struct task_usage *ret);
