/*
 * The helper is this program, executed again: keys that begin with "test-" make it behave badly,
 * and each call leaves a byte in a file, so that they can be counted.
 */
#include "base/clock.h"
#include "base/user_cache.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define DEADLINE_MS 300u
#define MINUTE_MS   60000u

static unsigned failures;

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void) fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);         \
            failures++;                                                                            \
        }                                                                                          \
    } while (0)

/* ---- the helper ---- */

static const char *count_path(pid_t parent)
{
    static char path[64];

    (void) snprintf(path, sizeof(path), "/tmp/quell-test-user-cache-%d", (int) parent);
    return path;
}

static int helper(const char *key)
{
    int fd = open(count_path(getppid()), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, "x", 1) != 1)
        return 1;
    (void) close(fd);
    if (strncmp(key, "test-hang", 9) == 0)
        for (;;)
            (void) pause();
    if (strcmp(key, "test-die") == 0)
        return 9;
    return user_lookup_main(strncmp(key, "test-news", 9) == 0 ? "news" : key);
}

static long lookups(void)
{
    struct stat st;

    return stat(count_path(getpid()), &st) == 0 ? (long) st.st_size : 0;
}

/* ---- a loop ---- */

static struct user_cache *cache;

static struct user_cache *cache_with(unsigned deadline_ms, unsigned keep_trouble_ms)
{
    const struct user_cache_options options = {.deadline_ms = deadline_ms,
                                               .keep_trouble_ms = keep_trouble_ms};
    struct user_cache *made = NULL;
    struct err err;

    assert(user_cache_new(&options, &made, &err) == 0);
    return made;
}

static void turn(void)
{
    struct pollfd fd = {.fd = user_cache_fd(cache), .events = POLLIN};

    assert(poll(&fd, 1, 20000) == 1);
    user_cache_dispatch(cache);
}

/* Whether the cache has something to do now. */
static bool is_ready(void)
{
    struct pollfd fd = {.fd = user_cache_fd(cache), .events = POLLIN};

    return poll(&fd, 1, 0) == 1;
}

struct told {
    int calls;
    int code;
    uint32_t uid;
    char name[256];
    char text[512];
};

static void on_user(void *arg, const struct user_info *info, const struct err *err)
{
    struct told *told = arg;

    told->calls++;
    told->code = info ? 0 : err->code;
    told->uid = info ? info->uid : 0;
    (void) snprintf(told->name, sizeof(told->name), "%s", info ? info->name : "");
    (void) snprintf(told->text, sizeof(told->text), "%s", info ? "" : err->text);
}

static struct told ask(const char *key)
{
    struct told told = {0};

    (void) user_cache_ask(cache, key, on_user, &told);
    while (told.calls == 0)
        turn();
    EXPECT(told.calls == 1);
    return told;
}

static int children(void)
{
    char path[64], text[4096], *at = text;
    int count = 0;
    FILE *file;

    (void) snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int) getpid());
    file = fopen(path, "re");
    assert(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    (void) fclose(file);
    while (strtol(at, &at, 10) > 0)
        count++;
    return count;
}

/* ---- the tests ---- */

static void users_are_found_by_number_and_by_name(void)
{
    static const char *const keys[] = {"0", "root"};

    for (int i = 0; i < 2; i++) {
        const struct told told = ask(keys[i]);

        EXPECT(told.code == 0 && told.uid == 0 && strcmp(told.name, "root") == 0);
    }
    EXPECT(strcmp(user_cache_name(cache, 0), "root") == 0);
    EXPECT(user_cache_name(cache, 2) == NULL);
}

static void what_was_found_is_not_asked_for_again(void)
{
    struct told first = {0}, second = {0}, third = {0};
    const long before = lookups();

    EXPECT(user_cache_ask(cache, "nobody", on_user, &first) != NULL);
    EXPECT(user_cache_ask(cache, "nobody", on_user, &second) != NULL);
    while (second.calls == 0)
        turn();
    EXPECT(first.calls == 1 && first.code == 0 && second.code == 0);
    EXPECT(user_cache_ask(cache, "nobody", on_user, &third) == NULL);
    EXPECT(third.calls == 1 && third.code == 0);
    EXPECT(lookups() == before + 1);
}

