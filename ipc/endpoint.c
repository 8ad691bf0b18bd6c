#include "ipc/endpoint.h"

#include "base/cleanup.h"
#include "base/units.h"

#include <assert.h>
#include <errno.h>
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* A message is at most 256 KiB; an unlimited one lets a forged length abort the process. */
#define RECEIVE_MAX_BYTES (1024 * 1024)

/* A head that comes back is found at once, and one that stays away costs two attempts in 4 s. */
#define RECONNECT_MIN_MS 100
#define RECONNECT_MAX_MS 2000

struct endpoint {
    int sock;
    int fd;
    uint32_t next_id; /* of a request */
};

#define IPC_PREFIX "ipc://"
#define TCP_PREFIX "tcp://"

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* ---- addresses ---- */

static int endpoint_check_directory(const char *url, const char *directory, bool connecting,
                                    struct err *err)
{
    const uid_t self = geteuid();
    struct stat st;

    if (stat(directory, &st) < 0 && errno == ENOENT)
        return err_set(err, -ENOENT, "%s: there is no directory %s (install -d -m 0700 %s)", url,
                       directory, directory);
    if (stat(directory, &st) < 0)
        return err_errno(err, -errno, "%s: directory %s", url, directory);
    if (!S_ISDIR(st.st_mode))
        return err_set(err, -ENOTDIR, "%s: %s is not a directory", url, directory);
    if (st.st_uid != self && !(connecting && st.st_uid == 0))
        return err_set(err, -EPERM,
                       "%s: directory %s belongs to uid %u, it must belong to uid %u (chown %u %s)",
                       url, directory, st.st_uid, self, self, directory);
    if ((st.st_mode & 07777) != 0700)
        return err_set(err, -EPERM,
                       "%s: directory %s has mode %04o, it must be 0700 (chmod 0700 %s)", url,
                       directory, st.st_mode & 07777, directory);
    return 0;
}

static int endpoint_check_ipc(const char *url, bool connecting, struct err *err)
{
    const char *path = url + strlen(IPC_PREFIX);
    const char *slash = strrchr(path, '/');
    struct sockaddr_un address;
    char directory[sizeof(address.sun_path)];
    size_t len;

    if (path[0] != '/' || slash[1] == '\0')
        return err_set(err, -EINVAL, "%s: not of the form ipc:///directory/file", url);
    /* nanomsg aborts the process on a path that does not fit. */
    if (strlen(path) >= sizeof(address.sun_path))
        return err_set(err, -ENAMETOOLONG, "%s: the path has %zu bytes, %zu are the most", url,
                       strlen(path), sizeof(address.sun_path) - 1);
    len = slash == path ? 1 : (size_t) (slash - path);
    memcpy(directory, path, len);
    directory[len] = '\0';
    return endpoint_check_directory(url, directory, connecting, err);
}

static int endpoint_check_tcp(const char *url, bool insecure, struct err *err)
{
    const char *host = url + strlen(TCP_PREFIX);
    const char *colon = strrchr(host, ':');
    uint64_t port;

    if (!colon || colon == host || units_parse_number(colon + 1, 1, 65535, &port) < 0)
        return err_set(err, -EINVAL, "%s: not of the form tcp://host:port", url);
    if (strlen(url) >= NN_SOCKADDR_MAX)
        return err_set(err, -ENAMETOOLONG, "%s: the address has %zu bytes, %d are the most", url,
                       strlen(url), NN_SOCKADDR_MAX - 1);
    if (!insecure)
        return err_set(err, -EPERM,
                       "%s: tcp without a key lets anybody who reaches the port give orders: use "
                       "ipc://, or --insecure if that is what you want",
                       url);
    return 0;
}

int endpoint_check_address(const char *url, int connecting, int insecure, struct err *err)
{
    if (starts_with(url, IPC_PREFIX))
        return endpoint_check_ipc(url, connecting, err);
    if (starts_with(url, TCP_PREFIX))
        return endpoint_check_tcp(url, insecure, err);
    return err_set(err, -EINVAL, "%s: neither ipc:///path nor tcp://host:port", url);
}

/* ---- opening ---- */

/* nanomsg has numbers of its own for what a system does not know; Linux knows all that we meet. */
static int endpoint_errno(void)
{
    const int number = nn_errno();

    return number > 0 && number < NN_HAUSNUMERO ? -number : -EIO;
}

static int endpoint_fail(struct err *err, const char *what)
{
    const int r = endpoint_errno();

    return err_set(err, r, "%s: %s", what, nn_strerror(nn_errno()));
}

