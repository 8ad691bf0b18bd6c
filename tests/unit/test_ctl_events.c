/* quellctl events against a server that sends one byte after the other, under the test's hand. */
#include "ctl/client.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPLY_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
#define CHUNKED    REPLY_HEAD "Transfer-Encoding: chunked\r\n\r\n"
#define EVENT(id)                                                                                  \
    "id: " id "\ndata: {\"event_id\": " id ", \"time\": \"2026-11-22T20:00:00.123456Z\","          \
    " \"job_id\": 7, \"task_id\": 1, \"attempt\": " id ", \"node\": \"n1\","                       \
    " \"status\": \"TaskStatus_Running\"}\n\n"
#define LINE(id) "2026-11-22T20:00:00.123456Z 7.1." id " TaskStatus_Running n1\n"

static char test_dir[64];
static char test_socket[80];
static int listening = -1;

static void begin(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void) snprintf(test_dir, sizeof(test_dir), "/tmp/quell-test-XXXXXX");
    cr_assert_not_null(mkdtemp(test_dir));
    (void) snprintf(test_socket, sizeof(test_socket), "%s/s", test_dir);
    (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", test_socket);
    listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(listening, (struct sockaddr *) &address, sizeof(address)), 0);
    cr_assert_eq(listen(listening, 4), 0);
}

static void end(void)
{
    (void) close(listening);
    (void) unlink(test_socket);
    cr_expect_eq(rmdir(test_dir), 0);
}

TestSuite(ctl_events, .init = begin, .fini = end, .timeout = 60);

struct run {
    pid_t pid;
    int out; /* what it prints, and says */
    int err;
    int connection;
    char request[4096];
};

/* Reads until the text ends with @end. False at the end of the file. */
static bool read_until(int fd, const char *end, char *ret, size_t size)
{
    size_t len = 0;

    while (len + 1 < size && read(fd, ret + len, 1) == 1) {
        ret[++len] = '\0';
        if (len >= strlen(end) && strcmp(ret + len - strlen(end), end) == 0)
            return true;
    }
    ret[len] = '\0';
    return false;
}

static void start(struct run *run, const char *head, const char *agent, const char *const *words)
{
    posix_spawn_file_actions_t actions;
    char *argv[16] = {(char *) "quellctl"};
    char *env[3] = {(char *) head, (char *) agent, NULL};
    int out[2];
    int err[2];

    for (size_t i = 0; words[i]; i++)
        argv[i + 1] = (char *) words[i];
    cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
    cr_assert_eq(pipe2(err, O_CLOEXEC), 0);
    cr_assert_eq(posix_spawn_file_actions_init(&actions), 0);
    (void) posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    (void) posix_spawn_file_actions_adddup2(&actions, err[1], 2);
    cr_assert_eq(posix_spawn(&run->pid, QUELLCTL, &actions, NULL, argv, env), 0);
    (void) posix_spawn_file_actions_destroy(&actions);
    (void) close(out[1]);
    (void) close(err[1]);
    run->out = out[0];
    run->err = err[0];
    run->connection = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    cr_assert(read_until(run->connection, "\r\n\r\n", run->request, sizeof(run->request)));
}

static void start_at_head(struct run *run, const char *const *words)
{
    static char head[120];

    (void) snprintf(head, sizeof(head), "QUELL_HEAD=%s", test_socket);
    start(run, head, "QUELL_AGENT=/nowhere", words);
}

static void send_bytes(const struct run *run, const char *bytes)
{
    cr_assert_eq(send(run->connection, bytes, strlen(bytes), MSG_NOSIGNAL),
                 (ssize_t) strlen(bytes));
}

/* In one piece: behind the first of several, the reader may end. */
static void send_chunk(const struct run *run, const char *bytes)
{
    char chunk[4096];

    (void) snprintf(chunk, sizeof(chunk), "%zx\r\n%s\r\n", strlen(bytes), bytes);
    send_bytes(run, chunk);
}

static void expect_line(const struct run *run, const char *want)
{
    char line[4096];

    cr_expect(read_until(run->out, "\n", line, sizeof(line)));
    cr_expect_str_eq(line, want, "%s", line);
}

