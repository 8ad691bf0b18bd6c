#include "base/fdio.h"

#include "base/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>

ssize_t fdio_read(int fd, void *buffer, size_t size)
{
    size_t len = 0;

    while (len < size) {
        const ssize_t n = read(fd, (char *) buffer + len, size - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        len += (size_t) n;
    }
    return (ssize_t) len;
}

int fdio_write(int fd, const void *bytes, size_t len)
{
    size_t done = 0;

    while (done < len) {
        const ssize_t n = write(fd, (const char *) bytes + done, len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        done += (size_t) n;
    }
    return 0;
}

static int fdio_openat(int dirfd, const char *path, int flags)
{
    int fd;

    do {
        fd = openat(dirfd, path, flags | O_CLOEXEC | O_NOCTTY);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

ssize_t fdio_read_text(int dirfd, const char *path, char *buffer, size_t size)
{
    CLEANUP_FD int fd = -1;
    ssize_t len;

    assert(size > 0);
    fd = fdio_openat(dirfd, path, O_RDONLY);
    if (fd < 0)
        return fd;
    len = fdio_read(fd, buffer, size);
    if (len < 0)
        return len;
    if ((size_t) len == size)
        return -EFBIG;
    buffer[len] = '\0';
    return len;
}

int fdio_write_text(int dirfd, const char *path, const char *text)
{
    CLEANUP_FD int fd = -1;
    const size_t len = strlen(text);
    ssize_t n;

    fd = fdio_openat(dirfd, path, O_WRONLY);
    if (fd < 0)
        return fd;
    do {
        n = write(fd, text, len);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    /* A control file takes a value whole: the rest of a short write would be another value. */
    return (size_t) n == len ? 0 : -EIO;
}

void fdio_random(void *buffer, size_t size)
{
    size_t len = 0;

    while (len < size) {
        const ssize_t n = getrandom((char *) buffer + len, size - len, 0);

        assert(n > 0 || errno == EINTR);
        if (n > 0)
            len += (size_t) n;
    }
}

int fdio_set_nonblocking(int fd)
{
    const int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    return 0;
}