static int endpoint_set(struct endpoint *endpoint, int option, int value, struct err *err)
{
    if (nn_setsockopt(endpoint->sock, NN_SOL_SOCKET, option, &value, sizeof(value)) < 0)
        return endpoint_fail(err, "setting up nanomsg");
    return 0;
}

static int endpoint_set_up(struct endpoint *endpoint, struct err *err)
{
    size_t size = sizeof(endpoint->fd);
    int r;

    r = endpoint_set(endpoint, NN_RCVMAXSIZE, RECEIVE_MAX_BYTES, err);
    if (r < 0)
        return r;
    r = endpoint_set(endpoint, NN_RECONNECT_IVL, RECONNECT_MIN_MS, err);
    if (r < 0)
        return r;
    r = endpoint_set(endpoint, NN_RECONNECT_IVL_MAX, RECONNECT_MAX_MS, err);
    if (r < 0)
        return r;
    if (nn_getsockopt(endpoint->sock, NN_SOL_SOCKET, NN_RCVFD, &endpoint->fd, &size) < 0)
        return endpoint_fail(err, "setting up nanomsg");
    return 0;
}

DEFINE_CLEANUP(struct endpoint *, endpoint_close);

static int endpoint_open(int protocol, struct endpoint **ret, struct err *err)
{
    CLEANUP(endpoint_closep) struct endpoint *endpoint = calloc(1, sizeof(*endpoint));
    int r;

    if (!endpoint)
        return err_set(err, -ENOMEM, "no memory for a nanomsg socket");
    endpoint->sock = nn_socket(AF_SP_RAW, protocol);
    if (endpoint->sock < 0)
        return endpoint_fail(err, "opening a nanomsg socket");
    r = endpoint_set_up(endpoint, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(endpoint);
    return 0;
}

/* By default nanomsg takes IPv4 alone; with IPv6 it asks DNS for mapped addresses, so only those
   who write an IPv6 address get it. */
static int endpoint_choose_family(struct endpoint *endpoint, const char *url, struct err *err)
{
    return endpoint_set(endpoint, NN_IPV4ONLY, strchr(url, '[') == NULL, err);
}

int endpoint_connect(const char *url, struct endpoint **ret, struct err *err)
{
    CLEANUP(endpoint_closep) struct endpoint *endpoint = NULL;
    int r;

    r = endpoint_open(NN_REQ, &endpoint, err);
    if (r < 0)
        return r;
    r = endpoint_choose_family(endpoint, url, err);
    if (r < 0)
        return r;
    if (nn_connect(endpoint->sock, url) < 0)
        return endpoint_fail(err, url);
    *ret = TAKE_PTR(endpoint);
    return 0;
}

/* Whether somebody listens on the socket file at @address. */
static bool endpoint_is_live(const struct sockaddr_un *address)
{
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return connect(fd, (const struct sockaddr *) address, sizeof(*address)) == 0 ||
           (errno != ECONNREFUSED && errno != ENOENT);
}

/* Finds out what nn_bind() would meet at an ipc:// address. nanomsg unlinks any file that does not
   answer, also one that is no socket, and leaks memory when it can't bind. */
static int endpoint_prepare_ipc(const char *url, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CLEANUP_FD int fd = -1;
    struct stat st;
    int n;

    n = snprintf(address.sun_path, sizeof(address.sun_path), "%s", url + strlen(IPC_PREFIX));
    if (n < 0 || (size_t) n >= sizeof(address.sun_path))
        return err_errno(err, -ENAMETOOLONG, "%s", url);
    if (lstat(address.sun_path, &st) == 0) {
        if (!S_ISSOCK(st.st_mode))
            return err_set(err, -EEXIST, "%s: there is a file that is no socket", url);
        if (endpoint_is_live(&address))
            return err_errno(err, -EADDRINUSE, "%s", url);
        (void) unlink(address.sun_path); /* left by one that was killed */
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *) &address, sizeof(address)) < 0)
        return err_errno(err, -errno, "%s", url);
    (void) unlink(address.sun_path);
    return 0;
}

static int endpoint_bind_one(struct endpoint *endpoint, const char *url, struct err *err)
{
    int r;

    if (starts_with(url, IPC_PREFIX)) {
        r = endpoint_prepare_ipc(url, err);
        if (r < 0)
            return r;
    }
    r = endpoint_choose_family(endpoint, url, err);
    if (r < 0)
        return r;
    if (nn_bind(endpoint->sock, url) < 0)
        return endpoint_fail(err, url);
    return 0;
}

