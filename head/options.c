#include "head/options.h"

#include "base/config.h"
#include "base/units.h"
#include "base/version.h"
#include "ipc/task.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_DEFAULT       "/etc/quell/head.conf"
#define SOCKET_DEFAULT       "/run/quell/head.sock"
#define STATE_DIR_DEFAULT    "/var/lib/quell/head"
#define HEARTBEAT_DEFAULT_MS 5000u
#define HEARTBEAT_MIN_MS     10u
#define HEARTBEAT_MAX_MS     3600000u

static int set_text(char **field, const char *value, struct err *err)
{
    char *copy;

    if (*value == '\0')
        return err_set(err, -EINVAL, "it must not be empty");
    copy = strdup(value);
    if (!copy)
        return err_set(err, -ENOMEM, "no memory");
    free(*field);
    *field = copy;
    return 0;
}

static int set_path(char **field, const char *value, struct err *err)
{
    if (*value != '/')
        return err_set(err, -EINVAL, "\"%.300s\" is not an absolute path", value);
    return set_text(field, value, err);
}

static int set_listen(void *arg, const char *value, struct err *err)
{
    struct options *options = arg;
    int r;

    if (options->listen_len == OPTIONS_LISTEN_MAX)
        return err_set(err, -E2BIG, "at most %u addresses are allowed", OPTIONS_LISTEN_MAX);
    r = set_text(&options->listen[options->listen_len], value, err);
    if (r == 0)
        options->listen_len++;
    return r;
}

static int set_socket(void *arg, const char *value, struct err *err)
{
    struct options *options = arg;

    return set_path(&options->socket, value, err);
}

static int set_state_dir(void *arg, const char *value, struct err *err)
{
    struct options *options = arg;

    return set_path(&options->state_dir, value, err);
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

static const struct config_key keys[] = {
    {.section = "head", .name = "listen", .set = set_listen, .repeatable = true},
    {.section = "head", .name = "socket", .set = set_socket},
    {.section = "head", .name = "state_dir", .set = set_state_dir},
    {.section = "head", .name = "insecure", .set = set_insecure},
    {.section = "head", .name = "heartbeat", .set = set_heartbeat},
    {.section = "tasks", .name = "grace", .set = set_grace},
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

static const struct option flags[] = {
    {"listen", required_argument, NULL, 'l'},
    {"socket", required_argument, NULL, 's'},
    {"state-dir", required_argument, NULL, 'd'},
    {"insecure", no_argument, NULL, 'i'},
    {"config", required_argument, NULL, 'c'},
    {"check-config", no_argument, NULL, 'k'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},
    {NULL, 0, NULL, 0},
};

static int next_flag(int argc, char **argv, int *index)
{
    return getopt_long(argc, argv, "", flags, index);
}

/* The file that the flags name comes before the flags. */
static const char *find_config(int argc, char **argv)
{
    const char *found = NULL;
    int flag;

    opterr = 0;
    optind = 1;
    while ((flag = next_flag(argc, argv, NULL)) != -1)
        if (flag == 'c')
            found = optarg;
    return found;
}

static int set_flag(struct options *options, int flag, const char *value, struct err *err)
{
    if (flag == 'i')
        options->insecure = true;
    if (!value)
        return 0;
    switch (flag) {
    case 'l':
        return set_listen(options, value, err);
    case 's':
        return set_socket(options, value, err);
    case 'd':
        return set_state_dir(options, value, err);
    default:
        return 0; /* the configuration is seen to by others */
    }
}

static void drop_listen(struct options *options)
{
    while (options->listen_len > 0) {
        free(options->listen[--options->listen_len]);
        options->listen[options->listen_len] = NULL;
    }
}

static int read_flags(int argc, char **argv, struct options *options, bool *ret_check,
                      struct err *err)
{
    bool listens = false;
    int index = 0;
    int flag;

    optind = 1;
    while ((flag = next_flag(argc, argv, &index)) != -1) {
        struct err why;

        if (flag == '?')
            return err_set(err, OPTIONS_USAGE,
                           "%.300s: there is no such option, or it lacks a value",
                           argv[optind - 1]);
        if (flag == 'h' || flag == 'v') {
            (void) fputs(flag == 'h' ? usage : "quell-head " QUELL_VERSION "\n", stdout);
            return OPTIONS_DONE;
        }
        if (flag == 'l' && !listens)
            drop_listen(options); /* the flags replace the file's */
        listens = listens || flag == 'l';
        *ret_check = *ret_check || flag == 'k';
        if (set_flag(options, flag, optarg, &why) < 0)
            return err_set(err, OPTIONS_USAGE, "--%s: %.400s", flags[index].name, why.text);
    }
    if (optind < argc)
        return err_set(err, OPTIONS_USAGE, "\"%.300s\": quell-head takes options only",
                       argv[optind]);
    return 0;
}

int options_read(int argc, char **argv, struct options *ret, struct err *err)
{
    const char *config = find_config(argc, argv);
    bool check = false;
    int r;

    *ret =
        (struct options){.heartbeat_ms = HEARTBEAT_DEFAULT_MS, .grace_ms = TASK_GRACE_DEFAULT_MS};
    r = set_path(&ret->socket, SOCKET_DEFAULT, err);
    if (r == 0)
        r = set_path(&ret->state_dir, STATE_DIR_DEFAULT, err);
    if (r == 0)
        r = config_read(config ? config : CONFIG_DEFAULT, keys, ret, err);
    if (r == -ENOENT && !config)
        r = 0;
    if (r == 0)
        r = read_flags(argc, argv, ret, &check, err);
    if (r != 0)
        return r;
    if (check) {
        (void) puts("ok");
        return OPTIONS_DONE;
    }
    if (ret->listen_len == 0)
        return err_set(
            err, OPTIONS_USAGE,
            "no address for the agents to dial: give --listen URL, or listen = URL in the "
            "section [head] of %s",
            config ? config : CONFIG_DEFAULT);
    return 0;
}

void options_done(struct options *options)
{
    drop_listen(options);
    free(options->socket);
    free(options->state_dir);
}
