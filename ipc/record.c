#include "ipc/record.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

static const char magic[] = "QUELLREC";
#define MAGIC_LEN (sizeof(magic) - 1)

#define CRC32C_POLYNOMIAL 0x82f63b78u /* Castagnoli, bits reversed */

static uint32_t record_crc32c(const uint8_t *bytes, size_t len)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (CRC32C_POLYNOMIAL & (0u - (crc & 1u)));
    }
    return ~crc;
}

static void record_put(uint8_t *ret, uint32_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ret[i] = (uint8_t) (value >> 8 * i);
}

static uint32_t record_get(const uint8_t *bytes, size_t size)
{
    uint32_t value = 0;

    for (size_t i = 0; i < size; i++)
        value |= (uint32_t) bytes[i] << 8 * i;
    return value;
}

long record_encode(const Quell__Pb__Record *record, uint8_t *ret, size_t size)
{
    const size_t len = quell__pb__record__get_packed_size(record);
    uint8_t *message = ret + RECORD_HEADER;

    if (size < RECORD_HEADER || len > size - RECORD_HEADER || len > RECORD_MAX - RECORD_HEADER)
        return -ENOSPC;
    (void) quell__pb__record__pack(record, message);
    memcpy(ret, magic, MAGIC_LEN);
    record_put(ret + 8, RECORD_MAJOR, 2);
    record_put(ret + 10, RECORD_MINOR, 2);
    record_put(ret + 12, (uint32_t) len, 4);
    record_put(ret + 16, record_crc32c(message, len), 4);
    return (long) (RECORD_HEADER + len);
}

/* Checks all that stands around the message. */
static int record_check(const uint8_t *bytes, size_t len, struct err *err)
{
    uint32_t major;
    uint32_t message_len;

    if (len < RECORD_HEADER)
        return err_set(err, -EBADMSG, "a torn record: %zu bytes, shorter than its header", len);
    if (memcmp(bytes, magic, MAGIC_LEN) != 0)
        return err_set(err, -EBADMSG, "not a record of Quell");
    major = record_get(bytes + 8, 2);
    if (major > RECORD_MAJOR)
        return err_set(err, -EPROTONOSUPPORT,
                       "a record of version %u, newer than this program's version %u", major,
                       RECORD_MAJOR);
    if (major != RECORD_MAJOR)
        return err_set(err, -EBADMSG, "a record of the unknown version %u", major);
    message_len = record_get(bytes + 12, 4);
    if (message_len > RECORD_MAX - RECORD_HEADER || message_len != len - RECORD_HEADER)
        return err_set(err, -EBADMSG, "a torn record: %zu bytes where its header says %u",
                       len - RECORD_HEADER, message_len);
    if (record_get(bytes + 16, 4) != record_crc32c(bytes + RECORD_HEADER, message_len))
        return err_set(err, -EBADMSG, "a damaged record: its checksum does not match");
    return 0;
}

int record_decode(const uint8_t *bytes, size_t len, ProtobufCAllocator *allocator,
                  Quell__Pb__Record **ret, struct err *err)
{
    Quell__Pb__Record *record;
    int r;

    r = record_check(bytes, len, err);
    if (r < 0)
        return r;
    record = quell__pb__record__unpack(allocator, len - RECORD_HEADER, bytes + RECORD_HEADER);
    if (!record)
        return err_set(err, -EBADMSG, "a record that can't be unpacked");
    *ret = record;
    return 0;
}

/* The kinds share one pointer in the message: with the kind it is given up. */
#define RECORD_TAKE(record, kind, field)                                                           \
    ((record)->kind_case == (kind)                                                                 \
         ? ((record)->kind_case = QUELL__PB__RECORD__KIND__NOT_SET, TAKE_PTR((record)->field))     \
         : NULL)

Quell__Pb__Command *record_take_command(Quell__Pb__Record *record)
{
    return RECORD_TAKE(record, QUELL__PB__RECORD__KIND_COMMAND, command);
}

Quell__Pb__Started *record_take_started(Quell__Pb__Record *record)
{
    return RECORD_TAKE(record, QUELL__PB__RECORD__KIND_STARTED, started);
}

Quell__Pb__Ending *record_take_ending(Quell__Pb__Record *record)
{
    return RECORD_TAKE(record, QUELL__PB__RECORD__KIND_ENDING, ending);
}
