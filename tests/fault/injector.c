#include "tests/fault/injector.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRACEES_MAX 64

struct injector_shared {
    int nth;   /* 0: none fails */
    int count; /* of calls since it was armed */
    struct injector_hit hit;
};

enum kind { PROGRAM, SUPERVISOR, CHILD };

struct tracee {
    pid_t pid; /* 0: a free place */
    enum kind kind;
    bool counts; /* its calls may fail */
    bool own;    /* a supervisor: behind what the loader does */
    int code;    /* what the call that it is in has to return; 0: what the kernel says */
};

static struct tracee tracees[TRACEES_MAX];
static struct injector_shared *shared;
static enum injector_role role;

/* ---- which calls, and how ---- */

struct row {
    long call;
    const char *name;
    int code;
    int path_argument; /* -1: none */
};

#define ROW(name, error, path)                                                                     \
    {                                                                                              \
        SYS_##name, #name, -(error), (path)                                                        \
    }
static const struct row rows[] = {
    ROW(openat, EMFILE, 1),
    ROW(openat2, EMFILE, 1),
    ROW(read, EIO, -1),
    ROW(pread64, EIO, -1),
    ROW(write, EIO, -1),
    ROW(pwrite64, ENOSPC, -1),
    ROW(ftruncate, EIO, -1),
    ROW(fallocate, ENOSPC, -1),
    ROW(fsync, EIO, -1),
    ROW(fdatasync, EIO, -1),
    ROW(getdents64, EIO, -1),
    ROW(newfstatat, EIO, 1),
    ROW(faccessat, EIO, 1),
    ROW(faccessat2, EIO, 1),
    ROW(mkdirat, ENOSPC, 1),
    ROW(linkat, ENOSPC, 1),
    ROW(renameat, ENOSPC, 1),
    ROW(renameat2, ENOSPC, 1),
    ROW(unlinkat, EIO, 1),
    ROW(fsetxattr, ENOSPC, 1),
    ROW(setxattr, ENOSPC, 0),
    ROW(socket, EMFILE, -1),
    ROW(socketpair, EMFILE, -1),
    ROW(bind, ENOSPC, -1),
    ROW(listen, ENOMEM, -1),
    ROW(accept4, EMFILE, -1),
    ROW(connect, ENOMEM, -1),
    ROW(getsockopt, ENOBUFS, -1),
    ROW(sendto, ENOBUFS, -1),
    ROW(sendmsg, ENOBUFS, -1),
    ROW(recvfrom, ENOMEM, -1),
    ROW(recvmsg, ENOMEM, -1),
    ROW(clone, EAGAIN, -1),
    ROW(clone3, EAGAIN, -1),
    ROW(execve, ENOMEM, 0),
    ROW(execveat, ENOMEM, 1),
    ROW(pidfd_open, EMFILE, -1),
    ROW(epoll_ctl, ENOMEM, -1),
    ROW(timerfd_create, EMFILE, -1),
    ROW(signalfd4, EMFILE, -1),
    ROW(pipe2, EMFILE, -1),
    ROW(dup3, EMFILE, -1),
    ROW(fcntl, EMFILE, -1),
    ROW(close_range, ENOMEM, -1),
    ROW(prctl, EPERM, -1),
    ROW(setgroups, ENOMEM, -1),
    ROW(setresgid, EAGAIN, -1),
    ROW(setresuid, EAGAIN, -1),
    ROW(mmap, ENOMEM, -1),
#ifdef __x86_64__ /* calls that later machines have never had */
    ROW(open, EMFILE, 0),
    ROW(mkdir, ENOSPC, 0),
    ROW(rename, ENOSPC, 0),
    ROW(link, ENOSPC, 0),
    ROW(unlink, EIO, 0),
    ROW(rmdir, EIO, 0),
    ROW(stat, EIO, 0),
    ROW(lstat, EIO, 0),
    ROW(access, EIO, 0),
    ROW(chdir, EIO, 0),
    ROW(pipe, EMFILE, -1),
    ROW(dup2, EMFILE, -1),
    ROW(fork, EAGAIN, -1),
    ROW(vfork, EAGAIN, -1),
#endif
};

/* ---- the tracer ---- */

