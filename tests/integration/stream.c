#include "tests/integration/stream.h"

#include "tests/integration/program.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct stream {
    FILE *file;
    json_t *data;
};

static int stream_connect(const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval deadline = {.tv_sec = DEADLINE_MS / 1000};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    cr_assert_eq(connect(fd, (struct sockaddr *) &address, sizeof(address)), 0, "%s: %s",
                 socket_path, strerror(errno));
    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline)), 0);
    return fd;
}

/* Without its end. False: there is none any more. */
static bool stream_line(struct stream *stream, char *line, size_t size)
{
    errno = 0;
    if (!fgets(line, (int) size, stream->file)) {
        cr_assert(errno != EAGAIN, "no event comes");
        return false;
    }
    cr_assert_not_null(strchr(line, '\n'), "a line without an end: %s", line);
    line[strcspn(line, "\r\n")] = '\0';
    return true;
}

struct stream *stream_open(const char *socket_path, const char *path, const char *last_id)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    const int fd = stream_connect(socket_path);
    char line[1024];

    cr_assert_not_null(stream);
    /* HTTP/1.0: an answer that ends with the connection, and is not sent in chunks. */
    (void) dprintf(fd, "GET %s HTTP/1.0\r\n%s%s%s\r\n", path, last_id ? "Last-Event-ID: " : "",
                   last_id ? last_id : "", last_id ? "\r\n" : "");
    stream->file = fdopen(fd, "re");
    cr_assert_not_null(stream->file);
    cr_assert(stream_line(stream, line, sizeof(line)));
    cr_assert_not_null(strstr(line, " 200 "), "%s: %s", path, line);
    while (stream_line(stream, line, sizeof(line)) && *line)
        ;
    return stream;
}

void stream_close(struct stream *stream)
{
    (void) fclose(stream->file);
    json_decref(stream->data);
    free(stream);
}

bool stream_next(struct stream *stream, struct stream_event *ret)
{
    char line[16384];

    *ret = (struct stream_event){.id = 0};
    json_decref(stream->data);
    stream->data = NULL;
    while (stream_line(stream, line, sizeof(line))) {
        if (strncmp(line, "id: ", 4) == 0)
            ret->id = strtoull(line + 4, NULL, 10);
        else if (strncmp(line, "event: ", 7) == 0)
            (void) snprintf(ret->name, sizeof(ret->name), "%s", line + 7);
        else if (strncmp(line, "data: ", 6) == 0)
            ret->data = stream->data = json_loads(line + 6, 0, NULL);
        else if (*line == '\0' && ret->data)
            return true;
    }
    return false;
}
