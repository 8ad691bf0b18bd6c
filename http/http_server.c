#include "http/http_server.h"

#include "http/http_conn.h"
#include "http/http_request.h"
#include "http/http_socket.h"

#include <assert.h>
#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <limits.h>
#include <stdlib.h>

#define RESUME_ACCEPT_SECONDS 1
#define ALL_METHODS           0xffff /* also those that evhttp does not know: the program refuses */

static TAILQ_HEAD(, http_server) servers = TAILQ_HEAD_INITIALIZER(servers);

/* evhttp has a whole request. */
static void on_whole_request(struct evhttp_request *ev, void *arg)
{
    struct http_server *server = arg;
    struct bufferevent *bev = evhttp_connection_get_bufferevent(evhttp_request_get_connection(ev));
    evutil_socket_t fd = bufferevent_getfd(bev);
    struct http_conn *conn =
        fd >= 0 && (size_t) fd < server->by_fd_len ? server->by_fd[fd].conn : NULL;
    struct http_request *request;
    int r;

    if (!conn) {
        http_request_refuse(ev, HTTP_SERVUNAVAIL, "The server is out of memory.");
        return;
    }
    server->stats.requests++;
    r = http_request_new(ev, conn, &request);
    if (r < 0) {
        http_conn_enter(conn, HTTP_WRITING);
        if (r == -EINVAL)
            http_request_refuse(ev, HTTP_BADREQUEST,
                                "The address makes no sense: a path that begins with / and "
                                "well-formed percent-encoding without NUL are needed.");
        else
            http_request_refuse(ev, HTTP_SERVUNAVAIL, "The server is out of memory.");
        return;
    }

    http_conn_enter(conn, HTTP_PENDING);
    server->in_callback++;
    server->on_request(server->arg, request);
    server->in_callback--;
    /* Not yet answered: see that a client which goes away is noticed. */
    if (conn->request && http_conn_watch(conn) < 0)
        evhttp_connection_free(conn->evcon);
}

static void on_adopt(evutil_socket_t fd, short what, void *arg)
{
    struct http_server *server = arg;

    (void) fd;
    (void) what;
    http_conn_adopt_all(server);
    server->newcomers_len = 0;
    if (!event_pending(server->resume, EV_TIMEOUT, NULL))
        (void) evconnlistener_enable(server->listener);
}

/* The usual reason is that descriptors have run out. The waiting connection keeps the listener
   readable: without a free descriptor the loop would spin. */
static void on_accept_failed(struct evconnlistener *listener, void *evhttp)
{
    const struct timeval pause = {.tv_sec = RESUME_ACCEPT_SECONDS};
    struct http_server *server;

    /* The listener's one argument is evhttp's: it does not lead to us. */
    TAILQ_FOREACH(server, &servers, next)
    if (server->evhttp == evhttp)
        break;
    if (!server || http_conn_cut_longest_reading(server))
        return;
    (void) evconnlistener_disable(listener);
    (void) event_add(server->resume, &pause);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
    struct http_server *server = arg;

    (void) fd;
    (void) what;
    (void) event_del(server->resume);
    (void) evconnlistener_enable(server->listener);
}

static ev_ssize_t clamp(size_t bytes)
{
    return bytes > SSIZE_MAX / 4 ? SSIZE_MAX / 4 : (ev_ssize_t) bytes;
}

static int start_evhttp(struct http_server *server, const struct http_server_options *options)
{
    int fd;

    server->evhttp = evhttp_new(server->base);
    server->adopt = event_new(server->base, -1, 0, on_adopt, server);
    server->resume = evtimer_new(server->base, on_resume, server);
    if (!server->evhttp || !server->adopt || !server->resume)
        return -ENOMEM;

    evhttp_set_max_headers_size(server->evhttp, clamp(options->header_max));
    evhttp_set_max_body_size(server->evhttp, clamp(options->body_max));
    evhttp_set_allowed_methods(server->evhttp, ALL_METHODS);
    evhttp_set_default_content_type(server->evhttp, NULL);
    /* Reads what a client still sends of a body that is too large: a close with unread bytes would
       take the 413 away from it. The deadline bounds that. */
    (void) evhttp_set_flags(server->evhttp, EVHTTP_SERVER_LINGERING_CLOSE);
    evhttp_set_bevcb(server->evhttp, http_conn_on_accept, server);
    evhttp_set_gencb(server->evhttp, on_whole_request, server);

    fd = http_socket_take_fd(server->socket);
    server->listener = evconnlistener_new(server->base, NULL, NULL,
                                          LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (!server->listener) {
        (void) evutil_closesocket(fd);
        return -ENOMEM;
    }
    if (!evhttp_bind_listener(server->evhttp, server->listener)) {
        evconnlistener_free(server->listener);
        return -ENOMEM;
    }
    evconnlistener_set_error_cb(server->listener, on_accept_failed);
    return 0;
}

int http_server_open(struct event_base *base, const struct http_server_options *options,
                     http_handler on_request, void *arg, struct http_server **ret, struct err *err)
{
    struct http_server *server = calloc(1, sizeof(*server));
    int r;

    if (!server)
        return err_set(err, -ENOMEM, "no memory for the server of %s", options->path);
    server->base = base;
    server->on_request = on_request;
    server->arg = arg;
    server->connections_max = options->connections_max;
    server->streams_max = options->streams_max;
    server->request_timeout.tv_sec = (time_t) (options->request_timeout_ms / 1000);
    server->request_timeout.tv_usec = (suseconds_t) (options->request_timeout_ms % 1000 * 1000);
    TAILQ_INSERT_TAIL(&servers, server, next);
    TAILQ_INIT(&server->newcomers);
    TAILQ_INIT(&server->reading);
    TAILQ_INIT(&server->busy);
    TAILQ_INIT(&server->users);

    r = http_socket_open(options->path, options->mode, &server->socket, err);
    if (r < 0)
        goto undo;
    r = start_evhttp(server, options);
    if (r < 0) {
        r = err_set(err, r, "socket %s: no memory for its server", options->path);
        goto undo;
    }
    *ret = server;
    return 0;

undo:
    (void) http_server_close(server);
    return r;
}

struct http_server *http_server_close(struct http_server *server)
{
    if (!server)
        return NULL;
    assert(server->in_callback == 0);
    server->closing = true;
    http_conn_adopt_all(server); /* so that each connection has its close callback */
    if (server->evhttp)
        evhttp_free(server->evhttp);
    if (server->adopt)
        event_free(server->adopt);
    if (server->resume)
        event_free(server->resume);
    (void) http_socket_close(server->socket);
    TAILQ_REMOVE(&servers, server, next);
    free(server->by_fd);
    free(server);
    return NULL;
}

void http_server_stats(const struct http_server *server, struct http_stats *ret)
{
    *ret = server->stats;
}
