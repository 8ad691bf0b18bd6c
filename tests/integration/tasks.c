#include "tests/integration/tasks.h"

#include "tests/integration/asker.h"
#include "tests/integration/await.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- quellctl ---- */

static pid_t run_start(uint32_t uid, const char *const *argv, int fds[2])
{
    int out[2], err[2];
    pid_t pid;

    cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
    cr_assert_eq(pipe2(err, O_CLOEXEC), 0);
    pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        (void) dup2(out[1], STDOUT_FILENO);
        (void) dup2(err[1], STDERR_FILENO);
        (void) syscall(SYS_close_range, 3, ~0u, 0);
        if (uid != 0 && (setgid(uid) < 0 || setuid(uid) < 0))
            _exit(120);
        (void) execv(argv[0], (char *const *) argv);
        _exit(127);
    }
    (void) close(out[1]);
    (void) close(err[1]);
    fds[0] = out[0];
    fds[1] = err[0];
    return pid;
}

/* Reads both until their ends. */
static void run_read(const int fds[2], char *texts[2])
{
    struct pollfd events[2] = {{.fd = fds[0], .events = POLLIN}, {.fd = fds[1], .events = POLLIN}};
    size_t len[2] = {0, 0};

    while (events[0].fd >= 0 || events[1].fd >= 0) {
        cr_assert_gt(poll(events, 2, 2 * DEADLINE_MS), 0, "quellctl does not end");
        for (int i = 0; i < 2; i++) {
            ssize_t n;

            if (!events[i].revents)
                continue;
            texts[i] = realloc(texts[i], len[i] + 65536);
            cr_assert_not_null(texts[i]);
            n = read(fds[i], texts[i] + len[i], 65535);
            len[i] += n > 0 ? (size_t) n : 0;
            texts[i][len[i]] = '\0';
            if (n > 0)
                continue;
            (void) close(fds[i]);
            events[i].fd = -1;
        }
    }
}

struct ctl run(struct world *world, uint32_t uid, const char *const *argv)
{
    char *texts[2] = {NULL, NULL};
    struct ctl ret;
    int fds[2], status;
    const pid_t pid = run_start(uid, argv, fds);

    run_read(fds, texts);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status), "%s: wait status 0x%x: %s", argv[0], (unsigned) status, texts[1]);
    ret = (struct ctl){
        .status = WEXITSTATUS(status), .out = keep(world, texts[0]), .err = keep(world, texts[1])};
    free(texts[0]);
    free(texts[1]);
    cr_assert_null(strstr(ret.err, "Sanitizer"), "%s", ret.err);
    cr_assert_null(strstr(ret.err, "runtime error:"), "%s", ret.err);
    return ret;
}

struct ctl ctl_run(struct world *world, uint32_t uid, const char *const *words)
{
    const char *argv[64] = {uid == 0 ? bin(world, "quellctl") : program_in(world, "quellctl")};
    size_t len = 1;

    for (; *words; words++)
        argv[len++] = *words;
    argv[len] = NULL;
    cr_assert_eq(setenv("QUELL_HEAD", world->head_socket, 1), 0);
    cr_assert_eq(setenv("QUELL_AGENT", world->agents[0].socket, 1), 0);
    return run(world, uid, argv);
}

const char *submit_words(struct world *world, const char *node, const char *user,
                         const char *const *words)
{
    const char *argv[64] = {"submit", "-n", node, "--user", user, "--env", world->mark};
    size_t len = 7;
    struct ctl answer;
    char id[32];

    for (; *words; words++)
        argv[len++] = *words;
    argv[len] = NULL;
    answer = ctl_run(world, 0, argv);
    cr_assert_eq(answer.status, 0, "submit: %s", answer.err);
    (void) snprintf(id, sizeof(id), "%.*s", (int) strcspn(answer.out, "\n"), answer.out);
    return keep(world, id);
}

const char *submit_fighter(struct world *world, const char *node, int processes)
{
    const char *name = keepf(world, "fighter-%d-%d", processes, (int) json_array_size(world->kept));
    const int ready = fifo_in(world, name);
    const char *count = keepf(world, "%d", processes);
    const char *task = submit_on(world, node, "--stdout", path_in(world, name), "--",
                                 program_in(world, "fighter"), count);

    fifo_expect(ready, keepf(world, "ready %d", processes));
    (void) close(ready);
    cr_assert_eq(survivors(world, task), processes);
    await_status(world, task, 0, "TaskStatus_Running");
    return task;
}