/* What it says at its end. Exit status, or 1000 + signal. */
static int finish(const struct run *run, char *ret_said, size_t size)
{
    int status;

    (void) read_until(run->err, "\n\n", ret_said, size); /* which never comes */
    cr_assert_eq(waitpid(run->pid, &status, 0), run->pid);
    (void) close(run->out);
    (void) close(run->err);
    (void) close(run->connection);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

Test(ctl_events, each_line_is_there_as_soon_as_its_event_is)
{
    static const char *const words[] = {"events", "--follow", NULL};
    char said[1024];
    struct run run;

    start_at_head(&run, words);
    cr_expect_eq(strncmp(run.request, "GET /v1/events HTTP/1.1\r\n", 25), 0, "%s", run.request);
    send_bytes(&run, CHUNKED);
    send_chunk(&run, "retry: 1000\n\n" EVENT("1"));
    expect_line(&run, LINE("1"));
    send_chunk(&run, ": alive\n\n");
    for (const char *byte = EVENT("2"); *byte; byte++)
        send_chunk(&run, (char[]){*byte, '\0'});
    expect_line(&run, LINE("2"));
    send_chunk(&run, EVENT("3") EVENT("4") "id: 5\ndata: {");
    expect_line(&run, LINE("3"));
    expect_line(&run, LINE("4"));
    (void) shutdown(run.connection, SHUT_RDWR);
    cr_expect_eq(finish(&run, said, sizeof(said)), 3);
    cr_expect(strstr(said, "the connection broke off"), "%s", said);
    cr_expect(strstr(said, "; the last event was 4: go on with --after 4\n"), "%s", said);
}

Test(ctl_events, an_orderly_end_is_no_end_for_one_who_follows)
{
    static const char *const follow[] = {"events", "--follow", "--after", "7", NULL};
    static const char *const once[] = {"events", "--after", "7", NULL};
    char said[1024];
    struct run run;

    start_at_head(&run, follow);
    send_bytes(&run, CHUNKED "0\r\n\r\n");
    cr_expect_eq(finish(&run, said, sizeof(said)), 3);
    cr_expect(strstr(said, "; the last event was 7: go on with --after 7\n"), "%s", said);

    start_at_head(&run, once);
    send_bytes(&run, CHUNKED "0\r\n\r\n");
    cr_expect_eq(finish(&run, said, sizeof(said)), 0);
    cr_expect_str_empty(said);
}

Test(ctl_events, what_broke_off_is_not_all_there_is)
{
    static const char *const words[] = {"events", NULL};
    char said[1024];
    struct run run;

    start_at_head(&run, words);
    send_bytes(&run, CHUNKED);
    send_chunk(&run, EVENT("1"));
    expect_line(&run, LINE("1"));
    (void) shutdown(run.connection, SHUT_RDWR);
    cr_expect_eq(finish(&run, said, sizeof(said)), 3);
    cr_expect(strstr(said, "; the last event was 1: go on with --after 1\n"), "%s", said);
}

static void expect_reader_gone(void)
{
    static const char *const words[] = {"events", "--follow", NULL};
    char said[1024];
    struct run run;

    start_at_head(&run, words);
    send_bytes(&run, CHUNKED);
    send_chunk(&run, EVENT("1"));
    expect_line(&run, LINE("1"));
    (void) close(run.out);
    run.out = -1;
    send_chunk(&run, EVENT("2"));
    cr_expect_eq(finish(&run, said, sizeof(said)), 1000 + SIGPIPE);
    cr_expect_str_empty(said, "%s", said);
}

Test(ctl_events, who_reads_no_more_ends_it_without_a_word)
{
    expect_reader_gone();
    (void) signal(SIGPIPE, SIG_IGN); /* which is inherited */
    expect_reader_gone();
}

Test(ctl_events, ctrl_c_ends_it)
{
    static const char *const words[] = {"events", "--follow", NULL};
    char said[1024];
    struct run run;

    start_at_head(&run, words);
    send_bytes(&run, CHUNKED);
    send_chunk(&run, EVENT("1"));
    expect_line(&run, LINE("1"));
    cr_expect_eq(kill(run.pid, SIGINT), 0);
    cr_expect_eq(finish(&run, said, sizeof(said)), 1000 + SIGINT);
    cr_expect_str_empty(said);
}

Test(ctl_events, with_agent_the_agent_is_asked)
{
    const char *const words[] = {"--agent", test_socket, "events", NULL};
    char said[1024];
    struct run run;

    start(&run, "QUELL_HEAD=/nowhere", "QUELL_AGENT=/nowhere", words);
    cr_expect_eq(strncmp(run.request, "GET /v1/events?follow=0 HTTP/1.1\r\n", 34), 0, "%s",
                 run.request);
    send_bytes(&run, REPLY_HEAD "Content-Length: 0\r\n\r\n");
    cr_expect_eq(finish(&run, said, sizeof(said)), 0);
    cr_expect_str_empty(said);
}

static bool count_bytes(void *arg, const char *bytes, size_t len)
{
    (void) bytes;
    *(size_t *) arg += len;
    return true;
}

/* Another process that says @reply and nothing more, until its client is gone. */
static pid_t serve_and_fall_silent(const char *reply)
{
    pid_t pid = fork();
    char request[4096];
    int fd;

    if (pid != 0)
        return pid;
    fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    if (!read_until(fd, "\r\n\r\n", request, sizeof(request)) ||
        send(fd, reply, strlen(reply), MSG_NOSIGNAL) != (ssize_t) strlen(reply))
        _exit(1);
    _exit(read(fd, request, 1) == 0 ? 0 : 2);
}

static void expect_dead(const char *reply, long want_status, size_t want_len, const char *want)
{
    CLEANUP(client_closep) struct client *client = NULL;
    size_t len = 0;
    const struct client_sink sink = {count_bytes, &len, 50};
    struct client_answer answer;
    struct err err = {0};
    pid_t pid = serve_and_fall_silent(reply);
    int status;

    cr_assert_eq(client_open(test_socket, "quell-head", "--head PATH", &client, &err), 0);
    cr_expect_eq(client_stream(client, "/v1/events", &sink, &answer, &err), -ETIMEDOUT);
    cr_expect_eq(answer.status, want_status, "%ld", answer.status);
    cr_expect_null(answer.body);
    cr_expect_eq(len, want_len, "%zu", len);
    cr_expect(strstr(err.text, want), "%s", err.text);
    client = client_close(client);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect_eq(status, 0, "%#x", (unsigned) status);
}

Test(ctl_events, silence_is_a_dead_connection)
{
    expect_dead("", 0, 0, "no answer from ");
    expect_dead(REPLY_HEAD, 200, 0, "the connection is dead");
    expect_dead(CHUNKED "3\r\n: a\r\n", 200, 3, "the connection is dead: nothing came for ");
    expect_dead("HTTP/1.1 400 Bad\r\nContent-Length: 9\r\n\r\nabc", 400, 0,
                "the connection is dead");
}
