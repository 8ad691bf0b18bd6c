#include "ipc/frame.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

int frame_send(int fd, Quell__Pb__Frame *frame, uint8_t *buffer, size_t size, struct err *err)
{
    size_t len;
    ssize_t n;

    frame->major = FRAME_MAJOR;
    frame->minor = FRAME_MINOR;
    len = quell__pb__frame__get_packed_size(frame);
    if (len > size || len > FRAME_MAX)
        return err_set(err, -EMSGSIZE, "a frame of %zu bytes is too long", len);
    (void) quell__pb__frame__pack(frame, buffer);
    do {
        n = send(fd, buffer, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(err, -errno, "sending a frame of %zu bytes", len);
    return 0;
}

int frame_receive(int fd, uint8_t *buffer, size_t size, ProtobufCAllocator *allocator,
                  Quell__Pb__Frame **ret, struct err *err)
{
    struct iovec iov = {.iov_base = buffer, .iov_len = size};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    Quell__Pb__Frame *frame;
    ssize_t n;

    do {
        n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return FRAME_NONE;
    /* The kernel says ECONNRESET when the other side has gone without reading all of ours. */
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return FRAME_CLOSED;
    if (n < 0)
        return err_errno(err, -errno, "receiving a frame");
    if (message.msg_flags & MSG_TRUNC)
        return err_set(err, -EPROTO, "a frame is longer than %zu bytes", size);

    frame = quell__pb__frame__unpack(allocator, (size_t) n, buffer);
    if (!frame || frame->major == 0) {
        quell__pb__frame__free_unpacked(frame, allocator);
        return err_set(err, -EPROTO, "%zd bytes are not a frame", n);
    }
    if (frame->major > FRAME_MAJOR) {
        const uint32_t major = frame->major;

        quell__pb__frame__free_unpacked(frame, allocator);
        return err_set(err, -EPROTONOSUPPORT,
                       "a frame of version %u, newer than this program's version %u", major,
                       FRAME_MAJOR);
    }
    *ret = frame;
    return 0;
}
