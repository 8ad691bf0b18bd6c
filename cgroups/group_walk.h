#pragma once

/*
 * group_walk.h - visits a group and all groups below it, with memory that was there before. Private
 * to cgroups/.
 */
#include "base/cleanup.h"
#include "base/err.h"

struct group_walk;

struct group_walk_visitor {
    /* Before what is below; may be NULL. @fd is the group's directory, borrowed. */
    int (*enter)(void *arg, int fd, struct err *err);
    /* After what is below, not for the top group; may be NULL. */
    int (*leave)(void *arg, int parent_fd, const char *name, struct err *err);
};

struct group_walk *group_walk_new(void); /* NULL: no memory */
struct group_walk *group_walk_free(struct group_walk *walk);
DEFINE_CLEANUP(struct group_walk *, group_walk_free);

/* 0; the first result of @visitor that is not 0, which ends the walk; -ELOOP at the end when groups
   were too deep to be visited; or what failed. Groups that vanish meanwhile are no error. */
int group_walk_run(struct group_walk *walk, int top_fd, const struct group_walk_visitor *visitor,
                   void *arg, struct err *err);

/* Calls @each with the name of every group directly below; its first result that is not 0 ends the
   list and is returned. @each may remove what it is given. Needs no walk. */
int group_walk_children(int fd, int (*each)(void *arg, const char *name), void *arg,
                        struct err *err);
