#pragma once

/*
 * test_http_fixture.h - a server on a real socket in a temporary directory, and clients in the same
 * loop. Nothing sleeps: run_until() turns the loop until something is true, or fails.
 */
#include "http/http_server.h"

#include <criterion/criterion.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LATE_MAX   8
#define TIMEOUT_MS 300

struct fixture {
    unsigned streams_max;
    struct event_base *base;
    struct http_server *server;
    char dir[64];
    char path[80];
    struct http_request *late[LATE_MAX]; /* what was asked of /late, not yet answered */
    size_t late_len;
    struct http_peer peer; /* of the last request */
    bool in_own_group;
    bool in_group_12345;
    unsigned gone;
    bool reply_when_gone;
    char *huge; /* the answer of /huge */
    size_t huge_len;
    void (*on_stream)(struct http_request *request); /* asked of /stream */
    unsigned rounds;                                 /* of the loop, in run_until() */
    bool timed_out;
};

struct client {
    struct bufferevent *bev;
    bool ended;
};

static struct fixture f;

static void on_client_event(struct bufferevent *bev, short what, void *arg)
{
    struct client *client = arg;

    (void) bev;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        client->ended = true;
}

static int client_connect(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_geq(fd, 0);
    (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", f.path);
    cr_assert_eq(connect(fd, (struct sockaddr *) &address, sizeof(address)), 0);
    cr_assert_eq(evutil_make_socket_nonblocking(fd), 0);
    return fd;
}

static inline void client_open(struct client *ret)
{
    *ret = (struct client){0};
    ret->bev = bufferevent_socket_new(f.base, client_connect(), BEV_OPT_CLOSE_ON_FREE);
    cr_assert_not_null(ret->bev);
    bufferevent_setcb(ret->bev, NULL, NULL, on_client_event, ret);
    (void) bufferevent_enable(ret->bev, EV_READ | EV_WRITE);
}

static inline void client_close(struct client *client)
{
    bufferevent_free(client->bev);
    client->bev = NULL;
}

static inline void client_send(struct client *client, const char *text)
{
    (void) bufferevent_write(client->bev, text, strlen(text));
}

/* What has come so far, as text that stays until the next call. */
static inline const char *client_text(struct client *client)
{
    static char text[65536];
    struct evbuffer *input = bufferevent_get_input(client->bev);
    ev_ssize_t n = evbuffer_copyout(input, text, sizeof(text) - 1);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

static inline bool client_has(struct client *client, const char *text)
{
    return strstr(client_text(client), text) != NULL;
}

static struct http_stats stats(void)
{
    struct http_stats ret;

    http_server_stats(f.server, &ret);
    return ret;
}

static void on_test_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    (void) arg;
    f.timed_out = true;
}

/* Turns the loop until @condition holds; the test fails after 5 s. */
#define run_until(condition)                                                                       \
    do {                                                                                           \
        run_for_(5000, condition);                                                                 \
        cr_assert(condition, "waited in vain for " #condition);                                    \
    } while (0)

/* Turns the loop for @ms. */
#define run_for(ms) run_for_(ms, false)

#define run_for_(ms, condition)                                                                    \
    do {                                                                                           \
        const struct timeval after_ = {.tv_sec = (ms) / 1000, .tv_usec = (ms) % 1000 * 1000};      \
        struct event *deadline_ = evtimer_new(f.base, on_test_deadline, NULL);                     \
        f.timed_out = false;                                                                       \
        f.rounds = 0;                                                                              \
        (void) evtimer_add(deadline_, &after_);                                                    \
        while (!(condition) && !f.timed_out) {                                                     \
            (void) event_base_loop(f.base, EVLOOP_ONCE);                                           \
            f.rounds++;                                                                            \
        }                                                                                          \
        event_free(deadline_);                                                                     \
    } while (0)

static void on_gone(void *arg)
{
    f.gone++;
    if (f.reply_when_gone)
        http_reply(arg, 200, "text/plain", "unheard", 7);
}

static void reply_echo(struct http_request *request)
{
    char text[4096];
    size_t body_len;
    const char *body = http_request_body(request, &body_len);
    const char *a = http_request_query(request, "a");
    int len = snprintf(text, sizeof(text), "method=%s path=%s a=%s body=%.*s.",
                       http_request_method(request), http_request_path(request), a ? a : "(none)",
                       (int) (body_len < 1000 ? body_len : 1000), body);

    http_reply(request, 200, "text/plain", text, (size_t) len);
}

static void on_request(void *arg, struct http_request *request)
{
    const char *path = http_request_path(request);

    cr_assert_eq(arg, &f);
    f.peer = *http_request_peer(request);
    f.in_own_group = http_request_peer_in_group(request, getegid());
    f.in_group_12345 = http_request_peer_in_group(request, 12345);
    if (strcmp(path, "/late") == 0) {
        cr_assert_lt(f.late_len, LATE_MAX);
        f.late[f.late_len++] = request;
        http_request_on_gone(request, on_gone, request);
    } else if (strcmp(path, "/stream") == 0 && f.on_stream) {
        f.on_stream(request);
    } else if (strcmp(path, "/huge") == 0) {
        http_reply(request, 200, "text/plain", f.huge, f.huge_len);
    } else if (strcmp(path, "/missing") == 0) {
        http_reply(request, 404, "text/plain", "no", 2);
    } else {
        reply_echo(request);
    }
}

static inline void reply_late(size_t i)
{
    http_reply(f.late[i], 200, "text/plain", "finally", 7);
    f.late[i] = NULL;
}

static void start_server(unsigned connections_max)
{
    struct http_server_options options = {
        .path = f.path,
        .mode = 0600,
        .body_max = 4096,
        .header_max = 4096,
        .streams_max = f.streams_max,
        .connections_max = connections_max,
        .request_timeout_ms = TIMEOUT_MS,
    };
    struct err err = {0};

    cr_assert_eq(http_server_open(f.base, &options, on_request, &f, &f.server, &err), 0, "%s",
                 err.text);
}

static void set_up(void)
{
    (void) signal(SIGPIPE, SIG_IGN);
    f = (struct fixture){0};
    strcpy(f.dir, "/tmp/quell-test-XXXXXX");
    cr_assert_not_null(mkdtemp(f.dir));
    (void) snprintf(f.path, sizeof(f.path), "%s/s", f.dir);
    f.base = event_base_new();
    cr_assert_not_null(f.base);
    start_server(8);
}

static void tear_down(void)
{
    f.server = http_server_close(f.server);
    (void) event_base_loop(f.base, EVLOOP_NONBLOCK);
    event_base_free(f.base);
    free(f.huge);
    cr_expect_eq(rmdir(f.dir), 0, "something was left in %s", f.dir);
}
