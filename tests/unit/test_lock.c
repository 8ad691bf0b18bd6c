#include "base/cleanup.h"
#include "base/lock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

static char dir[64];

static void make_dir(void)
{
    (void) snprintf(dir, sizeof(dir), "/tmp/quell-test-lock-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
}

static void remove_dir(void)
{
    char command[128];

    (void) snprintf(command, sizeof(command), "rm -rf %s", dir);
    (void) system(command);
}

TestSuite(lock, .init = make_dir, .fini = remove_dir);

static int dir_open(void)
{
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    cr_assert_geq(fd, 0);
    return fd;
}

/* A process that takes the lock and forks a child, which outlives it with all its descriptors. */
static pid_t start_owner(int dirfd, int *ret_ready, int *ret_hold)
{
    int ready[2];
    int hold[2];
    pid_t owner;

    cr_assert(pipe(ready) == 0 && pipe(hold) == 0);
    owner = fork();
    if (owner == 0) {
        char byte;

        if (lock_take(dirfd, "lock", NULL) < 0)
            _exit(1);
        if (fork() == 0) {
            (void) close(hold[1]);
            _exit((int) read(hold[0], &byte, 1));
        }
        (void) write(ready[1], "r", 1);
        for (;;)
            (void) pause();
    }
    (void) close(ready[1]);
    (void) close(hold[0]);
    *ret_ready = ready[0];
    *ret_hold = hold[1];
    return owner;
}

Test(lock, is_held_while_its_owner_lives_and_no_longer)
{
    CLEANUP_FD int dirfd = dir_open();
    CLEANUP_FD int fd = -1;
    struct err err = {0};
    int ready, hold;
    char byte;
    const pid_t owner = start_owner(dirfd, &ready, &hold);

    cr_assert_eq(read(ready, &byte, 1), 1);
    cr_expect_eq(lock_take(dirfd, "lock", &err), -EBUSY);
    cr_assert_eq(kill(owner, SIGKILL), 0);
    cr_assert_eq(waitpid(owner, NULL, 0), owner);
    /* A child of the dead owner is alive and has the descriptor: it holds nothing on. */
    fd = lock_take(dirfd, "lock", &err);
    cr_expect_geq(fd, 0, "%s", err.text);
    (void) close(hold);
    (void) close(ready);
}

Test(lock, a_failure_is_a_sentence)
{
    CLEANUP_FD int dirfd = dir_open();
    struct err err = {0};

    cr_expect_eq(lock_take(dirfd, "no/such", &err), -ENOENT);
    cr_expect_str_eq(err.text, "open no/such: No such file or directory");
}
