#include "agent/peek.h"

#include "agent/agent.h"
#include "agent/head_link.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/self_spawn.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define PEEKS_AT_ONCE 16u
#define PEEK_TIME_S   10            /* the head waits a little longer */
#define ANSWER_MAX    (256u * 1024) /* two tails of 64 KiB, and paths */

struct peek {
    LIST_ENTRY(peek) entry;
    struct peeks *peeks; /* borrowed */
    uint8_t id[16];
    pid_t pid; /* reaped by the agent, as every child */
    int pidfd;
    int fd; /* the helper's answer; -1: closed */
    struct event *readable;
    uint8_t *answer;
    size_t answer_len;
};

struct peeks {
    struct agent *agent; /* borrowed */
    LIST_HEAD(, peek) list;
    size_t len;
};

struct peeks *peeks_new(struct agent *agent)
{
    struct peeks *peeks = calloc(1, sizeof(*peeks));

    if (peeks)
        peeks->agent = agent;
    return peeks;
}

static struct peek *peek_free(struct peek *peek)
{
    if (!peek)
        return NULL;
    if (peek->readable)
        event_free(peek->readable);
    if (peek->pidfd >= 0)
        (void) pidfd_send_signal(peek->pidfd, SIGKILL, NULL, 0);
    cleanup_fd(&peek->pidfd);
    cleanup_fd(&peek->fd);
    free(peek->answer);
    free(peek);
    return NULL;
}
DEFINE_CLEANUP(struct peek *, peek_free);

static void peek_end(struct peek *peek)
{
    LIST_REMOVE(peek, entry);
    peek->peeks->len--;
    (void) peek_free(peek);
}

struct peeks *peeks_free(struct peeks *peeks)
{
    struct peek *peek;

    if (!peeks)
        return NULL;
    while ((peek = LIST_FIRST(&peeks->list)))
        peek_end(peek);
    free(peeks);
    return NULL;
}

static void refuse(struct agent *agent, const ProtobufCBinaryData *id, const char *text)
{
    Quell__Pb__Peeked peeked = QUELL__PB__PEEKED__INIT;

    peeked.id = *id;
    peeked.text = (char *) text;
    head_link_peeked(agent->link, &peeked);
}

/* The helper has said all that it has to say. */
static void answer(struct peek *peek)
{
    struct agent *agent = peek->peeks->agent;
    ProtobufCBinaryData id = {.len = sizeof(peek->id), .data = peek->id};
    Quell__Pb__Peeked *peeked = quell__pb__peeked__unpack(NULL, peek->answer_len, peek->answer);

    if (!peeked || (peeked->n_outputs == 0 && *peeked->text == '\0')) {
        refuse(agent, &id, "the helper that reads the task's output has ended without an answer");
    } else {
        ProtobufCBinaryData own = peeked->id;

        peeked->id = id;
        head_link_peeked(agent->link, peeked);
        peeked->id = own;
    }
    if (peeked)
        quell__pb__peeked__free_unpacked(peeked, NULL);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct peek *peek = arg;
    ssize_t len = 0;

    if (what & EV_TIMEOUT) {
        char text[128];

        (void) snprintf(text, sizeof(text),
                        "the task's output could not be read within %d s: does its file system "
                        "answer?",
                        PEEK_TIME_S);
        refuse(peek->peeks->agent, &(ProtobufCBinaryData){.len = 16, .data = peek->id}, text);
        peek_end(peek);
        return;
    }
    if (peek->answer_len < ANSWER_MAX)
        len = read(fd, peek->answer + peek->answer_len, ANSWER_MAX - peek->answer_len);
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len > 0) {
        peek->answer_len += (size_t) len;
        return;
    }
    answer(peek);
    peek_end(peek);
}

/* The question in a file of its own, whatever its size. */
static int make_question(const Quell__Pb__Peek *question)
{
    CLEANUP_FREE uint8_t *bytes = malloc(quell__pb__peek__get_packed_size(question) + 1);
    CLEANUP_FD int fd = memfd_create("quell-peek", MFD_CLOEXEC);
    int r;

    if (!bytes || fd < 0)
        return -ENOMEM;
    r = fdio_write(fd, bytes, quell__pb__peek__pack(question, bytes));
    if (r < 0)
        return r;
    return lseek(fd, 0, SEEK_SET) < 0 ? -errno : TAKE_FD(fd);
}

static int start_helper(struct peek *peek, const Quell__Pb__Peek *question)
{
    CLEANUP_FD int in = make_question(question);
    CLEANUP_FD int out = -1;
    int fds[2];
    int r;

    if (in < 0)
        return in;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    peek->fd = fds[0];
    out = fds[1];
    r = fdio_set_nonblocking(peek->fd);
    if (r == 0)
        r = -self_spawn("quell-peek", PEEK_FLAG, NULL, in, out, &peek->pid);
    if (r < 0)
        return r;
    peek->pidfd = pidfd_open(peek->pid, 0);
    return peek->pidfd < 0 ? -errno : 0;
}

static int start(struct peek *peek, const Quell__Pb__Peek *question)
{
    const struct timeval time = {.tv_sec = PEEK_TIME_S};
    int r = start_helper(peek, question);

    if (r < 0)
        return r;
    peek->answer = malloc(ANSWER_MAX);
    peek->readable =
        event_new(peek->peeks->agent->base, peek->fd, EV_READ | EV_PERSIST, on_readable, peek);
    if (!peek->answer || !peek->readable || event_add(peek->readable, &time) < 0)
        return -ENOMEM;
    return 0;
}

void peek_begin(struct peeks *peeks, const Quell__Pb__Peek *question)
{
    CLEANUP(peek_freep) struct peek *peek = NULL;
    char text[128];
    int r;

    if (question->id.len != sizeof(peek->id) || !question->name)
        return;
    if (peeks->len == PEEKS_AT_ONCE) {
        refuse(peeks->agent, &question->id, "the node reads the output of other tasks already");
        return;
    }
    peek = calloc(1, sizeof(*peek));
    if (!peek)
        return;
    peek->peeks = peeks;
    peek->pidfd = peek->fd = -1;
    (void) memcpy(peek->id, question->id.data, sizeof(peek->id));
    r = start(peek, question);
    if (r < 0) {
        (void) snprintf(text, sizeof(text), "the task's output can't be read: start a helper: %s",
                        strerror(-r));
        refuse(peeks->agent, &question->id, text);
        return;
    }
    LIST_INSERT_HEAD(&peeks->list, peek, entry);
    peeks->len++;
    (void) TAKE_PTR(peek);
}
