#include "ctl/args.h"

#include "base/units.h"
#include "ctl/operands.h"
#include "ctl/verbs.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define CPUS_MAX_MILLI 1000000000ull
#define HELP           (1 << 30) /* these end the parsing, and are in no verb's set */
#define VERSION        (1 << 29)

struct spec {
    const char *name;
    char letter; /* 0: none */
    int has_arg;
    int option;
};

static const struct spec specs[] = {
    {"head", 0, required_argument, ARGS_HEAD},
    {"agent", 0, required_argument, ARGS_AGENT},
    {"json", 0, no_argument, ARGS_JSON},
    {NULL, 'J', required_argument, ARGS_JOB},
    {NULL, 'T', required_argument, ARGS_TASK},
    {NULL, 'n', required_argument, ARGS_NODE},
    {"name", 0, required_argument, ARGS_NAME},
    {"user", 0, required_argument, ARGS_USER},
    {"workdir", 0, required_argument, ARGS_WORKDIR},
    {"stdin", 0, required_argument, ARGS_STDIN},
    {"stdout", 0, required_argument, ARGS_STDOUT},
    {"stderr", 0, required_argument, ARGS_STDERR},
    {"env", 0, required_argument, ARGS_ENV},
    {"runtime", 0, required_argument, ARGS_RUNTIME},
    {"memory", 0, required_argument, ARGS_MEMORY},
    {"cpus", 0, required_argument, ARGS_CPUS},
    {"pids", 0, required_argument, ARGS_PIDS},
    {"grace", 0, required_argument, ARGS_GRACE},
    {"not-rerunnable", 0, no_argument, ARGS_NOT_RERUNNABLE},
    {"wait", 0, no_argument, ARGS_WAIT},
    {NULL, 'm', required_argument, ARGS_MESSAGE},
    {NULL, 's', required_argument, ARGS_STATUS},
    {"follow", 0, no_argument, ARGS_FOLLOW},
    {"after", 0, required_argument, ARGS_AFTER},
    {"watch", 0, no_argument, ARGS_WATCH},
    {"cgroup", 0, required_argument, ARGS_CGROUP},
    {"help", 'h', no_argument, HELP},
    {"version", 'V', no_argument, VERSION},
};
#define SPECS (sizeof(specs) / sizeof(specs[0]))

int args_parse_cpus(const char *text, uint32_t *ret_milli)
{
    size_t whole_len = strcspn(text, ".");
    const char *fraction = text[whole_len] ? text + whole_len + 1 : "0";
    size_t fraction_len = strlen(fraction);
    char digits[32] = "";
    uint64_t milli;

    /* Put together as a whole number of thousandths: no rounding, and no floating point. */
    if (whole_len == 0 || whole_len > 7 || fraction_len == 0 || fraction_len > 3)
        return -EINVAL;
    memcpy(digits, text, whole_len);
    memcpy(digits + whole_len, "000", 4);
    memcpy(digits + whole_len, fraction, fraction_len);
    if (units_parse_number(digits, 1, CPUS_MAX_MILLI, &milli) < 0)
        return -EINVAL;
    *ret_milli = (uint32_t) milli;
    return 0;
}

static int parse_number(const char *option, const char *text, uint64_t max, uint32_t *ret,
                        struct err *err)
{
    uint64_t value;

    if (units_parse_number(text, 1, max, &value) < 0)
        return err_set(err, -EINVAL, "%s %s: a number from 1 to %llu is needed", option, text,
                       (unsigned long long) max);
    *ret = (uint32_t) value;
    return 0;
}

static int parse_duration(const char *option, const char *text, uint64_t *ret, struct err *err)
{
    if (units_parse_duration_ms(text, ret) < 0)
        return err_set(err, -EINVAL,
                       "%s %s: a duration is needed, such as 0, 500ms, 15s, 2m or 1h30m", option,
                       text);
    return 0;
}

static int take_env(struct args *args, const char *text, struct err *err)
{
    const char **grown;

    if (text[0] == '=' || !strchr(text, '='))
        return err_set(err, -EINVAL, "--env %s: NAME=VALUE is needed", text);
    grown = realloc(args->env, (args->env_len + 1) * sizeof(*grown));
    if (!grown)
        return err_set(err, -ENOMEM, "out of memory");
    args->env = grown;
    args->env[args->env_len++] = text;
    return 0;
}