/* ---- tasks' objects ---- */

static json_t *task_ask(struct world *world, const char *path)
{
    struct asker *asker = asker_open(world->head_socket);
    int status = 0;
    json_t *json = keep_json(world, asker_get(asker, path, &status));

    asker_close(asker);
    cr_assert_eq(status, 200, "%s: %s", path, dump(world, json));
    return json;
}

json_t *task_show(struct world *world, const char *task)
{
    return task_ask(world, keepf(world, "/v1/tasks/%s", task));
}

json_t *task_wait(struct world *world, const char *task)
{
    /* The head holds the question until the task has ended, a minute at most. */
    json_t *json = task_ask(world, keepf(world, "/v1/tasks/%s?wait_ms=%d", task, DEADLINE_MS));

    cr_assert(!null_at(json, "end_time"), "%s does not end: %s\n%s", task, dump(world, json),
              program_log(&world->agents[0].program));
    return json;
}

/* For sentences where there is no world at hand: it is kept until the process ends. */
static const char *shown(const json_t *json)
{
    static char text[16384];
    const size_t len = json_dumpb(json, text, sizeof(text), JSON_INDENT(1) | JSON_ENCODE_ANY);

    text[len < sizeof(text) ? len : 0] = '\0';
    return text;
}

json_t *at(const json_t *object, const char *path)
{
    const json_t *found = object;
    const char *rest = path;
    char name[64];

    for (;;) {
        const size_t len = strcspn(rest, ".");

        (void) snprintf(name, sizeof(name), "%.*s", (int) len, rest);
        found = json_object_get(found, name);
        cr_assert_not_null(found, "there is no %s in %s", path, shown(object));
        if (rest[len] == '\0')
            return (json_t *) found;
        rest += len + 1;
    }
}

const char *text_at(const json_t *object, const char *path)
{
    const json_t *value = at(object, path);

    return json_is_null(value)        ? "(null)"
           : json_string_value(value) ? json_string_value(value)
                                      : "(no text)";
}

int64_t number_at(const json_t *object, const char *path)
{
    const json_t *value = at(object, path);

    cr_assert(json_is_integer(value), "%s is not a number in %s", path, shown(object));
    return json_integer_value(value);
}

bool null_at(const json_t *object, const char *path)
{
    return json_is_null(at(object, path));
}

const char *dump(struct world *world, const json_t *json)
{
    char *text = json_dumps(json, JSON_INDENT(1) | JSON_ENCODE_ANY);
    const char *kept = keep(world, text);

    free(text);
    return kept;
}

/* Steps that happened, in their order. */
static void assert_times_in_order(struct world *world, const json_t *task)
{
    static const char *const steps[] = {"term", "kill", "empty", "reaped", "recorded"};
    int64_t last = 0;

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        const char *path = keepf(world, "proof.us.%s", steps[i]);

        if (null_at(task, path))
            continue;
        cr_assert_geq(number_at(task, path), last, "%s is before the step before it: %s", path,
                      dump(world, task));
        last = number_at(task, path);
    }
    cr_assert(!null_at(task, "proof.us.recorded"));
}

void assert_cancelled(struct world *world, const char *task, const char *message,
                      const char *method)
{
    const bool killed = strcmp(method, "cgroup_kill") == 0;
    const json_t *json = task_wait(world, task);

    assert_no_survivors(world, task);
    assert_text(world, json, "status", "TaskStatus_Cancelled");
    assert_text(world, json, "error_message", message ? message : "(null)");
    assert_text(world, json, "cause", "cancelled");
    assert_number(world, json, "cancelled_by.uid", 0);
    assert_text(world, json, "cancelled_by.name", "root");
    cr_assert(!null_at(json, "cancel_time"));
    assert_null(world, json, "stuck");
    assert_text(world, json, "proof.method", killed ? kill_method() : method);
    cr_assert_eq(strlen(text_at(json, "proof.boot_id")), 36);
    assert_times_in_order(world, json);
    if (strcmp(method, "never_started") == 0)
        return;
    cr_assert_gt(number_at(json, "proof.cgroup_inode"), 0);
    cr_assert(!null_at(json, "proof.us.empty") && !null_at(json, "proof.us.reaped"), "%s",
              dump(world, json));
    cr_assert_eq(null_at(json, "proof.us.kill"), !killed, "%s", dump(world, json));
}

