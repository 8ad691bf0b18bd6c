/* Who is cut off when there are too many connections: users are processes of their own here. */
#include "test_http_fixture.h"

#include <grp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define A 65531u
#define B 65532u
#define C 65533u

#define LATE  "GET /late HTTP/1.1\r\nHost: q\r\n\r\n"
#define SHORT "GET /in HTTP/1.1\r\nHost: q\r\n\r\n"

static void set_up_crowd(void)
{
    set_up();
    if (geteuid() != 0)
        cr_skip_test("needs root to become other users");
    cr_assert_eq(chmod(f.dir, 0755), 0);
}

TestSuite(http_crowd, .init = set_up_crowd, .fini = tear_down);

static void restart_with(unsigned connections_max)
{
    f.server = http_server_close(f.server);
    start_server(connections_max);
    cr_assert_eq(chmod(f.path, 0666), 0);
}

struct user { /* a process with connections of its own, until it is told */
    pid_t pid;
    int tell_fd;
};

static void user_main(uid_t uid, unsigned count, const char *text, int told_fd)
{
    struct pollfd fds[16];
    char byte;
    int closed = 0;

    /* Not the server's ends of other connections: one that it closes would stay open here. */
    (void) close_range(3, (unsigned) told_fd - 1, 0);
    (void) close_range((unsigned) told_fd + 1, ~0u, 0);
    if (setgroups(0, NULL) < 0 || setgid(uid) < 0 || setuid(uid) < 0 ||
        prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        _exit(100);
    for (unsigned i = 0; i < count; i++) {
        fds[i] = (struct pollfd){.fd = client_connect()};
        if (write(fds[i].fd, text, strlen(text)) != (ssize_t) strlen(text))
            _exit(101);
    }
    if (read(told_fd, &byte, 1) != 1)
        _exit(102);
    (void) poll(fds, count, 0);
    for (unsigned i = 0; i < count; i++)
        closed += (fds[i].revents & POLLHUP) != 0;
    _exit(closed);
}

/* Opens @count connections as @uid, and sends @text on each. */
static struct user user_start(uid_t uid, unsigned count, const char *text)
{
    struct user user;
    int told[2];

    cr_assert_eq(pipe(told), 0);
    user.pid = fork();
    cr_assert_geq(user.pid, 0);
    if (user.pid == 0)
        user_main(uid, count, text, told[0]);
    (void) close(told[0]);
    user.tell_fd = told[1];
    return user;
}

/* How many of its connections were closed under it. */
static int user_end(struct user user)
{
    int status;

    cr_assert_eq(write(user.tell_fd, "e", 1), 1);
    (void) close(user.tell_fd);
    cr_assert_eq(waitpid(user.pid, &status, 0), user.pid);
    cr_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static struct user user_waits(uid_t uid, unsigned count)
{
    size_t before = f.late_len;
    struct user user = user_start(uid, count, LATE);

    run_until(f.late_len == before + count);
    return user;
}

static void answer_all(void)
{
    for (size_t i = 0; i < f.late_len; i++)
        reply_late(i);
}

Test(http_crowd, a_user_who_holds_all_connections_shuts_nobody_out)
{
    struct user crowd, newcomer;

    restart_with(4);
    crowd = user_waits(A, 4);
    newcomer = user_start(B, 1, SHORT);
    run_until(stats().requests == 5);
    cr_expect_eq(f.peer.uid, B);
    cr_expect_eq(stats().cut_off, 1);
    cr_expect_eq(user_end(newcomer), 0);
    cr_expect_eq(user_end(crowd), 1);
    answer_all();
}

#define STREAM "GET /stream HTTP/1.1\r\nHost: q\r\n\r\n"

struct followed {
    struct http_stream *stream;
    bool gone;
};

static struct followed followed[8];
static size_t followed_len;

static void on_nothing(void *arg)
{
    (void) arg;
}

static void on_follower_gone(void *arg)
{
    struct followed *one = arg;

    one->gone = true;
    http_stream_end(one->stream);
}

static void follow(struct http_request *request)
{
    struct followed *one = &followed[followed_len];
    const struct http_stream_events events = {on_nothing, on_follower_gone, one};

    cr_assert_lt(followed_len, 8);
    one->stream = http_stream_begin(request, 200, "text/event-stream", &events);
    followed_len++;
}

static struct user user_follows(uid_t uid, unsigned count)
{
    size_t before = followed_len;
    struct user user = user_start(uid, count, STREAM);

    run_until(followed_len == before + count);
    return user;
}

Test(http_crowd, of_too_many_streams_the_oldest_of_the_user_with_the_most_is_closed)
{
    struct user crowd, newcomer;

    f.streams_max = 3;
    f.on_stream = follow;
    restart_with(8);
    crowd = user_follows(A, 3);
    newcomer = user_follows(B, 1);
    cr_expect(followed[0].gone && !followed[1].gone && !followed[2].gone && !followed[3].gone);
    (void) user_end(user_follows(B, 1));
    cr_expect(followed[3].gone && !followed[1].gone, "of two who hold the most the newcomer's");
    cr_expect_eq(user_end(crowd), 1);
    cr_expect_eq(user_end(newcomer), 1);
    cr_expect_eq(stats().cut_off, 2);
}

Test(http_crowd, a_flood_cuts_off_its_own_connections_alone)
{
    struct user one, two, flood;

    restart_with(6);
    one = user_waits(A, 2);
    two = user_waits(B, 2);
    flood = user_start(C, 12, "GET /in");
    run_until(stats().cut_off == 10);
    run_for(50);
    cr_expect_eq(stats().cut_off, 10);
    cr_expect_eq(stats().connections, 6);
    cr_expect_eq(user_end(flood), 10);
    cr_expect_eq(user_end(one), 0);
    cr_expect_eq(user_end(two), 0);
    answer_all();
}

Test(http_crowd, of_the_largest_user_an_idle_connection_goes_before_one_that_is_served)
{
    struct user busy, idle, newcomer;

    restart_with(4);
    busy = user_waits(A, 3);
    idle = user_start(A, 1, "GET /in");
    run_until(stats().connections == 4);
    run_for(20);
    newcomer = user_start(B, 1, SHORT);
    run_until(stats().requests == 4);
    cr_expect_eq(user_end(newcomer), 0);
    cr_expect_eq(user_end(idle), 1);
    cr_expect_eq(user_end(busy), 0);
    answer_all();
}

Test(http_crowd, the_idle_connection_of_a_small_user_is_left_alone)
{
    struct user crowd, idle, newcomer;

    restart_with(4);
    idle = user_start(B, 1, "GET /in");
    run_until(stats().connections == 1);
    crowd = user_waits(A, 3);
    newcomer = user_start(C, 1, SHORT);
    run_until(stats().requests == 4);
    cr_expect_eq(user_end(newcomer), 0);
    cr_expect_eq(user_end(idle), 0);
    cr_expect_eq(user_end(crowd), 1);
    answer_all();
}

Test(http_crowd, among_equals_a_newcomer_takes_the_place_of_its_own)
{
    struct user one, two, more;

    restart_with(5);
    one = user_waits(A, 3);
    two = user_waits(B, 2);
    more = user_start(B, 1, SHORT);
    run_until(stats().requests == 6);
    cr_expect_eq(user_end(more), 0);
    cr_expect_eq(user_end(one), 0);
    cr_expect_eq(user_end(two), 1);
    answer_all();
}

Test(http_crowd, with_one_connection_for_each_user_the_newcomer_is_served_still)
{
    struct user one, two, newcomer;

    restart_with(2);
    one = user_waits(A, 1);
    two = user_waits(B, 1);
    newcomer = user_start(C, 1, SHORT);
    run_until(stats().requests == 3);
    cr_expect_eq(user_end(newcomer), 0);
    cr_expect_eq(user_end(one), 1, "the oldest");
    cr_expect_eq(user_end(two), 0);
    answer_all();
}