static void who_is_not_there_may_be_there_later(void)
{
    const long before = lookups();

    EXPECT(ask("nobody-has-this-name").code == -ENOENT);
    EXPECT(strcmp(ask("nobody-has-this-name").text, "there is no user nobody-has-this-name") == 0);
    EXPECT(lookups() == before + 2);
}

static void a_lookup_that_dies_is_no_answer(void)
{
    EXPECT(ask("test-die").code == -EPROTO);
}

static struct told again[2];

static void on_user_ask_again(void *arg, const struct user_info *info, const struct err *err)
{
    on_user(arg, info, err);
    (void) user_cache_ask(cache, "bin", on_user, &again[0]);
    (void) user_cache_ask(cache, "sys", on_user, &again[1]);
}

static void who_is_told_may_ask_again(void)
{
    struct told told = {0};

    (void) user_cache_ask(cache, "bin", on_user_ask_again, &told);
    while (again[0].calls + again[1].calls < 2)
        turn();
    EXPECT(told.calls == 1 && told.code == 0 && again[0].code == 0 && again[1].code == 0);
}

static struct told second_try;

static void on_nobody_ask_again(void *arg, const struct user_info *info, const struct err *err)
{
    on_user(arg, info, err);
    EXPECT(user_cache_ask(cache, "not-there", on_user, &second_try) != NULL);
}

static void who_asks_again_for_what_failed_waits_for_another_answer(void)
{
    struct told told = {0}, beside = {0};
    const long before = lookups();

    (void) user_cache_ask(cache, "not-there", on_nobody_ask_again, &told);
    (void) user_cache_ask(cache, "not-there", on_user, &beside);
    while (told.calls == 0)
        turn();
    EXPECT(told.code == -ENOENT && beside.calls == 1 && second_try.calls == 0);
    while (second_try.calls == 0)
        turn();
    EXPECT(second_try.code == -ENOENT && told.calls == 1 && beside.calls == 1);
    EXPECT(lookups() == before + 2);
}

static struct user_wait *to_withdraw;
static struct told withdrawn;

static void on_user_withdraw(void *arg, const struct user_info *info, const struct err *err)
{
    on_user(arg, info, err);
    to_withdraw = user_cache_withdraw(to_withdraw);
}

static void who_is_told_may_withdraw_what_another_waits_for(void)
{
    struct told told = {0};

    (void) user_cache_ask(cache, "mail", on_user_withdraw, &told);
    to_withdraw = user_cache_ask(cache, "mail", on_user, &withdrawn);
    while (told.calls == 0)
        turn();
    EXPECT(told.code == 0 && withdrawn.calls == 0);
}

static void a_lookup_that_hangs_is_given_up_and_holds_nobody_else_up(void)
{
    struct told hung = {0};
    const uint64_t start_us = clock_mono_us();
    const long before = lookups();

    (void) user_cache_ask(cache, "test-hang", on_user, &hung);
    EXPECT(ask("daemon").code == 0);
    EXPECT(hung.calls == 0);
    while (hung.calls == 0)
        turn();
    EXPECT(hung.code == -ETIMEDOUT);
    EXPECT(strcmp(hung.text, "the look-up of user test-hang did not answer within 0.300 s") == 0);
    EXPECT(clock_mono_us() - start_us >= UINT64_C(1000) * DEADLINE_MS);
    EXPECT(lookups() == before + 2);
}

