#pragma once

/*
 * user_cache.h - who a task's user is: asked of NSS by a helper process with a deadline, kept for a
 * minute. A look-up that hangs delays the tasks of that one user alone, and ends when the last of
 * them is cancelled.
 */
#include "base/err.h"
#include "base/user_lookup.h"

struct event_base;
struct user_cache;
struct user_wait;

struct user_cache *user_cache_new(struct event_base *base);
struct user_cache *user_cache_free(struct user_cache *cache); /* accepts NULL, returns NULL */

/* @info: borrowed for the call; NULL with the sentence in @err. */
typedef void (*user_cache_done)(void *arg, const struct user_info *info, const struct err *err);

/* Calls @on_done at once (and returns NULL) when the answer is known, else later. */
struct user_wait *user_cache_ask(struct user_cache *cache, const char *key, user_cache_done on_done,
                                 void *arg);
/* @on_done will not be called. Accepts NULL, returns NULL. */
struct user_wait *user_cache_withdraw(struct user_wait *wait);

/* The name of a user that was looked up lately, or NULL. Borrowed until the next call of any. */
const char *user_cache_name(const struct user_cache *cache, uint32_t uid);
