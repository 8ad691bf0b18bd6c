#include "supervisor/leader.h"

#include "supervisor/tree.h"

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

bool leader_wait_status(int pidfd, int *ret)
{
    struct pidfd_exit_info info = {.mask = PIDFD_EXIT_INFO};

    if (pidfd < 0 || syscall(SYS_ioctl, pidfd, PIDFD_GET_EXIT_INFO, &info) < 0 ||
        !(info.mask & PIDFD_EXIT_INFO))
        return false;
    *ret = info.exit_code;
    return true;
}
