/*
 * The helper is this program, executed again: keys that begin with "test-" make it behave badly,
 * and each call leaves a byte in a file, so that they can be counted.
 */
#include "base/clock.h"
#include "base/user_lookup.h"
#include "head/who.h"

#include <assert.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEADLINE_MS 300u

static unsigned failures;

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void) fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);         \
            failures++;                                                                            \
        }                                                                                          \
    } while (0)

static const char *count_path(pid_t parent)
{
    static char path[64];

    (void) snprintf(path, sizeof(path), "/tmp/quell-test-who-%d", (int) parent);
    return path;
}

static int helper(const char *key)
{
    int fd = open(count_path(getppid()), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, "x", 1) != 1)
        return 1;
    (void) close(fd);
    if (strcmp(key, "test-hang") == 0)
        for (;;)
            (void) pause();
    return strcmp(key, "test-die") == 0 ? 9 : user_lookup_main(key);
}

static long lookups(void)
{
    struct stat st;

    return stat(count_path(getpid()), &st) == 0 ? (long) st.st_size : 0;
}

struct told {
    int calls;
    int found;
    uint32_t uid;
    char name[256];
};

static void on_user(void *arg, const struct who_user *user)
{
    struct told *told = arg;

    told->calls++;
    told->found = user != NULL;
    if (user) {
        told->uid = user->uid;
        (void) snprintf(told->name, sizeof(told->name), "%s", user->name);
    }
}

static struct event_base *base;
static struct who *who;

static struct told ask(const char *key)
{
    struct told told = {0};

    who_ask(who, key, on_user, &told);
    while (told.calls == 0)
        (void) event_base_loop(base, EVLOOP_ONCE);
    EXPECT(told.calls == 1);
    return told;
}

static void users_are_found_by_number_and_by_name(void)
{
    struct told told = ask("0");

    EXPECT(told.found && told.uid == 0 && strcmp(told.name, "root") == 0);
    told = ask("root");
    EXPECT(told.found && told.uid == 0 && strcmp(told.name, "root") == 0);
}

static void what_was_found_is_not_asked_for_again(void)
{
    struct told first = {0};
    struct told second = {0};
    long before = lookups();

    who_ask(who, "nobody", on_user, &first);
    who_ask(who, "nobody", on_user, &second);
    while (second.calls == 0)
        (void) event_base_loop(base, EVLOOP_ONCE);
    EXPECT(first.calls == 1 && first.found && second.found);
    EXPECT(ask("nobody").found);
    EXPECT(lookups() == before + 1);
}

static void who_is_not_there_may_be_there_later(void)
{
    long before = lookups();

    EXPECT(!ask("nobody-has-this-name").found);
    EXPECT(!ask("nobody-has-this-name").found);
    EXPECT(lookups() == before + 2);
}

static void a_lookup_that_hangs_is_given_up_and_holds_nobody_else_up(void)
{
    struct told hung = {0};
    uint64_t start_us = clock_mono_us();
    long before = lookups();

    who_ask(who, "test-hang", on_user, &hung);
    EXPECT(ask("daemon").found);
    EXPECT(hung.calls == 0);
    while (hung.calls == 0)
        (void) event_base_loop(base, EVLOOP_ONCE);
    EXPECT(!hung.found);
    EXPECT(clock_mono_us() - start_us >= DEADLINE_MS * 800); /* libevent caches the time */
    EXPECT(!ask("test-hang").found);                         /* nobody else waits for it as long */
    EXPECT(lookups() == before + 2);
}

static void a_lookup_that_dies_is_no_answer(void)
{
    EXPECT(!ask("test-die").found);
}

static struct told again;

static void on_user_ask_again(void *arg, const struct who_user *user)
{
    on_user(arg, user);
    who_ask(who, "bin", on_user, &again);
    who_ask(who, "sys", on_user, &again);
}

static void who_is_told_may_ask_again(void)
{
    struct told told = {0};

    who_ask(who, "bin", on_user_ask_again, &told);
    while (again.calls < 2)
        (void) event_base_loop(base, EVLOOP_ONCE);
    EXPECT(told.calls == 1 && told.found && again.found);
}

static void whoever_waits_at_the_end_is_told(void)
{
    struct told told = {0};

    who_ask(who, "games", on_user, &told);
    who = who_free(who);
    EXPECT(told.calls == 1 && !told.found);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], USER_LOOKUP_FLAG) == 0)
        return helper(argv[2]);
    base = event_base_new();
    who = base ? who_new(base, DEADLINE_MS) : NULL;
    assert(who);
    users_are_found_by_number_and_by_name();
    what_was_found_is_not_asked_for_again();
    who_is_not_there_may_be_there_later();
    a_lookup_that_dies_is_no_answer();
    who_is_told_may_ask_again();
    a_lookup_that_hangs_is_given_up_and_holds_nobody_else_up();
    whoever_waits_at_the_end_is_told();
    event_base_free(base);
    (void) unlink(count_path(getpid()));
    return failures == 0 ? 0 : 1;
}
