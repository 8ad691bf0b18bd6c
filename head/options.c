#include "head/options.h"

#include "base/settings.h"
#include "base/units.h"
#include "ipc/task.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define CONFIG_DEFAULT       "/etc/quell/head.conf"
#define SOCKET_DEFAULT       "/run/quell/head.sock"
#define STATE_DIR_DEFAULT    "/var/lib/quell/head"
#define HEARTBEAT_DEFAULT_MS 5000u
#define HEARTBEAT_MIN_MS     10u
#define HEARTBEAT_MAX_MS     3600000u

static int set_listen(void *arg, const char *value, struct err *err)
{
    struct options *options = arg;
    int r;

    if (options->listen_len == OPTIONS_LISTEN_MAX)
        return err_set(err, -E2BIG, "at most %u addresses are allowed", OPTIONS_LISTEN_MAX);
    options->listen[options->listen_len] = NULL;
    r = settings_set_text(&options->listen[options->listen_len], value, err);
    if (r == 0)
        options->listen_len++;
    return r;
}

static int set_socket(void *arg, const char *value, struct err *err)
{
    struct options *options = arg;

    return settings_set_path(&options->socket, value, err);
}

static int set_state_dir(void *arg, const char *value, struct err *err)
{
    struct options *options = arg;

    return settings_set_path(&options->state_dir, value, err);
}

static int set_insecure(void *arg, const char *value, struct err *err)
{
    struct options *options = arg;

    return config_parse_bool(value, &options->insecure, err);
}

static int set_heartbeat(void *arg, const char *value, struct err *err)
{
    struct options *options = arg;
    uint64_t ms;

    if (units_parse_duration_ms(value, &ms) < 0 || ms < HEARTBEAT_MIN_MS || ms > HEARTBEAT_MAX_MS)
        return err_set(err, -EINVAL, "\"%.300s\" is not a duration from 10ms to 1h, such as 5s",
                       value);
    options->heartbeat_ms = ms;
    return 0;
}

static int set_grace(void *arg, const char *value, struct err *err)
{
    struct options *options = arg;
    uint64_t ms;

    if (units_parse_duration_ms(value, &ms) < 0 || ms > TASK_GRACE_MAX_MS)
        return err_set(err, -EINVAL, "\"%.300s\" is not a duration from 0 to 24h, such as 15s",
                       value);
    options->grace_ms = ms;
    return 0;
}

static int set_keep(void *arg, const char *value, struct err *err)
{
    struct options *options = arg;
    uint64_t ms;

    if (units_parse_duration_ms(value, &ms) < 0 || ms < TASK_KEEP_MIN_MS || ms > TASK_KEEP_MAX_MS)
        return err_set(err, -EINVAL, "\"%.300s\" is not a duration from 1s to 87600h, such as 720h",
                       value);
    options->keep_ms = ms;
    return 0;
}

static const struct config_key keys[] = {
    {.section = "head", .name = "listen", .set = set_listen, .repeatable = true},
    {.section = "head", .name = "socket", .set = set_socket},
    {.section = "head", .name = "state_dir", .set = set_state_dir},
    {.section = "head", .name = "insecure", .set = set_insecure},
    {.section = "head", .name = "heartbeat", .set = set_heartbeat},
    {.section = "tasks", .name = "grace", .set = set_grace},
    {.section = "tasks", .name = "keep", .set = set_keep},
    {.name = NULL},
};

static const char usage[] =
    "quell-head: keeps the table of tasks, and serves the agents of the nodes and quellctl\n"
    "\n"
    "usage: quell-head --listen URL [OPTION]...\n"
    "  --listen URL     where agents dial in, ipc:///PATH or tcp://HOST:PORT; may be repeated\n"
    "  --socket PATH    where quellctl asks (default " SOCKET_DEFAULT ")\n"
    "  --state-dir DIR  the table of tasks (default " STATE_DIR_DEFAULT ")\n"
    "  --insecure       allow tcp:// without a key: anyone who reaches the port may speak\n"
    "  --config FILE    configuration (default " CONFIG_DEFAULT "); flags win\n"
    "  --check-config   check configuration and flags, print ok or what is wrong, then exit\n"
    "  --help, --version\n";

static void clear_listen(void *arg)
{
    struct options *options = arg;

    while (options->listen_len > 0)
        free(options->listen[--options->listen_len]);
}

static const struct settings_flag flags[] = {
    {.flag = "listen", .key = "listen", .clear = clear_listen},
    {.flag = "socket", .key = "socket"},
    {.flag = "state-dir", .key = "state_dir"},
    {.flag = "insecure", .key = "insecure", .is_switch = true},
    {.flag = NULL},
};

static const struct settings_program program = {
    .name = "quell-head", .usage = usage, .file = CONFIG_DEFAULT, .keys = keys, .flags = flags};

int options_read(int argc, char **argv, struct options *ret, struct err *err)
{
    bool check = false;
    int r;

    *ret = (struct options){.heartbeat_ms = HEARTBEAT_DEFAULT_MS,
                            .grace_ms = TASK_GRACE_DEFAULT_MS,
                            .keep_ms = TASK_KEEP_DEFAULT_MS};
    r = settings_set_path(&ret->socket, SOCKET_DEFAULT, err);
    if (r == 0)
        r = settings_set_path(&ret->state_dir, STATE_DIR_DEFAULT, err);
    if (r == 0)
        r = settings_read(argc, argv, &program, ret, &check, err);
    if (r != 0)
        return r;
    if (ret->listen_len == 0)
        return err_set(err, SETTINGS_USAGE,
                       "no address for the agents to dial: give --listen URL, or listen = URL in "
                       "the section [head] of the configuration");
    if (check) {
        (void) puts("ok");
        return SETTINGS_DONE;
    }
    return 0;
}

void options_done(struct options *options)
{
    clear_listen(options);
    free(options->socket);
    free(options->state_dir);
}
