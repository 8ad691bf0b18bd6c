#pragma once

/* utf8.h - UTF-8 as RFC 3629 has it: no overlong form, no surrogate, nothing above U+10FFFF. */
#include <stddef.h>
#include <stdint.h>

/* The length of the sequence that @bytes begin with, and its code point; 0 when it is not valid or
   @len ends within it. NUL is a code point like any other. */
size_t utf8_decode(const uint8_t *bytes, size_t len, uint32_t *ret);
