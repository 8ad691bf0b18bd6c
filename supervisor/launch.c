#include "supervisor/launch.h"

#include "base/become.h"
#include "base/fdio.h"
#include "supervisor/attempt.h"
#include "supervisor/files.h"
#include "supervisor/ordinary.h"
#include "supervisor/supervisor.h"
#include "supervisor/tree.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* passwd(5) means this by an empty field. */
static const char *text_or(const char *text, const char *usual)
{
    return *text ? text : usual;
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
    r = launch_env_add(launch, &len, "HOME=%s", text_or(order->user->home, "/"));
    r = r ? r : launch_env_add(launch, &len, "USER=%s", order->user->name);
    r = r ? r : launch_env_add(launch, &len, "LOGNAME=%s", order->user->name);
    r = r ? r : launch_env_add(launch, &len, "SHELL=%s", text_or(order->user->shell, "/bin/sh"));
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
                                                  const struct err *err, bool ran_before)
{
    struct launch_failure failure = {.code = err->code, .ran_before = ran_before};

    /* Where no supervisor hears it, the exit code is all there is. */
    (void) signal(SIGPIPE, SIG_IGN);
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

static int launch_become_user(const Quell__Pb__User *user, struct err *err)
{
    const struct become as = {.uid = user->uid,
                              .gid = user->gid,
                              .groups = user->groups,
                              .groups_len = user->n_groups,
                              .name = user->name};

    return become_user(&as, err);
}

void launch_child(void *arg, const struct err *born_err)
{
    struct launch launch = *(const struct launch *) arg;
    struct err err = {0};

    /* Should the supervisor die while we hang in an open, nobody may find its sockets alive. */
    (void) close(SUPERVISOR_FD_LINK);
    (void) close(SUPERVISOR_FD_LISTEN);
    if (born_err)
        launch_fail(&launch, born_err, false);
    if (launch_record(&launch, &err) < 0)
        launch_fail(&launch, &err, err.code == -EEXIST);
    if (files_let_go(&launch.report_fd, &err) == 0 && ordinary_become(launch.order, &err) == 0 &&
        launch_become_user(launch.order->user, &err) == 0 && files_open(launch.order, &err) == 0)
        (void) launch_exec(&launch, &err);
    launch_fail(&launch, &err, false);
}
