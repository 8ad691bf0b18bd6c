#pragma once

/*
 * who.h - names and numbers of users, asked of NSS by a helper process, so that a directory service
 * that hangs stops nobody but the one who has to wait for it. What was found is kept for a minute.
 */
#include <stdint.h>

struct event_base;
struct who;

struct who_user { /* borrowed for the call */
    const char *name;
    uint32_t uid;
};

/* @user: NULL when it could not be found out. */
typedef void (*who_on_user)(void *arg, const struct who_user *user);

/* A look-up that takes longer than @deadline_ms is given up. NULL: no memory. */
struct who *who_new(struct event_base *base, unsigned deadline_ms);
/* Whoever still waits is told that it could not be found out. Accepts NULL, returns NULL. */
struct who *who_free(struct who *who);

/* @key: a name, or a number in decimal. @on_user is called exactly once, perhaps before this
   returns. */
void who_ask(struct who *who, const char *key, who_on_user on_user, void *arg);
