#include "agent/status_task.h"

#include "agent/agent.h"
#include "base/clock.h"
#include "ipc/task_json.h"
#include "ipc/task_pb.h"

#include <string.h>

enum task_status status_task_status(const struct task *task)
{
    if (task->ending)
        return task_status_of_end(task->state.cancelled, (enum task_cause) task->ending->cause);
    return task->state.phase == ATTEMPT_RUNNING ? TASK_RUNNING : TASK_QUEUED;
}

static json_t *status_command(const Quell__Pb__Spec *spec)
{
    json_t *array = json_array();

    for (size_t i = 0; spec && i < spec->n_argv; i++)
        (void) json_array_append_new(array, task_json_text(spec->argv[i].data, spec->argv[i].len));
    return array;
}

static json_t *status_cgroup(const Quell__Pb__Spec *spec)
{
    return spec && spec->cgroup.len ? task_json_text(spec->cgroup.data, spec->cgroup.len)
                                    : json_null();
}

static json_t *status_message(const struct task *task)
{
    const Quell__Pb__Cancel *cancel = task->command->cancel;

    if (task->state.cancelled && task->ending)
        return cancel && TASK_PB_HAS(cancel, message)
                   ? task_json_text(cancel->message, strlen(cancel->message))
                   : json_null();
    return task->ending ? task_json_name_or_null(task->ending->text) : json_null();
}

static json_t *status_canceller(const Quell__Pb__Cancel *cancel)
{
    if (!cancel || !TASK_PB_HAS(cancel, by_uid))
        return json_null();
    return json_pack("{s:I, s:o}", "uid", (json_int_t) cancel->by_uid, "name",
                     task_json_name_or_null(cancel->by_name));
}

static json_t *status_cause(const struct task *task)
{
    const enum task_cause cause = !task->ending           ? TASK_CAUSE_NONE
                                  : task->state.cancelled ? TASK_CAUSE_CANCELLED
                                                          : (enum task_cause) task->ending->cause;

    return task_json_name_or_null(task_cause_name(cause));
}

static json_t *status_exit_code(const struct task *task)
{
    return task->ending && TASK_PB_HAS(task->ending, exit_code)
               ? task_json_number(task->ending->exit_code)
               : json_null();
}

static json_t *status_signal(const struct task *task)
{
    return task->ending && TASK_PB_HAS(task->ending, signal)
               ? task_json_number(task->ending->signal)
               : json_null();
}

static void status_add_end(const struct task *task, json_t *object)
{
    const Quell__Pb__Ending *ending = task->ending;
    struct task_proof proof;
    struct task_usage usage;

    task_proof_from_pb(ending ? ending->proof : NULL, &proof);
    task_usage_from_pb(ending ? ending->usage : NULL, &usage);
    (void) json_object_set_new(object, "exit_code", status_exit_code(task));
    (void) json_object_set_new(object, "signal", status_signal(task));
    (void) json_object_set_new(object, "cause", status_cause(task));
    (void) json_object_set_new(object, "end_time",
                               task_json_time(ending ? ending->end_time_us : 0));
    (void) json_object_set_new(object, "proof", task_json_proof(&proof));
    (void) json_object_set_new(object, "usage", task_json_usage(&usage));
}

json_t *status_task_json(const struct task *task)
{
    const Quell__Pb__Name *name = task->command->name;
    const Quell__Pb__Spec *spec = task->command->start;
    const Quell__Pb__Cancel *cancel = task->command->cancel;
    json_t *object = json_pack(
        "{s:I, s:I, s:I, s:s, s:s, s:o, s:o, s:o, s:s, s:s, s:o, s:n, s:o, s:o, s:o, s:b}",
        "job_id", (json_int_t) name->job_id, "task_id", (json_int_t) name->task_id, "attempt",
        (json_int_t) name->attempt, "uid", task->uid_text, "node", task->agent->options.node,
        "user", task_json_name_or_null(spec ? spec->user : NULL), "command", status_command(spec),
        "cgroup", status_cgroup(spec), "status", task_status_name(status_task_status(task)),
        "phase", attempt_phase_name(task->state.phase), "error_message", status_message(task),
        "stuck", "cancelled_by", status_canceller(cancel), "cancel_time",
        task_json_time(cancel ? cancel->time_us : 0), "start_time",
        task_json_time(task->started ? task->started->start_time_us : 0), "recorded",
        !task->ending_unrecorded);

    if (object)
        status_add_end(task, object);
    return object;
}

json_t *status_task_event(const struct task *task, uint64_t id)
{
    const Quell__Pb__Name *name = task->command->name;
    const Quell__Pb__Spec *spec = task->command->start;

    return json_pack("{s:I, s:o, s:I, s:I, s:I, s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:o}",
                     "event_id", (json_int_t) id, "time", task_json_time(clock_wall_us()), "job_id",
                     (json_int_t) name->job_id, "task_id", (json_int_t) name->task_id, "attempt",
                     (json_int_t) name->attempt, "node", task->agent->options.node, "user",
                     task_json_name_or_null(spec ? spec->user : NULL), "status",
                     task_status_name(status_task_status(task)), "phase",
                     attempt_phase_name(task->state.phase), "cause", status_cause(task),
                     "exit_code", status_exit_code(task), "signal", status_signal(task),
                     "error_message", status_message(task));
}
