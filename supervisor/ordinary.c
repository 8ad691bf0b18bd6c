#include "supervisor/ordinary.h"

#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIGNALS      64 /* the kernel's, on x86-64 and arm64 */
#define SIGSET_BYTES (SIGNALS / 8)

/* ---- a process like any other ---- */

/* Ignored signals survive exec, from whoever started the agent down to here (SIGPIPE, a nohup's
 * SIGHUP). Asked of the kernel: libc keeps its own real-time signals from everybody. */
static void ordinary_heedful(void)
{
    static const unsigned long zeros[8]; /* as struct sigaction: SIG_DFL; as sigset_t: none */

    for (int signo = 1; signo <= SIGNALS; signo++)
        (void) syscall(SYS_rt_sigaction, signo, zeros, NULL, SIGSET_BYTES);
    (void) syscall(SYS_rt_sigprocmask, SIG_SETMASK, zeros, NULL, SIGSET_BYTES);
}

/* musl knows no sched_setscheduler(). Where the kernel refuses, the task stays slow, not wrong. */
static void ordinary_unhurried(void)
{
    const struct sched_param none = {0};

    (void) syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &none);
    (void) setpriority(PRIO_PROCESS, 0, 0);
    (void) syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, 0);
}

/* The agent's own value is given back, but no protection: it was not meant for tasks. */
static void ordinary_killable(int oom_score_adj)
{
    char text[16];

    (void) snprintf(text, sizeof(text), "%d", oom_score_adj > 0 ? oom_score_adj : 0);
    (void) fdio_write_text(AT_FDCWD, "/proc/self/oom_score_adj", text);
}

static void ordinary_limited(uint64_t open_files)
{
    struct rlimit files;

    if (open_files == 0 || getrlimit(RLIMIT_NOFILE, &files) < 0)
        return;
    files.rlim_cur = (rlim_t) open_files;
    (void) setrlimit(RLIMIT_NOFILE, &files);
}

/* Whoever has a session keyring may use the keys in it, whatever user it has become. The new one is
   made while we are root: a user may have 200 keys, and has perhaps more tasks. */
static int ordinary_keyless(struct err *err)
{
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0)
        return 0;
    /* No keys in this kernel, or none in this container: then the task can't use them either. */
    if (errno == ENOSYS || errno == EPERM || errno == EACCES)
        return 0;
    return err_errno(err, -errno, "join a new session keyring");
}

int ordinary_become(const Quell__Pb__Launch *order, struct err *err)
{
    (void) setsid();
    (void) umask(022);
    ordinary_heedful();
    ordinary_unhurried();
    ordinary_killable(order->oom_score_adj);
    ordinary_limited(order->open_files);
    return ordinary_keyless(err);
}
