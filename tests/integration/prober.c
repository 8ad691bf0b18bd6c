#include "tests/integration/prober.h"

#include "tests/integration/program.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOTES_MAX 1000000u

struct worst {
    double ms;
    char path[96]; /* what was asked for */
};

struct prober_notes {
    volatile sig_atomic_t stop;
    size_t len;
    char complaint[160];
    struct worst slowest;
    struct worst own;  /* without the time that asker and server waited for a CPU */
    struct worst wait; /* that time */
    float ms[NOTES_MAX];
};

static double now_ms(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec * 1000.0 + (double) now.tv_nsec / 1e6;
}

/* How long a process has waited for a CPU since its start; of its main thread. @fd: its schedstat,
   "RAN WAITED TIMES", in nanoseconds. */
static double waited_ms(int fd)
{
    char text[96];
    char *waited;
    const ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    waited = strchr(text, ' ');
    return waited ? (double) strtoull(waited + 1, NULL, 10) / 1e6 : 0;
}

static int schedstat_open(pid_t pid)
{
    char path[64];

    (void) snprintf(path, sizeof(path), "/proc/%d/schedstat", (int) pid);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* One question and its whole answer. Returns what went wrong, or NULL. Here and below it is the
   child, which Criterion must not hear of. */
static const char *ask(int fd, const char *path)
{
    static char answer[4u << 20];
    size_t len = 0, want = sizeof(answer) - 1;
    char request[256];
    const int n =
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);

    if (send(fd, request, (size_t) n, MSG_NOSIGNAL) != n)
        return "the question was not taken";
    while (len < want) {
        struct pollfd event = {.fd = fd, .events = POLLIN};
        const char *body, *length;
        ssize_t got;

        if (poll(&event, 1, DEADLINE_MS) <= 0)
            return "no answer";
        got = recv(fd, answer + len, sizeof(answer) - 1 - len, 0);
        if (got <= 0)
            return "closed before the answer";
        len += (size_t) got;
        answer[len] = '\0';
        body = want == sizeof(answer) - 1 ? strstr(answer, "\r\n\r\n") : NULL;
        if (!body)
            continue;
        length = strcasestr(answer, "\r\nContent-Length:");
        if (!length || length > body)
            return "no length";
        want = (size_t) (body + 4 - answer) + strtoul(length + 17, NULL, 10);
    }
    return NULL;
}

static void note_worst(struct worst *worst, const char *path, double ms)
{
    if (ms <= worst->ms)
        return;
    worst->ms = ms;
    (void) snprintf(worst->path, sizeof(worst->path), "%s", path);
}

