/*
 * actor WORD...: a task that does what each word says, in order, and exits 0 behind the last:
 *   say=TEXT      prints TEXT as a line
 *   touch=PATH    makes the file
 *   on-term=CODE  from now on SIGTERM makes it exit with CODE
 *   daemon=TEXT   leaves a daemon behind, of a session of its own; when it is there, prints TEXT
 *   read=PATH     opens it and reads a line (from a FIFO: waits for one)
 *   await-term=TEXT  prints TEXT, waits for SIGTERM, and goes on
 *   eat=MIB       takes so much memory, and keeps it
 *   core          from now on it may dump core
 *   spin          computes, until a signal
 *   hold          does nothing, until a signal
 *   raise=N       sends itself signal N
 *   thread=N      a thread of its own gets signal N, and the main one waits
 *   exit=CODE
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t term_code;

static void on_term(int signal)
{
    (void) signal;
    _exit(term_code);
}

static int number(const char *text)
{
    return (int) strtol(text, NULL, 10);
}

static __attribute__((noreturn)) void fail(const char *what)
{
    perror(what);
    exit(125);
}

static void say(const char *text)
{
    (void) printf("%s\n", text);
    (void) fflush(stdout);
}

static void hold(void)
{
    for (;;)
        (void) pause();
}

static void leave_daemon(const char *text)
{
    const pid_t child = fork();

    if (child < 0)
        fail("fork");
    if (child == 0) {
        if (setsid() < 0)
            _exit(1);
        switch (fork()) {
        case -1:
            _exit(1);
        case 0:
            say(text);
            hold();
        default:
            _exit(0);
        }
    }
    if (waitpid(child, NULL, 0) != child)
        fail("waitpid");
}

static void read_line(const char *path)
{
    char text[64];
    const int fd = open(path, O_RDONLY);

    if (fd < 0)
        fail(path);
    while (read(fd, text, sizeof(text)) < 0)
        if (errno != EINTR)
            fail(path);
    (void) close(fd);
}

static void touch(const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT, 0666);

    if (fd < 0)
        fail(path);
    (void) close(fd);
}

static void await_term(const char *text)
{
    sigset_t term;
    int signo;

    (void) sigemptyset(&term);
    (void) sigaddset(&term, SIGTERM);
    (void) sigprocmask(SIG_BLOCK, &term, NULL);
    say(text);
    (void) sigwait(&term, &signo);
}

static void eat(int mib)
{
    for (; mib > 0; mib--) {
        char *piece = malloc(1 << 20);

        if (!piece)
            fail("malloc");
        (void) memset(piece, 1, 1 << 20);
        __asm__ volatile("" : : "r"(piece) : "memory"); /* it is used, for all the compiler knows */
    }
}

static void allow_core(void)
{
    struct rlimit core;

    if (getrlimit(RLIMIT_CORE, &core) < 0)
        fail("getrlimit");
    core.rlim_cur = core.rlim_max;
    if (setrlimit(RLIMIT_CORE, &core) < 0)
        fail("setrlimit");
}

static void *raise_in_thread(void *arg)
{
    (void) pthread_kill(pthread_self(), number(arg));
    return NULL;
}

static void begin_thread(const char *signo)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, raise_in_thread, (void *) signo) != 0)
        fail("pthread_create");
    hold();
}

/* What is behind "name=" in @word, or NULL. */
static const char *value_of(const char *word, const char *name)
{
    const size_t len = strlen(name);

    return strncmp(word, name, len) == 0 && word[len] == '=' ? word + len + 1 : NULL;
}

static void act(const char *word)
{
    const char *value;

    if ((value = value_of(word, "say"))) {
        say(value);
    } else if ((value = value_of(word, "touch"))) {
        touch(value);
    } else if ((value = value_of(word, "on-term"))) {
        term_code = number(value);
        (void) signal(SIGTERM, on_term);
    } else if ((value = value_of(word, "daemon"))) {
        leave_daemon(value);
    } else if ((value = value_of(word, "read"))) {
        read_line(value);
    } else if ((value = value_of(word, "await-term"))) {
        await_term(value);
    } else if ((value = value_of(word, "eat"))) {
        eat(number(value));
    } else if (strcmp(word, "core") == 0) {
        allow_core();
    } else if (strcmp(word, "spin") == 0) {
        for (;;)
            __asm__ volatile("");
    } else if (strcmp(word, "hold") == 0) {
        hold();
    } else if ((value = value_of(word, "raise"))) {
        (void) raise(number(value));
    } else if ((value = value_of(word, "thread"))) {
        begin_thread(value);
    } else if ((value = value_of(word, "exit"))) {
        exit(number(value));
    } else {
        (void) fprintf(stderr, "actor: what is %s?\n", word);
        exit(124);
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        act(argv[i]);
    return 0;
}
