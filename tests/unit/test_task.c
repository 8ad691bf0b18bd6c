#include "ipc/task.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* The words that users and their programs rely on, written a second time on purpose. */
static const char *const statuses[] = {"NotSubmitted", "Queued", "Running",
                                       "Finished",     "Failed", "Cancelled"};
static const char *const causes[] = {
    NULL,
    "exit_code",
    "signal",
    "core_dump",
    "time_limit",
    "out_of_memory",
    "could_not_start",
    "node_rebooted",
    "node_shutdown",
    "node_lost",
    "unknown",
    "cancelled",
};
static const char *const methods[] = {
    NULL,         "exited",          "leftovers",     "cgroup_kill",
    "v1_freezer", "exited_in_grace", "already_ended", "never_started",
};

Test(task, every_status_has_its_number_and_its_name)
{
    cr_assert_eq(sizeof(statuses) / sizeof(statuses[0]), TASK_STATUS_COUNT);
    for (int i = 0; i < TASK_STATUS_COUNT; i++) {
        enum task_status status = TASK_STATUS_COUNT;
        char name[64];

        (void) snprintf(name, sizeof(name), "TaskStatus_%s", statuses[i]);
        cr_expect_str_eq(task_status_name((enum task_status) i), name, "status %d", i);
        cr_expect(task_status_parse(name, &status) && (int) status == i, "status %d", i);
        status = TASK_STATUS_COUNT;
        cr_expect(task_status_parse(statuses[i], &status) && (int) status == i, "status %d", i);
        cr_expect_eq(task_status_is_terminal((enum task_status) i), i >= TASK_FINISHED);
    }
}

Test(task, nothing_else_is_a_status)
{
    static const char *const rows[] = {"",
                                       "TaskStatus_",
                                       "cancelled",
                                       "Cancelled ",
                                       "TaskStatus_Unknown",
                                       "askStatus_Queued",
                                       "Queue",
                                       "TaskStatus_TaskStatus_Queued"};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum task_status status = TASK_STATUS_COUNT;

        cr_expect_not(task_status_parse(rows[i], &status), "row %zu", i);
        cr_expect_eq(status, TASK_STATUS_COUNT, "row %zu: the result was touched", i);
    }
}

static int same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

Test(task, causes_and_methods_have_their_names)
{
    cr_assert_eq(sizeof(causes) / sizeof(causes[0]), TASK_CAUSE_COUNT);
    for (int i = 0; i < TASK_CAUSE_COUNT; i++)
        cr_expect(same(task_cause_name((enum task_cause) i), causes[i]), "cause %d", i);
    cr_assert_eq(sizeof(methods) / sizeof(methods[0]), TASK_METHOD_COUNT);
    for (int i = 0; i < TASK_METHOD_COUNT; i++)
        cr_expect(same(task_method_name((enum task_method) i), methods[i]), "method %d", i);
}

Test(task, a_cause_or_method_of_a_newer_node_harms_nobody)
{
    cr_expect_str_eq(task_cause_name(TASK_CAUSE_COUNT), "unknown");
    cr_expect_str_eq(task_cause_name((enum task_cause) INT32_MAX), "unknown");
    cr_expect_null(task_method_name(TASK_METHOD_COUNT));
    cr_expect_null(task_method_name((enum task_method) INT32_MAX));
}

Test(task, signals_have_their_names_or_a_number)
{
    for (int i = 1; i < 32; i++) {
        char name[32];

        (void) snprintf(name, sizeof(name), "SIG%s", i == SIGIO ? "IO" : sigabbrev_np(i));
        cr_expect_str_eq(task_signal_name((uint32_t) i), name, "signal %d", i);
    }
    cr_expect_str_eq(task_signal_name(0), "signal 0");
    cr_expect_str_eq(task_signal_name(32), "signal 32");
    cr_expect_str_eq(task_signal_name(77), "signal 77");
    cr_expect_str_eq(task_signal_name(UINT32_MAX), "signal 4294967295");
}

