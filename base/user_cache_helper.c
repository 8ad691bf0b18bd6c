/* user_cache_helper.c - the helpers of the cache of users: how they are started, and how they end.
 */
#include "base/clock.h"
#include "base/user_cache_impl.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

void user_cache_free_helper(struct user_cache *cache, struct helper *helper)
{
    LIST_REMOVE(helper, entry);
    cache->helpers_len--;
    (void) epoll_ctl(cache->epoll_fd, EPOLL_CTL_DEL, user_lookup_fd(helper->lookup), NULL);
    helper->lookup = user_lookup_free(helper->lookup);
    free(helper);
}

int user_cache_start_helper(struct user *user, struct err *err)
{
    struct user_cache *cache = user->cache;
    struct helper *helper = calloc(1, sizeof(*helper));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = helper};
    int r;

    if (!helper)
        return err_set(err, -ENOMEM, "looking up user %s: no memory", user->key);
    r = user_lookup_start(user->key, &helper->lookup, err);
    if (r < 0) {
        free(helper);
        return r;
    }
    LIST_INSERT_HEAD(&cache->helpers, helper, entry);
    cache->helpers_len++;
    if (epoll_ctl(cache->epoll_fd, EPOLL_CTL_ADD, user_lookup_fd(helper->lookup), &event) < 0) {
        r = err_errno(err, -errno, "looking up user %s: watching the helper", user->key);
        user_cache_free_helper(cache, helper);
        return r;
    }
    helper->user = user;
    user->helper = helper;
    return 0;
}

void user_cache_abandon_helper(struct user *user)
{
    if (!user->helper)
        return;
    user_lookup_kill(user->helper->lookup);
    user->helper->user = NULL;
    user->helper = NULL;
}

/* ---- answers ---- */

/* Tells those who wait now. One that is told may ask again, and waits then for another answer. */
static void user_tell(struct user *user)
{
    const uint64_t last = user->cache->waits_counted;
    struct user_wait *wait;

    user->telling++;
    while ((wait = TAILQ_FIRST(&user->waits)) && wait->number <= last) {
        TAILQ_REMOVE(&user->waits, wait, entry);
        wait->on_done(wait->arg, user->found ? &user->info : NULL, &user->trouble);
        free(wait);
    }
    user->telling--;
}

void user_cache_settle(struct user *user, int r, const struct err *err)
{
    const unsigned keep_ms = r == 0         ? USER_CACHE_KEEP_MS
                             : r == -ENOENT ? 0
                                            : user->cache->options.keep_trouble_ms;

    user_cache_abandon_helper(user);
    user->pending = false;
    user->found = r == 0;
    if (r < 0)
        user->trouble = *err;
    user->until_us = clock_mono_us() + keep_ms * UINT64_C(1000);
    user_tell(user);
}

/* Helpers for those that have none, as many as may be. */
static void users_start(struct user_cache *cache)
{
    struct user *user = TAILQ_FIRST(&cache->users);

    while (user && cache->helpers_len < USER_CACHE_HELPERS_MAX) {
        struct err err = {0};
        int r = 0;

        if (user->pending && !user->helper)
            r = user_cache_start_helper(user, &err);
        if (r < 0)
            user_cache_settle(user, r, &err);
        /* After callbacks the list is another. */
        user = r < 0 ? TAILQ_FIRST(&cache->users) : TAILQ_NEXT(user, entry);
    }
}

/* All have the same time, so the first that is pending has the earliest deadline. */
struct user *user_cache_first_pending(const struct user_cache *cache)
{
    struct user *user;

    TAILQ_FOREACH(user, &cache->users, entry)
    if (user->pending)
        return user;
    return NULL;
}

void user_cache_arm_timer(struct user_cache *cache)
{
    const struct user *first = user_cache_first_pending(cache);
    const uint64_t at = first ? first->deadline_us : 0;
    const struct itimerspec spec = {
        .it_value = {.tv_sec = (time_t) (at / 1000000), .tv_nsec = (long) (at % 1000000) * 1000}};

    (void) timerfd_settime(cache->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

static void on_deadline(struct user_cache *cache)
{
    struct user *user;

    while ((user = user_cache_first_pending(cache)) && user->deadline_us <= clock_mono_us()) {
        struct err err;

        (void) err_set(&err, -ETIMEDOUT, "the look-up of user %s did not answer within %u.%03u s",
                       user->key, cache->options.deadline_ms / 1000,
                       cache->options.deadline_ms % 1000);
        user_cache_settle(user, -ETIMEDOUT, &err);
    }
}

static void on_helper(struct user_cache *cache, struct helper *helper)
{
    struct user *user = helper->user;
    struct user_info info;
    struct err err;
    int r = 0;

    if (user)
        r = user_lookup_finish(helper->lookup, &info, &err);
    user_cache_free_helper(cache, helper);
    if (!user)
        return;
    user->helper = NULL;
    if (r == 0)
        user->info = info;
    user_cache_settle(user, r, &err);
}

void user_cache_dispatch(struct user_cache *cache)
{
    struct epoll_event event;

    /* One at a time: what a callback does may end what would have come next. */
    while (epoll_wait(cache->epoll_fd, &event, 1, 0) == 1) {
        uint64_t expirations;

        if (event.data.ptr)
            on_helper(cache, event.data.ptr);
        else if (read(cache->timer_fd, &expirations, sizeof(expirations)) > 0)
            on_deadline(cache);
        users_start(cache);
        user_cache_arm_timer(cache);
    }
}
