#include "agent/reserve.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static void reserve_name(unsigned file, char ret[16])
{
    (void) snprintf(ret, 16, "reserve.%u", file);
}

/* Some file systems have no blocks to give beforehand: there the file is an inode alone. */
static bool reserve_make_file(const struct reserve *reserve, const char *name)
{
    CLEANUP_FD int fd =
        openat(reserve->dirfd, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return false;
    if (st.st_blocks > 0 || fallocate(fd, 0, 0, RESERVE_BYTES) == 0 || errno == EOPNOTSUPP)
        return true;
    (void) unlinkat(reserve->dirfd, name, 0);
    return false;
}

void reserve_refill(struct reserve *reserve)
{
    char name[16];

    for (int i = 0; reserve->dirfd >= 0 && i < RESERVE_FDS; i++)
        if (reserve->fds[i] < 0)
            reserve->fds[i] = fcntl(reserve->dirfd, F_DUPFD_CLOEXEC, 0);
    for (unsigned file = 0; reserve->missing && file < RESERVE_FILES; file++) {
        if (!(reserve->missing & 1u << file))
            continue;
        reserve_name(file, name);
        if (!reserve_make_file(reserve, name))
            return;
        reserve->missing &= ~(1u << file);
    }
}

void reserve_open(struct reserve *reserve, int dirfd)
{
    *reserve = (struct reserve){.dirfd = dirfd, .missing = (1u << RESERVE_FILES) - 1};
    for (int i = 0; i < RESERVE_FDS; i++)
        reserve->fds[i] = -1;
    reserve_refill(reserve);
}

static bool reserve_give_fds(struct reserve *reserve)
{
    bool given = false;

    for (int i = 0; i < RESERVE_FDS; i++) {
        given |= reserve->fds[i] >= 0;
        cleanup_fd(&reserve->fds[i]);
        reserve->fds[i] = -1;
    }
    return given;
}

void reserve_close(struct reserve *reserve)
{
    if (reserve->dirfd >= 0)
        (void) reserve_give_fds(reserve);
    *reserve = (struct reserve){.dirfd = -1};
}

static bool reserve_give_file(struct reserve *reserve)
{
    char name[16];

    for (unsigned file = 0; file < RESERVE_FILES; file++) {
        if (reserve->missing & 1u << file)
            continue;
        reserve_name(file, name);
        reserve->missing |= 1u << file;
        if (unlinkat(reserve->dirfd, name, 0) == 0)
            return true;
    }
    return false;
}

bool reserve_give(struct reserve *reserve, int code)
{
    if (reserve->dirfd < 0)
        return false;
    if (code == -ENOSPC || code == -EDQUOT)
        return reserve_give_file(reserve);
    if (code == -EMFILE || code == -ENFILE)
        return reserve_give_fds(reserve);
    return false;
}
