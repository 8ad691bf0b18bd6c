#include "tests/unit/test_http_fixture.h"

#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>

TestSuite(http_server, .init = set_up, .fini = tear_down);

static void client_forget(struct client *client)
{
    struct evbuffer *input = bufferevent_get_input(client->bev);

    (void) evbuffer_drain(input, evbuffer_get_length(input));
}

Test(http_server, a_request_is_answered_and_its_connection_kept)
{
    struct client client;

    client_open(&client);
    client_send(&client, "GET /v1/t%61sks?b=2&a=x%20y HTTP/1.1\r\nHost: q\r\n\r\n");
    run_until(client_has(&client, "method=GET path=/v1/tasks a=x y body=."));
    cr_expect(client_has(&client, "HTTP/1.1 200 OK\r\n"));
    cr_expect(client_has(&client, "Content-Type: text/plain\r\n"));

    client_forget(&client);
    client_send(&client, "POST /x HTTP/1.1\r\nHost: q\r\nContent-Length: 5\r\n\r\nhello");
    run_until(client_has(&client, "method=POST path=/x a=(none) body=hello."));
    cr_expect_not(client.ended);
    cr_expect_eq(stats().requests, 2);
    cr_expect_eq(stats().connections, 1);
    cr_expect_eq(stats().cut_off, 0);
    client_close(&client);
    run_until(stats().connections == 0);
    cr_expect_eq(stats().cut_off, 0);
}

Test(http_server, requests_that_come_together_are_answered_in_order)
{
    struct client client;

    client_open(&client);
    client_send(&client, "GET /1 HTTP/1.1\r\nHost: q\r\n\r\n"
                         "POST /2 HTTP/1.1\r\nHost: q\r\nContent-Length: 2\r\n\r\nhi"
                         "GET /3 HTTP/1.1\r\nHost: q\r\n\r\n");
    run_until(client_has(&client, "path=/3"));
    cr_expect_lt(strstr(client_text(&client), "path=/1"),
                 strstr(client_text(&client), "path=/2 a=(none) body=hi."));
    cr_expect_lt(strstr(client_text(&client), "path=/2"), strstr(client_text(&client), "path=/3"));
    client_close(&client);
}

Test(http_server, a_client_that_asks_for_a_close_gets_it)
{
    struct client client;

    client_open(&client);
    client_send(&client, "GET /bye HTTP/1.1\r\nHost: q\r\nConnection: close\r\n\r\n");
    run_until(client.ended);
    cr_expect(client_has(&client, "path=/bye"));
    cr_expect_eq(stats().connections, 0);
    client_close(&client);
}

Test(http_server, a_head_request_is_a_get_without_the_body)
{
    struct client client;

    client_open(&client);
    client_send(&client, "HEAD /h HTTP/1.1\r\nHost: q\r\n\r\n"
                         "GET /after HTTP/1.1\r\nHost: q\r\n\r\n");
    run_until(client_has(&client, "path=/after"));
    cr_expect(client_has(&client, "Content-Length: 34\r\n"), "%s", client_text(&client));
    cr_expect_not(client_has(&client, "path=/h "));
    client_close(&client);
}

Test(http_server, every_other_method_reaches_the_handler_as_other)
{
    static const char *const methods[] = {"PUT",   "DELETE", "PATCH", "OPTIONS",
                                          "TRACE", "BREW",   "get",   "PROPFIND"};

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        struct client client;
        char text[128];

        client_open(&client);
        (void) snprintf(text, sizeof(text), "%s /m HTTP/1.1\r\nHost: q\r\n\r\n", methods[i]);
        client_send(&client, text);
        run_until(client_has(&client, "method=other path=/m"));
        client_close(&client);
    }
}

