#pragma once

/*
 * reserve.h - what the state directory keeps for cancels and endings: files with blocks of their
 * own
 * (`reserve.0` and so on) and descriptors, given back when there are no others.
 */
#include <stdbool.h>
#include <stdint.h>

#define RESERVE_FILES 16u
#define RESERVE_BYTES 24576 /* each; together more than the largest record (ipc/record.h) */
#define RESERVE_FDS   3     /* an attempt's directory and a file in it; and one more */

struct reserve {
    int dirfd;        /* borrowed; -1: nothing is kept */
    uint32_t missing; /* a bit for each file that is not there */
    int fds[RESERVE_FDS];
};

/* Takes what there is to be had; on a disk that is full already that is nothing. */
void reserve_open(struct reserve *reserve, int dirfd);
void reserve_close(struct reserve *reserve);

/* Gives back something of what the error @code says is lacking: for no space a file, which is an
   inode and its blocks, for no descriptors all of these. False: there is nothing more of it, or the
   error is another. */
bool reserve_give(struct reserve *reserve, int code);

/* Takes again what was given back, as far as it is to be had. */
void reserve_refill(struct reserve *reserve);
