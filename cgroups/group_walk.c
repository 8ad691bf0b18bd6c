#include "cgroups/group_walk.h"

#include "cgroups/cgfs.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A task may make groups below its own, as many and as deep as the kernel lets it. */
#define LEVELS_MAX 64

struct entry { /* as the kernel writes it: linux_dirent64 */
    uint64_t inode;
    int64_t offset;
    uint16_t record_len;
    uint8_t type;
    char name[];
};

struct level {
    int fd; /* owned */
    size_t next;
    size_t len;
    _Alignas(struct entry) char entries[1024]; /* room for the longest name, at least */
};

struct group_walk {
    size_t depth; /* levels in use */
    bool too_deep;
    struct level levels[LEVELS_MAX];
};

struct group_walk *group_walk_new(void)
{
    return calloc(1, sizeof(struct group_walk));
}

struct group_walk *group_walk_free(struct group_walk *walk)
{
    free(walk);
    return NULL;
}

static bool is_gone(int code)
{
    return code == -ENOENT || code == -ENODEV;
}

/* Goes into @name below @parent_fd. 1: it is gone, or too deep. */
static int descend(struct group_walk *walk, int parent_fd, const char *name,
                   const struct group_walk_visitor *visitor, void *arg, struct err *err)
{
    struct level *level = &walk->levels[walk->depth];
    int fd;

    if (walk->depth == LEVELS_MAX) {
        walk->too_deep = true;
        return 1;
    }
    fd = cgfs_open_dir(parent_fd, name);
    if (is_gone(fd))
        return 1;
    if (fd < 0)
        return err_errno(err, fd, "open group %s", name);
    level->fd = fd;
    level->next = 0;
    level->len = 0;
    walk->depth++;
    return visitor->enter ? visitor->enter(arg, fd, err) : 0;
}

/* The next group below this level; NULL at the end. */
static int next_group(struct level *level, const struct entry **ret, struct err *err)
{
    for (;;) {
        const struct entry *entry = (const struct entry *) (level->entries + level->next);
        ssize_t len;

        if (level->next < level->len) {
            level->next += entry->record_len;
            if (entry->type != DT_DIR || strcmp(entry->name, ".") == 0 ||
                strcmp(entry->name, "..") == 0)
                continue;
            *ret = entry;
            return 0;
        }
        *ret = NULL;
        len = cgfs_list(level->fd, level->entries, sizeof(level->entries));
        if (len == 0 || is_gone((int) len))
            return 0;
        if (len < 0)
            return err_errno(err, (int) len, "list groups");
        level->next = 0;
        level->len = (size_t) len;
    }
}

/* Goes back to the parent, where the name of what is left is still the current entry. */
static int ascend(struct group_walk *walk, const char *name,
                  const struct group_walk_visitor *visitor, void *arg, struct err *err)
{
    (void) close(walk->levels[--walk->depth].fd);
    if (walk->depth == 0 || !visitor->leave)
        return 0;
    return visitor->leave(arg, walk->levels[walk->depth - 1].fd, name, err);
}

static int walk_below(struct group_walk *walk, const struct group_walk_visitor *visitor, void *arg,
                      struct err *err)
{
    const struct entry *inside[LEVELS_MAX] = {NULL}; /* the entry that each level was entered by */

    while (walk->depth > 0) {
        struct level *level = &walk->levels[walk->depth - 1];
        const struct entry *entry;
        int r;

        r = next_group(level, &entry, err);
        if (r < 0)
            return r;
        if (!entry) {
            const struct entry *left = inside[walk->depth - 1];

            r = ascend(walk, left ? left->name : "", visitor, arg, err);
        } else {
            size_t depth = walk->depth;

            r = descend(walk, level->fd, entry->name, visitor, arg, err);
            if (walk->depth > depth)
                inside[depth] = entry;
            else if (r == 1)
                r = 0;
        }
        if (r != 0)
            return r;
    }
    return 0;
}

int group_walk_run(struct group_walk *walk, int top_fd, const struct group_walk_visitor *visitor,
                   void *arg, struct err *err)
{
    int r;

    walk->depth = 0;
    walk->too_deep = false;
    /* Another description of the directory: @top_fd's offset may be shared with other processes. */
    r = descend(walk, top_fd, ".", visitor, arg, err);
    if (r == 1 && walk->depth == 0)
        return 0;
    if (r == 0)
        r = walk_below(walk, visitor, arg, err);
    while (walk->depth > 0)
        (void) close(walk->levels[--walk->depth].fd);
    if (r == 0 && walk->too_deep)
        return err_set(err, -ELOOP, "groups more than %d levels deep were left out",
                       LEVELS_MAX - 1);
    return r;
}

int group_walk_children(int fd, int (*each)(void *arg, const char *name), void *arg,
                        struct err *err)
{
    CLEANUP_FD int own_fd = cgfs_open_dir(fd, ".");
    struct level level = {.fd = own_fd};
    int r = 0;

    if (own_fd < 0)
        return err_errno(err, own_fd, "open group");
    while (r == 0) {
        const struct entry *entry;

        r = next_group(&level, &entry, err);
        if (r < 0 || !entry)
            break;
        r = each(arg, entry->name);
    }
    return r;
}
