#include "head/task_view.h"

#include "ipc/task_json.h"

#include <string.h>

static json_t *text(const char *value)
{
    return value ? task_json_text(value, strlen(value)) : json_null();
}

/* libquell's 0 is "no limit". */
static json_t *limit(uint64_t value)
{
    return value == 0 ? json_null() : json_integer((json_int_t) value);
}

static json_t *command(const struct quell_task *task)
{
    json_t *array = json_array();

    for (size_t i = 0; i < task->argv_len; i++)
        (void) json_array_append_new(array, text(task->argv[i]));
    return array;
}

static json_t *cancelled_by(const struct quell_attempt *attempt)
{
    if (!attempt->cancel_accepted)
        return json_null();
    return json_pack("{s:o, s:o}", "uid", task_json_number(attempt->cancelled_by_uid), "name",
                     task_json_name_or_null(attempt->cancelled_by_name));
}

static void set(json_t *object, const char *name, json_t *value)
{
    (void) json_object_set_new(object, name, value);
}

/* What a task shows of its current attempt, and `attempts` of each earlier one. */
static void set_attempt(json_t *object, const struct quell_attempt *attempt)
{
    set(object, "attempt", json_integer(attempt->attempt));
    set(object, "uid", task_json_name_or_null(attempt->uid));
    set(object, "node", text(attempt->node));
    set(object, "status", text(task_status_name(attempt->status)));
    set(object, "error_message", text(attempt->error_message));
    set(object, "exit_code", task_json_number(attempt->exit_code));
    set(object, "signal", task_json_number(attempt->signal));
    set(object, "cause", task_json_name_or_null(task_cause_name(attempt->cause)));
    set(object, "cancelled_by", cancelled_by(attempt));
    set(object, "cancel_time", task_json_time(attempt->cancel_time_us));
    set(object, "submit_time", task_json_time(attempt->submit_time_us));
    set(object, "start_time", task_json_time(attempt->start_time_us));
    set(object, "end_time", task_json_time(attempt->end_time_us));
    set(object, "proof", task_json_proof(&attempt->proof));
    set(object, "usage", task_json_usage(&attempt->usage));
}

static json_t *earlier_attempts(const struct quell_task *task)
{
    json_t *array = json_array();

    for (size_t i = 0; i < task->attempts_len; i++) {
        json_t *object = json_object();

        set_attempt(object, &task->attempts[i]);
        (void) json_array_append_new(array, object);
    }
    return array;
}

json_t *task_view(const struct quell_task *task)
{
    json_t *object = json_object();

    set(object, "job_id", json_integer(task->job_id));
    set(object, "task_id", json_integer(task->task_id));
    set_attempt(object, &task->current);
    set(object, "attempts", earlier_attempts(task));
    set(object, "user", text(task->user));
    set(object, "name", text(task->name));
    set(object, "command", command(task));
    set(object, "cgroup", text(task->cgroup));
    set(object, "stuck", json_null());
    set(object, "kill_time", task_json_time(task->current.kill_time_us));
    set(object, "requeue_node", text(task->requeue_node));
    set(object, "rerunnable", json_boolean(task->rerunnable));
    set(object, "runtime_ms", limit(task->runtime_ms));
    set(object, "memory_bytes", limit(task->memory_bytes));
    set(object, "cpus", task->cpu_milli ? json_real(task->cpu_milli / 1000.0) : json_null());
    set(object, "pids", limit(task->pids));
    set(object, "grace_ms", json_integer((json_int_t) task->grace_ms));
    return object;
}

json_t *event_view(const struct quell_event *event)
{
    json_t *object = json_object();

    set(object, "event_id", json_integer((json_int_t) event->id));
    set(object, "time", task_json_time(event->time_us));
    set(object, "job_id", json_integer(event->job_id));
    set(object, "task_id", json_integer(event->task_id));
    set(object, "attempt", json_integer(event->attempt));
    set(object, "node", text(event->node));
    set(object, "user", text(event->user));
    set(object, "status", text(task_status_name(event->status)));
    set(object, "cause", task_json_name_or_null(task_cause_name(event->cause)));
    set(object, "exit_code", task_json_number(event->exit_code));
    set(object, "signal", task_json_number(event->signal));
    set(object, "error_message", text(event->error_message));
    return object;
}

json_t *node_view(const struct quell_node *node)
{
    json_t *object = json_object();

    set(object, "node", text(node->name));
    set(object, "state", text(node->state));
    set(object, "last_heard", task_json_time(node->last_heard_us));
    set(object, "cgroup_mode", task_json_name_or_null(node->cgroup_mode));
    set(object, "boot_id", task_json_name_or_null(node->boot_id));
    set(object, "version", task_json_name_or_null(node->version));
    set(object, "cores", json_integer(node->cores));
    set(object, "memory_bytes", json_integer((json_int_t) node->memory_bytes));
    set(object, "tasks_running", json_integer(node->tasks_running));
    set(object, "tasks_queued", json_integer(node->tasks_queued));
    return object;
}
