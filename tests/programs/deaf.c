/*
 * deaf DIR keep|take|file: mounts a file system at DIR whose server answers the kernel's greeting
 * and never anything again. It prints "ready", and "asked" when somebody waits for the first
 * answer. file  answers until a file is made (and cut) in its directory, and then as with keep keep
 * leaves the request with the kernel: whoever waits can be killed take  reads it: whoever waits
 * can't be killed until this process has ended SIGTERM ends it and the mount. Exit status 77: there
 * is no FUSE for it here.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define NO_FUSE 77

static char request[1 << 20]; /* more than the kernel's largest */

static void say(const char *text)
{
    (void) printf("%s\n", text);
    (void) fflush(stdout);
}

static int greet(int fd)
{
    const struct fuse_in_header *in = (const struct fuse_in_header *) request;
    struct {
        struct fuse_out_header out;
        struct fuse_init_out init;
    } answer = {.init = {.major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096}};

    if (read(fd, request, sizeof(request)) < (ssize_t) sizeof(*in) || in->opcode != FUSE_INIT)
        return -1;
    answer.out.len = sizeof(answer);
    answer.out.unique = in->unique;
    return write(fd, &answer, sizeof(answer)) == (ssize_t) sizeof(answer) ? 0 : -1;
}

static int mount_deaf(const char *dir)
{
    const int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    char options[128];

    if (fd < 0)
        return -1;
    (void) snprintf(options, sizeof(options),
                    "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd);
    return mount("deaf", dir, "fuse", MS_NOSUID | MS_NODEV, options) < 0 ? -1 : fd;
}

/* ---- file: an empty directory in which one file can be made ---- */

static void answer(int fd, const struct fuse_in_header *in, int error, const void *body, size_t len)
{
    static struct {
        struct fuse_out_header out;
        char body[512];
    } reply;

    reply.out = (struct fuse_out_header){
        .len = (uint32_t) (sizeof(reply.out) + len), .error = error, .unique = in->unique};
    if (len)
        (void) memcpy(reply.body, body, len);
    (void) !write(fd, &reply, reply.out.len);
}

static struct fuse_attr attr_of(const struct fuse_in_header *in, uint64_t node)
{
    return (struct fuse_attr){.ino = node,
                              .mode = node == FUSE_ROOT_ID ? S_IFDIR | 0777 : S_IFREG | 0600,
                              .nlink = 1,
                              .uid = in->uid,
                              .gid = in->gid,
                              .blksize = 4096};
}

static void answer_made(int fd, const struct fuse_in_header *in)
{
    const uint64_t node = FUSE_ROOT_ID + 1;
    const struct {
        struct fuse_entry_out entry;
        struct fuse_open_out open;
    } made = {
        .entry = {.nodeid = node, .attr = attr_of(in, node)},
        .open = {.open_flags = FOPEN_NOFLUSH}, /* who closes it would wait, killed or not */
    };

    answer(fd, in, 0, &made, sizeof(made));
}

/* False: the file has been cut, and what comes next writes. */
static bool serve(int fd)
{
    const struct fuse_in_header *in = (const struct fuse_in_header *) request;
    struct fuse_attr_out attr = {0};

    if (read(fd, request, sizeof(request)) < (ssize_t) sizeof(*in))
        return errno == EINTR || errno == ENOENT;
    attr.attr = attr_of(in, in->nodeid);
    switch (in->opcode) {
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
        return true; /* to be answered by nobody */
    case FUSE_LOOKUP:
        answer(fd, in, -ENOENT, NULL, 0);
        return true;
    case FUSE_CREATE:
        answer_made(fd, in);
        return true;
    case FUSE_GETATTR:
    case FUSE_SETATTR:
        answer(fd, in, 0, &attr, sizeof(attr));
        return in->opcode == FUSE_GETATTR;
    default:
        answer(fd, in, -ENOSYS, NULL, 0);
        return true;
    }
}

int main(int argc, char **argv)
{
    const bool take = argc == 3 && strcmp(argv[2], "take") == 0;
    struct pollfd device = {.events = POLLIN};

    if (argc != 3)
        return 2;
    device.fd = mount_deaf(argv[1]);
    if (device.fd < 0 || greet(device.fd) < 0) {
        (void) fprintf(stderr, "deaf: %s\n", strerror(errno));
        return NO_FUSE;
    }
    say("ready");
    if (strcmp(argv[2], "file") == 0)
        while (serve(device.fd))
            ;
    while (poll(&device, 1, -1) < 0 && errno == EINTR)
        ;
    if (take)
        (void) !read(device.fd, request, sizeof(request));
    say("asked");
    for (;;) /* what a kill makes the kernel ask is taken too */
        if (!take || read(device.fd, request, sizeof(request)) < 0)
            (void) pause();
}
