#pragma once

/*
 * program.h - a program of Quell as a child of the test: started, watched by its log, ended.
 * What goes wrong ends the test, and shows the log.
 */
#include <stddef.h>
#include <sys/types.h>

#define DEADLINE_MS 60000 /* for what happens at once when all is well, on a machine under load */

struct program {
    char name[48]; /* for sentences */
    pid_t pid;     /* 0: not running */
    int pidfd;
    int log_fd;   /* the reading end of its stderr, the same for all its runs */
    int write_fd; /* and the writing end: supervisors may outlive the program */
    char *log;    /* NUL-terminated */
    size_t log_len;
    size_t log_seen; /* how much of it program_await() is through with */
};

/* Of one child process, before exec. */
struct program_child {
    const char *mark; /* "NAME=value" for its environment; NULL: none */
    int (*prepare)(
        void *arg); /* as another user, in another namespace; not 0: it exits with that */
    void *arg;
};

void program_init(struct program *p, const char *name);
/* stdout and stderr go to the log. */
void program_start(struct program *p, const char *const *argv, const struct program_child *child);
/* Waits until its log says @text, behind what an earlier call found. It must not end meanwhile. */
void program_await(struct program *p, const char *text);
void program_signal(const struct program *p, int signal);
/* Waits for its end and returns the wait status. */
int program_wait(struct program *p);
/* SIGTERM, and it must end with exit status 0. */
void program_end(struct program *p);
void program_kill(struct program *p); /* SIGKILL, and gone */
/* All that it has logged so far. */
const char *program_log(struct program *p);
void program_done(struct program *p);

/* Waits until @fd is readable; not 0 when it is not within the deadline. */
int wait_readable(int fd);
