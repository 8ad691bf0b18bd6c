#include "supervisor/launch.h"

#include "base/fdio.h"
#include "supervisor/attempt.h"
#include "supervisor/supervisor.h"
#include "supervisor/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin"
#define ENV_OWN      10 /* at most so many variables of ours */

/* ---- before the clone: argv and environment ---- */

static char *launch_text(const ProtobufCBinaryData *bytes)
{
    char *text = malloc(bytes->len + 1);

    if (!text)
        return NULL;
    if (bytes->len)
        (void) memcpy(text, bytes->data, bytes->len);
    text[bytes->len] = '\0';
    return text;
}

static bool launch_env_is_set(const struct launch *launch, size_t len, const char *entry)
{
    const size_t name_len = strcspn(entry, "=") + 1;

    for (size_t i = 0; i < len; i++)
        if (strncmp(launch->envp[i], entry, name_len) == 0)
            return true;
    return false;
}

static __attribute__((format(printf, 3, 4))) int launch_env_add(struct launch *launch, size_t *len,
                                                                const char *format, ...)
{
    va_list args;
    char *entry;
    int r;

    va_start(args, format);
    r = vasprintf(&entry, format, args);
    va_end(args);
    if (r < 0)
        return -ENOMEM;
    if (launch_env_is_set(launch, *len, entry))
        free(entry); /* --env wins over the defaults */
    else
        launch->envp[(*len)++] = entry;
    return 0;
}

static int launch_prepare_env(struct launch *launch)
{
    const Quell__Pb__Launch *order = launch->order;
    const Quell__Pb__Spec *spec = order->spec;
    size_t len = 0;
    int r;

    launch->envp = calloc(spec->n_env + ENV_OWN + 1, sizeof(char *));
    if (!launch->envp)
        return -ENOMEM;
    /* Backwards, so that of two settings of one name the later one wins. */
    for (size_t i = spec->n_env; i-- > 0;) {
        char *entry = launch_text(&spec->env[i]);

        if (!entry)
            return -ENOMEM;
        if (launch_env_is_set(launch, len, entry))
            free(entry);
        else
            launch->envp[len++] = entry;
    }
    r = launch_env_add(launch, &len, "HOME=%s", order->user->home);
    r = r ? r : launch_env_add(launch, &len, "USER=%s", order->user->name);
    r = r ? r : launch_env_add(launch, &len, "LOGNAME=%s", order->user->name);
    r = r ? r : launch_env_add(launch, &len, "SHELL=%s", order->user->shell);
    r = r ? r : launch_env_add(launch, &len, "PATH=%s", PATH_DEFAULT);
    r = r ? r : launch_env_add(launch, &len, "QUELL_JOB_ID=%" PRIu32, order->name->job_id);
    r = r ? r : launch_env_add(launch, &len, "QUELL_TASK_ID=%" PRIu32, order->name->task_id);
    r = r ? r : launch_env_add(launch, &len, "QUELL_ATTEMPT=%" PRIu32, order->name->attempt);
    return r ? r : launch_env_add(launch, &len, "QUELL_NODE=%s", order->node);
}

int launch_prepare(struct launch *launch, const Quell__Pb__Launch *order,
                   const struct attempt *attempt, struct err *err)
{
    const Quell__Pb__Spec *spec = order->spec;

    *launch = (struct launch){.order = order, .attempt = attempt, .report_fd = -1};
    if (!spec || !order->user || !order->name || spec->n_argv == 0)
        return err_set(err, -EINVAL, "the order names no user or no command");
    launch->argv = calloc(spec->n_argv + 1, sizeof(char *));
    if (!launch->argv)
        return err_set(err, -ENOMEM, "no memory for the arguments");
    for (size_t i = 0; i < spec->n_argv; i++) {
        launch->argv[i] = launch_text(&spec->argv[i]);
        if (!launch->argv[i])
            return err_set(err, -ENOMEM, "no memory for the arguments");
    }
    if (launch_prepare_env(launch) < 0)
        return err_set(err, -ENOMEM, "no memory for the environment");
    return 0;
}

