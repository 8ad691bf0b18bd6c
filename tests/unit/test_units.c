#include "base/units.h"

#include <criterion/criterion.h>
#include <errno.h>

#define UNTOUCHED 4711u

struct row {
    const char *text;
    int r;
    uint64_t value;
};

static void check(const struct row *rows, size_t len, int (*parse)(const char *, uint64_t *))
{
    for (size_t i = 0; i < len; i++) {
        uint64_t value = UNTOUCHED;

        cr_expect_eq(parse(rows[i].text, &value), rows[i].r, "row %zu: \"%s\"", i, rows[i].text);
        cr_expect_eq(value, rows[i].r < 0 ? UNTOUCHED : rows[i].value, "row %zu: \"%s\" is %llu", i,
                     rows[i].text, (unsigned long long) value);
    }
}

Test(units, durations_are_read_as_people_write_them)
{
    static const struct row rows[] = {
        {"0", 0, 0},
        {"0s", 0, 0},
        {"500ms", 0, 500},
        {"15s", 0, 15000},
        {"2m", 0, 120000},
        {"1h", 0, 3600000},
        {"1h30m", 0, 5400000},
        {"1h2m3s4ms", 0, 3723004},
        {"87600h", 0, 315360000000ull},
        {"315360000000ms", 0, 315360000000ull},
        {"315360000001ms", -ERANGE, 0},
        {"87600h1ms", -ERANGE, 0},
        {"18446744073709551615h", -ERANGE, 0},
        {"18446744073709551616s", -ERANGE, 0},
        {"99999999999999999999999s1x", -EINVAL, 0},
        {"", -EINVAL, 0},
        {"00", -EINVAL, 0},
        {"15", -EINVAL, 0},
        {"s", -EINVAL, 0},
        {"1h30", -EINVAL, 0},
        {"1d", -EINVAL, 0},
        {"1.5s", -EINVAL, 0},
        {"-1s", -EINVAL, 0},
        {"+1s", -EINVAL, 0},
        {" 1s", -EINVAL, 0},
        {"1s ", -EINVAL, 0},
        {"1 s", -EINVAL, 0},
        {"1S", -EINVAL, 0},
        {"1mss", -EINVAL, 0},
    };

    check(rows, sizeof(rows) / sizeof(rows[0]), units_parse_duration_ms);
}

Test(units, sizes_are_bytes_or_powers_of_1024)
{
    static const struct row rows[] = {
        {"0", 0, 0},
        {"1", 0, 1},
        {"64K", 0, 65536},
        {"64M", 0, 67108864},
        {"2G", 0, 2147483648ull},
        {"1T", 0, 1099511627776ull},
        {"18446744073709551615", 0, UINT64_MAX},
        {"18446744073709551616", -ERANGE, 0},
        {"16777215T", 0, 16777215ull << 40},
        {"16777216T", -ERANGE, 0},
        {"", -EINVAL, 0},
        {"K", -EINVAL, 0},
        {"1k", -EINVAL, 0},
        {"1KB", -EINVAL, 0},
        {"1KK", -EINVAL, 0},
        {"1.5G", -EINVAL, 0},
        {"-1", -EINVAL, 0},
        {" 1", -EINVAL, 0},
        {"1 K", -EINVAL, 0},
        {"0x10", -EINVAL, 0},
    };

    check(rows, sizeof(rows) / sizeof(rows[0]), units_parse_size_bytes);
}

static int parse_port(const char *text, uint64_t *ret)
{
    return units_parse_number(text, 1, 65535, ret);
}

Test(units, numbers_stay_between_their_bounds)
{
    static const struct row rows[] = {
        {"1", 0, 1},           {"65535", 0, 65535},
        {"007", 0, 7},         {"0", -ERANGE, 0},
        {"65536", -ERANGE, 0}, {"99999999999999999999", -ERANGE, 0},
        {"", -EINVAL, 0},      {"1x", -EINVAL, 0},
        {"x1", -EINVAL, 0},    {"+1", -EINVAL, 0},
        {"-1", -EINVAL, 0},    {" 1", -EINVAL, 0},
        {"1\n", -EINVAL, 0},   {"99999999999999999999x", -EINVAL, 0},
    };
    uint64_t value = 0;

    check(rows, sizeof(rows) / sizeof(rows[0]), parse_port);
    cr_expect_eq(units_parse_number("18446744073709551615", 0, UINT64_MAX, &value), 0);
    cr_expect_eq(value, UINT64_MAX);
}
