#pragma once

/* http_uri.h - percent-encoding, decoded strictly. Pure. Private to http/ and its tests. */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Decodes @len bytes of @text into @ret, which has room for @len + 1; NUL-terminates. With @plus a
   '+' is a blank, as in a query. Returns the length; -EINVAL for a '%' without two hexadecimal
   digits, and for NUL, written out or as %00. @ret may be @text. */
ssize_t http_uri_decode(const char *text, size_t len, bool plus, char *ret);

struct http_uri_pair {
    const char *name;
    const char *value; /* "" when there is no '=' */
};

/* Splits and decodes a query ("a=1&b=2") in place: @ret points into @query. Empty pieces are
   passed over. Returns how many pairs there are; -EINVAL as above; -E2BIG for more than @max. */
ssize_t http_uri_split_query(char *query, struct http_uri_pair *ret, size_t max);
