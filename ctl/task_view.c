#include "ctl/task_view.h"

#include "ctl/proof_view.h"
#include "ctl/text.h"
#include "ipc/task.h"

#include <inttypes.h>
#include <string.h>

#define LABEL "  %-11s "

static bool has(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return value && !json_is_null(value);
}

void task_view_print_id(FILE *out, const json_t *task)
{
    int64_t job_id;
    int64_t task_id;

    if (text_get_number(task, "job_id", &job_id) && text_get_number(task, "task_id", &task_id))
        (void) fprintf(out, "%" PRId64 ".%" PRId64, job_id, task_id);
    else
        (void) fputs("?.?", out);
}

const char *task_view_what(const json_t *task)
{
    return has(task, "cgroup") ? "cgroup" : "command";
}

void task_view_print_line(FILE *out, const json_t *task)
{
    task_view_print_id(out, task);
    (void) fputs("  ", out);
    text_write_field(out, task, "status");
    if (has(task, "error_message")) {
        (void) fputs("  ", out);
        text_write_field(out, task, "error_message");
    }
    (void) fputc('\n', out);
}

static void print_field(FILE *out, const json_t *task, const char *key, const char *label)
{
    if (!has(task, key))
        return;
    (void) fprintf(out, LABEL, label);
    text_write_field(out, task, key);
    (void) fputc('\n', out);
}

/* "task 7.1  attempt 0  name sweep" */
static void print_title(FILE *out, const json_t *task)
{
    (void) fputs("task ", out);
    task_view_print_id(out, task);
    if (has(task, "attempt")) {
        (void) fputs("  attempt ", out);
        text_write_field(out, task, "attempt");
    }
    if (has(task, "name")) {
        (void) fputs("  ", out);
        text_write_field(out, task, "name");
    }
    (void) fputc('\n', out);
}

static void print_place(FILE *out, const json_t *task)
{
    (void) fprintf(out, LABEL, "node");
    text_write_field(out, task, "node");
    (void) fputs(", as ", out);
    text_write_field(out, task, "user");
    (void) fputc('\n', out);
}

static void print_limits(FILE *out, const json_t *task)
{
    const char *gap = "";
    int64_t value;

    if (!has(task, "memory_bytes") && !has(task, "cpus") && !has(task, "pids") &&
        !has(task, "runtime_ms"))
        return;
    (void) fprintf(out, LABEL, "limits");
    if (text_get_number(task, "memory_bytes", &value) && value > 0) {
        (void) fputs("memory ", out);
        text_write_bytes(out, value);
        gap = ", ";
    }
    if (has(task, "cpus")) {
        (void) fprintf(out, "%scpus ", gap);
        text_write_field(out, task, "cpus");
        gap = ", ";
    }
    if (has(task, "pids")) {
        (void) fprintf(out, "%spids ", gap);
        text_write_field(out, task, "pids");
        gap = ", ";
    }
    if (text_get_number(task, "runtime_ms", &value) && value > 0)
        (void) fprintf(out, "%sruntime %" PRId64 ".%03d s", gap, value / 1000,
                       (int) (value % 1000));
    (void) fputc('\n', out);
}

static void print_cancel(FILE *out, const json_t *task)
{
    const json_t *by = json_object_get(task, "cancelled_by");

    if (!has(task, "cancelled_by") && !has(task, "cancel_time"))
        return;
    (void) fprintf(out, LABEL, "cancelled");
    (void) fputs("by ", out);
    text_write_json(out, by);
    if (has(by, "name") && has(by, "uid")) {
        (void) fputs(" (uid ", out);
        text_write_field(out, by, "uid");
        (void) fputc(')', out);
    }
    (void) fputs(", accepted ", out);
    text_write_field(out, task, "cancel_time");
    (void) fputc('\n', out);
}

static bool has_exit(const json_t *object)
{
    return has(object, "exit_code") || has(object, "signal") || has(object, "cause");
}

