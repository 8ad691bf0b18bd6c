#include "supervisor/become.h"

#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIGNALS      64 /* the kernel's, on x86-64 and arm64 */
#define SIGSET_BYTES (SIGNALS / 8)

/* ---- a process like any other ---- */

/* Ignored signals survive exec, from whoever started the agent down to here (SIGPIPE, a nohup's
 * SIGHUP). Asked of the kernel: libc keeps its own real-time signals from everybody. */
static void become_heedful(void)
{
    static const unsigned long zeros[8]; /* as struct sigaction: SIG_DFL; as sigset_t: none */

    for (int signo = 1; signo <= SIGNALS; signo++)
        (void) syscall(SYS_rt_sigaction, signo, zeros, NULL, SIGSET_BYTES);
    (void) syscall(SYS_rt_sigprocmask, SIG_SETMASK, zeros, NULL, SIGSET_BYTES);
}

/* musl knows no sched_setscheduler(). Where the kernel refuses, the task stays slow, not wrong. */
static void become_unhurried(void)
{
    const struct sched_param none = {0};

    (void) syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &none);
    (void) setpriority(PRIO_PROCESS, 0, 0);
    (void) syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, 0);
}

/* The agent's own value is given back, but no protection: it was not meant for tasks. */
static void become_killable(int oom_score_adj)
{
    char text[16];

    (void) snprintf(text, sizeof(text), "%d", oom_score_adj > 0 ? oom_score_adj : 0);
    (void) fdio_write_text(AT_FDCWD, "/proc/self/oom_score_adj", text);
}

static void become_limited(uint64_t open_files)
{
    struct rlimit files;

    if (open_files == 0 || getrlimit(RLIMIT_NOFILE, &files) < 0)
        return;
    files.rlim_cur = (rlim_t) open_files;
    (void) setrlimit(RLIMIT_NOFILE, &files);
}

/* Whoever has a session keyring may use the keys in it, whatever user it has become. The new one is
   made while we are root: a user may have 200 keys, and has perhaps more tasks. */
static int become_keyless(struct err *err)
{
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0)
        return 0;
    /* No keys in this kernel, or none in this container: then the task can't use them either. */
    if (errno == ENOSYS || errno == EPERM || errno == EACCES)
        return 0;
    return err_errno(err, -errno, "join a new session keyring");
}

int become_ordinary(const Quell__Pb__Launch *order, struct err *err)
{
    (void) setsid();
    (void) umask(022);
    become_heedful();
    become_unhurried();
    become_killable(order->oom_score_adj);
    become_limited(order->open_files);
    return become_keyless(err);
}

/* ---- the user ---- */

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
static bool become_is_done(const Quell__Pb__User *user)
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

int become_user(const Quell__Pb__User *user, struct err *err)
{
    int r = 0;

    _Static_assert(sizeof(gid_t) == sizeof(user->groups[0]), "groups are handed on in place");
    if (setgroups(user->n_groups, user->groups) < 0)
        return err_errno(err, -errno, "set %zu supplementary groups", user->n_groups);
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
