#pragma once

/*
 * cgfs.h - the few things we ask of a cgroup file system, relative to a directory that the caller
 * opened. Private to cgroups/. tests/fakes/ has a second implementation, chosen at link time.
 *
 * Results: 0, a length or a descriptor (O_CLOEXEC); or a negative errno. The caller, who knows what
 * it is about, makes the sentence.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

int cgfs_open_dir(int dirfd, const char *path);
int cgfs_open_file(int dirfd, const char *file, int flags);
int cgfs_mkdir(int dirfd, const char *path);
int cgfs_rmdir(int dirfd, const char *path);
bool cgfs_exists(int dirfd, const char *path);

/* A whole control file, NUL-terminated; -EFBIG when it does not fit. */
ssize_t cgfs_read(int dirfd, const char *file, char *buffer, size_t size);
int cgfs_write(int dirfd, const char *file, const char *text);

/* The same with a file that is open: cgfs_read_open() reads from its start. */
ssize_t cgfs_read_open(int fd, char *buffer, size_t size);
int cgfs_write_open(int fd, const char *text);
/* Goes on where the last one ended; 0 at the end. */
ssize_t cgfs_read_next(int fd, char *buffer, size_t size);

/* Directory entries as getdents64(2) gives them; 0 at the end. */
ssize_t cgfs_list(int dirfd, void *buffer, size_t size);

/* The extended attribute user.quell of a directory. */
int cgfs_set_note(int dirfd, const char *note);
