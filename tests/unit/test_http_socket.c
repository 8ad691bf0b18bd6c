#include "http/http_socket.h"

#include "base/lock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static char dir[64];
static char path[80];
static char lock_path[96];

static void make_dir(void)
{
    strcpy(dir, "/tmp/quell-test-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    (void) snprintf(path, sizeof(path), "%s/s", dir);
    (void) snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
}

static void remove_dir(void)
{
    (void) unlink(path);
    (void) unlink(lock_path);
    cr_expect_eq(rmdir(dir), 0, "something was left in %s", dir);
}

TestSuite(http_socket, .init = make_dir, .fini = remove_dir);

static int client(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (connect(fd, (struct sockaddr *) &address, sizeof(address)) == 0)
        return fd;
    (void) close(fd);
    return -errno;
}

/* A socket file that nobody serves, as kill -9 leaves it. */
static void leave_stale_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    cr_assert_eq(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
}

Test(http_socket, has_its_mode_whatever_the_umask_and_is_gone_after_close)
{
    struct http_socket *sock;
    struct err err = {0};
    struct stat st;
    int fd;

    (void) umask(077);
    cr_assert_eq(http_socket_open(path, 0666, &sock, &err), 0, "%s", err.text);
    fd = http_socket_take_fd(sock);
    cr_expect_eq(stat(path, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0666, "%o", st.st_mode);
    cr_expect_eq(umask(0), 077, "the umask was not put back");
    cr_expect_eq(stat(lock_path, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0600, "%o", st.st_mode);
    cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    (void) close(fd);
    cr_expect_null(http_socket_close(sock));
    cr_expect_eq(access(path, F_OK), -1);
    cr_expect_eq(access(lock_path, F_OK), -1);
}

Test(http_socket, a_stale_socket_is_replaced)
{
    CLEANUP(http_socket_closep) struct http_socket *sock = NULL;
    struct err err = {0};
    CLEANUP_FD int fd = -1;

    leave_stale_socket();
    (void) close(open(lock_path, O_CREAT | O_RDWR, 0600));
    cr_assert_eq(http_socket_open(path, 0600, &sock, &err), 0, "%s", err.text);
    fd = client();
    cr_expect_geq(fd, 0, "%s", strerror(-fd));
}

/* Another process that serves the path, or holds its lock alone, until its pipe is closed. */
struct rival {
    pid_t pid;
    int hold_fd;
};

static void rival_hold(bool serve)
{
    struct http_socket *sock;
    struct err err;

    if (serve ? http_socket_open(path, 0600, &sock, &err) < 0
              : lock_take(AT_FDCWD, lock_path, &err) < 0)
        _exit(1);
}

static struct rival rival_start(bool serve)
{
    struct rival rival;
    int hold[2];
    int ready[2];
    char byte = 0;

    cr_assert(pipe(hold) == 0 && pipe(ready) == 0);
    rival.pid = fork();
    cr_assert_geq(rival.pid, 0);
    if (rival.pid == 0) {
        (void) close(hold[1]);
        rival_hold(serve);
        _exit(write(ready[1], "r", 1) == 1 && read(hold[0], &byte, 1) == 0 ? 0 : 1);
    }
    (void) close(hold[0]);
    (void) close(ready[1]);
    cr_assert_eq(read(ready[0], &byte, 1), 1, "the rival could not start");
    (void) close(ready[0]);
    rival.hold_fd = hold[1];
    return rival;
}

static void rival_end(struct rival rival)
{
    int status;

    (void) close(rival.hold_fd);
    cr_assert_eq(waitpid(rival.pid, &status, 0), rival.pid);
    cr_expect_eq(status, 0);
}

Test(http_socket, a_live_one_is_left_alone)
{
    const struct rival rival = rival_start(true);
    struct http_socket *sock = NULL;
    struct err err = {0};
    char want[160];
    CLEANUP_FD int fd = -1;

    (void) snprintf(want, sizeof(want), "socket %s is in use by another process", path);
    cr_expect_eq(http_socket_open(path, 0600, &sock, &err), -EADDRINUSE);
    cr_expect_str_eq(err.text, want);

    /* Also where the lock file was removed under it, or another program serves the path. */
    cr_assert_eq(unlink(lock_path), 0);
    err = (struct err){0};
    cr_expect_eq(http_socket_open(path, 0600, &sock, &err), -EADDRINUSE);
    cr_expect_str_eq(err.text, want);
    fd = client();
    cr_expect_geq(fd, 0, "the first no longer listens: %s", strerror(-fd));
    rival_end(rival);
}

Test(http_socket, one_that_is_just_starting_is_not_overtaken)
{
    struct http_socket *sock = NULL;
    struct err err = {0};
    struct rival rival;

    leave_stale_socket();
    rival = rival_start(false);
    cr_expect_eq(http_socket_open(path, 0600, &sock, &err), -EADDRINUSE);
    cr_expect_eq(access(path, F_OK), 0);
    rival_end(rival);
}

Test(http_socket, one_that_only_a_child_of_its_dead_owner_holds_open_is_replaced)
{
    CLEANUP(http_socket_closep) struct http_socket *sock = NULL;
    struct err err = {0};
    int hold[2];
    int status;
    pid_t owner;

    cr_assert_eq(pipe(hold), 0);
    owner = fork();
    if (owner == 0) {
        struct http_socket *own;
        char byte;

        (void) close(hold[1]);
        if (http_socket_open(path, 0600, &own, &err) < 0)
            _exit(1);
        if (fork() == 0)
            _exit((int) read(hold[0], &byte, 1)); /* lives on, with the listening descriptor */
        _exit(0);
    }
    cr_assert_eq(waitpid(owner, &status, 0), owner);
    cr_assert_eq(status, 0);
    cr_expect_eq(http_socket_open(path, 0600, &sock, &err), 0, "%s", err.text);
    (void) close(hold[1]);
}

Test(http_socket, close_leaves_a_file_that_somebody_else_has_put_there)
{
    struct http_socket *sock;
    struct err err = {0};

    cr_assert_eq(http_socket_open(path, 0600, &sock, &err), 0, "%s", err.text);
    cr_assert_eq(unlink(path), 0);
    leave_stale_socket();
    (void) http_socket_close(sock);
    cr_expect_eq(access(path, F_OK), 0);
}

Test(http_socket, a_failure_is_a_sentence)
{
    struct http_socket *sock = NULL;
    struct err err = {0};
    char other[256];
    char want[400];

    cr_expect_eq(http_socket_open("", 0600, &sock, &err), -EINVAL);
    cr_expect_str_eq(err.text, "the socket's path is empty");

    (void) snprintf(other, sizeof(other), "%s/none/s", dir);
    (void) snprintf(want, sizeof(want), "socket %s: its directory %s/none does not exist", other,
                    dir);
    cr_expect_eq(http_socket_open(other, 0600, &sock, &err), -ENOENT);
    cr_expect_str_eq(err.text, want, "%s", err.text);

    memset(other, 'x', 200);
    other[200] = '\0';
    cr_expect_eq(http_socket_open(other, 0600, &sock, &err), -ENAMETOOLONG);
    cr_expect(strstr(err.text, "its path has 200 bytes, at most 107 can be"), "%s", err.text);

    (void) close(open(path, O_CREAT | O_WRONLY, 0600));
    (void) snprintf(want, sizeof(want), "socket %s: there is a file that is not a socket", path);
    cr_expect_eq(http_socket_open(path, 0600, &sock, &err), -EEXIST);
    cr_expect_str_eq(err.text, want, "%s", err.text);
    cr_expect_eq(access(path, F_OK), 0);
}

Test(http_socket, a_directory_that_is_not_ours_to_write_is_a_sentence)
{
    int status;
    pid_t pid;

    if (geteuid() != 0)
        cr_skip_test("needs root to become another user");
    pid = fork();
    if (pid == 0) {
        struct http_socket *sock = NULL;
        struct err err = {0};
        char want[256];

        (void) snprintf(want, sizeof(want),
                        "socket %s: user 65534 is not permitted to create files in %s", path, dir);
        if (setgroups(0, NULL) < 0 || setuid(65534) < 0)
            _exit(2);
        if (http_socket_open(path, 0600, &sock, &err) != -EACCES)
            _exit(3);
        _exit(strcmp(err.text, want) == 0 ? 0 : 4);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect(WIFEXITED(status));
    cr_expect_eq(WEXITSTATUS(status), 0, "the child ended with %d", WEXITSTATUS(status));
}
