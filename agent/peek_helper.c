/* peek_helper.c - the process that reads the end of a task's output, as the task's user. */
#include "agent/peek.h"

#include "base/become.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fdio.h"
#include "base/user_lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUESTION_MAX (256u * 1024)
#define TAIL_MAX     65536u

enum { OUT, ERR, STREAMS };

struct work {
    const Quell__Pb__Peek *question;
    Quell__Pb__Output outputs[STREAMS];
    Quell__Pb__Output *list[STREAMS];
    char paths[STREAMS][PATH_MAX];
    uint8_t tails[STREAMS][TAIL_MAX];
    struct err errs[STREAMS];
};

static int become(const struct user_info *user, struct err *err)
{
    const struct become as = {.uid = user->uid,
                              .gid = user->gid,
                              .groups = user->groups,
                              .groups_len = user->groups_len,
                              .name = user->name};

    return become_user(&as, err);
}

/* As the task itself was started: the home, else /; then its working directory. */
static int enter(const Quell__Pb__Peek *question, const struct user_info *user, struct err *err)
{
    char path[PATH_MAX];

    if (chdir("/") < 0)
        return err_errno(err, -errno, "enter /");
    (void) !chdir(user->home);
    if (question->workdir.len == 0)
        return 0;
    if (question->workdir.len >= sizeof(path))
        return err_errno(err, -ENAMETOOLONG, "enter the working directory");
    (void) memcpy(path, question->workdir.data, question->workdir.len);
    path[question->workdir.len] = '\0';
    return chdir(path) < 0 ? err_errno(err, -errno, "enter %s", path) : 0;
}

static int read_tail(int fd, const char *path, uint32_t want, Quell__Pb__Output *output,
                     uint8_t tail[TAIL_MAX], struct err *err)
{
    struct stat st;
    off_t from;
    ssize_t len;

    if (fstat(fd, &st) < 0)
        return err_errno(err, -errno, "look at %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, -EINVAL, "%s is no regular file: what went there is gone", path);
    from = st.st_size > (off_t) want ? st.st_size - (off_t) want : 0;
    len = pread(fd, tail, want, from);
    if (len < 0)
        return err_errno(err, -errno, "read %s", path);
    output->size = (uint64_t) st.st_size;
    output->tail = (ProtobufCBinaryData){.len = (size_t) len, .data = tail};
    return 0;
}

static void look(struct work *work, int stream, const ProtobufCBinaryData *named,
                 const char *suffix)
{
    const Quell__Pb__Name *name = work->question->name;
    const uint32_t want = work->question->bytes < TAIL_MAX ? work->question->bytes : TAIL_MAX;
    Quell__Pb__Output *output = &work->outputs[stream];
    char *path = work->paths[stream];
    struct err *err = &work->errs[stream];
    CLEANUP_FD int fd = -1;

    if (named->len >= PATH_MAX)
        return;
    if (named->len > 0)
        (void) memcpy(path, named->data, named->len);
    else
        (void) snprintf(path, PATH_MAX, "quell-%u.%u.%u.%s", name->job_id, name->task_id,
                        name->attempt, suffix);
    fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 && named->len == 0)
        return; /* it could not be made: the output went nowhere */
    output->path = (ProtobufCBinaryData){.len = strlen(path), .data = (uint8_t *) path};
    if (fd < 0)
        (void) err_errno(err, -errno, "open %s", path);
    else if (read_tail(fd, path, want, output, work->tails[stream], err) == 0)
        return;
    output->text = err->text;
}

static int send_answer(const Quell__Pb__Peeked *peeked)
{
    CLEANUP_FREE uint8_t *bytes = malloc(quell__pb__peeked__get_packed_size(peeked) + 1);

    if (!bytes)
        return EXIT_FAILURE;
    return fdio_write(STDOUT_FILENO, bytes, quell__pb__peeked__pack(peeked, bytes)) < 0
               ? EXIT_FAILURE
               : EXIT_SUCCESS;
}

static int refuse(const struct err *err)
{
    Quell__Pb__Peeked peeked = QUELL__PB__PEEKED__INIT;

    peeked.text = (char *) err->text;
    return send_answer(&peeked);
}

static Quell__Pb__Peek *read_question(void)
{
    CLEANUP_FREE uint8_t *bytes = malloc(QUESTION_MAX);
    ssize_t len = bytes ? fdio_read(STDIN_FILENO, bytes, QUESTION_MAX) : -1;

    return len < 0 ? NULL : quell__pb__peek__unpack(NULL, (size_t) len, bytes);
}

int peek_main(void)
{
    static struct work work;
    static struct user_info user;
    Quell__Pb__Peek *question = read_question();
    Quell__Pb__Peeked peeked = QUELL__PB__PEEKED__INIT;
    struct err err;

    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!question || !question->name)
        return EXIT_FAILURE;
    work.question = question;
    if (user_lookup_ask(question->user, &user, &err) < 0 || become(&user, &err) < 0 ||
        enter(question, &user, &err) < 0)
        return refuse(&err);
    for (int i = 0; i < STREAMS; i++) {
        quell__pb__output__init(&work.outputs[i]);
        work.list[i] = &work.outputs[i];
    }
    work.outputs[OUT].stream = (char *) "stdout";
    work.outputs[ERR].stream = (char *) "stderr";
    look(&work, OUT, &question->stdout_path, "out");
    look(&work, ERR, &question->stderr_path, "err");
    peeked.outputs = work.list;
    peeked.n_outputs = STREAMS;
    return send_answer(&peeked);
}
