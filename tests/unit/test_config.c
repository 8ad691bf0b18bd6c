#include "base/config.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct settings {
    char listen[256]; /* all values, each with a blank behind */
    char socket[256];
    bool allow_root;
    unsigned calls;
};

static int set_listen(void *arg, const char *value, struct err *err)
{
    struct settings *settings = arg;
    size_t len;

    (void) err;
    settings->calls++;
    len = strlen(settings->listen);
    (void) snprintf(settings->listen + len, sizeof(settings->listen) - len, "%s ", value);
    return 0;
}

static int set_socket(void *arg, const char *value, struct err *err)
{
    struct settings *settings = arg;

    settings->calls++;
    if (value[0] != '/')
        return err_set(err, -ERANGE, "\"%s\" is no absolute path", value);
    (void) snprintf(settings->socket, sizeof(settings->socket), "%s", value);
    return 0;
}

static int set_allow_root(void *arg, const char *value, struct err *err)
{
    struct settings *settings = arg;

    settings->calls++;
    return config_parse_bool(value, &settings->allow_root, err);
}

static const struct config_key keys[] = {
    {"head", "listen", set_listen, true},
    {"head", "socket", set_socket, false},
    {"tasks", "allow_root", set_allow_root, false},
    {NULL, NULL, NULL, false},
};

static char path[64];
static struct settings settings;
static struct err err;

static void make_file(void)
{
    int fd;

    (void) snprintf(path, sizeof(path), "/tmp/quell-config-XXXXXX");
    fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    (void) close(fd);
}

static void remove_file(void)
{
    (void) unlink(path);
}

TestSuite(config, .init = make_file, .fini = remove_file);

static int read_bytes(const char *bytes, size_t len)
{
    FILE *file = fopen(path, "we");

    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, len, file), len);
    cr_assert_eq(fclose(file), 0);
    settings = (struct settings){0};
    err = (struct err){0};
    return config_read(path, keys, &settings, &err);
}

Test(config, sections_comments_and_repeated_keys_are_read)
{
    static const char text[] = "\xef\xbb\xbf# a comment\n"
                               "; another\n"
                               "\n"
                               "[head]\n"
                               "listen = ipc:///run/a ; behind a blank\n"
                               "  listen=tcp://127.0.0.1:1  \r\n"
                               "\tsocket: /run/x\n"
                               "[tasks]\n"
                               "allow_root = Yes";

    cr_expect_eq(read_bytes(text, sizeof(text) - 1), 0, "%s", err.text);
    cr_expect_str_eq(settings.listen, "ipc:///run/a tcp://127.0.0.1:1 ");
    cr_expect_str_eq(settings.socket, "/run/x");
    cr_expect(settings.allow_root);
    cr_expect_eq(settings.calls, 4u);
}

Test(config, an_empty_file_sets_nothing)
{
    cr_expect_eq(read_bytes("", 0), 0);
    cr_expect_eq(settings.calls, 0u);
}

Test(config, each_error_names_file_line_and_key)
{
    static const struct {
        const char *text;
        int r;
        const char *where_and_what; /* behind the path */
        unsigned calls;             /* settings made, the refused one included */
    } rows[] = {
        {"[head]\n\nsokcet = /x\nlisten = y\n", -EINVAL,
         ":3: unknown key \"sokcet\" in section [head]", 0},
        {"[haed]\nsocket = /x\n", -EINVAL, ":2: unknown section [haed] (key \"socket\")", 0},
        {"socket = /x\n", -EINVAL, ":1: unknown section [] (key \"socket\")", 0},
        {"[head]\nallow_root = no\n", -EINVAL, ":2: unknown key \"allow_root\" in section [head]",
         0},
        {"[head]\nsocket = /x\n\n[head]\nsocket = /x\n", -EINVAL,
         ":5: [head] socket is set a second time", 1},
        {"[head]\nsocket = x\nsocket = /x\n", -ERANGE,
         ":2: [head] socket: \"x\" is no absolute path", 1},
        {"[tasks]\nallow_root =\n", -EINVAL, ":2: [tasks] allow_root: \"\" is neither yes nor no",
         1},
        {"[head]\nsocket = /x\njust words\nsocket = /y\n", -EINVAL,
         ":3: neither a [section] nor a key = value", 2},
        {"[head\nsocket = /x\n", -EINVAL, ":1: neither a [section] nor a key = value", 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char expected[256];

        (void) snprintf(expected, sizeof(expected), "%s%s", path, rows[i].where_and_what);
        cr_expect_eq(read_bytes(rows[i].text, strlen(rows[i].text)), rows[i].r, "row %zu", i);
        cr_expect_str_eq(err.text, expected, "row %zu: %s", i, err.text);
        cr_expect_leq(settings.calls, rows[i].calls, "row %zu: %u calls", i, settings.calls);
    }
}

Test(config, a_line_that_would_be_cut_is_refused)
{
    char text[4096];
    const char *start = "[head]\nlisten = x\nsocket = /";
    size_t len;

    /* Whatever inih's limit is: each length is either read whole or refused, and some are read. */
    for (len = 1; len < 3000; len += 37) {
        (void) snprintf(text, sizeof(text), "%s%0*d\n", start, (int) len, 0);
        if (read_bytes(text, strlen(text)) < 0)
            break;
        cr_assert_eq(strlen(settings.socket), len + 1 > 255 ? 255 : len + 1);
    }
    cr_expect_gt(len, 150u, "only %zu bytes fit", len);
    (void) snprintf(text, sizeof(text), "%s:3: the line is too long", path);
    cr_expect_str_eq(err.text, text, "%s", err.text);
}

Test(config, a_nul_byte_is_refused)
{
    static const char text[] = "[head]\nsocket = /x\0y\n";
    char expected[256];

    cr_expect_eq(read_bytes(text, sizeof(text) - 1), -EINVAL);
    (void) snprintf(expected, sizeof(expected), "%s:2: a NUL byte in the line", path);
    cr_expect_str_eq(err.text, expected, "%s", err.text);
    cr_expect_eq(settings.calls, 0u);
}

Test(config, a_file_that_cannot_be_read_says_why)
{
    cr_expect_eq(config_read("/nonexistent/x.conf", keys, &settings, &err), -ENOENT);
    cr_expect_str_eq(err.text, "/nonexistent/x.conf: No such file or directory");
    cr_expect_eq(config_read("/tmp", keys, &settings, &err), -EISDIR);
    cr_expect_str_eq(err.text, "/tmp: Is a directory");
}

Test(config, yes_and_no_have_their_usual_words)
{
    static const struct {
        const char *text;
        int value; /* -1: refused */
    } rows[] = {
        {"yes", 1}, {"YES", 1}, {"true", 1}, {"on", 1}, {"1", 1},   {"no", 0},    {"false", 0},
        {"off", 0}, {"0", 0},   {"", -1},    {"2", -1}, {"ye", -1}, {"yes ", -1}, {"maybe", -1},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool value = rows[i].value != 1;
        const int r = config_parse_bool(rows[i].text, &value, &err);

        cr_expect_eq(r, rows[i].value < 0 ? -EINVAL : 0, "row %zu", i);
        if (rows[i].value >= 0)
            cr_expect_eq(value, rows[i].value == 1, "row %zu", i);
        else
            cr_expect(value, "row %zu: the result was touched", i);
    }
}
