/*
 * task_json.c - what head and agent both show of a task, as JSON.
 *
 * A value that is not known is null: a person must be able to tell it from 0. Out of memory jansson
 * returns NULL, which its own functions then take as "no value".
 */
#include "ipc/task_json.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT     "\xEF\xBF\xBD" /* U+FFFD */
#define REPLACEMENT_LEN 3u

json_t *task_json_time(uint64_t wall_us)
{
    char text[CLOCK_TEXT_SIZE];

    return wall_us == 0 ? json_null() : json_string(clock_text(wall_us, text));
}

json_t *task_json_number(int64_t value)
{
    return value == TASK_UNKNOWN ? json_null() : json_integer((json_int_t) value);
}

json_t *task_json_name_or_null(const char *name)
{
    return !name || *name == '\0' ? json_null() : task_json_text(name, strlen(name));
}

/* How many bytes at @bytes are one whole valid character; 0 when they are none. */
static size_t character_len(const uint8_t *bytes, size_t len)
{
    size_t want;
    size_t count;

    if (bytes[0] < 0x80)
        return 1;
    want = bytes[0] >= 0xF0 ? 4 : bytes[0] >= 0xE0 ? 3 : 2;
    if (want > len || !task_text_is_utf8(bytes, want, &count) || count != 1)
        return 0;
    return want;
}

json_t *task_json_text(const void *bytes, size_t len)
{
    const uint8_t *text = bytes;
    size_t used = 0;
    json_t *json;
    char *mended;

    if (!bytes)
        return json_null();
    json = json_stringn(bytes, len);
    if (json)
        return json;
    mended = malloc(len * REPLACEMENT_LEN + 1);
    if (!mended)
        return NULL;
    for (size_t i = 0; i < len;) {
        size_t whole = character_len(text + i, len - i);

        memcpy(mended + used, whole ? (const char *) text + i : REPLACEMENT,
               whole ? whole : REPLACEMENT_LEN);
        used += whole ? whole : REPLACEMENT_LEN;
        i += whole ? whole : 1;
    }
    json = json_stringn(mended, used);
    free(mended);
    return json;
}

static json_t *method_json(enum task_method method)
{
    return task_json_name_or_null(task_method_name(method));
}

json_t *task_json_proof(const struct task_proof *proof)
{
    if (!proof->known)
        return json_null();
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o, s:o, s:o, s:o, s:o}}", "method",
        method_json(proof->method), "processes_at_kill", task_json_number(proof->processes_at_kill),
        "escaped", task_json_number(proof->escaped), "cgroup_inode",
        task_json_number(proof->cgroup_inode), "signals_sent",
        task_json_number(proof->signals_sent), "boot_id", task_json_name_or_null(proof->boot_id),
        "us", "received", task_json_number(proof->received_us), "term",
        task_json_number(proof->term_us), "kill", task_json_number(proof->kill_us), "empty",
        task_json_number(proof->empty_us), "reaped", task_json_number(proof->reaped_us), "recorded",
        task_json_number(proof->recorded_us));
}

json_t *task_json_usage(const struct task_usage *usage)
{
    if (!usage->known)
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "cpu_us", task_json_number(usage->cpu_us),
                     "memory_peak_bytes", task_json_number(usage->memory_peak_bytes), "oom_kills",
                     task_json_number(usage->oom_kills), "io_read_bytes",
                     task_json_number(usage->io_read_bytes), "io_write_bytes",
                     task_json_number(usage->io_write_bytes));
}

json_t *task_json_error(int code, const char *text)
{
    char number[16];

    (void) snprintf(number, sizeof(number), "0x%08X", (unsigned) code);
    return json_pack("{s:{s:s, s:o}}", "error", "code", number, "text",
                     task_json_text(text, strlen(text)));
}
