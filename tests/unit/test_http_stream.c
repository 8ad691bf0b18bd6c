/* Replies in pieces. A program that streams writes `pieces` times `piece_len` bytes, each when the
   one before has been taken. */
#include "test_http_fixture.h"

#include <sys/resource.h>

#define GET "GET /stream HTTP/1.1\r\nHost: q\r\n\r\n"

static struct program {
    struct http_stream *stream;
    size_t pieces;
    size_t piece_len;
    size_t written;
    unsigned drained;
    unsigned gone;
    bool ends;       /* after the last piece, from on_drained */
    bool keeps_gone; /* on_gone does not end the stream */
    char last_event_id[16];
} p;

static void end(void)
{
    http_stream_end(p.stream);
    p.stream = NULL;
}

static void write_piece(void)
{
    char *piece = malloc(p.piece_len + 1);

    memset(piece, 'a' + (int) (p.written % 26), p.piece_len);
    http_stream_write(p.stream, piece, p.piece_len);
    p.written++;
    free(piece);
}

static void on_drained(void *arg)
{
    cr_assert_eq(arg, &p);
    p.drained++;
    if (p.written < p.pieces)
        write_piece();
    else if (p.ends)
        end();
}

static void on_stream_gone(void *arg)
{
    cr_assert_eq(arg, &p);
    p.gone++;
    if (!p.keeps_gone)
        end();
}

static void begin(struct http_request *request)
{
    const struct http_stream_events events = {on_drained, on_stream_gone, &p};

    p.stream = http_stream_begin(request, 200, "text/event-stream", &events);
    cr_assert_not_null(p.stream);
}

static void on_stream(struct http_request *request)
{
    const char *id = http_request_header(request, "last-event-id");

    (void) snprintf(p.last_event_id, sizeof(p.last_event_id), "%s", id ? id : "(none)");
    cr_expect_null(http_request_header(request, "Absent"));
    begin(request);
}

static void set_up_stream(void)
{
    set_up();
    p = (struct program){.piece_len = 10};
    f.on_stream = on_stream;
}

static void tear_down_stream(void)
{
    tear_down();
    cr_expect_null(p.stream, "a stream is left");
}

TestSuite(http_stream, .init = set_up_stream, .fini = tear_down_stream);

Test(http_stream, a_reply_comes_in_pieces_and_its_connection_is_kept)
{
    struct client client;

    p.pieces = 3;
    p.ends = true;
    client_open(&client);
    client_send(&client, "GET /stream HTTP/1.1\r\nHost: q\r\nLast-Event-ID: 42\r\n\r\n"
                         "GET /next HTTP/1.1\r\nHost: q\r\n\r\n");
    run_until(client_has(&client, "path=/next"));
    cr_expect(client_has(&client, "HTTP/1.1 200 OK\r\n"));
    cr_expect(client_has(&client, "Content-Type: text/event-stream\r\n"));
    cr_expect(client_has(&client, "Cache-Control: no-store\r\n"));
    cr_expect(client_has(&client, "Transfer-Encoding: chunked\r\n"));
    cr_expect(client_has(&client,
                         "\r\n\r\na\r\naaaaaaaaaa\r\na\r\nbbbbbbbbbb\r\na\r\ncccccccccc\r\n"
                         "0\r\n\r\nHTTP/1.1 200"),
              "%s", client_text(&client));
    cr_expect_str_eq(p.last_event_id, "42");
    cr_expect_eq(p.drained, 4, "once for the head, once for each piece");
    cr_expect_eq(p.gone, 0);
    cr_expect_eq(stats().cut_off, 0);
    client_close(&client);
}

Test(http_stream, a_piece_of_nothing_is_drained_too)
{
    struct client client;

    p.pieces = 2;
    p.piece_len = 0;
    p.ends = true;
    client_open(&client);
    client_send(&client, GET);
    run_until(client_has(&client, "\r\n\r\n0\r\n\r\n"));
    cr_expect_eq(p.drained, 3);
    client_close(&client);
}

static void on_stream_at_once(struct http_request *request)
{
    begin(request);
    http_stream_write(p.stream, "one", 3);
    http_stream_write(p.stream, "two", 3);
    end();
}

Test(http_stream, all_of_it_may_be_written_at_once)
{
    static const char *const versions[] = {"1.1", "1.0"};

    f.on_stream = on_stream_at_once;
    for (size_t i = 0; i < 2; i++) {
        struct client client;
        char text[128];

        (void) snprintf(text, sizeof(text),
                        "GET /stream HTTP/%s\r\nHost: q\r\nConnection: close\r\n\r\n", versions[i]);
        client_open(&client);
        client_send(&client, text);
        run_until(client.ended);
        cr_expect(
            client_has(&client, i == 0 ? "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n" : "\r\n\r\nonetwo"),
            "%s", client_text(&client));
        client_close(&client);
    }
    cr_expect_eq(p.drained, 0);
    cr_expect_eq(stats().cut_off, 0);
}

