#include "base/config.h"

#include "base/cleanup.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct config_reading {
    const char *path;
    const struct config_key *keys;
    void *arg;
    FILE *file;
    char *line; /* of getline() */
    size_t line_size;
    bool *seen; /* for each key */
    int line_number;
    int r; /* of the first failure, which ends the reading */
    struct err *err;
};

static void cleanup_file(FILE **file)
{
    if (*file)
        (void) fclose(*file);
}

static void config_fail(struct config_reading *reading, int code, const char *text)
{
    reading->r =
        err_set(reading->err, code, "%s:%d: %s", reading->path, reading->line_number, text);
}

/* Hands one line to inih, which neither counts them for us nor tells a long line from two. */
static char *config_next_line(char *buffer, int size, void *arg)
{
    struct config_reading *reading = arg;
    const char *text;
    ssize_t len;

    if (reading->r < 0)
        return NULL;
    errno = 0;
    len = getline(&reading->line, &reading->line_size, reading->file);
    if (len < 0 && feof(reading->file))
        return NULL;
    if (len < 0) {
        reading->r = err_errno(reading->err, errno ? -errno : -EIO, "%s", reading->path);
        return NULL;
    }
    reading->line_number++;
    if (strlen(reading->line) != (size_t) len) {
        config_fail(reading, -EINVAL, "a NUL byte in the line");
        return NULL;
    }
    /* An indented line would go on with the value before it: no setting of ours has two lines. */
    text = reading->line + strspn(reading->line, " \t");
    len = (ssize_t) strlen(text);
    if (len >= size) {
        config_fail(reading, -EINVAL, "the line is too long");
        return NULL;
    }
    memcpy(buffer, text, (size_t) len + 1);
    return buffer;
}

static const struct config_key *config_find(const struct config_key *keys, const char *section,
                                            const char *name)
{
    for (const struct config_key *key = keys; key->name; key++)
        if (strcmp(key->section, section) == 0 && strcmp(key->name, name) == 0)
            return key;
    return NULL;
}

static bool config_section_is_known(const struct config_key *keys, const char *section)
{
    for (const struct config_key *key = keys; key->name; key++)
        if (strcmp(key->section, section) == 0)
            return true;
    return false;
}

static int config_set(struct config_reading *reading, const char *section, const char *name,
                      const char *value)
{
    const struct config_key *key = config_find(reading->keys, section, name);
    struct err why = {0};
    int r;

    if (!key && !config_section_is_known(reading->keys, section))
        return err_set(reading->err, -EINVAL, "%s:%d: unknown section [%s] (key \"%s\")",
                       reading->path, reading->line_number, section, name);
    if (!key)
        return err_set(reading->err, -EINVAL, "%s:%d: unknown key \"%s\" in section [%s]",
                       reading->path, reading->line_number, name, section);
    if (reading->seen[key - reading->keys] && !key->repeatable)
        return err_set(reading->err, -EINVAL, "%s:%d: [%s] %s is set a second time", reading->path,
                       reading->line_number, section, name);
    reading->seen[key - reading->keys] = true;

    r = key->set(reading->arg, value, &why);
    if (r < 0)
        return err_set(reading->err, r, "%s:%d: [%s] %s: %s", reading->path, reading->line_number,
                       section, name, why.text);
    return 0;
}

static int on_setting(void *arg, const char *section, const char *name, const char *value)
{
    struct config_reading *reading = arg;

    if (reading->r < 0)
        return 0;
    reading->r = config_set(reading, section, name, value);
    return reading->r == 0;
}

static size_t config_count(const struct config_key *keys)
{
    size_t len = 0;

    while (keys[len].name)
        len++;
    return len;
}

int config_read(const char *path, const struct config_key *keys, void *arg, struct err *err)
{
    CLEANUP(cleanup_file) FILE *file = NULL;
    CLEANUP_FREE bool *seen = NULL;
    struct config_reading reading = {.path = path, .keys = keys, .arg = arg, .err = err};
    int bad_line;

    seen = calloc(config_count(keys) + 1, sizeof(*seen));
    if (!seen)
        return err_set(err, -ENOMEM, "%s: no memory", path);
    file = fopen(path, "re");
    if (!file)
        return err_errno(err, -errno, "%s", path);
    reading.file = file;
    reading.seen = seen;

    bad_line = ini_parse_stream(config_next_line, &reading, on_setting, &reading);
    free(reading.line);
    if (reading.r < 0 && (bad_line <= 0 || bad_line >= reading.line_number))
        return reading.r;
    if (bad_line < 0)
        return err_set(err, -ENOMEM, "%s: no memory", path);
    if (bad_line > 0)
        return err_set(err, -EINVAL, "%s:%d: neither a [section] nor a key = value", path,
                       bad_line);
    return 0;
}

int config_parse_bool(const char *value, bool *ret, struct err *err)
{
    static const struct {
        const char *text;
        bool value;
    } words[] = {{"yes", true}, {"true", true},   {"on", true},   {"1", true},
                 {"no", false}, {"false", false}, {"off", false}, {"0", false}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasecmp(words[i].text, value) == 0) {
            *ret = words[i].value;
            return 0;
        }
    return err_set(err, -EINVAL, "\"%s\" is neither yes nor no", value);
}
