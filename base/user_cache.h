#pragma once

/*
 * user_cache.h - who users are, asked of NSS by helper processes (user_lookup.h) with a deadline,
 * and kept for a minute. A look-up that hangs delays those alone who ask for that user.
 *
 * There is one descriptor to poll: whenever it is readable, dispatch(). Callbacks run inside
 * dispatch(), ask() and free(), and may call ask() and withdraw().
 */
#include "base/err.h"
#include "base/user_lookup.h"

#include <stdint.h>

#define USER_CACHE_KEEP_MS     60000u /* so long may a change in the directory go unnoticed */
#define USER_CACHE_HELPERS_MAX 32u    /* at once; who asks for more users waits for one to end */
#define USER_CACHE_USERS_MAX   512u

struct user_cache;
struct user_wait;

struct user_cache_options {
    unsigned deadline_ms; /* from ask() on; then the look-up is given up */
    /* So long nobody else waits for a look-up that failed; one that says that there is no such user
       is not kept: the user may be made at any moment. */
    unsigned keep_trouble_ms;
};

int user_cache_new(const struct user_cache_options *options, struct user_cache **ret,
                   struct err *err);
/* Whoever still waits is told -ECANCELED. Accepts NULL, returns NULL. */
struct user_cache *user_cache_free(struct user_cache *cache);

int user_cache_fd(const struct user_cache *cache); /* borrowed */
void user_cache_dispatch(struct user_cache *cache);

/* @info: borrowed for the call; NULL with the sentence in @err, whose code is that of
   user_lookup_finish(), -ETIMEDOUT, or of what failed. */
typedef void (*user_cache_done)(void *arg, const struct user_info *info, const struct err *err);

/* Calls @on_done at once (and returns NULL) when there is an answer, else later. @key: a name, or a
   number in decimal. */
struct user_wait *user_cache_ask(struct user_cache *cache, const char *key, user_cache_done on_done,
                                 void *arg);
/* @on_done will not be called; a look-up that nobody waits for any more is ended. Accepts NULL,
   returns NULL. */
struct user_wait *user_cache_withdraw(struct user_wait *wait);

/* The name of a user that was looked up lately, or NULL. Borrowed until the next call of any. */
const char *user_cache_name(const struct user_cache *cache, uint32_t uid);
