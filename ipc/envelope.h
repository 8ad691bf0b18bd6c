#pragma once

/*
 * envelope.h - the outermost layer of every message between head and agent: version and sealing.
 * Pure: bytes in, bytes out. Only unsealed envelopes exist so far; a sealed one is refused.
 */
#include "base/err.h"
#include "quell.pb-c.h"

#include <stddef.h>
#include <stdint.h>

#define ENVELOPE_MAJOR 1u
#define ENVELOPE_MINOR 0u
#define ENVELOPE_MAX   (256u * 1024u) /* bytes of a whole message: see docs/wire.md */
#define ENVELOPE_ROOM  1024u          /* of these, kept for envelope, session and heads */

/* The packed, wrapped message in *@ret (malloc, caller frees) of *@ret_len bytes. -EMSGSIZE. */
int envelope_wrap_request(const Quell__Pb__Request *request, uint8_t **ret, size_t *ret_len,
                          struct err *err);
int envelope_wrap_reply(const Quell__Pb__Reply *reply, uint8_t **ret, size_t *ret_len,
                        struct err *err);

/* -EPROTO: not a message of ours; -EPROTONOSUPPORT: newer major or sealed. The caller frees with
   quell__pb__..__free_unpacked(). */
int envelope_open_request(const uint8_t *bytes, size_t len, Quell__Pb__Request **ret,
                          struct err *err);
int envelope_open_reply(const uint8_t *bytes, size_t len, Quell__Pb__Reply **ret, struct err *err);
