#include "head/body.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CPUS_MAX 1000000.0

struct member {
    const char *name;
    int (*take)(void *ret, const struct member *member, json_t *value, struct err *err);
    size_t offset; /* of the field in @ret */
    uint64_t max;  /* of a number */
    size_t flag;   /* of the bool that says that it is there; 0: none */
};

static int wrong(const struct member *member, const char *what, struct err *err)
{
    return err_set(err, TASK_E_INVALID, "%s must be %s", member->name, what);
}

/* Jansson has refused what is not UTF-8; a NUL would cut the text. */
static const char *plain_text(const json_t *value)
{
    const char *text = json_string_value(value);

    return text && strlen(text) == json_string_length(value) ? text : NULL;
}

static int take_text(void *ret, const struct member *member, json_t *value, struct err *err)
{
    const char **field = (const char **) ((char *) ret + member->offset);

    *field = plain_text(value);
    return *field ? 0 : wrong(member, "a string without NUL", err);
}

static int take_uint(const struct member *member, json_t *value, uint64_t *ret, struct err *err)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        (uint64_t) json_integer_value(value) > member->max)
        return err_set(err, TASK_E_INVALID, "%s must be a whole number from 0 to %llu",
                       member->name, (unsigned long long) member->max);
    *ret = (uint64_t) json_integer_value(value);
    return 0;
}

static int take_u64(void *ret, const struct member *member, json_t *value, struct err *err)
{
    return take_uint(member, value, (uint64_t *) (void *) ((char *) ret + member->offset), err);
}

static int take_u32(void *ret, const struct member *member, json_t *value, struct err *err)
{
    uint64_t number = 0;
    int r = take_uint(member, value, &number, err);

    if (r == 0)
        *(uint32_t *) (void *) ((char *) ret + member->offset) = (uint32_t) number;
    return r;
}

static int take_id(void *ret, const struct member *member, json_t *value, struct err *err)
{
    if (json_is_integer(value) && json_integer_value(value) >= 1 &&
        json_integer_value(value) <= TASK_ID_MAX)
        return take_u32(ret, member, value, err);
    return wrong(member, "a whole number from 1 to 2147483647", err);
}

static int take_bool(void *ret, const struct member *member, json_t *value, struct err *err)
{
    if (!json_is_boolean(value))
        return wrong(member, "true or false", err);
    *(bool *) ((char *) ret + member->offset) = json_is_true(value);
    return 0;
}

static int take_rerunnable(void *ret, const struct member *member, json_t *value, struct err *err)
{
    int r = take_bool(ret, member, value, err);
    bool *not_rerunnable = (bool *) ((char *) ret + member->offset);

    if (r == 0)
        *not_rerunnable = !*not_rerunnable;
    return r;
}

static int take_cpus(void *ret, const struct member *member, json_t *value, struct err *err)
{
    struct body_task *task = ret;
    double cpus = json_number_value(value);

    if (!json_is_number(value) || !(cpus >= 0 && cpus <= CPUS_MAX))
        return wrong(member, "a number from 0 to 1000000, such as 0.5", err);
    /* A limit that was asked for must not become none. */
    if (cpus > 0 && cpus < 0.001)
        return wrong(member, "0 or at least 0.001", err);
    task->request.cpu_milli = (uint32_t) (cpus * 1000 + 0.5);
    return 0;
}

static int take_argv(void *ret, const struct member *member, json_t *value, struct err *err)
{
    struct body_task *task = ret;
    size_t len = json_array_size(value);

    if (!json_is_array(value))
        return wrong(member, "an array of strings", err);
    task->argv = calloc(len + 1, sizeof(*task->argv));
    if (!task->argv)
        return err_set(err, TASK_E_BUSY, "no memory for the task");
    for (size_t i = 0; i < len; i++) {
        task->argv[i] = plain_text(json_array_get(value, i));
        if (!task->argv[i])
            return wrong(member, "an array of strings without NUL", err);
    }
    task->request.argv = task->argv;
    task->request.argv_len = len;
    return 0;
}

