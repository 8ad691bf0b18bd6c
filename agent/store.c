#include "agent/store.h"

#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/hex.h"
#include "base/lock.h"
#include "ipc/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)

static int store_make_path(const char *path, struct err *err)
{
    char part[4096];

    if ((size_t) snprintf(part, sizeof(part), "%s", path) >= sizeof(part))
        return err_set(err, -ENAMETOOLONG, "%s: the name is too long", path);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return err_errno(err, -errno, "make directory %s", part);
        *slash = '/';
    }
    if (mkdir(part, 0700) < 0 && errno != EEXIST)
        return err_errno(err, -errno, "make directory %s", part);
    return 0;
}

static int store_read_instance(struct store *store, struct err *err)
{
    uint8_t random[TASK_UID_SIZE];
    CLEANUP_FD int fd = -1;
    const ssize_t len =
        fdio_read_text(store->dirfd, "instance", store->instance, sizeof(store->instance));

    if (len == 2 * (ssize_t) TASK_UID_SIZE && hex_decode(store->instance, random, sizeof(random)))
        return 0;
    if (len >= 0 || len == -EFBIG)
        return err_set(err, -EBADMSG, "instance: not 32 hexadecimal digits");
    fdio_random(random, sizeof(random));
    (void) hex_encode(random, sizeof(random), store->instance);
    fd = openat(store->dirfd, "instance.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, -errno, "make instance");
    if (fdio_write(fd, store->instance, 2 * TASK_UID_SIZE) < 0 ||
        renameat(store->dirfd, "instance.new", store->dirfd, "instance") < 0)
        return err_errno(err, -errno, "write instance");
    return 0;
}

static const struct store store_closed = STORE_CLOSED;

int store_open(const char *path, struct store *ret, struct err *err)
{
    int r;

    *ret = store_closed;
    r = store_make_path(path, err);
    if (r < 0)
        return r;
    ret->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (ret->dirfd < 0)
        return err_errno(err, -errno, "open %s", path);
    ret->lock_fd = lock_take(ret->dirfd, "lock", err);
    if (ret->lock_fd == -EBUSY)
        return err_set(err, -EBUSY, "%s belongs to another quelld that is running", path);
    if (ret->lock_fd < 0)
        return ret->lock_fd;
    if (mkdirat(ret->dirfd, "attempts", 0700) < 0 && errno != EEXIST)
        return err_errno(err, -errno, "make %s/attempts", path);
    ret->attempts_fd = openat(ret->dirfd, "attempts", DIR_FLAGS);
    if (ret->attempts_fd < 0)
        return err_errno(err, -errno, "open %s/attempts", path);
    reserve_open(&ret->reserve, ret->dirfd);
    return store_read_instance(ret, err);
}

void store_close(struct store *store)
{
    reserve_close(&store->reserve);
    cleanup_fd(&store->attempts_fd);
    cleanup_fd(&store->lock_fd);
    cleanup_fd(&store->dirfd);
    *store = store_closed;
}

int store_open_attempt(const struct store *store, const char *uid_text, bool make, struct err *err)
{
    int fd;

    if (make && mkdirat(store->attempts_fd, uid_text, 0700) < 0 && errno != EEXIST)
        return err_errno(err, -errno, "make the attempt's directory %s", uid_text);
    fd = openat(store->attempts_fd, uid_text, DIR_FLAGS);
    return fd < 0 ? err_errno(err, -errno, "open the attempt's directory %s", uid_text) : fd;
}

static int store_place(int attempt_fd, const char *temporary, const char *file, bool first)
{
    int r;

    if (!first)
        return renameat(attempt_fd, temporary, attempt_fd, file) < 0 ? -errno : 0;
    r = linkat(attempt_fd, temporary, attempt_fd, file, 0) < 0 && errno != EEXIST ? -errno : 0;
    (void) unlinkat(attempt_fd, temporary, 0);
    return r;
}

/* A file of its own that appears whole. */
static int store_write_once(int attempt_fd, const char *file, const uint8_t *bytes, size_t len,
                            bool first)
{
    CLEANUP_FD int fd = -1;
    char temporary[64];
    int r;

    (void) snprintf(temporary, sizeof(temporary), "%s.tmp", file);
    fd = openat(attempt_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    r = fdio_write(fd, bytes, len);
    if (r == 0)
        r = store_place(attempt_fd, temporary, file, first);
    if (r < 0)
        (void) unlinkat(attempt_fd, temporary, 0);
    return r;
}

static int store_write_in(const struct store *store, const char *uid_text, const char *file,
                          const uint8_t *bytes, size_t len, bool first, struct err *err)
{
    CLEANUP_FD int fd = store_open_attempt(store, uid_text, true, err);
    int r;

    if (fd < 0)
        return fd;
    r = store_write_once(fd, file, bytes, len, first);
    return r < 0 ? err_errno(err, r, "write %s", file) : 0;
}

int store_write(struct store *store, const char *uid_text, const char *file,
                const Quell__Pb__Record *record, bool first, struct err *err)
{
    const size_t size = RECORD_HEADER + quell__pb__record__get_packed_size(record);
    CLEANUP_FREE uint8_t *bytes = malloc(size);
    const bool precious =
        record->kind_case != QUELL__PB__RECORD__KIND_COMMAND || record->command->cancel;
    bool given = false;
    long len;
    int r;

    if (!bytes)
        return err_set(err, -ENOMEM, "no memory for the record");
    len = record_encode(record, bytes, size);
    if (len < 0)
        return err_errno(err, (int) len, "encode %s", file);
    r = store_write_in(store, uid_text, file, bytes, (size_t) len, first, err);
    /* A full disk stops new tasks, never a cancel. */
    while (r < 0 && precious && reserve_give(&store->reserve, r)) {
        given = true;
        r = store_write_in(store, uid_text, file, bytes, (size_t) len, first, err);
    }
    if (given)
        reserve_refill(&store->reserve);
    return r;
}

int store_read(int attempt_fd, const char *file, Quell__Pb__Record **ret, struct err *err)
{
    CLEANUP_FREE uint8_t *bytes = malloc(RECORD_MAX + 1);
    CLEANUP_FD int fd = openat(attempt_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t len;

    if (fd < 0)
        return err_errno(err, -errno, "open %s", file);
    if (!bytes)
        return err_set(err, -ENOMEM, "no memory for the record");
    len = fdio_read(fd, bytes, RECORD_MAX + 1);
    if (len < 0)
        return err_errno(err, (int) len, "read %s", file);
    return record_decode(bytes, (size_t) len, NULL, ret, err);
}

bool store_has(int attempt_fd, const char *file)
{
    return faccessat(attempt_fd, file, F_OK, 0) == 0 || errno != ENOENT;
}

static DIR *store_list(int dirfd)
{
    const int fd = openat(dirfd, ".", DIR_FLAGS);
    DIR *dir;

    if (fd < 0)
        return NULL;
    dir = fdopendir(fd);
    if (!dir)
        (void) close(fd);
    return dir;
}

/* All files of an attempt but its ending. */
static int store_empty(int fd, struct err *err)
{
    DIR *dir = store_list(fd);
    struct dirent *entry;
    int r = 0;

    if (!dir)
        return err_errno(err, -errno, "list its records");
    while (errno = 0, r == 0 && (entry = readdir(dir)))
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "ending") != 0 &&
            unlinkat(fd, entry->d_name, 0) < 0 && errno != ENOENT)
            r = err_errno(err, -errno, "remove %s", entry->d_name);
    if (r == 0 && errno != 0)
        r = err_errno(err, -errno, "list its records");
    (void) closedir(dir);
    return r;
}

int store_forget(const struct store *store, const char *uid_text, struct err *err)
{
    CLEANUP_FD int fd = openat(store->attempts_fd, uid_text, DIR_FLAGS);
    int r;

    if (fd < 0)
        return errno == ENOENT ? 0 : err_errno(err, -errno, "open %s", uid_text);
    /* The ending goes last: without it the attempt would look as if it had never ended, and would
       be started again. */
    r = store_empty(fd, err);
    if (r < 0)
        return r;
    (void) unlinkat(fd, "ending", 0);
    if (unlinkat(store->attempts_fd, uid_text, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return err_errno(err, -errno, "remove %s", uid_text);
    return 0;
}

int store_each(const struct store *store, void (*each)(void *arg, const char *uid_text), void *arg,
               struct err *err)
{
    DIR *dir = store_list(store->attempts_fd);
    uint8_t uid[TASK_UID_SIZE];
    struct dirent *entry;
    int r;

    if (!dir)
        return err_errno(err, -errno, "list the attempts");
    while (errno = 0, (entry = readdir(dir)))
        if (hex_decode(entry->d_name, uid, sizeof(uid)))
            each(arg, entry->d_name);
    r = errno ? err_errno(err, -errno, "list the attempts") : 0;
    (void) closedir(dir);
    return r;
}
