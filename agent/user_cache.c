#include "agent/user_cache.h"

#include "base/clock.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define KEEP_US    60000000u /* so long may a change in LDAP go unnoticed */
#define DEADLINE_S 60        /* SSSD's own time-outs are shorter */

struct user_wait {
    TAILQ_ENTRY(user_wait) entry;
    struct user *user; /* borrowed */
    user_cache_done on_done;
    void *arg;
};

struct user {
    TAILQ_ENTRY(user) entry;
    struct user_cache *cache; /* borrowed */
    char *key;
    struct user_lookup *lookup; /* under way */
    struct event *event;
    TAILQ_HEAD(, user_wait) waits;
    uint64_t known_at_us; /* 0: not known */
    struct user_info info;
};

struct user_cache {
    struct event_base *base;
    TAILQ_HEAD(, user) users;
};

struct user_cache *user_cache_new(struct event_base *base)
{
    struct user_cache *cache = calloc(1, sizeof(*cache));

    if (!cache)
        return NULL;
    cache->base = base;
    TAILQ_INIT(&cache->users);
    return cache;
}

static void user_stop(struct user *user)
{
    if (user->event)
        event_free(user->event);
    user->event = NULL;
    user->lookup = user_lookup_free(user->lookup);
}

static void user_free(struct user *user)
{
    user_stop(user);
    for (struct user_wait *wait; (wait = TAILQ_FIRST(&user->waits));) {
        TAILQ_REMOVE(&user->waits, wait, entry);
        free(wait);
    }
    TAILQ_REMOVE(&user->cache->users, user, entry);
    free(user->key);
    free(user);
}

struct user_cache *user_cache_free(struct user_cache *cache)
{
    if (!cache)
        return NULL;
    for (struct user *user; (user = TAILQ_FIRST(&cache->users));)
        user_free(user);
    free(cache);
    return NULL;
}

/* Tells all that wait. An answer that is an error is not kept, and neither is the entry. */
static void user_answer(struct user *user, const struct user_info *info, const struct err *err)
{
    user_stop(user);
    for (struct user_wait *wait; (wait = TAILQ_FIRST(&user->waits));) {
        TAILQ_REMOVE(&user->waits, wait, entry);
        wait->on_done(wait->arg, info, err);
        free(wait);
    }
    if (!info)
        user_free(user);
}

static void on_lookup(evutil_socket_t fd, short what, void *arg)
{
    struct user *user = arg;
    struct err err = {0};
    int r;

    (void) fd;
    if (what & EV_TIMEOUT) {
        (void) err_set(&err, -ETIMEDOUT, "the look-up of user %s did not answer within %d s",
                       user->key, DEADLINE_S);
        user_answer(user, NULL, &err);
        return;
    }
    r = user_lookup_finish(user->lookup, &user->info, &err);
    if (r == -EAGAIN)
        return;
    if (r < 0) {
        user_answer(user, NULL, &err);
        return;
    }
    user->known_at_us = clock_mono_us();
    user_answer(user, &user->info, NULL);
}

static int user_ask(struct user *user, struct err *err)
{
    const struct timeval deadline = {.tv_sec = DEADLINE_S};
    int r;

    r = user_lookup_start(user->key, &user->lookup, err);
    if (r < 0)
        return r;
    user->event = event_new(user->cache->base, user_lookup_fd(user->lookup), EV_READ | EV_PERSIST,
                            on_lookup, user);
    if (!user->event || event_add(user->event, &deadline) < 0) {
        user_stop(user);
        return err_set(err, -ENOMEM, "no memory to look user %s up", user->key);
    }
    return 0;
}

static struct user *user_cache_find(struct user_cache *cache, const char *key)
{
    struct user *user;

    TAILQ_FOREACH(user, &cache->users, entry)
    if (strcmp(user->key, key) == 0)
        return user;
    user = calloc(1, sizeof(*user));
    if (!user)
        return NULL;
    user->key = strdup(key);
    if (!user->key) {
        free(user);
        return NULL;
    }
    user->cache = cache;
    TAILQ_INIT(&user->waits);
    TAILQ_INSERT_TAIL(&cache->users, user, entry);
    return user;
}

struct user_wait *user_cache_ask(struct user_cache *cache, const char *key, user_cache_done on_done,
                                 void *arg)
{
    struct user *user = user_cache_find(cache, key);
    struct err err = {.code = -ENOMEM, .text = "no memory for the look-up of the user"};
    struct user_wait *wait;

    if (user && user->known_at_us && clock_mono_us() - user->known_at_us < KEEP_US) {
        on_done(arg, &user->info, NULL);
        return NULL;
    }
    wait = user ? calloc(1, sizeof(*wait)) : NULL;
    if (!wait || (!user->lookup && user_ask(user, &err) < 0)) {
        free(wait);
        on_done(arg, NULL, &err);
        return NULL;
    }
    *wait = (struct user_wait){.user = user, .on_done = on_done, .arg = arg};
    TAILQ_INSERT_TAIL(&user->waits, wait, entry);
    return wait;
}

struct user_wait *user_cache_withdraw(struct user_wait *wait)
{
    if (!wait)
        return NULL;
    TAILQ_REMOVE(&wait->user->waits, wait, entry);
    if (TAILQ_EMPTY(&wait->user->waits))
        user_stop(wait->user);
    free(wait);
    return NULL;
}

const char *user_cache_name(const struct user_cache *cache, uint32_t uid)
{
    const struct user *user;

    TAILQ_FOREACH(user, &cache->users, entry)
    if (user->known_at_us && user->info.uid == uid)
        return user->info.name;
    return NULL;
}
