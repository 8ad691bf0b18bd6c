#include "agent/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_BYTES 65536u
#define FDS_MAX     16
#define FDS_FIRST   3
#define FDS_PARKED  64 /* out of the way while they are moved into place */

struct spawn_child {
    const struct spawn *spawn;
    volatile int code; /* negative errno: exec or what comes before it failed */
};

#if defined(__SANITIZE_ADDRESS__)
#define NO_SANITIZE __attribute__((no_sanitize_address))
#else
#define NO_SANITIZE
#endif

/* Every descriptor of the agent is O_CLOEXEC; dup2 makes the ones that are meant to stay. Returns
   the program's, which may have stood where one of those has its place. */
static NO_SANITIZE int spawn_place_fds(const struct spawn *spawn)
{
    const int program = fcntl(spawn->program_fd, F_DUPFD_CLOEXEC, FDS_PARKED);
    int parked[FDS_MAX];

    if (program < 0)
        return -errno;
    for (size_t i = 0; i < spawn->fds_len; i++) {
        parked[i] = spawn->fds[i] < 0 ? -1 : fcntl(spawn->fds[i], F_DUPFD_CLOEXEC, FDS_PARKED);
        if (spawn->fds[i] >= 0 && parked[i] < 0)
            return -errno;
    }
    for (size_t i = 0; i < spawn->fds_len; i++) {
        if (parked[i] >= 0 && dup2(parked[i], FDS_FIRST + (int) i) < 0)
            return -errno;
        if (parked[i] < 0)
            (void) close(FDS_FIRST + (int) i);
    }
    return program;
}

/* Runs in the agent's memory while the agent waits: nothing but system calls. */
static NO_SANITIZE int spawn_child(void *arg)
{
    struct spawn_child *child = arg;
    const struct spawn *spawn = child->spawn;
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int program;

    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0) {
        child->code = -errno;
        return 127;
    }
    (void) setsid();
    program = spawn_place_fds(spawn);
    if (program >= 0)
        (void) syscall(SYS_execveat, program, "", spawn->argv, spawn->envp, AT_EMPTY_PATH);
    child->code = program < 0 ? program : -errno;
    return 127;
}

/* The raw call: glibc's clone() knows no cgroup, and a child on a new stack can't return through C.
 */
static NO_SANITIZE long spawn_clone3(struct clone_args *args, int (*fn)(void *), void *arg)
{
    long ret;
#if defined(__x86_64__)
    register int (*fn_register)(void *) __asm__("r12") = fn;
    register void *arg_register __asm__("r13") = arg;

    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "mov %%r13, %%rdi\n\t"
                     "call *%%r12\n\t"
                     "mov %%eax, %%edi\n\t"
                     "mov %[exit], %%eax\n\t"
                     "syscall\n\t"
                     "hlt\n"
                     "1:"
                     : "=a"(ret)
                     : "0"((long) SYS_clone3), "D"(args), "S"(sizeof(*args)), "r"(fn_register),
                       "r"(arg_register), [exit] "i"(SYS_exit)
                     : "rcx", "r11", "memory");
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = SYS_clone3;
    register long x0 __asm__("x0") = (long) args;
    register long x1 __asm__("x1") = sizeof(*args);
    register int (*fn_register)(void *) __asm__("x9") = fn;
    register void *arg_register __asm__("x10") = arg;

    __asm__ volatile("svc #0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, #0\n\t"
                     "mov x0, x10\n\t"
                     "blr x9\n\t"
                     "mov x8, %[exit]\n\t"
                     "svc #0\n"
                     "1:"
                     : "+r"(x0)
                     : "r"(x1), "r"(x8), "r"(fn_register), "r"(arg_register), [exit] "i"(SYS_exit)
                     : "x30", "memory");
    ret = x0;
#else
#error "spawn_clone3: no assembly for this architecture yet"
#endif
    return ret;
}

pid_t spawn_program(const struct spawn *spawn, struct err *err)
{
    struct spawn_child child = {.spawn = spawn};
    struct clone_args args = {.flags = (uint64_t) CLONE_VM | CLONE_VFORK | CLONE_CLEAR_SIGHAND,
                              .exit_signal = SIGCHLD,
                              .stack_size = STACK_BYTES};
    sigset_t all, before;
    void *stack;
    long pid;

    if (spawn->fds_len > FDS_MAX)
        return err_set(err, -E2BIG, "too many descriptors to hand over");
    stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK,
                 -1, 0);
    if (stack == MAP_FAILED)
        return err_errno(err, -errno, "get a stack");
    args.stack = (uint64_t) (uintptr_t) stack;
    if (spawn->cgroup_fd >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (__u64) spawn->cgroup_fd;
    }
    /* A handler of the agent must not run in the child; the supervisor expects no signal either. */
    (void) sigfillset(&all);
    (void) sigprocmask(SIG_SETMASK, &all, &before);
    pid = spawn_clone3(&args, spawn_child, &child);
    (void) sigprocmask(SIG_SETMASK, &before, NULL);
    (void) munmap(stack, STACK_BYTES);
    if (pid < 0)
        return err_errno(err, (int) pid, "clone a child");
    if (child.code < 0) {
        (void) waitpid((pid_t) pid, NULL, 0);
        return err_errno(err, child.code, "execute %s", spawn->argv[0]);
    }
    return (pid_t) pid;
}