#ifdef __x86_64__
static void set_call(pid_t pid, bool entry, int code)
{
    struct user_regs_struct regs;

    if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0)
        return;
    if (entry)
        regs.orig_rax = (unsigned long long) -1; /* no such call: the kernel does nothing */
    else
        regs.rax = (unsigned long long) code;
    (void) ptrace(PTRACE_SETREGS, pid, NULL, &regs);
}
#else
static void set_call(pid_t pid, bool entry, int code)
{
    (void) pid;
    (void) entry;
    (void) code;
}
#endif

const char *injector_hindrance(void)
{
#ifdef __x86_64__
    return NULL;
#else
    return "the injector knows the registers of x86-64 alone";
#endif
}

static ssize_t read_memory(pid_t pid, uint64_t address, void *ret, size_t size)
{
    const struct iovec own = {.iov_base = ret, .iov_len = size};
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): an address of another process */
    const struct iovec other = {.iov_base = (void *) (uintptr_t) address, .iov_len = size};

    return process_vm_readv(pid, &own, 1, &other, 1, 0);
}

/* Of fcntl(2) only what takes something: to give a lock back does not fail. */
static bool fcntl_may_fail(pid_t pid, const struct __ptrace_syscall_info *info)
{
    const uint64_t command = info->entry.args[1];
    struct flock lock;

    if (command == F_SETLK || command == F_SETLKW)
        return read_memory(pid, info->entry.args[2], &lock, sizeof(lock)) ==
                   (ssize_t) sizeof(lock) &&
               lock.l_type != F_UNLCK;
    return command == F_DUPFD || command == F_DUPFD_CLOEXEC;
}

static const struct row *row_of(pid_t pid, const struct __ptrace_syscall_info *info)
{
    if (QUELL_TEST_SANITIZED && info->entry.nr == SYS_mmap) /* the sanitizer's own, fatal to it */
        return NULL;
    if (info->entry.nr == SYS_fcntl && !fcntl_may_fail(pid, info))
        return NULL;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if ((uint64_t) rows[i].call == info->entry.nr)
            return &rows[i];
    return NULL;
}

static void on_entry(struct tracee *tracee, const struct __ptrace_syscall_info *info)
{
    const struct row *row = row_of(tracee->pid, info);
    const int nth = __atomic_load_n(&shared->nth, __ATOMIC_ACQUIRE);

    if (tracee->kind == SUPERVISOR && info->entry.nr == SYS_prctl)
        tracee->own = true; /* its first call of its own */
    if (nth == 0 || !row || shared->hit.hit || (tracee->kind == SUPERVISOR && !tracee->own))
        return;
    if (++shared->count != nth)
        return;
    (void) snprintf(shared->hit.call, sizeof(shared->hit.call), "%s", row->name);
    if (row->path_argument >= 0)
        (void) read_memory(tracee->pid, info->entry.args[row->path_argument], shared->hit.path,
                           sizeof(shared->hit.path) - 1);
    shared->hit.code = row->code;
    tracee->code = row->code;
    set_call(tracee->pid, true, 0);
    __atomic_store_n(&shared->hit.hit, true, __ATOMIC_RELEASE);
}

static void on_call(struct tracee *tracee)
{
    struct __ptrace_syscall_info info = {0};

    if (ptrace(PTRACE_GET_SYSCALL_INFO, tracee->pid, sizeof(info), &info) < 0)
        return;
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        on_entry(tracee, &info);
    } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && tracee->code) {
        set_call(tracee->pid, false, tracee->code);
        tracee->code = 0;
    }
}

static struct tracee *tracee_find(pid_t pid)
{
    for (size_t i = 0; i < TRACEES_MAX; i++)
        if (tracees[i].pid == pid)
            return &tracees[i];
    return NULL;
}

static bool counts(enum kind kind)
{
    return (role == INJECT_PROGRAM && kind == PROGRAM) ||
           (role == INJECT_SUPERVISOR && kind == SUPERVISOR) ||
           (role == INJECT_CHILD && kind == CHILD);
}

static struct tracee *tracee_add(pid_t pid, enum kind kind)
{
    struct tracee *tracee = tracee_find(0);

    if (tracee)
        *tracee = (struct tracee){.pid = pid, .kind = kind, .counts = counts(kind)};
    return tracee;
}

static long status_number(pid_t pid, const char *name)
{
    char path[32], line[256];
    long number = 0;
    FILE *file;

    (void) snprintf(path, sizeof(path), "/proc/%d/status", (int) pid);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, name, strlen(name)) == 0)
            number = strtol(line + strlen(name), NULL, 10);
    if (file)
        (void) fclose(file);
    return number;
}

