#include "ipc/endpoint.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define PATIENCE_MS 20000

DEFINE_CLEANUP(struct endpoint *, endpoint_close);

static char dir[64];
static char ipc_url[300];
static char tcp_url[128];
static struct err err;

/* A port of the loopback that nobody has now. */
static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *) &address, &len), 0);
    return ntohs(address.sin_port);
}

static void make_addresses(void)
{
    (void) snprintf(dir, sizeof(dir), "/tmp/quell-endpoint-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    (void) snprintf(ipc_url, sizeof(ipc_url), "ipc://%s/head.ipc", dir);
    (void) snprintf(tcp_url, sizeof(tcp_url), "tcp://127.0.0.1:%d", free_port());
}

static void remove_addresses(void)
{
    (void) unlink(ipc_url + strlen("ipc://"));
    (void) chmod(dir, 0700);
    (void) rmdir(dir);
}

TestSuite(endpoint, .init = make_addresses, .fini = remove_addresses);

static bool is_readable(const struct endpoint *endpoint, int timeout_ms)
{
    struct pollfd fd = {.fd = endpoint_fd(endpoint), .events = POLLIN};

    return poll(&fd, 1, timeout_ms) == 1;
}

/* Waits for one message and copies it, with a NUL behind, to @ret. */
static size_t receive(struct endpoint *endpoint, char *ret, size_t size,
                      struct endpoint_route *ret_route)
{
    uint8_t *bytes = NULL;
    size_t len = 0;

    cr_assert(is_readable(endpoint, PATIENCE_MS), "no message came");
    cr_assert_eq(endpoint_receive(endpoint, &bytes, &len, ret_route, &err), 0, "%s", err.text);
    cr_assert_lt(len, size);
    memcpy(ret, bytes, len);
    ret[len] = '\0';
    endpoint_release(bytes);
    return len;
}

/* Sends, waiting for the connection to be made: nanomsg does that in a thread of its own. */
static void send_text(struct endpoint *endpoint, const char *text)
{
    struct pollfd nothing = {.fd = -1};
    int r;

    for (int i = 0; i < PATIENCE_MS / 5; i++) {
        r = endpoint_send(endpoint, (const uint8_t *) text, strlen(text), &err);
        if (r != ENDPOINT_FULL)
            break;
        (void) poll(&nothing, 1, 5);
    }
    cr_assert_eq(r, 0, "%s", err.text);
}

static void answer_text(struct endpoint *head, const struct endpoint_route *route, const char *text)
{
    cr_assert_eq(endpoint_answer(head, route, (const uint8_t *) text, strlen(text), &err), 0, "%s",
                 err.text);
}

static struct endpoint *bind_to(const char *url)
{
    const char *const urls[] = {url};
    struct endpoint *head = NULL;

    cr_assert_eq(endpoint_bind(urls, 1, &head, &err), 0, "%s", err.text);
    return head;
}

static struct endpoint *connect_to(const char *url)
{
    struct endpoint *agent = NULL;

    cr_assert_eq(endpoint_connect(url, &agent, &err), 0, "%s", err.text);
    return agent;
}

Test(endpoint, requests_are_answered_in_any_order)
{
    const char *const urls[] = {ipc_url, tcp_url};

    for (size_t u = 0; u < 2; u++) {
        CLEANUP(endpoint_closep) struct endpoint *head = bind_to(urls[u]);
        CLEANUP(endpoint_closep) struct endpoint *agent = connect_to(urls[u]);
        struct endpoint_route routes[10];
        char text[32];

        for (int i = 0; i < 10; i++) {
            (void) snprintf(text, sizeof(text), "request %d", i);
            send_text(agent, text);
        }
        for (int i = 0; i < 10; i++) {
            char expected[32];

            (void) receive(head, text, sizeof(text), &routes[i]);
            (void) snprintf(expected, sizeof(expected), "request %d", i);
            cr_expect_str_eq(text, expected, "%s: %s", urls[u], text);
        }
        for (int i = 9; i >= 0; i--) {
            (void) snprintf(text, sizeof(text), "answer %d", i);
            answer_text(head, &routes[i], text);
        }
        for (int i = 9; i >= 0; i--) {
            char expected[32];

            (void) receive(agent, text, sizeof(text), NULL);
            (void) snprintf(expected, sizeof(expected), "answer %d", i);
            cr_expect_str_eq(text, expected, "%s: %s", urls[u], text);
        }
    }
}

Test(endpoint, an_answer_finds_its_own_agent)
{
    const char *const urls[] = {ipc_url, tcp_url};
    CLEANUP(endpoint_closep) struct endpoint *head = NULL;
    CLEANUP(endpoint_closep) struct endpoint *a = NULL;
    CLEANUP(endpoint_closep) struct endpoint *b = NULL;
    struct endpoint_route routes[2];
    char text[32];

    cr_assert_eq(endpoint_bind(urls, 2, &head, &err), 0, "%s", err.text);
    a = connect_to(ipc_url);
    b = connect_to(tcp_url);
    send_text(a, "a");
    (void) receive(head, text, sizeof(text), &routes[0]);
    send_text(b, "b");
    (void) receive(head, text, sizeof(text), &routes[1]);
    cr_expect_str_eq(text, "b");
    answer_text(head, &routes[1], "for b");
    answer_text(head, &routes[0], "for a");
    (void) receive(a, text, sizeof(text), NULL);
    cr_expect_str_eq(text, "for a");
    (void) receive(b, text, sizeof(text), NULL);
    cr_expect_str_eq(text, "for b");
    cr_expect_not(is_readable(a, 0));
    cr_expect_not(is_readable(b, 0));
}

Test(endpoint, the_descriptor_is_readable_until_all_is_received)
{
    CLEANUP(endpoint_closep) struct endpoint *head = bind_to(ipc_url);
    CLEANUP(endpoint_closep) struct endpoint *agent = connect_to(ipc_url);
    struct endpoint_route route;
    uint8_t *bytes = NULL;
    size_t len = 0;
    int received = 0;

    cr_expect_eq(endpoint_receive(head, &bytes, &len, &route, &err), ENDPOINT_NONE);
    cr_expect_not(is_readable(head, 0));
    for (int i = 0; i < 100; i++)
        send_text(agent, "x");
    while (received < 100) {
        cr_assert(is_readable(head, PATIENCE_MS), "%d received", received);
        while (endpoint_receive(head, &bytes, &len, &route, &err) == 0) {
            endpoint_release(bytes);
            received++;
        }
    }
    cr_expect_eq(received, 100);
    cr_expect_not(is_readable(head, 0));
}

Test(endpoint, large_messages_go_through_both_ways)
{
    const size_t len = 200 * 1000;
    const char *const urls[] = {ipc_url, tcp_url};
    CLEANUP_FREE char *text = calloc(1, len + 1);
    CLEANUP_FREE char *copy = calloc(1, len + 1);

    cr_assert(text && copy);
    for (size_t i = 0; i < len; i++)
        text[i] = (char) ('a' + i % 26);
    for (size_t u = 0; u < 2; u++) {
        CLEANUP(endpoint_closep) struct endpoint *head = bind_to(urls[u]);
        CLEANUP(endpoint_closep) struct endpoint *agent = connect_to(urls[u]);
        struct endpoint_route route;

        for (int i = 0; i < 5; i++) {
            send_text(agent, text);
            cr_expect_eq(receive(head, copy, len + 1, &route), len);
            cr_expect_str_eq(copy, text);
            answer_text(head, &route, text);
            cr_expect_eq(receive(agent, copy, len + 1, NULL), len);
            cr_expect_str_eq(copy, text);
        }
    }
}

Test(endpoint, an_agent_may_come_before_its_head_and_never_blocks)
{
    const char *const urls[] = {ipc_url, tcp_url};

    for (size_t u = 0; u < 2; u++) {
        CLEANUP(endpoint_closep) struct endpoint *agent = connect_to(urls[u]);
        CLEANUP(endpoint_closep) struct endpoint *head = NULL;
        struct endpoint_route route;
        char text[32];

        cr_expect_eq(endpoint_send(agent, (const uint8_t *) "x", 1, &err), ENDPOINT_FULL);
        head = bind_to(urls[u]);
        send_text(agent, "late");
        (void) receive(head, text, sizeof(text), &route);
        cr_expect_str_eq(text, "late", "%s", urls[u]);
    }
}

Test(endpoint, an_agent_finds_a_head_that_comes_back)
{
    const char *const urls[] = {ipc_url, tcp_url};

    for (size_t u = 0; u < 2; u++) {
        CLEANUP(endpoint_closep) struct endpoint *agent = connect_to(urls[u]);
        CLEANUP(endpoint_closep) struct endpoint *head = bind_to(urls[u]);
        struct endpoint_route route;
        char text[32];
        bool heard = false;

        send_text(agent, "one");
        (void) receive(head, text, sizeof(text), &route);
        head = endpoint_close(head);
        head = bind_to(urls[u]);
        /* What was sent to the old connection is lost: the agent sends again until it is heard. */
        for (int i = 0; i < PATIENCE_MS / 20 && !heard; i++) {
            send_text(agent, "two");
            heard = is_readable(head, 20);
        }
        cr_assert(heard, "%s", urls[u]);
        (void) receive(head, text, sizeof(text), &route);
        cr_expect_str_eq(text, "two", "%s", urls[u]);
    }
}

Test(endpoint, a_full_queue_is_said_and_does_not_block)
{
    CLEANUP(endpoint_closep) struct endpoint *head = bind_to(ipc_url);
    CLEANUP(endpoint_closep) struct endpoint *agent = connect_to(ipc_url);
    CLEANUP_FREE uint8_t *bytes = calloc(1, 200000);
    int sent = 0;

    cr_assert_not_null(bytes);
    send_text(agent, "x");
    while (endpoint_send(agent, bytes, 200000, &err) == 0 && sent < 10000)
        sent++;
    cr_expect_lt(sent, 10000, "nobody reads, and yet all was taken");
    cr_expect_eq(endpoint_send(agent, bytes, 200000, &err), ENDPOINT_FULL);
}

Test(endpoint, an_answer_to_a_closed_agent_is_no_error)
{
    CLEANUP(endpoint_closep) struct endpoint *head = bind_to(ipc_url);
    CLEANUP(endpoint_closep) struct endpoint *other = connect_to(ipc_url);
    struct endpoint *agent = connect_to(ipc_url);
    struct endpoint_route route;
    struct endpoint_route other_route;
    char text[32];

    send_text(agent, "x");
    (void) receive(head, text, sizeof(text), &route);
    agent = endpoint_close(agent);
    for (int i = 0; i < 100; i++)
        answer_text(head, &route, "anybody there?");
    send_text(other, "still served");
    (void) receive(head, text, sizeof(text), &other_route);
    cr_expect_str_eq(text, "still served");
    answer_text(head, &other_route, "yes");
    (void) receive(other, text, sizeof(text), NULL);
    cr_expect_str_eq(text, "yes");
}

Test(endpoint, an_answer_to_a_made_up_route_goes_nowhere)
{
    CLEANUP(endpoint_closep) struct endpoint *head = bind_to(ipc_url);
    CLEANUP(endpoint_closep) struct endpoint *agent = connect_to(ipc_url);
    struct endpoint_route route = {.bytes = {0xff, 0xff, 0xff, 0x7f, 0x80, 0, 0, 1}, .len = 8};
    char text[32];

    answer_text(head, &route, "x");
    route.len = 0;
    answer_text(head, &route, "x");
    route.len = sizeof(route.bytes);
    answer_text(head, &route, "x");
    send_text(agent, "still served");
    (void) receive(head, text, sizeof(text), &route);
    cr_expect_str_eq(text, "still served");
}

/* ---- peers that are not ours ---- */

/* Connects to the head as a REQ peer of nanomsg's wire protocol, by hand. */
static int connect_by_hand(void)
{
    static const uint8_t hello[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint8_t answer[8];
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_port = htons((uint16_t) strtoul(strrchr(tcp_url, ':') + 1, NULL, 10));
    cr_assert_eq(connect(fd, (struct sockaddr *) &address, sizeof(address)), 0);
    cr_assert_eq(send(fd, hello, sizeof(hello), MSG_NOSIGNAL), (ssize_t) sizeof(hello));
    cr_assert_eq(recv(fd, answer, sizeof(answer), MSG_WAITALL), (ssize_t) sizeof(answer));
    cr_assert_eq(answer[5], 0x31, "not a REP");
    return fd;
}

static void send_by_hand(int fd, uint64_t claimed_len, const void *bytes, size_t len)
{
    uint8_t head[8];

    for (int i = 0; i < 8; i++)
        head[i] = (uint8_t) (claimed_len >> (56 - 8 * i));
    cr_assert_eq(send(fd, head, sizeof(head), MSG_NOSIGNAL), (ssize_t) sizeof(head));
    if (len > 0)
        cr_assert_eq(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t) len);
}

Test(endpoint, messages_that_are_no_requests_are_dropped)
{
    CLEANUP(endpoint_closep) struct endpoint *head = bind_to(tcp_url);
    CLEANUP_FD int fd = connect_by_hand();
    uint8_t hops[4 * 40 + 1] = {0};
    struct endpoint_route route;
    char text[32];

    send_by_hand(fd, 0, "", 0);
    send_by_hand(fd, 3, "\x80\0\0", 3);
    send_by_hand(fd, 8, "\0\0\0\1\0\0\0\2", 8); /* a header without its last word */
    hops[4 * 39] = 0x80;
    send_by_hand(fd, sizeof(hops), hops, sizeof(hops));
    send_by_hand(fd, 9, "\x80\0\0\7hello", 9);
    /* Dropping what came before may take several rounds of an event loop. */
    for (;;) {
        uint8_t *bytes = NULL;
        size_t len = 0;
        int r;

        cr_assert(is_readable(head, PATIENCE_MS), "the good one was lost");
        r = endpoint_receive(head, &bytes, &len, &route, &err);
        cr_assert_geq(r, 0, "%s", err.text);
        if (r == ENDPOINT_NONE)
            continue;
        cr_assert_eq(len, 5u);
        cr_expect_eq(memcmp(bytes, "hello", 5), 0);
        endpoint_release(bytes);
        break;
    }
    answer_text(head, &route, "hi");
    cr_expect_eq(recv(fd, text, 14, MSG_WAITALL), 14);
    cr_expect_eq(memcmp(text, "\0\0\0\0\0\0\0\6\x80\0\0\7hi", 14), 0);
}

Test(endpoint, a_request_through_devices_finds_its_way_back)
{
    CLEANUP(endpoint_closep) struct endpoint *head = bind_to(tcp_url);
    CLEANUP_FD int fd = connect_by_hand();
    struct endpoint_route route;
    char text[64];

    send_by_hand(fd, 14, "\0\0\0\1\0\0\0\2\x80\0\0\3hi", 14);
    (void) receive(head, text, sizeof(text), &route);
    cr_expect_str_eq(text, "hi");
    cr_expect_eq(route.len, 16u);
    answer_text(head, &route, "yo");
    cr_expect_eq(recv(fd, text, 22, MSG_WAITALL), 22);
    cr_expect_eq(memcmp(text + 8, "\0\0\0\1\0\0\0\2\x80\0\0\3yo", 14), 0);
}

Test(endpoint, a_forged_length_ends_that_connection_alone)
{
    static const uint64_t lengths[] = {1024 * 1024 + 1, INT64_MAX, UINT64_MAX};
    CLEANUP(endpoint_closep) struct endpoint *head = bind_to(tcp_url);
    CLEANUP(endpoint_closep) struct endpoint *agent = connect_to(tcp_url);
    struct endpoint_route route;
    char text[32];

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        CLEANUP_FD int fd = connect_by_hand();

        send_by_hand(fd, lengths[i], NULL, 0);
        cr_expect_leq(recv(fd, text, 1, 0), 0, "row %zu: not closed", i);
    }
    send_text(agent, "still served");
    (void) receive(head, text, sizeof(text), &route);
    cr_expect_str_eq(text, "still served");
}

