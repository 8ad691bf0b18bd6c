#include "ipc/task.h"

#include "base/units.h"
#include "base/utf8.h"
#include "quell.pb-c.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define SAME(ours, theirs)                                                                         \
    _Static_assert((int) (ours) == (int) (theirs), #ours " is another number in the schema")

SAME(TASK_CAUSE_NONE, QUELL__PB__CAUSE__CAUSE_NONE);
SAME(TASK_CAUSE_EXIT_CODE, QUELL__PB__CAUSE__CAUSE_EXIT_CODE);
SAME(TASK_CAUSE_SIGNAL, QUELL__PB__CAUSE__CAUSE_SIGNAL);
SAME(TASK_CAUSE_CORE_DUMP, QUELL__PB__CAUSE__CAUSE_CORE_DUMP);
SAME(TASK_CAUSE_TIME_LIMIT, QUELL__PB__CAUSE__CAUSE_TIME_LIMIT);
SAME(TASK_CAUSE_OUT_OF_MEMORY, QUELL__PB__CAUSE__CAUSE_OUT_OF_MEMORY);
SAME(TASK_CAUSE_COULD_NOT_START, QUELL__PB__CAUSE__CAUSE_COULD_NOT_START);
SAME(TASK_CAUSE_NODE_REBOOTED, QUELL__PB__CAUSE__CAUSE_NODE_REBOOTED);
SAME(TASK_CAUSE_NODE_SHUTDOWN, QUELL__PB__CAUSE__CAUSE_NODE_SHUTDOWN);
SAME(TASK_CAUSE_NODE_LOST, QUELL__PB__CAUSE__CAUSE_NODE_LOST);
SAME(TASK_CAUSE_UNKNOWN, QUELL__PB__CAUSE__CAUSE_UNKNOWN);
SAME(TASK_CAUSE_CANCELLED, QUELL__PB__CAUSE__CAUSE_CANCELLED);
SAME(TASK_METHOD_NONE, QUELL__PB__METHOD__METHOD_NONE);
SAME(TASK_METHOD_EXITED, QUELL__PB__METHOD__METHOD_EXITED);
SAME(TASK_METHOD_LEFTOVERS, QUELL__PB__METHOD__METHOD_LEFTOVERS);
SAME(TASK_METHOD_CGROUP_KILL, QUELL__PB__METHOD__METHOD_CGROUP_KILL);
SAME(TASK_METHOD_V1_FREEZER, QUELL__PB__METHOD__METHOD_V1_FREEZER);
SAME(TASK_METHOD_EXITED_IN_GRACE, QUELL__PB__METHOD__METHOD_EXITED_IN_GRACE);
SAME(TASK_METHOD_ALREADY_ENDED, QUELL__PB__METHOD__METHOD_ALREADY_ENDED);
SAME(TASK_METHOD_NEVER_STARTED, QUELL__PB__METHOD__METHOD_NEVER_STARTED);

#define STATUS_PREFIX "TaskStatus_"

static const char *const status_names[] = {
    [TASK_NOT_SUBMITTED] = STATUS_PREFIX "NotSubmitted",
    [TASK_QUEUED] = STATUS_PREFIX "Queued",
    [TASK_RUNNING] = STATUS_PREFIX "Running",
    [TASK_FINISHED] = STATUS_PREFIX "Finished",
    [TASK_FAILED] = STATUS_PREFIX "Failed",
    [TASK_CANCELLED] = STATUS_PREFIX "Cancelled",
};
_Static_assert(COUNT(status_names) == TASK_STATUS_COUNT, "a status has no name");

static const char *const cause_names[] = {
    [TASK_CAUSE_NONE] = NULL,
    [TASK_CAUSE_EXIT_CODE] = "exit_code",
    [TASK_CAUSE_SIGNAL] = "signal",
    [TASK_CAUSE_CORE_DUMP] = "core_dump",
    [TASK_CAUSE_TIME_LIMIT] = "time_limit",
    [TASK_CAUSE_OUT_OF_MEMORY] = "out_of_memory",
    [TASK_CAUSE_COULD_NOT_START] = "could_not_start",
    [TASK_CAUSE_NODE_REBOOTED] = "node_rebooted",
    [TASK_CAUSE_NODE_SHUTDOWN] = "node_shutdown",
    [TASK_CAUSE_NODE_LOST] = "node_lost",
    [TASK_CAUSE_UNKNOWN] = "unknown",
    [TASK_CAUSE_CANCELLED] = "cancelled",
};
_Static_assert(COUNT(cause_names) == TASK_CAUSE_COUNT, "a cause has no name");

static const char *const method_names[] = {
    [TASK_METHOD_NONE] = NULL,
    [TASK_METHOD_EXITED] = "exited",
    [TASK_METHOD_LEFTOVERS] = "leftovers",
    [TASK_METHOD_CGROUP_KILL] = "cgroup_kill",
    [TASK_METHOD_V1_FREEZER] = "v1_freezer",
    [TASK_METHOD_EXITED_IN_GRACE] = "exited_in_grace",
    [TASK_METHOD_ALREADY_ENDED] = "already_ended",
    [TASK_METHOD_NEVER_STARTED] = "never_started",
};
_Static_assert(COUNT(method_names) == TASK_METHOD_COUNT, "a method has no name");
_Static_assert(TASK_MESSAGE_MAX == 320, "the sentence of TASK_E_MESSAGE_TOO_LONG names the limit");

const char *task_error_text(int code)
{
    static const struct {
        enum task_error code;
        const char *text;
    } errors[] = {
        {TASK_E_UNKNOWN_TASK, "There is no such task."},
        {TASK_E_ENDED, "The task has ended already, so it can't be cancelled."},
        {TASK_E_MESSAGE_TOO_LONG, "The message is longer than 320 Unicode characters."},
        {TASK_E_NOT_RERUNNABLE, "The task is not rerunnable, so it can't be requeued."},
        {TASK_E_INVALID, "An argument makes no sense."},
        {TASK_E_WRONG_STATUS, "The verb does not fit the status of the task."},
        {TASK_E_NOT_FOUND, "There is no such node or job."},
        {TASK_E_DENIED, "The one who asks is not permitted to do this."},
        {TASK_E_BUSY, "It could not be recorded now: nothing has changed."},
    };

    for (size_t i = 0; i < COUNT(errors); i++)
        if ((int) errors[i].code == code)
            return errors[i].text;
    return NULL;
}

const char *task_status_name(enum task_status status)
{
    assert((unsigned) status < TASK_STATUS_COUNT);
    return status_names[status];
}

bool task_status_parse(const char *text, enum task_status *ret)
{
    const size_t prefix_len = strlen(STATUS_PREFIX);

    for (size_t i = 0; i < COUNT(status_names); i++)
        if (strcmp(text, status_names[i]) == 0 || strcmp(text, status_names[i] + prefix_len) == 0) {
            *ret = (enum task_status) i;
            return true;
        }
    return false;
}

bool task_status_is_terminal(enum task_status status)
{
    return status == TASK_FINISHED || status == TASK_FAILED || status == TASK_CANCELLED;
}

/* Causes and methods come from the wire, where a newer node may know more of them. */
const char *task_cause_name(enum task_cause cause)
{
    return (unsigned) cause < TASK_CAUSE_COUNT ? cause_names[cause]
                                               : cause_names[TASK_CAUSE_UNKNOWN];
}

const char *task_method_name(enum task_method method)
{
    return (unsigned) method < TASK_METHOD_COUNT ? method_names[method] : NULL;
}

const char *task_signal_name(uint32_t signal)
{
#define NAME(sig) [sig] = #sig
    static const char *const names[] = {
        NAME(SIGHUP),    NAME(SIGINT),  NAME(SIGQUIT),  NAME(SIGILL),  NAME(SIGTRAP), NAME(SIGABRT),
        NAME(SIGBUS),    NAME(SIGFPE),  NAME(SIGKILL),  NAME(SIGUSR1), NAME(SIGSEGV), NAME(SIGUSR2),
        NAME(SIGPIPE),   NAME(SIGALRM), NAME(SIGTERM),  NAME(SIGCHLD), NAME(SIGCONT), NAME(SIGSTOP),
        NAME(SIGTSTP),   NAME(SIGTTIN), NAME(SIGTTOU),  NAME(SIGURG),  NAME(SIGXCPU), NAME(SIGXFSZ),
        NAME(SIGVTALRM), NAME(SIGPROF), NAME(SIGWINCH), NAME(SIGIO),   NAME(SIGPWR),  NAME(SIGSYS),
        NAME(SIGSTKFLT),
    };
#undef NAME
    static _Thread_local char number[32];

    if (signal < COUNT(names) && names[signal])
        return names[signal];
    (void) snprintf(number, sizeof(number), "signal %u", signal);
    return number;
}

/* One id as it is printed: a second spelling of the same task ("7.01") would only confuse. */
static bool task_id_part_parse(const char *text, size_t len, uint32_t *ret)
{
    char digits[16];
    uint64_t value;

    if (len == 0 || len >= sizeof(digits) || text[0] == '0')
        return false;
    memcpy(digits, text, len);
    digits[len] = '\0';
    if (units_parse_number(digits, 1, TASK_ID_MAX, &value) < 0)
        return false;
    *ret = (uint32_t) value;
    return true;
}

bool task_id_parse(const char *text, uint32_t *ret_job_id, uint32_t *ret_task_id)
{
    const char *dot = strchr(text, '.');
    uint32_t job_id;
    uint32_t task_id;

    if (!dot || !task_id_part_parse(text, (size_t) (dot - text), &job_id) ||
        !task_id_part_parse(dot + 1, strlen(dot + 1), &task_id))
        return false;
    *ret_job_id = job_id;
    *ret_task_id = task_id;
    return true;
}

bool task_text_is_utf8(const uint8_t *bytes, size_t len, size_t *ret_len)
{
    size_t points = 0;

    for (size_t i = 0; i < len; points++) {
        uint32_t point;
        const size_t n = utf8_decode(bytes + i, len - i, &point);

        if (n == 0 || point == 0)
            return false;
        i += n;
    }
    *ret_len = points;
    return true;
}

enum task_message_check task_message_check(const uint8_t *bytes, size_t len, size_t *ret_len)
{
    if (!task_text_is_utf8(bytes, len, ret_len))
        return TASK_MESSAGE_NOT_TEXT;
    return *ret_len > TASK_MESSAGE_MAX ? TASK_MESSAGE_TOO_LONG : TASK_MESSAGE_OK;
}

enum task_status task_status_of_end(bool cancel_accepted, enum task_cause cause)
{
    if (cancel_accepted)
        return TASK_CANCELLED;
    return cause == TASK_CAUSE_NONE ? TASK_FINISHED : TASK_FAILED;
}

bool task_group_path_is_valid(const char *path)
{
    const char *part = path;

    if (*path != '/' || strlen(path) > TASK_GROUP_PATH_MAX)
        return false;
    for (; *part == '/'; part += strcspn(part, "/")) {
        const size_t len = strcspn(++part, "/");

        if (len == 0 || (len <= 2 && strspn(part, ".") >= len))
            return false;
    }
    return true;
}

bool task_node_name_is_valid(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789.-_";
    const size_t len = strlen(name);

    return len >= 1 && len <= TASK_NODE_NAME_MAX && strspn(name, allowed) == len;
}