int endpoint_bind(const char *const *urls, size_t urls_len, struct endpoint **ret, struct err *err)
{
    CLEANUP(endpoint_closep) struct endpoint *endpoint = NULL;
    int r;

    r = endpoint_open(NN_REP, &endpoint, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < urls_len; i++) {
        r = endpoint_bind_one(endpoint, urls[i], err);
        if (r < 0)
            return r;
    }
    *ret = TAKE_PTR(endpoint);
    return 0;
}

struct endpoint *endpoint_close(struct endpoint *endpoint)
{
    if (!endpoint)
        return NULL;
    if (endpoint->sock >= 0)
        while (nn_close(endpoint->sock) < 0 && nn_errno() == EINTR)
            ;
    free(endpoint);
    return NULL;
}

int endpoint_fd(const struct endpoint *endpoint)
{
    return endpoint->fd;
}

/* ---- messages ---- */

/* How nanomsg keeps a raw message's header: one item of ancillary data, that begins with its
 * length. */
struct endpoint_control {
    struct nn_cmsghdr head;
    size_t len;
    uint8_t bytes[sizeof(((struct endpoint_route *) NULL)->bytes)];
};

static int endpoint_send_with(struct endpoint *endpoint, const uint8_t *header, size_t header_len,
                              const uint8_t *bytes, size_t len, struct err *err)
{
    struct endpoint_control control = {
        .head = {.cmsg_len = NN_CMSG_LEN(sizeof(size_t) + header_len),
                 .cmsg_level = PROTO_SP,
                 .cmsg_type = SP_HDR},
        .len = header_len,
    };
    struct nn_iovec iov = {.iov_base = (void *) bytes, .iov_len = len};
    struct nn_msghdr message = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = NN_CMSG_SPACE(sizeof(size_t) + header_len),
    };

    memcpy(control.bytes, header, header_len);
    if (nn_sendmsg(endpoint->sock, &message, NN_DONTWAIT) >= 0)
        return 0;
    if (nn_errno() == EAGAIN)
        return ENDPOINT_FULL;
    return endpoint_fail(err, "sending with nanomsg");
}

int endpoint_send(struct endpoint *endpoint, const uint8_t *bytes, size_t len, struct err *err)
{
    /* The top bit marks the last word of the header. */
    const uint32_t id = 0x80000000u | endpoint->next_id++;
    const uint8_t header[4] = {(uint8_t) (id >> 24), (uint8_t) (id >> 16), (uint8_t) (id >> 8),
                               (uint8_t) id};

    return endpoint_send_with(endpoint, header, sizeof(header), bytes, len, err);
}

int endpoint_answer(struct endpoint *endpoint, const struct endpoint_route *route,
                    const uint8_t *bytes, size_t len, struct err *err)
{
    assert(route->len <= sizeof(route->bytes));
    return endpoint_send_with(endpoint, route->bytes, route->len, bytes, len, err);
}

/* False when the message has no header, or one with more hops than a route has room for. */
static bool endpoint_read_route(const struct endpoint_control *control, struct endpoint_route *ret)
{
    if (control->head.cmsg_level != PROTO_SP || control->head.cmsg_type != SP_HDR ||
        control->len > sizeof(ret->bytes))
        return false;
    ret->len = control->len;
    memcpy(ret->bytes, control->bytes, control->len);
    return true;
}

int endpoint_receive(struct endpoint *endpoint, uint8_t **ret, size_t *ret_len,
                     struct endpoint_route *ret_route, struct err *err)
{
    for (;;) {
        struct endpoint_control control = {0};
        void *body = NULL;
        struct nn_iovec iov = {.iov_base = &body, .iov_len = NN_MSG};
        struct nn_msghdr message = {
            .msg_iov = &iov,
            .msg_iovlen = 1,
            .msg_control = &control,
            .msg_controllen = sizeof(control),
        };
        const int n = nn_recvmsg(endpoint->sock, &message, NN_DONTWAIT);

        if (n < 0 && nn_errno() == EAGAIN)
            return ENDPOINT_NONE;
        if (n < 0)
            return endpoint_fail(err, "receiving with nanomsg");
        if (ret_route && !endpoint_read_route(&control, ret_route)) {
            (void) nn_freemsg(body); /* nobody could be answered */
            continue;
        }
        *ret = body;
        *ret_len = (size_t) n;
        return 0;
    }
}

void endpoint_release(uint8_t *bytes)
{
    if (bytes)
        (void) nn_freemsg(bytes);
}
