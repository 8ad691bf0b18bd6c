#include "base/utf8.h"

/* How long the sequence with this first byte is, what bits of its code point it holds, and the
   smallest code point that needs so many bytes. */
static size_t utf8_lead(uint8_t byte, uint32_t *ret_bits, uint32_t *ret_min)
{
    static const struct {
        uint8_t mask, value;
        uint32_t min;
    } forms[] = {
        {0x80, 0x00, 0},
        {0xe0, 0xc0, 0x80},
        {0xf0, 0xe0, 0x800},
        {0xf8, 0xf0, 0x10000},
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if ((byte & forms[i].mask) != forms[i].value)
            continue;
        *ret_bits = byte & (uint8_t) ~forms[i].mask;
        *ret_min = forms[i].min;
        return i + 1;
    }
    return 0;
}

size_t utf8_decode(const uint8_t *bytes, size_t len, uint32_t *ret)
{
    uint32_t point;
    uint32_t min;
    size_t need;

    if (len == 0)
        return 0;
    need = utf8_lead(bytes[0], &point, &min);
    if (need == 0 || need > len)
        return 0;
    for (size_t i = 1; i < need; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (bytes[i] & 0x3f);
    }
    if (point < min || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    *ret = point;
    return need;
}
