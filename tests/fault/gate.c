#include "tests/fault/gate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>

static int left; /* calls until one fails; 0: none does */
static const char *failed;

void gate_arm(int nth)
{
    left = nth;
    failed = NULL;
}

const char *gate_disarm(void)
{
    left = 0;
    return failed;
}

static bool fails(const char *name, int code)
{
    if (left == 0 || --left > 0)
        return false;
    failed = name;
    errno = code;
    return true;
}

/* The linker's names. NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp)
   NOLINTBEGIN(bugprone-macro-parentheses): types and lists take no parentheses */
#define GATE(type, result, name, code, parameters, arguments)                                      \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        return fails(#name, code) ? (result) : __real_##name arguments;                            \
    }                                                                                              \
    _Static_assert(1, "takes the semicolon")

GATE(void *, NULL, malloc, ENOMEM, (size_t size), (size));
GATE(void *, NULL, calloc, ENOMEM, (size_t count, size_t size), (count, size));
GATE(ssize_t, -1, read, EIO, (int fd, void *bytes, size_t size), (fd, bytes, size));
GATE(ssize_t, -1, write, ENOSPC, (int fd, const void *bytes, size_t size), (fd, bytes, size));
GATE(ssize_t, -1, pwrite, ENOSPC, (int fd, const void *bytes, size_t size, off_t at),
     (fd, bytes, size, at));
GATE(int, -1, ftruncate, EIO, (int fd, off_t size), (fd, size));
GATE(int, -1, fallocate, ENOSPC, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size));
GATE(int, -1, fstat, EIO, (int fd, struct stat *st), (fd, st));
GATE(int, -1, lstat, EIO, (const char *path, struct stat *st), (path, st));
GATE(int, -1, faccessat, EIO, (int fd, const char *path, int mode, int flags),
     (fd, path, mode, flags));
GATE(int, -1, mkdir, ENOSPC, (const char *path, mode_t mode), (path, mode));
GATE(int, -1, mkdirat, ENOSPC, (int fd, const char *path, mode_t mode), (fd, path, mode));
GATE(int, -1, linkat, ENOSPC, (int fd, const char *path, int to_fd, const char *to, int flags),
     (fd, path, to_fd, to, flags));
GATE(int, -1, renameat, ENOSPC, (int fd, const char *path, int to_fd, const char *to),
     (fd, path, to_fd, to));
GATE(int, -1, unlink, EIO, (const char *path), (path));
GATE(int, -1, unlinkat, EIO, (int fd, const char *path, int flags), (fd, path, flags));
GATE(DIR *, NULL, fdopendir, ENOMEM, (int fd), (fd));
GATE(struct dirent *, NULL, readdir, EIO, (DIR * dir), (dir));
GATE(int, -1, socket, EMFILE, (int family, int type, int protocol), (family, type, protocol));
GATE(int, -1, bind, ENOSPC, (int fd, const struct sockaddr *address, socklen_t len),
     (fd, address, len));
GATE(int, -1, connect, ENOMEM, (int fd, const struct sockaddr *address, socklen_t len),
     (fd, address, len));
GATE(int, -1, listen, ENOMEM, (int fd, int backlog), (fd, backlog));
/* NOLINTEND(bugprone-macro-parentheses) */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_openat(int fd, const char *path, int flags, ...);
int __wrap_openat(int fd, const char *path, int flags, ...);
int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);

int __wrap_open(const char *path, int flags, ...)
{
    mode_t mode;
    va_list args;

    va_start(args, flags);
    mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return fails("open", EMFILE) ? -1 : __real_open(path, flags, mode);
}

int __wrap_openat(int fd, const char *path, int flags, ...)
{
    mode_t mode;
    va_list args;

    va_start(args, flags);
    mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return fails("openat", EMFILE) ? -1 : __real_openat(fd, path, flags, mode);
}

int __wrap_fcntl(int fd, int command, ...)
{
    void *argument;
    va_list args;

    va_start(args, command);
    argument = va_arg(args, void *);
    va_end(args);
    return fails("fcntl", ENOLCK) ? -1 : __real_fcntl(fd, command, argument);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
