/*
 * store_dir.c - the state directory: made where it is missing, closed to others, and held by a
 * lock, so that two heads never share one table of tasks.
 */
#include "libquell/store_impl.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define LOCK_NAME "lock"

static int make_dir(const char *path, mode_t mode, struct err *err)
{
    if (mkdir(path, mode) == 0 || errno == EEXIST)
        return 0;
    return err_errno(err, -errno, "make the state directory %s", path);
}

/* Makes what is missing: the parents for all to read, the last one for its owner alone. */
static int make_dirs(const char *path, struct err *err)
{
    char partial[4096];
    int r = 0;

    if (strlen(path) >= sizeof(partial))
        return err_set(err, -ENAMETOOLONG, "the state directory's path is too long: %.300s", path);
    (void) snprintf(partial, sizeof(partial), "%s", path);
    for (char *slash = strchr(partial + 1, '/'); slash && r == 0; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        r = make_dir(partial, 0755, err);
        *slash = '/';
    }
    return r < 0 ? r : make_dir(path, 0700, err);
}

static int check_dir(int fd, const char *path, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_errno(err, -errno, "look at the state directory %s", path);
    if (st.st_uid != geteuid())
        return err_set(err, -EPERM,
                       "the state directory %s belongs to uid %u, but this runs as uid %u", path,
                       st.st_uid, geteuid());
    if (st.st_mode & 077)
        return err_set(err, -EPERM,
                       "the state directory %s has mode %04o and is open to others: chmod 700 %s",
                       path, st.st_mode & 07777, path);
    return 0;
}

int store_dir_open(const char *path, int *ret_dir_fd, int *ret_lock_fd, struct err *err)
{
    CLEANUP_FD int dir_fd = -1;
    CLEANUP_FD int lock_fd = -1;
    int r;

    if (*path == '\0')
        return err_set(err, -EINVAL, "the state directory has no name");
    r = make_dirs(path, err);
    if (r < 0)
        return r;
    dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return err_errno(err, -errno, "open the state directory %s", path);
    r = check_dir(dir_fd, path, err);
    if (r < 0)
        return r;
    lock_fd = openat(dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (lock_fd < 0)
        return err_errno(err, -errno, "open %s/" LOCK_NAME, path);
    if (flock(lock_fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK)
            return err_set(err, -EBUSY,
                           "the state directory %s is in use by another head that is running",
                           path);
        return err_errno(err, -errno, "lock %s/" LOCK_NAME, path);
    }
    *ret_dir_fd = TAKE_FD(dir_fd);
    *ret_lock_fd = TAKE_FD(lock_fd);
    return 0;
}
