#include "cgroups/backend.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/sched.h, which musl's compiler does not find */
#define FLAG_PIDFD         0x00001000ULL
#define FLAG_CLEAR_SIGHAND 0x100000000ULL
#define FLAG_INTO_CGROUP   0x200000000ULL

struct clone_args {
    _Alignas(8) uint64_t flags;
    uint64_t pidfd;
    uint64_t child_tid;
    uint64_t parent_tid;
    uint64_t exit_signal;
    uint64_t stack;
    uint64_t stack_size;
    uint64_t tls;
    uint64_t set_tid;
    uint64_t set_tid_size;
    uint64_t cgroup;
};

pid_t group_clone(int group_fd, int exit_signal, int *ret_pidfd)
{
    int pidfd = -1;
    struct clone_args args = {
        .flags = FLAG_PIDFD | FLAG_CLEAR_SIGHAND | (group_fd >= 0 ? FLAG_INTO_CGROUP : 0),
        .pidfd = (uintptr_t) &pidfd,
        .exit_signal = (uint64_t) exit_signal,
        .cgroup = group_fd >= 0 ? (uint64_t) group_fd : 0,
    };
    long pid = syscall(SYS_clone3, &args, sizeof(args));

    if (pid < 0)
        return -errno;
    if (pid > 0)
        *ret_pidfd = pidfd;
    return (pid_t) pid;
}
