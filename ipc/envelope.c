#include "ipc/envelope.h"

#include "base/cleanup.h"

#include <errno.h>

static void cleanup_envelope(Quell__Pb__Envelope **envelope)
{
    quell__pb__envelope__free_unpacked(*envelope, NULL);
}

/* Packs @message, any message of the schema, into an envelope. */
static int envelope_wrap(const ProtobufCMessage *message, uint8_t **ret, size_t *ret_len,
                         struct err *err)
{
    CLEANUP_FREE uint8_t *body = NULL;
    CLEANUP_FREE uint8_t *bytes = NULL;
    Quell__Pb__Envelope envelope = QUELL__PB__ENVELOPE__INIT;
    const size_t body_len = protobuf_c_message_get_packed_size(message);
    size_t len;

    if (body_len > ENVELOPE_MAX)
        return err_set(err, -EMSGSIZE, "a message of %zu bytes, where %u are the most", body_len,
                       ENVELOPE_MAX);
    body = malloc(body_len + 1); /* an empty message has no bytes */
    if (!body)
        return err_set(err, -ENOMEM, "no memory for a message of %zu bytes", body_len);
    (void) protobuf_c_message_pack(message, body);

    envelope.major = ENVELOPE_MAJOR;
    envelope.minor = ENVELOPE_MINOR;
    envelope.body.data = body;
    envelope.body.len = body_len;
    len = quell__pb__envelope__get_packed_size(&envelope);
    if (len > ENVELOPE_MAX)
        return err_set(err, -EMSGSIZE, "a message of %zu bytes, where %u are the most", len,
                       ENVELOPE_MAX);
    bytes = malloc(len);
    if (!bytes)
        return err_set(err, -ENOMEM, "no memory for a message of %zu bytes", len);
    (void) quell__pb__envelope__pack(&envelope, bytes);
    *ret = TAKE_PTR(bytes);
    *ret_len = len;
    return 0;
}

int envelope_wrap_request(const Quell__Pb__Request *request, uint8_t **ret, size_t *ret_len,
                          struct err *err)
{
    return envelope_wrap(&request->base, ret, ret_len, err);
}

int envelope_wrap_reply(const Quell__Pb__Reply *reply, uint8_t **ret, size_t *ret_len,
                        struct err *err)
{
    return envelope_wrap(&reply->base, ret, ret_len, err);
}

static int envelope_check(const Quell__Pb__Envelope *envelope, struct err *err)
{
    if (!envelope || envelope->major == 0)
        return err_set(err, -EPROTO, "not a message of Quell");
    if (envelope->major > ENVELOPE_MAJOR)
        return err_set(err, -EPROTONOSUPPORT,
                       "a message of version %u, newer than this program's version %u",
                       envelope->major, ENVELOPE_MAJOR);
    if (envelope->sealing != 0)
        return err_set(err, -EPROTONOSUPPORT,
                       "a sealed message (kind %u): this program can't open it", envelope->sealing);
    return 0;
}

static int envelope_open(const uint8_t *bytes, size_t len, const ProtobufCMessageDescriptor *type,
                         ProtobufCMessage **ret, struct err *err)
{
    CLEANUP(cleanup_envelope) Quell__Pb__Envelope *envelope = NULL;
    ProtobufCMessage *message;
    int r;

    if (len > ENVELOPE_MAX)
        return err_set(err, -EPROTO, "a message of %zu bytes, where %u are the most", len,
                       ENVELOPE_MAX);
    envelope = quell__pb__envelope__unpack(NULL, len, bytes);
    r = envelope_check(envelope, err);
    if (r < 0)
        return r;
    message = protobuf_c_message_unpack(type, NULL, envelope->body.len, envelope->body.data);
    if (!message)
        return err_set(err, -EPROTO, "the body of a message can't be unpacked");
    *ret = message;
    return 0;
}

int envelope_open_request(const uint8_t *bytes, size_t len, Quell__Pb__Request **ret,
                          struct err *err)
{
    return envelope_open(bytes, len, &quell__pb__request__descriptor, (ProtobufCMessage **) ret,
                         err);
}

int envelope_open_reply(const uint8_t *bytes, size_t len, Quell__Pb__Reply **ret, struct err *err)
{
    return envelope_open(bytes, len, &quell__pb__reply__descriptor, (ProtobufCMessage **) ret, err);
}