static void trouble_is_kept_so_that_nobody_else_waits_for_it_as_long(void)
{
    const long before = lookups();

    cache = cache_with(DEADLINE_MS, MINUTE_MS);
    EXPECT(ask("test-hang").code == -ETIMEDOUT);
    EXPECT(ask("test-hang").code == -ETIMEDOUT);
    EXPECT(lookups() == before + 1);
    EXPECT(ask("nobody-here").code == -ENOENT);
    EXPECT(ask("nobody-here").code == -ENOENT);
    EXPECT(lookups() == before + 3);
    cache = user_cache_free(cache);
}

static void trouble_is_not_kept_where_nobody_wishes_it(void)
{
    const long before = lookups();

    EXPECT(ask("test-die").code == -EPROTO);
    EXPECT(ask("test-die").code == -EPROTO);
    EXPECT(lookups() == before + 2);
}

static void a_lookup_that_nobody_waits_for_any_more_is_ended_and_reaped(void)
{
    struct told told[2] = {{0}};
    struct user_wait *waits[2];

    cache = cache_with(MINUTE_MS, 0);
    for (int i = 0; i < 2; i++)
        waits[i] = user_cache_ask(cache, "test-hang", on_user, &told[i]);
    EXPECT(children() == 1);
    EXPECT(user_cache_withdraw(waits[0]) == NULL);
    EXPECT(children() == 1 && !is_ready());
    EXPECT(user_cache_withdraw(waits[1]) == NULL);
    turn(); /* its death wakes */
    EXPECT(children() == 0 && !is_ready());
    EXPECT(told[0].calls == 0 && told[1].calls == 0);
    EXPECT(user_cache_withdraw(NULL) == NULL);
    /* What was withdrawn is not remembered as an answer. */
    waits[0] = user_cache_ask(cache, "test-hang", on_user, &told[0]);
    EXPECT(waits[0] != NULL && told[0].calls == 0);
    cache = user_cache_free(cache);
    EXPECT(told[0].calls == 1 && told[0].code == -ECANCELED);
    while (wait(NULL) > 0)
        ;
}

static void there_are_never_more_helpers_at_once_than_that(void)
{
    struct told told[USER_CACHE_HELPERS_MAX + 5] = {{0}};
    struct told last = {0};
    struct user_wait *first = NULL;
    char key[32];

    cache = cache_with(MINUTE_MS, 0);
    for (unsigned i = 0; i < USER_CACHE_HELPERS_MAX + 5; i++) {
        struct user_wait *waits;

        (void) snprintf(key, sizeof(key), "test-hang-%u", i);
        waits = user_cache_ask(cache, key, on_user, &told[i]);
        EXPECT(waits != NULL);
        first = i == 0 ? waits : first;
        if (i == USER_CACHE_HELPERS_MAX - 1) /* next in turn */
            (void) user_cache_ask(cache, "games", on_user, &last);
    }
    EXPECT(children() == USER_CACHE_HELPERS_MAX);
    EXPECT(last.calls == 0 && !is_ready());
    first = user_cache_withdraw(first);
    while (last.calls == 0)
        turn();
    EXPECT(last.code == 0);
    EXPECT(children() == USER_CACHE_HELPERS_MAX);
    cache = user_cache_free(cache);
    for (unsigned i = 0; i < USER_CACHE_HELPERS_MAX + 5; i++)
        EXPECT(told[i].calls == (i > 0) && (i == 0 || told[i].code == -ECANCELED));
    while (wait(NULL) > 0)
        ;
}

static void who_waits_for_a_helper_waits_no_longer_than_the_deadline(void)
{
    struct told told[USER_CACHE_HELPERS_MAX + 1] = {{0}};
    char key[32];
    long before = lookups();

    cache = cache_with(DEADLINE_MS, 0);
    for (unsigned i = 0; i <= USER_CACHE_HELPERS_MAX; i++) {
        (void) snprintf(key, sizeof(key), "test-hang-%u", i);
        (void) user_cache_ask(cache, key, on_user, &told[i]);
    }
    while (told[USER_CACHE_HELPERS_MAX].calls == 0)
        turn();
    for (unsigned i = 0; i <= USER_CACHE_HELPERS_MAX; i++)
        EXPECT(told[i].calls == 1 && told[i].code == -ETIMEDOUT);
    while (children() > 0)
        turn();
    EXPECT(lookups() >= before); /* a helper may be killed before it leaves its byte */
    EXPECT(ask("games").code == 0);
    cache = user_cache_free(cache);
}

