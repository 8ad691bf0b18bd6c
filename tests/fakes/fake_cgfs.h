#pragma once

/*
 * fake_cgfs.h - the second implementation of cgroups/cgfs.h, chosen at link time.
 *
 * On directories of a real cgroup file system it does the real thing. Anywhere else it plays the
 * unified hierarchy on plain files: a group gets its control files at birth, controllers are
 * switched on by cgroup.subtree_control under the kernel's rules, processes are lines in
 * cgroup.procs. And the N-th call of all can be made to fail.
 */
#include <stddef.h>

#define FAKE_PATH_SIZE 256

struct fake_cgfs {
    int calls;           /* so far; set it to 0 to count anew */
    int fail_call;       /* counted from 1; 0: none */
    int fail_code;       /* a negative errno */
    char written[1024];  /* "file=text " for each write to a fake's file */
    const char *forgets; /* writes to this file are taken and not kept; NULL: none */
};

extern struct fake_cgfs fake_cgfs;

/* For other things that count as calls (a library of somebody else): 0, or what is to fail. */
int fake_cgfs_gate(void);

/* Makes a fake mount of the unified hierarchy with these controllers ("memory pids cpu io"), all of
   them switched on at its root. */
void fake_cgroup2_new(const char *controllers, char ret[FAKE_PATH_SIZE]);
void fake_cgroup2_free(const char *mount);

/* A group below it, made as mkdir() does; and processes put into it. */
void fake_group_new(const char *mount, const char *group);
void fake_group_put(const char *mount, const char *group, const char *procs);
/* A control file as the kernel would show it. */
void fake_group_set(const char *mount, const char *group, const char *file, const char *text);
