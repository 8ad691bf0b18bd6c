#include "base/utf8.h"

#include <criterion/criterion.h>
#include <string.h>

Test(utf8, a_sequence_is_valid_in_its_shortest_form_alone)
{
    static const struct {
        const char *bytes;
        size_t len;
        size_t used; /* 0: not valid */
        uint32_t point;
    } rows[] = {
        {"", 0, 0, 0},
        {"\0", 1, 1, 0},
        {"a", 1, 1, 'a'},
        {"\x7f", 1, 1, 0x7f},
        {"\xc2\x80", 2, 2, 0x80},
        {"\xdf\xbf", 2, 2, 0x7ff},
        {"\xe0\xa0\x80", 3, 3, 0x800},
        {"\xed\x9f\xbf", 3, 3, 0xd7ff},
        {"\xee\x80\x80", 3, 3, 0xe000},
        {"\xef\xbf\xbf", 3, 3, 0xffff},
        {"\xf0\x90\x80\x80", 4, 4, 0x10000},
        {"\xf4\x8f\xbf\xbf", 4, 4, 0x10ffff},
        {"\xc3\xa9xyz", 5, 2, 0xe9},
        /* not the beginning of anything */
        {"\x80", 1, 0, 0},
        {"\xbf", 1, 0, 0},
        {"\xff\xbf\xbf\xbf", 4, 0, 0},
        {"\xf8\x88\x80\x80\x80", 5, 0, 0},
        /* overlong */
        {"\xc0\x80", 2, 0, 0},
        {"\xc1\xbf", 2, 0, 0},
        {"\xe0\x80\x80", 3, 0, 0},
        {"\xe0\x9f\xbf", 3, 0, 0},
        {"\xf0\x80\x80\x80", 4, 0, 0},
        {"\xf0\x8f\xbf\xbf", 4, 0, 0},
        /* surrogates, and above the last code point */
        {"\xed\xa0\x80", 3, 0, 0},
        {"\xed\xbf\xbf", 3, 0, 0},
        {"\xf4\x90\x80\x80", 4, 0, 0},
        {"\xf7\xbf\xbf\xbf", 4, 0, 0},
        /* cut short, or gone on wrongly */
        {"\xc2", 1, 0, 0},
        {"\xe2\x82", 2, 0, 0},
        {"\xf0\x90\x80", 3, 0, 0},
        {"\xc2z", 2, 0, 0},
        {"\xe2\x82\xc2", 3, 0, 0},
        {"\xe2\x28\xa1", 3, 0, 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        /* A copy of just this length: reading behind it is for the sanitizer to find. */
        uint8_t *bytes = malloc(rows[i].len + 1);
        uint32_t point = 0;

        cr_assert_not_null(bytes);
        memcpy(bytes, rows[i].bytes, rows[i].len);
        bytes = realloc(bytes, rows[i].len ? rows[i].len : 1);
        cr_assert_not_null(bytes);
        cr_expect_eq(utf8_decode(bytes, rows[i].len, &point), rows[i].used, "row %zu", i);
        if (rows[i].used > 0)
            cr_expect_eq(point, rows[i].point, "row %zu: U+%04X", i, point);
        free(bytes);
    }
}
