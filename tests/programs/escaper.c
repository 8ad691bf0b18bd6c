/*
 * escaper leader|child|thread PROCS: moves a process into the group with this file PROCS (a task of
 * root can). When it is there, prints "out PID".
 *   leader  it moves itself
 *   child   it moves a child, whose main thread then ends while another one goes on
 *   thread  nothing is moved, but its own main thread ends while another one goes on
 * Waits until it is killed.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_t main_thread;

static void fail(const char *what)
{
    perror(what);
    exit(125);
}

static void say_out(void)
{
    (void) printf("out %d\n", (int) getpid());
    (void) fflush(stdout);
}

static void hold(void)
{
    for (;;)
        (void) pause();
}

static void leave(const char *procs)
{
    const int fd = open(procs, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, "0", 1) != 1)
        fail(procs);
    (void) close(fd);
}

static void *go_on(void *arg)
{
    (void) pthread_join(main_thread, NULL);
    say_out();
    hold();
    return arg;
}

static void go_on_without_main_thread(void)
{
    pthread_t thread;

    main_thread = pthread_self();
    if (pthread_create(&thread, NULL, go_on, NULL) != 0)
        fail("pthread_create");
    pthread_exit(NULL);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 124;
    if (strcmp(argv[1], "leader") == 0) {
        leave(argv[2]);
        say_out();
    } else if (strcmp(argv[1], "thread") == 0) {
        go_on_without_main_thread();
    } else {
        const pid_t child = fork();

        if (child < 0)
            fail("fork");
        if (child == 0) {
            leave(argv[2]);
            go_on_without_main_thread();
        }
    }
    hold();
}