/* ---- addresses ---- */

static int try_bind(const char *url)
{
    const char *const urls[] = {url};
    struct endpoint *head = NULL;
    const int r = endpoint_bind(urls, 1, &head, &err);

    cr_expect_eq(r == 0, head != NULL);
    (void) endpoint_close(head);
    return r;
}

Test(endpoint, an_address_in_use_is_said_at_once)
{
    CLEANUP(endpoint_closep) struct endpoint *head = bind_to(ipc_url);
    CLEANUP(endpoint_closep) struct endpoint *other = bind_to(tcp_url);
    CLEANUP(endpoint_closep) struct endpoint *agent = NULL;
    struct endpoint_route route;
    char expected[512];
    char text[32];

    cr_expect_eq(try_bind(ipc_url), -EADDRINUSE, "%s", err.text);
    (void) snprintf(expected, sizeof(expected), "%s: Address already in use", ipc_url);
    cr_expect_str_eq(err.text, expected, "%s", err.text);
    cr_expect_eq(try_bind(tcp_url), -EADDRINUSE, "%s", err.text);
    (void) snprintf(expected, sizeof(expected), "%s: Address already in use", tcp_url);
    cr_expect_str_eq(err.text, expected, "%s", err.text);

    agent = connect_to(ipc_url);
    send_text(agent, "the first one stays");
    (void) receive(head, text, sizeof(text), &route);
}

