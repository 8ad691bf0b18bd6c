#pragma once

/*
 * http_crowd.h - whose the connections are, and which one makes room when there are too many.
 * Private to http/.
 *
 * Over the limit, the user who holds the most gives one up: so a flood of one user costs nobody
 * else a connection, and whoever comes new is served.
 */
#include <sys/queue.h>
#include <sys/types.h>

struct http_conn;
struct http_server;

struct http_user {
    TAILQ_ENTRY(http_user) next;
    uid_t uid;
    unsigned connections; /* at least one */
    unsigned streams;     /* as last counted */
};

TAILQ_HEAD(http_user_list, http_user);

/* @conn, whose peer is known, counts from now on. -ENOMEM. */
int http_crowd_join(struct http_conn *conn);
/* Accepts one that has not joined. */
void http_crowd_leave(struct http_conn *conn);
/* Who has to go for @newcomer: of the users who hold the most (of those, the newcomer's first) the
   one that has waited longest for a request, else the oldest that is being served; @newcomer itself
   where there is no other. Borrowed. */
struct http_conn *http_crowd_pick(struct http_server *server, struct http_conn *newcomer);
/* The same among the streams, of which @newcomer is one: the oldest of the user who holds the most.
   NULL: there are not too many. */
struct http_conn *http_crowd_pick_stream(struct http_server *server,
                                         const struct http_conn *newcomer);
