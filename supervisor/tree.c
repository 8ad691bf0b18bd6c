#include "supervisor/tree.h"

#include "base/fdio.h"
#include "cgroups/task_cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PID_LIMIT       (4u * 1024u * 1024u) /* the kernel's PID_MAX_LIMIT on 64 bits */
#define PROCESS_EXITING 0x4                  /* PF_EXITING of include/linux/sched.h: field 9 */
#define TERM_TRIES      8 /* passes over a tree that forks while it is signalled */

/* A set of pids. Pages that no pid falls into are never touched, so it costs next to nothing. */
struct pid_set {
    uint8_t bits[PID_LIMIT / 8];
} __attribute__((aligned(4096)));

static struct pid_set signalled, killed;

/* False when it was in the set already. */
static bool pid_set_add(struct pid_set *set, pid_t pid)
{
    uint8_t *byte = &set->bits[(uint32_t) pid % PID_LIMIT / 8];
    const uint8_t bit = (uint8_t) (1u << ((uint32_t) pid % 8));
    const bool was = *byte & bit;

    *byte |= bit;
    return !was;
}

/* Gives the pages back instead of writing to all of them. */
static void pid_set_clear(struct pid_set *set)
{
    (void) madvise(set, sizeof(*set), MADV_DONTNEED);
}

int tree_init(struct tree *tree, struct task_cgroup *group, struct err *err)
{
    char path[64];

    *tree = (struct tree){.group = group, .children_fd = -1};
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return err_errno(err, -errno, "become the subreaper");
    (void) snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int) getpid());
    tree->children_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (tree->children_fd < 0)
        return err_errno(err, -errno, "open %s (a kernel with CONFIG_PROC_CHILDREN is needed)",
                         path);
    return 0;
}

/* Calls @each for the pids of a /proc/.../children file, read in pieces. */
static void tree_each_listed(int fd, void (*each)(struct tree *, pid_t), struct tree *tree)
{
    char buffer[4096];
    off_t at = 0;
    long pid = 0;
    ssize_t n;

    while ((n = pread(fd, buffer, sizeof(buffer), at)) > 0) {
        at += n;
        for (ssize_t i = 0; i < n; i++) {
            if (buffer[i] >= '0' && buffer[i] <= '9') {
                pid = pid * 10 + (buffer[i] - '0');
            } else if (pid) {
                each(tree, (pid_t) pid);
                pid = 0;
            }
        }
    }
    if (pid)
        each(tree, (pid_t) pid);
}

/* /proc/PID/stat behind the name, which may hold anything, also blanks and brackets. 0; -ENOENT or
   -ESRCH: there is no such process; else it could not be read. */
static int tree_read_stat(pid_t pid, char text[1024], const char **ret)
{
    const char *behind;
    char path[32];
    ssize_t len;

    (void) snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);
    len = fdio_read_text(AT_FDCWD, path, text, 1024);
    if (len < 0)
        return (int) len;
    behind = strrchr(text, ')');
    if (!behind || strlen(behind) < 3)
        return -ESRCH;
    *ret = behind + 2;
    return 0;
}

/* A field by its number in proc(5); the state is the third. */
static uint64_t tree_stat_number(const char *stat, int number)
{
    const char *at = stat;

    for (int field = 3; at && field < number; field++) {
        at = strchr(at, ' ');
        at = at ? at + 1 : NULL;
    }
    return at ? strtoull(at, NULL, 10) : 0;
}

/* Gone, or a zombie with all its threads: of a process whose main thread alone has ended the rest
   runs on. What can't be read is not gone. */
static bool tree_is_gone(pid_t pid)
{
    char text[1024];
    const char *stat;
    const int r = tree_read_stat(pid, text, &stat);

    if (r < 0)
        return r == -ENOENT || r == -ESRCH;
    return (stat[0] == 'Z' || stat[0] == 'X') && tree_stat_number(stat, 20) <= 1;
}

