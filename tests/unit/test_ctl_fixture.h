#pragma once

/*
 * test_ctl_fixture.h - quellctl itself, run against a server that follows a script: it checks each
 * request and gives the canned answer. The server is a child; its verdict is its exit status.
 */
#include "http/http_server.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_MAX 65536

/* One exchange: what quellctl must ask, and what it is told. Queries are compared as "?name=value"
   of those in query_names, in that order. */
struct exchange {
    const char *asks; /* "GET /v1/tasks?limit=500" */
    const char *body; /* of a POST; NULL: not compared */
    int status;       /* 0: the server dies instead */
    const char *answer;
};

struct script {
    const struct exchange *exchanges; /* ends with one whose asks is NULL */
    size_t next;
    int verdict; /* a pipe, for what was wrong */
};

struct outcome {
    int status; /* exit status, or 1000 + signal */
    char out[TEXT_MAX];
    char err[TEXT_MAX];
    char terminal[TEXT_MAX]; /* what of both went to a terminal */
    char verdict[TEXT_MAX];  /* of the server: "" when all went by the script */
};

static char test_dir[64];
static char test_socket[80];

static void describe(struct http_request *request, char *ret, size_t size)
{
    static const char *const query_names[] = {"job_id", "node",    "status", "limit",
                                              "after",  "wait_ms", "follow"};
    size_t used = (size_t) snprintf(ret, size, "%s %s", http_request_method(request),
                                    http_request_path(request));
    char separator = '?';

    for (size_t i = 0; i < sizeof(query_names) / sizeof(query_names[0]); i++) {
        const char *value = http_request_query(request, query_names[i]);

        if (!value)
            continue;
        used +=
            (size_t) snprintf(ret + used, size - used, "%c%s=%s", separator, query_names[i], value);
        separator = '&';
    }
}

static void complain(const struct script *script, const char *what, const char *got,
                     const char *want)
{
    (void) dprintf(script->verdict, "exchange %zu: %s %s instead of %s\n", script->next, what, got,
                   want ? want : "nothing");
}

static void on_scripted_request(void *arg, struct http_request *request)
{
    struct script *script = arg;
    const struct exchange *exchange = &script->exchanges[script->next];
    char asks[4096];
    char body[4096];
    size_t body_len;
    const void *bytes = http_request_body(request, &body_len);

    describe(request, asks, sizeof(asks));
    (void) snprintf(body, sizeof(body), "%.*s", (int) body_len, (const char *) bytes);
    if (!exchange->asks || strcmp(asks, exchange->asks) != 0) {
        complain(script, "was asked", asks, exchange->asks);
        http_reply(request, 500, NULL, NULL, 0);
        return;
    }
    if (exchange->body && strcmp(body, exchange->body) != 0)
        complain(script, "was given", body, exchange->body);
    script->next++;
    if (exchange->status == 0)
        _exit(0);
    http_reply(request, exchange->status, "application/json", exchange->answer,
               strlen(exchange->answer));
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    (void) event_base_loopbreak(arg);
}

/* The child: serves until the parent closes its end of @stop. */
static void serve(const struct exchange *exchanges, int verdict, int stop, int ready)
{
    struct script script = {.exchanges = exchanges, .verdict = verdict};
    const struct http_server_options options = {.path = test_socket,
                                                .mode = 0600,
                                                .body_max = 1 << 20,
                                                .header_max = 65536,
                                                .connections_max = 16,
                                                .request_timeout_ms = 10000};
    struct event_base *base = event_base_new();
    struct event *stopped = event_new(base, stop, EV_READ, on_stop, base);
    struct http_server *server = NULL;
    struct err err = {0};

    (void) signal(SIGPIPE, SIG_IGN);
    (void) event_add(stopped, NULL);
    if (http_server_open(base, &options, on_scripted_request, &script, &server, &err) < 0)
        (void) dprintf(verdict, "%s\n", err.text);
    (void) close(ready);
    (void) event_base_dispatch(base);
    if (exchanges[script.next].asks)
        complain(&script, "was asked no more", "", exchanges[script.next].asks);
    (void) http_server_close(server);
    event_free(stopped);
    event_base_free(base);
    _exit(0);
}

static int memory_file(void)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    cr_assert_geq(fd, 0);
    return fd;
}