static int connect_to(const char *socket_path, pid_t *ret_server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct ucred peer;
    socklen_t len = sizeof(peer);

    (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    if (fd < 0 || connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return -1;
    *ret_server = peer.pid;
    return fd;
}

static void probe(struct prober_notes *notes, const char *socket_path, const char *const *paths)
{
    const char *const *path = paths;
    pid_t server = 0;
    const int fd = connect_to(socket_path, &server);
    const int waits[2] = {schedstat_open(getpid()), schedstat_open(server)};

    if (fd < 0 || waits[0] < 0 || waits[1] < 0) {
        (void) snprintf(notes->complaint, sizeof(notes->complaint), "%s", strerror(errno));
        return;
    }
    while (!notes->stop && notes->len < NOTES_MAX) {
        const double waited = waited_ms(waits[0]) + waited_ms(waits[1]);
        const double begin = now_ms();
        const char *complaint = ask(fd, *path);
        const double ms = now_ms() - begin;
        const double wait_ms = waited_ms(waits[0]) + waited_ms(waits[1]) - waited;

        if (complaint) {
            (void) snprintf(notes->complaint, sizeof(notes->complaint), "%s: %s", *path, complaint);
            return;
        }
        notes->ms[notes->len++] = (float) ms;
        note_worst(&notes->slowest, *path, ms);
        note_worst(&notes->own, *path, ms - wait_ms);
        note_worst(&notes->wait, *path, wait_ms);
        path = path[1] ? path + 1 : paths;
    }
}

/* True in the child. */
static bool prober_fork(struct prober *p)
{
    p->notes =
        mmap(NULL, sizeof(*p->notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(p->notes, MAP_FAILED);
    p->pid = fork();
    cr_assert_geq(p->pid, 0);
    if (p->pid > 0)
        return false;
    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void) syscall(SYS_close_range, 3, ~0u,
                   0); /* the janitor waits for the end of the test's pipe */
    return true;
}

void prober_start(struct prober *p, const char *socket_path, const char *const *paths)
{
    if (!prober_fork(p))
        return;
    probe(p->notes, socket_path, paths);
    _exit(0);
}

static void start_program(void)
{
    char *argv[] = {(char *) "true", NULL};
    pid_t pid;

    if (posix_spawn(&pid, "/bin/true", NULL, NULL, argv, argv + 1) == 0)
        (void) waitpid(pid, NULL, 0);
}

static void make_and_remove(const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    (void) !write(fd, path, strlen(path));
    (void) close(fd);
    (void) unlink(path);
}

static void probe_floor(struct prober_notes *notes, const char *dir)
{
    const struct itimerspec often = {{0, 10000000}, {0, 10000000}};
    const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    char path[256];
    uint64_t ticks;

    (void) snprintf(path, sizeof(path), "%s/floor", dir);
    if (timer < 0 || timerfd_settime(timer, 0, &often, NULL) < 0)
        return;
    while (!notes->stop && read(timer, &ticks, sizeof(ticks)) > 0) {
        double begin = now_ms();

        start_program();
        note_worst(&notes->slowest, "a program", now_ms() - begin);
        begin = now_ms();
        make_and_remove(path);
        note_worst(&notes->slowest, "a file", now_ms() - begin);
        notes->len++;
    }
}

void prober_start_floor(struct prober *p, const char *dir)
{
    if (!prober_fork(p))
        return;
    probe_floor(p->notes, dir);
    _exit(0);
}

double prober_finish_floor(struct prober *p)
{
    const struct worst worst = (p->notes->stop = 1, waitpid(p->pid, NULL, 0), p->notes->slowest);

    cr_assert_gt(p->notes->len, 0, "the floor was not measured");
    (void) printf("the machine: %s took %.2f ms at the longest\n", worst.path, worst.ms);
    (void) munmap(p->notes, sizeof(*p->notes));
    return worst.ms;
}

static int by_size(const void *a, const void *b)
{
    const float x = *(const float *) a, y = *(const float *) b;

    return (x > y) - (x < y);
}

bool prober_finish(struct prober *p, const char *name, double floor_ms)
{
    struct prober_notes *notes = p->notes;
    bool busy, in_time;
    double p99;

    notes->stop = 1;
    cr_assert_eq(waitpid(p->pid, NULL, 0), p->pid);
    cr_assert_str_eq(notes->complaint, "", "%s: %s", name, notes->complaint);
    cr_assert_gt(notes->len, 100, "%s: only %zu answers", name, notes->len);
    qsort(notes->ms, notes->len, sizeof(notes->ms[0]), by_size);
    p99 = (double) notes->ms[notes->len * 99 / 100];
    (void) printf("%s: %zu answers, median %.2f ms, p99 %.2f ms, slowest %.2f ms (%s), without the "
                  "wait for a CPU %.2f ms (%s)\n",
                  name, notes->len, (double) notes->ms[notes->len / 2], p99, notes->slowest.ms,
                  notes->slowest.path, notes->own.ms, notes->own.path);
    busy = notes->wait.ms >= PROBER_LIMIT_MS || floor_ms >= PROBER_LIMIT_MS;
    in_time = p99 < PROBER_LIMIT_MS && (busy || notes->own.ms < PROBER_LIMIT_MS);
    if (busy)
        (void) printf("%s: the machine is busy (a CPU was to be had after %.2f ms): the slowest is "
                      "not judged\n",
                      name, notes->wait.ms);
    (void) fflush(stdout);
    (void) munmap(notes, sizeof(*notes));
    return in_time;
}
