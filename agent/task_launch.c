#include "agent/agent.h"
#include "agent/launch_queue.h"
#include "agent/spawn.h"
#include "agent/task.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/user_cache.h"
#include "ipc/frame.h"
#include "ipc/record.h"
#include "ipc/task.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define LISTEN_BACKLOG   64
#define SUCCEED_AGAIN_US 1000000u

/* The descriptors of a supervisor, from 3 on, in this order (docs/wire.md). */
enum {
    HAND_LINK,
    HAND_LISTEN,
    HAND_ATTEMPT,
    HAND_GROUP,
    HAND_COUNT = HAND_GROUP + CGROUP_SLOT_COUNT,
};

struct hands { /* what is handed over, and our end of the link */
    int fds[HAND_COUNT];
    int own_link;
    struct task_cgroup_dirs dirs;
};

static void hands_init(struct hands *hands)
{
    hands->own_link = -1;
    for (int i = 0; i < HAND_COUNT; i++)
        hands->fds[i] = -1;
    for (int i = 0; i < CGROUP_SLOT_COUNT; i++)
        hands->dirs.fd[i] = -1;
}

static void hands_close(struct hands *hands)
{
    for (int i = 0; i < HAND_GROUP; i++)
        cleanup_fd(&hands->fds[i]);
    task_cgroup_dirs_close(&hands->dirs);
    cleanup_fd(&hands->own_link);
}

/* The task's socket in the run directory: listening before the supervisor exists, so that a later
   agent finds it from the first moment on. */
static int task_listen(struct task *task, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return err_errno(err, -errno, "make the supervisor's socket");
    (void) snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s",
                    task->agent->run_dirfd, task->uid_text);
    (void) unlinkat(task->agent->run_dirfd, task->uid_text, 0);
    if (bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0 ||
        listen(fd, LISTEN_BACKLOG) < 0)
        return err_errno(err, -errno, "bind the supervisor's socket");
    return TAKE_FD(fd);
}

static int hands_fill(struct hands *hands, struct task *task, struct err *err)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return err_errno(err, -errno, "make the supervisor's link");
    hands->own_link = pair[0];
    hands->fds[HAND_LINK] = pair[1];
    hands->fds[HAND_LISTEN] = task_listen(task, err);
    if (hands->fds[HAND_LISTEN] < 0)
        return hands->fds[HAND_LISTEN];
    hands->fds[HAND_ATTEMPT] = store_open_attempt(&task->agent->store, task->uid_text, true, err);
    if (hands->fds[HAND_ATTEMPT] < 0)
        return hands->fds[HAND_ATTEMPT];
    (void) memcpy(&hands->fds[HAND_GROUP], hands->dirs.fd, sizeof(hands->dirs.fd));
    return 0;
}

/* Starts the supervisor with @launch waiting in its link. */
static int task_spawn(struct task *task, struct hands *hands, Quell__Pb__Launch *launch,
                      struct err *err)
{
    static uint8_t buffer[FRAME_MAX];
    char *argv[] = {"quell-supervisor", task->label, NULL};
    char *envp[] = {NULL};
    struct agent *agent = task->agent;
    Quell__Pb__Frame frame = QUELL__PB__FRAME__INIT;
    const struct spawn spawn = {.program_fd = agent->supervisor_fd,
                                .argv = argv,
                                .envp = envp,
                                .fds = hands->fds,
                                .fds_len = HAND_COUNT,
                                .cgroup_fd = cgroup_host_supervisors_fd(agent->host)};
    pid_t pid;
    int r;

    frame.body_case = QUELL__PB__FRAME__BODY_LAUNCH;
    frame.launch = launch;
    r = frame_send(hands->own_link, &frame, buffer, sizeof(buffer), err);
    if (r < 0)
        return r;
    pid = spawn_program(&spawn, err);
    if (pid < 0)
        return (int) pid;
    if (spawn.cgroup_fd < 0)
        (void) cgroup_host_move_supervisor(agent->host, pid, NULL);
    task->supervisor_pid = pid;
    /* It runs, whatever follows: without a link now there is one with the next tick. */
    if (task_open_link(task, TAKE_FD(hands->own_link), err) < 0)
        log_warning("task %s: %s", task->label, err->text);
    return 0;
}