/* Gone, or on its way out with all its threads: nothing is left to be killed, and on v1 the kernel
   tells no more where it was. */
static bool tree_is_ending(pid_t pid)
{
    char text[1024];
    const char *stat;
    const int r = tree_read_stat(pid, text, &stat);

    if (r < 0)
        return r == -ENOENT || r == -ESRCH;
    return (tree_stat_number(stat, 9) & PROCESS_EXITING) && tree_stat_number(stat, 20) <= 1;
}

uint64_t tree_start_ticks(pid_t pid)
{
    char text[1024];
    const char *stat;

    return tree_read_stat(pid, text, &stat) == 0 ? tree_stat_number(stat, 22) : 0;
}

static pid_t tree_parent(pid_t pid)
{
    char text[1024];
    const char *stat;

    return tree_read_stat(pid, text, &stat) == 0 ? (pid_t) tree_stat_number(stat, 4) : 0;
}

bool tree_zombie_status(pid_t pid, uint64_t start_ticks, int *ret)
{
    char text[1024];
    const char *stat;

    if (tree_read_stat(pid, text, &stat) < 0 || stat[0] != 'Z' ||
        tree_stat_number(stat, 22) != start_ticks)
        return false;
    *ret = (int) tree_stat_number(stat, 52);
    return true;
}

static int tree_wait_status(const siginfo_t *info)
{
    if (info->si_code == CLD_EXITED)
        return (info->si_status & 0xff) << 8;
    return info->si_status | (info->si_code == CLD_DUMPED ? 0x80 : 0);
}

static bool tree_look_at_leader(struct tree *tree)
{
    siginfo_t info = {0};

    if (!tree->leader_is_child || tree->leader_ended)
        return tree->leader_ended;
    if (waitid(P_PID, (id_t) tree->leader, &info, WEXITED | WNOHANG | WNOWAIT) < 0) {
        tree->leader_ended = true; /* somebody else reaped it: nothing is known of its end */
        return true;
    }
    if (info.si_pid == 0)
        return false;
    tree->leader_ended = true;
    tree->status_known = true;
    tree->wait_status = tree_wait_status(&info);
    return true;
}

static unsigned reaped_in_pass, alive_in_pass;

static void tree_reap_one(struct tree *tree, pid_t pid)
{
    if (pid == tree->leader && tree->leader_is_child) {
        if (!tree_look_at_leader(tree))
            alive_in_pass++;
        return;
    }
    if (waitpid(pid, NULL, WNOHANG) == pid) {
        reaped_in_pass++;
        return;
    }
    if (!tree_is_gone(pid))
        alive_in_pass++;
}

/* A dying child hands its own children to us before it becomes a zombie, so a pass that reaped
   nothing has seen all there are. */
static void tree_pass(struct tree *tree)
{
    do {
        reaped_in_pass = 0;
        alive_in_pass = 0;
        tree_each_listed(tree->children_fd, tree_reap_one, tree);
    } while (reaped_in_pass);
}

bool tree_reap(struct tree *tree)
{
    /* While the leader lives, ordinary waiting finds the zombies without reading the whole list.
       Its own zombie would be found first every time. */
    while (!tree_look_at_leader(tree)) {
        siginfo_t info = {0};

        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
            return false;
        if (info.si_pid != tree->leader)
            (void) waitpid(info.si_pid, NULL, WNOHANG);
    }
    tree_pass(tree);
    return alive_in_pass == 0;
}

/* ---- signals ---- */

static bool tree_signal_pidfd(int pidfd, int signo)
{
    return syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0) == 0;
}

/* @parent: 0 for a member of the group, else whose child it was in the list. */
static bool tree_send_term(struct tree *tree, pid_t pid, pid_t parent)
{
    CLEANUP_FD int pidfd = -1;

    if (!pid_set_add(&signalled, pid))
        return false;
    pidfd = (int) syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return false;
    /* The number may have changed hands between the list and the descriptor. */
    if (parent ? tree_parent(pid) != parent : !task_cgroup_contains(tree->group, pid))
        return false;
    if (!tree_signal_pidfd(pidfd, SIGTERM))
        return false;
    (void) tree_signal_pidfd(pidfd, SIGCONT);
    tree->signals_sent++;
    return true;
}

