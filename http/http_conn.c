#include "http/http_conn.h"

#include "http/http_request.h"
#include "http/http_stream.h"

#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ACCEPT_MAX 16        /* in one turn of the loop */
#define WRITE_MAX  (1 << 20) /* bytes in a turn of the loop; the socket takes less */

static struct http_conn_list *list_of(struct http_server *server, enum http_phase phase)
{
    switch (phase) {
    case HTTP_NEWCOMER:
        return &server->newcomers;
    case HTTP_READING:
        return &server->reading;
    case HTTP_PENDING:
    case HTTP_WRITING:
    case HTTP_STREAMING:
        break;
    }
    return &server->busy;
}

void http_conn_enter(struct http_conn *conn, enum http_phase phase)
{
    struct http_server *server = conn->server;

    TAILQ_REMOVE(list_of(server, conn->phase), conn, next);
    conn->phase = phase;
    TAILQ_INSERT_TAIL(list_of(server, phase), conn, next);

    if (phase == HTTP_READING || phase == HTTP_WRITING)
        (void) event_add(conn->deadline, &server->request_timeout);
    else
        (void) event_del(conn->deadline);
    if (conn->watch && phase != HTTP_PENDING && phase != HTTP_STREAMING)
        (void) event_del(conn->watch);
}

void http_conn_stop_reading(const struct http_conn *conn)
{
    (void) bufferevent_disable(conn->bev, EV_READ);
}

void http_conn_on_replied(struct evhttp_request *ev, void *arg)
{
    (void) ev;
    http_conn_enter(arg, HTTP_READING);
}

/* Ends @conn through on_closed(). */
void http_conn_cut_off(struct http_conn *conn)
{
    if (!conn->counted)
        conn->server->stats.cut_off++;
    evhttp_connection_free(conn->evcon);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    http_conn_cut_off(arg);
}

/* The client has sent more, has finished sending, or is gone. Only the last is of interest: one
   that shuts its writing side down still wants its answer. */
static void on_watch(evutil_socket_t fd, short what, void *arg)
{
    struct http_conn *conn = arg;
    struct pollfd poll_fd = {.fd = fd, .events = 0};

    (void) what;
    if (poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & (POLLHUP | POLLERR)))
        evhttp_connection_free(conn->evcon);
}

int http_conn_watch(struct http_conn *conn)
{
    /* Edge-triggered: a client that pipelines further requests is readable all the time. */
    if (!conn->watch)
        conn->watch = event_new(conn->server->base, bufferevent_getfd(conn->bev),
                                EV_READ | EV_ET | EV_PERSIST, on_watch, conn);
    if (!conn->watch || event_add(conn->watch, NULL) < 0)
        return -ENOMEM;
    return 0;
}

/* evhttp answers what it can't parse or what is too large by itself; then it closes. */
static void count_refusal(struct http_conn *conn, struct evbuffer *output)
{
    static const char continues[] = "HTTP/1.1 100";
    char head[sizeof(continues) - 1];

    if (evbuffer_copyout(output, head, sizeof(head)) == (ev_ssize_t) sizeof(head) &&
        memcmp(head, continues, sizeof(head)) == 0)
        return;
    conn->counted = true;
    conn->server->stats.cut_off++;
}

static void on_output(struct evbuffer *output, const struct evbuffer_cb_info *info, void *arg)
{
    struct http_conn *conn = arg;

    if (info->n_added > 0 && conn->phase == HTTP_READING && !conn->counted)
        count_refusal(conn, output);
    if (info->n_deleted > 0 && conn->stream && evbuffer_get_length(output) == 0)
        http_stream_drained(conn->stream);
}

static void conn_free(struct http_conn *conn)
{
    struct http_server *server = conn->server;
    evutil_socket_t fd = bufferevent_getfd(conn->bev);

    TAILQ_REMOVE(list_of(server, conn->phase), conn, next);
    if (fd >= 0 && (size_t) fd < server->by_fd_len && server->by_fd[fd].conn == conn)
        server->by_fd[fd].conn = NULL;
    http_crowd_leave(conn);
    server->stats.connections--;
    if (conn->deadline)
        event_free(conn->deadline);
    if (conn->watch)
        event_free(conn->watch);
    free(conn);
}