Test(http_server, an_address_that_makes_no_sense_is_refused)
{
    static const char *const lines[] = {
        "GET /%zz HTTP/1.1",
        "GET /a%00b HTTP/1.1",
        "GET /x?a=%4 HTTP/1.1",
        "GET nothing HTTP/1.1",
        "GET /%4 HTTP/1.1",
        "CONNECT host:1 HTTP/1.1",
        "GET  HTTP/1.1 HTTP/1.1",
        "complete nonsense here",
        "GET /x HTTP/9.9.9",
        "GET /?1&2&3&4&5&6&7&8&9&a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q&r&s&t&u&v&w&x HTTP/1.1",
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct client client;

        client_open(&client);
        client_send(&client, lines[i]);
        client_send(&client, "\r\nHost: q\r\n\r\n");
        run_until(client.ended);
        cr_expect(client_has(&client, " 400 "), "row %zu: %s", i, client_text(&client));
        cr_expect_not(client_has(&client, "method="), "row %zu reached the handler", i);
        client_close(&client);
    }
    cr_expect_eq(stats().connections, 0);
}

Test(http_server, a_body_that_is_too_large_is_refused_and_counted)
{
    struct client client;
    char body[4097];

    memset(body, 'x', sizeof(body));
    client_open(&client);
    client_send(&client, "POST /x HTTP/1.1\r\nHost: q\r\nContent-Length: 4096\r\n\r\n");
    (void) bufferevent_write(client.bev, body, 4096);
    run_until(client_has(&client, "method=POST"));
    client_forget(&client);

    client_send(&client, "POST /x HTTP/1.1\r\nHost: q\r\nContent-Length: 4097\r\n\r\n");
    (void) bufferevent_write(client.bev, body, 4097);
    run_until(client.ended);
    cr_expect(client_has(&client, " 413 "), "%s", client_text(&client));
    cr_expect_eq(stats().requests, 1);
    cr_expect_eq(stats().cut_off, 1);
    client_close(&client);
}

Test(http_server, a_client_that_sends_much_more_still_reads_why_it_was_refused)
{
    struct client client;
    char *body = calloc(1, 1 << 20);

    client_open(&client);
    client_send(&client, "POST /x HTTP/1.1\r\nHost: q\r\nContent-Length: 1048576\r\n\r\n");
    (void) bufferevent_write(client.bev, body, 1 << 20);
    run_until(client.ended);
    cr_expect(client_has(&client, " 413 "), "%s", client_text(&client));
    client_close(&client);
    free(body);
}

