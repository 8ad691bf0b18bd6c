#include "http/http_uri.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

Test(http_uri, percent_encoding_is_decoded_strictly)
{
    static const struct {
        const char *text;
        bool plus;
        const char *want; /* NULL: refused */
    } rows[] = {
        {"/v1/tasks", false, "/v1/tasks"},
        {"", false, ""},
        {"/%41%62%7e", false, "/Ab~"},
        {"/a+b", false, "/a+b"},
        {"a+b%2B", true, "a b+"},
        {"%e2%82%ac", false, "\xe2\x82\xac"},
        {"%", false, NULL},
        {"/%4", false, NULL},
        {"/%zz", false, NULL},
        {"/%4g", false, NULL},
        {"/%-1", false, NULL},
        {"/a%00b", false, NULL},
        {"%%41", false, NULL},
    };

    for (size_t i = 0; i < LEN(rows); i++) {
        char ret[64];
        ssize_t n = http_uri_decode(rows[i].text, strlen(rows[i].text), rows[i].plus, ret);

        if (!rows[i].want) {
            cr_expect_eq(n, -EINVAL, "row %zu: %zd", i, n);
            continue;
        }
        cr_assert_eq(n, (ssize_t) strlen(rows[i].want), "row %zu: %zd", i, n);
        cr_expect_str_eq(ret, rows[i].want, "row %zu: %s", i, ret);
    }
}

Test(http_uri, nothing_behind_the_given_length_is_read)
{
    char ret[8];

    cr_expect_eq(http_uri_decode("a%41", 3, false, ret), -EINVAL);
    cr_expect_eq(http_uri_decode("a%41", 1, false, ret), 1);
    cr_expect_eq(http_uri_decode("a\0b", 3, false, ret), -EINVAL);
}

Test(http_uri, a_query_is_split_and_decoded)
{
    struct http_uri_pair pairs[4];
    char query[] = "node=a%26b+c&&empty=&flag&%6eame=x=y";
    ssize_t n = http_uri_split_query(query, pairs, LEN(pairs));

    cr_assert_eq(n, 4, "%zd pairs", n);
    cr_expect_str_eq(pairs[0].name, "node");
    cr_expect_str_eq(pairs[0].value, "a&b c");
    cr_expect_str_eq(pairs[1].name, "empty");
    cr_expect_str_eq(pairs[1].value, "");
    cr_expect_str_eq(pairs[2].name, "flag");
    cr_expect_str_eq(pairs[2].value, "");
    cr_expect_str_eq(pairs[3].name, "name");
    cr_expect_str_eq(pairs[3].value, "x=y");
}

Test(http_uri, a_query_that_makes_no_sense_is_refused)
{
    struct http_uri_pair pairs[2];
    char none[] = "";
    char malformed[] = "a=%4";
    char bad_name[] = "%00=1";
    char many[] = "a=1&b=2&c=3";

    cr_expect_eq(http_uri_split_query(none, pairs, LEN(pairs)), 0);
    cr_expect_eq(http_uri_split_query(malformed, pairs, LEN(pairs)), -EINVAL);
    cr_expect_eq(http_uri_split_query(bad_name, pairs, LEN(pairs)), -EINVAL);
    cr_expect_eq(http_uri_split_query(many, pairs, LEN(pairs)), -E2BIG);
}
