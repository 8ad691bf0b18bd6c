#include "cgroups/cgfs.h"

#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

int cgfs_open_dir(int dirfd, const char *path)
{
    return cgfs_open_file(dirfd, path, O_RDONLY | O_DIRECTORY);
}

int cgfs_open_file(int dirfd, const char *file, int flags)
{
    int fd;

    do
        fd = openat(dirfd, file, flags | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

int cgfs_mkdir(int dirfd, const char *path)
{
    return mkdirat(dirfd, path, 0755) < 0 ? -errno : 0;
}

int cgfs_rmdir(int dirfd, const char *path)
{
    return unlinkat(dirfd, path, AT_REMOVEDIR) < 0 ? -errno : 0;
}

bool cgfs_exists(int dirfd, const char *path)
{
    return faccessat(dirfd, path, F_OK, 0) == 0;
}

ssize_t cgfs_read(int dirfd, const char *file, char *buffer, size_t size)
{
    return fdio_read_text(dirfd, file, buffer, size);
}

int cgfs_write(int dirfd, const char *file, const char *text)
{
    return fdio_write_text(dirfd, file, text);
}

ssize_t cgfs_read_open(int fd, char *buffer, size_t size)
{
    ssize_t len;

    if (lseek(fd, 0, SEEK_SET) < 0)
        return -errno;
    len = fdio_read(fd, buffer, size);
    if (len < 0)
        return len;
    if ((size_t) len == size)
        return -EFBIG;
    buffer[len] = '\0';
    return len;
}

int cgfs_write_open(int fd, const char *text)
{
    return fdio_write(fd, text, strlen(text));
}

ssize_t cgfs_read_next(int fd, char *buffer, size_t size)
{
    return fdio_read(fd, buffer, size);
}

ssize_t cgfs_list(int dirfd, void *buffer, size_t size)
{
    long len = syscall(SYS_getdents64, dirfd, buffer, size);

    return len < 0 ? -errno : (ssize_t) len;
}

int cgfs_set_note(int dirfd, const char *note)
{
    return fsetxattr(dirfd, "user.quell", note, strlen(note), 0) < 0 ? -errno : 0;
}