void assert_failed(struct world *world, const json_t *task, const char *cause,
                   const char *const *parts)
{
    assert_text(world, task, "status", "TaskStatus_Failed");
    assert_text(world, task, "cause", cause);
    for (; *parts; parts++)
        assert_has(text_at(task, "error_message"), *parts);
}

/* ---- processes and groups ---- */

static int each_survivor(struct world *world, const char *task, void (*each)(pid_t pid, void *arg))
{
    const char *marks[4] = {world->mark};

    if (task) {
        marks[1] = keepf(world, "QUELL_JOB_ID=%.*s", (int) strcspn(task, "."), task);
        marks[2] = keepf(world, "QUELL_TASK_ID=%s", strchr(task, '.') + 1);
    }
    return processes_marked(marks, each, world);
}

int survivors(struct world *world, const char *task)
{
    return each_survivor(world, task, NULL);
}

static void describe_process(pid_t pid, void *arg)
{
    static const char *const files[] = {"status", "cgroup", "wchan"};
    struct world *world = arg;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const char *path = keepf(world, "/proc/%d/%s", (int) pid, files[i]);

        if (file_exists(path))
            (void) fprintf(stderr, "%s: %s\n", path, file_text(world, path));
    }
}

void assert_no_survivors(struct world *world, const char *task)
{
    if (each_survivor(world, task, describe_process) == 0)
        return;
    (void) fprintf(stderr, "%s\n%s", dump(world, task_show(world, task)),
                   program_log(&world->agents[0].program));
    cr_assert_fail("processes of %s are alive", task);
}

bool group_exists(const struct agent *agent, const char *task)
{
    DIR *dir = opendir(agent->group);
    struct dirent *entry;
    char begin[40];
    bool found = false;

    (void) snprintf(begin, sizeof(begin), "%s.", task);
    while (dir && (entry = readdir(dir)))
        found = found || strncmp(entry->d_name, begin, strlen(begin)) == 0;
    if (dir)
        (void) closedir(dir);
    return found;
}

void group_await_removal(const struct agent *agent, const char *task)
{
    const int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    char events[4096];

    cr_assert_geq(fd, 0);
    cr_assert_geq(inotify_add_watch(fd, agent->group, IN_DELETE | IN_MOVE), 0, "%s: %s",
                  agent->group, strerror(errno));
    while (group_exists(agent, task)) {
        cr_assert_eq(wait_readable(fd), 0, "the group of %s stays", task);
        (void) !read(fd, events, sizeof(events));
    }
    (void) close(fd);
}

/* On v1 they have no group. What each has open is an attempt's directory (docs/wire.md), and the
   socket that its child closes before anything else. */
static pid_t supervisor_by_attempt(const struct agent *agent)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    char state[128], path[300], attempt[512];
    pid_t found = 0;

    (void) snprintf(state, sizeof(state), "%s/%s.state/", agent->world->dir, agent->node);
    while (proc && (entry = readdir(proc))) {
        const pid_t pid = (pid_t) strtol(entry->d_name, NULL, 10);
        ssize_t len;

        (void) snprintf(path, sizeof(path), "/proc/%s/fd/5", entry->d_name);
        len = pid > 0 && pid != agent->program.pid ? readlink(path, attempt, sizeof(attempt) - 1)
                                                   : -1;
        attempt[len > 0 ? len : 0] = '\0';
        (void) snprintf(path, sizeof(path), "/proc/%s/fd/4", entry->d_name);
        if (strncmp(attempt, state, strlen(state)) != 0 ||
            faccessat(0, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        cr_assert_eq(found, 0, "more than one supervisor of %s", state);
        found = pid;
    }
    if (proc)
        (void) closedir(proc);
    cr_assert_gt(found, 0, "no supervisor of %s", state);
    return found;
}

pid_t supervisor_pid(const struct agent *agent)
{
    char path[600], first[32] = "", second[32];
    FILE *file;

    if (world_is_v1())
        return supervisor_by_attempt(agent);
    (void) snprintf(path, sizeof(path), "%s/supervisors/cgroup.procs", agent->group);
    file = fopen(path, "re");
    cr_assert_not_null(file, "%s: %s", path, strerror(errno));
    cr_assert_not_null(fgets(first, sizeof(first), file), "no supervisor in %s", path);
    cr_assert_null(fgets(second, sizeof(second), file), "more than one supervisor in %s", path);
    (void) fclose(file);
    return (pid_t) strtol(first, NULL, 10);
}
