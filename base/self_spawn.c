#include "base/self_spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

static int set_stream(posix_spawn_file_actions_t *files, int fd, int stream)
{
    if (fd < 0)
        return posix_spawn_file_actions_addopen(files, stream, "/dev/null", O_RDWR, 0);
    return posix_spawn_file_actions_adddup2(files, fd, stream);
}

/* A daemon ignores and blocks signals; the helper starts with what a fresh program has. */
static int set_signals(posix_spawnattr_t *attr)
{
    sigset_t all;
    sigset_t none;
    int r;

    (void) sigfillset(&all);
    (void) sigemptyset(&none);
    r = posix_spawnattr_setsigdefault(attr, &all);
    if (r == 0)
        r = posix_spawnattr_setsigmask(attr, &none);
    if (r == 0)
        r = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    return r;
}

int self_spawn(const char *name, const char *flag, const char *arg, int in, int out, pid_t *ret)
{
    char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char *argv[] = {(char *) name, (char *) flag, (char *) arg, NULL};
    char *env[] = {path, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    int r;

    r = posix_spawn_file_actions_init(&files);
    if (r != 0)
        return r;
    r = posix_spawnattr_init(&attr);
    if (r != 0)
        goto undo_files;
    r = set_stream(&files, out, STDOUT_FILENO);
    if (r == 0)
        r = set_stream(&files, in, STDIN_FILENO);
    if (r == 0)
        r = set_stream(&files, -1, STDERR_FILENO);
    if (r == 0)
        r = set_signals(&attr);
    if (r == 0)
        r = posix_spawn(ret, "/proc/self/exe", &files, &attr, argv, env);
    (void) posix_spawnattr_destroy(&attr);
undo_files:
    (void) posix_spawn_file_actions_destroy(&files);
    return r;
}
