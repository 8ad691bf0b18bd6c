#pragma once

/*
 * test_head_fixture.h - quell-head as it is run: a process in a temporary place, asked over its
 * socket, and a node that speaks the wire.
 */
#include "test_libquell_rig.h"

#include "base/clock.h"
#include "base/fdio.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

static struct rig rig; /* its directory and address only: the head is a process */
static struct peer peer;
static char socket_path[96], config[96];
static pid_t head;

/* ---- the program ---- */

struct run {
    int status; /* exit code, or -signal */
    char out[4096];
    char err[4096];
};

static inline void read_file(const char *name, char *buffer, size_t size)
{
    char path[128];
    int fd;

    (void) snprintf(path, sizeof(path), "%s/%s", rig.dir, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    memset(buffer, 0, size);
    cr_assert_geq(fdio_read(fd, buffer, size - 1), 0);
    (void) close(fd);
}

static inline pid_t spawn(const char *const *args)
{
    posix_spawn_file_actions_t actions;
    char out[128], err[128];
    const char *argv[32] = {QUELL_HEAD};
    pid_t pid;

    for (size_t i = 0; args[i]; i++)
        argv[i + 1] = args[i];
    (void) snprintf(out, sizeof(out), "%s/out", rig.dir);
    (void) snprintf(err, sizeof(err), "%s/err", rig.dir);
    (void) posix_spawn_file_actions_init(&actions);
    (void) posix_spawn_file_actions_addopen(&actions, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    (void) posix_spawn_file_actions_addopen(&actions, 2, err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    cr_assert_eq(posix_spawn(&pid, QUELL_HEAD, &actions, NULL, (char *const *) argv, environ), 0);
    (void) posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static inline int finish(pid_t pid)
{
    int status;

    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline struct run run(const char *const *args)
{
    struct run ret = {.status = finish(spawn(args))};

    read_file("out", ret.out, sizeof(ret.out));
    read_file("err", ret.err, sizeof(ret.err));
    return ret;
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static inline void make_place(void)
{
    char nodes[96];

    rig = (struct rig){.heartbeat_ms = 5000};
    (void) snprintf(rig.dir, sizeof(rig.dir), "/tmp/quell-head-XXXXXX");
    cr_assert(mkdtemp(rig.dir));
    cr_assert_eq(chmod(rig.dir, 0711), 0);
    (void) snprintf(nodes, sizeof(nodes), "%s/nodes", rig.dir);
    cr_assert_eq(mkdir(nodes, 0700), 0);
    (void) snprintf(rig.state_dir, sizeof(rig.state_dir), "%s/state", rig.dir);
    (void) snprintf(rig.url, sizeof(rig.url), "ipc://%s/head.ipc", nodes);
    (void) snprintf(socket_path, sizeof(socket_path), "%s/head.sock", rig.dir);
    (void) snprintf(config, sizeof(config), "%s/head.conf", rig.dir);
}

/* Also after a test that has failed, with its head still there. */
static inline void remove_place(void)
{
    if (head > 0) {
        (void) kill(head, SIGKILL);
        (void) waitpid(head, NULL, 0);
    }
    rig_remove_tree(rig.dir);
}

static inline void write_config(const char *text)
{
    int fd = open(config, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    cr_assert_eq(fdio_write(fd, text, strlen(text)), 0);
    (void) close(fd);
}

/* ---- HTTP ---- */

static inline int connect_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    if (connect(fd, (struct sockaddr *) &address, sizeof(address)) == 0)
        return fd;
    (void) close(fd);
    return -1;
}

static inline void start_head(void)
{
    const char *const args[] = {"--listen",    rig.url,    "--socket", socket_path, "--state-dir",
                                rig.state_dir, "--config", config,     NULL};
    uint64_t until_us = clock_mono_us() + RIG_WAIT_MS * 1000;
    int fd;

    head = spawn(args);
    while ((fd = connect_socket()) < 0) {
        if (clock_mono_us() >= until_us) {
            char log[4096];

            read_file("err", log, sizeof(log));
            remove_place();
            cr_assert_fail("the head does not come up: %s", log);
        }
        (void) poll(NULL, 0, 5);
    }
    (void) close(fd);
}

static inline void stop_head(void)
{
    if (head <= 0)
        return;
    (void) kill(head, SIGTERM);
    cr_expect_eq(finish(head), 0, "the head's end");
    head = 0;
}

struct http {
    int status;
    json_t *json; /* NULL: it was none */
    char text[65536];
};

static inline void talk(const char *method, const char *path, const char *body, char *answer,
                        size_t size)
{
    static char request[70000];
    int fd = connect_socket();
    ssize_t len;

    cr_assert_geq(fd, 0);
    (void) snprintf(
        request, sizeof(request),
        "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", method,
        path, strlen(body), body);
    cr_assert_eq(fdio_write(fd, request, strlen(request)), 0);
    len = fdio_read(fd, answer, size - 1);
    cr_assert_geq(len, 0);
    answer[len] = '\0';
    (void) close(fd);
}

/* The same as somebody else: credentials are those of the process that connects. */
static inline void talk_as(uid_t uid, const char *method, const char *path, const char *body,
                           char *answer, size_t size)
{
    int fds[2];
    ssize_t len;
    pid_t pid;

    cr_assert_eq(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        if (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
            _exit(1);
        talk(method, path, body, answer, size);
        (void) fdio_write(fds[1], answer, strlen(answer));
        _exit(0);
    }
    (void) close(fds[1]);
    len = fdio_read(fds[0], answer, size - 1);
    answer[len] = '\0';
    (void) close(fds[0]);
    cr_assert_eq(finish(pid), 0);
}

static inline struct http *ask_as(uid_t uid, const char *method, const char *path, const char *body)
{
    static struct http http;
    const char *start;

    if (http.json)
        json_decref(http.json);
    if (uid == geteuid())
        talk(method, path, body, http.text, sizeof(http.text));
    else
        talk_as(uid, method, path, body, http.text, sizeof(http.text));
    cr_assert_eq(strncmp(http.text, "HTTP/1.1 ", 9), 0, "%s", http.text);
    http.status = (int) strtol(http.text + 9, NULL, 10);
    start = strstr(http.text, "\r\n\r\n");
    cr_assert(start);
    http.json = json_loads(start + 4, 0, NULL);
    return &http;
}

static inline struct http *ask(const char *method, const char *path, const char *body)
{
    return ask_as(geteuid(), method, path, body);
}

static inline const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));

    return text ? text : "(none)";
}

static inline void expect_error(const struct http *http, int status, const char *code,
                                const char *text)
{
    const json_t *error = json_object_get(http->json, "error");

    cr_expect_eq(http->status, status, "%s", http->text);
    cr_expect_str_eq(text_of(error, "code"), code, "%s", http->text);
    cr_expect_str_eq(text_of(error, "text"), text, "%s", http->text);
}

static inline void expect_status(const struct http *http, const char *status)
{
    cr_expect_eq(http->status, 200, "%s", http->text);
    cr_expect_str_eq(text_of(http->json, "status"), status, "%s", http->text);
}

static inline void setup(void)
{
    make_place();
    write_config("[head]\nheartbeat = 5s\n[tasks]\ngrace = 7s\n");
    start_head();
    peer_connect(&peer, &rig, "n1");
    peer_hello(&peer, NULL, 0);
}

static inline void teardown(void)
{
    peer_close(&peer);
    stop_head();
    remove_place();
}

#define TASK_N1 "{\"node\":\"n1\",\"command\":[\"/bin/true\"]}"

struct bad_body {
    const char *body;
    const char *text;
};