Test(http_stream, to_http_1_0_it_ends_with_the_connection)
{
    static const char *const headers[] = {"", "Connection: keep-alive\r\n"};

    for (size_t i = 0; i < 2; i++) {
        struct client client;
        char text[128];

        p = (struct program){.pieces = 2, .piece_len = 10, .ends = true};
        (void) snprintf(text, sizeof(text), "GET /stream HTTP/1.0\r\n%s\r\n", headers[i]);
        client_open(&client);
        client_send(&client, text);
        run_until(client.ended);
        cr_expect(client_has(&client, "\r\n\r\naaaaaaaaaabbbbbbbbbb"), "%s", client_text(&client));
        cr_expect_not(client_has(&client, "Content-Length"));
        client_close(&client);
    }
    cr_expect_eq(stats().connections, 0);
}

Test(http_stream, to_head_it_is_only_its_head)
{
    struct client client;

    p.pieces = 3;
    client_open(&client);
    client_send(&client, "HEAD /stream HTTP/1.1\r\nHost: q\r\n\r\n"
                         "GET /next HTTP/1.1\r\nHost: q\r\n\r\n");
    run_until(client_has(&client, "path=/next"));
    run_until(p.gone == 1);
    cr_expect_eq(p.written, 0);
    cr_expect(client_has(&client, "Content-Type: text/event-stream\r\n"));
    cr_expect_eq(strncmp(strstr(client_text(&client), "\r\n\r\n") + 4, "HTTP/1.1 200", 12), 0, "%s",
                 client_text(&client));
    client_close(&client);
}

/* What a slow reader has not read bounds what is written: a socket's buffer and one piece. */
Test(http_stream, the_next_piece_waits_until_the_one_before_is_read)
{
    int fd = client_connect();
    static char buffer[1 << 16];
    size_t total = 0;
    size_t held;

    p.pieces = 64;
    p.piece_len = 1 << 20;
    p.ends = true;
    cr_assert_eq(write(fd, GET, sizeof(GET) - 1), (ssize_t) sizeof(GET) - 1);
    run_until(p.written == 1);
    run_for(50);
    held = p.written;
    cr_expect_eq(held, 1, "%zu MiB were written to a client that reads nothing", held);

    while (p.stream) {
        ssize_t n = read(fd, buffer, sizeof(buffer));

        if (n > 0)
            total += (size_t) n;
        (void) event_base_loop(f.base, EVLOOP_NONBLOCK);
        cr_assert_leq((p.written - 1) * p.piece_len, total + p.piece_len, "written ahead");
    }
    for (;;) {
        ssize_t n = read(fd, buffer, sizeof(buffer));

        if (n > 0)
            total += (size_t) n;
        if (n == 0 || (total > 64u << 20 && buffer[n - 1] == '\n'))
            break;
        (void) event_base_loop(f.base, EVLOOP_NONBLOCK);
    }
    cr_expect_gt(total, 64u << 20);
    cr_expect_eq(p.drained, 65);
    cr_expect_eq(stats().cut_off, 0);
    (void) close(fd);
}

Test(http_stream, while_nothing_is_on_its_way_it_has_no_deadline)
{
    struct client client;

    p.pieces = 1;
    client_open(&client);
    client_send(&client, GET);
    run_until(client_has(&client, "aaaaaaaaaa"));
    run_for(2 * TIMEOUT_MS);
    cr_expect_not(client.ended);
    cr_expect_lt(f.rounds, 20, "the loop span: %u rounds", f.rounds);
    write_piece();
    run_until(client_has(&client, "bbbbbbbbbb"));
    end();
    run_until(client_has(&client, "0\r\n\r\n"));
    cr_expect_eq(stats().cut_off, 0);
    client_close(&client);
}

Test(http_stream, a_client_that_hangs_up_while_nothing_is_on_its_way_is_noticed)
{
    struct client client;

    p.pieces = 1;
    client_open(&client);
    client_send(&client, GET);
    run_until(client_has(&client, "aaaaaaaaaa"));
    client_close(&client);
    run_until(p.gone == 1);
    cr_expect_eq(stats().connections, 0);
    cr_expect_eq(stats().cut_off, 0, "it left by itself");
}

Test(http_stream, a_client_that_hangs_up_while_a_piece_is_on_its_way_is_noticed)
{
    int fd = client_connect();

    p.pieces = 1;
    p.piece_len = 8 << 20;
    cr_assert_eq(write(fd, GET, sizeof(GET) - 1), (ssize_t) sizeof(GET) - 1);
    run_until(p.written == 1);
    run_for(20);
    (void) close(fd);
    run_until(p.gone == 1);
    cr_expect_eq(stats().connections, 0);
    cr_expect_eq(stats().cut_off, 0);
}

