/*
 * store_room.c - the room on the disk. A file `reserve` keeps some of it, and is emptied when there
 * is hardly any other: then cancels, endings and all that nodes say can still be recorded, and
 * nothing new is taken until the file could be filled again.
 */
#include "libquell/store_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ROOM_RESERVE (8ll << 20) /* more than SQLite's log grows to before it begins anew */
#define ROOM_MARGIN  (1ull << 20)

void store_room_open(struct store *store)
{
    struct stat st;

    store->reserve_fd =
        openat(store->dir_fd, "reserve", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    store->no_room =
        store->reserve_fd >= 0 && fstat(store->reserve_fd, &st) == 0 && st.st_blocks == 0;
    store_room_look(store);
}

void store_room_look(struct store *store)
{
    struct statvfs fs;
    uint64_t free_bytes;

    if (store->reserve_fd < 0 || fstatvfs(store->reserve_fd, &fs) < 0)
        return;
    free_bytes = (uint64_t) fs.f_bavail * fs.f_frsize;
    if (!store->no_room && free_bytes < ROOM_MARGIN) {
        store->no_room = true;
        (void) ftruncate(store->reserve_fd, 0);
    } else if (store->no_room && free_bytes >= (uint64_t) ROOM_RESERVE + ROOM_MARGIN) {
        /* Where nothing can be reserved, that there is room now has to do. */
        store->no_room =
            fallocate(store->reserve_fd, 0, 0, ROOM_RESERVE) < 0 && errno != EOPNOTSUPP;
    }
}

bool store_has_room(const struct store *store)
{
    return !store->no_room;
}
