/*
 * The looked-up side is this program, executed again: keys that begin with "test-" make the helper
 * or NSS behave badly.
 */
#include "base/user_lookup.h"

#include <assert.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

static unsigned failures;

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void) fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);         \
            failures++;                                                                            \
        }                                                                                          \
    } while (0)

/* ---- NSS, as the helper sees it: defined here, these come before libc's ---- */

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): libc's are reserved names */

int getpwnam_r(const char *name, struct passwd *passwd, char *buffer, size_t size,
               struct passwd **ret)
{
    typedef int real_function(const char *, struct passwd *, char *, size_t, struct passwd **);
    static char home[2000];
    static char shell[] = "/bin/sh";
    static char copy[256];

    *ret = NULL;
    if (strncmp(name, "test-", 5) != 0)
        return ((real_function *) dlsym(RTLD_NEXT, "getpwnam_r"))(name, passwd, buffer, size, ret);
    if (strcmp(name, "test-nss-hang") == 0)
        for (;;)
            (void) pause();
    if (strcmp(name, "test-io-error") == 0)
        return EIO;
    if (strcmp(name, "test-esrch") == 0)
        return ESRCH;
    if (strcmp(name, "test-endless") == 0 || (strcmp(name, "test-large") == 0 && size < 100000))
        return ERANGE;
    memset(home, 'h', strcmp(name, "test-long-home") == 0 ? sizeof(home) - 1 : 10);
    (void) snprintf(copy, sizeof(copy), "%s", name);
    *passwd = (struct passwd){.pw_name = copy, .pw_uid = 7, .pw_gid = 8, .pw_dir = home};
    /* Some modules leave out what they do not know. */
    passwd->pw_shell = strcmp(name, "test-no-shell") == 0 ? NULL : shell;
    if (strcmp(name, "test-no-uid") == 0)
        passwd->pw_uid = (uid_t) -1;
    if (strcmp(name, "test-no-gid") == 0)
        passwd->pw_gid = (gid_t) -1;
    *ret = passwd;
    return 0;
}

