#pragma once

/* hex.h - bytes as lower-case hexadecimal text and back. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* @ret has room for 2 * len + 1 characters. Returns @ret. */
char *hex_encode(const uint8_t *bytes, size_t len, char *ret);

/* True when @text is exactly 2 * @len hexadecimal digits. @ret is filled only then. */
bool hex_decode(const char *text, uint8_t *ret, size_t len);
