#include "agent/options.h"

#include "base/settings.h"
#include "base/units.h"
#include "ipc/endpoint.h"
#include "ipc/task.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CORE_DUMP_DEFAULT_MS 600000u
#define CONFIG_DEFAULT       "/etc/quell/quelld.conf"

static int set_head(void *arg, const char *value, struct err *err)
{
    struct options *o = arg;
    int r;

    if (o->heads_len == OPTIONS_HEADS_MAX)
        return err_set(err, -E2BIG, "more than %d addresses", OPTIONS_HEADS_MAX);
    o->heads[o->heads_len] = NULL;
    r = settings_set_text(&o->heads[o->heads_len], value, err);
    if (r == 0)
        o->heads_len++;
    return r;
}

static int set_node(void *arg, const char *value, struct err *err)
{
    if (!task_node_name_is_valid(value))
        return err_set(err, -EINVAL,
                       "'%s' is not a node's name: 1 to 255 letters, digits, dots, dashes and "
                       "underscores",
                       value);
    return settings_set_text(&((struct options *) arg)->node, value, err);
}

static int set_socket(void *arg, const char *value, struct err *err)
{
    return settings_set_path(&((struct options *) arg)->socket, value, err);
}

static int set_state_dir(void *arg, const char *value, struct err *err)
{
    return settings_set_path(&((struct options *) arg)->state_dir, value, err);
}

static int set_run_dir(void *arg, const char *value, struct err *err)
{
    return settings_set_path(&((struct options *) arg)->run_dir, value, err);
}

static int set_insecure(void *arg, const char *value, struct err *err)
{
    return config_parse_bool(value, &((struct options *) arg)->insecure, err);
}

static int set_cgroup_mode(void *arg, const char *value, struct err *err)
{
    static const char *const modes[] = {"auto", "v2", "hybrid", "v1"};

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (strcmp(value, modes[i]) == 0)
            return settings_set_text(&((struct options *) arg)->cgroup_mode, value, err);
    return err_set(err, -EINVAL, "'%s' is none of auto, v2, hybrid, v1", value);
}

static int set_cgroup_base(void *arg, const char *value, struct err *err)
{
    return settings_set_path(&((struct options *) arg)->cgroup_base, value, err);
}

static int set_allow_root(void *arg, const char *value, struct err *err)
{
    return config_parse_bool(value, &((struct options *) arg)->allow_root, err);
}

static int set_leftover_grace(void *arg, const char *value, struct err *err)
{
    uint64_t ms;

    if (units_parse_duration_ms(value, &ms) < 0 || ms > TASK_GRACE_MAX_MS)
        return err_set(err, -EINVAL, "'%s' is not a duration from 0 to 24h, like 500ms or 2s",
                       value);
    ((struct options *) arg)->leftover_grace_ms = ms;
    return 0;
}

static int set_core_dump_time(void *arg, const char *value, struct err *err)
{
    uint64_t ms;

    if (units_parse_duration_ms(value, &ms) < 0 || ms > TASK_GRACE_MAX_MS)
        return err_set(err, -EINVAL,
                       "'%s' is not a duration from 0 (as long as it takes) to 24h, like 10m",
                       value);
    ((struct options *) arg)->core_dump_ms = ms;
    return 0;
}

static int set_max_running(void *arg, const char *value, struct err *err)
{
    uint64_t number;

    if (units_parse_number(value, 1, UINT32_MAX, &number) < 0)
        return err_set(err, -EINVAL, "'%s' is not a number from 1 (without the key: no limit)",
                       value);
    ((struct options *) arg)->max_running = (uint32_t) number;
    return 0;
}

static const struct config_key keys[] = {
    {.section = "agent", .name = "head", .set = set_head, .repeatable = true},
    {.section = "agent", .name = "node", .set = set_node},
    {.section = "agent", .name = "socket", .set = set_socket},
    {.section = "agent", .name = "state_dir", .set = set_state_dir},
    {.section = "agent", .name = "run_dir", .set = set_run_dir},
    {.section = "agent", .name = "insecure", .set = set_insecure},
    {.section = "cgroup", .name = "mode", .set = set_cgroup_mode},
    {.section = "cgroup", .name = "base", .set = set_cgroup_base},
    {.section = "tasks", .name = "allow_root", .set = set_allow_root},
    {.section = "tasks", .name = "leftover_grace", .set = set_leftover_grace},
    {.section = "tasks", .name = "core_dump_time", .set = set_core_dump_time},
    {.section = "tasks", .name = "max_running", .set = set_max_running},
    {.name = NULL},
};

