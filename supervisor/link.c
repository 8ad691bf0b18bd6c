#include "supervisor/link.h"

#include "ipc/frame.h"

#include <sys/socket.h>
#include <unistd.h>

/* A Cancel with its longest message needs some 2 KiB; a Launch comes once, in main.c's own arena.
 */
#define LINK_FRAME_MAX 16384u

static uint8_t link_bytes[LINK_FRAME_MAX];
static uint8_t link_memory[2 * LINK_FRAME_MAX];

void link_init(struct link *link, int fd, int listen_fd)
{
    link->fd = fd;
    link->listen_fd = listen_fd;
    arena_init(&link->arena, link_memory, sizeof(link_memory));
}

static void link_drop(struct link *link)
{
    if (link->fd >= 0)
        (void) close(link->fd);
    link->fd = -1;
}

bool link_accept(struct link *link)
{
    struct ucred peer = {0};
    socklen_t len = sizeof(peer);
    const int fd = accept4(link->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return false;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
        (peer.uid != 0 && peer.uid != geteuid())) {
        (void) close(fd);
        return false;
    }
    link_drop(link);
    link->fd = fd;
    return true;
}

const Quell__Pb__Frame *link_receive(struct link *link)
{
    Quell__Pb__Frame *frame = NULL;
    int r;

    if (link->fd < 0)
        return NULL;
    arena_reset(&link->arena);
    r = frame_receive(link->fd, link_bytes, sizeof(link_bytes), &link->arena.allocator, &frame,
                      NULL);
    if (r == 0)
        return frame;
    if (r != FRAME_NONE)
        link_drop(link);
    return NULL;
}

void link_send(struct link *link, Quell__Pb__Frame *frame)
{
    if (link->fd >= 0 && frame_send(link->fd, frame, link_bytes, sizeof(link_bytes), NULL) < 0)
        link_drop(link);
}