static int take_env(void *ret, const struct member *member, json_t *value, struct err *err)
{
    struct body_task *task = ret;
    const char *name;
    json_t *entry;

    if (!json_is_object(value))
        return wrong(member, "an object of strings", err);
    task->env = calloc(json_object_size(value) + 1, sizeof(*task->env));
    if (!task->env)
        return err_set(err, TASK_E_BUSY, "no memory for the task");
    json_object_foreach(value, name, entry)
    {
        if (!plain_text(entry))
            return wrong(member, "an object of strings without NUL", err);
        if (*name == '\0' || strchr(name, '='))
            return err_set(err, TASK_E_INVALID,
                           "env has a name that is empty or has \"=\" in it: \"%.300s\"", name);
        if (asprintf(&task->env[task->request.env_len], "%s=%s", name, plain_text(entry)) < 0)
            return err_set(err, TASK_E_BUSY, "no memory for the task");
        task->request.env_len++;
    }
    task->request.env = (const char *const *) task->env;
    return 0;
}

static int take_message(void *ret, const struct member *member, json_t *value, struct err *err)
{
    struct body_cancel *cancel = ret;

    cancel->message = plain_text(value);
    cancel->message_len = json_string_length(value);
    return cancel->message ? 0 : wrong(member, "a string without NUL", err);
}

static int take_task_ids(void *ret, const struct member *member, json_t *value, struct err *err)
{
    struct body_cancel *cancel = ret;
    size_t len = json_array_size(value);

    if (len == 0 || len > QUELL_IDS_MAX)
        return wrong(member, "an array of 1 to 10000 numbers of tasks", err);
    cancel->task_ids = calloc(len, sizeof(*cancel->task_ids));
    if (!cancel->task_ids)
        return err_set(err, TASK_E_BUSY, "no memory for the numbers of tasks");
    for (size_t i = 0; i < len; i++) {
        const json_t *id = json_array_get(value, i);

        if (!json_is_integer(id) || json_integer_value(id) < 1 ||
            json_integer_value(id) > TASK_ID_MAX)
            return wrong(member, "an array of whole numbers from 1 to 2147483647", err);
        cancel->task_ids[i] = (uint32_t) json_integer_value(id);
    }
    cancel->task_ids_len = len;
    return 0;
}

#define AT(field)         offsetof(struct body_task, request.field)
#define NUMBER_MAX        INT64_MAX
#define CANCEL_AT(field)  offsetof(struct body_cancel, options.field)
#define REQUEUE_AT(field) offsetof(struct body_requeue, options.field)
#define TEXT(name)                                                                                 \
    {                                                                                              \
#name, take_text, AT(name), 0, 0                                                           \
    }
#define TEXT_AS(name, at)                                                                          \
    {                                                                                              \
        name, take_text, AT(at), 0, 0                                                              \
    }

static const struct member task_members[] = {
    TEXT(node),
    {"command", take_argv, 0, 0, 0},
    TEXT(cgroup),
    {"job_id", take_id, AT(job_id), TASK_ID_MAX, 0},
    {"task_id", take_id, AT(task_id), TASK_ID_MAX, 0},
    TEXT(name),
    TEXT(user),
    TEXT(workdir),
    TEXT_AS("stdin", stdin_path),
    TEXT_AS("stdout", stdout_path),
    TEXT_AS("stderr", stderr_path),
    {"env", take_env, 0, 0, 0},
    {"runtime_ms", take_u64, AT(runtime_ms), NUMBER_MAX, 0},
    {"memory_bytes", take_u64, AT(memory_bytes), NUMBER_MAX, 0},
    {"cpus", take_cpus, 0, 0, 0},
    {"pids", take_u32, AT(pids), UINT32_MAX, 0},
    {"grace_ms", take_u64, AT(grace_ms), TASK_GRACE_MAX_MS, AT(has_grace)},
    {"rerunnable", take_rerunnable, AT(not_rerunnable), 0, 0},
    {"submit", take_bool, AT(submit), 0, 0},
    {NULL, NULL, 0, 0, 0},
};

