/* What goes wrong is told in sentences, with the exit status that is promised. */
#include "tests/integration/tasks.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(refusals, .fini = worlds_close, .timeout = 120);

#define NOBODY 65534
#define DAEMON 1

#define RUN(w, ...) run((w), 0, (const char *const[]){__VA_ARGS__, NULL})

/* One sentence on stderr, of @program, with all @parts. */
static void assert_sentence(struct ctl answer, int status, const char *program,
                            const char *const *parts)
{
    cr_assert_eq(answer.status, status, "%s exits with %d: %s", program, answer.status, answer.err);
    cr_assert_eq(strncmp(answer.err, program, strlen(program)), 0, "%s", answer.err);
    for (; *parts; parts++)
        assert_has(answer.err, *parts);
}

#define PARTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void assert_one_line(struct ctl answer)
{
    const char *end = strchr(answer.err, '\n');

    cr_assert(end && end[1] == '\0', "not one line: %s", answer.err);
}

Test(refusals, a_node_that_never_said_hello_is_unknown)
{
    struct world *w = world_open(1);
    const struct ctl answer = ctl(w, "submit", "-n", "n7", "--", "true");

    assert_sentence(answer, 1, "quellctl: ", PARTS("0x80070490", "n7"));
    assert_one_line(answer);
    cr_assert_str_eq(answer.out, "");
    assert_sentence(ctl(w, "cancel", "-J", "9"), 1, "quellctl: ", PARTS("0x80070490", "9"));
    assert_sentence(ctl(w, "show", "9.9"), 1, "quellctl: ", PARTS("9.9", "0x80040207"));
    assert_sentence(ctl(w, "wait", "9.9"), 1, "quellctl: ", PARTS("9.9", "0x80040207"));
}

Test(refusals, a_head_that_is_not_there_is_no_answer)
{
    struct world *w = world_make(NULL);

    assert_sentence(ctl(w, "list"), 3, "quellctl: ", PARTS(w->head_socket, "quell-head"));
    assert_sentence(ctl(w, "status"), 3, "quellctl: ", PARTS(w->agents[0].socket, "quelld"));
    assert_one_line(ctl(w, "list"));
    head_start(w);
    program_kill(&w->head); /* and leaves its socket behind */
    assert_sentence(ctl(w, "list"), 3, "quellctl: ", PARTS(w->head_socket, "quell-head"));
}

Test(refusals, what_is_called_wrongly_exits_with_2)
{
    struct world *w = world_make(NULL);
    const char *head = bin(w, "quell-head"), *quelld = bin(w, "quelld");

    assert_sentence(ctl(w, "cancel"), 2, "quellctl: ", PARTS("cancel"));
    assert_sentence(ctl(w, "no-such-verb"), 2, "quellctl: ", PARTS("no-such-verb"));
    assert_sentence(ctl(w, "cancel", "7.1", "--grace", "soon"), 2,
                    "quellctl: ", PARTS("--grace", "soon"));
    assert_sentence(ctl(w, "submit", "--", "true"), 2, "quellctl: ", PARTS("-n NODE"));
    assert_sentence(RUN(w, head, "--no-such-flag"), 2, "quell-head: ", PARTS("--no-such-flag"));
    assert_sentence(RUN(w, quelld, "--no-such-flag"), 2, "quelld: ", PARTS("--no-such-flag"));
    assert_sentence(RUN(w, head, "--config", path_in(w, "head.conf")), 2,
                    "quell-head: ", PARTS("--listen"));
    assert_sentence(RUN(w, quelld, "--config", path_in(w, "quelld.conf")), 2,
                    "quelld: ", PARTS("--head"));
}

Test(refusals, all_programs_tell_their_version_and_how_they_are_called)
{
    static const char *const programs[] = {"quell-head", "quelld", "quellctl", "quell-supervisor"};
    struct world *w = world_make(NULL);

    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
        const struct ctl version = RUN(w, bin(w, programs[i]), "--version");
        const struct ctl help = RUN(w, bin(w, programs[i]), "--help");

        cr_assert(version.status == 0 && help.status == 0, "%s: %s%s", programs[i], version.err,
                  help.err);
        cr_assert_eq(strncmp(version.out, programs[i], strlen(programs[i])), 0, "%s", version.out);
        assert_has(help.out, programs[i]);
    }
}

Test(refusals, an_unknown_key_is_named_with_its_file_and_line)
{
    struct world *w = world_make(NULL);
    const char *head = file_in(w, "bad-head.conf", "[head]\n# fine\nlissten = x\n");
    const char *agent = file_in(w, "bad-agent.conf", "[tasks]\n\nallow_rot = yes\n");
    const char *value = file_in(w, "bad-value.conf", "[tasks]\nallow_root = perhaps\n");

    assert_sentence(RUN(w, bin(w, "quell-head"), "--config", head), 1,
                    "quell-head: ", PARTS(keepf(w, "%s:3", head), "lissten"));
    assert_sentence(RUN(w, bin(w, "quelld"), "--config", agent, "--head", w->head_url), 1,
                    "quelld: ", PARTS(keepf(w, "%s:3", agent), "allow_rot"));
    assert_sentence(RUN(w, bin(w, "quelld"), "--config", value, "--head", w->head_url), 1,
                    "quelld: ", PARTS(keepf(w, "%s:2", value), "allow_root", "perhaps"));
    assert_sentence(RUN(w, bin(w, "quelld"), "--config", "/no/such/file", "--head", w->head_url), 1,
                    "quelld: ", PARTS("/no/such/file", "No such file"));
}

