#pragma once

/*
 * http_conn.h - one client's connection: what it is doing, until when, and what becomes of it.
 * Private to http/.
 *
 * evhttp owns the connection and its bufferevent; a http_conn is what we know of it besides. It
 * ends in the connection's close callback and nowhere else, whoever closes.
 */
#include "http/http_crowd.h"
#include "http/http_server.h"

#include <event2/util.h>
#include <sys/queue.h>

struct bufferevent;
struct event;
struct evconnlistener;
struct evhttp;
struct evhttp_connection;
struct evhttp_request;
struct http_request;
struct http_socket;
struct http_stream;

enum http_phase {
    HTTP_NEWCOMER,  /* accepted, evhttp has not set it up yet */
    HTTP_READING,   /* waiting for a whole request, or idle: has a deadline */
    HTTP_PENDING,   /* the handler has the request: no deadline, but a watch on the client */
    HTTP_WRITING,   /* the reply, or a piece of it, is on its way: has a deadline */
    HTTP_STREAMING, /* between two pieces of a reply: as pending */
};

struct http_conn {
    TAILQ_ENTRY(http_conn) next;
    struct http_server *server; /* borrowed */
    struct bufferevent *bev;    /* borrowed from evhttp here and below */
    struct evhttp_connection *evcon;
    struct event *deadline;
    struct event *watch;          /* for a hang-up; NULL before it is first needed */
    struct http_request *request; /* borrowed: the one that is pending */
    struct http_stream *stream;   /* borrowed: the reply that goes out in pieces */
    struct http_user *user;       /* borrowed; NULL until its peer is known */
    struct http_peer peer;
    enum http_phase phase;
    bool counted; /* evhttp has refused the request by itself: it is in cut_off already */
};

TAILQ_HEAD(http_conn_list, http_conn);

struct http_slot {
    struct http_conn *conn; /* NULL: free */
};

struct http_server {
    TAILQ_ENTRY(http_server) next;
    struct event_base *base; /* borrowed */
    struct evhttp *evhttp;
    struct http_socket *socket;
    struct evconnlistener *listener; /* evhttp's */
    struct event *adopt;             /* sets up newcomers before anything can be read from them */
    struct event *resume;            /* accepts again after descriptors had run out */
    http_handler on_request;
    void *arg;
    struct timeval request_timeout;
    unsigned connections_max;
    unsigned streams_max;
    struct http_conn_list newcomers;
    unsigned newcomers_len;        /* since adopt ran */
    struct http_conn_list reading; /* the longest waiting first */
    struct http_conn_list busy;    /* all others; the longest unchanged first */
    struct http_user_list users;
    unsigned joined;         /* connections that are of a user: all but the newcomers */
    struct http_slot *by_fd; /* where a descriptor has its connection */
    size_t by_fd_len;
    struct http_stats stats;
    bool closing;
    unsigned in_callback; /* of the program's: it may not close the server now */
};

/* evhttp's maker of bufferevents: called for each accepted connection. @arg is the server. */
struct bufferevent *http_conn_on_accept(struct event_base *base, void *arg);
/* Sets up all newcomers, and cuts others off when there are too many (http_crowd.h). */
void http_conn_adopt_all(struct http_server *server);
/* Closes the connection that has been waiting longest for a request. False when there is none. */
bool http_conn_cut_longest_reading(struct http_server *server);

/* Closes it, and counts it. */
void http_conn_cut_off(struct http_conn *conn);
void http_conn_enter(struct http_conn *conn, enum http_phase phase);
/* Notices from now on that the client hangs up, while pending or streaming. */
int http_conn_watch(struct http_conn *conn);
/* evhttp reads on while it writes. What the client sends meanwhile shall stay with the kernel, and
   one that shuts its writing side down get the whole reply. Anew after each write. */
void http_conn_stop_reading(const struct http_conn *conn);
/* evhttp's on_complete of a reply: it is in the socket. @arg is the connection. */
void http_conn_on_replied(struct evhttp_request *ev, void *arg);
