#include "http/http_request.h"

#include "base/cleanup.h"
#include "http/http_conn.h"
#include "http/http_uri.h"

#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define QUERY_MAX 32

struct http_request {
    struct event_base *base;   /* borrowed */
    struct evhttp_request *ev; /* evhttp's; NULL once the client is gone */
    struct http_conn *conn;    /* borrowed; NULL once the client is gone */
    const char *method;
    bool head; /* the reply's body is left out */
    char *path;
    char *query; /* what the pairs point into */
    struct http_uri_pair pairs[QUERY_MAX];
    size_t pairs_len;
    struct evbuffer *body;
    struct http_peer peer;
    void (*on_gone)(void *arg);
    void *on_gone_arg;
};

static struct http_request *request_free(struct http_request *request)
{
    if (!request)
        return NULL;
    free(request->path);
    free(request->query);
    if (request->body)
        evbuffer_free(request->body);
    free(request);
    return NULL;
}
DEFINE_CLEANUP(struct http_request *, request_free);

static void take_method(struct http_request *request, enum evhttp_cmd_type type)
{
    request->head = type == EVHTTP_REQ_HEAD;
    if (type == EVHTTP_REQ_GET || type == EVHTTP_REQ_HEAD)
        request->method = "GET";
    else if (type == EVHTTP_REQ_POST)
        request->method = "POST";
    else
        request->method = "other";
}

static int take_uri(struct http_request *request, const struct evhttp_uri *uri)
{
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
    const char *query = uri ? evhttp_uri_get_query(uri) : NULL;
    ssize_t n;

    if (!path || path[0] != '/')
        return -EINVAL;
    request->path = strdup(path);
    request->query = strdup(query ? query : "");
    if (!request->path || !request->query)
        return -ENOMEM;
    if (http_uri_decode(request->path, strlen(request->path), false, request->path) < 0)
        return -EINVAL;
    n = http_uri_split_query(request->query, request->pairs, QUERY_MAX);
    if (n < 0)
        return -EINVAL;
    request->pairs_len = (size_t) n;
    return 0;
}

int http_request_new(struct evhttp_request *ev, struct http_conn *conn, struct http_request **ret)
{
    CLEANUP(request_freep) struct http_request *request = calloc(1, sizeof(*request));
    int r;

    if (!request)
        return -ENOMEM;
    take_method(request, evhttp_request_get_command(ev));
    r = take_uri(request, evhttp_request_get_evhttp_uri(ev));
    if (r < 0)
        return r;
    /* Moved, not copied; and one piece, so that http_request_body() can't fail. */
    request->body = evbuffer_new();
    if (!request->body ||
        evbuffer_add_buffer(request->body, evhttp_request_get_input_buffer(ev)) < 0)
        return -ENOMEM;
    if (evbuffer_get_length(request->body) > 0 && !evbuffer_pullup(request->body, -1))
        return -ENOMEM;
    request->base = conn->server->base;
    request->ev = ev;
    request->conn = conn;
    request->peer = conn->peer;
    conn->request = request;
    *ret = TAKE_PTR(request);
    return 0;
}

struct event_base *http_request_base(const struct http_request *request)
{
    return request->base;
}

struct evhttp_request *http_request_take(struct http_request *request, struct http_conn **ret_conn)
{
    struct evhttp_request *ev = request->ev;

    *ret_conn = request->conn;
    if (request->conn)
        request->conn->request = NULL;
    (void) request_free(request);
    return ev;
}

/* After a network error evhttp has let go of the request and leaves it to us; when the connection
   itself is freed, it is freed with it. */
void http_request_drop(struct evhttp_request *ev)
{
    if (!evhttp_request_get_connection(ev))
        evhttp_request_free(ev);
}

void http_request_detach(struct http_request *request, struct http_server *server)
{
    void (*on_gone)(void *) = request->on_gone;

    http_request_drop(request->ev);
    request->ev = NULL;
    request->conn = NULL;
    request->on_gone = NULL;
    if (!on_gone || server->closing)
        return;
    server->in_callback++;
    on_gone(request->on_gone_arg); /* may reply, which frees the request */
    server->in_callback--;
}

