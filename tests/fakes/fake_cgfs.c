#include "tests/fakes/fake_cgfs.h"

#include "base/fdio.h"
#include "cgroups/cgfs.h"
#include "tests/fakes/fake_cgroup2.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PATH_SIZE FAKE_CGROUP2_PATH_SIZE

struct fake_cgfs fake_cgfs;

int fake_cgfs_gate(void)
{
    return ++fake_cgfs.calls == fake_cgfs.fail_call ? fake_cgfs.fail_code : 0;
}

static bool is_real(int fd)
{
    struct statfs fs;

    return fd != AT_FDCWD && fstatfs(fd, &fs) == 0 &&
           (fs.f_type == CGROUP2_SUPER_MAGIC || fs.f_type == CGROUP_SUPER_MAGIC);
}

/* The path of an open file, and of @name below it. */
static void path_at(int fd, const char *name, char ret[PATH_SIZE])
{
    char link[64];
    char dir[PATH_SIZE];
    ssize_t len;

    (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, dir, sizeof(dir) - 1);
    assert(len > 0);
    dir[len] = '\0';
    len = snprintf(ret, PATH_SIZE, "%s%s%s", dir, name ? "/" : "", name ? name : "");
    assert(len < PATH_SIZE);
}

int cgfs_open_dir(int dirfd, const char *path)
{
    return cgfs_open_file(dirfd, path, O_RDONLY | O_DIRECTORY);
}

int cgfs_open_file(int dirfd, const char *file, int flags)
{
    int r = fake_cgfs_gate();
    int fd;

    if (r < 0)
        return r;
    fd = openat(dirfd, file, flags | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int cgfs_mkdir(int dirfd, const char *path)
{
    char dir[PATH_SIZE];
    int r = fake_cgfs_gate();

    if (r < 0)
        return r;
    if (mkdirat(dirfd, path, 0755) < 0)
        return -errno;
    if (is_real(dirfd))
        return 0;
    path_at(dirfd, path, dir);
    fake_cgroup2_mkdir(dir);
    return 0;
}

int cgfs_rmdir(int dirfd, const char *path)
{
    char dir[PATH_SIZE];
    int r = fake_cgfs_gate();

    if (r < 0)
        return r;
    if (is_real(dirfd))
        return unlinkat(dirfd, path, AT_REMOVEDIR) < 0 ? -errno : 0;
    path_at(dirfd, path, dir);
    return fake_cgroup2_rmdir(dir);
}

bool cgfs_exists(int dirfd, const char *path)
{
    return faccessat(dirfd, path, F_OK, 0) == 0;
}

ssize_t cgfs_read(int dirfd, const char *file, char *buffer, size_t size)
{
    int r = fake_cgfs_gate();

    return r < 0 ? r : fdio_read_text(dirfd, file, buffer, size);
}

int cgfs_write(int dirfd, const char *file, const char *text)
{
    char path[PATH_SIZE];
    char *name;
    int r = fake_cgfs_gate();

    if (r < 0)
        return r;
    if (is_real(dirfd))
        return fdio_write_text(dirfd, file, text);
    path_at(dirfd, file, path);
    name = strrchr(path, '/');
    *name++ = '\0';
    return fake_cgroup2_write(path, name, text);
}

ssize_t cgfs_read_open(int fd, char *buffer, size_t size)
{
    ssize_t len = fake_cgfs_gate();

    if (len == 0)
        len = pread(fd, buffer, size - 1, 0);
    if (len >= 0)
        buffer[len] = '\0';
    return len;
}

int cgfs_write_open(int fd, const char *text)
{
    char path[PATH_SIZE];
    char *name;
    int r = fake_cgfs_gate();

    if (r < 0)
        return r;
    if (is_real(fd))
        return fdio_write(fd, text, strlen(text));
    path_at(fd, NULL, path);
    name = strrchr(path, '/');
    *name++ = '\0';
    return fake_cgroup2_write(path, name, text);
}

ssize_t cgfs_read_next(int fd, char *buffer, size_t size)
{
    int r = fake_cgfs_gate();

    return r < 0 ? r : fdio_read(fd, buffer, size);
}

ssize_t cgfs_list(int dirfd, void *buffer, size_t size)
{
    ssize_t len = fake_cgfs_gate();

    if (len == 0)
        len = syscall(SYS_getdents64, dirfd, buffer, size);
    return len < 0 && fake_cgfs.calls != fake_cgfs.fail_call ? -errno : len;
}

int cgfs_set_note(int dirfd, const char *note)
{
    (void) dirfd;
    (void) note;
    return fake_cgfs_gate();
}
