#include "base/clock.h"

#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

Test(clock, times_are_rfc_3339_in_utc_with_microseconds)
{
    static const struct {
        uint64_t wall_us;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000000Z"},
        {1, "1970-01-01T00:00:00.000001Z"},
        {1795368863000001ull, "2026-11-22T17:34:23.000001Z"},
        {951782400999999ull, "2000-02-29T00:00:00.999999Z"},
        {253402300799999999ull, "9999-12-31T23:59:59.999999Z"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[CLOCK_TEXT_SIZE];

        cr_expect_str_eq(clock_text(rows[i].wall_us, text), rows[i].text, "row %zu: %s", i, text);
    }
}

Test(clock, any_number_fits_the_buffer)
{
    char text[CLOCK_TEXT_SIZE];

    (void) clock_text(UINT64_MAX, text);
    cr_expect_lt(strlen(text), sizeof(text));
    cr_expect_eq(text[strlen(text) - 1], 'Z', "%s", text);
}

Test(clock, the_monotonic_clock_never_goes_back)
{
    uint64_t last = clock_mono_us();

    for (int i = 0; i < 1000; i++) {
        const uint64_t now = clock_mono_us();

        cr_assert_geq(now, last);
        last = now;
    }
}

Test(clock, the_wall_clock_is_the_one_of_time)
{
    const uint64_t before = (uint64_t) time(NULL);
    const uint64_t wall_us = clock_wall_us();

    /* time(2) reads a coarser clock, which may be a tick behind. */
    cr_expect_geq(wall_us, before * 1000000u);
    cr_expect_leq(wall_us, ((uint64_t) time(NULL) + 2) * 1000000u);
}
