#include "tests/integration/mounts.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

const char *mounts_own(struct world *world)
{
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return keepf(world, "no mount namespace of its own: %s", strerror(errno));
    return NULL;
}

const char *mounts_fuse(struct world *world)
{
    const char *why = mounts_own(world);
    const char *dir = path_in(world, "probe");
    const int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    const char *options = keepf(world, "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);

    (void) mkdir(dir, 0755);
    if (!why && (fd < 0 || mount("probe", dir, "fuse", 0, options) < 0))
        why = keepf(world, "no FUSE: %s", strerror(errno));
    else if (!why)
        (void) umount2(dir, MNT_DETACH);
    if (fd >= 0)
        (void) close(fd);
    return why;
}

static const char *bind(struct world *world, const char *from, const char *to)
{
    return mount(from, to, NULL, MS_BIND, NULL) < 0
               ? keepf(world, "%s can't stand in for %s: %s", from, to, strerror(errno))
               : NULL;
}

const char *mounts_users(struct world *world)
{
    const char *why = mounts_own(world);
    const char *order = file_in(world, "nsswitch.conf",
                                "passwd: files hesiod\n"
                                "group: files hesiod\n");
    glob_t found;

    if (!why && glob("/lib*/*/libnss_hesiod.so.2", 0, NULL, &found) != 0)
        why = "there is no libnss_hesiod.so.2, whose place could be taken";
    if (why)
        return why;
    why =
        bind(world, keepf(world, "%s/nss_stand_in.so", QUELL_TEST_PROGRAMS_DIR), found.gl_pathv[0]);
    globfree(&found);
    if (!why)
        why = bind(world, order, "/etc/nsswitch.conf");
    if (!why && mount("none", "/mnt", "tmpfs", 0, "mode=0755") < 0)
        why = keepf(world, "no tmpfs on /mnt: %s", strerror(errno));
    return why;
}
