#pragma once

/*
 * user_lookup.h - who a user is, asked of NSS by a helper process.
 *
 * NSS may block for seconds (LDAP, SSSD), so neither event loop asks it. The helper is this very
 * program, executed again with the argument USER_LOOKUP_FLAG first: main() hands such a call to
 * user_lookup_main() before anything else. It answers on a pipe and ends.
 *
 * Use: start(); wait until fd() is readable, which is the helper's death (or until a deadline of
 * yours has passed: kill()); finish(); free().
 */
#include "base/cleanup.h"
#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

#define USER_LOOKUP_FLAG       "--lookup-user"
#define USER_LOOKUP_GROUPS_MAX 1024

struct user_info {
    char name[256];
    char home[1024];
    char shell[256];
    uint32_t uid;
    uint32_t gid;
    uint32_t groups_len;
    uint32_t groups[USER_LOOKUP_GROUPS_MAX]; /* supplementary, the primary one included */
};

struct user_lookup;

/* @key: a user's name, or its number in decimal. A name of digits only is taken as a number. */
int user_lookup_start(const char *key, struct user_lookup **ret, struct err *err);
int user_lookup_fd(const struct user_lookup *lookup); /* borrowed; readable when it has ended */
pid_t user_lookup_pid(const struct user_lookup *lookup);
/* After the helper's end: 0; -ENOENT: NSS knows no such user; else what failed. */
int user_lookup_finish(struct user_lookup *lookup, struct user_info *ret, struct err *err);
/* The helper will end, as soon as the kernel lets it. */
void user_lookup_kill(struct user_lookup *lookup);
/* Reaps the helper; one that has not ended is killed, and whoever reaps all children reaps it.
   Never waits. Accepts NULL, returns NULL. */
struct user_lookup *user_lookup_free(struct user_lookup *lookup);
DEFINE_CLEANUP(struct user_lookup *, user_lookup_free);

/* Asks NSS here and now, as long as it takes: for helpers. */
int user_lookup_ask(const char *key, struct user_info *ret, struct err *err);

/* The helper's side: asks NSS, writes the answer to standard output, returns an exit status. */
int user_lookup_main(const char *key);
