#include "tests/integration/janitor.h"

#include "base/fdio.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TERM_MS  10000
#define EMPTY_MS 20000
#define DEPTH    8 /* of the search in a hierarchy */

static int problems;

/* ---- processes ---- */

static bool environ_has(const char *bytes, size_t len, const char *mark)
{
    for (const char *at = bytes; at < bytes + len; at += strlen(at) + 1)
        if (strcmp(at, mark) == 0)
            return true;
    return false;
}

static bool is_marked(pid_t pid, const char *const *marks)
{
    char path[64];
    static char bytes[65536];
    ssize_t len;
    int fd;

    (void) snprintf(path, sizeof(path), "/proc/%d/environ", (int) pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    len = fdio_read(fd, bytes, sizeof(bytes) - 1);
    (void) close(fd);
    if (len <= 0)
        return false;
    bytes[len] = '\0';
    for (; *marks; marks++)
        if (!environ_has(bytes, (size_t) len, *marks))
            return false;
    return true;
}

int processes_marked(const char *const *marks, void (*each)(pid_t pid, void *arg), void *arg)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    int count = 0;

    while (proc && (entry = readdir(proc))) {
        const long pid = strtol(entry->d_name, NULL, 10);

        if (pid <= 0 || !is_marked((pid_t) pid, marks))
            continue;
        count++;
        if (each)
            each((pid_t) pid, arg);
    }
    if (proc)
        (void) closedir(proc);
    return count;
}

struct ending {
    const char *const *marks;
    int signal;
    int timeout_ms;
};

static void end_process(pid_t pid, void *arg)
{
    const struct ending *ending = arg;
    const int pidfd = (int) syscall(SYS_pidfd_open, pid, 0);
    struct pollfd event = {.fd = pidfd, .events = POLLIN};

    if (pidfd < 0)
        return;
    /* Looked at again: the number may have been another's before the pidfd was opened. */
    if (is_marked(pid, ending->marks)) {
        (void) syscall(SYS_pidfd_send_signal, pidfd, SIGCONT, NULL, 0);
        (void) syscall(SYS_pidfd_send_signal, pidfd, ending->signal, NULL, 0);
        (void) poll(&event, 1, ending->timeout_ms);
    }
    (void) close(pidfd);
}

static void end_marked(const char *name, const char *value, int signal)
{
    char mark[PATH_MAX];
    const char *marks[] = {mark, NULL};
    struct ending ending = {.marks = marks, .signal = signal, .timeout_ms = TERM_MS};

    (void) snprintf(mark, sizeof(mark), "%s=%s", name, value);
    (void) processes_marked(marks, end_process, &ending);
}

/* ---- groups ---- */

/* Waits for `populated 0`: the file says so, and its change wakes. */
static void wait_empty(int dirfd, const char *path)
{
    struct pollfd event = {.fd = openat(dirfd, "cgroup.events", O_RDONLY | O_CLOEXEC),
                           .events = POLLPRI};
    char text[256];

    while (event.fd >= 0) {
        const ssize_t n = pread(event.fd, text, sizeof(text) - 1, 0);

        text[n > 0 ? n : 0] = '\0';
        if (n <= 0 || strstr(text, "populated 0"))
            break;
        if (poll(&event, 1, EMPTY_MS) <= 0) {
            (void) fprintf(stderr, "janitor: %s stays populated\n", path);
            problems++;
            break;
        }
    }
    if (event.fd >= 0)
        (void) close(event.fd);
}

static int remove_group(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void) st;
    (void) ftw;
    if (type == FTW_DP && rmdir(path) < 0 && errno != ENOENT) {
        (void) fprintf(stderr, "janitor: %s can't be removed: %s\n", path, strerror(errno));
        problems++;
    }
    return 0;
}

/* cgroup.kill passes over a process whose main thread has ended. */
static void kill_each(int dirfd)
{
    char pids[65536];
    char *at = pids;

    if (fdio_read_text(dirfd, "cgroup.procs", pids, sizeof(pids)) <= 0)
        return;
    for (long pid = strtol(at, &at, 10); pid > 0; pid = strtol(at, &at, 10))
        (void) kill((pid_t) pid, SIGKILL);
}

