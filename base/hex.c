#include "base/hex.h"

#include <string.h>

static const char digits[] = "0123456789abcdef";

char *hex_encode(const uint8_t *bytes, size_t len, char *ret)
{
    for (size_t i = 0; i < len; i++) {
        ret[2 * i] = digits[bytes[i] >> 4];
        ret[2 * i + 1] = digits[bytes[i] & 0x0f];
    }
    ret[2 * len] = '\0';
    return ret;
}

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

bool hex_decode(const char *text, uint8_t *ret, size_t len)
{
    if (strlen(text) != 2 * len)
        return false;
    for (size_t i = 0; i < 2 * len; i++)
        if (hex_digit(text[i]) < 0)
            return false;
    for (size_t i = 0; i < len; i++)
        ret[i] = (uint8_t) (16 * hex_digit(text[2 * i]) + hex_digit(text[2 * i + 1]));
    return true;
}
