#include "base/hex.h"

#include <criterion/criterion.h>
#include <string.h>

Test(hex, every_byte_comes_back)
{
    uint8_t bytes[256];
    uint8_t back[256] = {0};
    char text[513];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t) i;
    cr_expect_eq(hex_encode(bytes, sizeof(bytes), text), text);
    cr_expect_eq(strlen(text), 512u);
    cr_expect_eq(strncmp(text, "000102", 6), 0);
    cr_expect_str_eq(text + 506, "fdfeff");
    cr_assert(hex_decode(text, back, sizeof(back)));
    cr_expect_arr_eq(back, bytes, sizeof(bytes));
}

Test(hex, both_cases_are_read_and_nothing_else)
{
    static const struct {
        const char *text;
        size_t len;
        bool valid;
    } rows[] = {
        {"", 0, true},      {"0fA0", 2, true},     {"0fa", 2, false},  {"0fa00", 2, false},
        {"0f", 2, false},   {"0g00", 2, false},    {"0f 0", 2, false}, {"+f00", 2, false},
        {"0fa/", 2, false}, {"0fa:", 2, false},    {"0fa@", 2, false}, {"0fa`", 2, false},
        {"x", 0, false},    {"0fa\xff", 2, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t bytes[2] = {0xee, 0xee};

        cr_expect_eq(hex_decode(rows[i].text, bytes, rows[i].len), rows[i].valid, "row %zu", i);
        if (!rows[i].valid)
            cr_expect(bytes[0] == 0xee && bytes[1] == 0xee, "row %zu: the result was touched", i);
    }
}
