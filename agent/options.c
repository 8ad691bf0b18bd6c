#include "agent/options.h"

#include "base/config.h"
#include "base/units.h"
#include "base/version.h"
#include "ipc/endpoint.h"
#include "ipc/task.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_DEFAULT "/etc/quell/quelld.conf"

struct parse { /* options and which of them a flag has set already */
    struct options *options;
    bool heads_by_flag;
};

static int options_text(char **field, const char *value, struct err *err)
{
    char *copy;

    if (!*value)
        return err_set(err, -EINVAL, "it must not be empty");
    copy = strdup(value);
    if (!copy)
        return err_set(err, -ENOMEM, "no memory");
    free(*field);
    *field = copy;
    return 0;
}

static int options_path(char **field, const char *value, struct err *err)
{
    if (value[0] != '/')
        return err_set(err, -EINVAL, "'%s' is not an absolute path", value);
    return options_text(field, value, err);
}

static int set_head(void *arg, const char *value, struct err *err)
{
    struct options *o = ((struct parse *) arg)->options;

    if (o->heads_len == OPTIONS_HEADS_MAX)
        return err_set(err, -E2BIG, "more than %d addresses", OPTIONS_HEADS_MAX);
    o->heads[o->heads_len] = NULL;
    if (options_text(&o->heads[o->heads_len], value, err) < 0)
        return err ? err->code : -EINVAL;
    o->heads_len++;
    return 0;
}

static int set_node(void *arg, const char *value, struct err *err)
{
    if (!task_node_name_is_valid(value))
        return err_set(err, -EINVAL,
                       "'%s' is not a node's name: 1 to 255 letters, digits, dots, dashes and "
                       "underscores",
                       value);
    return options_text(&((struct parse *) arg)->options->node, value, err);
}

static int set_socket(void *arg, const char *value, struct err *err)
{
    return options_path(&((struct parse *) arg)->options->socket, value, err);
}

static int set_state_dir(void *arg, const char *value, struct err *err)
{
    return options_path(&((struct parse *) arg)->options->state_dir, value, err);
}

static int set_run_dir(void *arg, const char *value, struct err *err)
{
    return options_path(&((struct parse *) arg)->options->run_dir, value, err);
}

static int set_insecure(void *arg, const char *value, struct err *err)
{
    return config_parse_bool(value, &((struct parse *) arg)->options->insecure, err);
}

static int set_cgroup_mode(void *arg, const char *value, struct err *err)
{
    static const char *const modes[] = {"auto", "v2", "hybrid", "v1"};

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (strcmp(value, modes[i]) == 0)
            return options_text(&((struct parse *) arg)->options->cgroup_mode, value, err);
    return err_set(err, -EINVAL, "'%s' is none of auto, v2, hybrid, v1", value);
}

static int set_cgroup_base(void *arg, const char *value, struct err *err)
{
    return options_path(&((struct parse *) arg)->options->cgroup_base, value, err);
}

static int set_allow_root(void *arg, const char *value, struct err *err)
{
    return config_parse_bool(value, &((struct parse *) arg)->options->allow_root, err);
}

