#include "http/http_uri.h"

#include <errno.h>
#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

ssize_t http_uri_decode(const char *text, size_t len, bool plus, char *ret)
{
    size_t used = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '%') {
            int high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
            int low = i + 2 < len ? hex_digit(text[i + 2]) : -1;

            if (high < 0 || low < 0)
                return -EINVAL;
            c = (char) (high << 4 | low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c == '\0')
            return -EINVAL;
        ret[used++] = c;
    }
    ret[used] = '\0';
    return (ssize_t) used;
}

/* Decodes the pair that stands in @piece, whose end is already a NUL. */
static int split_pair(char *piece, struct http_uri_pair *ret)
{
    size_t len = strlen(piece);
    char *equals = strchr(piece, '=');
    size_t name_len = equals ? (size_t) (equals - piece) : len;
    char *value = equals ? equals + 1 : piece + len;

    if (http_uri_decode(value, strlen(value), true, value) < 0)
        return -EINVAL;
    if (http_uri_decode(piece, name_len, true, piece) < 0)
        return -EINVAL;
    *ret = (struct http_uri_pair){.name = piece, .value = value};
    return 0;
}

ssize_t http_uri_split_query(char *query, struct http_uri_pair *ret, size_t max)
{
    size_t count = 0;
    char *rest = query;

    while (rest) {
        char *piece = strsep(&rest, "&");

        if (*piece == '\0')
            continue;
        if (count == max)
            return -E2BIG;
        if (split_pair(piece, &ret[count]) < 0)
            return -EINVAL;
        count++;
    }
    return (ssize_t) count;
}
