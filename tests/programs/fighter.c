/*
 * fighter N: a task that fights back, N processes in all. Every one ignores SIGTERM (and SIGHUP and
 * SIGINT); all but the leader are daemons: forked twice, each in a session of its own. When all are
 * there, the leader prints "ready N" and then does nothing, as they do, until SIGKILL.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void ignore_signals(void)
{
    (void) signal(SIGTERM, SIG_IGN);
    (void) signal(SIGHUP, SIG_IGN);
    (void) signal(SIGINT, SIG_IGN);
}

static void fight(void)
{
    for (;;)
        (void) pause();
}

/* Forks a daemon, which says by a byte in the pipe that it is there. */
static int add_daemon(int ready_fd)
{
    const pid_t child = fork();

    if (child < 0)
        return -1;
    if (child == 0) {
        if (setsid() < 0)
            _exit(1);
        switch (fork()) {
        case -1:
            _exit(1);
        case 0:
            break;
        default:
            _exit(0);
        }
        if (setsid() < 0 || write(ready_fd, "r", 1) != 1)
            _exit(1);
        (void) close(ready_fd);
        fight();
    }
    return waitpid(child, NULL, 0) == child ? 0 : -1;
}

int main(int argc, char **argv)
{
    const long count = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
    int pipefd[2];
    char byte;

    if (count < 1 || count > 100000) {
        (void) fprintf(stderr, "usage: fighter N (processes in all, 1 to 100000)\n");
        return 2;
    }
    ignore_signals();
    if (pipe(pipefd) < 0) {
        perror("fighter: pipe");
        return 1;
    }
    for (long i = 1; i < count; i++)
        if (add_daemon(pipefd[1]) < 0) {
            perror("fighter: fork");
            return 1;
        }
    for (long i = 1; i < count; i++)
        while (read(pipefd[0], &byte, 1) != 1)
            if (errno != EINTR) {
                perror("fighter: read");
                return 1;
            }
    (void) printf("ready %ld\n", count);
    (void) fflush(stdout);
    fight();
}
