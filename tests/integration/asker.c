#include "tests/integration/asker.h"

#include "tests/integration/program.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct asker {
    int fd;
    char answer[1 << 20];
};

struct asker *asker_open(const char *socket_path)
{
    struct asker *asker = malloc(sizeof(*asker));
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    cr_assert_not_null(asker);
    asker->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    cr_assert_eq(connect(asker->fd, (struct sockaddr *) &address, sizeof(address)), 0, "%s: %s",
                 socket_path, strerror(errno));
    return asker;
}

void asker_close(struct asker *asker)
{
    (void) close(asker->fd);
    free(asker);
}

/* Reads until head and body are there. Returns the body. */
static const char *asker_read(struct asker *asker, int *ret_status)
{
    size_t len = 0, want = sizeof(asker->answer);
    const char *body = NULL;

    while (!body || len < want) {
        const char *length;
        ssize_t n;

        cr_assert_lt(len, sizeof(asker->answer) - 1);
        cr_assert_eq(wait_readable(asker->fd), 0, "the socket gives no answer");
        n = recv(asker->fd, asker->answer + len, sizeof(asker->answer) - 1 - len, 0);
        cr_assert_gt(n, 0, "the socket was closed before the answer: %s", strerror(errno));
        len += (size_t) n;
        asker->answer[len] = '\0';
        body = strstr(asker->answer, "\r\n\r\n");
        if (!body)
            continue;
        body += 4;
        length = strcasestr(asker->answer, "\r\nContent-Length:");
        cr_assert(length && length < body, "no length: %s", asker->answer);
        want = (size_t) (body - asker->answer) + strtoul(length + 17, NULL, 10);
    }
    if (ret_status)
        *ret_status = (int) strtol(asker->answer + strlen("HTTP/1.1 "), NULL, 10);
    return body;
}

static json_t *asker_ask(struct asker *asker, const char *request, int *ret_status)
{
    const char *body;
    json_t *json;

    cr_assert_eq(send(asker->fd, request, strlen(request), MSG_NOSIGNAL),
                 (ssize_t) strlen(request));
    body = asker_read(asker, ret_status);
    json = json_loads(body, 0, NULL);
    cr_assert_not_null(json, "no JSON: %s", body);
    return json;
}

json_t *asker_get(struct asker *asker, const char *path, int *ret_status)
{
    char request[512];

    (void) snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    return asker_ask(asker, request, ret_status);
}

json_t *asker_post(struct asker *asker, const char *path, const char *body, int *ret_status)
{
    char request[4096];
    const int len = snprintf(request, sizeof(request),
                             "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                             "application/json\r\nContent-Length: %zu\r\n\r\n%s",
                             path, strlen(body), body);

    cr_assert_lt(len, (int) sizeof(request));
    return asker_ask(asker, request, ret_status);
}