void http_request_add_headers(struct evhttp_request *ev, const char *content_type)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(ev);

    if (content_type)
        (void) evhttp_add_header(headers, "Content-Type", content_type);
    (void) evhttp_add_header(headers, "Cache-Control", "no-store");
}

static void send_reply(struct evhttp_request *ev, bool head, int status, const char *content_type,
                       const void *body, size_t len)
{
    struct evbuffer *output = evhttp_request_get_output_buffer(ev);

    http_request_add_headers(ev, content_type);
    if (head) {
        char length[32];

        (void) snprintf(length, sizeof(length), "%zu", len);
        (void) evhttp_add_header(evhttp_request_get_output_headers(ev), "Content-Length", length);
    } else if (len > 0 && evbuffer_add(output, body, len) < 0) {
        status = HTTP_SERVUNAVAIL; /* no memory for the body: an empty reply says so */
    }
    evhttp_send_reply(ev, status, NULL, NULL);
}

void http_request_refuse(struct evhttp_request *ev, int status, const char *text)
{
    char body[512];
    int len = snprintf(body, sizeof(body),
                       "{\"error\": {\"code\": \"0x80070057\", \"text\": \"%s\"}}\n", text);

    (void) evhttp_add_header(evhttp_request_get_output_headers(ev), "Connection", "close");
    send_reply(ev, evhttp_request_get_command(ev) == EVHTTP_REQ_HEAD, status, "application/json",
               body, (size_t) len);
}

void http_reply(struct http_request *request, int status, const char *content_type,
                const void *body, size_t len)
{
    bool head = request->head;
    struct http_conn *conn;
    struct evhttp_request *ev = http_request_take(request, &conn);

    if (!conn)
        return;
    http_conn_enter(conn, HTTP_WRITING);
    evhttp_request_set_on_complete_cb(ev, http_conn_on_replied, conn);
    send_reply(ev, head, status, content_type, body, len);
    http_conn_stop_reading(conn);
}

const char *http_request_method(const struct http_request *request)
{
    return request->method;
}

const char *http_request_path(const struct http_request *request)
{
    return request->path;
}

const char *http_request_header(const struct http_request *request, const char *name)
{
    return request->ev ? evhttp_find_header(evhttp_request_get_input_headers(request->ev), name)
                       : NULL;
}

const char *http_request_query(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->pairs_len; i++)
        if (strcmp(request->pairs[i].name, name) == 0)
            return request->pairs[i].value;
    return NULL;
}

const void *http_request_body(const struct http_request *request, size_t *ret_len)
{
    *ret_len = evbuffer_get_length(request->body);
    return *ret_len > 0 ? (const void *) evbuffer_pullup(request->body, -1) : "";
}

const struct http_peer *http_request_peer(const struct http_request *request)
{
    return &request->peer;
}

bool http_request_peer_in_group(const struct http_request *request, gid_t gid)
{
    CLEANUP_FREE gid_t *groups = NULL;
    socklen_t len = 0;
    int fd;

    if (request->peer.gid == gid)
        return true;
    if (!request->conn)
        return false;
    /* The first call says how much room the list needs. It can't change: the kernel keeps the
       groups that the client had when it connected. */
    fd = bufferevent_getfd(request->conn->bev);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0 || errno != ERANGE || len == 0)
        return false;
    groups = malloc(len);
    if (!groups || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
        return false;
    for (size_t i = 0; i < len / sizeof(*groups); i++)
        if (groups[i] == gid)
            return true;
    return false;
}

void http_request_on_gone(struct http_request *request, void (*on_gone)(void *arg), void *arg)
{
    if (!request->conn) {
        on_gone(arg);
        return;
    }
    request->on_gone = on_gone;
    request->on_gone_arg = arg;
}