/* "code 3", "signal 9 (SIGKILL)", and the cause where it says more. */
static void write_exit(FILE *out, const json_t *task)
{
    const char *cause = text_get_string(task, "cause");
    int64_t number;

    if (text_get_number(task, "exit_code", &number))
        (void) fprintf(out, "code %" PRId64, number);
    else if (text_get_number(task, "signal", &number) && number > 0 && number < 1024)
        (void) fprintf(out, "signal %" PRId64 " (%s)", number, task_signal_name((uint32_t) number));
    else
        (void) fputs("status not known", out);
    if (cause) {
        (void) fputs(", cause ", out);
        text_write_string(out, cause);
    }
}

static void print_exit(FILE *out, const json_t *task)
{
    if (!has_exit(task))
        return;
    (void) fprintf(out, LABEL, "exit");
    write_exit(out, task);
    (void) fputc('\n', out);
}

static bool has_ended(const json_t *task)
{
    const char *text = text_get_string(task, "status");
    enum task_status status;

    return text && task_status_parse(text, &status) && task_status_is_terminal(status);
}

/* What is to come of it. */
static void print_pending(FILE *out, const json_t *task)
{
    if (!has_ended(task))
        print_field(out, task, "kill_time", "kill due");
    if (has(task, "requeue_node")) {
        (void) fprintf(out, LABEL, "requeue");
        (void) fputs("pending: will be Queued on ", out);
        text_write_field(out, task, "requeue_node");
        (void) fputc('\n', out);
    }
}

/* "attempt 0   TaskStatus_Failed on n1, ended 2026-..., exit code 3, cause exit_code: message" */
static void print_attempt(FILE *out, const json_t *attempt)
{
    char label[32] = "attempt ?";
    int64_t number;

    if (text_get_number(attempt, "attempt", &number))
        (void) snprintf(label, sizeof(label), "attempt %" PRId64, number);
    (void) fprintf(out, LABEL, label);
    text_write_field(out, attempt, "status");
    (void) fputs(" on ", out);
    text_write_field(out, attempt, "node");
    (void) fputs(", ended ", out);
    text_write_field(out, attempt, "end_time");
    if (has_exit(attempt)) {
        (void) fputs(has(attempt, "signal") ? ", " : ", exit ", out);
        write_exit(out, attempt);
    }
    if (has(attempt, "error_message")) {
        (void) fputs(": ", out);
        text_write_field(out, attempt, "error_message");
    }
    (void) fputc('\n', out);
}

static void print_attempts(FILE *out, const json_t *attempts)
{
    size_t i;
    const json_t *attempt;

    json_array_foreach(attempts, i, attempt) print_attempt(out, attempt);
}

static void print_usage(FILE *out, const json_t *usage)
{
    int64_t value;

    if (!json_is_object(usage))
        return;
    (void) fprintf(out, LABEL, "usage");
    (void) fputs("CPU ", out);
    if (text_get_number(usage, "cpu_us", &value))
        text_write_cpu_time(out, value);
    else
        (void) fputc('-', out);
    (void) fputs(", memory at most ", out);
    if (text_get_number(usage, "memory_peak_bytes", &value))
        text_write_bytes(out, value);
    else
        (void) fputc('-', out);
    if (text_get_number(usage, "io_read_bytes", &value)) {
        (void) fputs(", read ", out);
        text_write_bytes(out, value);
    }
    if (text_get_number(usage, "io_write_bytes", &value)) {
        (void) fputs(", written ", out);
        text_write_bytes(out, value);
    }
    if (text_get_number(usage, "oom_kills", &value) && value > 0) {
        (void) fputs(", ", out);
        text_write_plural(out, value, "OOM kill", "OOM kills");
    }
    (void) fputc('\n', out);
}

void task_view_print(FILE *out, const json_t *task)
{
    print_title(out, task);
    print_field(out, task, task_view_what(task), task_view_what(task));
    print_place(out, task);
    print_limits(out, task);
    print_field(out, task, "status", "status");
    print_field(out, task, "error_message", "message");
    print_field(out, task, "stuck", "stuck");
    print_cancel(out, task);
    print_pending(out, task);
    print_exit(out, task);
    print_field(out, task, "submit_time", "submitted");
    print_field(out, task, "start_time", "started");
    print_field(out, task, "end_time", "ended");
    print_usage(out, json_object_get(task, "usage"));
    proof_view_print(out, task);
    print_attempts(out, json_object_get(task, "attempts"));
}
