#include "ctl/spec.h"

#include <errno.h>
#include <string.h>

/* json_string() refuses what is not UTF-8, and can't say so. */
static json_t *text_json(const char *what, const char *text, size_t len, struct err *err)
{
    size_t points;
    json_t *json;

    if (!task_text_is_utf8((const uint8_t *) text, len, &points)) {
        (void) err_set(err, -EILSEQ, "%s is not valid UTF-8, and can't be sent.", what);
        return NULL;
    }
    json = json_stringn(text, len);
    if (!json)
        (void) err_set(err, -ENOMEM, "out of memory");
    return json;
}

static int set(json_t *object, const char *key, json_t *value, struct err *err)
{
    if (json_object_set_new(object, key, value) < 0)
        return err->code < 0 ? err->code : err_set(err, -ENOMEM, "out of memory");
    return 0;
}

static int set_text(json_t *object, const char *key, const char *what, const char *text,
                    struct err *err)
{
    return set(object, key, text_json(what, text, strlen(text), err), err);
}

static int set_command(json_t *object, const struct args *args, struct err *err)
{
    json_t *words = json_array();
    int r = set(object, "command", words, err);

    for (size_t i = 0; r == 0 && i < args->command_len; i++) {
        const char *word = args->command[i];
        json_t *json = text_json("A word of the command", word, strlen(word), err);

        if (json_array_append_new(words, json) < 0)
            r = err->code < 0 ? err->code : err_set(err, -ENOMEM, "out of memory");
    }
    return r;
}

static int set_env(json_t *object, const struct args *args, struct err *err)
{
    json_t *env = json_object();
    int r = set(object, "env", env, err);

    for (size_t i = 0; r == 0 && i < args->env_len; i++) {
        const char *pair = args->env[i];
        const char *equals = strchr(pair, '=');
        json_t *name = text_json("The name of a --env", pair, (size_t) (equals - pair), err);

        r = name ? set_text(env, json_string_value(name), "The value of a --env", equals + 1, err)
                 : err->code;
        json_decref(name);
    }
    return r;
}

struct text_option {
    uint32_t option;
    const char *key;
    const char *what;
    const char *text;
};

static int set_texts(json_t *object, const struct args *args, struct err *err)
{
    const struct text_option options[] = {
        {ARGS_NODE, "node", "The name of the node", args->node},
        {ARGS_NAME, "name", "The value of --name", args->name},
        {ARGS_USER, "user", "The value of --user", args->user},
        {ARGS_CGROUP, "cgroup", "The value of --cgroup", args->cgroup},
        {ARGS_WORKDIR, "workdir", "The value of --workdir", args->workdir},
        {ARGS_STDIN, "stdin", "The value of --stdin", args->stdin_path},
        {ARGS_STDOUT, "stdout", "The value of --stdout", args->stdout_path},
        {ARGS_STDERR, "stderr", "The value of --stderr", args->stderr_path},
    };
    int r = 0;

    for (size_t i = 0; r == 0 && i < sizeof(options) / sizeof(options[0]); i++)
        if (args->given & options[i].option)
            r = set_text(object, options[i].key, options[i].what, options[i].text, err);
    return r;
}

struct number_option {
    uint32_t option;
    const char *key;
    uint64_t value;
};

static int set_numbers(json_t *object, const struct args *args, struct err *err)
{
    const struct number_option options[] = {
        {ARGS_JOB, "job_id", args->job_id},
        {ARGS_TASK, "task_id", args->task_id},
        {ARGS_RUNTIME, "runtime_ms", args->runtime_ms},
        {ARGS_MEMORY, "memory_bytes", args->memory_bytes},
        {ARGS_PIDS, "pids", args->pids},
        {ARGS_GRACE, "grace_ms", args->grace_ms},
    };
    int r = 0;

    for (size_t i = 0; r == 0 && i < sizeof(options) / sizeof(options[0]); i++)
        if (args->given & options[i].option)
            r = set(object, options[i].key, json_integer((json_int_t) options[i].value), err);
    if (r == 0 && (args->given & ARGS_CPUS))
        r = set(object, "cpus",
                args->cpu_milli % 1000 == 0 ? json_integer(args->cpu_milli / 1000)
                                            : json_real(args->cpu_milli / 1000.0),
                err);
    return r;
}

json_t *spec_new_task(const struct args *args, bool submit, struct err *err)
{
    json_t *object = json_object();
    int r = object ? 0 : err_set(err, -ENOMEM, "out of memory");

    if (r == 0)
        r = set_texts(object, args, err);
    if (r == 0 && args->command_len > 0)
        r = set_command(object, args, err);
    if (r == 0 && args->env_len > 0)
        r = set_env(object, args, err);
    if (r == 0)
        r = set_numbers(object, args, err);
    if (r == 0 && (args->given & ARGS_NOT_RERUNNABLE))
        r = set(object, "rerunnable", json_false(), err);
    if (r == 0 && submit)
        r = set(object, "submit", json_true(), err);
    if (r == 0)
        return object;
    json_decref(object);
    return NULL;
}

json_t *spec_cancel(const struct args *args, struct err *err)
{
    json_t *object = json_object();
    int r = object ? 0 : err_set(err, -ENOMEM, "out of memory");

    if (r == 0 && (args->given & ARGS_MESSAGE))
        r = set_text(object, "message", "The message", args->message, err);
    if (r == 0 && (args->given & ARGS_GRACE))
        r = set(object, "grace_ms", json_integer((json_int_t) args->grace_ms), err);
    if (r == 0)
        return object;
    json_decref(object);
    return NULL;
}

json_t *spec_requeue(const struct args *args, struct err *err)
{
    json_t *object = json_object();
    int r = object ? 0 : err_set(err, -ENOMEM, "out of memory");

    if (r == 0 && (args->given & ARGS_NODE))
        r = set_text(object, "node", "The name of the node", args->node, err);
    if (r == 0 && (args->given & ARGS_GRACE))
        r = set(object, "grace_ms", json_integer((json_int_t) args->grace_ms), err);
    if (r == 0)
        return object;
    json_decref(object);
    return NULL;
}