Test(task, an_id_is_two_numbers_with_a_dot_between)
{
    static const struct {
        const char *text;
        uint32_t job_id; /* 0: refused */
        uint32_t task_id;
    } rows[] = {
        {"7.1", 7, 1},
        {"1.1", 1, 1},
        {"2147483647.2147483647", 2147483647, 2147483647},
        {"10.200", 10, 200},
        {"2147483648.1", 0, 0},
        {"1.2147483648", 0, 0},
        {"4294967297.1", 0, 0},
        {"18446744073709551617.1", 0, 0},
        {"1.18446744073709551617", 0, 0},
        {"0.1", 0, 0},
        {"1.0", 0, 0},
        {"7.01", 0, 0},
        {"07.1", 0, 0},
        {"+7.1", 0, 0},
        {"7.+1", 0, 0},
        {"-7.1", 0, 0},
        {"7.1x", 0, 0},
        {"x7.1", 0, 0},
        {"7.1.2", 0, 0},
        {"7..1", 0, 0},
        {"7.", 0, 0},
        {".1", 0, 0},
        {".", 0, 0},
        {"7", 0, 0},
        {"", 0, 0},
        {" 7.1", 0, 0},
        {"7.1 ", 0, 0},
        {"7 .1", 0, 0},
        {"7,1", 0, 0},
        {"0x7.1", 0, 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t job_id = 0;
        uint32_t task_id = 0;
        const bool valid = task_id_parse(rows[i].text, &job_id, &task_id);

        cr_expect_eq(valid, rows[i].job_id != 0, "row %zu: \"%s\"", i, rows[i].text);
        cr_expect(job_id == rows[i].job_id && task_id == rows[i].task_id, "row %zu: %u.%u", i,
                  job_id, task_id);
    }
}

/* @count times the @len bytes of @point. */
static enum task_message_check check_repeated(const char *point, size_t count, size_t *ret_len)
{
    uint8_t bytes[4 * 400];
    const size_t len = strlen(point);

    for (size_t i = 0; i < count; i++)
        memcpy(bytes + i * len, point, len);
    return task_message_check(bytes, count * len, ret_len);
}

Test(task, a_message_has_320_code_points_at_most_whatever_their_bytes)
{
    static const char *const points[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\xa7"};

    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        size_t len = 0;

        cr_expect_eq(check_repeated(points[i], 320, &len), TASK_MESSAGE_OK, "row %zu", i);
        cr_expect_eq(len, 320u, "row %zu: %zu", i, len);
        cr_expect_eq(check_repeated(points[i], 321, &len), TASK_MESSAGE_TOO_LONG, "row %zu", i);
        cr_expect_eq(len, 321u, "row %zu: %zu", i, len);
        cr_expect_eq(check_repeated(points[i], 0, &len), TASK_MESSAGE_OK, "row %zu", i);
        cr_expect_eq(len, 0u, "row %zu: %zu", i, len);
    }
}

Test(task, text_is_utf8_without_nul)
{
    static const struct {
        const char *bytes;
        size_t len;
        bool valid;
        size_t points;
    } rows[] = {
        {"", 0, true, 0},
        {"stop", 4, true, 4},
        {"caf\xc3\xa9", 5, true, 4},
        {"\n\t\x01", 3, true, 3},
        {"\xef\xbb\xbf", 3, true, 1},
        {"\xf4\x8f\xbf\xbf", 4, true, 1},
        {"a\0b", 3, false, 0},
        {"\0", 1, false, 0},
        {"\xc0\x80", 2, false, 0},         /* overlong NUL */
        {"\xe0\x80\xaf", 3, false, 0},     /* overlong slash */
        {"\xed\xa0\x80", 3, false, 0},     /* surrogate */
        {"\xf4\x90\x80\x80", 4, false, 0}, /* U+110000 */
        {"ab\xe2\x82", 4, false, 0},       /* cut short */
        {"\x80", 1, false, 0},
        {"\xff", 1, false, 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const uint8_t *bytes = (const uint8_t *) rows[i].bytes;
        size_t points = 0;

        cr_expect_eq(task_text_is_utf8(bytes, rows[i].len, &points), rows[i].valid, "row %zu", i);
        if (rows[i].valid)
            cr_expect_eq(points, rows[i].points, "row %zu: %zu points", i, points);
        cr_expect_eq(task_message_check(bytes, rows[i].len, &points),
                     rows[i].valid ? TASK_MESSAGE_OK : TASK_MESSAGE_NOT_TEXT, "row %zu", i);
    }
}

Test(task, a_bad_byte_behind_a_long_message_is_still_not_text)
{
    uint8_t bytes[400];
    size_t len;

    memset(bytes, 'x', sizeof(bytes));
    bytes[399] = 0xff;
    cr_expect_eq(task_message_check(bytes, sizeof(bytes), &len), TASK_MESSAGE_NOT_TEXT);
}

Test(task, an_accepted_cancel_always_wins)
{
    for (int i = 0; i < TASK_CAUSE_COUNT; i++) {
        const enum task_cause cause = (enum task_cause) i;

        cr_expect_eq(task_status_of_end(true, cause), TASK_CANCELLED, "cause %d", i);
        cr_expect_eq(task_status_of_end(false, cause),
                     cause == TASK_CAUSE_NONE ? TASK_FINISHED : TASK_FAILED, "cause %d", i);
    }
}

/* Each number of enum task_error; -Wswitch-enum fails the build when one is added and not here. */
static bool is_refusal(uint32_t number)
{
    switch ((enum task_error) number) {
    case TASK_E_UNKNOWN_TASK:
    case TASK_E_ENDED:
    case TASK_E_MESSAGE_TOO_LONG:
    case TASK_E_NOT_RERUNNABLE:
    case TASK_E_INVALID:
    case TASK_E_WRONG_STATUS:
    case TASK_E_NOT_FOUND:
    case TASK_E_DENIED:
    case TASK_E_BUSY:
        return true;
    }
    return false;
}

static const struct {
    enum task_error error;
    uint32_t number;
    const char *word; /* of its sentence */
} refusals[] = {
    {TASK_E_UNKNOWN_TASK, 0x80040207, "no such task"},
    {TASK_E_ENDED, 0x80040209, "ended"},
    {TASK_E_MESSAGE_TOO_LONG, 0x800402D3, "320"},
    {TASK_E_NOT_RERUNNABLE, 0x80040612, "rerunnable"},
    {TASK_E_INVALID, 0x80070057, "argument"},
    {TASK_E_WRONG_STATUS, 0x8007139F, "status"},
    {TASK_E_NOT_FOUND, 0x80070490, "node or job"},
    {TASK_E_DENIED, 0x80070005, "permitted"},
    {TASK_E_BUSY, 0x800700AA, "nothing has changed"},
};
#define REFUSALS (sizeof(refusals) / sizeof(refusals[0]))

Test(task, refusals_have_the_numbers_of_the_contract)
{
    for (size_t i = 0; i < REFUSALS; i++)
        cr_expect_eq((uint32_t) refusals[i].error, refusals[i].number, "row %zu", i);
}

Test(task, every_refusal_has_one_sentence)
{
    for (size_t i = 0; i < REFUSALS; i++) {
        const char *text = task_error_text((int) refusals[i].number);

        cr_assert_not_null(text, "row %zu", i);
        cr_expect(text[0] >= 'A' && text[0] <= 'Z', "row %zu: %s", i, text);
        cr_expect_eq(strchr(text, '.'), text + strlen(text) - 1, "row %zu: %s", i, text);
        cr_expect_not_null(strstr(text, refusals[i].word), "row %zu: %s", i, text);
    }
}

/* All refusals lie in these two facilities of HRESULTs. */
Test(task, no_other_number_has_a_sentence)
{
    static const uint32_t facilities[] = {0x80040000, 0x80070000};
    static const uint32_t others[] = {0, 1, 16, 0x207, 0x209, 0x00040209, 0x7fffffff, 0xffffffff};
    size_t found = 0;

    for (size_t i = 0; i < sizeof(facilities) / sizeof(facilities[0]); i++)
        for (uint32_t low = 0; low <= 0xffff; low++) {
            const bool has = task_error_text((int) (facilities[i] + low)) != NULL;

            cr_expect_eq(has, is_refusal(facilities[i] + low), "0x%x", facilities[i] + low);
            found += has;
        }
    cr_expect_eq(found, REFUSALS);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        cr_expect_null(task_error_text((int) others[i]), "0x%x", others[i]);
}

Test(task, a_node_name_is_of_letters_digits_dots_dashes_and_underscores)
{
    static const struct {
        const char *name;
        bool valid;
    } rows[] = {
        {"n", true},    {"node-01.cluster_a", true},
        {"A9", true},   {"", false},
        {"a b", false}, {"a/b", false},
        {"n\n", false}, {"n\xc3\xa9", false},
        {"a:b", false}, {"a%b", false},
    };
    char name[TASK_NODE_NAME_MAX + 2];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_expect_eq(task_node_name_is_valid(rows[i].name), rows[i].valid, "row %zu", i);
    memset(name, 'n', sizeof(name));
    name[TASK_NODE_NAME_MAX + 1] = '\0';
    cr_expect_not(task_node_name_is_valid(name));
    name[TASK_NODE_NAME_MAX] = '\0';
    cr_expect(task_node_name_is_valid(name));
}

Test(task, a_groups_path_is_absolute_and_has_no_empty_part_and_no_dots)
{
    static const struct {
        const char *path;
        bool valid;
    } rows[] = {
        {"/a", true},     {"/system.slice/x.service/b c", true},
        {"/.a", true},    {"/a/..b/...", true},
        {"/\xff", true},  {"", false},
        {"/", false},     {"a", false},
        {"/a/", false},   {"//a", false},
        {"/a//b", false}, {"/.", false},
        {"/..", false},   {"/a/./b", false},
        {"/a/..", false}, {"/../a", false},
    };
    char path[TASK_GROUP_PATH_MAX + 2];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_expect_eq(task_group_path_is_valid(rows[i].path), rows[i].valid, "row %zu", i);
    memset(path, 'g', sizeof(path));
    path[0] = '/';
    path[TASK_GROUP_PATH_MAX + 1] = '\0';
    cr_expect_not(task_group_path_is_valid(path));
    path[TASK_GROUP_PATH_MAX] = '\0';
    cr_expect(task_group_path_is_valid(path));
}