/* ---- in the child ---- */

static __attribute__((noreturn)) void launch_fail(const struct launch *launch,
                                                  const struct err *err)
{
    struct launch_failure failure = {.code = err->code};

    (void) snprintf(failure.text, sizeof(failure.text), "%s", err->text);
    (void) fdio_write(launch->report_fd, &failure, sizeof(failure));
    _exit(127);
}

static int launch_record(const struct launch *launch, struct err *err)
{
    Quell__Pb__Started started = QUELL__PB__STARTED__INIT;

    started.leader_pid = (uint32_t) getpid();
    started.leader_start_ticks = tree_start_ticks(getpid());
    started.start_time_us = launch->start_time_us;
    started.start_mono_us = launch->start_mono_us;
    started.boot_id = launch->order->boot_id;
    return attempt_record_started(launch->attempt, &started, err);
}

/* Ignored signals survive exec, from whoever started the agent down to here (SIGPIPE, a nohup's
 * SIGHUP). */
static void launch_reset_signals(void)
{
    sigset_t none;

    for (int signo = 1; signo < NSIG; signo++)
        (void) signal(signo, SIG_DFL);
    (void) sigemptyset(&none);
    (void) sigprocmask(SIG_SETMASK, &none, NULL);
}

/* What the agent protects itself with, and what it needs itself, is nothing for a task. */
static void launch_unprotect(const struct launch *launch)
{
    struct rlimit files;
    char text[16];

    (void) snprintf(text, sizeof(text), "%d", (int) launch->order->oom_score_adj);
    (void) fdio_write_text(AT_FDCWD, "/proc/self/oom_score_adj", text);
    if (launch->order->open_files && getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = (rlim_t) launch->order->open_files;
        (void) setrlimit(RLIMIT_NOFILE, &files);
    }
}

static int launch_become(const Quell__Pb__User *user, struct err *err)
{
    gid_t groups[NGROUPS_MAX > 1024 ? 1024 : NGROUPS_MAX];
    size_t len = 0;

    for (; len < user->n_groups && len < sizeof(groups) / sizeof(groups[0]); len++)
        groups[len] = user->groups[len];
    if (setgroups(len, groups) < 0)
        return err_errno(err, -errno, "set %zu supplementary groups", len);
    if (setresgid(user->gid, user->gid, user->gid) < 0)
        return err_errno(err, -errno, "become group %u", user->gid);
    if (setresuid(user->uid, user->uid, user->uid) < 0)
        return err_errno(err, -errno, "become user %s (%u)", user->name, user->uid);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_errno(err, -errno, "set no_new_privs");
    return 0;
}

static int launch_enter_workdir(const struct launch *launch, struct err *err)
{
    const ProtobufCBinaryData *workdir = &launch->order->spec->workdir;
    char path[PATH_MAX];

    if (!workdir->len) { /* the default: the home, else / */
        if (chdir(launch->order->user->home) < 0 && chdir("/") < 0)
            return err_errno(err, -errno, "enter /");
        return 0;
    }
    if (workdir->len >= sizeof(path))
        return err_set(err, -ENAMETOOLONG, "enter the working directory: File name too long");
    (void) memcpy(path, workdir->data, workdir->len);
    path[workdir->len] = '\0';
    return chdir(path) < 0 ? err_errno(err, -errno, "enter %s", path) : 0;
}

static int launch_move_fd(int fd, int to, struct err *err)
{
    if (fd == to)
        return fcntl(fd, F_SETFD, 0) < 0 ? err_errno(err, -errno, "keep descriptor %d", to) : 0;
    if (dup2(fd, to) < 0)
        return err_errno(err, -errno, "make descriptor %d", to);
    (void) close(fd);
    return 0;
}

/* Opens a file that the user named; an empty name is the default's business. */
static int launch_open_named(const ProtobufCBinaryData *name, int flags, int to, struct err *err)
{
    char path[PATH_MAX];
    int fd;

    if (name->len >= sizeof(path))
        return err_set(err, -ENAMETOOLONG, "open a file of the task: File name too long");
    (void) memcpy(path, name->data, name->len);
    path[name->len] = '\0';
    fd = open(path, flags | O_NOCTTY | O_CLOEXEC, 0666);
    if (fd < 0)
        return err_errno(err, -errno, "open %s", path);
    return launch_move_fd(fd, to, err);
}

