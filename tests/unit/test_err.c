#include "base/err.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(err, a_failure_is_one_line_at_its_place)
{
    struct err err = {0};

    cr_expect_eq(err_set(&err, -EINVAL, "line %d", 7), -EINVAL);
    cr_expect_eq(err.code, -EINVAL);
    cr_expect_str_eq(err.text, "line 7");
    cr_expect_eq(err_errno(&err, -ENOENT, "open %s", "/x"), -ENOENT);
    cr_expect_eq(err.code, -ENOENT);
    cr_expect_str_eq(err.text, "open /x: No such file or directory");
}

Test(err, nobody_has_to_want_the_sentence)
{
    cr_expect_eq(err_set(NULL, -EIO, "x"), -EIO);
    cr_expect_eq(err_errno(NULL, -EIO, "x"), -EIO);
}

Test(err, a_long_sentence_is_cut_at_the_end_of_its_room)
{
    struct err err;
    char text[2 * sizeof(err.text)];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    (void) err_errno(&err, -EIO, "%s", text);
    cr_expect_eq(strlen(err.text), sizeof(err.text) - 1);
    (void) err_set(&err, -EIO, "%s", text);
    cr_expect_eq(strlen(err.text), sizeof(err.text) - 1);
}
