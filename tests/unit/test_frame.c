#include "ipc/frame.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int ours = -1;
static int theirs = -1;
static uint8_t buffer[FRAME_MAX];
static struct err err;

static void open_pair(void)
{
    int fds[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    ours = fds[0];
    theirs = fds[1];
}

static void close_pair(void)
{
    (void) close(ours);
    (void) close(theirs);
}

TestSuite(frame, .init = open_pair, .fini = close_pair);

static int send_cancel(uint64_t grace_ms)
{
    Quell__Pb__Frame frame = QUELL__PB__FRAME__INIT;
    Quell__Pb__Cancel cancel = QUELL__PB__CANCEL__INIT;

    cancel.grace_ms = grace_ms;
    frame.body_case = QUELL__PB__FRAME__BODY_CANCEL;
    frame.cancel = &cancel;
    return frame_send(ours, &frame, buffer, sizeof(buffer), &err);
}

static int receive(Quell__Pb__Frame **ret)
{
    return frame_receive(theirs, buffer, sizeof(buffer), NULL, ret, &err);
}

Test(frame, frames_arrive_one_by_one_in_order)
{
    Quell__Pb__Frame *frame = NULL;

    for (uint64_t i = 0; i < 3; i++)
        cr_assert_eq(send_cancel(i), 0, "%s", err.text);
    for (uint64_t i = 0; i < 3; i++) {
        cr_assert_eq(receive(&frame), 0, "%s", err.text);
        cr_expect_eq(frame->major, FRAME_MAJOR);
        cr_expect_eq(frame->minor, FRAME_MINOR);
        cr_assert_eq(frame->body_case, QUELL__PB__FRAME__BODY_CANCEL);
        cr_expect_eq(frame->cancel->grace_ms, i);
        quell__pb__frame__free_unpacked(frame, NULL);
    }
    cr_expect_eq(receive(&frame), FRAME_NONE);
}

/* A Launch with one argument of @len bytes. */
static int send_launch(uint8_t *text, size_t len)
{
    Quell__Pb__Frame frame = QUELL__PB__FRAME__INIT;
    Quell__Pb__Launch launch = QUELL__PB__LAUNCH__INIT;
    Quell__Pb__Spec spec = QUELL__PB__SPEC__INIT;
    ProtobufCBinaryData argument = {.len = len};

    argument.data = text;
    spec.n_argv = 1;
    spec.argv = &argument;
    launch.spec = &spec;
    frame.body_case = QUELL__PB__FRAME__BODY_LAUNCH;
    frame.launch = &launch;
    return frame_send(ours, &frame, buffer, sizeof(buffer), &err);
}

Test(frame, a_frame_of_the_largest_size_goes_through_and_no_larger_one)
{
    static uint8_t text[FRAME_MAX];
    Quell__Pb__Frame *frame = NULL;
    size_t len = sizeof(text);

    memset(text, 'x', sizeof(text));
    while (send_launch(text, len) == -EMSGSIZE)
        len--;
    cr_assert_gt(len, FRAME_MAX - 64, "only %zu bytes: %s", len, err.text);
    cr_assert_eq(receive(&frame), 0, "%s", err.text);
    cr_expect_eq(frame->launch->spec->argv[0].len, len);
    cr_expect_eq(memcmp(frame->launch->spec->argv[0].data, text, len), 0);
    quell__pb__frame__free_unpacked(frame, NULL);
    cr_expect_eq(receive(&frame), FRAME_NONE, "a frame that was refused came through");
}

Test(frame, a_buffer_that_is_too_small_is_said)
{
    Quell__Pb__Frame frame = QUELL__PB__FRAME__INIT;

    cr_expect_eq(frame_send(ours, &frame, buffer, 1, &err), -EMSGSIZE);
    cr_expect_neq(err.text[0], '\0');
}

Test(frame, a_message_that_does_not_fit_is_no_frame)
{
    Quell__Pb__Frame *frame = NULL;
    uint8_t text[100] = {0};

    cr_assert_eq(send_launch(text, sizeof(text)), 0);
    cr_expect_eq(frame_receive(theirs, buffer, 50, NULL, &frame, &err), -EPROTO);
    cr_expect_str_eq(err.text, "a frame is longer than 50 bytes", "%s", err.text);
    cr_expect_eq(receive(&frame), FRAME_NONE, "the rest of it must not stay");
}

Test(frame, what_is_not_a_frame_is_refused)
{
    static const struct {
        const char *bytes;
        size_t len;
        int r;
    } rows[] = {
        {"\xff\xff\xff", 3, -EPROTO},          /* not protobuf */
        {"\x08", 1, -EPROTO},                  /* cut short */
        {"\x10\x01", 2, -EPROTO},              /* no major version */
        {"\x08\x02", 2, -EPROTONOSUPPORT},     /* a newer one */
        {"\x08\x01\x10\x63", 4, 0},            /* a newer minor */
        {"\x08\x01\xfa\x07\x02hi", 7, 0},      /* a field of a newer version */
        {"\x08\x01\x52\x05hello", 9, -EPROTO}, /* a Launch that is none */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        Quell__Pb__Frame *frame = NULL;

        cr_assert_eq(send(ours, rows[i].bytes, rows[i].len, 0), (ssize_t) rows[i].len);
        err = (struct err){0};
        cr_expect_eq(receive(&frame), rows[i].r, "row %zu: %s", i, err.text);
        cr_expect_eq(err.code, rows[i].r, "row %zu", i);
        quell__pb__frame__free_unpacked(frame, NULL);
    }
}

Test(frame, a_full_socket_is_said_and_does_not_block)
{
    uint8_t text[4096] = {0};
    int sent = 0;
    int r;

    while ((r = send_launch(text, sizeof(text))) == 0)
        sent++;
    cr_expect_eq(r, -EAGAIN, "%s", err.text);
    cr_expect_gt(sent, 0);
}

Test(frame, the_end_of_the_other_side_is_told_after_its_last_frame)
{
    Quell__Pb__Frame *frame = NULL;

    cr_assert_eq(send_cancel(1), 0);
    (void) close(ours);
    cr_assert_eq(receive(&frame), 0);
    quell__pb__frame__free_unpacked(frame, NULL);
    cr_expect_eq(receive(&frame), FRAME_CLOSED);
}

Test(frame, an_end_with_frames_unread_is_an_end_too)
{
    Quell__Pb__Frame *frame = NULL;

    cr_assert_eq(send_cancel(1), 0); /* which nobody reads */
    (void) close(theirs);
    cr_expect_eq(frame_receive(ours, buffer, sizeof(buffer), NULL, &frame, &err), FRAME_CLOSED);
    cr_expect_eq(frame_receive(ours, buffer, sizeof(buffer), NULL, &frame, &err), FRAME_CLOSED);
}

static volatile sig_atomic_t pipe_signals;

static void on_sigpipe(int number)
{
    (void) number;
    pipe_signals++;
}

Test(frame, sending_to_nobody_is_an_error_and_no_signal)
{
    const struct sigaction action = {.sa_handler = on_sigpipe};
    sigset_t set;

    (void) sigemptyset(&set);
    (void) sigaddset(&set, SIGPIPE);
    (void) sigaction(SIGPIPE, &action, NULL);
    (void) sigprocmask(SIG_UNBLOCK, &set, NULL);
    (void) close(theirs);
    cr_expect_eq(send_cancel(1), -EPIPE);
    cr_expect_neq(err.text[0], '\0');
    cr_expect_eq(pipe_signals, 0);
}

Test(frame, a_bad_descriptor_is_an_error)
{
    Quell__Pb__Frame *frame = NULL;

    cr_expect_eq(frame_receive(-1, buffer, sizeof(buffer), NULL, &frame, &err), -EBADF);
    cr_expect_eq(frame_receive(STDIN_FILENO, buffer, sizeof(buffer), NULL, &frame, &err),
                 -ENOTSOCK);
}