Test(endpoint, a_socket_file_of_a_dead_head_is_replaced)
{
    const char *path = ipc_url + strlen("ipc://");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CLEANUP(endpoint_closep) struct endpoint *head = NULL;
    CLEANUP(endpoint_closep) struct endpoint *agent = NULL;
    struct endpoint_route route;
    struct stat st;
    char text[32];
    int fd;

    cr_assert_lt(strlen(path), sizeof(address.sun_path));
    memcpy(address.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
    cr_assert_eq(listen(fd, 1), 0);
    (void) close(fd); /* as a kill -9 leaves it */
    cr_assert_eq(stat(path, &st), 0);

    head = bind_to(ipc_url);
    agent = connect_to(ipc_url);
    send_text(agent, "hello");
    (void) receive(head, text, sizeof(text), &route);
    cr_expect_str_eq(text, "hello");
}

Test(endpoint, a_file_that_is_no_socket_is_left_alone)
{
    const char *path = ipc_url + strlen("ipc://");
    FILE *file = fopen(path, "we");
    struct stat st;

    cr_assert_not_null(file);
    (void) fclose(file);
    cr_expect_eq(try_bind(ipc_url), -EEXIST, "%s", err.text);
    cr_expect_eq(stat(path, &st), 0);
    cr_expect(S_ISREG(st.st_mode));
    (void) unlink(path);
    cr_assert_eq(symlink("/tmp/elsewhere", path), 0);
    cr_expect_eq(try_bind(ipc_url), -EEXIST, "%s", err.text);
    cr_expect_eq(lstat(path, &st), 0);
}

Test(endpoint, a_directory_that_cannot_be_written_says_so)
{
    pid_t pid;
    int status = 0;

    if (geteuid() != 0)
        cr_skip_test("only root can become somebody else");
    (void) chmod(dir, 0755);
    pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        char expected[512];

        (void) snprintf(expected, sizeof(expected), "%s: Permission denied", ipc_url);
        if (setresuid(65534, 65534, 65534) < 0)
            _exit(1);
        _exit(try_bind(ipc_url) != -EACCES ? 2 : strcmp(err.text, expected) != 0 ? 3 : 0);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect_eq(status, 0, "%#x", (unsigned) status);
}

Test(endpoint, an_address_that_cannot_be_had_says_why)
{
    static const struct {
        const char *url;
        int r;
    } rows[] = {
        {"ipc:///nonexistent/dir/head.ipc", -ENOENT},
        {"tcp://192.0.2.1:5960", -EADDRNOTAVAIL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        err = (struct err){0};
        cr_expect_eq(try_bind(rows[i].url), rows[i].r, "row %zu: %s", i, err.text);
        cr_expect_eq(strncmp(err.text, rows[i].url, strlen(rows[i].url)), 0, "row %zu: %s", i,
                     err.text);
    }
}

static int check(const char *path, int connecting)
{
    char url[300];

    (void) snprintf(url, sizeof(url), "ipc://%s", path);
    err = (struct err){0};
    return endpoint_check_address(url, connecting, 0, &err);
}

Test(endpoint, the_form_of_an_address_is_checked)
{
    static const struct {
        const char *url;
        int insecure;
        int r;
        const char *text; /* a part of the sentence */
    } rows[] = {
        {"tcp://127.0.0.1:5960", 1, 0, ""},
        {"tcp://head.example.org:5960", 1, 0, ""},
        {"tcp://*:5960", 1, 0, ""},
        {"tcp://[::1]:5960", 1, 0, ""},
        {"tcp://127.0.0.1:5960", 0, -EPERM, "--insecure"},
        {"tcp://127.0.0.1", 1, -EINVAL, "tcp://host:port"},
        {"tcp://:5960", 1, -EINVAL, "tcp://host:port"},
        {"tcp://127.0.0.1:", 1, -EINVAL, "tcp://host:port"},
        {"tcp://127.0.0.1:0", 1, -EINVAL, "tcp://host:port"},
        {"tcp://127.0.0.1:65536", 1, -EINVAL, "tcp://host:port"},
        {"tcp://127.0.0.1:59x", 1, -EINVAL, "tcp://host:port"},
        {"tcp://", 1, -EINVAL, "tcp://host:port"},
        {"ipc://relative/head.ipc", 0, -EINVAL, "ipc:///directory/file"},
        {"ipc://", 0, -EINVAL, "ipc:///directory/file"},
        {"ipc:///tmp/", 0, -EINVAL, "ipc:///directory/file"},
        {"inproc://x", 1, -EINVAL, "neither"},
        {"/tmp/x", 1, -EINVAL, "neither"},
        {"", 1, -EINVAL, "neither"},
        {"TCP://127.0.0.1:1", 1, -EINVAL, "neither"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        err = (struct err){0};
        cr_expect_eq(endpoint_check_address(rows[i].url, 0, rows[i].insecure, &err), rows[i].r,
                     "row %zu: %s", i, err.text);
        cr_expect_not_null(strstr(err.text, rows[i].text), "row %zu: %s", i, err.text);
    }
}

Test(endpoint, a_directory_is_0700_and_its_user_s_and_the_sentence_says_how)
{
    char path[256];
    char text[256];

    (void) snprintf(path, sizeof(path), "%s/head.ipc", dir);
    cr_expect_eq(check(path, 0), 0, "%s", err.text);
    cr_expect_eq(check(path, 1), 0, "%s", err.text);

    (void) chmod(dir, 0755);
    cr_expect_eq(check(path, 0), -EPERM);
    (void) snprintf(text, sizeof(text), "%s has mode 0755, it must be 0700 (chmod 0700 %s)", dir,
                    dir);
    cr_expect_not_null(strstr(err.text, text), "%s", err.text);
    (void) chmod(dir, 01700);
    cr_expect_eq(check(path, 1), -EPERM);
    (void) chmod(dir, 0700);

    (void) snprintf(path, sizeof(path), "%s/no/head.ipc", dir);
    cr_expect_eq(check(path, 0), -ENOENT);
    (void) snprintf(text, sizeof(text), "(install -d -m 0700 %s/no)", dir);
    cr_expect_not_null(strstr(err.text, text), "%s", err.text);
    cr_expect_eq(check("/dev/null/x", 0), -ENOTDIR, "%s", err.text);
    cr_expect_eq(check("/x", 0), -EPERM, "%s", err.text); /* the root directory */
}

Test(endpoint, a_path_that_does_not_fit_is_refused_before_nanomsg_aborts_on_it)
{
    const char *const url[] = {ipc_url};
    struct endpoint *head = NULL;
    char path[256];

    (void) snprintf(path, sizeof(path), "%s/%0*d", dir, (int) (107 - strlen(dir) - 1), 0);
    cr_assert_eq(strlen(path), 107u);
    cr_expect_eq(check(path, 0), 0, "%s", err.text);
    (void) snprintf(ipc_url, sizeof(ipc_url), "ipc://%s", path);
    cr_expect_eq(endpoint_bind(url, 1, &head, &err), 0, "%s", err.text);
    head = endpoint_close(head);

    (void) snprintf(path, sizeof(path), "%s/%0*d", dir, (int) (108 - strlen(dir) - 1), 0);
    cr_expect_eq(check(path, 0), -ENAMETOOLONG);
    cr_expect_not_null(strstr(err.text, "the path has 108 bytes, 107 are the most"), "%s",
                       err.text);
}

Test(endpoint, another_user_s_directory_is_refused_and_root_s_is_good_for_connecting)
{
    char path[256];
    pid_t pid;
    int status = 0;

    if (geteuid() != 0)
        cr_skip_test("only root can give directories away");
    (void) snprintf(path, sizeof(path), "%s/head.ipc", dir);
    cr_assert_eq(chown(dir, 65534, 65534), 0);
    cr_expect_eq(check(path, 0), -EPERM);
    cr_expect_not_null(strstr(err.text, "belongs to uid 65534, it must belong to uid 0 (chown 0 "),
                       "%s", err.text);
    cr_expect_eq(check(path, 1), -EPERM);

    cr_assert_eq(chown(dir, 0, 0), 0);
    pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        if (setresuid(65534, 65534, 65534) < 0)
            _exit(1);
        _exit(check(path, 1) != 0 ? 2 : check(path, 0) != -EPERM ? 3 : 0);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect_eq(status, 0, "%#x", (unsigned) status);
}
