#pragma once

/* user_cache_impl.h - what the two files of the cache of users share. */
#include "base/user_cache.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct user_wait {
    TAILQ_ENTRY(user_wait) entry;
    struct user *user; /* borrowed */
    uint64_t number;   /* they are counted */
    user_cache_done on_done;
    void *arg;
};

/* A process that looks a user up, or was to: it is kept until it has died. */
struct helper {
    LIST_ENTRY(helper) entry;
    struct user_lookup *lookup;
    struct user *user; /* borrowed; NULL: nobody wants its answer */
};

struct user {
    TAILQ_ENTRY(user) entry; /* in the order in which they were last looked up */
    struct user_cache *cache;
    char *key;
    TAILQ_HEAD(, user_wait) waits;
    bool pending; /* looked up, or waiting for a helper */
    struct helper *helper;
    uint64_t deadline_us; /* while pending, and below monotonic too: until when the answer counts */
    uint64_t until_us;
    unsigned telling; /* callbacks are running */
    bool found;
    struct user_info info; /* when found */
    struct err trouble;    /* else */
};

struct user_cache {
    struct user_cache_options options;
    int epoll_fd; /* the helpers' pidfds, and the timer with NULL */
    int timer_fd;
    TAILQ_HEAD(, user) users;
    LIST_HEAD(, helper) helpers;
    unsigned users_len;
    unsigned helpers_len;
    uint64_t waits_counted;
    bool closing;
};

/* ---- user_cache_helper.c ---- */

/* A negative errno: it was not started. */
int user_cache_start_helper(struct user *user, struct err *err);
/* Ends the user's, if there is one. Its death is waited for in dispatch(): until then it takes the
   place of another. */
void user_cache_abandon_helper(struct user *user);
void user_cache_free_helper(struct user_cache *cache, struct helper *helper);
/* The look-up is over: tells those who wait. */
void user_cache_settle(struct user *user, int r, const struct err *err);
struct user *user_cache_first_pending(const struct user_cache *cache);
void user_cache_arm_timer(struct user_cache *cache);
