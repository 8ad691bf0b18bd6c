#include "supervisor/leader.h"

#include "supervisor/tree.h"

#include <linux/capability.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* include/uapi/linux/pidfd.h of Linux 6.15; older headers do not have it. */
struct pidfd_exit_info {
    uint64_t mask;
    uint64_t cgroup_id;
    uint32_t ids[11];
    int32_t exit_code;
};
#define PIDFD_GET_EXIT_INFO _IOWR(0xff, 11, struct pidfd_exit_info)
#define PIDFD_EXIT_INFO     (1u << 3)

int leader_open(const Quell__Pb__Started *started)
{
    int pidfd;

    if (!started || !started->leader_pid)
        return -1;
    pidfd = (int) syscall(SYS_pidfd_open, (pid_t) started->leader_pid, 0);
    if (pidfd < 0)
        return -1;
    if (tree_start_ticks((pid_t) started->leader_pid) == started->leader_start_ticks)
        return pidfd;
    (void) close(pidfd);
    return -1;
}

/* Without CAP_SYS_PTRACE the kernel shows 0 in that field, and 0 is no answer. */
static bool leader_may_see_status(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

    return syscall(SYS_capget, &header, sets) == 0 &&
           (sets[0].effective & (1u << CAP_SYS_PTRACE)) != 0;
}

bool leader_wait_status(const Quell__Pb__Started *started, int pidfd, int *ret)
{
    struct pidfd_exit_info info = {.mask = PIDFD_EXIT_INFO};

    if (leader_may_see_status() &&
        tree_zombie_status((pid_t) started->leader_pid, started->leader_start_ticks, ret))
        return true;
    if (pidfd < 0 || syscall(SYS_ioctl, pidfd, PIDFD_GET_EXIT_INFO, &info) < 0 ||
        !(info.mask & PIDFD_EXIT_INFO))
        return false;
    *ret = info.exit_code;
    return true;
}
