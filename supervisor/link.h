#pragma once

/*
 * link.h - the supervisor's connection with whatever agent is there: the one that started it, or a
 * later one that found the socket in the run directory. At most one at a time; the newest stands.
 */
#include "base/err.h"
#include "quell.pb-c.h"
#include "supervisor/arena.h"

#include <stdbool.h>

struct link {
    int fd; /* -1: no agent is there */
    int listen_fd;
    struct arena arena; /* for the frame at hand */
};

void link_init(struct link *link, int fd, int listen_fd);

/* Takes a waiting connection of root or of our own user. True when there is a new agent. */
bool link_accept(struct link *link);

/* The next frame, borrowed until the next call, or NULL: nothing to read now, or the agent went. */
const Quell__Pb__Frame *link_receive(struct link *link);

/* Never blocks; a frame that can't be sent means that the agent reads the disk instead. */
void link_send(struct link *link, Quell__Pb__Frame *frame);