static void task_fill_launch(const struct task *task, const struct task_cgroup_dirs *dirs,
                             Quell__Pb__Launch *launch)
{
    const struct agent *agent = task->agent;

    launch->uid = (ProtobufCBinaryData){.len = TASK_UID_SIZE, .data = (uint8_t *) task->uid};
    launch->name = task->command->name;
    launch->spec = task->command->start;
    launch->node = agent->options.node;
    launch->boot_id = (char *) agent->boot_id;
    launch->leftover_grace_ms = agent->options.leftover_grace_ms;
    launch->core_dump_ms = agent->options.core_dump_ms;
    launch->oom_score_adj = agent->oom_score_adj;
    launch->open_files = agent->open_files;
    launch->cgroup_mode = (char *) cgroup_mode_name(dirs->mode);
    launch->cgroup_path = (char *) dirs->cgroup_path;
    launch->clone_into = dirs->clone_into;
}

/* ---- a fresh start ---- */

static int task_make_group(struct task *task, struct hands *hands, struct err *err)
{
    const Quell__Pb__Spec *spec = task->command->start;
    struct cgroup_host *host = task->agent->host;
    const uint32_t usual = cgroup_host_can_limit(host, CGROUP_LIMIT_PIDS) ? TASK_PIDS_DEFAULT : 0;
    const struct cgroup_limits limits = {.memory_bytes = spec->memory_bytes,
                                         .cpu_milli = spec->cpu_milli,
                                         .pids = spec->pids ? spec->pids : usual};
    int r = cgroup_host_create(host, task->group, task->label, &limits, &hands->dirs, err);

    /* Left by an agent that died between making it and starting a supervisor: nothing ran in it. */
    if (r == -EEXIST && cgroup_host_remove(host, task->group, err) == 0)
        r = cgroup_host_create(host, task->group, task->label, &limits, &hands->dirs, err);
    if (r == 0)
        task->has_group = true;
    return r;
}

static int task_check_user(const struct task *task, const struct user_info *user, struct err *err)
{
    if (user->uid == 0 && !task->agent->options.allow_root)
        return err_set(err, -EPERM,
                       "tasks of root are not allowed on this node ([tasks] allow_root = no)");
    return 0;
}

static int task_start(struct task *task, const struct user_info *info, struct err *err)
{
    Quell__Pb__Launch launch = QUELL__PB__LAUNCH__INIT;
    Quell__Pb__User user = QUELL__PB__USER__INIT;
    CLEANUP(hands_close) struct hands hands;
    int r;

    hands_init(&hands);
    r = task_check_user(task, info, err);
    if (r < 0)
        return r;
    r = task_make_group(task, &hands, err);
    if (r < 0)
        return r;
    r = hands_fill(&hands, task, err);
    if (r < 0)
        return r;
    user.uid = info->uid;
    user.gid = info->gid;
    user.groups = (uint32_t *) info->groups;
    user.n_groups = info->groups_len;
    user.name = (char *) info->name;
    user.home = (char *) info->home;
    user.shell = (char *) info->shell;
    task_fill_launch(task, &hands.dirs, &launch);
    launch.user = &user;
    return task_spawn(task, &hands, &launch, err);
}

/* ---- what runs already: a successor's tree, a group handed over ---- */

int task_open_group(const struct task *task, struct task_cgroup_dirs *ret, struct err *err)
{
    const Quell__Pb__Spec *spec = task->command->start;
    char path[TASK_GROUP_PATH_MAX + 1];

    if (!task->state.handed_over)
        return cgroup_host_adopt(task->agent->host, task->group, ret, err);
    (void) snprintf(path, sizeof(path), "%.*s", (int) spec->cgroup.len,
                    (const char *) spec->cgroup.data);
    if (strlen(path) != spec->cgroup.len || !task_group_path_is_valid(path))
        return err_set(err, -EINVAL, "\"%.300s\" is no group's path", path);
    return cgroup_host_adopt_path(task->agent->host, path,
                                  task->started ? task->started->cgroup_inode : 0, ret, err);
}

bool task_group_is_populated(struct task *task)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *group = NULL;
    struct task_cgroup_dirs dirs;
    struct err err = {0};

    /* What could not be looked at may be populated. */
    if (task_open_group(task, &dirs, &err) < 0)
        return err.code != -ENOENT;
    if (task_cgroup_open(&dirs, &group, NULL) < 0)
        return true;
    return task_cgroup_is_empty(group, NULL) != TASK_CGROUP_EMPTY;
}

