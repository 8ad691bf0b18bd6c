#pragma once

/*
 * cleanup.h - what a function holds is given back when the function ends.
 *
 * For memory and descriptors only. What outlives the process (a directory, a
 * cgroup, a child) is undone by hand under the label `undo`.
 */
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* NOLINTBEGIN(bugprone-macro-parentheses): a type takes no parentheses */
#define DEFINE_CLEANUP(type, fn)                                                                   \
    static inline void fn##p(type *p)                                                              \
    {                                                                                              \
        (void) fn(*p);                                                                             \
    }                                                                                              \
    _Static_assert(1, "takes the semicolon")
/* NOLINTEND(bugprone-macro-parentheses) */

/* Hands the pointer on: the variable no longer owns it. */
#define TAKE_PTR(p)                                                                                \
    __extension__({                                                                                \
        __typeof__(p) taken_ = (p);                                                                \
        (p) = NULL;                                                                                \
        taken_;                                                                                    \
    })

/* The same for a descriptor. */
#define TAKE_FD(fd)                                                                                \
    __extension__({                                                                                \
        int taken_ = (fd);                                                                         \
        (fd) = -1;                                                                                 \
        taken_;                                                                                    \
    })

static inline void cleanup_free(void *p)
{
    free(*(void **) p);
}

static inline void cleanup_fd(const int *fd)
{
    if (*fd >= 0)
        (void) close(*fd);
}

#define CLEANUP_FREE CLEANUP(cleanup_free)
#define CLEANUP_FD   CLEANUP(cleanup_fd)