static const char usage[] =
    "quelld: the agent of a compute node: runs the tasks that its head sends, and ends them\n"
    "\n"
    "usage: quelld --head URL [OPTION]...\n"
    "  --head URL       the head's address, ipc:///PATH or tcp://HOST:PORT; may be repeated:\n"
    "                   further addresses of the same head, tried in turn\n"
    "  --node NAME      this node's name (default: the host's)\n"
    "  --socket PATH    status socket (default /run/quell/quelld.sock)\n"
    "  --state-dir DIR  records of tasks (default /var/lib/quell/quelld)\n"
    "  --run-dir DIR    sockets of supervisors (default /run/quell/tasks)\n"
    "  --insecure       allow tcp:// without a key: anyone who reaches the port may speak\n"
    "  --config FILE    configuration (default " CONFIG_DEFAULT "); flags win\n"
    "  --check-config   check configuration and flags, then exit\n"
    "  --help, --version\n"
    "Keys of the configuration without a flag: [cgroup] mode, base; [tasks] allow_root,\n"
    "leftover_grace, core_dump_time, max_running (tasks that run at a time; more wait their\n"
    "turn).\n";

static void clear_heads(void *arg)
{
    struct options *o = arg;

    while (o->heads_len)
        free(o->heads[--o->heads_len]);
}

static const struct settings_flag flags[] = {
    {.flag = "head", .key = "head", .clear = clear_heads},
    {.flag = "node", .key = "node"},
    {.flag = "socket", .key = "socket"},
    {.flag = "state-dir", .key = "state_dir"},
    {.flag = "run-dir", .key = "run_dir"},
    {.flag = "insecure", .key = "insecure", .is_switch = true},
    {.flag = NULL},
};

static const struct settings_program program = {
    .name = "quelld", .usage = usage, .file = CONFIG_DEFAULT, .keys = keys, .flags = flags};

static int options_defaults(struct options *o, struct err *err)
{
    char host[HOST_NAME_MAX + 1] = "";

    *o = (struct options){.leftover_grace_ms = 2000, .core_dump_ms = CORE_DUMP_DEFAULT_MS};
    (void) gethostname(host, sizeof(host) - 1);
    o->node = strdup(host);
    o->socket = strdup("/run/quell/quelld.sock");
    o->state_dir = strdup("/var/lib/quell/quelld");
    o->run_dir = strdup("/run/quell/tasks");
    if (!o->node || !o->socket || !o->state_dir || !o->run_dir)
        return err_set(err, -ENOMEM, "no memory");
    return 0;
}

static int options_check(const struct options *o, struct err *err)
{
    int r;

    if (o->heads_len == 0)
        return err_set(err, SETTINGS_USAGE,
                       "no head: give --head URL, or [agent] head = URL in the configuration");
    if (!task_node_name_is_valid(o->node))
        return err_set(err, SETTINGS_USAGE, "the host's name '%s' can't be the node's: give --node",
                       o->node);
    for (size_t i = 0; i < o->heads_len; i++) {
        r = endpoint_check_address(o->heads[i], 1, o->insecure, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int options_read(int argc, char **argv, struct options *ret, struct err *err)
{
    bool check;
    int r;

    r = options_defaults(ret, err);
    if (r == 0)
        r = settings_read(argc, argv, &program, ret, &check, err);
    if (r == 0)
        r = options_check(ret, err);
    if (r == 0 && check) {
        (void) puts("ok");
        return SETTINGS_DONE;
    }
    return r;
}

void options_done(struct options *options)
{
    clear_heads(options);
    free(options->node);
    free(options->socket);
    free(options->state_dir);
    free(options->run_dir);
    free(options->cgroup_mode);
    free(options->cgroup_base);
}
