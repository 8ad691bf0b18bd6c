#include "base/log.h"

#include "base/fdio.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_TEXT_MAX 2048u

static const char *log_program = "quell";
static bool log_to_journal;

/* As systemd.exec(5) says: stderr is the journal only if it is still the very stream that
   $JOURNAL_STREAM names, and not something that it was redirected to since. */
static bool log_stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    char own[64];

    if (!stream || fstat(STDERR_FILENO, &st) < 0)
        return false;
    (void) snprintf(own, sizeof(own), "%llu:%llu", (unsigned long long) st.st_dev,
                    (unsigned long long) st.st_ino);
    return strcmp(stream, own) == 0;
}

void log_open(const char *program)
{
    log_program = program;
    log_to_journal = log_stderr_is_journal();
}

static bool log_is_printable(uint32_t point)
{
    return point >= 0x20 && (point < 0x7f || point > 0x9f);
}

/* Copies @text so that no byte of it can begin a line or talk to a terminal. @ret has room for four
   characters for each byte. Returns the length. */
static size_t log_escape(const char *text, size_t text_len, char *ret)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = (const uint8_t *) text;
    size_t len = 0;

    for (size_t i = 0; i < text_len;) {
        uint32_t point;
        size_t n = utf8_decode(bytes + i, text_len - i, &point);

        if (n > 0 && log_is_printable(point)) {
            memcpy(ret + len, text + i, n);
            len += n;
            i += n;
            continue;
        }
        for (n = n > 0 ? n : 1; n > 0; n--, i++) {
            ret[len++] = '\\';
            ret[len++] = 'x';
            ret[len++] = digits[bytes[i] >> 4];
            ret[len++] = digits[bytes[i] & 0x0f];
        }
    }
    return len;
}

void log_write(enum log_level level, const char *format, ...)
{
    char text[LOG_TEXT_MAX];
    char line[4 * LOG_TEXT_MAX + 128];
    va_list args;
    size_t len;

    va_start(args, format);
    (void) vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    if (log_to_journal)
        (void) snprintf(line, 128, "<%d>", (int) level);
    else
        (void) snprintf(line, 128, "%s: ", log_program);
    len = strlen(line);
    len += log_escape(text, strlen(text), line + len);
    line[len++] = '\n';
    /* Nobody is left to be told when stderr itself fails. */
    (void) fdio_write(STDERR_FILENO, line, len);
}
