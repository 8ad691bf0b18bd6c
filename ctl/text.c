#include "ctl/text.h"

#include "base/utf8.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool is_control(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0);
}

void text_write(FILE *out, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t point = 0;
        size_t n = utf8_decode((const uint8_t *) bytes + i, len - i, &point);

        if (n > 0 && !is_control(point)) {
            (void) fwrite(bytes + i, 1, n, out);
        } else {
            n = n > 0 ? n : 1;
            for (size_t k = 0; k < n; k++)
                (void) fprintf(out, "\\x%02X", (unsigned) (unsigned char) bytes[i + k]);
        }
        i += n;
    }
}

void text_write_string(FILE *out, const char *string)
{
    text_write(out, string, strlen(string));
}

size_t text_width(const char *text)
{
    size_t width = 0;

    for (; *text; text++)
        width += ((unsigned char) *text & 0xc0) != 0x80; /* not a continuation byte */
    return width;
}

/* One word of a command, quoted where a shell would take it for something else. */
static void write_word(FILE *out, const char *word, size_t len)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "-._/=:,@%+";
    bool quote = len == 0;

    for (size_t i = 0; i < len; i++)
        quote |= !strchr(plain, word[i]) || word[i] == '\0';
    if (!quote) {
        (void) fwrite(word, 1, len, out);
        return;
    }
    (void) fputc('\'', out);
    for (size_t i = 0; i < len;) {
        size_t n = strcspn(word + i, "'");

        n = n < len - i ? n : len - i;
        if (n == 0 && word[i] == '\'') {
            (void) fputs("'\\''", out);
            i++;
            continue;
        }
        n = n > 0 ? n : 1; /* a NUL within */
        text_write(out, word + i, n);
        i += n;
    }
    (void) fputc('\'', out);
}

/* What has no better words: as JSON. */
static void write_dump(FILE *out, const json_t *value)
{
    char *dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    text_write_string(out, dump ? dump : "?");
    free(dump);
}

/* False when @value is an array or an object. */
static bool write_scalar(FILE *out, const json_t *value)
{
    if (!value || json_is_null(value))
        (void) fputc('-', out);
    else if (json_is_string(value))
        text_write(out, json_string_value(value), json_string_length(value));
    else if (json_is_integer(value))
        (void) fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        (void) fprintf(out, "%g", json_real_value(value));
    else if (json_is_boolean(value))
        (void) fputs(json_is_true(value) ? "yes" : "no", out);
    else
        return false;
    return true;
}

static void write_command(FILE *out, const json_t *words)
{
    size_t i;
    const json_t *word;

    json_array_foreach(words, i, word)
    {
        if (i > 0)
            (void) fputc(' ', out);
        if (json_is_string(word))
            write_word(out, json_string_value(word), json_string_length(word));
        else
            write_dump(out, word);
    }
}

void text_write_json(FILE *out, const json_t *value)
{
    const json_t *name = json_object_get(value, "name");

    if (!json_is_string(name))
        name = json_object_get(value, "uid");
    if (write_scalar(out, name ? name : value))
        return;
    if (json_is_array(value))
        write_command(out, value);
    else
        write_dump(out, value);
}

void text_write_field(FILE *out, const json_t *object, const char *key)
{
    text_write_json(out, json_object_get(object, key));
}

bool text_get_number(const json_t *object, const char *key, int64_t *ret)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_integer(value))
        return false;
    *ret = json_integer_value(value);
    return true;
}

const char *text_get_string(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

bool text_get_time_us(const json_t *object, const char *key, uint64_t *ret)
{
    const char *text = text_get_string(object, key);
    struct tm when = {0};
    uint64_t fraction_us = 0;
    time_t seconds;

    text = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &when) : NULL;
    if (!text)
        return false;
    if (*text == '.') {
        text++;
        for (uint64_t unit = 100000; isdigit((unsigned char) *text); text++, unit /= 10)
            fraction_us += unit * (uint64_t) (*text - '0');
    }
    seconds = timegm(&when);
    if (strcmp(text, "Z") != 0 || seconds < 0)
        return false;
    *ret = (uint64_t) seconds * 1000000 + fraction_us;
    return true;
}

void text_write_bytes(FILE *out, int64_t bytes)
{
    static const char units[] = "KMGT";
    double value = (double) bytes;
    int unit = -1;

    while (value >= 1024 && units[unit + 1]) {
        value /= 1024;
        unit++;
    }
    if (unit < 0)
        (void) fprintf(out, "%" PRId64, bytes);
    else
        (void) fprintf(out, value < 10 ? "%.1f%c" : "%.0f%c", value, units[unit]);
}

void text_write_cpu_time(FILE *out, int64_t us)
{
    int64_t seconds = us / 1000000;

    if (seconds < 60)
        (void) fprintf(out, "%" PRId64 ".%03ds", seconds, (int) (us / 1000 % 1000));
    else if (seconds < 3600)
        (void) fprintf(out, "%" PRId64 "m%02ds", seconds / 60, (int) (seconds % 60));
    else
        (void) fprintf(out, "%" PRId64 "h%02dm", seconds / 3600, (int) (seconds / 60 % 60));
}

void text_write_plural(FILE *out, int64_t count, const char *one, const char *many)
{
    (void) fprintf(out, "%" PRId64 " %s", count, count == 1 ? one : many);
}

void text_write_escaped_query(FILE *out, const char *value)
{
    for (; *value; value++) {
        unsigned char c = (unsigned char) *value;

        if (c < 0x80 && (isalnum(c) || strchr("-._~", c)))
            (void) fputc(c, out);
        else
            (void) fprintf(out, "%%%02X", c);
    }
}