static void read_memory_file(int fd, char ret[TEXT_MAX])
{
    ssize_t n = pread(fd, ret, TEXT_MAX - 1, 0);

    ret[n > 0 ? n : 0] = '\0';
    (void) close(fd);
}

static int exit_status(pid_t pid)
{
    int status;

    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static const char *program = QUELLCTL;

/* What of the program is on a terminal. */
static struct {
    const char *term; /* $TERM; NULL: not set */
    bool out;
    bool err;
    unsigned short columns;
} terminal;

/* All that is left in it, once nobody else holds it. */
static void read_terminal(int fd, char ret[TEXT_MAX])
{
    size_t len = 0;
    ssize_t n;

    while ((n = read(fd, ret + len, TEXT_MAX - 1 - len)) > 0)
        len += (size_t) n;
    ret[len] = '\0';
    (void) close(fd);
}

/* Runs the real program. @argv begins behind its name and ends with NULL. */
static void run_program(char *const *argv, char *const *env, struct outcome *ret)
{
    char *words[64] = {(char *) program};
    posix_spawn_file_actions_t actions;
    int out = memory_file();
    int err = memory_file();
    struct winsize size = {.ws_row = 24, .ws_col = terminal.columns};
    int master;
    int slave;
    pid_t pid;
    size_t n = 1;

    while (*argv)
        words[n++] = *argv++;
    cr_assert_eq(openpty(&master, &slave, NULL, NULL, &size), 0);
    (void) fcntl(master, F_SETFD, FD_CLOEXEC);
    (void) fcntl(slave, F_SETFD, FD_CLOEXEC);
    cr_assert_eq(posix_spawn_file_actions_init(&actions), 0);
    (void) posix_spawn_file_actions_adddup2(&actions, terminal.out ? slave : out, 1);
    (void) posix_spawn_file_actions_adddup2(&actions, terminal.err ? slave : err, 2);
    cr_assert_eq(posix_spawn(&pid, program, &actions, NULL, words, env), 0);
    (void) posix_spawn_file_actions_destroy(&actions);
    ret->status = exit_status(pid);
    (void) close(slave);
    read_terminal(master, ret->terminal);
    read_memory_file(out, ret->out);
    read_memory_file(err, ret->err);
}

/* Runs it against a server that follows @exchanges, with --head and $QUELL_AGENT at its socket. */
static void run_scripted(const struct exchange *exchanges, char *const *argv, struct outcome *ret)
{
    char head[160];
    char agent[160];
    char term[64];
    char *env[] = {head, agent, (char *) "http_proxy=http://127.0.0.1:1/",
                   terminal.term ? term : NULL, NULL};
    int verdict = memory_file();
    int stop[2];
    int ready[2];
    char byte;
    pid_t pid;

    (void) snprintf(head, sizeof(head), "QUELL_HEAD=%s", test_socket);
    (void) snprintf(agent, sizeof(agent), "QUELL_AGENT=%s", test_socket);
    (void) snprintf(term, sizeof(term), "TERM=%s", terminal.term ? terminal.term : "");
    cr_assert_eq(pipe2(stop, O_CLOEXEC), 0);
    cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        (void) close(stop[1]);
        (void) close(ready[0]);
        serve(exchanges, verdict, stop[0], ready[1]);
    }
    (void) close(stop[0]);
    (void) close(ready[1]);
    cr_assert_eq(read(ready[0], &byte, 1), 0);
    (void) close(ready[0]);

    run_program(argv, env, ret);
    (void) close(stop[1]);
    cr_expect_eq(exit_status(pid), 0, "the server died");
    read_memory_file(verdict, ret->verdict);
    (void) unlink(test_socket);
    (void) snprintf(head, sizeof(head), "%s.lock", test_socket);
    (void) unlink(head);
}

static void make_test_dir(void)
{
    strcpy(test_dir, "/tmp/quell-test-XXXXXX");
    cr_assert_not_null(mkdtemp(test_dir));
    (void) snprintf(test_socket, sizeof(test_socket), "%s/s", test_dir);
}

static void remove_test_dir(void)
{
    (void) unlink(test_socket);
    cr_expect_eq(rmdir(test_dir), 0, "something was left in %s", test_dir);
}
