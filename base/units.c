#include "base/units.h"

#include <errno.h>
#include <string.h>

#define DURATION_MAX_MS (10ull * 365 * 24 * 3600 * 1000)

/* Reads the digits at *@text, at least one, and moves it behind them. */
static int units_read_digits(const char **text, uint64_t *ret)
{
    const char *p = *text;
    uint64_t value = 0;
    int r = 0;

    if (*p < '0' || *p > '9')
        return -EINVAL;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t) (*p - '0'), &value))
            r = -ERANGE; /* reads on: a later wrong character counts for more */
    *text = p;
    *ret = value;
    return r;
}

/* Reads ms, s, m or h at *@text and moves it behind. 0: none of them. */
static uint64_t units_read_duration_unit(const char **text)
{
    static const struct {
        const char *name; /* the longer of two with the same start comes first */
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        const size_t len = strlen(units[i].name);

        if (strncmp(*text, units[i].name, len) != 0)
            continue;
        *text += len;
        return units[i].ms;
    }
    return 0;
}

int units_parse_duration_ms(const char *text, uint64_t *ret)
{
    uint64_t sum = 0;
    int outcome = 0;

    if (strcmp(text, "0") == 0) {
        *ret = 0;
        return 0;
    }
    do {
        uint64_t value;
        uint64_t unit_ms;
        const int r = units_read_digits(&text, &value);

        if (r == -EINVAL)
            return r;
        unit_ms = units_read_duration_unit(&text);
        if (unit_ms == 0)
            return -EINVAL;
        if (r < 0 || __builtin_mul_overflow(value, unit_ms, &value) ||
            __builtin_add_overflow(sum, value, &sum) || sum > DURATION_MAX_MS)
            outcome = -ERANGE;
    } while (*text);
    if (outcome == 0)
        *ret = sum;
    return outcome;
}

int units_parse_size_bytes(const char *text, uint64_t *ret)
{
    static const char letters[] = "KMGT";
    const char *letter;
    uint64_t value;
    unsigned shift = 0;
    int r;

    r = units_read_digits(&text, &value);
    if (r == -EINVAL)
        return r;
    if (*text) {
        letter = strchr(letters, *text);
        if (!letter || text[1])
            return -EINVAL;
        shift = 10u * (unsigned) (letter - letters + 1);
    }
    if (r < 0 || value > UINT64_MAX >> shift)
        return -ERANGE;
    *ret = value << shift;
    return 0;
}

int units_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
    uint64_t value;
    int r;

    r = units_read_digits(&text, &value);
    if (r == -EINVAL || *text)
        return -EINVAL;
    if (r < 0 || value < min || value > max)
        return -ERANGE;
    *ret = value;
    return 0;
}
