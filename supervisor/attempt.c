#include "supervisor/attempt.h"

#include "base/cleanup.h"
#include "base/fdio.h"
#include "ipc/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESERVE_NAME  "ending.new"
#define STARTED_NEW   "started.new"
#define RESERVE_BYTES 4096 /* an ending with its longest sentence is under 1 KiB */

int attempt_open(struct attempt *attempt, struct err *err)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    attempt->reserve_fd = -1;
    attempt->lock_fd =
        openat(attempt->dirfd, ATTEMPT_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (attempt->lock_fd < 0)
        return errno == ENOENT ? 0 : err_errno(err, -errno, "open %s", ATTEMPT_LOCK);
    while (fcntl(attempt->lock_fd, F_SETLKW, &lock) < 0)
        if (errno != EINTR)
            return err_errno(err, -errno, "lock %s", ATTEMPT_LOCK);
    attempt->reserve_fd =
        openat(attempt->dirfd, RESERVE_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (attempt->reserve_fd < 0)
        return err_errno(err, -errno, "make %s", RESERVE_NAME);
    /* Not every file system can reserve; then the write at the end has to do. */
    if (fallocate(attempt->reserve_fd, FALLOC_FL_KEEP_SIZE, 0, RESERVE_BYTES) < 0 &&
        errno != EOPNOTSUPP)
        return err_errno(err, -errno, "reserve %d bytes for the ending", RESERVE_BYTES);
    return 0;
}

static long attempt_encode(const struct attempt *attempt, Quell__Pb__Record *record, uint8_t *ret,
                           size_t size)
{
    record->uid = attempt->uid;
    record->name = (Quell__Pb__Name *) attempt->name;
    record->boot_id = (char *) attempt->boot_id;
    return record_encode(record, ret, size);
}

int attempt_record_started(const struct attempt *attempt, Quell__Pb__Started *started,
                           struct err *err)
{
    Quell__Pb__Record record = QUELL__PB__RECORD__INIT;
    CLEANUP_FD int fd = -1;
    uint8_t bytes[512];
    long len;
    int r;

    record.kind_case = QUELL__PB__RECORD__KIND_STARTED;
    record.started = started;
    len = attempt_encode(attempt, &record, bytes, sizeof(bytes));
    if (len < 0)
        return err_errno(err, (int) len, "encode %s", ATTEMPT_STARTED);
    fd = openat(attempt->dirfd, STARTED_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                0600);
    if (fd < 0)
        return err_errno(err, -errno, "make %s", STARTED_NEW);
    r = fdio_write(fd, bytes, (size_t) len);
    if (r < 0)
        return err_errno(err, r, "write %s", STARTED_NEW);
    /* Whole or not at all, and once. */
    if (linkat(attempt->dirfd, STARTED_NEW, attempt->dirfd, ATTEMPT_STARTED, 0) < 0)
        return err_errno(err, -errno, "put %s in place", ATTEMPT_STARTED);
    (void) unlinkat(attempt->dirfd, STARTED_NEW, 0);
    return 0;
}

bool attempt_has_ending(const struct attempt *attempt)
{
    return faccessat(attempt->dirfd, ATTEMPT_ENDING, F_OK, 0) == 0;
}

int attempt_record_ending(struct attempt *attempt, Quell__Pb__Ending *ending, struct err *err)
{
    Quell__Pb__Record record = QUELL__PB__RECORD__INIT;
    uint8_t bytes[RESERVE_BYTES];
    long len;

    if (attempt->reserve_fd < 0)
        return err_set(err, -ENOENT, "the attempt's directory is gone");
    record.kind_case = QUELL__PB__RECORD__KIND_ENDING;
    record.ending = ending;
    len = attempt_encode(attempt, &record, bytes, sizeof(bytes));
    if (len < 0)
        return err_errno(err, (int) len, "encode %s", ATTEMPT_ENDING);
    /* Cut off afterwards: cutting first would give the reserved block away. */
    errno = 0;
    if (pwrite(attempt->reserve_fd, bytes, (size_t) len, 0) != len ||
        ftruncate(attempt->reserve_fd, len) < 0)
        return err_errno(err, errno ? -errno : -ENOSPC, "write %s", RESERVE_NAME);
    if (linkat(attempt->dirfd, RESERVE_NAME, attempt->dirfd, ATTEMPT_ENDING, 0) == 0)
        return 0;
    return errno == EEXIST ? ATTEMPT_ENDED_BEFORE
                           : err_errno(err, -errno, "put %s in place", ATTEMPT_ENDING);
}
