/*
 * http_stream.c - a reply in pieces. evhttp sends them in chunks, or to HTTP/1.0 as they are until
 * the connection closes.
 *
 * The connection is HTTP_WRITING while a piece is on its way, and HTTP_STREAMING between two. The
 * program is called from the loop alone, by `turn`: libevent is busy with the connection when it
 * tells that the output is empty.
 */
#include "http/http_stream.h"

#include "http/http_conn.h"
#include "http/http_crowd.h"
#include "http/http_request.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdlib.h>

struct http_stream {
    struct evhttp_request *ev; /* evhttp's; NULL without a client */
    struct http_conn *conn;    /* borrowed; NULL without a client */
    struct event *turn;
    struct http_stream_events events;
    bool chunked;
    bool failed; /* a piece is lost: the client must not take the rest for all */
};

static void tell_drained(struct http_stream *stream)
{
    struct http_conn *conn = stream->conn;
    struct http_server *server = conn->server;

    if (evbuffer_get_length(bufferevent_get_output(conn->bev)) > 0)
        return; /* another piece was written since */
    http_conn_enter(conn, HTTP_STREAMING);
    if (http_conn_watch(conn) < 0) {
        evhttp_connection_free(conn->evcon);
        return;
    }
    server->in_callback++;
    stream->events.on_drained(stream->events.arg); /* may end the stream */
    server->in_callback--;
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    struct http_stream *stream = arg;

    (void) fd;
    (void) what;
    if (!stream->conn)
        stream->events.on_gone(stream->events.arg);
    else if (stream->failed)
        evhttp_connection_free(stream->conn->evcon);
    else
        tell_drained(stream);
}

void http_stream_drained(struct http_stream *stream)
{
    event_active(stream->turn, EV_TIMEOUT, 0);
}

void http_stream_detach(struct http_stream *stream, struct http_server *server)
{
    http_request_drop(stream->ev);
    stream->ev = NULL;
    stream->conn = NULL;
    (void) event_del(stream->turn);
    server->in_callback++;
    stream->events.on_gone(stream->events.arg); /* may end the stream */
    server->in_callback--;
}

/* Nothing is between the program and evhttp any more: the connection goes on by itself. */
static void finish(struct http_stream *stream)
{
    struct http_conn *conn = stream->conn;
    struct evhttp_request *ev = stream->ev;

    stream->conn = NULL;
    stream->ev = NULL;
    conn->stream = NULL;
    http_conn_enter(conn, HTTP_WRITING);
    evhttp_request_set_on_complete_cb(ev, http_conn_on_replied, conn);
    /* Frees the connection at once where there is nothing left to send and it is to be closed. */
    evhttp_send_reply_end(ev);
    if (stream->chunked)
        http_conn_stop_reading(conn);
}

static void make_room(const struct http_conn *newcomer)
{
    struct http_conn *conn;

    while ((conn = http_crowd_pick_stream(newcomer->server, newcomer)))
        http_conn_cut_off(conn);
}

static void start(struct http_stream *stream, int status, const char *content_type)
{
    struct evkeyvalq *input = evhttp_request_get_input_headers(stream->ev);
    struct evkeyvalq *output = evhttp_request_get_output_headers(stream->ev);
    const char *connection = evhttp_find_header(input, "Connection");

    /* The end of a reply to HTTP/1.0 is the close. Asked to keep the connection, evhttp would say
       that the reply has 0 bytes. */
    if (connection && evutil_ascii_strncasecmp(connection, "keep-alive", 10) == 0)
        (void) evhttp_remove_header(input, "Connection");
    http_request_add_headers(stream->ev, content_type);
    evhttp_send_reply_start(stream->ev, status, NULL);
    http_conn_stop_reading(stream->conn);
    stream->chunked = evhttp_find_header(output, "Transfer-Encoding") != NULL;
}

struct http_stream *http_stream_begin(struct http_request *request, int status,
                                      const char *content_type,
                                      const struct http_stream_events *events)
{
    struct http_stream *stream = calloc(1, sizeof(*stream));

    if (stream)
        stream->turn = event_new(http_request_base(request), -1, 0, on_turn, stream);
    if (!stream || !stream->turn) {
        free(stream);
        http_reply(request, HTTP_SERVUNAVAIL, NULL, NULL, 0);
        return NULL;
    }
    stream->events = *events;
    stream->ev = http_request_take(request, &stream->conn);
    if (!stream->conn) {
        event_active(stream->turn, EV_TIMEOUT, 0);
        return stream;
    }
    stream->conn->stream = stream;
    http_conn_enter(stream->conn, HTTP_WRITING);
    make_room(stream->conn);
    start(stream, status, content_type);
    if (evhttp_request_get_command(stream->ev) == EVHTTP_REQ_HEAD) {
        finish(stream);
        event_active(stream->turn, EV_TIMEOUT, 0);
    }
    return stream;
}

void http_stream_write(struct http_stream *stream, const void *bytes, size_t len)
{
    struct http_conn *conn = stream->conn;
    struct evbuffer *piece;

    if (!conn || stream->failed)
        return;
    if (conn->phase != HTTP_WRITING)
        http_conn_enter(conn, HTTP_WRITING);
    piece = evbuffer_new();
    if (!piece || evbuffer_add(piece, bytes, len) < 0) {
        stream->failed = true;
    } else {
        evhttp_send_reply_chunk(stream->ev, piece);
        http_conn_stop_reading(conn);
    }
    if (stream->failed || len == 0)
        event_active(stream->turn, EV_TIMEOUT, 0);
    if (piece)
        evbuffer_free(piece);
}

void http_stream_end(struct http_stream *stream)
{
    /* With a lost piece the reply must look cut short, as it is. */
    if (stream->conn && stream->failed) {
        stream->conn->stream = NULL;
        evhttp_connection_free(stream->conn->evcon);
    } else if (stream->conn) {
        finish(stream);
    }
    event_free(stream->turn);
    free(stream);
}
