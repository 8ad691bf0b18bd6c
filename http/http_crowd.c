#include "http/http_crowd.h"

#include "http/http_conn.h"

#include <errno.h>
#include <stdlib.h>

int http_crowd_join(struct http_conn *conn)
{
    struct http_server *server = conn->server;
    struct http_user *user;

    TAILQ_FOREACH(user, &server->users, next)
    if (user->uid == conn->peer.uid)
        break;
    if (!user) {
        user = calloc(1, sizeof(*user));
        if (!user)
            return -ENOMEM;
        user->uid = conn->peer.uid;
        TAILQ_INSERT_TAIL(&server->users, user, next);
    }
    user->connections++;
    server->joined++;
    conn->user = user;
    return 0;
}

void http_crowd_leave(struct http_conn *conn)
{
    struct http_user *user = conn->user;

    if (!user)
        return;
    conn->user = NULL;
    conn->server->joined--;
    if (--user->connections > 0)
        return;
    TAILQ_REMOVE(&conn->server->users, user, next);
    free(user);
}

static unsigned most_held(const struct http_server *server)
{
    const struct http_user *user;
    unsigned most = 0;

    TAILQ_FOREACH(user, &server->users, next)
    if (user->connections > most)
        most = user->connections;
    return most;
}

/* The first in @list, other than @newcomer, of @user; of any user who holds @most when NULL. */
static struct http_conn *first_of(const struct http_conn_list *list,
                                  const struct http_conn *newcomer, const struct http_user *user,
                                  unsigned most)
{
    struct http_conn *conn;

    TAILQ_FOREACH(conn, list, next)
    if (conn != newcomer && conn->user &&
        (user ? conn->user == user : conn->user->connections == most))
        return conn;
    return NULL;
}

static struct http_conn *pick_of(const struct http_server *server, const struct http_conn *newcomer,
                                 const struct http_user *user, unsigned most)
{
    struct http_conn *conn = first_of(&server->reading, newcomer, user, most);

    return conn ? conn : first_of(&server->busy, newcomer, user, most);
}

struct http_conn *http_crowd_pick(struct http_server *server, struct http_conn *newcomer)
{
    unsigned most = most_held(server);
    struct http_conn *conn = NULL;

    if (newcomer->user->connections == most)
        conn = pick_of(server, newcomer, newcomer->user, most);
    if (!conn)
        conn = pick_of(server, newcomer, NULL, most);
    return conn ? conn : newcomer;
}

/* Returns how many the one with the most has. */
static unsigned count_streams(struct http_server *server, unsigned *ret_total)
{
    struct http_user *user;
    struct http_conn *conn;
    unsigned most = 0;

    *ret_total = 0;
    TAILQ_FOREACH(user, &server->users, next)
    user->streams = 0;
    TAILQ_FOREACH(conn, &server->busy, next)
    {
        if (!conn->stream || !conn->user)
            continue;
        (*ret_total)++;
        if (++conn->user->streams > most)
            most = conn->user->streams;
    }
    return most;
}

struct http_conn *http_crowd_pick_stream(struct http_server *server,
                                         const struct http_conn *newcomer)
{
    struct http_conn *found = NULL;
    struct http_conn *conn;
    unsigned total;
    unsigned most = count_streams(server, &total);

    if (server->streams_max == 0 || total <= server->streams_max)
        return NULL;
    TAILQ_FOREACH(conn, &server->busy, next)
    {
        if (!conn->stream || !conn->user || conn == newcomer || conn->user->streams != most)
            continue;
        if (conn->user == newcomer->user)
            return conn;
        if (!found)
            found = conn;
    }
    return found;
}
