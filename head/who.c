#include "head/who.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/user_lookup.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define WHO_KEEP_US        60000000u
#define WHO_KEEP_FAILED_US 5000000u /* so long nobody else waits for a service that hangs */
#define WHO_ENTRIES_MAX    1024u

struct wait {
    TAILQ_ENTRY(wait) entry;
    who_on_user on_user;
    void *arg;
};

struct entry { /* one user: being asked for (lookup), or known until it expires */
    TAILQ_ENTRY(entry) entry;
    struct who *who;
    char *key;
    struct user_lookup *lookup;
    struct event *event;
    TAILQ_HEAD(, wait) waits;
    uint64_t expires_us;
    bool found;
    uint32_t uid;
    char name[sizeof(((struct user_info *) 0)->name)];
};

struct who {
    struct event_base *base;
    unsigned deadline_ms;
    struct event *on_child;
    TAILQ_HEAD(, entry) entries;
    size_t len;
};

static void on_child(evutil_socket_t signal, short what, void *arg)
{
    (void) signal;
    (void) what;
    (void) arg;
    user_lookup_reap();
}

struct who *who_new(struct event_base *base, unsigned deadline_ms)
{
    struct who *who = calloc(1, sizeof(*who));

    if (!who)
        return NULL;
    who->base = base;
    who->deadline_ms = deadline_ms;
    TAILQ_INIT(&who->entries);
    who->on_child = evsignal_new(base, SIGCHLD, on_child, NULL);
    if (who->on_child && event_add(who->on_child, NULL) == 0)
        return who;
    return who_free(who);
}

static void stop(struct entry *entry)
{
    if (entry->event)
        event_free(entry->event);
    entry->event = NULL;
    entry->lookup = user_lookup_free(entry->lookup);
}

/* Tells those who wait. One that is told may ask again: the entry stands by then. */
static void tell(struct entry *entry)
{
    TAILQ_HEAD(, wait) waits = TAILQ_HEAD_INITIALIZER(waits);
    struct who_user user = {.name = entry->name, .uid = entry->uid};
    bool found = entry->found;
    char name[sizeof(entry->name)];
    struct wait *wait;

    (void) snprintf(name, sizeof(name), "%s", entry->name);
    user.name = name;
    TAILQ_CONCAT(&waits, &entry->waits, entry);
    while ((wait = TAILQ_FIRST(&waits))) {
        TAILQ_REMOVE(&waits, wait, entry);
        wait->on_user(wait->arg, found ? &user : NULL);
        free(wait);
    }
}

static void drop(struct entry *entry)
{
    stop(entry);
    TAILQ_REMOVE(&entry->who->entries, entry, entry);
    entry->who->len--;
    free(entry->key);
    free(entry);
}

/* The look-up is over. A user who is not there may be made at any moment: only trouble is kept. */
static void finish(struct entry *entry, int result)
{
    uint64_t keep_us = result == 0 ? WHO_KEEP_US : result == -ENOENT ? 0 : WHO_KEEP_FAILED_US;

    stop(entry);
    entry->found = result == 0;
    entry->expires_us = clock_mono_us() + keep_us;
    tell(entry);
}

static void on_lookup(evutil_socket_t fd, short what, void *arg)
{
    struct entry *entry = arg;
    struct user_info info;
    struct err err;
    int r;

    (void) fd;
    if (what & EV_TIMEOUT)
        r = err_set(&err, -ETIMEDOUT, "no answer within %u ms", entry->who->deadline_ms);
    else
        r = user_lookup_finish(entry->lookup, &info, &err);
    if (r == -EAGAIN)
        return;
    if (r == 0) {
        entry->uid = info.uid;
        (void) snprintf(entry->name, sizeof(entry->name), "%s", info.name);
    } else if (r != -ENOENT) {
        log_warning("user %s could not be looked up: %s", entry->key, err.text);
    }
    finish(entry, r);
}

static int start(struct entry *entry, struct err *err)
{
    unsigned ms = entry->who->deadline_ms;
    const struct timeval deadline = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000L};
    int r = user_lookup_start(entry->key, &entry->lookup, err);

    if (r < 0)
        return r;
    entry->event = event_new(entry->who->base, user_lookup_fd(entry->lookup), EV_READ | EV_PERSIST,
                             on_lookup, entry);
    if (!entry->event || event_add(entry->event, &deadline) < 0)
        return err_set(err, -ENOMEM, "no memory");
    return 0;
}

/* An entry that nobody uses: expired, or the oldest when there are too many. */
static void make_room(struct who *who)
{
    uint64_t now_us = clock_mono_us();
    struct entry *entry = TAILQ_FIRST(&who->entries);

    while (entry) {
        struct entry *next = TAILQ_NEXT(entry, entry);

        if (!entry->lookup && TAILQ_EMPTY(&entry->waits) &&
            (entry->expires_us <= now_us || who->len >= WHO_ENTRIES_MAX))
            drop(entry);
        entry = next;
    }
}

static struct entry *find(struct who *who, const char *key)
{
    struct entry *entry;

    make_room(who);
    TAILQ_FOREACH(entry, &who->entries, entry)
    if (strcmp(entry->key, key) == 0)
        return entry;
    return NULL;
}

static struct entry *make(struct who *who, const char *key)
{
    struct entry *entry = calloc(1, sizeof(*entry));

    if (!entry)
        return NULL;
    entry->who = who;
    entry->key = strdup(key);
    if (!entry->key) {
        free(entry);
        return NULL;
    }
    TAILQ_INIT(&entry->waits);
    TAILQ_INSERT_TAIL(&who->entries, entry, entry);
    who->len++;
    return entry;
}

static int add_wait(struct entry *entry, who_on_user on_user, void *arg)
{
    struct wait *wait = calloc(1, sizeof(*wait));

    if (!wait)
        return -ENOMEM;
    wait->on_user = on_user;
    wait->arg = arg;
    TAILQ_INSERT_TAIL(&entry->waits, wait, entry);
    return 0;
}

void who_ask(struct who *who, const char *key, who_on_user on_user, void *arg)
{
    struct entry *entry = find(who, key);
    bool is_new = !entry;
    struct err err;
    int r;

    if (!entry)
        entry = make(who, key);
    if (!entry || add_wait(entry, on_user, arg) < 0) {
        on_user(arg, NULL);
        return;
    }
    if (!is_new && !entry->lookup) {
        tell(entry);
        return;
    }
    if (!is_new)
        return;
    r = start(entry, &err);
    if (r < 0) {
        log_warning("user %s could not be looked up: %s", key, err.text);
        finish(entry, r);
    }
}

struct who *who_free(struct who *who)
{
    struct entry *entry;

    if (!who)
        return NULL;
    while ((entry = TAILQ_FIRST(&who->entries))) {
        if (entry->lookup) {
            entry->found = false;
            tell(entry);
        }
        drop(entry);
    }
    if (who->on_child)
        event_free(who->on_child);
    free(who);
    return NULL;
}