/* Those whose text is taken as it is. NULL for the others. */
static const char **text_field(struct args *args, int option)
{
    switch (option) {
    case ARGS_HEAD:
        return &args->head;
    case ARGS_AGENT:
        return &args->agent;
    case ARGS_NODE:
        return &args->node;
    case ARGS_NAME:
        return &args->name;
    case ARGS_USER:
        return &args->user;
    case ARGS_CGROUP:
        return &args->cgroup;
    case ARGS_WORKDIR:
        return &args->workdir;
    case ARGS_STDIN:
        return &args->stdin_path;
    case ARGS_STDOUT:
        return &args->stdout_path;
    case ARGS_STDERR:
        return &args->stderr_path;
    case ARGS_MESSAGE:
        return &args->message;
    default:
        return NULL;
    }
}

static int take_option(struct args *args, int option, const char *text, struct err *err)
{
    const char **field = text_field(args, option);

    args->given |= (uint32_t) option;
    if (field) {
        *field = text;
        return 0;
    }
    switch (option) {
    case ARGS_JOB:
        return parse_number("-J", text, TASK_ID_MAX, &args->job_id, err);
    case ARGS_TASK:
        return parse_number("-T", text, TASK_ID_MAX, &args->task_id, err);
    case ARGS_ENV:
        return take_env(args, text, err);
    case ARGS_RUNTIME:
        return parse_duration("--runtime", text, &args->runtime_ms, err);
    case ARGS_GRACE:
        return parse_duration("--grace", text, &args->grace_ms, err);
    case ARGS_PIDS:
        return parse_number("--pids", text, UINT32_MAX, &args->pids, err);
    case ARGS_MEMORY:
        if (units_parse_size_bytes(text, &args->memory_bytes) < 0 || args->memory_bytes > INT64_MAX)
            return err_set(err, -EINVAL, "--memory %s: a size is needed: bytes, or 64K, 64M or 2G",
                           text);
        return 0;
    case ARGS_CPUS:
        if (args_parse_cpus(text, &args->cpu_milli) < 0)
            return err_set(err, -EINVAL,
                           "--cpus %s: a number of CPUs is needed, such as 2 or 0.5, with at most "
                           "three digits behind the point",
                           text);
        return 0;
    case ARGS_STATUS:
        if (!task_status_parse(text, &args->status))
            return err_set(err, -EINVAL,
                           "-s %s: there is no such status; there are NotSubmitted, Queued, "
                           "Running, Finished, Failed and Cancelled",
                           text);
        return 0;
    case ARGS_AFTER:
        if (units_parse_number(text, 0, INT64_MAX, &args->after) < 0)
            return err_set(err, -EINVAL, "--after %s: the number of an event is needed", text);
        return 0;
    default: /* those without a value */
        return 0;
    }
}

static int take_id(struct args *args, const char *text, struct err *err)
{
    struct args_id *grown;

    assert(args->verb); /* operands come behind it */
    if (args->verb->operands == VERB_NONE || args->verb->operands == VERB_COMMAND)
        return err_set(err, -EINVAL,
                       args->verb->operands == VERB_NONE
                           ? "%s takes no operand: %s"
                           : "%s: the command comes behind \"--\": %s is before it",
                       args->verb->name, text);
    grown = realloc(args->ids, (args->ids_len + 1) * sizeof(*grown));
    if (!grown)
        return err_set(err, -ENOMEM, "out of memory");
    args->ids = grown;
    if (!task_id_parse(text, &grown[args->ids_len].job_id, &grown[args->ids_len].task_id))
        return err_set(
            err, -EINVAL, "%s is not a task: JOB.TASK is needed, two numbers from 1 to %u%s", text,
            TASK_ID_MAX,
            args->verb->operands == VERB_COMMAND_OR_IDS ? " (a command comes behind \"--\")" : "");
    args->ids_len++;
    return 0;
}

/* getopt's tables for the options in @options. Long ones come back as their index + 256. */
static void make_tables(uint32_t options, const char *prefix, char *ret_letters,
                        struct option *ret_long)
{
    char *letter = stpcpy(ret_letters, prefix);

