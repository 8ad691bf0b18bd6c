/*
 * An NSS module that stands in for a directory of users: put in the place of libnss_hesiod.so.2, in
 * a mount namespace of a test. It knows users that no machine should have, and one that it never
 * tells of: asked for that, it says so in the FIFO /mnt/asked, and hangs.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct known {
    const char *name;
    uid_t uid;
    gid_t gid;
    const char *home;
    const char *shell;
    unsigned groups; /* supplementary */
};

static const struct known users[] = {
    {"quell-homeless", 40001, 40001, "", "", 0},
    {"Quell $(odd); 'n\\am\"e \xc3\xa9\t.", 40002, 40002, "/tmp", "/bin/sh", 0},
    {"quell-many", 40003, 40003, "/", "/bin/sh", 999},
    {"quell-too-many", 40004, 40004, "/", "/bin/sh", 65536},
    {"quell-none", (uid_t) -1, 40005, "/", "/bin/sh", 0},
    {"quell-no-group", 40006, (gid_t) -1, "/", "/bin/sh", 0},
    {"quell-second-root", 0, 0, "/", "/bin/sh", 0},
    {"quell-homed", 40007, 40007, "/mnt", "/bin/sh", 0},
};

#define USERS (sizeof(users) / sizeof(users[0]))

/* NOLINTBEGIN(*-reserved-identifier,cert-dcl*,readability-non-const-parameter): NSS names them */

enum nss_status _nss_hesiod_getpwnam_r(const char *name, struct passwd *ret, char *buffer,
                                       size_t size, int *ret_errno);
enum nss_status _nss_hesiod_getpwuid_r(uid_t uid, struct passwd *ret, char *buffer, size_t size,
                                       int *ret_errno);
enum nss_status _nss_hesiod_initgroups_dyn(const char *name, gid_t group, long *start, long *size,
                                           gid_t **groups, long limit, int *ret_errno);

static void hang(void)
{
    const int fd = open("/mnt/asked", O_WRONLY | O_CLOEXEC);

    (void) !write(fd, "hangs\n", 6);
    for (;;)
        (void) pause();
}

static enum nss_status fill(const struct known *user, struct passwd *ret)
{
    *ret = (struct passwd){.pw_name = (char *) user->name,
                           .pw_passwd = "x",
                           .pw_uid = user->uid,
                           .pw_gid = user->gid,
                           .pw_gecos = "",
                           .pw_dir = (char *) user->home,
                           .pw_shell = (char *) user->shell};
    return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_hesiod_getpwnam_r(const char *name, struct passwd *ret, char *buffer,
                                       size_t size, int *ret_errno)
{
    (void) buffer;
    (void) size;
    if (strcmp(name, "quell-hangs") == 0)
        hang();
    if (strcmp(name, "quell-trouble") == 0) {
        *ret_errno = EIO;
        return NSS_STATUS_UNAVAIL;
    }
    for (size_t i = 0; i < USERS; i++)
        if (strcmp(users[i].name, name) == 0)
            return fill(&users[i], ret);
    *ret_errno = ENOENT;
    return NSS_STATUS_NOTFOUND;
}

enum nss_status _nss_hesiod_getpwuid_r(uid_t uid, struct passwd *ret, char *buffer, size_t size,
                                       int *ret_errno)
{
    (void) buffer;
    (void) size;
    for (size_t i = 0; i < USERS; i++)
        if (users[i].uid == uid)
            return fill(&users[i], ret);
    *ret_errno = ENOENT;
    return NSS_STATUS_NOTFOUND;
}

enum nss_status _nss_hesiod_initgroups_dyn(const char *name, gid_t group, long *start, long *size,
                                           gid_t **groups, long limit, int *ret_errno)
{
    (void) limit;
    for (size_t i = 0; i < USERS; i++) {
        if (strcmp(users[i].name, name) != 0)
            continue;
        for (unsigned n = 1; n <= users[i].groups; n++) {
            if (*start == *size) {
                gid_t *grown = realloc(*groups, (size_t) *size * 2 * sizeof(gid_t));

                if (!grown) {
                    *ret_errno = ENOMEM;
                    return NSS_STATUS_TRYAGAIN;
                }
                *groups = grown;
                *size *= 2;
            }
            (*groups)[(*start)++] = group + 1000 + n;
        }
        return NSS_STATUS_SUCCESS;
    }
    return NSS_STATUS_NOTFOUND;
}

/* NOLINTEND(*-reserved-identifier,cert-dcl*,readability-non-const-parameter) */
