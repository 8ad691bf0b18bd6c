#include "ctl/progress.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "ctl/task_view.h"
#include "ctl/terminal.h"
#include "ctl/text.h"
#include "ipc/task.h"

#include <inttypes.h>
#include <string.h>

#define ERASE_TO_END "\x1b[K"

static void write_duration(FILE *out, uint64_t seconds)
{
    const uint64_t minutes = seconds / 60;
    const uint64_t hours = minutes / 60;

    if (seconds < 60)
        (void) fprintf(out, "%" PRIu64 "s", seconds);
    else if (minutes < 60)
        (void) fprintf(out, "%" PRIu64 "m%02us", minutes, (unsigned) (seconds % 60));
    else if (hours < 24)
        (void) fprintf(out, "%" PRIu64 "h%02um", hours, (unsigned) (minutes % 60));
    else
        (void) fprintf(out, "%" PRIu64 "d%02uh", hours / 24, (unsigned) (hours % 24));
}

/* " 12s" since the time at @key; nothing where there is none. */
static void write_since(FILE *out, const json_t *task, const char *key, uint64_t now_us)
{
    uint64_t since_us;

    if (!text_get_time_us(task, key, &since_us))
        return;
    (void) fputc(' ', out);
    write_duration(out, now_us > since_us ? (now_us - since_us) / 1000000 : 0);
}

static void write_cancelling(FILE *out, const json_t *task, enum task_status status,
                             uint64_t now_us)
{
    uint64_t kill_us;

    (void) fputs("cancelling", out);
    write_since(out, task, "cancel_time", now_us);
    if (status == TASK_QUEUED) {
        (void) fputs(": waiting for the node", out); /* which may have it, and says so */
    } else if (text_get_time_us(task, "kill_time", &kill_us)) {
        if (kill_us > now_us) {
            (void) fputs(": kill in ", out);
            write_duration(out, (kill_us - now_us + 999999) / 1000000);
        } else {
            (void) fputs(": killed, waiting for the kernel", out);
        }
    }
}

static void write_state(FILE *out, const json_t *task, enum task_status status, uint64_t now_us)
{
    const char *name = task_status_name(status);

    if (!json_is_null(json_object_get(task, "cancel_time")) &&
        json_object_get(task, "cancel_time")) {
        write_cancelling(out, task, status, now_us);
        return;
    }
    (void) fputs(name + strlen("TaskStatus_"), out);
    if (status == TASK_RUNNING)
        write_since(out, task, "start_time", now_us);
    else if (status == TASK_QUEUED)
        write_since(out, task, "submit_time", now_us);
}

void progress_write(FILE *out, const json_t *task, size_t ended, size_t total, uint64_t now_us)
{
    const char *text = text_get_string(task, "status");
    const char *node = text_get_string(task, "requeue_node");
    enum task_status status;
    bool pending = text && task_status_parse(text, &status) && !task_status_is_terminal(status);

    if (total > 1)
        (void) fprintf(out, "%zu of %zu ended; ", ended, total);
    task_view_print_id(out, task);
    (void) fputc(' ', out);
    if (pending)
        write_state(out, task, status, now_us);
    if (node) {
        (void) fputs(pending ? "; " : "", out);
        (void) fputs("requeue pending: will be Queued on ", out);
        text_write_string(out, node);
    }
}

void progress_begin(struct progress *progress, size_t total)
{
    *progress = (struct progress){
        .wanted = terminal_can_redraw(STDOUT_FILENO) && terminal_can_redraw(STDERR_FILENO),
        .total = total,
    };
}

/* How many bytes of @text fit into @columns. */
static size_t fitting(const char *text, size_t columns)
{
    size_t len = 0;

    while (text[len] && columns-- > 0) {
        len++;
        while (((unsigned char) text[len] & 0xc0) == 0x80) /* a continuation byte */
            len++;
    }
    return len;
}

void progress_show(struct progress *progress, const json_t *task)
{
    CLEANUP_FREE char *text = NULL;
    size_t len;
    FILE *stream;

    if (!progress->wanted)
        return;
    stream = open_memstream(&text, &len);
    if (!stream)
        return;
    progress_write(stream, task, progress->ended, progress->total, clock_wall_us());
    if (fclose(stream) != 0)
        return;
    /* A line that wraps could not be drawn over. */
    len = fitting(text, terminal_columns(STDERR_FILENO) - 1);
    (void) fprintf(stderr, "\r%.*s" ERASE_TO_END, (int) len, text);
    progress->shown = true;
}

void progress_clear(struct progress *progress)
{
    if (!progress || !progress->shown)
        return;
    (void) fputs("\r" ERASE_TO_END, stderr);
    progress->shown = false;
}
