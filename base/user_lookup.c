#include "base/user_lookup.h"

#include "base/fdio.h"
#include "base/self_spawn.h"
#include "base/units.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define NSS_BUFFER_MAX ((size_t) 1024 * 1024)

/* What the helper writes. Both sides are one program, so plain memory is a format. */
struct user_answer {
    char magic[8];
    int32_t code; /* 0 or a negative errno */
    uint32_t size;
    struct user_info info;
};
/* It lies in the pipe until the helper has ended: the smallest pipe that the kernel makes has two
   pages. */
_Static_assert(sizeof(struct user_answer) <= 8192, "an answer fits into a pipe");
static const char answer_magic[8] = "QUELLUSR";

struct user_lookup {
    char *key;
    pid_t pid;
    int pidfd;
    int fd;
    size_t len; /* bytes of the answer so far */
    struct user_answer answer;
};

void user_lookup_kill(struct user_lookup *lookup)
{
    (void) pidfd_send_signal(lookup->pidfd, SIGKILL, NULL, 0);
}

struct user_lookup *user_lookup_free(struct user_lookup *lookup)
{
    siginfo_t info;

    if (!lookup)
        return NULL;
    if (lookup->pidfd >= 0) {
        user_lookup_kill(lookup);
        (void) waitid(P_PIDFD, (id_t) lookup->pidfd, &info, WEXITED | WNOHANG);
        (void) close(lookup->pidfd);
    }
    if (lookup->fd >= 0)
        (void) close(lookup->fd);
    free(lookup->key);
    free(lookup);
    return NULL;
}

static struct user_lookup *user_lookup_new(const char *key)
{
    CLEANUP(user_lookup_freep) struct user_lookup *lookup = calloc(1, sizeof(*lookup));

    if (!lookup)
        return NULL;
    lookup->pidfd = -1;
    lookup->fd = -1;
    lookup->key = strdup(key);
    if (!lookup->key)
        return NULL;
    return TAKE_PTR(lookup);
}

int user_lookup_start(const char *key, struct user_lookup **ret, struct err *err)
{
    CLEANUP(user_lookup_freep) struct user_lookup *lookup = NULL;
    CLEANUP_FD int out = -1;
    int fds[2];
    int r;

    lookup = user_lookup_new(key);
    if (!lookup)
        return err_set(err, -ENOMEM, "looking up user %s: no memory", key);
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(err, -errno, "looking up user %s: pipe", key);
    lookup->fd = fds[0];
    out = fds[1];
    r = fdio_set_nonblocking(lookup->fd);
    if (r < 0)
        return err_errno(err, r, "looking up user %s: pipe", key);
    r = self_spawn("quell-user-lookup", USER_LOOKUP_FLAG, lookup->key, -1, out, &lookup->pid);
    if (r != 0)
        return err_errno(err, -r, "looking up user %s: starting /proc/self/exe", key);
    lookup->pidfd = pidfd_open(lookup->pid, 0);
    if (lookup->pidfd < 0) {
        r = -errno;
        /* Without a descriptor nothing later could name it: it is still our child, so end it here.
         */
        (void) kill(lookup->pid, SIGKILL);
        (void) waitpid(lookup->pid, NULL, 0);
        return err_errno(err, r, "looking up user %s: pidfd_open", key);
    }
    *ret = TAKE_PTR(lookup);
    return 0;
}

int user_lookup_fd(const struct user_lookup *lookup)
{
    return lookup->pidfd;
}

pid_t user_lookup_pid(const struct user_lookup *lookup)
{
    return lookup->pid;
}

