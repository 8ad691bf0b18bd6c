#include "ipc/task_json.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void expect_json(json_t *json, const char *expected)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

    cr_assert(text);
    cr_expect_str_eq(text, expected);
    free(text);
    json_decref(json);
}

Test(task_json, what_is_not_known_is_null_and_never_zero)
{
    expect_json(task_json_time(0), "null");
    expect_json(task_json_number(TASK_UNKNOWN), "null");
    expect_json(task_json_number(0), "0");
    expect_json(task_json_text(NULL, 0), "null");
    expect_json(task_json_text("", 0), "\"\"");
    expect_json(task_json_name_or_null(NULL), "null");
    expect_json(task_json_name_or_null(""), "null");
    expect_json(task_json_name_or_null("exit_code"), "\"exit_code\"");
    expect_json(task_json_proof(&(struct task_proof){.known = false}), "null");
    expect_json(task_json_usage(&(struct task_usage){.known = false}), "null");
}

Test(task_json, times_are_rfc_3339_with_microseconds)
{
    expect_json(task_json_time(1), "\"1970-01-01T00:00:00.000001Z\"");
    expect_json(task_json_time(1700000000123456), "\"2023-11-14T22:13:20.123456Z\"");
}

Test(task_json, errors_have_number_and_sentence)
{
    expect_json(task_json_error(TASK_E_ENDED, "no"),
                "{\"error\":{\"code\":\"0x80040209\",\"text\":\"no\"}}");
    expect_json(task_json_error(TASK_E_DENIED, "a\xff"),
                "{\"error\":{\"code\":\"0x80070005\",\"text\":\"a\xEF\xBF\xBD\"}}");
}

struct text {
    const char *bytes;
    size_t len;
    const char *json;
};

#define BAD "\xEF\xBF\xBD"

static const struct text texts[] = {
    {"plain", 5, "\"plain\""},
    {"gr\xC3\xBC\xC3\x9F", 6, "\"gr\xC3\xBC\xC3\x9F\""},
    {"a\0b", 3, "\"a\\u0000b\""},
    {"\x1b[31m\n", 6, "\"\\u001B[31m\\n\""},
    {"\xff", 1, "\"" BAD "\""},
    {"a\xC3", 2, "\"a" BAD "\""},
    {"\xC3(", 2, "\"" BAD "(\""},
    {"\x80\x80z", 3, "\"" BAD BAD "z\""},
    {"\xE2\x82", 2, "\"" BAD BAD "\""},
    {"\xE2\x82\xAC\xff", 4, "\"\xE2\x82\xAC" BAD "\""},
    {"\xF0\x9F\x90\x8C\xED\xA0\x80", 7, "\"\xF0\x9F\x90\x8C" BAD BAD BAD "\""}, /* a surrogate */
    {"\xC0\xAF", 2, "\"" BAD BAD "\""},                                         /* overlong */
    {"\xF4\x90\x80\x80", 4, "\"" BAD BAD BAD BAD "\""},
    {"\xff\0z", 3, "\"" BAD "\\u0000z\""},
};

Test(task_json, bytes_become_text_and_what_is_none_shows)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        cr_log_info("row %zu", i);
        expect_json(task_json_text(texts[i].bytes, texts[i].len), texts[i].json);
    }
}

Test(task_json, a_proof_has_every_member_of_the_contract)
{
    struct task_proof proof = {
        .known = true,
        .method = TASK_METHOD_CGROUP_KILL,
        .processes_at_kill = 50,
        .escaped = 0,
        .cgroup_inode = 1234,
        .signals_sent = 51,
        .boot_id = "b",
        .received_us = 0,
        .term_us = 10,
        .kill_us = 1000,
        .empty_us = 1500,
        .reaped_us = TASK_UNKNOWN,
        .recorded_us = 1600,
    };

    expect_json(
        task_json_proof(&proof),
        "{\"method\":\"cgroup_kill\",\"processes_at_kill\":50,\"escaped\":0,"
        "\"cgroup_inode\":1234,\"signals_sent\":51,\"boot_id\":\"b\",\"us\":{\"received\":0,"
        "\"term\":10,\"kill\":1000,\"empty\":1500,\"reaped\":null,\"recorded\":1600}}");
}

Test(task_json, a_usage_has_every_member_of_the_contract)
{
    struct task_usage usage = {
        .known = true,
        .cpu_us = 5,
        .memory_peak_bytes = 4096,
        .oom_kills = 0,
        .io_read_bytes = TASK_UNKNOWN,
        .io_write_bytes = TASK_UNKNOWN,
    };

    expect_json(task_json_usage(&usage),
                "{\"cpu_us\":5,\"memory_peak_bytes\":4096,\"oom_kills\":0,\"io_read_bytes\":null,"
                "\"io_write_bytes\":null}");
}
