#include "libquell/node_table.h"

#include "base/fdio.h"

#include <assert.h>
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

void node_table_init(struct node_table *table)
{
    *table = (struct node_table){0};
    TAILQ_INIT(&table->heard);
    TAILQ_INIT(&table->polls);
    TAILQ_INIT(&table->pending);
    TAILQ_INIT(&table->waking);
    TAILQ_INIT(&table->retired);
}

static struct node_session *session_free(struct node_session *session)
{
    if (!session)
        return NULL;
    free(session->known);
    free(session);
    return NULL;
}

static void node_free(void *arg)
{
    struct node *node = arg;

    node->settled = session_free(node->settled);
    node->pending = session_free(node->pending);
    free(node->name);
    free(node);
}

void node_table_done(struct node_table *table)
{
    node_table_sweep(table);
    tdestroy(table->root, node_free);
    node_table_init(table);
}

static int compare_names(const void *a, const void *b)
{
    const struct node *left = a;
    const struct node *right = b;

    return strcmp(left->name, right->name);
}

struct node *node_table_find(struct node_table *table, const char *name)
{
    struct node key = {.name = (char *) name};
    struct node **found = tfind(&key, &table->root, compare_names);

    return found ? *found : NULL;
}

static struct node *node_table_make(struct node_table *table, const char *name)
{
    struct node *node = node_table_find(table, name);

    if (node)
        return node;
    node = calloc(1, sizeof(*node));
    if (!node)
        return NULL;
    node->name = strdup(name);
    if (!node->name || !tsearch(node, &table->root, compare_names)) {
        node_free(node);
        return NULL;
    }
    return node;
}

/* A node without any session is forgotten; sweep() frees it. */
static void node_table_retire(struct node_table *table, struct node *node)
{
    if (node->settled || node->pending || node->retired)
        return;
    if (node->waking)
        TAILQ_REMOVE(&table->waking, node, waking_entry);
    node->waking = false;
    node->retired = true;
    (void) tdelete(node, &table->root, compare_names);
    TAILQ_INSERT_TAIL(&table->retired, node, retired_entry);
}

void node_table_sweep(struct node_table *table)
{
    struct node *node;

    while ((node = TAILQ_FIRST(&table->retired))) {
        TAILQ_REMOVE(&table->retired, node, retired_entry);
        node_free(node);
    }
}

static void drop_pending(struct node_table *table, struct node *node)
{
    if (!node->pending)
        return;
    TAILQ_REMOVE(&table->pending, node, pending_entry);
    table->pending_len--;
    node->pending = session_free(node->pending);
}

struct node_session *node_table_challenge(struct node_table *table, const char *name)
{
    struct node_session *session = calloc(1, sizeof(*session));
    struct node *node = session ? node_table_make(table, name) : NULL;

    if (!node)
        return session_free(session);
    drop_pending(table, node);
    if (table->pending_len == NODE_PENDING_MAX) {
        struct node *oldest = TAILQ_FIRST(&table->pending);

        drop_pending(table, oldest);
        node_table_retire(table, oldest);
    }
    fdio_random(session->nonce, sizeof(session->nonce));
    node->pending = session;
    TAILQ_INSERT_TAIL(&table->pending, node, pending_entry);
    table->pending_len++;
    return session;
}

struct node_session *node_find_session(const struct node *node, const uint8_t *nonce, size_t len)
{
    if (len != NODE_SESSION_SIZE)
        return NULL;
    if (node->settled && memcmp(node->settled->nonce, nonce, len) == 0)
        return node->settled;
    if (node->pending && memcmp(node->pending->nonce, nonce, len) == 0)
        return node->pending;
    return NULL;
}

int node_session_know(struct node_session *session, const uint8_t uid[TASK_UID_SIZE],
                      uint32_t version)
{
    if (session->known_len == session->known_size) {
        size_t size = session->known_size ? 2 * session->known_size : 16;
        struct node_known *more = realloc(session->known, size * sizeof(*more));

        if (!more)
            return -ENOMEM;
        session->known = more;
        session->known_size = size;
    }
    memcpy(session->known[session->known_len].uid, uid, TASK_UID_SIZE);
    session->known[session->known_len++].version = version;
    return 0;
}

static int compare_known(const void *a, const void *b)
{
    const struct node_known *left = a;
    const struct node_known *right = b;

    return memcmp(left->uid, right->uid, TASK_UID_SIZE);
}

void node_session_sort(struct node_session *session)
{
    if (session->known_len > 0)
        qsort(session->known, session->known_len, sizeof(*session->known), compare_known);
}

const struct node_known *node_session_find(const struct node_session *session,
                                           const uint8_t uid[TASK_UID_SIZE])
{
    struct node_known key;

    if (session->known_len == 0)
        return NULL;
    memcpy(key.uid, uid, TASK_UID_SIZE);
    return bsearch(&key, session->known, session->known_len, sizeof(key), compare_known);
}

void node_session_forget(struct node_session *session)
{
    free(session->known);
    session->known = NULL;
    session->known_len = session->known_size = 0;
    session->next_part = 0;
}

void node_table_settle(struct node_table *table, struct node *node, struct node_session *session)
{
    assert(session == node->settled || session == node->pending);
    if (session == node->settled)
        return;
    TAILQ_REMOVE(&table->pending, node, pending_entry);
    table->pending_len--;
    node_table_unpark(table, node);
    if (node->settled)
        TAILQ_REMOVE(&table->heard, node, heard_entry);
    node->settled = session_free(node->settled);
    node->settled = session;
    node->pending = NULL;
    node->strange_reported = false;
    TAILQ_INSERT_TAIL(&table->heard, node, heard_entry);
}

void node_table_heard(struct node_table *table, struct node *node, uint64_t now_us,
                      uint64_t wall_us)
{
    node->heard_us = now_us;
    node->heard_wall_us = wall_us;
    if (!node->settled)
        return;
    TAILQ_REMOVE(&table->heard, node, heard_entry);
    TAILQ_INSERT_TAIL(&table->heard, node, heard_entry);
}

void node_table_silent(struct node_table *table, struct node *node)
{
    node_table_unpark(table, node);
    TAILQ_REMOVE(&table->heard, node, heard_entry);
    node->settled = session_free(node->settled);
    node_table_retire(table, node);
}

void node_table_park(struct node_table *table, struct node *node, const struct node_poll *poll)
{
    node_table_unpark(table, node);
    node->poll = *poll;
    node->parked = true;
    TAILQ_INSERT_TAIL(&table->polls, node, poll_entry);
}

void node_table_unpark(struct node_table *table, struct node *node)
{
    if (node->parked)
        TAILQ_REMOVE(&table->polls, node, poll_entry);
    node->parked = false;
}

void node_table_wake(struct node_table *table, struct node *node)
{
    if (node->waking)
        return;
    node->waking = true;
    TAILQ_INSERT_TAIL(&table->waking, node, waking_entry);
}

struct node *node_table_next_waking(struct node_table *table)
{
    struct node *node = TAILQ_FIRST(&table->waking);

    if (node) {
        TAILQ_REMOVE(&table->waking, node, waking_entry);
        node->waking = false;
    }
    return node;
}
