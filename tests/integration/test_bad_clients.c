/* Silent, slow, huge, greedy and very many HTTP clients, at both daemons, during a cancel: they are
 * cut off and counted, and disturb nobody. */
#include "tests/integration/asker.h"
#include "tests/integration/prober.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(bad_clients, .fini = worlds_close, .timeout = 300);

/* ---- the bad clients: a child, which Criterion must not hear of ---- */

struct habit {
    const char *name;
    const char *begin; /* sent at once; NULL: nothing */
    const char *again; /* sent again and again, as fast as it is taken; NULL: nothing */
    const char *drip;  /* sent twice a second */
    int count;
};

#define GREEDY "GET /v1/tasks?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define X8     "xxxxxxxx"
#define X64    X8 X8 X8 X8 X8 X8 X8 X8

static const struct habit habits[] = {
    {.name = "silent", .count = 20},
    {.name = "dripping",
     .begin = "GET /healthz HTTP/1.1\r\n",
     .drip = "X-More: 1\r\n",
     .count = 20},
    {.name = "with a head that never ends",
     .begin = "GET /healthz HTTP/1.1\r\nX: ",
     .again = X64,
     .count = 5},
    {.name = "with a huge body",
     .begin = "POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n",
     .again = X64,
     .count = 5},
    {.name = "with a slow body",
     .begin = "POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
     .drip = "x",
     .count = 20},
    {.name = "that never reads", .begin = GREEDY, .again = GREEDY, .count = 10},
    {.name = "one of very many", .count = 1100},
};

#define NOBODY     65534 /* another user than who asks properly */
#define CLIENTS    1180  /* in all */
#define EXIT_LIMIT 3
#define EXIT_STAYS 4

static int client_open(const char *socket_path, const struct habit *habit)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    if (fd < 0 || connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0)
        return -1;
    (void) fcntl(fd, F_SETFL, O_NONBLOCK);
    if (habit->begin)
        (void) send(fd, habit->begin, strlen(habit->begin), MSG_NOSIGNAL);
    return fd;
}

static const struct habit *habit_of(int client)
{
    size_t h = 0;

    while (client >= habits[h].count)
        client -= habits[h++].count;
    return &habits[h];
}

static void misbehave(struct pollfd *event, const struct habit *habit, bool tick)
{
    const char *text = tick && habit->drip ? habit->drip : NULL;

    if (event->revents & POLLOUT)
        text = habit->again;
    if (text)
        (void) send(event->fd, text, strlen(text), MSG_NOSIGNAL);
}

/* Until the server has closed every one of them. Returns an exit status. */
static int pester(const char *socket_path)
{
    static struct pollfd events[CLIENTS + 1];
    const struct itimerspec twice_a_second = {{0, 500000000}, {0, 500000000}};
    const struct rlimit files = {4 * CLIENTS, 4 * CLIENTS};
    int alive = CLIENTS;

    if (setrlimit(RLIMIT_NOFILE, &files) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
        return EXIT_LIMIT;
    (void) prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of the user would clear it */
    events[CLIENTS].fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    events[CLIENTS].events = POLLIN;
    if (timerfd_settime(events[CLIENTS].fd, 0, &twice_a_second, NULL) < 0)
        return EXIT_LIMIT;
    for (int i = 0; i < CLIENTS; i++) {
        events[i] = (struct pollfd){.fd = client_open(socket_path, habit_of(i)),
                                    .events = habit_of(i)->again ? POLLOUT : 0};
        if (events[i].fd < 0)
            return EXIT_LIMIT;
    }
    while (alive > 0) {
        bool tick;
        uint64_t ticks;

        if (poll(events, CLIENTS + 1, DEADLINE_MS) <= 0)
            return EXIT_STAYS;
        tick = events[CLIENTS].revents && read(events[CLIENTS].fd, &ticks, sizeof(ticks)) > 0;
        for (int i = 0; i < CLIENTS; i++) {
            if (events[i].fd >= 0 && events[i].revents & (POLLHUP | POLLERR)) {
                (void) close(events[i].fd);
                events[i].fd = -1;
                alive--;
            } else if (events[i].fd >= 0) {
                misbehave(&events[i], habit_of(i), tick);
            }
        }
    }
    return 0;
}

/* Returns a pidfd. */
static int pests_start(const char *socket_path)
{
    const pid_t pid = fork();
    int pidfd;

    cr_assert_geq(pid, 0);
    if (pid == 0) {
        (void) syscall(SYS_close_range, 3, ~0u, 0);
        _exit(pester(socket_path));
    }
    pidfd = pidfd_open(pid, 0);
    cr_assert_geq(pidfd, 0);
    return pidfd;
}

static void pests_finish(int pidfd, const char *name)
{
    siginfo_t info;

    cr_assert_eq(wait_readable(pidfd), 0, "bad clients of the %s are not cut off", name);
    cr_assert_eq(waitid(P_PIDFD, (id_t) pidfd, &info, WEXITED), 0);
    cr_assert_eq(info.si_status, 0, "bad clients of the %s: exit status %d", name, info.si_status);
    (void) close(pidfd);
}

/* ---- the daemons ---- */

static int64_t cut_off(struct world *w, const char *socket_path, const char *path)
{
    struct asker *asker = asker_open(socket_path);
    int status;
    const json_t *answer = keep_json(w, asker_get(asker, path, &status));

    asker_close(asker);
    cr_assert_eq(status, 200, "%s: %s", path, dump(w, answer));
    return number_at(answer, "http.cut_off");
}

/* False: somebody had to wait for an answer. */
static bool play(void)
{
    static const char *const of_head[] = {"/v1/tasks?limit=100", "/healthz", "/v1/nodes", NULL};
    static const char *const of_agent[] = {"/v1/tasks", "/healthz", "/v1/node", NULL};
    struct world *w = world_open(1);
    const char *agent_socket = w->agents[0].socket;
    const char *id = submit_fighter(w, "n1", 20);
    const int64_t at_head = cut_off(w, w->head_socket, "/v1/head");
    const int64_t at_agent = cut_off(w, agent_socket, "/v1/node");
    struct prober head, agent, floor;
    double floor_ms;
    struct ctl answer;
    int pests[2];
    bool in_time;

    prober_start_floor(&floor, w->dir);
    prober_start(&head, w->head_socket, of_head);
    prober_start(&agent, agent_socket, of_agent);
    pests[0] = pests_start(w->head_socket);
    pests[1] = pests_start(agent_socket);
    answer = ctl(w, "cancel", id, "-m", "in spite of them", "--grace", "500ms", "--wait");
    cr_assert_eq(answer.status, 5, "%s", answer.err);
    assert_cancelled(w, id, "in spite of them", "cgroup_kill");
    pests_finish(pests[0], "head");
    pests_finish(pests[1], "agent");
    floor_ms = prober_finish_floor(&floor);
    in_time = prober_finish(&head, "head", floor_ms);
    in_time = prober_finish(&agent, "agent", floor_ms) && in_time;
    cr_assert_geq(cut_off(w, w->head_socket, "/v1/head") - at_head, CLIENTS);
    cr_assert_geq(cut_off(w, agent_socket, "/v1/node") - at_agent, CLIENTS);
    return in_time;
}

Test(bad_clients, are_cut_off_and_counted_and_hinder_neither_a_cancel_nor_an_answer)
{
    for (int round = 0; round < PROBER_ROUNDS; round++)
        if (play())
            return;
    cr_assert_fail("an answer took more than %.0f ms in each round", PROBER_LIMIT_MS);
}
