#include "libquell/core/task_check.h"

#include "libquell/core/task_rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int check_ids(const struct quell_task_request *request, struct err *err)
{
    if (request->job_id > TASK_ID_MAX)
        return err_set(err, TASK_E_INVALID, "job_id %" PRIu32 " is out of range: 1 to %u",
                       request->job_id, TASK_ID_MAX);
    if (request->task_id > TASK_ID_MAX)
        return err_set(err, TASK_E_INVALID, "task_id %" PRIu32 " is out of range: 1 to %u",
                       request->task_id, TASK_ID_MAX);
    return 0;
}

static int check_names(const struct quell_task_request *request, struct err *err)
{
    size_t characters = 0;

    if (!request->node || *request->node == '\0')
        return err_set(err, TASK_E_INVALID, "a task needs a node");
    if (!task_node_name_is_valid(request->node))
        return err_set(err, TASK_E_INVALID,
                       "\"%.300s\" is no node's name: 1 to %u of letters, digits, '.', '-' and '_'",
                       request->node, TASK_NODE_NAME_MAX);
    if (!request->name)
        return 0;
    if (!task_text_is_utf8((const uint8_t *) request->name, strlen(request->name), &characters))
        return err_set(err, TASK_E_INVALID, "the task's name is not text: it must be UTF-8");
    if (characters > TASK_CHECK_NAME_MAX)
        return err_set(err, TASK_E_INVALID,
                       "the task's name has %zu characters, at most %u are allowed", characters,
                       TASK_CHECK_NAME_MAX);
    return 0;
}

/* What a group was made with is its maker's business. */
static int check_cgroup(const struct quell_task_request *request, struct err *err)
{
    const struct {
        const char *name;
        bool given;
    } others[] = {
        {"command", request->argv_len != 0},
        {"env", request->env_len != 0},
        {"workdir", request->workdir != NULL},
        {"stdin", request->stdin_path != NULL},
        {"stdout", request->stdout_path != NULL},
        {"stderr", request->stderr_path != NULL},
        {"memory", request->memory_bytes != 0},
        {"cpus", request->cpu_milli != 0},
        {"pids", request->pids != 0},
    };

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (others[i].given)
            return err_set(err, TASK_E_INVALID,
                           "%s can't be given with cgroup: the group is there already, with all "
                           "that is in it",
                           others[i].name);
    if (!task_group_path_is_valid(request->cgroup))
        return err_set(err, TASK_E_INVALID,
                       "cgroup \"%.300s\" is no group's path as /proc/PID/cgroup shows it: it must "
                       "begin with \"/\", not be the root, have at most %u bytes, and no part that "
                       "is empty, \".\" or \"..\"",
                       request->cgroup, TASK_GROUP_PATH_MAX);
    return 0;
}

static int check_command(const struct quell_task_request *request, struct err *err)
{
    if (request->cgroup)
        return check_cgroup(request, err);
    if (request->argv_len == 0 || *request->argv[0] == '\0')
        return err_set(err, TASK_E_INVALID, "a task needs a command that is not empty");
    for (size_t i = 0; i < request->env_len; i++) {
        const char *equals = strchr(request->env[i], '=');

        if (!equals || equals == request->env[i])
            return err_set(err, TASK_E_INVALID,
                           "\"%.300s\" is no environment entry: it must be NAME=value",
                           request->env[i]);
    }
    return 0;
}

static int check_runtime(const struct quell_task_request *request, struct err *err)
{
    if (request->runtime_ms <= TASK_RUNTIME_MAX_MS)
        return 0;
    return err_set(err, TASK_E_INVALID,
                   "a runtime of %" PRIu64
                   " ms is too long: at most %llu ms (10 years) are allowed",
                   request->runtime_ms, TASK_RUNTIME_MAX_MS);
}

int task_check_request(const struct quell_task_request *request, struct err *err)
{
    int r = check_ids(request, err);

    if (r == 0)
        r = check_names(request, err);
    if (r == 0)
        r = check_command(request, err);
    if (r == 0)
        r = check_runtime(request, err);
    if (r == 0 && request->has_grace)
        r = task_rules_check_grace(request->grace_ms, err);
    return r;
}

/* A node takes digits as a number: the name of a user called "0" would be root's. */
static bool is_number(const char *text)
{
    return text[strspn(text, "0123456789")] == '\0';
}

static int check_user_name(const char *user, struct err *err)
{
    size_t characters;

    if (*user == '\0' || strlen(user) > TASK_CHECK_USER_MAX)
        return err_set(err, TASK_E_INVALID, "user must have 1 to %u bytes", TASK_CHECK_USER_MAX);
    if (!task_text_is_utf8((const uint8_t *) user, strlen(user), &characters))
        return err_set(err, TASK_E_INVALID, "user is not text: it must be UTF-8");
    return 0;
}

int task_check_user(const struct quell_task_request *request, const struct quell_who *who,
                    struct task_check_user *ret, struct err *err)
{
    bool has_name = who->name && *who->name && !is_number(who->name) &&
                    strlen(who->name) <= TASK_CHECK_USER_MAX;
    char number[16];
    int r;

    if (request->cgroup && who->uid != 0 && !who->operator_)
        return err_set(err, TASK_E_DENIED,
                       "user %" PRIu32
                       " may not hand over a group: only root and the operators may",
                       who->uid);
    *ret = (struct task_check_user){.owner_known = true, .owner_uid = who->uid};
    (void) snprintf(number, sizeof(number), "%" PRIu32, who->uid);
    (void) snprintf(ret->user, sizeof(ret->user), "%s", has_name ? who->name : number);
    if (!request->user)
        return 0;
    r = check_user_name(request->user, err);
    if (r < 0)
        return r;
    if (strcmp(request->user, number) == 0 || (has_name && strcmp(request->user, who->name) == 0)) {
        (void) snprintf(ret->user, sizeof(ret->user), "%s", request->user);
        return 0;
    }
    if (who->uid != 0)
        return err_set(err, TASK_E_DENIED,
                       "user %s may not run a task as %s: only root may name another user",
                       ret->user, request->user);
    (void) snprintf(ret->user, sizeof(ret->user), "%s", request->user);
    ret->owner_known = request->has_owner;
    ret->owner_uid = request->has_owner ? request->owner_uid : 0;
    return 0;
}

int task_check_spec_size(size_t len, struct err *err)
{
    if (len <= TASK_SPEC_MAX)
        return 0;
    return err_set(
        err, TASK_E_INVALID,
        "the task's specification (command, environment, paths) has %zu bytes, at most %u "
        "are allowed",
        len, TASK_SPEC_MAX);
}
