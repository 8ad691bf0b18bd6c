#include "base/settings.h"

#include "base/version.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLAG_CONFIG = 'c', FLAG_CHECK = 'k', FLAG_HELP = 'h', FLAG_VERSION = 'v', FLAG_OWN = 256 };

static void settings_options(const struct settings_program *program,
                             struct option ret[SETTINGS_FLAGS_MAX])
{
    static const struct option common[] = {
        {"config", required_argument, NULL, FLAG_CONFIG},
        {"check-config", no_argument, NULL, FLAG_CHECK},
        {"help", no_argument, NULL, FLAG_HELP},
        {"version", no_argument, NULL, FLAG_VERSION},
    };
    size_t len = 0;

    for (; program->flags[len].flag; len++) {
        assert(len < SETTINGS_FLAGS_MAX - 5);
        ret[len] = (struct option){program->flags[len].flag,
                                   program->flags[len].is_switch ? no_argument : required_argument,
                                   NULL, FLAG_OWN + (int) len};
    }
    for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
        ret[len++] = common[i];
    ret[len] = (struct option){0};
}

static const struct config_key *settings_key(const struct settings_program *program,
                                             const char *name)
{
    const struct config_key *key = program->keys;

    while (key->name && strcmp(key->name, name) != 0)
        key++;
    assert(key->name);
    return key;
}

/* The file that the flags name is read before the flags are. */
static const char *settings_find_file(int argc, char **argv, const struct option *options)
{
    const char *found = NULL;
    int flag;

    opterr = 0;
    optind = 1;
    while ((flag = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (flag == FLAG_CONFIG)
            found = optarg;
    return found;
}

static int settings_take(const struct settings_program *program, size_t index, bool *cleared,
                         void *arg, struct err *err)
{
    const struct settings_flag *flag = &program->flags[index];
    struct err why = {0};

    if (flag->clear && !cleared[index])
        flag->clear(arg);
    cleared[index] = true;
    if (settings_key(program, flag->key)->set(arg, flag->is_switch ? "yes" : optarg, &why) < 0)
        return err_set(err, SETTINGS_USAGE, "--%s: %.400s", flag->flag, why.text);
    return 0;
}

static int settings_read_flags(int argc, char **argv, const struct settings_program *program,
                               const struct option *options, void *arg, bool *ret_check,
                               struct err *err)
{
    bool cleared[SETTINGS_FLAGS_MAX] = {false};
    int flag;
    int r;

    optind = 1;
    while ((flag = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (flag == '?')
            return err_set(err, SETTINGS_USAGE, "%.300s: no such option, or its value is missing",
                           argv[optind - 1]);
        if (flag == FLAG_HELP || flag == FLAG_VERSION) {
            if (flag == FLAG_HELP)
                (void) fputs(program->usage, stdout);
            else
                (void) printf("%s %s\n", program->name, QUELL_VERSION);
            return SETTINGS_DONE;
        }
        if (flag == FLAG_CHECK)
            *ret_check = true;
        if (flag < FLAG_OWN)
            continue;
        r = settings_take(program, (size_t) (flag - FLAG_OWN), cleared, arg, err);
        if (r != 0)
            return r;
    }
    if (optind < argc)
        return err_set(err, SETTINGS_USAGE, "'%.300s': %s takes options only", argv[optind],
                       program->name);
    return 0;
}

int settings_read(int argc, char **argv, const struct settings_program *program, void *arg,
                  bool *ret_check, struct err *err)
{
    struct option options[SETTINGS_FLAGS_MAX];
    const char *named;
    int r;

    settings_options(program, options);
    named = settings_find_file(argc, argv, options);
    *ret_check = false;
    r = config_read(named ? named : program->file, program->keys, arg, err);
    if (r < 0 && (r != -ENOENT || named))
        return r;
    return settings_read_flags(argc, argv, program, options, arg, ret_check, err);
}

int settings_set_text(char **field, const char *value, struct err *err)
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

int settings_set_path(char **field, const char *value, struct err *err)
{
    if (value[0] != '/')
        return err_set(err, -EINVAL, "'%.300s' is not an absolute path", value);
    return settings_set_text(field, value, err);
}