/* The one that a job's cancel has and a task's has not is the first. */
static const struct member cancel_job_members[] = {
    {"task_ids", take_task_ids, 0, 0, 0},
    {"message", take_message, 0, 0, 0},
    {"grace_ms", take_u64, CANCEL_AT(grace_ms), TASK_GRACE_MAX_MS, CANCEL_AT(has_grace)},
    {NULL, NULL, 0, 0, 0},
};
#define CANCEL_MEMBERS (cancel_job_members + 1)

static const struct member requeue_members[] = {
    {"node", take_text, REQUEUE_AT(node), 0, 0},
    {"grace_ms", take_u64, REQUEUE_AT(grace_ms), TASK_GRACE_MAX_MS, REQUEUE_AT(has_grace)},
    {NULL, NULL, 0, 0, 0},
};

static const struct member no_members[] = {{NULL, NULL, 0, 0, 0}};

static int take_member(const struct member *members, void *ret, const char *name, json_t *value,
                       struct err *err)
{
    const struct member *member = members;
    int r;

    while (member->name && strcmp(member->name, name) != 0)
        member++;
    if (!member->name)
        return err_set(err, TASK_E_INVALID, "there is no member \"%.300s\" in such a request",
                       name);
    if (json_is_null(value))
        return 0;
    r = member->take(ret, member, value, err);
    if (r == 0 && member->flag)
        *(bool *) ((char *) ret + member->flag) = true;
    return r;
}

/* An empty body is an empty object. */
static int read_object(const void *bytes, size_t len, const struct member *members, void *ret,
                       json_t **ret_json, struct err *err)
{
    json_error_t why;
    const char *name;
    json_t *value;
    int r;

    *ret_json = len == 0 ? json_object()
                         : json_loadb(bytes, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
    if (!*ret_json)
        return err_set(err, TASK_E_INVALID, "the body is not JSON: %s (byte %d)",
                       len == 0 ? "no memory" : why.text, len == 0 ? 0 : why.position);
    if (!json_is_object(*ret_json))
        return err_set(err, TASK_E_INVALID, "the body must be a JSON object");
    json_object_foreach(*ret_json, name, value)
    {
        r = take_member(members, ret, name, value, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int body_read_task(const void *bytes, size_t len, struct body_task *ret, struct err *err)
{
    int r;

    *ret = (struct body_task){0};
    r = read_object(bytes, len, task_members, ret, &ret->json, err);
    if (r == 0 && !ret->request.node)
        r = err_set(err, TASK_E_INVALID, "node is missing: a task needs the name of its node");
    if (r == 0 && ret->request.argv_len == 0 && !ret->request.cgroup)
        r = err_set(err, TASK_E_INVALID,
                    "command is missing: a task needs at least one string there");
    return r;
}

void body_task_done(struct body_task *task)
{
    for (size_t i = 0; i < task->request.env_len; i++)
        free(task->env[i]);
    free(task->env);
    free(task->argv);
    json_decref(task->json);
    *task = (struct body_task){0};
}

int body_read_cancel(const void *bytes, size_t len, struct body_cancel *ret, struct err *err)
{
    *ret = (struct body_cancel){0};
    return read_object(bytes, len, CANCEL_MEMBERS, ret, &ret->json, err);
}

int body_read_cancel_job(const void *bytes, size_t len, struct body_cancel *ret, struct err *err)
{
    *ret = (struct body_cancel){0};
    return read_object(bytes, len, cancel_job_members, ret, &ret->json, err);
}

void body_cancel_done(struct body_cancel *cancel)
{
    free(cancel->task_ids);
    json_decref(cancel->json);
    *cancel = (struct body_cancel){0};
}

int body_read_requeue(const void *bytes, size_t len, struct body_requeue *ret, struct err *err)
{
    *ret = (struct body_requeue){0};
    return read_object(bytes, len, requeue_members, ret, &ret->json, err);
}

void body_requeue_done(struct body_requeue *requeue)
{
    json_decref(requeue->json);
    *requeue = (struct body_requeue){0};
}

int body_read_none(const void *bytes, size_t len, struct err *err)
{
    struct body_cancel nothing = {0};
    json_t *json = NULL;
    int r = read_object(bytes, len, no_members, &nothing, &json, err);

    json_decref(json);
    return r;
}