static int listen_somewhere(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_geq(fd, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
    cr_assert_eq(listen(fd, 1), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *) &address, &len), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

Test(refusals, what_is_in_use_already_is_named)
{
    struct world *w = world_open(1);
    const char *head = bin(w, "quell-head"), *config = path_in(w, "head.conf");
    const char *other_url = keepf(w, "ipc://%s/nodes/other.ipc", w->dir);
    const char *other_socket = path_in(w, "other.sock"), *other_state = path_in(w, "other");
    const char *url;
    uint16_t port;
    const int fd = listen_somewhere(&port);

    url = keepf(w, "tcp://127.0.0.1:%u", port);
    assert_sentence(RUN(w, head, "--listen", url, "--insecure", "--socket", other_socket,
                        "--state-dir", other_state, "--config", config),
                    1, "quell-head: ", PARTS(url, "in use"));
    assert_sentence(RUN(w, head, "--listen", w->head_url, "--socket", other_socket, "--state-dir",
                        other_state, "--config", config),
                    1, "quell-head: ", PARTS(w->head_url, "in use"));
    assert_sentence(RUN(w, head, "--listen", other_url, "--socket", w->head_socket, "--state-dir",
                        other_state, "--config", config),
                    1, "quell-head: ", PARTS(w->head_socket));
    assert_sentence(RUN(w, head, "--listen", other_url, "--socket", other_socket, "--state-dir",
                        path_in(w, "head"), "--config", config),
                    1, "quell-head: ", PARTS(path_in(w, "head")));
    assert_sentence(RUN(w, bin(w, "quelld"), "--head", w->head_url, "--node", "n1", "--socket",
                        other_socket, "--state-dir", path_in(w, "n1.state"), "--run-dir",
                        path_in(w, "other.run"), "--config", path_in(w, "quelld.conf")),
                    1, "quelld: ", PARTS(path_in(w, "n1.state")));
    /* None of it has disturbed those who were there. */
    assert_text(w, task_wait(w, submit(w, "--", "true")), "status", "TaskStatus_Finished");
    (void) close(fd);
}

Test(refusals, without_a_key_only_a_private_ipc_directory_or_insecure_will_do)
{
    struct world *w = world_make(NULL);
    const char *open_dir = path_in(w, "open");
    const char *url;

    cr_assert_eq(mkdir(open_dir, 0755), 0);
    cr_assert_eq(chmod(open_dir, 0755), 0);
    url = keepf(w, "ipc://%s/head.ipc", open_dir);
    assert_sentence(RUN(w, bin(w, "quell-head"), "--listen", url, "--socket", path_in(w, "s"),
                        "--state-dir", path_in(w, "head"), "--config", path_in(w, "head.conf")),
                    1, "quell-head: ", PARTS(open_dir, "0700"));
    assert_sentence(RUN(w, bin(w, "quell-head"), "--listen", "tcp://127.0.0.1:5960", "--socket",
                        path_in(w, "s"), "--state-dir", path_in(w, "head"), "--config",
                        path_in(w, "head.conf")),
                    1, "quell-head: ", PARTS("tcp://127.0.0.1:5960", "--insecure"));
    assert_sentence(RUN(w, bin(w, "quelld"), "--head", "tcp://127.0.0.1:5960", "--config",
                        path_in(w, "quelld.conf")),
                    1, "quelld: ", PARTS("tcp://127.0.0.1:5960", "--insecure"));
}

Test(refusals, an_agent_that_is_not_root_says_so)
{
    struct world *w = world_make(NULL);
    const char *const argv[] = {program_in(w, "quelld"),   "--head", w->head_url, "--config",
                                path_in(w, "quelld.conf"), "--node", "n1",        NULL};
    struct ctl answer;

    cr_assert_eq(chmod(path_in(w, "nodes"), 0755), 0); /* it may look at it */
    cr_assert_eq(chown(path_in(w, "nodes"), NOBODY, NOBODY), 0);
    cr_assert_eq(chmod(path_in(w, "nodes"), 0700), 0);
    answer = run(w, NOBODY, argv);
    assert_sentence(answer, 1, "quelld: ", PARTS("root"));
    assert_one_line(answer);
}

Test(refusals, a_socket_that_may_not_be_reached_is_named_with_the_reason)
{
    struct world *w = world_open(1);
    const char *closed = path_in(w, "nodes/closed.sock");
    const struct ctl answer = ctl_as(w, NOBODY, "--head", closed, "list");

    assert_sentence(answer, 3, "quellctl: ", PARTS(closed, "Permission denied"));
    assert_one_line(answer);
}

Test(refusals, only_owner_root_and_operators_may_act_on_a_task)
{
    struct world *w = world_open(1);
    const char *id = submit_fighter(w, "n1", 2);
    struct ctl answer = ctl_as(w, DAEMON, "cancel", id, "--grace", "0");

    assert_sentence(answer, 1, "quellctl: ", PARTS(id, "0x80070005", "nobody"));
    cr_assert_eq(survivors(w, id), 2);
    assert_null(w, task_show(w, id), "cancel_time");
    cr_assert_eq(ctl_as(w, DAEMON, "show", id).status, 0, "anyone may look");
    answer = ctl_as(w, NOBODY, "cancel", id, "--grace", "0", "-m", "mine", "--wait");
    cr_assert_eq(answer.status, 5, "%s", answer.err);
    assert_number(w, task_show(w, id), "cancelled_by.uid", NOBODY);
    assert_text(w, task_show(w, id), "cancelled_by.name", "nobody");
    assert_text(w, task_show(w, id), "error_message", "mine");
    assert_no_survivors(w, id);
}
