#include "tests/unit/test_http_fixture.h"

#include <sys/resource.h>
#include <time.h>

TestSuite(http_limits, .init = set_up, .fini = tear_down);

static int64_t now_ms(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The deadline is on time: not before it is due, and not a second one later. */
#define expect_about_the_deadline(since)                                                           \
    do {                                                                                           \
        int64_t took_ = now_ms() - (since);                                                        \
        cr_expect_geq(took_, TIMEOUT_MS - 10, "cut off after %d ms", (int) took_);                 \
        cr_expect_lt(took_, 3 * TIMEOUT_MS, "cut off after %d ms only", (int) took_);              \
    } while (0)

Test(http_limits, a_silent_client_is_cut_off)
{
    struct client client;
    int64_t since = now_ms();

    client_open(&client);
    run_until(client.ended);
    expect_about_the_deadline(since);
    cr_expect_eq(stats().cut_off, 1);
    cr_expect_eq(stats().connections, 0);
    client_close(&client);
}

static void on_drip(evutil_socket_t fd, short what, void *arg)
{
    static const char *const drops[] = {"GET / HTTP/1.1\r\n", "X-A: 1\r\n"};
    static size_t i;

    (void) fd;
    (void) what;
    client_send(arg, drops[i]);
    i = 1;
}

Test(http_limits, a_client_that_drips_headers_is_cut_off_as_if_it_were_silent)
{
    struct client client;
    const struct timeval period = {.tv_usec = 20000};
    int64_t since = now_ms();
    struct event *drip;

    client_open(&client);
    drip = event_new(f.base, -1, EV_PERSIST, on_drip, &client);
    (void) event_add(drip, &period);
    run_until(client.ended);
    expect_about_the_deadline(since);
    cr_expect_eq(stats().cut_off, 1);
    cr_expect_eq(stats().requests, 0);
    event_free(drip);
    client_close(&client);
}

Test(http_limits, a_client_that_sends_half_a_body_is_cut_off)
{
    struct client client;
    int64_t since = now_ms();

    client_open(&client);
    client_send(&client, "POST /x HTTP/1.1\r\nHost: q\r\nContent-Length: 100\r\n\r\nhalf");
    run_until(client.ended);
    expect_about_the_deadline(since);
    cr_expect_eq(stats().cut_off, 1);
    client_close(&client);
}

Test(http_limits, a_client_that_promises_gigabytes_is_cut_off_and_counted_once)
{
    struct client client;

    client_open(&client);
    client_send(&client, "POST /x HTTP/1.1\r\nHost: q\r\nContent-Length: 99999999999\r\n\r\nx");
    run_until(client.ended);
    cr_expect_eq(stats().cut_off, 1);
    client_close(&client);
}

Test(http_limits, an_idle_connection_is_closed_a_deadline_after_its_last_reply)
{
    struct client client;
    int64_t since;

    client_open(&client);
    run_for(TIMEOUT_MS / 2);
    client_send(&client, "GET /1 HTTP/1.1\r\nHost: q\r\n\r\n");
    run_until(client_has(&client, "path=/1"));
    since = now_ms();
    run_until(client.ended);
    expect_about_the_deadline(since);
    client_close(&client);
}

Test(http_limits, a_client_that_does_not_read_its_reply_is_cut_off)
{
    int fd = client_connect();
    static const char text[] = "GET /huge HTTP/1.1\r\nHost: q\r\n\r\n";
    int64_t since = now_ms();

    f.huge_len = 8 << 20;
    f.huge = calloc(1, f.huge_len);
    cr_assert_eq(write(fd, text, sizeof(text) - 1), (ssize_t) sizeof(text) - 1);
    run_until(stats().requests == 1);
    cr_expect_eq(stats().connections, 1);
    run_until(stats().connections == 0);
    expect_about_the_deadline(since);
    cr_expect_eq(stats().cut_off, 1);
    (void) close(fd);
}

Test(http_limits, a_large_reply_that_is_read_arrives_whole)
{
    struct client client;
    struct evbuffer *input;

    f.huge_len = 8 << 20;
    f.huge = calloc(1, f.huge_len);
    client_open(&client);
    client_send(&client, "GET /huge HTTP/1.1\r\nHost: q\r\nConnection: close\r\n\r\n");
    run_until(client.ended);
    input = bufferevent_get_input(client.bev);
    cr_expect_gt(evbuffer_get_length(input), f.huge_len);
    cr_expect_eq(stats().cut_off, 0);
    client_close(&client);
}

static void restart_with(unsigned connections_max)
{
    f.server = http_server_close(f.server);
    start_server(connections_max);
}

Test(http_limits, silent_clients_can_not_keep_others_out)
{
    struct client silent[3];
    struct client client;

    restart_with(3);
    for (size_t i = 0; i < 3; i++) {
        client_open(&silent[i]);
        run_until(stats().connections == i + 1);
    }
    client_open(&client);
    client_send(&client, "GET /in HTTP/1.1\r\nHost: q\r\n\r\n");
    run_until(client_has(&client, "path=/in"));
    run_until(silent[0].ended);
    cr_expect_not(silent[1].ended);
    cr_expect_eq(stats().connections, 3);
    cr_expect_eq(stats().cut_off, 1);
    for (size_t i = 0; i < 3; i++)
        client_close(&silent[i]);
    client_close(&client);
}

Test(http_limits, when_all_wait_for_replies_the_newcomer_is_served_in_place_of_the_oldest)
{
    struct client waiting[2];
    struct client client;

    restart_with(2);
    for (size_t i = 0; i < 2; i++) {
        client_open(&waiting[i]);
        client_send(&waiting[i], "GET /late HTTP/1.1\r\nHost: q\r\n\r\n");
        run_until(f.late_len == i + 1);
    }
    client_open(&client);
    client_send(&client, "GET /in HTTP/1.1\r\nHost: q\r\n\r\n");
    run_until(client_has(&client, "path=/in"));
    run_until(waiting[0].ended);
    cr_expect_eq(f.gone, 1, "its handler knows");
    cr_expect_eq(stats().cut_off, 1);
    reply_late(0);
    reply_late(1);
    run_until(client_has(&waiting[1], "finally"));
    client_close(&waiting[0]);
    client_close(&waiting[1]);
    client_close(&client);
}

Test(http_limits, a_flood_of_connections_leaves_no_trace)
{
    struct client client;

    for (int i = 0; i < 200; i++) {
        (void) close(client_connect());
        (void) event_base_loop(f.base, EVLOOP_NONBLOCK);
    }
    client_open(&client);
    client_send(&client, "GET /after HTTP/1.1\r\nHost: q\r\n\r\n");
    run_until(client_has(&client, "path=/after"));
    client_close(&client);
    run_until(stats().connections == 0);
}

/* Descriptors run out while two clients wait for replies, so that none can be cut off for a place.
 */
Test(http_limits, without_descriptors_the_loop_does_not_spin_and_recovers)
{
    struct client waiting;
    struct client client;
    struct rlimit limit;
    int highest;

    client_open(&waiting);
    client_send(&waiting, "GET /late HTTP/1.1\r\nHost: q\r\n\r\n");
    run_until(f.late_len == 1);
    client_open(&client); /* connected by the kernel, to be accepted later */
    client_send(&client, "GET /in HTTP/1.1\r\nHost: q\r\n\r\n");

    highest = fcntl(0, F_DUPFD, 0);
    (void) close(highest);
    (void) getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = (rlim_t) highest;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    run_for(200);
    cr_expect_lt(f.rounds, 20, "the loop span: %u rounds", f.rounds);
    cr_expect_not(client_has(&client, "path=/in"));

    reply_late(0);
    run_until(client_has(&waiting, "finally"));
    limit.rlim_cur = limit.rlim_max;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    run_until(client_has(&client, "path=/in"));
    client_close(&waiting);
    client_close(&client);
}
