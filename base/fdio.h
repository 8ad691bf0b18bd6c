#pragma once

/*
 * fdio.h - whole reads and writes on descriptors. EINTR is handled here and nowhere else.
 *
 * Results: 0 or a length; or a negative errno. Paths are relative to a directory that the
 * caller opened; every descriptor made here is O_CLOEXEC.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads until @size bytes or end of file. Returns how many bytes it read. */
ssize_t fdio_read(int fd, void *buffer, size_t size);

/* Writes all of it, or fails. */
int fdio_write(int fd, const void *bytes, size_t len);

/* Reads a small text file; NUL-terminates; -EFBIG when it does not fit. Returns the length. */
ssize_t fdio_read_text(int dirfd, const char *path, char *buffer, size_t size);

/* Writes @text with one write(2) to a file that exists (a kernel's control file). */
int fdio_write_text(int dirfd, const char *path, const char *text);

/* Fills @buffer with random bytes of the kernel. Never fails on Linux 5.14 after boot. */
void fdio_random(void *buffer, size_t size);

int fdio_set_nonblocking(int fd);
