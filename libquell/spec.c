/* spec.c - what a task asks for, as the bytes that its node will read. */
#include "libquell/quell_impl.h"

#include "libquell/core/task_check.h"

#include <stdlib.h>
#include <string.h>

static ProtobufCBinaryData borrow(const char *text)
{
    return (ProtobufCBinaryData){.len = text ? strlen(text) : 0, .data = (uint8_t *) text};
}

static ProtobufCBinaryData *borrow_all(const char *const *texts, size_t len)
{
    ProtobufCBinaryData *all = calloc(len + 1, sizeof(*all));

    for (size_t i = 0; all && i < len; i++)
        all[i] = borrow(texts[i]);
    return all;
}

static int pack(const Quell__Pb__Spec *spec, uint8_t **ret, size_t *ret_len, struct err *err)
{
    size_t len = quell__pb__spec__get_packed_size(spec);
    uint8_t *bytes;
    int r = task_check_spec_size(len, err);

    if (r < 0)
        return r;
    bytes = malloc(len);
    if (!bytes)
        return err_set(err, -ENOMEM, "no memory for the task");
    *ret_len = quell__pb__spec__pack(spec, bytes);
    *ret = bytes;
    return 0;
}

int spec_pack(const struct quell_task_request *request, const char *user, uint64_t grace_ms,
              uint8_t **ret, size_t *ret_len, struct err *err)
{
    CLEANUP_FREE ProtobufCBinaryData *argv = borrow_all(request->argv, request->argv_len);
    CLEANUP_FREE ProtobufCBinaryData *env = borrow_all(request->env, request->env_len);
    Quell__Pb__Spec spec = QUELL__PB__SPEC__INIT;

    if (!argv || !env)
        return err_set(err, -ENOMEM, "no memory for the task");
    spec.n_argv = request->argv_len;
    spec.argv = argv;
    spec.n_env = request->env_len;
    spec.env = env;
    spec.user = (char *) user;
    spec.cgroup = borrow(request->cgroup);
    spec.workdir = borrow(request->workdir);
    spec.stdin_path = borrow(request->stdin_path);
    spec.stdout_path = borrow(request->stdout_path);
    spec.stderr_path = borrow(request->stderr_path);
    spec.runtime_ms = request->runtime_ms;
    spec.memory_bytes = request->memory_bytes;
    spec.cpu_milli = request->cpu_milli;
    spec.pids = request->pids;
    spec.grace_ms = grace_ms;
    return pack(&spec, ret, ret_len, err);
}
