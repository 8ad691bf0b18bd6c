#include "ctl/sse.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct buffer {
    char *bytes; /* NULL: nothing was ever put in; else with a NUL behind */
    size_t len;
    size_t size;
};

struct sse {
    sse_handler on_event;
    void *arg;
    struct buffer line;
    struct buffer data;
    char name[SSE_NAME_SIZE];
    char id[SSE_NAME_SIZE];
    bool has_data;
    bool after_cr; /* a newline that follows belongs to the line that has ended */
    bool begun;    /* the first line is over */
};

struct sse *sse_new(sse_handler on_event, void *arg)
{
    struct sse *sse = calloc(1, sizeof(*sse));

    if (sse) {
        sse->on_event = on_event;
        sse->arg = arg;
    }
    return sse;
}

static int append(struct buffer *buffer, const char *bytes, size_t len)
{
    size_t needed = buffer->len + len + 1;

    if (needed > SSE_EVENT_MAX)
        return -EMSGSIZE;
    if (needed > buffer->size) {
        size_t size = needed < 128 ? 256 : 2 * needed;
        char *grown = realloc(buffer->bytes, size);

        if (!grown)
            return -ENOMEM;
        buffer->bytes = grown;
        buffer->size = size;
    }
    memcpy(buffer->bytes + buffer->len, bytes, len);
    buffer->len += len;
    buffer->bytes[buffer->len] = '\0';
    return 0;
}

static int take_field(struct sse *sse, const char *field, const char *value, size_t len)
{
    int r = 0;

    if (strcmp(field, "data") == 0) {
        if (sse->has_data)
            r = append(&sse->data, "\n", 1);
        sse->has_data = true;
        return r < 0 ? r : append(&sse->data, value, len);
    }
    if (strcmp(field, "event") == 0)
        (void) snprintf(sse->name, sizeof(sse->name), "%s", value);
    else if (strcmp(field, "id") == 0 && len < sizeof(sse->id) && !memchr(value, '\0', len))
        memcpy(sse->id, value, len + 1);
    return 0;
}

/* The empty line behind an event. One without data is none. */
static int dispatch(struct sse *sse)
{
    const struct sse_event event = {
        .name = sse->name, .id = sse->id, .data = sse->data.bytes, .data_len = sse->data.len};
    int r = sse->has_data ? sse->on_event(sse->arg, &event) : 0;

    sse->has_data = false;
    sse->data.len = 0;
    sse->name[0] = '\0';
    return r;
}

static int end_line(struct sse *sse)
{
    char *line = sse->line.len > 0 ? sse->line.bytes : (char[]){""};
    size_t len = sse->line.len;
    char *colon;
    char *value;

    sse->line.len = 0;
    if (!sse->begun && len >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
        line += 3; /* a byte order mark */
        len -= 3;
    }
    sse->begun = true;
    if (len == 0)
        return dispatch(sse);
    colon = memchr(line, ':', len);
    if (!colon)
        return take_field(sse, line, "", 0);
    *colon = '\0';
    value = colon[1] == ' ' ? colon + 2 : colon + 1;
    return take_field(sse, line, value, len - (size_t) (value - line)); /* ": ..." is no field */
}

int sse_feed(struct sse *sse, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = 0;
        int r;

        if (sse->after_cr && bytes[i] == '\n') {
            sse->after_cr = false;
            i++;
            continue;
        }
        sse->after_cr = false;
        while (i + n < len && bytes[i + n] != '\n' && bytes[i + n] != '\r')
            n++;
        r = append(&sse->line, bytes + i, n);
        i += n;
        if (r == 0 && i < len) {
            sse->after_cr = bytes[i++] == '\r';
            r = end_line(sse);
        }
        if (r != 0)
            return r;
    }
    return 0;
}

struct sse *sse_free(struct sse *sse)
{
    if (!sse)
        return NULL;
    free(sse->line.bytes);
    free(sse->data.bytes);
    free(sse);
    return NULL;
}
