#include "http/http_socket.h"

#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define BACKLOG       SOMAXCONN
#define LOCK_SUFFIX   ".lock"
#define LOCK_ATTEMPTS 16

struct http_socket {
    struct sockaddr_un address;
    char lock_path[sizeof(((struct sockaddr_un *) NULL)->sun_path) + sizeof(LOCK_SUFFIX)];
    int lock_fd;
    int fd;
    bool bound;
    dev_t dev; /* of the file that was bound: what close() may remove */
    ino_t ino;
};

/* The sentence for a directory in which nothing can be made. */
static int directory_failed(const char *path, int code, struct err *err)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');

    (void) snprintf(dir, sizeof(dir), "%.*s", slash ? (int) (slash - path) : 1, slash ? path : ".");
    if (dir[0] == '\0')
        (void) snprintf(dir, sizeof(dir), "/");
    if (code == -ENOENT)
        return err_set(err, code, "socket %s: its directory %s does not exist", path, dir);
    if (code == -EACCES || code == -EPERM)
        return err_set(err, code, "socket %s: user %u is not permitted to create files in %s", path,
                       (unsigned) geteuid(), dir);
    return err_errno(err, code, "socket %s: create a file in %s", path, dir);
}

static int in_use(const char *path, struct err *err)
{
    return err_set(err, -EADDRINUSE, "socket %s is in use by another process", path);
}

/* True when the lock that we hold is on the file that has the name now: its last owner may have
   removed it between our open and our lock. */
static bool lock_is_current(int fd, const char *path)
{
    struct stat held;
    struct stat named;

    return fstat(fd, &held) == 0 && lstat(path, &named) == 0 && held.st_dev == named.st_dev &&
           held.st_ino == named.st_ino;
}

static int lock(struct http_socket *sock, struct err *err)
{
    const char *path = sock->address.sun_path;

    for (int attempt = 0; attempt < LOCK_ATTEMPTS; attempt++) {
        CLEANUP_FD int fd = lock_take(AT_FDCWD, sock->lock_path, NULL);

        if (fd == -EBUSY)
            return in_use(path, err);
        if (fd == -ELOOP)
            return err_set(err, -ELOOP, "socket %s: %s is a symbolic link", path, sock->lock_path);
        if (fd < 0)
            return directory_failed(path, fd, err);
        if (lock_is_current(fd, sock->lock_path)) {
            sock->lock_fd = TAKE_FD(fd);
            return 0;
        }
    }
    return in_use(path, err);
}

/* True when the process that listens has ended: the socket is held open by a child of its that was
   on its way to exec when it was killed, and will be gone in a moment. */
static bool listener_is_gone(int fd)
{
    struct ucred listener;
    socklen_t len = sizeof(listener);
    struct pollfd ended = {.fd = -1, .events = POLLIN};
    bool gone;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &listener, &len) < 0)
        return false;
    ended.fd = (int) syscall(SYS_pidfd_open, listener.pid, 0);
    if (ended.fd < 0)
        return errno == ESRCH;
    gone = poll(&ended, 1, 0) == 1;
    (void) close(ended.fd);
    return gone;
}

/* Removes a socket that nobody serves. Absent is fine. */
static int remove_stale(const struct sockaddr_un *address, struct err *err)
{
    const char *path = address->sun_path;
    CLEANUP_FD int fd = -1;
    struct stat st;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : err_errno(err, -errno, "look at socket %s", path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(err, -EEXIST, "socket %s: there is a file that is not a socket", path);

    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(err, -errno, "make a Unix socket");
    /* EAGAIN is a full backlog: somebody listens, if slowly. */
    if (connect(fd, (const struct sockaddr *) address, sizeof(*address)) == 0) {
        if (!listener_is_gone(fd))
            return in_use(path, err);
    } else if (errno == EAGAIN) {
        return in_use(path, err);
    } else if (errno != ECONNREFUSED) {
        return err_errno(err, -errno, "socket %s: find out whether anybody serves it", path);
    }
    if (unlink(path) < 0 && errno != ENOENT)
        return err_errno(err, -errno, "remove the stale socket %s", path);
    return 0;
}

static int bind_and_listen(struct http_socket *sock, mode_t mode, struct err *err)
{
    const char *path = sock->address.sun_path;
    struct stat st;
    mode_t old;
    int r;

    sock->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (sock->fd < 0)
        return err_errno(err, -errno, "make a Unix socket");

    /* The mode is right from the first moment: a chmod afterwards would leave a gap. */
    old = umask(~mode & 0777);
    r = bind(sock->fd, (const struct sockaddr *) &sock->address, sizeof(sock->address)) < 0 ? -errno
                                                                                            : 0;
    (void) umask(old);
    if (r == -EADDRINUSE)
        return in_use(path, err);
    if (r < 0)
        return directory_failed(path, r, err);

    if (lstat(path, &st) < 0)
        return err_errno(err, -errno, "look at socket %s", path);
    sock->dev = st.st_dev;
    sock->ino = st.st_ino;
    sock->bound = true;
    if (listen(sock->fd, BACKLOG) < 0)
        return err_errno(err, -errno, "listen on socket %s", path);
    return 0;
}

int http_socket_open(const char *path, mode_t mode, struct http_socket **ret, struct err *err)
{
    CLEANUP(http_socket_closep) struct http_socket *sock = calloc(1, sizeof(*sock));
    int r;

    if (!sock)
        return err_set(err, -ENOMEM, "no memory for the socket %s", path);
    sock->lock_fd = sock->fd = -1;
    sock->address.sun_family = AF_UNIX;
    if (path[0] == '\0')
        return err_set(err, -EINVAL, "the socket's path is empty");
    if (strlen(path) >= sizeof(sock->address.sun_path))
        return err_set(err, -ENAMETOOLONG, "socket %s: its path has %zu bytes, at most %zu can be",
                       path, strlen(path), sizeof(sock->address.sun_path) - 1);
    memcpy(sock->address.sun_path, path, strlen(path));
    (void) snprintf(sock->lock_path, sizeof(sock->lock_path), "%s" LOCK_SUFFIX, path);

    r = lock(sock, err);
    if (r < 0)
        return r;
    r = remove_stale(&sock->address, err);
    if (r < 0)
        return r;
    r = bind_and_listen(sock, mode, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(sock);
    return 0;
}

int http_socket_take_fd(struct http_socket *sock)
{
    return TAKE_FD(sock->fd);
}

struct http_socket *http_socket_close(struct http_socket *sock)
{
    struct stat st;

    if (!sock)
        return NULL;
    if (sock->fd >= 0)
        (void) close(sock->fd);
    if (sock->bound && lstat(sock->address.sun_path, &st) == 0 && st.st_dev == sock->dev &&
        st.st_ino == sock->ino)
        (void) unlink(sock->address.sun_path);
    if (sock->lock_fd >= 0) {
        (void) unlink(sock->lock_path); /* while it is locked: see lock_is_current() */
        (void) close(sock->lock_fd);
    }
    free(sock);
    return NULL;
}