/* v1 has no kill and tells nobody of the end: each is thawed, hit and waited for. */
static int end_v1_group(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    const int dirfd = type == FTW_D ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    char pids[65536];
    char *at = pids;

    (void) st;
    (void) ftw;
    if (dirfd < 0)
        return 0;
    (void) fdio_write_text(dirfd, "freezer.state", "THAWED");
    if (fdio_read_text(dirfd, "cgroup.procs", pids, sizeof(pids)) < 0)
        *at = '\0';
    (void) close(dirfd);
    for (long pid = strtol(at, &at, 10); pid > 0; pid = strtol(at, &at, 10)) {
        struct pollfd end = {.fd = (int) syscall(SYS_pidfd_open, (pid_t) pid, 0), .events = POLLIN};

        if (end.fd < 0)
            continue;
        (void) syscall(SYS_pidfd_send_signal, end.fd, SIGKILL, NULL, 0);
        (void) poll(&end, 1, EMPTY_MS);
        (void) close(end.fd);
    }
    return 0;
}

static void clear_group(const char *path, bool remove)
{
    const int dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dirfd < 0)
        return;
    if (!remove && faccessat(dirfd, "cgroup.kill", W_OK, 0) == 0) {
        (void) fdio_write_text(dirfd, "cgroup.kill", "1");
        kill_each(dirfd);
        wait_empty(dirfd, path);
    } else if (!remove && faccessat(dirfd, "freezer.state", W_OK, 0) == 0) {
        (void) nftw(path, end_v1_group, 16, FTW_PHYS);
    }
    (void) close(dirfd);
    if (remove)
        (void) nftw(path, remove_group, 16, FTW_DEPTH | FTW_PHYS);
}

/* NOLINTNEXTLINE(misc-no-recursion): DEPTH is its end */
static void clear_below(const char *path, const char *name, bool remove, int depth)
{
    DIR *dir = depth > 0 ? opendir(path) : NULL;
    struct dirent *entry;
    char below[PATH_MAX];

    while (dir && (entry = readdir(dir))) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        if (snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) >= (int) sizeof(below))
            continue;
        if (strcmp(entry->d_name, name) == 0)
            clear_group(below, remove);
        else
            clear_below(below, name, remove, depth - 1);
    }
    if (dir)
        (void) closedir(dir);
}

/* In every hierarchy: first all are ended, then all are removed. */
static void clear_everywhere(const char *name, bool remove)
{
    FILE *mounts = fopen("/proc/self/mounts", "re");
    char line[4096], point[1024], type[64];

    while (mounts && fgets(line, sizeof(line), mounts))
        if (sscanf(line, "%*s %1023s %63s", point, type) == 2 && strncmp(type, "cgroup", 6) == 0)
            clear_below(point, name, remove, DEPTH);
    if (mounts)
        (void) fclose(mounts);
}

/* ---- the janitor ---- */

static int remove_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void) st;
    (void) type;
    (void) ftw;
    if (remove(path) < 0) {
        (void) fprintf(stderr, "janitor: %s can't be removed: %s\n", path, strerror(errno));
        problems++;
    }
    return 0;
}

static void janitor_main(int fd, const char *dir)
{
    FILE *names = fdopen(fd, "r");
    char groups[16][64];
    int len = 0;

    while (names && len < 16 && fgets(groups[len], sizeof(groups[len]), names)) {
        groups[len][strcspn(groups[len], "\n")] = '\0';
        len++;
    }
    end_marked(JANITOR_DAEMON, dir, SIGTERM);
    end_marked(JANITOR_DAEMON, dir, SIGKILL);
    for (int i = 0; i < len; i++)
        clear_everywhere(groups[i], false);
    end_marked(JANITOR_TASK, dir, SIGKILL);
    for (int i = 0; i < len; i++)
        clear_everywhere(groups[i], true);
    (void) nftw(dir, remove_file, 16, FTW_DEPTH | FTW_PHYS);
    _exit(problems ? 1 : 0);
}

void janitor_start(struct janitor *j, const char *dir)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        abort();
    (void) fflush(NULL);
    j->pid = fork();
    if (j->pid < 0)
        abort();
    if (j->pid == 0) {
        (void) setsid();
        (void) dup2(fds[0], 3);
        (void) syscall(SYS_close_range, 4, ~0u, 0); /* Criterion waits for the ends of its own */
        janitor_main(3, dir);
    }
    (void) close(fds[0]);
    j->fd = fds[1];
}

void janitor_note_group(const struct janitor *j, const char *name)
{
    if (dprintf(j->fd, "%s\n", name) < 0)
        abort();
}

int janitor_finish(struct janitor *j)
{
    int status = -1;

    (void) close(j->fd);
    if (waitpid(j->pid, &status, 0) != j->pid)
        return -1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}
