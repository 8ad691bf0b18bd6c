#pragma once

/*
 * record.h - a message in a file, so that a torn, foreign or newer file is told from a good one.
 *
 * A file is: 8 bytes "QUELLREC", u16 major, u16 minor, u32 length, u32 CRC-32C of the message, all
 * little endian, then `length` bytes of a packed quell.pb.Record. Pure: bytes in, bytes out; who
 * reads and writes files is not its affair.
 */
#include "base/err.h"
#include "quell.pb-c.h"

#include <stddef.h>
#include <stdint.h>

#define RECORD_HEADER 20u
#define RECORD_MAJOR  1u
#define RECORD_MINOR  0u
#define RECORD_MAX    (RECORD_HEADER + 256u * 1024u)

/* Packs @record behind a header into @ret of @size bytes. Returns the length; -ENOSPC. */
long record_encode(const Quell__Pb__Record *record, uint8_t *ret, size_t size);

/* Take the message of that kind out of @record: the caller owns it, and @record can be freed
   without it. NULL: the record is of another kind. */
Quell__Pb__Command *record_take_command(Quell__Pb__Record *record);
Quell__Pb__Started *record_take_started(Quell__Pb__Record *record);
Quell__Pb__Ending *record_take_ending(Quell__Pb__Record *record);

/* @allocator: NULL for malloc. The caller frees with quell__pb__record__free_unpacked().
   -EBADMSG: torn or not a record; -EPROTONOSUPPORT: of a newer major. Both with a sentence. */
int record_decode(const uint8_t *bytes, size_t len, ProtobufCAllocator *allocator,
                  Quell__Pb__Record **ret, struct err *err);
