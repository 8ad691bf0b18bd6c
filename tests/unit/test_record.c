#include "ipc/record.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static uint8_t file[4096];
static long file_len;

/* A record with a text that its checksum covers, as the supervisor writes it. */
static void encode(void)
{
    static uint8_t uid[16] = "0123456789abcdef";
    static char text[] = "killed by signal 9 (SIGKILL)";
    Quell__Pb__Record record = QUELL__PB__RECORD__INIT;
    Quell__Pb__Ending ending = QUELL__PB__ENDING__INIT;

    record.uid.data = uid;
    record.uid.len = sizeof(uid);
    ending.cause = QUELL__PB__CAUSE__CAUSE_SIGNAL;
    ending.text = text;
    ending.end_time_us = 1234567890123456ull;
    record.kind_case = QUELL__PB__RECORD__KIND_ENDING;
    record.ending = &ending;
    file_len = record_encode(&record, file, sizeof(file));
    cr_assert_gt(file_len, (long) RECORD_HEADER);
}

TestSuite(record, .init = encode);

static int decode(const uint8_t *bytes, size_t len, struct err *err)
{
    /* A copy of just this length: reading behind it is for the sanitizer to find. */
    uint8_t *copy = malloc(len ? len : 1);
    Quell__Pb__Record *record = NULL;
    int r;

    cr_assert_not_null(copy);
    memcpy(copy, bytes, len);
    r = record_decode(copy, len, NULL, &record, err);
    cr_expect_eq(r == 0, record != NULL);
    quell__pb__record__free_unpacked(record, NULL);
    free(copy);
    return r;
}

Test(record, a_record_comes_back_as_it_was)
{
    Quell__Pb__Record *record = NULL;
    struct err err = {0};

    cr_assert_eq(record_decode(file, (size_t) file_len, NULL, &record, &err), 0, "%s", err.text);
    cr_expect_eq(record->uid.len, 16u);
    cr_expect_eq(memcmp(record->uid.data, "0123456789abcdef", 16), 0);
    cr_assert_eq(record->kind_case, QUELL__PB__RECORD__KIND_ENDING);
    cr_expect_eq(record->ending->cause, QUELL__PB__CAUSE__CAUSE_SIGNAL);
    cr_expect_str_eq(record->ending->text, "killed by signal 9 (SIGKILL)");
    cr_expect_eq(record->ending->end_time_us, 1234567890123456ull);
    quell__pb__record__free_unpacked(record, NULL);
}

Test(record, the_header_is_as_documented)
{
    const uint8_t expected[12] = {'Q', 'U', 'E', 'L', 'L', 'R', 'E', 'C', 1, 0, 0, 0};
    const uint32_t len = (uint32_t) file_len - RECORD_HEADER;

    cr_expect_arr_eq(file, expected, sizeof(expected));
    cr_expect_eq(file[12] | file[13] << 8 | file[14] << 16 | file[15] << 24, len);
}

Test(record, the_checksum_is_crc_32c)
{
    /* The polynomial's published check value: "123456789" gives 0xE3069283. (Read as a message, it
       is an unknown field of eight bytes.) */
    uint8_t bytes[RECORD_HEADER + 9] = {'Q', 'U', 'E', 'L', 'L', 'R', 'E',  'C',  1,    0,
                                        0,   0,   9,   0,   0,   0,   0x83, 0x92, 0x06, 0xe3};
    struct err err = {0};

    memcpy(bytes + RECORD_HEADER, "123456789", 9);
    cr_expect_eq(decode(bytes, sizeof(bytes), &err), 0, "%s", err.text);
    bytes[16] ^= 1;
    cr_expect_eq(decode(bytes, sizeof(bytes), &err), -EBADMSG);
    cr_expect_str_eq(err.text, "a damaged record: its checksum does not match", "%s", err.text);
}

Test(record, a_sound_file_around_a_broken_message_is_refused)
{
    /* One byte, 0xff: the start of a field number that does not end. Its CRC-32C is 0xff000000. */
    uint8_t bytes[RECORD_HEADER + 1] = {'Q', 'U', 'E', 'L', 'L', 'R', 'E', 'C', 1, 0,
                                        0,   0,   1,   0,   0,   0,   0,   0,   0, 0xff};
    struct err err = {0};

    bytes[RECORD_HEADER] = 0xff;
    cr_expect_eq(decode(bytes, sizeof(bytes), &err), -EBADMSG);
    cr_expect_str_eq(err.text, "a record that can't be unpacked", "%s", err.text);
}