static int set_leftover_grace(void *arg, const char *value, struct err *err)
{
    uint64_t ms;

    if (units_parse_duration_ms(value, &ms) < 0 || ms > TASK_GRACE_MAX_MS)
        return err_set(err, -EINVAL, "'%s' is not a duration from 0 to 24h, like 500ms or 2s",
                       value);
    ((struct parse *) arg)->options->leftover_grace_ms = ms;
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
    "  --help, --version\n";

static const struct option flags[] = {
    {"head", required_argument, NULL, 'H'},
    {"node", required_argument, NULL, 'n'},
    {"socket", required_argument, NULL, 's'},
    {"state-dir", required_argument, NULL, 'd'},
    {"run-dir", required_argument, NULL, 'r'},
    {"insecure", no_argument, NULL, 'i'},
    {"config", required_argument, NULL, 'c'},
    {"check-config", no_argument, NULL, 'k'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},
    {NULL, 0, NULL, 0},
};

static int options_defaults(struct options *o, struct err *err)
{
    char host[HOST_NAME_MAX + 1] = "";

    *o = (struct options){.leftover_grace_ms = 2000};
    (void) gethostname(host, sizeof(host) - 1);
    o->node = strdup(host);
    o->socket = strdup("/run/quell/quelld.sock");
    o->state_dir = strdup("/var/lib/quell/quelld");
    o->run_dir = strdup("/run/quell/tasks");
    if (!o->node || !o->socket || !o->state_dir || !o->run_dir)
        return err_set(err, -ENOMEM, "no memory");
    return 0;
}

static int options_flag(struct parse *parse, int flag, const char *value, struct err *err)
{
    switch (flag) {
    case 'H':
        if (!parse->heads_by_flag) {
            while (parse->options->heads_len)
                free(parse->options->heads[--parse->options->heads_len]);
            parse->heads_by_flag = true;
        }
        return set_head(parse, value, err);
    case 'n':
        return set_node(parse, value, err);
    case 's':
        return set_socket(parse, value, err);
    case 'd':
        return set_state_dir(parse, value, err);
    case 'r':
        return set_run_dir(parse, value, err);
    default:
        parse->options->insecure = true;
        return 0;
    }
}

static int options_check(const struct options *o, struct err *err)
{
    int r;

    if (o->heads_len == 0)
        return err_set(err, OPTIONS_WRONG,
                       "no head: give --head URL, or [agent] head = URL in the configuration");
    if (!task_node_name_is_valid(o->node))
        return err_set(err, OPTIONS_WRONG, "the host's name '%s' can't be the node's: give --node",
                       o->node);
    for (size_t i = 0; i < o->heads_len; i++) {
        r = endpoint_check_address(o->heads[i], 1, o->insecure, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Only what is needed before the flags are applied: the file that they may name. */
static const char *options_find_config(int argc, char **argv)
{
    const char *found = NULL;
    int flag;

    opterr = 0;
    optind = 1;
    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1)
        if (flag == 'c')
            found = optarg;
    return found;
}

static int options_read_flags(int argc, char **argv, struct parse *parse, bool *ret_check,
                              struct err *err)
{
    int index = 0, flag;

    opterr = 0;
    optind = 1;
    while ((flag = getopt_long(argc, argv, "", flags, &index)) != -1) {
        if (flag == '?')
            return err_set(err, OPTIONS_WRONG, "%s: no such option, or its value is missing",
                           argv[optind - 1]);
        if (flag == 'k')
            *ret_check = true;
        if (flag == 'k' || flag == 'c')
            continue;
        if (flag == 'h' || flag == 'v') {
            (void) printf("%s", flag == 'h' ? usage : "quelld " QUELL_VERSION "\n");
            return OPTIONS_DONE;
        }
        if (options_flag(parse, flag, optarg, err) < 0) {
            char why[sizeof(err->text)];

            (void) snprintf(why, sizeof(why), "%s", err->text);
            return err_set(err, OPTIONS_WRONG, "--%s: %.400s", flags[index].name, why);
        }
    }
    if (optind < argc)
        return err_set(err, OPTIONS_WRONG, "'%s': quelld takes no arguments but its options",
                       argv[optind]);
    return 0;
}

int options_parse(int argc, char **argv, struct options *ret, struct err *err)
{
    struct parse parse = {.options = ret};
    const char *named = options_find_config(argc, argv);
    bool check = false;
    int r;

    r = options_defaults(ret, err);
    if (r < 0)
        return r;
    r = config_read(named ? named : CONFIG_DEFAULT, keys, &parse, err);
    if (r < 0 && (r != -ENOENT || named))
        return r;
    r = options_read_flags(argc, argv, &parse, &check, err);
    if (r != 0)
        return r;
    r = options_check(ret, err);
    if (r != 0)
        return r;
    if (check) {
        (void) printf("ok\n");
        return OPTIONS_DONE;
    }
    return 0;
}

void options_done(struct options *options)
{
    for (size_t i = 0; i < options->heads_len; i++)
        free(options->heads[i]);
    free(options->node);
    free(options->socket);
    free(options->state_dir);
    free(options->run_dir);
    free(options->cgroup_mode);
    free(options->cgroup_base);
}
