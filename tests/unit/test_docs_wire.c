/* docs/wire.md shows the bytes that the programs make, and their limits. */
#include "base/cleanup.h"
#include "base/hex.h"
#include "ipc/envelope.h"
#include "ipc/frame.h"
#include "ipc/record.h"
#include "ipc/task.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define BLOCK_MAX 1024

/* The hex digits of the fenced block "```hex @name": on each line pairs with one blank between, up
   to the first two blanks or whatever else. Returns the number of bytes. */
static size_t read_block(const char *name, uint8_t ret[BLOCK_MAX])
{
    FILE *file = fopen(QUELL_WIRE_MD, "re");
    char line[512], fence[64];
    bool inside = false;
    size_t len = 0;

    cr_assert_not_null(file, "%s can't be read", QUELL_WIRE_MD);
    (void) snprintf(fence, sizeof(fence), "```hex %s\n", name);
    while (fgets(line, sizeof(line), file)) {
        if (strcmp(line, fence) == 0) {
            inside = true;
            continue;
        }
        if (!inside)
            continue;
        if (strncmp(line, "```", 3) == 0)
            break;
        for (const char *at = line; len < BLOCK_MAX; at += 3) {
            char pair[3] = {at[0], at[1], '\0'};

            if (!hex_decode(pair, &ret[len], 1) || (at[2] != ' ' && at[2] != '\n'))
                break;
            len++;
            if (at[2] == '\n' || at[3] == ' ')
                break;
        }
    }
    (void) fclose(file);
    cr_assert(len > 0, "docs/wire.md has no block \"hex %s\"", name);
    return len;
}

static void expect_block(const char *name, const uint8_t *bytes, size_t len)
{
    uint8_t shown[BLOCK_MAX];
    const size_t shown_len = read_block(name, shown);

    cr_assert_eq(shown_len, len, "block %s shows %zu bytes, the programs make %zu", name, shown_len,
                 len);
    for (size_t i = 0; i < len; i++)
        cr_assert_eq(shown[i], bytes[i], "block %s, byte %zu: shows %02x, the programs make %02x",
                     name, i, shown[i], bytes[i]);
}

static ProtobufCBinaryData counted(uint8_t *bytes, size_t len, uint8_t first)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t) (first + i);
    return (ProtobufCBinaryData){.len = len, .data = bytes};
}

Test(docs_wire, a_challenge_is_made_of_the_bytes_that_are_shown)
{
    Quell__Pb__Request request = QUELL__PB__REQUEST__INIT;
    Quell__Pb__Challenge challenge = QUELL__PB__CHALLENGE__INIT;
    CLEANUP_FREE uint8_t *bytes = NULL;
    uint8_t id[16], random[24];
    struct err err = {0};
    size_t len;

    request.node = "n1";
    request.id = counted(id, sizeof(id), 0x10);
    challenge.random = counted(random, sizeof(random), 0x30);
    request.body_case = QUELL__PB__REQUEST__BODY_CHALLENGE;
    request.challenge = &challenge;
    cr_assert_eq(envelope_wrap_request(&request, &bytes, &len, &err), 0, "%s", err.text);
    expect_block("challenge", bytes, len);
}

Test(docs_wire, a_session_is_made_of_the_bytes_that_are_shown)
{
    Quell__Pb__Reply reply = QUELL__PB__REPLY__INIT;
    Quell__Pb__Session session = QUELL__PB__SESSION__INIT;
    uint8_t id[16], random[24], nonce[16], head[16];
    CLEANUP_FREE uint8_t *bytes = NULL;
    struct err err = {0};
    size_t len;

    reply.id = counted(id, sizeof(id), 0x10);
    reply.head_id = counted(head, sizeof(head), 0x80);
    reply.epoch = 3;
    session.session = counted(nonce, sizeof(nonce), 0x60);
    session.random = counted(random, sizeof(random), 0x30);
    reply.body_case = QUELL__PB__REPLY__BODY_SESSION;
    reply.session = &session;
    cr_assert_eq(envelope_wrap_reply(&reply, &bytes, &len, &err), 0, "%s", err.text);
    expect_block("session", bytes, len);
}

Test(docs_wire, a_record_is_made_of_the_bytes_that_are_shown)
{
    Quell__Pb__Record record = QUELL__PB__RECORD__INIT;
    Quell__Pb__Started started = QUELL__PB__STARTED__INIT;
    Quell__Pb__Name name = QUELL__PB__NAME__INIT;
    uint8_t uid[16], bytes[BLOCK_MAX];
    long len;

    name.job_id = 7;
    name.task_id = 1;
    started.leader_pid = 4711;
    record.uid = counted(uid, sizeof(uid), 0xa0);
    record.name = &name;
    record.boot_id = "b";
    record.kind_case = QUELL__PB__RECORD__KIND_STARTED;
    record.started = &started;
    len = record_encode(&record, bytes, sizeof(bytes));
    cr_assert_gt(len, 0);
    expect_block("record", bytes, (size_t) len);
}

static bool page_says(const char *text)
{
    FILE *file = fopen(QUELL_WIRE_MD, "re");
    char line[512];
    bool found = false;

    cr_assert_not_null(file, "%s can't be read", QUELL_WIRE_MD);
    while (!found && fgets(line, sizeof(line), file))
        found = strstr(line, text) != NULL;
    (void) fclose(file);
    return found;
}

Test(docs_wire, the_page_tells_the_limits_and_versions_that_are_built_in)
{
    const struct {
        const char *before;
        unsigned value;
        const char *behind;
    } rows[] = {
        {"One message is at most **", ENVELOPE_MAX / 1024, " KiB**"},
        {"a `Spec`, at most **", TASK_SPEC_MAX / 1024, " KiB** packed"},
        {"a `Launch` of at most ", FRAME_MAX / 1024, " KiB"},
        {"A message is an `Envelope`: `major` = ", ENVELOPE_MAJOR, ","},
        {"`Frame` (`major` ", FRAME_MAJOR, ","},
        {"`major` is ", RECORD_MAJOR, " everywhere"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[128];

        (void) snprintf(text, sizeof(text), "%s%u%s", rows[i].before, rows[i].value,
                        rows[i].behind);
        cr_assert(page_says(text), "row %zu: docs/wire.md does not say \"%s\"", i, text);
    }
}