Test(http_stream, a_client_that_is_gone_when_a_piece_is_written_is_noticed)
{
    struct client client;

    client_open(&client);
    client_send(&client, GET);
    run_until(p.drained == 1);
    client_close(&client);
    write_piece(); /* the loop had no chance to notice */
    run_until(p.gone == 1);
    cr_expect_eq(p.drained, 1);
}

Test(http_stream, a_client_that_reads_nothing_is_cut_off_and_counted)
{
    int fd = client_connect();

    p.pieces = 1000;
    p.piece_len = 1 << 16;
    cr_assert_eq(write(fd, GET, sizeof(GET) - 1), (ssize_t) sizeof(GET) - 1);
    run_until(p.gone == 1);
    cr_expect_lt(p.written, 100);
    cr_expect_eq(stats().cut_off, 1);
    cr_expect_eq(stats().connections, 0);
    (void) close(fd);
}

Test(http_stream, what_is_written_after_the_client_is_gone_goes_nowhere)
{
    struct client client;

    p.keeps_gone = true;
    client_open(&client);
    client_send(&client, GET);
    run_until(p.drained == 1);
    client_close(&client);
    run_until(p.gone == 1);
    write_piece();
    run_for(20);
    cr_expect_eq(p.gone, 1);
    cr_expect_eq(p.drained, 1);
    end();
}

Test(http_stream, a_client_that_shuts_its_writing_side_gets_the_whole_reply)
{
    struct client client;

    client_open(&client);
    client_send(&client, GET);
    run_until(p.drained == 1);
    cr_assert_eq(shutdown(bufferevent_getfd(client.bev), SHUT_WR), 0);
    run_for(20);
    cr_expect_eq(p.gone, 0);
    p.pieces = 20;
    p.piece_len = 1 << 20;
    p.ends = true;
    write_piece();
    run_until(p.written == 20 && !p.stream && client.ended);
    cr_expect_gt(evbuffer_get_length(bufferevent_get_input(client.bev)), 20u << 20);
    client_close(&client);
}

Test(http_stream, what_the_client_sends_meanwhile_stays_with_the_kernel)
{
    static const char garbage[1 << 16];
    int fd = client_connect();
    size_t sent = 0;
    struct rusage before, after;

    p.pieces = 1;
    cr_assert_eq(write(fd, GET, sizeof(GET) - 1), (ssize_t) sizeof(GET) - 1);
    run_until(p.drained == 2);
    (void) getrusage(RUSAGE_SELF, &before);
    for (int i = 0; i < 2000; i++) {
        ssize_t n = write(fd, garbage, sizeof(garbage));

        sent += n > 0 ? (size_t) n : 0;
        (void) event_base_loop(f.base, EVLOOP_NONBLOCK);
        if (i % 500 == 0)
            write_piece();
    }
    (void) getrusage(RUSAGE_SELF, &after);
    cr_expect_lt(sent, 8u << 20, "%zu bytes were taken", sent);
    cr_expect_lt(after.ru_maxrss - before.ru_maxrss, 8192);
    end();
    (void) close(fd);
}

Test(http_stream, the_server_is_closed_under_it)
{
    struct client client;

    p.pieces = 1;
    client_open(&client);
    client_send(&client, GET);
    run_until(p.drained == 2);
    f.server = http_server_close(f.server);
    cr_expect_eq(p.gone, 1);
    run_until(client.ended);
    client_close(&client);
}

Test(http_stream, the_server_is_closed_while_a_piece_is_on_its_way)
{
    int fd = client_connect();

    p.pieces = 1;
    p.piece_len = 8 << 20;
    p.keeps_gone = true;
    cr_assert_eq(write(fd, GET, sizeof(GET) - 1), (ssize_t) sizeof(GET) - 1);
    run_until(p.written == 1);
    f.server = http_server_close(f.server);
    cr_expect_eq(p.gone, 1);
    run_for(20);
    end();
    (void) close(fd);
}

Test(http_stream, a_late_request_whose_client_is_gone_becomes_a_stream_without_one)
{
    struct client client;

    client_open(&client);
    client_send(&client, "GET /late HTTP/1.1\r\nHost: q\r\n\r\n");
    run_until(f.late_len == 1);
    client_close(&client);
    run_until(f.gone == 1);
    begin(f.late[0]);
    cr_expect_eq(p.gone, 0, "not before the caller has the stream");
    run_until(p.gone == 1);
}

Test(http_stream, too_many_streams_make_room_for_who_comes_new)
{
    struct client streaming;
    struct client client;

    f.server = http_server_close(f.server);
    start_server(1);
    client_open(&streaming);
    client_send(&streaming, GET);
    run_until(p.drained == 1);
    client_open(&client);
    client_send(&client, "GET /in HTTP/1.1\r\nHost: q\r\n\r\n");
    run_until(client_has(&client, "path=/in"));
    cr_expect_eq(p.gone, 1);
    cr_expect_eq(stats().cut_off, 1);
    client_close(&streaming);
    client_close(&client);
}