static int launch_open_output(const struct launch *launch, const ProtobufCBinaryData *name, int to,
                              const char *suffix, struct err *err)
{
    const Quell__Pb__Name *task = launch->order->name;
    const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND;
    char path[80];
    int fd;

    if (name->len)
        return launch_open_named(name, flags, to, err);
    (void) snprintf(path, sizeof(path), "quell-%u.%u.%u.%s", task->job_id, task->task_id,
                    task->attempt, suffix);
    fd = open(path, flags | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0666);
    if (fd < 0)
        fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, -errno, "open /dev/null");
    return launch_move_fd(fd, to, err);
}

static bool launch_same_file(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
    return a->len && a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static int launch_open_files(const struct launch *launch, struct err *err)
{
    static const ProtobufCBinaryData null_device = {.len = 9, .data = (uint8_t *) "/dev/null"};
    const Quell__Pb__Spec *spec = launch->order->spec;
    int r;

    r = launch_open_named(spec->stdin_path.len ? &spec->stdin_path : &null_device, O_RDONLY, 0,
                          err);
    if (r < 0)
        return r;
    r = launch_open_output(launch, &spec->stdout_path, 1, "out", err);
    if (r < 0)
        return r;
    if (launch_same_file(&spec->stdout_path, &spec->stderr_path))
        return dup2(1, 2) < 0 ? err_errno(err, -errno, "make descriptor 2") : 0;
    return launch_open_output(launch, &spec->stderr_path, 2, "err", err);
}

static const char *launch_getenv(const struct launch *launch, const char *name)
{
    const size_t len = strlen(name);

    for (char **entry = launch->envp; *entry; entry++)
        if (strncmp(*entry, name, len) == 0 && (*entry)[len] == '=')
            return *entry + len + 1;
    return NULL;
}

/* exec, looking a name without a slash up in the task's own PATH. Returns only on failure. */
static int launch_exec(const struct launch *launch, struct err *err)
{
    const char *name = launch->argv[0];
    const char *path = launch_getenv(launch, "PATH");
    int code = -ENOENT;

    if (strchr(name, '/')) {
        (void) execve(name, launch->argv, launch->envp);
        return err_errno(err, -errno, "execute %s", name);
    }
    while (path && *path && *name) {
        const size_t len = strcspn(path, ":");
        char file[PATH_MAX];

        if ((size_t) snprintf(file, sizeof(file), "%.*s%s%s", (int) len, path, len ? "/" : "",
                              name) < sizeof(file)) {
            (void) execve(file, launch->argv, launch->envp);
            if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
                return err_errno(err, -errno, "execute %s", file);
            if (errno == EACCES)
                code = -EACCES;
        }
        path += len + (path[len] == ':');
    }
    return err_errno(err, code, "execute %s, looked for in PATH", name);
}

void launch_child(void *arg, const struct err *born_err)
{
    const struct launch *launch = arg;
    struct err err = {0};

    /* Should the supervisor die while we hang in an open, nobody may find its sockets alive. */
    (void) close(SUPERVISOR_FD_LINK);
    (void) close(SUPERVISOR_FD_LISTEN);
    if (born_err)
        launch_fail(launch, born_err);
    (void) setsid();
    (void) umask(022);
    launch_unprotect(launch);
    if (launch_record(launch, &err) < 0 || launch_become(launch->order->user, &err) < 0 ||
        launch_enter_workdir(launch, &err) < 0 || launch_open_files(launch, &err) < 0)
        launch_fail(launch, &err);
    /* Nothing of ours is inherited; the report pipe stays until exec succeeds. */
    if (syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC) < 0) {
        (void) err_errno(&err, -errno, "close what is inherited");
        launch_fail(launch, &err);
    }
    launch_reset_signals();
    (void) launch_exec(launch, &err);
    launch_fail(launch, &err);
}
