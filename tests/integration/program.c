#include "tests/integration/program.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOG_PIPE_SIZE (1 << 20) /* nobody reads it while the test does something else */

void program_init(struct program *p, const char *name)
{
    int fds[2];

    *p = (struct program){.pidfd = -1};
    (void) snprintf(p->name, sizeof(p->name), "%s", name);
    cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
    p->log_fd = fds[0];
    p->write_fd = fds[1];
    (void) fcntl(p->log_fd, F_SETFL, O_NONBLOCK);
    (void) fcntl(p->log_fd, F_SETPIPE_SZ, LOG_PIPE_SIZE);
    p->log = calloc(1, 1);
    cr_assert_not_null(p->log);
}

static void program_exec(const struct program *p, const char *const *argv,
                         const struct program_child *child)
{
    char *mark = child && child->mark ? strdup(child->mark) : NULL;
    sigset_t none;

    (void) sigemptyset(&none);
    (void) sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(p->write_fd, STDOUT_FILENO) < 0 || dup2(p->write_fd, STDERR_FILENO) < 0)
        _exit(120);
    (void) syscall(SYS_close_range, 3, ~0u, 0); /* Criterion's too */
    if (mark)
        (void) putenv(mark);
    if (child && child->prepare) {
        const int r = child->prepare(child->arg);

        if (r != 0)
            _exit(r);
    }
    (void) execvp(argv[0], (char *const *) argv);
    (void) dprintf(STDERR_FILENO, "execute %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

void program_start(struct program *p, const char *const *argv, const struct program_child *child)
{
    cr_assert_eq(p->pid, 0, "%s runs already", p->name);
    (void) program_log(p);
    p->log_seen = p->log_len;
    p->pid = fork();
    cr_assert_geq(p->pid, 0);
    if (p->pid == 0)
        program_exec(p, argv, child);
    p->pidfd = (int) syscall(SYS_pidfd_open, p->pid, 0);
    cr_assert_geq(p->pidfd, 0, "pidfd_open: %s", strerror(errno));
}

const char *program_log(struct program *p)
{
    char chunk[16384];
    ssize_t n;

    while ((n = read(p->log_fd, chunk, sizeof(chunk))) > 0) {
        char *grown = realloc(p->log, p->log_len + (size_t) n + 1);

        if (!grown)
            break;
        p->log = grown;
        memcpy(p->log + p->log_len, chunk, (size_t) n);
        p->log_len += (size_t) n;
        p->log[p->log_len] = '\0';
    }
    return p->log;
}

static int remaining_ms(const struct timespec *until)
{
    struct timespec now;
    long long ms;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    ms = (until->tv_sec - now.tv_sec) * 1000LL + (until->tv_nsec - now.tv_nsec) / 1000000;
    return ms < 0 ? 0 : (int) ms;
}

void program_await(struct program *p, const char *text)
{
    struct pollfd fds[] = {{.fd = p->log_fd, .events = POLLIN}, {.fd = p->pidfd, .events = POLLIN}};
    struct timespec until;

    (void) clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += DEADLINE_MS / 1000;
    for (;;) {
        const char *found = strstr(program_log(p) + p->log_seen, text);

        if (found) {
            p->log_seen = (size_t) (found - p->log) + strlen(text);
            return;
        }
        cr_assert_eq(fds[1].revents, 0, "%s ended and never said \"%s\":\n%s", p->name, text,
                     p->log);
        cr_assert_gt(poll(fds, 2, remaining_ms(&until)), 0, "%s never said \"%s\":\n%s", p->name,
                     text, p->log);
    }
}

void program_signal(const struct program *p, int signal)
{
    cr_assert_gt(p->pid, 0, "%s does not run", p->name);
    cr_assert_eq(syscall(SYS_pidfd_send_signal, p->pidfd, signal, NULL, 0), 0, "%s: %s", p->name,
                 strerror(errno));
}

int program_wait(struct program *p)
{
    int status = -1;

    cr_assert_gt(p->pid, 0, "%s does not run", p->name);
    cr_assert_eq(wait_readable(p->pidfd), 0, "%s does not end:\n%s", p->name, program_log(p));
    cr_assert_eq(waitpid(p->pid, &status, 0), p->pid);
    (void) close(p->pidfd);
    p->pidfd = -1;
    p->pid = 0;
    return status;
}

void program_end(struct program *p)
{
    int status;

    program_signal(p, SIGTERM);
    status = program_wait(p);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0,
              "%s ended with wait status 0x%x on SIGTERM:\n%s", p->name, (unsigned) status,
              program_log(p));
}

void program_kill(struct program *p)
{
    program_signal(p, SIGKILL);
    (void) program_wait(p);
}

void program_done(struct program *p)
{
    if (p->pidfd >= 0)
        (void) close(p->pidfd);
    (void) close(p->log_fd);
    (void) close(p->write_fd);
    free(p->log);
    *p = (struct program){.pidfd = -1, .log_fd = -1, .write_fd = -1};
}

int wait_readable(int fd)
{
    struct pollfd event = {.fd = fd, .events = POLLIN};
    int n;

    do
        n = poll(&event, 1, DEADLINE_MS);
    while (n < 0 && errno == EINTR);
    return n > 0 ? 0 : -1;
}
