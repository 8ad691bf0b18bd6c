#include "base/fdio.h"

#include "base/cleanup.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char dir_path[64];
static int dir = -1;

static void make_dir(void)
{
    (void) snprintf(dir_path, sizeof(dir_path), "/tmp/quell-fdio-XXXXXX");
    cr_assert_not_null(mkdtemp(dir_path));
    dir = open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(dir, 0);
}

static void remove_dir(void)
{
    (void) unlinkat(dir, "file", 0);
    (void) close(dir);
    (void) rmdir(dir_path);
}

TestSuite(fdio, .init = make_dir, .fini = remove_dir);

static void put(const char *text)
{
    CLEANUP_FD int fd = openat(dir, "file", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

    cr_assert_geq(fd, 0);
    cr_assert_eq(fdio_write(fd, text, strlen(text)), 0);
}

Test(fdio, a_text_is_read_whole_or_not_at_all)
{
    char buffer[8];

    put("1234567");
    cr_expect_eq(fdio_read_text(dir, "file", buffer, sizeof(buffer)), 7);
    cr_expect_str_eq(buffer, "1234567");
    put("12345678");
    cr_expect_eq(fdio_read_text(dir, "file", buffer, sizeof(buffer)), -EFBIG);
    put("");
    cr_expect_eq(fdio_read_text(dir, "file", buffer, sizeof(buffer)), 0);
    cr_expect_str_eq(buffer, "");
}

Test(fdio, what_is_not_there_is_said)
{
    char buffer[8];

    cr_expect_eq(fdio_read_text(dir, "no", buffer, sizeof(buffer)), -ENOENT);
    cr_expect_eq(fdio_write_text(dir, "no", "x"), -ENOENT);
    cr_expect_eq(fdio_read_text(dir, ".", buffer, sizeof(buffer)), -EISDIR);
    cr_expect_eq(fdio_read(-1, buffer, sizeof(buffer)), -EBADF);
    cr_expect_eq(fdio_write(-1, "x", 1), -EBADF);
    cr_expect_eq(fdio_set_nonblocking(-1), -EBADF);
    cr_expect_eq(faccessat(dir, "no", F_OK, 0), -1, "writing must not make a file");
}

Test(fdio, a_text_is_written_to_a_file_that_exists)
{
    char buffer[8];

    put("");
    cr_expect_eq(fdio_write_text(dir, "file", "123"), 0);
    cr_expect_eq(fdio_read_text(dir, "file", buffer, sizeof(buffer)), 3);
    cr_expect_str_eq(buffer, "123");
    cr_expect_eq(fdio_write_text(AT_FDCWD, "/dev/full", "x"), -ENOSPC);
}

static sem_t interrupted;

static void on_signal(int number)
{
    (void) number;
    (void) sem_post(&interrupted);
}

struct reader {
    int fd;
    pthread_t writer;
    size_t sum;
};

/* Interrupts the writer, which soon stands before a full pipe, a hundred times; then reads all. */
static void *disturb_and_read(void *arg)
{
    struct reader *reader = arg;
    char buffer[4096];
    ssize_t n;

    for (int i = 0; i < 100; i++) {
        (void) pthread_kill(reader->writer, SIGUSR1);
        while (sem_wait(&interrupted) < 0)
            ;
    }
    while ((n = read(reader->fd, buffer, sizeof(buffer))) > 0)
        reader->sum += (size_t) n;
    return NULL;
}

Test(fdio, a_write_goes_on_after_signals_and_short_writes)
{
    /* Without SA_RESTART: a signal ends the system call. */
    const struct sigaction action = {.sa_handler = on_signal};
    const size_t len = 4u << 20;
    char *bytes = calloc(1, len);
    struct reader reader = {.writer = pthread_self()};
    pthread_t thread;
    int fds[2];

    cr_assert_not_null(bytes);
    cr_assert_eq(sem_init(&interrupted, 0, 0), 0);
    cr_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
    cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
    reader.fd = fds[0];
    cr_assert_eq(pthread_create(&thread, NULL, disturb_and_read, &reader), 0);
    cr_expect_eq(fdio_write(fds[1], bytes, len), 0);
    (void) close(fds[1]);
    (void) pthread_join(thread, NULL);
    (void) close(fds[0]);
    cr_expect_eq(reader.sum, len);
    free(bytes);
}

Test(fdio, a_read_collects_pieces_until_the_end)
{
    char buffer[16] = {0};
    int fds[2];
    pid_t pid;

    cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
    pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        for (int i = 0; i < 5; i++)
            if (write(fds[1], "ab", 2) != 2)
                _exit(1);
        _exit(0);
    }
    (void) close(fds[1]);
    cr_expect_eq(fdio_read(fds[0], buffer, 4), 4);
    cr_expect_eq(fdio_read(fds[0], buffer + 4, sizeof(buffer) - 4), 6);
    cr_expect_eq(fdio_read(fds[0], buffer, 1), 0);
    cr_expect_eq(memcmp(buffer, "ababababab", 10), 0);
    (void) close(fds[0]);
    (void) waitpid(pid, NULL, 0);
}

Test(fdio, a_descriptor_can_be_made_not_to_block)
{
    char byte;
    int fds[2];

    cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
    cr_expect_eq(fdio_set_nonblocking(fds[0]), 0);
    cr_expect_eq(fdio_read(fds[0], &byte, 1), -EAGAIN);
    (void) close(fds[0]);
    (void) close(fds[1]);
}

Test(fdio, random_bytes_fill_the_whole_buffer_and_differ)
{
    uint8_t a[600] = {0};
    uint8_t b[600] = {0};

    fdio_random(a, sizeof(a));
    fdio_random(b, sizeof(b));
    cr_expect_neq(memcmp(a, b, sizeof(a)), 0);
    cr_expect_neq(memcmp(a + 500, b + 500, 100), 0, "the end was not filled");
}