/* evhttp is about to free the connection, whatever the reason. */
static void on_closed(struct evhttp_connection *evcon, void *arg)
{
    struct http_conn *conn = arg;
    struct http_server *server = conn->server;
    struct http_request *request = conn->request;
    struct http_stream *stream = conn->stream;

    (void) evcon;
    (void) evbuffer_remove_cb(bufferevent_get_output(conn->bev), on_output, conn);
    conn_free(conn);
    if (event_pending(server->resume, EV_TIMEOUT, NULL))
        event_active(server->resume, EV_TIMEOUT, 0); /* a descriptor is free again */
    if (request)
        http_request_detach(request, server);
    if (stream)
        http_stream_detach(stream, server);
}

struct bufferevent *http_conn_on_accept(struct event_base *base, void *arg)
{
    struct http_server *server = arg;
    struct http_conn *conn = calloc(1, sizeof(*conn));

    /* On NULL evhttp makes one itself, and on_whole_request() refuses what comes on it. */
    if (!conn)
        return NULL;
    conn->server = server;
    conn->bev = bufferevent_socket_new(base, -1, 0);
    if (!conn->bev) {
        free(conn);
        return NULL;
    }
    /* libevent writes 16 KiB in a turn of the loop: a long reply would take as many turns. */
    (void) bufferevent_set_max_single_write(conn->bev, WRITE_MAX);
    conn->phase = HTTP_NEWCOMER;
    TAILQ_INSERT_TAIL(&server->newcomers, conn, next);
    server->stats.connections++;
    /* libevent accepts while there is anybody: others shall have their answers between. */
    if (++server->newcomers_len == ACCEPT_MAX)
        (void) evconnlistener_disable(server->listener);
    /* Runs in this round of the loop, so before the first read. */
    event_active(server->adopt, EV_TIMEOUT, 0);
    return conn->bev;
}

static int remember(struct http_server *server, struct http_conn *conn, evutil_socket_t fd)
{
    if ((size_t) fd >= server->by_fd_len) {
        size_t len = (size_t) fd + 64;
        struct http_slot *grown = realloc(server->by_fd, len * sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        memset(grown + server->by_fd_len, 0, (len - server->by_fd_len) * sizeof(*grown));
        server->by_fd = grown;
        server->by_fd_len = len;
    }
    server->by_fd[fd].conn = conn;
    return 0;
}

static void make_room(struct http_conn *newcomer)
{
    struct http_server *server = newcomer->server;

    while (server->joined > server->connections_max)
        http_conn_cut_off(http_crowd_pick(server, newcomer));
}

static void adopt(struct http_conn *conn)
{
    struct http_server *server = conn->server;
    evutil_socket_t fd = bufferevent_getfd(conn->bev);
    struct ucred cred;
    socklen_t len = sizeof(cred);
    void *evcon = NULL;

    /* evhttp tells nobody of a new connection, but has made it the argument of its callbacks. */
    bufferevent_getcb(conn->bev, NULL, NULL, NULL, &evcon);
    if (!evcon) { /* it ran out of memory, and has closed the descriptor */
        bufferevent_free(conn->bev);
        TAILQ_REMOVE(&server->newcomers, conn, next);
        server->stats.connections--;
        free(conn);
        return;
    }
    conn->evcon = evcon;
    assert(evhttp_connection_get_bufferevent(conn->evcon) == conn->bev);
    evhttp_connection_set_closecb(conn->evcon, on_closed, conn);

    conn->deadline = evtimer_new(server->base, on_deadline, conn);
    if (!conn->deadline || remember(server, conn, fd) < 0 ||
        !evbuffer_add_cb(bufferevent_get_output(conn->bev), on_output, conn) ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0) {
        http_conn_cut_off(conn);
        return;
    }
    conn->peer = (struct http_peer){.uid = cred.uid, .gid = cred.gid, .pid = cred.pid};
    if (http_crowd_join(conn) < 0) {
        http_conn_cut_off(conn);
        return;
    }
    http_conn_enter(conn, HTTP_READING);
    make_room(conn);
}

void http_conn_adopt_all(struct http_server *server)
{
    struct http_conn *conn;

    while ((conn = TAILQ_FIRST(&server->newcomers)))
        adopt(conn);
}

bool http_conn_cut_longest_reading(struct http_server *server)
{
    struct http_conn *conn = TAILQ_FIRST(&server->reading);

    if (!conn)
        return false;
    http_conn_cut_off(conn);
    return true;
}