static int user_lookup_read(struct user_lookup *lookup, struct err *err)
{
    while (lookup->len < sizeof(lookup->answer)) {
        const ssize_t n = read(lookup->fd, (char *) &lookup->answer + lookup->len,
                               sizeof(lookup->answer) - lookup->len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            return err_errno(err, -errno, "looking up user %s: reading the answer", lookup->key);
        /* With EAGAIN a module has left somebody behind who holds the pipe. */
        if (n <= 0)
            return err_set(err, -EPROTO, "looking up user %s: the helper ended without an answer",
                           lookup->key);
        lookup->len += (size_t) n;
    }
    return 0;
}

static bool user_text_ends(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

static bool user_answer_is_sound(const struct user_answer *answer)
{
    const struct user_info *info = &answer->info;

    return memcmp(answer->magic, answer_magic, sizeof(answer_magic)) == 0 &&
           answer->size == sizeof(*answer) && answer->code <= 0 &&
           info->groups_len <= USER_LOOKUP_GROUPS_MAX &&
           user_text_ends(info->name, sizeof(info->name)) &&
           user_text_ends(info->home, sizeof(info->home)) &&
           user_text_ends(info->shell, sizeof(info->shell));
}

int user_lookup_finish(struct user_lookup *lookup, struct user_info *ret, struct err *err)
{
    const struct user_answer *answer = &lookup->answer;
    int r;

    r = user_lookup_read(lookup, err);
    if (r < 0)
        return r;
    if (!user_answer_is_sound(answer))
        return err_set(err, -EPROTO, "looking up user %s: the helper's answer is damaged",
                       lookup->key);
    if (answer->code == -ENOENT)
        return err_set(err, -ENOENT, "there is no user %s", lookup->key);
    if (answer->code == -E2BIG)
        return err_set(err, -E2BIG, "user %s is in more than %d groups", lookup->key,
                       USER_LOOKUP_GROUPS_MAX);
    if (answer->code == -EDOM)
        return err_set(err, -EDOM, "user %s has a number that no process can have", lookup->key);
    if (answer->code < 0)
        return err_errno(err, answer->code, "looking up user %s", lookup->key);
    *ret = answer->info;
    return 0;
}

/* ---- the helper's side ---- */

/* One question to NSS. @number is what @key says, or -1. Returns 0 or an errno. */
static int nss_get(const char *key, int64_t number, struct passwd *passwd, char *buffer,
                   size_t size, struct passwd **ret)
{
    if (number >= 0)
        return getpwuid_r((uid_t) number, passwd, buffer, size, ret);
    return getpwnam_r(key, passwd, buffer, size, ret);
}

static int user_copy(char *ret, size_t size, const char *text)
{
    const size_t len = text ? strlen(text) : 0;

    if (len >= size)
        return -ENAMETOOLONG;
    memcpy(ret, text ? text : "", len);
    ret[len] = '\0';
    return 0;
}

static int user_fill_groups(struct user_info *ret)
{
    int len = USER_LOOKUP_GROUPS_MAX;

    _Static_assert(sizeof(gid_t) == sizeof(ret->groups[0]), "groups are read in place");
    if (getgrouplist(ret->name, ret->gid, ret->groups, &len) < 0)
        return -E2BIG;
    ret->groups_len = (uint32_t) len;
    return 0;
}

static int user_fill(struct user_info *ret, const struct passwd *passwd)
{
    int r;

    r = user_copy(ret->name, sizeof(ret->name), passwd->pw_name);
    if (r == 0)
        r = user_copy(ret->home, sizeof(ret->home), passwd->pw_dir);
    if (r == 0)
        r = user_copy(ret->shell, sizeof(ret->shell), passwd->pw_shell);
    if (r < 0)
        return r;
    /* To the kernel this number means "none". */
    if (passwd->pw_uid == (uid_t) -1 || passwd->pw_gid == (gid_t) -1)
        return -EDOM;
    ret->uid = passwd->pw_uid;
    ret->gid = passwd->pw_gid;
    return user_fill_groups(ret);
}

/* The number that @key is in decimal; -1: a name; -2: a number that no user can have. */
static int64_t user_number(const char *key)
{
    uint64_t number;

    switch (units_parse_number(key, 0, UINT32_MAX - 1, &number)) {
    case 0:
        return (int64_t) number;
    case -ERANGE:
        return -2;
    default:
        return -1;
    }
}

static int user_ask(const char *key, struct user_info *ret)
{
    CLEANUP_FREE char *buffer = NULL;
    const int64_t number = user_number(key);

    if (number == -2)
        return -ENOENT;
    for (size_t size = 4096; size <= NSS_BUFFER_MAX; size *= 2) {
        struct passwd passwd;
        struct passwd *found = NULL;
        int r;

        free(TAKE_PTR(buffer));
        buffer = malloc(size);
        if (!buffer)
            return -ENOMEM;
        r = nss_get(key, number, &passwd, buffer, size, &found);
        if (r == ERANGE)
            continue;
        if (found)
            return user_fill(ret, found);
        /* getpwnam(3) lists what modules say in place of 0 for a name that they do not know. */
        return r == 0 || r == ESRCH ? -ENOENT : -r;
    }
    return -ERANGE;
}

int user_lookup_ask(const char *key, struct user_info *ret, struct err *err)
{
    const int r = user_ask(key, ret);

    if (r == -ENOENT)
        return err_set(err, -ENOENT, "there is no user %s", key);
    return r < 0 ? err_errno(err, r, "looking up user %s", key) : 0;
}

int user_lookup_main(const char *key)
{
    struct user_answer answer = {.size = sizeof(answer)};
    struct pollfd asker = {.fd = STDOUT_FILENO};

    /* Nobody wants the answer any more once the asker is gone, and it may be gone already. */
    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (poll(&asker, 1, 0) > 0 && (asker.revents & POLLERR))
        return EXIT_FAILURE;
    memcpy(answer.magic, answer_magic, sizeof(answer_magic));
    answer.code = user_ask(key, &answer.info);
    return fdio_write(STDOUT_FILENO, &answer, sizeof(answer)) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
