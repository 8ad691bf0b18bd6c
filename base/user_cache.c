#include "base/user_cache.h"

#include "base/clock.h"
#include "base/user_cache_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

static bool user_is_idle(const struct user *user)
{
    return !user->pending && !user->telling && TAILQ_EMPTY(&user->waits);
}

static void user_free(struct user *user)
{
    TAILQ_REMOVE(&user->cache->users, user, entry);
    user->cache->users_len--;
    free(user->key);
    free(user);
}

/* Names are worth keeping while there is room; what was not found is not. */
static void users_make_room(struct user_cache *cache)
{
    const uint64_t now = clock_mono_us();
    struct user *user, *next;

    for (user = TAILQ_FIRST(&cache->users); user; user = next) {
        const bool useful = user->found || user->until_us > now;

        next = TAILQ_NEXT(user, entry);
        if (user_is_idle(user) && (!useful || cache->users_len >= USER_CACHE_USERS_MAX))
            user_free(user);
    }
}

static struct user *users_find(struct user_cache *cache, const char *key)
{
    struct user *user;

    TAILQ_FOREACH(user, &cache->users, entry)
    if (strcmp(user->key, key) == 0)
        return user;
    users_make_room(cache);
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
    cache->users_len++;
    return user;
}

static void user_look_up(struct user *user)
{
    struct user_cache *cache = user->cache;

    user->pending = true;
    user->deadline_us = clock_mono_us() + cache->options.deadline_ms * UINT64_C(1000);
    TAILQ_REMOVE(&cache->users, user, entry);
    TAILQ_INSERT_TAIL(&cache->users, user, entry);
}

static struct user_wait *user_add_wait(struct user *user, user_cache_done on_done, void *arg)
{
    struct user_wait *wait = calloc(1, sizeof(*wait));

    if (!wait)
        return NULL;
    *wait = (struct user_wait){
        .user = user, .number = ++user->cache->waits_counted, .on_done = on_done, .arg = arg};
    TAILQ_INSERT_TAIL(&user->waits, wait, entry);
    return wait;
}

struct user_wait *user_cache_ask(struct user_cache *cache, const char *key, user_cache_done on_done,
                                 void *arg)
{
    struct err err = {.code = -ENOMEM, .text = "no memory for the look-up of the user"};
    struct user *user = NULL;
    struct user_wait *wait;

    if (cache->closing)
        (void) err_set(&err, -ECANCELED, "the look-up of user %s is not done any more", key);
    else
        user = users_find(cache, key);
    if (user && !user->pending && clock_mono_us() < user->until_us) {
        user->telling++;
        on_done(arg, user->found ? &user->info : NULL, &user->trouble);
        user->telling--;
        return NULL;
    }
    wait = user ? user_add_wait(user, on_done, arg) : NULL;
    if (!wait) {
        on_done(arg, NULL, &err);
        return NULL;
    }
    if (user->pending)
        return wait;
    user_look_up(user);
    if (cache->helpers_len < USER_CACHE_HELPERS_MAX && user_cache_start_helper(user, &err) < 0) {
        user_cache_settle(user, err.code, &err); /* and it has been told */
        return NULL;
    }
    user_cache_arm_timer(cache);
    return wait;
}

struct user_wait *user_cache_withdraw(struct user_wait *wait)
{
    struct user *user;

    if (!wait)
        return NULL;
    user = wait->user;
    TAILQ_REMOVE(&user->waits, wait, entry);
    free(wait);
    if (!user->pending || !TAILQ_EMPTY(&user->waits))
        return NULL;
    user->pending = false;
    user_cache_abandon_helper(user);
    user_cache_arm_timer(user->cache);
    return NULL;
}

const char *user_cache_name(const struct user_cache *cache, uint32_t uid)
{
    const struct user *user;

    TAILQ_FOREACH(user, &cache->users, entry)
    if (user->found && user->info.uid == uid)
        return user->info.name;
    return NULL;
}

/* ---- the cache ---- */

int user_cache_new(const struct user_cache_options *options, struct user_cache **ret,
                   struct err *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    struct user_cache *cache = calloc(1, sizeof(*cache));
    int r;

    if (!cache)
        return err_set(err, -ENOMEM, "no memory for the users");
    cache->options = *options;
    TAILQ_INIT(&cache->users);
    LIST_INIT(&cache->helpers);
    cache->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    cache->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (cache->epoll_fd < 0 || cache->timer_fd < 0 ||
        epoll_ctl(cache->epoll_fd, EPOLL_CTL_ADD, cache->timer_fd, &event) < 0) {
        r = err_errno(err, -errno, "make the timer of the look-ups of users");
        (void) user_cache_free(cache);
        return r;
    }
    *ret = cache;
    return 0;
}

struct user_cache *user_cache_free(struct user_cache *cache)
{
    struct helper *helper;
    struct user *user;

    if (!cache)
        return NULL;
    cache->closing = true;
    while ((user = user_cache_first_pending(cache))) {
        struct err err;

        (void) err_set(&err, -ECANCELED, "the look-up of user %s is not done any more", user->key);
        user_cache_settle(user, -ECANCELED, &err);
    }
    while ((user = TAILQ_FIRST(&cache->users)))
        user_free(user);
    while ((helper = LIST_FIRST(&cache->helpers)))
        user_cache_free_helper(cache, helper);
    cleanup_fd(&cache->timer_fd);
    cleanup_fd(&cache->epoll_fd);
    free(cache);
    return NULL;
}

int user_cache_fd(const struct user_cache *cache)
{
    return cache->epoll_fd;
}