/* One that a tracee has just made. NULL: a thread, or nobody's that is known. */
static struct tracee *tracee_adopt(pid_t pid)
{
    const struct tracee *parent = tracee_find((pid_t) status_number(pid, "PPid:"));

    if (!parent || status_number(pid, "Tgid:") != pid)
        return NULL;
    return tracee_add(pid, parent->kind == PROGRAM ? PROGRAM : CHILD);
}

/* True: what it has become is of no interest. */
static bool on_exec(struct tracee *tracee)
{
    char path[32], exe[512];
    ssize_t len;

    (void) snprintf(path, sizeof(path), "/proc/%d/exe", (int) tracee->pid);
    len = readlink(path, exe, sizeof(exe) - 1);
    exe[len > 0 ? len : 0] = '\0';
    tracee->code = 0;
    tracee->kind = SUPERVISOR;
    tracee->own = false;
    tracee->counts = counts(SUPERVISOR);
    return role == INJECT_PROGRAM || !strstr(exe, "/quell-supervisor");
}

static void on_stop(pid_t pid, int status)
{
    const int event = status >> 16, signal = WSTOPSIG(status);
    struct tracee *tracee = tracee_find(pid);
    int pass = 0;

    if (!tracee)
        tracee = tracee_adopt(pid);
    if (!tracee || (event == PTRACE_EVENT_EXEC && on_exec(tracee))) {
        if (tracee)
            tracee->pid = 0;
        (void) ptrace(PTRACE_DETACH, pid, NULL, NULL);
        return;
    }
    if (signal == (SIGTRAP | 0x80)) {
        on_call(tracee);
    } else if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
        (void) ptrace(PTRACE_LISTEN, pid, NULL, NULL); /* it is stopped, and stays it */
        return;
    } else if (event == 0) {
        pass = signal;
    }
    (void) ptrace(tracee->counts ? PTRACE_SYSCALL : PTRACE_CONT, pid, NULL, (long) pass);
}

static void trace(pid_t program, int ready_fd)
{
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                         PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
    int status;
    pid_t pid;

    (void) tracee_add(program, PROGRAM);
    if (ptrace(PTRACE_SEIZE, program, NULL, options) < 0 ||
        ptrace(PTRACE_INTERRUPT, program, NULL, NULL) < 0)
        _exit(1);
    while ((pid = waitpid(-1, &status, __WALL)) > 0) {
        if (WIFSTOPPED(status)) {
            on_stop(pid, status);
        } else {
            struct tracee *tracee = tracee_find(pid);

            if (tracee)
                tracee->pid = 0;
        }
        if (ready_fd >= 0)
            (void) !write(ready_fd, "", 1), (void) close(ready_fd);
        ready_fd = -1;
    }
    _exit(0);
}

/* ---- the test's side ---- */

void injector_start(struct injector *injector, pid_t program, enum injector_role injector_role)
{
    int fds[2];
    char ready;

    injector->shared = mmap(NULL, sizeof(*injector->shared), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(injector->shared, MAP_FAILED);
    cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
    injector->pid = fork();
    cr_assert_geq(injector->pid, 0);
    if (injector->pid == 0) {
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void) dup2(fds[1], 3);
        (void) syscall(SYS_close_range, 4, ~0u, 0); /* Criterion waits for the ends of its own */
        shared = injector->shared;
        role = injector_role;
        trace(program, 3);
    }
    (void) close(fds[1]);
    cr_assert_eq(read(fds[0], &ready, 1), 1, "the program can't be traced");
    (void) close(fds[0]);
}

void injector_stop(struct injector *injector)
{
    /* What is traced goes on by itself. */
    (void) kill(injector->pid, SIGKILL);
    (void) waitpid(injector->pid, NULL, 0);
    (void) munmap(injector->shared, sizeof(*injector->shared));
    *injector = (struct injector){0};
}

void injector_arm(const struct injector *injector, int nth)
{
    injector->shared->count = 0;
    injector->shared->hit = (struct injector_hit){0};
    __atomic_store_n(&injector->shared->nth, nth, __ATOMIC_RELEASE);
}

struct injector_hit injector_disarm(const struct injector *injector)
{
    __atomic_store_n(&injector->shared->nth, 0, __ATOMIC_RELEASE);
    (void) __atomic_load_n(&injector->shared->hit.hit, __ATOMIC_ACQUIRE);
    return injector->shared->hit;
}