    for (size_t i = 0; i < SPECS; i++) {
        if (!(options & (uint32_t) specs[i].option))
            continue;
        if (specs[i].letter) {
            *letter++ = specs[i].letter;
            if (specs[i].has_arg == required_argument)
                *letter++ = ':';
        }
        if (specs[i].name)
            *ret_long++ = (struct option){specs[i].name, specs[i].has_arg, NULL, 256 + (int) i};
    }
    *letter = '\0';
    *ret_long = (struct option){0};
}

static const struct spec *find_spec(int code)
{
    if (code >= 256)
        return &specs[code - 256];
    for (size_t i = 0; i < SPECS; i++)
        if (specs[i].letter && specs[i].letter == code)
            return &specs[i];
    return NULL;
}

/* What getopt did not like about @word. */
static int option_failed(const struct verb *verb, int code, const char *word, struct err *err)
{
    const char *of = verb ? verb->name : "quellctl";

    if (code == ':')
        return err_set(err, -EINVAL, "%s: the option %s needs a value", of, word);
    /* optopt is an option that exists: it was given a value ("--json=1"). */
    if (optopt >= 256)
        return err_set(err, -EINVAL, "%s: the option --%s takes no value", of,
                       specs[optopt - 256].name);
    if (optopt != 0)
        return err_set(err, -EINVAL, "%s has no option -%c", of, optopt);
    return err_set(err, -EINVAL, "%s has no option %s", of, word);
}

/* One pass of getopt over @argv, whose first word is passed over. Before the verb it stops at the
   first operand; behind it, operands come in between, as code 1. */
static int parse_options(int argc, char **argv, uint32_t options, struct args *args,
                         struct err *err)
{
    char letters[2 * SPECS + 3];
    struct option longs[SPECS + 1];

    make_tables(options | HELP | (args->verb ? 0 : VERSION), args->verb ? "-:" : "+:", letters,
                longs);
    optind = 0; /* GNU: begins anew, and reads the prefix of the letters again */
    opterr = 0;
    for (;;) {
        int code = getopt_long(argc, argv, letters, longs, NULL);
        int option;
        int r;

        if (code == -1)
            return 0;
        if (code == '?' || code == ':')
            return option_failed(args->verb, code, argv[optind - 1], err);
        option = code == 1 ? 0 : find_spec(code)->option;
        if (option == HELP || option == VERSION) {
            args->what = option == HELP ? ARGS_HELP : ARGS_VERSION;
            return 0;
        }
        r = option == 0 ? take_id(args, optarg, err) : take_option(args, option, optarg, err);
        if (r < 0)
            return r;
    }
}

/* Behind "--": the command, or ids. */
static int take_rest(int argc, char **argv, struct args *args, struct err *err)
{
    enum verb_operands operands = args->verb->operands;
    int r;

    if (operands == VERB_COMMAND || operands == VERB_COMMAND_OR_IDS) {
        args->command = argv + optind;
        args->command_len = (size_t) (argc - optind);
        return 0;
    }
    for (int i = optind; i < argc; i++) {
        r = take_id(args, argv[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

int args_parse(int argc, char **argv, struct args *ret, struct err *err)
{
    int first;
    int r;

    *ret = (struct args){0};
    r = parse_options(argc, argv, ARGS_ANYWHERE, ret, err);
    if (r < 0 || ret->what != ARGS_RUN)
        return r;
    first = optind;
    if (first >= argc)
        return err_set(err, -EINVAL, "a verb is missing");
    ret->verb = verb_find(argv[first]);
    if (!ret->verb)
        return err_set(err, -EINVAL, "there is no verb %s", argv[first]);

    argc -= first;
    argv += first;
    r = parse_options(argc, argv, ARGS_ANYWHERE | ret->verb->options, ret, err);
    if (r < 0 || ret->what != ARGS_RUN)
        return r;
    r = take_rest(argc, argv, ret, err);
    return r < 0 ? r : operands_check(ret, err);
}

void args_done(struct args *args)
{
    free(args->env);
    free(args->ids);
    *args = (struct args){0};
}