Test(http_server, a_body_in_chunks_is_put_together_and_limited)
{
    struct client client;
    char chunk[3000];

    client_open(&client);
    client_send(&client, "POST /x HTTP/1.1\r\nHost: q\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    run_until(client_has(&client, "body=abcde."));
    client_forget(&client);

    memset(chunk, 'y', sizeof(chunk));
    client_send(&client, "POST /x HTTP/1.1\r\nHost: q\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 2; i++) {
        client_send(&client, "bb8\r\n");
        (void) bufferevent_write(client.bev, chunk, sizeof(chunk));
        client_send(&client, "\r\n");
    }
    run_until(client.ended);
    cr_expect_not(client_has(&client, "method="));
    cr_expect_eq(stats().cut_off, 1);
    client_close(&client);
}

Test(http_server, a_client_may_ask_before_it_sends_the_body)
{
    struct client client;

    client_open(&client);
    client_send(&client, "POST /x HTTP/1.1\r\nHost: q\r\nExpect: 100-continue\r\n"
                         "Content-Length: 2\r\n\r\n");
    run_until(client_has(&client, "HTTP/1.1 100 Continue\r\n"));
    client_send(&client, "ok");
    run_until(client_has(&client, "body=ok."));
    cr_expect_eq(stats().cut_off, 0);
    client_close(&client);
}

Test(http_server, too_many_headers_are_refused_and_counted)
{
    struct client client;

    client_open(&client);
    client_send(&client, "GET /x HTTP/1.1\r\n");
    for (int i = 0; i < 500; i++)
        client_send(&client, "X-Header: y\r\n");
    run_until(client.ended);
    cr_expect_not(client_has(&client, "method="));
    cr_expect_eq(stats().cut_off, 1);
    client_close(&client);

    /* One line without an end. */
    client_open(&client);
    for (int i = 0; i < 500; i++)
        client_send(&client, "GET /xxxxxx");
    run_until(client.ended);
    cr_expect_eq(stats().cut_off, 2);
    client_close(&client);
}

Test(http_server, the_handler_knows_who_asks)
{
    struct client client;

    client_open(&client);
    client_send(&client, "GET / HTTP/1.1\r\nHost: q\r\n\r\n");
    run_until(client_has(&client, "path=/"));
    cr_expect_eq(f.peer.uid, geteuid());
    cr_expect_eq(f.peer.gid, getegid());
    cr_expect_eq(f.peer.pid, getpid());
    cr_expect(f.in_own_group);
    cr_expect_not(f.in_group_12345);
    client_close(&client);
}

Test(http_server, the_handler_knows_another_users_groups)
{
    const gid_t groups[] = {12344, 12345};
    int status;
    pid_t pid;

    if (geteuid() != 0)
        cr_skip_test("needs root to become another user");
    cr_assert_eq(chmod(f.path, 0666), 0);
    cr_assert_eq(chmod(f.dir, 0755), 0);
    pid = fork();
    if (pid == 0) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        char text[256];

        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", f.path);
        if (setgroups(2, groups) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
            _exit(2);
        if (connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0)
            _exit(3);
        if (write(fd, "GET / HTTP/1.0\r\n\r\n", 18) != 18)
            _exit(4);
        _exit(read(fd, text, sizeof(text)) > 0 ? 0 : 5);
    }
    run_until(stats().requests == 1 && stats().connections == 0);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect_eq(status, 0, "the client ended with %d", status);
    cr_expect_eq(f.peer.uid, 65534);
    cr_expect_eq(f.peer.gid, 65534);
    cr_expect_eq(f.peer.pid, pid);
    cr_expect(f.in_group_12345);
    cr_expect_not(f.in_own_group);
}

Test(http_server, a_reply_may_come_late)
{
    struct client client;

    client_open(&client);
    client_send(&client, "GET /late HTTP/1.1\r\nHost: q\r\n\r\n");
    run_until(f.late_len == 1);
    /* Longer than a request may take: it is the handler's time, not the client's. */
    run_for(2 * TIMEOUT_MS);
    cr_expect_not(client.ended);
    reply_late(0);
    run_until(client_has(&client, "finally"));
    cr_expect_eq(f.gone, 0);

    client_forget(&client);
    client_send(&client, "GET /again HTTP/1.1\r\nHost: q\r\n\r\n");
    run_until(client_has(&client, "path=/again"));
    cr_expect_eq(stats().cut_off, 0);
    client_close(&client);
}

Test(http_server, late_replies_may_come_in_any_order)
{
    struct client clients[3];

    for (size_t i = 0; i < 3; i++) {
        client_open(&clients[i]);
        client_send(&clients[i], "GET /late HTTP/1.1\r\nHost: q\r\n\r\n");
        run_until(f.late_len == i + 1);
    }
    for (size_t i = 3; i-- > 0;) {
        reply_late(i);
        run_until(client_has(&clients[i], "finally"));
        client_close(&clients[i]);
    }
}

Test(http_server, a_client_that_pipelines_behind_a_late_reply_costs_nothing)
{
    struct client client;

    client_open(&client);
    client_send(&client, "GET /late HTTP/1.1\r\nHost: q\r\n\r\n");
    run_until(f.late_len == 1);
    client_send(&client, "GET /2 HTTP/1.1\r\nHost: q\r\n\r\n");
    run_for(200);
    cr_expect_lt(f.rounds, 20, "the loop span: %u rounds", f.rounds);
    reply_late(0);
    run_until(client_has(&client, "path=/2"));
    cr_expect_lt(strstr(client_text(&client), "finally"), strstr(client_text(&client), "path=/2"));
    client_close(&client);
}

Test(http_server, a_client_that_shuts_its_writing_side_still_gets_its_reply)
{
    struct client client;

    client_open(&client);
    client_send(&client, "GET /late HTTP/1.1\r\nHost: q\r\n\r\n");
    run_until(f.late_len == 1);
    cr_assert_eq(shutdown(bufferevent_getfd(client.bev), SHUT_WR), 0);
    run_for(50);
    cr_expect_eq(f.gone, 0);
    reply_late(0);
    run_until(client.ended);
    cr_expect(client_has(&client, "finally"), "%s", client_text(&client));
    client_close(&client);
}

Test(http_server, a_client_that_hangs_up_is_noticed_once_and_the_reply_goes_nowhere)
{
    struct client client;

    client_open(&client);
    client_send(&client, "GET /late HTTP/1.1\r\nHost: q\r\n\r\n");
    run_until(f.late_len == 1);
    client_close(&client);
    run_until(f.gone == 1);
    cr_expect_eq(stats().connections, 0);
    run_for(50);
    cr_expect_eq(f.gone, 1);
    reply_late(0);

    client_open(&client); /* all is well for others */
    client_send(&client, "GET /ok HTTP/1.1\r\nHost: q\r\n\r\n");
    run_until(client_has(&client, "path=/ok"));
    client_close(&client);
}

Test(http_server, the_reply_may_be_given_while_it_is_told_that_the_client_is_gone)
{
    struct client client;

    f.reply_when_gone = true;
    client_open(&client);
    client_send(&client, "GET /late HTTP/1.1\r\nHost: q\r\n\r\n");
    run_until(f.late_len == 1);
    client_close(&client);
    run_until(f.gone == 1);
    cr_expect_eq(stats().connections, 0);
}

Test(http_server, a_client_that_hangs_up_without_reading_is_noticed_and_costs_nothing)
{
    int fd = client_connect();
    static const char text[] =
        "GET /1 HTTP/1.1\r\nHost: q\r\n\r\nGET /late HTTP/1.1\r\nHost: q\r\n\r\n";

    cr_assert_eq(write(fd, text, sizeof(text) - 1), (ssize_t) sizeof(text) - 1);
    run_until(f.late_len == 1);
    (void) close(fd); /* the first reply is unread: the server's side has an error, not an end */
    run_until(f.gone == 1);
    run_for(100);
    cr_expect_lt(f.rounds, 20, "the loop span: %u rounds", f.rounds);
    reply_late(0);
}

Test(http_server, a_client_that_is_gone_when_the_reply_is_written_does_no_harm)
{
    struct client client;

    client_open(&client);
    client_send(&client, "GET /late HTTP/1.1\r\nHost: q\r\n\r\n");
    run_until(f.late_len == 1);
    client_close(&client);
    reply_late(0); /* the loop had no chance to notice */
    run_until(stats().connections == 0);
    cr_expect_eq(f.gone, 0);
}

Test(http_server, a_request_outlives_its_server)
{
    struct client client;

    client_open(&client);
    client_send(&client, "GET /late?a=7 HTTP/1.1\r\nHost: q\r\n\r\n");
    run_until(f.late_len == 1);
    f.server = http_server_close(f.server);
    cr_expect_eq(f.gone, 0, "the server hung up, not the client");
    run_until(client.ended);
    cr_expect_str_eq(http_request_path(f.late[0]), "/late");
    cr_expect_str_eq(http_request_query(f.late[0], "a"), "7");
    cr_expect(http_request_peer_in_group(f.late[0], getegid()));
    cr_expect_not(http_request_peer_in_group(f.late[0], 12345));
    http_request_on_gone(f.late[0], on_gone, NULL);
    cr_expect_eq(f.gone, 1, "there is no client any more");
    reply_late(0);
    client_close(&client);
}

Test(http_server, a_second_server_on_the_socket_is_refused_with_a_sentence)
{
    struct http_server_options options = {.path = f.path, .mode = 0600, .connections_max = 1};
    struct http_server *second = NULL;
    struct err err = {0};

    cr_expect_eq(http_server_open(f.base, &options, on_request, &f, &second, &err), -EADDRINUSE);
    cr_expect(strstr(err.text, "is in use by another process"), "%s", err.text);
    cr_expect_null(second);
}