int getgrouplist(const char *name, gid_t group, gid_t *groups, int *len)
{
    typedef int real_function(const char *, gid_t, gid_t *, int *);
    int count = 1;

    if (strncmp(name, "test-", 5) != 0)
        return ((real_function *) dlsym(RTLD_NEXT, "getgrouplist"))(name, group, groups, len);
    if (strcmp(name, "test-1024-groups") == 0)
        count = 1024;
    if (strcmp(name, "test-1025-groups") == 0)
        count = 1025;
    for (int i = 0; i < count && i < *len; i++)
        groups[i] = group + (gid_t) i;
    count = count > *len ? -1 : count;
    *len = count < 0 ? 1025 : count;
    return count;
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

/* ---- the helper ---- */

/* Whether a helper has nothing of the daemon that started it. */
static bool world_is_clean(void)
{
    sigset_t mask;
    unsigned open_fds = 0;
    DIR *fds = opendir("/proc/self/fd");

    if (!fds || !environ[0] || environ[1] || strncmp(environ[0], "PATH=", 5) != 0)
        return false;
    while (readdir(fds))
        open_fds++;
    (void) closedir(fds);
    if (open_fds != 2 + 3 + 1) /* "." "..", standard streams, the directory itself */
        return false;
    (void) sigprocmask(SIG_BLOCK, NULL, &mask);
    for (int i = 1; i < 32; i++) {
        struct sigaction action;

        if (sigismember(&mask, i) ||
            (sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_IGN))
            return false;
    }
    return true;
}

/* It ends with the test, whose end of the pipe it watches. */
static void leave_daemon(void)
{
    struct pollfd fd = {.fd = STDOUT_FILENO};

    if (fork() != 0)
        return;
    (void) poll(&fd, 1, 60000);
    _exit(0);
}

static int helper_main(const char *key)
{
    char junk[16384];

    memset(junk, 'j', sizeof(junk));
    if (strcmp(key, "test-hang") == 0)
        for (;;)
            (void) pause();
    if (strcmp(key, "test-silent") == 0)
        return 0;
    if (strcmp(key, "test-daemon") == 0 || strcmp(key, "test-silent-daemon") == 0)
        leave_daemon();
    if (strcmp(key, "test-silent-daemon") == 0)
        return 0;
    if (strcmp(key, "test-short") == 0)
        return write(STDOUT_FILENO, junk, 100) == 100 ? 0 : 1;
    if (strcmp(key, "test-junk") == 0)
        return write(STDOUT_FILENO, junk, sizeof(junk)) > 0 ? 0 : 1;
    if (strcmp(key, "test-noise") == 0)
        return puts("a module that writes to standard output") < 0;
    if (strcmp(key, "test-world") == 0)
        return world_is_clean() ? user_lookup_main("root") : 1;
    return user_lookup_main(key);
}

/* ---- the tests ---- */

static struct user_info info;
static struct err err;

static bool has_ended(const struct user_lookup *lookup)
{
    struct pollfd fd = {.fd = user_lookup_fd(lookup), .events = POLLIN};

    return poll(&fd, 1, 20000) == 1;
}

/* Asks for @key and waits for the answer as an event loop would. */
static int look_up(const char *key)
{
    CLEANUP(user_lookup_freep) struct user_lookup *lookup = NULL;
    int r;

    err = (struct err){0};
    memset(&info, 0xee, sizeof(info));
    r = user_lookup_start(key, &lookup, &err);
    if (r < 0)
        return r;
    if (!has_ended(lookup))
        return -ETIMEDOUT;
    r = user_lookup_finish(lookup, &info, &err);
    if (r < 0)
        EXPECT(err.code == r && err.text[0]);
    return r;
}

static void a_user_is_found_by_name_and_by_number(void)
{
    static const char *const keys[] = {"root", "nobody", "0", "65534"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const struct passwd *passwd = i % 2 == 0 ? getpwuid(0) : getpwnam("nobody");
        gid_t groups[USER_LOOKUP_GROUPS_MAX];
        int len = USER_LOOKUP_GROUPS_MAX;

        assert(passwd);
        EXPECT(look_up(keys[i]) == 0);
        EXPECT(strcmp(info.name, passwd->pw_name) == 0);
        EXPECT(strcmp(info.home, passwd->pw_dir) == 0);
        EXPECT(strcmp(info.shell, passwd->pw_shell) == 0);
        EXPECT(info.uid == passwd->pw_uid && info.gid == passwd->pw_gid);
        (void) getgrouplist(passwd->pw_name, passwd->pw_gid, groups, &len);
        EXPECT(info.groups_len == (uint32_t) len);
        EXPECT(memcmp(info.groups, groups, (size_t) len * sizeof(groups[0])) == 0);
    }
}

static void nobody_else_is_found(void)
{
    static const char *const keys[] = {
        "no-such-user-here",    "",           "4294967295", "4294967296",
        "99999999999999999999", "3999999999", "test-esrch"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char expected[128];

        (void) snprintf(expected, sizeof(expected), "there is no user %s", keys[i]);
        EXPECT(look_up(keys[i]) == -ENOENT);
        EXPECT(strcmp(err.text, expected) == 0);
    }
}

static void what_goes_wrong_in_nss_is_said(void)
{
    static const struct {
        const char *key;
        int r;
    } rows[] = {
        {"test-io-error", -EIO}, {"test-endless", -ERANGE},
        {"test-large", 0},       {"test-long-home", -ENAMETOOLONG},
        {"test-1024-groups", 0}, {"test-1025-groups", -E2BIG},
        {"test-no-shell", 0},    {"test-no-uid", -EDOM},
        {"test-no-gid", -EDOM},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const int r = look_up(rows[i].key);

        if (r != rows[i].r)
            (void) fprintf(stderr, "row %zu: %d %s\n", i, r, err.text);
        EXPECT(r == rows[i].r);
    }
    EXPECT(look_up("test-1025-groups") == -E2BIG);
    EXPECT(strcmp(err.text, "user test-1025-groups is in more than 1024 groups") == 0);
    EXPECT(look_up("test-no-uid") == -EDOM);
    EXPECT(strcmp(err.text, "user test-no-uid has a number that no process can have") == 0);
    EXPECT(look_up("test-1024-groups") == 0);
    EXPECT(info.groups_len == 1024 && info.groups[1023] == 8 + 1023);
    EXPECT(look_up("test-no-shell") == 0 && info.shell[0] == '\0');
}

static void an_answer_that_is_none_is_refused(void)
{
    static const char *const keys[] = {"test-silent", "test-short", "test-junk", "test-noise"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        EXPECT(look_up(keys[i]) == -EPROTO);
}

static void the_helper_has_nothing_of_ours(void)
{
    CLEANUP_FD int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    sigset_t mask;

    (void) setenv("LD_SOMETHING", "x", 1);
    (void) signal(SIGPIPE, SIG_IGN);
    (void) signal(SIGTERM, SIG_IGN);
    (void) sigfillset(&mask);
    (void) sigprocmask(SIG_BLOCK, &mask, NULL);
    EXPECT(look_up("test-world") == 0);
    (void) sigprocmask(SIG_UNBLOCK, &mask, NULL);
}

static void a_helper_that_hangs_is_ended_and_reaped(void)
{
    struct user_lookup *lookup = NULL;
    pid_t pid;

    assert(user_lookup_start("test-hang", &lookup, &err) == 0);
    pid = user_lookup_pid(lookup);
    EXPECT(kill(pid, 0) == 0);
    user_lookup_kill(lookup);
    EXPECT(has_ended(lookup));
    EXPECT(user_lookup_finish(lookup, &info, &err) == -EPROTO);
    EXPECT(user_lookup_free(lookup) == NULL);
    EXPECT(kill(pid, 0) < 0 && errno == ESRCH);
}

static void a_helper_that_is_freed_while_it_hangs_ends_without_being_waited_for(void)
{
    struct user_lookup *lookup = NULL;
    pid_t pid;

    assert(user_lookup_start("test-hang", &lookup, &err) == 0);
    pid = user_lookup_pid(lookup);
    EXPECT(user_lookup_free(lookup) == NULL);
    EXPECT(waitpid(pid, NULL, 0) == pid || errno == ECHILD); /* it may have been quick to die */
}

static void a_helper_reaped_by_somebody_else_is_no_trouble(void)
{
    struct user_lookup *lookup = NULL;
    pid_t pid;

    assert(user_lookup_start("root", &lookup, &err) == 0);
    pid = user_lookup_pid(lookup);
    EXPECT(waitpid(pid, NULL, 0) == pid); /* as a loop that reaps all its children does */
    EXPECT(has_ended(lookup));
    EXPECT(user_lookup_finish(lookup, &info, &err) == 0);
    EXPECT(user_lookup_free(lookup) == NULL);
}

/* An NSS module may start a daemon of its own, which then has the pipe. */
static void an_answer_is_there_also_when_somebody_holds_the_pipe(void)
{
    EXPECT(look_up("test-daemon") == 0);
    EXPECT(look_up("test-silent-daemon") == -EPROTO);
}

static void a_helper_whose_asker_is_gone_already_asks_nobody(void)
{
    char *argv[] = {"helper", USER_LOOKUP_FLAG, "test-nss-hang", NULL};
    int fds[2], status = -1;
    pid_t pid;

    assert(pipe(fds) == 0);
    (void) close(fds[0]);
    pid = fork();
    assert(pid >= 0);
    if (pid == 0) {
        (void) dup2(fds[1], STDOUT_FILENO);
        (void) close_range(3, ~0u, 0);
        (void) execv("/proc/self/exe", argv);
        _exit(9);
    }
    (void) close(fds[1]);
    EXPECT(waitpid(pid, &status, 0) == pid);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE);
}

static long fd_of(const struct dirent *entry)
{
    return strtol(entry->d_name, NULL, 10);
}

static void nothing_is_left_behind(void)
{
    unsigned open_fds = 0;
    siginfo_t death;
    DIR *fds;

    EXPECT(waitid(P_ALL, 0, &death, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD);
    fds = opendir("/proc/self/fd");
    assert(fds);
    for (const struct dirent *entry = readdir(fds); entry; entry = readdir(fds))
        open_fds += fd_of(entry) > 2 && fd_of(entry) != dirfd(fds);
    (void) closedir(fds);
    EXPECT(open_fds == 0);
}

static void without_descriptors_a_look_up_fails_with_a_sentence(void)
{
    struct rlimit limit;
    int fds[64] = {0};
    size_t len = 0;

    assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = 32;
    assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    while (len < 64 && (fds[len] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        len++;
    EXPECT(len < 32);
    /* Two are for the pipe, one is for the pidfd. */
    for (size_t spare = 0; spare <= 3; spare++) {
        struct user_lookup *lookup = NULL;
        const int r = user_lookup_start("root", &lookup, &err);

        EXPECT(r == (spare < 3 ? -EMFILE : 0));
        EXPECT(r == 0 || strncmp(err.text, "looking up user root: ", 22) == 0);
        EXPECT(r < 0 || has_ended(lookup));
        (void) user_lookup_free(lookup);
        (void) close(fds[--len]);
    }
    while (len > 0)
        (void) close(fds[--len]);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], USER_LOOKUP_FLAG) == 0)
        return helper_main(argv[2]);
    (void) close_range(3, ~0u, 0); /* of whoever started this */

    a_user_is_found_by_name_and_by_number();
    nobody_else_is_found();
    what_goes_wrong_in_nss_is_said();
    an_answer_that_is_none_is_refused();
    the_helper_has_nothing_of_ours();
    a_helper_that_hangs_is_ended_and_reaped();
    a_helper_that_is_freed_while_it_hangs_ends_without_being_waited_for();
    a_helper_reaped_by_somebody_else_is_no_trouble();
    an_answer_is_there_also_when_somebody_holds_the_pipe();
    a_helper_whose_asker_is_gone_already_asks_nobody();
    nothing_is_left_behind();
    without_descriptors_a_look_up_fails_with_a_sentence();
    nothing_is_left_behind();
    (void) printf("%u failures\n", failures);
    return failures > 0;
}