static void where_no_helper_can_be_started_everybody_is_told_at_once(void)
{
    struct rlimit limit, before;
    struct told told = {0};

    assert(getrlimit(RLIMIT_NOFILE, &before) == 0);
    limit = before;
    limit.rlim_cur = (rlim_t) user_cache_fd(cache);
    assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    EXPECT(user_cache_ask(cache, "lp", on_user, &told) == NULL);
    assert(setrlimit(RLIMIT_NOFILE, &before) == 0);
    EXPECT(told.calls == 1 && told.code == -EMFILE);
    EXPECT(ask("lp").code == 0);
}

static void no_more_users_are_kept_than_that(void)
{
    static struct told told[USER_CACHE_USERS_MAX];
    char key[32] = "";
    long before;

    cache = cache_with(MINUTE_MS, 0);
    EXPECT(ask("man").code == 0);
    EXPECT(user_cache_name(cache, 6) != NULL);
    for (unsigned i = 0; i < USER_CACHE_USERS_MAX; i++) {
        (void) snprintf(key, sizeof(key), "test-news-%u", i);
        EXPECT(user_cache_ask(cache, key, on_user, &told[i]) != NULL);
    }
    while (told[USER_CACHE_USERS_MAX - 1].calls == 0)
        turn();
    EXPECT(user_cache_name(cache, 6) == NULL);
    before = lookups();
    EXPECT(ask(key).code == 0);
    EXPECT(lookups() == before); /* the newest is kept */
    cache = user_cache_free(cache);
    while (wait(NULL) > 0)
        ;
}

static void whoever_waits_at_the_end_is_told(void)
{
    struct told told = {0};

    (void) user_cache_ask(cache, "uucp", on_user, &told);
    cache = user_cache_free(cache);
    EXPECT(told.calls == 1 && told.code == -ECANCELED);
    EXPECT(user_cache_free(NULL) == NULL);
    while (wait(NULL) > 0)
        ;
}

static void nothing_is_left_behind(void)
{
    int open_fds = 0;
    DIR *fds = opendir("/proc/self/fd");

    assert(fds);
    while (readdir(fds))
        open_fds++;
    (void) closedir(fds);
    EXPECT(open_fds == 2 + 3 + 1); /* "." "..", standard streams, the directory itself */
    EXPECT(children() == 0);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], USER_LOOKUP_FLAG) == 0)
        return helper(argv[2]);
    (void) close_range(3, ~0u, 0); /* of whoever started this */
    no_more_users_are_kept_than_that();
    trouble_is_kept_so_that_nobody_else_waits_for_it_as_long();
    a_lookup_that_nobody_waits_for_any_more_is_ended_and_reaped();
    there_are_never_more_helpers_at_once_than_that();
    who_waits_for_a_helper_waits_no_longer_than_the_deadline();
    cache = cache_with(DEADLINE_MS, 0);
    users_are_found_by_number_and_by_name();
    what_was_found_is_not_asked_for_again();
    who_is_not_there_may_be_there_later();
    a_lookup_that_dies_is_no_answer();
    trouble_is_not_kept_where_nobody_wishes_it();
    who_is_told_may_ask_again();
    who_asks_again_for_what_failed_waits_for_another_answer();
    who_is_told_may_withdraw_what_another_waits_for();
    where_no_helper_can_be_started_everybody_is_told_at_once();
    a_lookup_that_hangs_is_given_up_and_holds_nobody_else_up();
    whoever_waits_at_the_end_is_told();
    nothing_is_left_behind();
    (void) unlink(count_path(getpid()));
    return failures == 0 ? 0 : 1;
}