Test(record, no_torn_file_is_taken_for_a_record)
{
    for (long len = 0; len < file_len; len++) {
        struct err err = {0};

        cr_expect_eq(decode(file, (size_t) len, &err), -EBADMSG, "%ld bytes", len);
        cr_expect_neq(err.text[0], '\0', "%ld bytes: no sentence", len);
    }
}

Test(record, no_file_with_something_behind_is_taken_for_a_record)
{
    for (long extra = 1; extra < 100; extra++)
        cr_expect_eq(decode(file, (size_t) (file_len + extra), NULL), -EBADMSG, "%ld", extra);
}

Test(record, a_second_message_behind_the_first_is_no_part_of_the_record)
{
    const size_t len = (size_t) file_len - RECORD_HEADER;
    struct err err = {0};

    /* Two packed messages in a row are one packed message: only the length can tell. */
    memcpy(file + file_len, file + RECORD_HEADER, len);
    cr_expect_eq(decode(file, (size_t) file_len + len, &err), -EBADMSG);
    cr_expect_eq(strncmp(err.text, "a torn record: ", 15), 0, "%s", err.text);
}

Test(record, no_flipped_bit_goes_unseen)
{
    for (long bit = 0; bit < 8 * file_len; bit++) {
        const bool in_minor = bit / 8 == 10 || bit / 8 == 11;
        const bool in_major = bit / 8 == 8 || bit / 8 == 9;
        int r;

        file[bit / 8] ^= (uint8_t) (1 << bit % 8);
        r = decode(file, (size_t) file_len, NULL);
        if (in_minor)
            cr_expect_eq(r, 0, "bit %ld: a newer minor is read", bit);
        else if (in_major)
            cr_expect(r == -EBADMSG || r == -EPROTONOSUPPORT, "bit %ld: %d", bit, r);
        else
            cr_expect_eq(r, -EBADMSG, "bit %ld: %d", bit, r);
        file[bit / 8] ^= (uint8_t) (1 << bit % 8);
    }
}

Test(record, a_newer_major_is_refused_with_both_versions)
{
    struct err err = {0};

    file[8] = 2;
    cr_expect_eq(decode(file, (size_t) file_len, &err), -EPROTONOSUPPORT);
    cr_expect_str_eq(err.text, "a record of version 2, newer than this program's version 1", "%s",
                     err.text);
    file[8] = 0;
    cr_expect_eq(decode(file, (size_t) file_len, &err), -EBADMSG);
}

Test(record, a_length_beyond_all_bounds_is_refused)
{
    memset(file + 12, 0xff, 4);
    cr_expect_eq(decode(file, (size_t) file_len, NULL), -EBADMSG);
}

Test(record, a_buffer_that_is_too_small_is_said)
{
    Quell__Pb__Record record = QUELL__PB__RECORD__INIT;
    static char boot_id[RECORD_MAX];
    static uint8_t big[2 * RECORD_MAX];

    record.boot_id = boot_id;
    memset(boot_id, 'x', 100);
    for (size_t size = 0; size < RECORD_HEADER + 102; size++)
        cr_expect_eq(record_encode(&record, file, size), -ENOSPC, "%zu bytes", size);
    cr_expect_eq(record_encode(&record, file, RECORD_HEADER + 102), (long) RECORD_HEADER + 102);

    memset(boot_id, 'x', sizeof(boot_id) - 1);
    cr_expect_eq(record_encode(&record, big, sizeof(big)), -ENOSPC, "above RECORD_MAX");
}

Test(record, an_empty_record_is_a_record)
{
    Quell__Pb__Record record = QUELL__PB__RECORD__INIT;
    const long len = record_encode(&record, file, sizeof(file));

    cr_expect_eq(len, (long) RECORD_HEADER);
    cr_expect_eq(decode(file, (size_t) len, NULL), 0);
}

Test(record, a_kind_that_is_taken_out_outlives_its_record_and_no_other_is_given)
{
    Quell__Pb__Record *record = malloc(sizeof(*record));
    Quell__Pb__Started *started = malloc(sizeof(*started));

    cr_assert(record && started);
    quell__pb__record__init(record);
    quell__pb__started__init(started);
    record->kind_case = QUELL__PB__RECORD__KIND_STARTED;
    record->started = started;
    cr_expect_null(record_take_command(record));
    cr_expect_null(record_take_ending(record));
    cr_expect_eq(record_take_started(record), started);
    cr_expect_null(record_take_started(record), "it is given once");
    quell__pb__record__free_unpacked(record, NULL);
    quell__pb__started__free_unpacked(started, NULL);
}
