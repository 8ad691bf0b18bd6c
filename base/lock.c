#include "base/lock.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>

int lock_take(int dirfd, const char *file, struct err *err)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CLEANUP_FD int fd = openat(dirfd, file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return err_errno(err, -errno, "open %s", file);
    if (fcntl(fd, F_SETLK, &lock) == 0)
        return TAKE_FD(fd);
    if (errno == EAGAIN || errno == EACCES)
        return -EBUSY;
    return err_errno(err, -errno, "lock %s", file);
}
