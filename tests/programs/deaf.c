/*
 * deaf DIR keep|take: mounts a file system at DIR whose server answers the kernel's greeting and
 * never anything again. It prints "ready", and "asked" when somebody waits for the first answer.
 *   keep  leaves the request with the kernel: whoever waits can be killed
 *   take  reads it: whoever waits can't be killed until this process has ended
 * SIGTERM ends it and the mount. Exit status 77: there is no FUSE for it here.
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
    while (poll(&device, 1, -1) < 0 && errno == EINTR)
        ;
    if (take)
        (void) !read(device.fd, request, sizeof(request));
    say("asked");
    for (;;) /* what a kill makes the kernel ask is taken too */
        if (!take || read(device.fd, request, sizeof(request)) < 0)
            (void) pause();
}