struct term_pass {
    struct tree *tree;
    bool found;
};

static bool tree_term_member(void *arg, pid_t pid)
{
    struct term_pass *pass = arg;

    pass->found |= tree_send_term(pass->tree, pid, 0);
    return true;
}

/* ---- descendants, also those outside the group: a queue of whose children are to be read ---- */

#define QUEUE_MAX 65536u

struct queued {
    pid_t pid;
    pid_t parent;
};

static struct queued queue[QUEUE_MAX];
static unsigned queue_len;
static pid_t queue_parent; /* of what is enqueued now */

static void tree_enqueue(struct tree *tree, pid_t pid)
{
    (void) tree;
    if (queue_len < QUEUE_MAX)
        queue[queue_len++] = (struct queued){.pid = pid, .parent = queue_parent};
}

/* A process's children are listed by thread. */
static void tree_enqueue_children(struct tree *tree, pid_t pid)
{
    char path[64];
    DIR *threads;

    (void) snprintf(path, sizeof(path), "/proc/%d/task", (int) pid);
    queue_parent = pid;
    threads = opendir(path);
    if (!threads)
        return;
    for (struct dirent *entry = readdir(threads); entry; entry = readdir(threads)) {
        char file[288];
        CLEANUP_FD int fd = -1;

        if (entry->d_name[0] == '.')
            continue;
        (void) snprintf(file, sizeof(file), "%s/children", entry->d_name);
        fd = openat(dirfd(threads), file, O_RDONLY | O_CLOEXEC);
        if (fd >= 0)
            tree_each_listed(fd, tree_enqueue, tree);
    }
    (void) closedir(threads);
}

static bool tree_term_descendants(struct tree *tree)
{
    bool found = false;

    queue_len = 0;
    queue_parent = getpid();
    tree_each_listed(tree->children_fd, tree_enqueue, tree);
    for (unsigned i = 0; i < queue_len; i++) {
        found |= tree_send_term(tree, queue[i].pid, queue[i].parent);
        tree_enqueue_children(tree, queue[i].pid);
    }
    return found;
}

void tree_terminate(struct tree *tree)
{
    struct term_pass pass = {.tree = tree};

    pid_set_clear(&signalled);
    for (int i = 0; i < TERM_TRIES; i++) {
        pass.found = false;
        (void) task_cgroup_each_process(tree->group, tree_term_member, &pass, NULL);
        pass.found |= tree_term_descendants(tree);
        if (!pass.found)
            break;
    }
}

static void tree_kill_child(struct tree *tree, pid_t pid)
{
    /* Twice, as it may have begun to end while the kernel was asked for its group. */
    if (tree_is_ending(pid) || task_cgroup_contains(tree->group, pid) || tree_is_ending(pid))
        return;
    /* A child of ours that is not reaped: its number can't change hands. */
    if (kill(pid, SIGKILL) == 0 && pid_set_add(&killed, pid))
        tree->escaped++;
}

void tree_kill_escaped(struct tree *tree)
{
    tree_each_listed(tree->children_fd, tree_kill_child, tree);
}

static bool tree_count_one(void *arg, pid_t pid)
{
    int64_t *count = arg;

    (void) pid;
    (*count)++;
    return true;
}

int64_t tree_count(struct tree *tree)
{
    int64_t count = 0;

    if (task_cgroup_each_process(tree->group, tree_count_one, &count, NULL) < 0)
        return -1;
    return count;
}

void tree_reap_leader(struct tree *tree)
{
    if (tree->leader_is_child)
        (void) waitpid(tree->leader, NULL, WNOHANG);
}