/* What the supervisor's child wrote says more than what the supervisor said. */
void task_read_started(struct task *task)
{
    CLEANUP_FD int fd = store_open_attempt(&task->agent->store, task->uid_text, false, NULL);
    Quell__Pb__Record *record = NULL;
    Quell__Pb__Started *started;

    if (fd < 0 || store_read(fd, "started", &record, NULL) < 0)
        return;
    started = record_take_started(record);
    if (started && task->started)
        quell__pb__started__free_unpacked(task->started, NULL);
    if (started)
        task->started = started;
    quell__pb__record__free_unpacked(record, NULL);
}

static bool task_is_leaders_parent(const struct task *task)
{
    siginfo_t info;

    return task->started &&
           waitid(P_PID, (id_t) task->started->leader_pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static int task_start_successor(struct task *task, struct err *err)
{
    Quell__Pb__Launch launch = QUELL__PB__LAUNCH__INIT;
    CLEANUP(hands_close) struct hands hands;
    int r;

    hands_init(&hands);
    task_read_started(task);
    r = task_open_group(task, &hands.dirs, err);
    if (r < 0)
        return r;
    task->has_group = true;
    r = hands_fill(&hands, task, err);
    if (r < 0)
        return r;
    task_fill_launch(task, &hands.dirs, &launch);
    launch.successor = true;
    launch.executed = task->state.phase == ATTEMPT_RUNNING;
    launch.agent_is_parent = task->leader_reaped || task_is_leaders_parent(task);
    launch.started = task->started;
    return task_spawn(task, &hands, &launch, err);
}

/* ---- the queue's and the core's word ---- */

static void task_not_launched(struct task *task, const char *text)
{
    char why[sizeof(((struct err *) NULL)->text) + 32];

    (void) snprintf(why, sizeof(why), "could not start: %s", text);
    task_event(task, ATTEMPT_EV_NOT_LAUNCHED, why);
}

static void task_launched(struct task *task)
{
    task->phase = QUELL__PB__PHASE__PHASE_STARTING;
    task_event(task, ATTEMPT_EV_LAUNCHED, NULL);
}

static void on_user(void *arg, const struct user_info *info, const struct err *user_err)
{
    struct task *task = arg;
    struct err err = {0};

    if (task->user_wait) {
        /* Many may have waited for this answer, and the room may be gone: each in its turn. The
           cache knows the answer then; a failure it does not keep. */
        task->user_wait = NULL;
        if (!info)
            task->user_failure = strdup(user_err->text);
        launch_queue_wake(task->agent);
        return;
    }
    if (!info || task_start(task, info, &err) < 0) {
        task_not_launched(task, info ? err.text : user_err->text);
        return;
    }
    task_launched(task);
}

void task_launch(struct task *task)
{
    struct user_wait *wait;
    struct err err = {0};

    if (task->state.handed_over) {
        if (task_start_successor(task, &err) < 0)
            task_not_launched(task, err.text);
        else
            task_launched(task);
        return;
    }
    if (task->user_failure) {
        task_not_launched(task, task->user_failure);
        return;
    }
    wait = user_cache_ask(task->agent->users, task->command->start->user, on_user, task);
    if (wait) /* NULL: on_user() has run already */
        task->user_wait = wait;
}

void task_succeed(struct task *task)
{
    const uint64_t now = clock_mono_us();
    struct err err = {0};
    int r;

    if (task->link_fd >= 0 || task->supervisor_pid || task->unreadable)
        return;
    /* One that dies at once is not replaced in a circle: the tick tries again. */
    if (task->succeeded_at_us && now - task->succeeded_at_us < SUCCEED_AGAIN_US)
        return;
    task->succeeded_at_us = now;
    r = task_start_successor(task, &err);
    if (r == 0) {
        log_info("task %s: a new supervisor has taken over", task->label);
        return;
    }
    if (r != -ENOENT) { /* tried again with the next tick */
        log_error("task %s: no new supervisor: %s", task->label, err.text);
        return;
    }
    /* The group is gone, so nothing of the task is left; how it ended nobody can tell. */
    if (task->state.handed_over)
        task_lost(task, QUELL__PB__CAUSE__CAUSE_NONE,
                  "the group is gone; Quell was not the parent of its processes, and does not know "
                  "how they ended");
    else
        task_lost(task, QUELL__PB__CAUSE__CAUSE_UNKNOWN,
                  "the task is over, but its wait status is not known: its supervisor died and its "
                  "group is gone");
}
