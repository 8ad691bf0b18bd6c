#include "base/become.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* setresuid() clears them but where securebits say otherwise; inheritable ones it leaves. The
   bounding set is nothing to have: no_new_privs lets no exec add to what is permitted. */
static int become_powerless(struct err *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}, {0}};

    if (syscall(SYS_capset, &header, none) < 0)
        return err_errno(err, -errno, "drop all capabilities");
    return 0;
}

/* To be asked for number -1 means "leave it" to the kernel, and would leave us root. */
static bool become_is_done(const struct become *user)
{
    uid_t uids[3];
    gid_t gids[3];

    if (getresuid(&uids[0], &uids[1], &uids[2]) < 0 || getresgid(&gids[0], &gids[1], &gids[2]) < 0)
        return false;
    for (int i = 0; i < 3; i++)
        if (uids[i] != user->uid || gids[i] != user->gid)
            return false;
    return user->uid == 0 || (setuid(0) < 0 && setgroups(0, NULL) < 0);
}

int become_user(const struct become *user, struct err *err)
{
    int r = 0;

    _Static_assert(sizeof(gid_t) == sizeof(user->groups[0]), "groups are handed on in place");
    if (setgroups(user->groups_len, user->groups) < 0)
        return err_errno(err, -errno, "set %zu supplementary groups", user->groups_len);
    if (setresgid(user->gid, user->gid, user->gid) < 0)
        return err_errno(err, -errno, "become group %u", user->gid);
    if (setresuid(user->uid, user->uid, user->uid) < 0)
        return err_errno(err, -errno, "become user %s (%u)", user->name, user->uid);
    if (user->uid != 0)
        r = become_powerless(err);
    if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        r = err_errno(err, -errno, "set no_new_privs");
    if (r == 0 && !become_is_done(user))
        r = err_set(err, -EPERM, "become user %s (%u): something of root's would have stayed",
                    user->name, user->uid);
    return r;
}
