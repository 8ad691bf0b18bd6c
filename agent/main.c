/*
 * quelld: the agent of a compute node. One libevent loop, nanomsg to the head, a supervisor for
 * each running task, a status socket. It can be killed at any moment: tasks go on, and the next
 * agent takes them over.
 */
#include "agent/agent.h"
#include "agent/events.h"
#include "agent/head_link.h"
#include "agent/launch_queue.h"
#include "agent/listing.h"
#include "agent/peek.h"
#include "agent/recover.h"
#include "agent/slice.h"
#include "agent/status.h"
#include "agent/task.h"
#include "agent/task_table.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/user_cache.h"
#include "base/version.h"
#include "http/http_server.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_S           5      /* a heartbeat */
#define USER_DEADLINE_MS 60000u /* SSSD's own time-outs are shorter */

/* ---- what happens ---- */

static void on_round(evutil_socket_t fd, short what, void *arg)
{
    struct agent *agent = arg;

    (void) fd;
    (void) what;
    head_link_flush(agent->link); /* reports first: removal delays nothing */
    task_table_clean(agent);
}

static void on_launches(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    launch_queue_run(arg);
}

static void on_cleaning(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    task_table_clean_slice(arg);
}

static void on_child(struct agent *agent, pid_t pid, int wait_status)
{
    struct task *task, *next;

    for (task = TAILQ_FIRST(&agent->tasks); task; task = next) {
        next = TAILQ_NEXT(task, entry);
        if (task->supervisor_pid == pid) {
            task_supervisor_reaped(task);
            if (task->in_cleanup)
                event_active(agent->round, 0, 0);
            return;
        }
    }
    for (task = TAILQ_FIRST(&agent->tasks); task; task = TAILQ_NEXT(task, entry)) {
        /* A child that is not known: its supervisor may have died before it could name it. */
        if (!task_is_alive(task) || task->leader_reaped)
            continue;
        if (!task->started && !task->supervisor_pid)
            task_read_started(task);
        if (task->started && (pid_t) task->started->leader_pid == pid && !task->ending) {
            task->leader_reaped = true;
            task->leader_wait_status = wait_status;
            task_send_leader_ended(task);
            return;
        }
    }
}

/* At a SIGCHLD, and again when there was more to be reaped than a slice has time for. */
static void on_children(evutil_socket_t fd, short what, void *arg)
{
    const uint64_t slice = slice_begin();
    struct agent *agent = arg;
    pid_t pid;
    int status;

    (void) fd;
    (void) what;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        on_child(agent, pid, status);
        if (slice_is_over(slice)) {
            slice_next(agent->reaping);
            return;
        }
    }
}

static void on_looked_up(evutil_socket_t fd, short what, void *arg)
{
    struct agent *agent = arg;

    (void) fd;
    (void) what;
    user_cache_dispatch(agent->users);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct agent *agent = arg;
    struct task *task;

    on_children(fd, what, agent); /* a signal may be lost when its handler has no memory to send */
    for (task = TAILQ_FIRST(&agent->tasks); task; task = TAILQ_NEXT(task, entry)) {
        task_retry_ending(task);
        if (task_is_alive(task) && !task->unreadable && task->link_fd < 0 &&
            task_connect_refused(task_connect(task)))
            task_succeed(task);
        else if (task->cancel_unsent)
            task_send_cancel(task);
    }
    reserve_refill(&agent->store.reserve);
    head_link_tick(agent->link);
    task_table_clean(agent);
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
    struct agent *agent = arg;

    (void) what;
    log_info("ends on signal %d; tasks go on", (int) fd);
    (void) event_base_loopbreak(agent->base);
}

/* ---- beginning and end ---- */

/* Each task costs a descriptor; what one process may have by default is soon used up. */
static void agent_raise_files(struct agent *agent)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return;
    agent->open_files = (uint64_t) files.rlim_cur;
    files.rlim_cur = files.rlim_max;
    (void) setrlimit(RLIMIT_NOFILE, &files);
}

static int agent_read_host(struct agent *agent, struct err *err)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    char text[32];
    ssize_t len;

    len = fdio_read_text(AT_FDCWD, "/proc/sys/kernel/random/boot_id", agent->boot_id,
                         sizeof(agent->boot_id));
    if (len < 0)
        return err_errno(err, (int) len, "read /proc/sys/kernel/random/boot_id");
    agent->boot_id[strcspn(agent->boot_id, "\n")] = '\0';
    if (fdio_read_text(AT_FDCWD, "/proc/self/oom_score_adj", text, sizeof(text)) > 0)
        agent->oom_score_adj = (int) strtol(text, NULL, 10);
    agent->memory_bytes = pages > 0 ? (uint64_t) pages * (uint64_t) page : 0;
    agent->cores = cores > 0 ? (uint32_t) cores : 0;
    return 0;
}

/* Beside this program, or where an installation has it, below whichever prefix. */
static int agent_find_supervisor(struct agent *agent, struct err *err)
{
    static const char *const places[] = {"quell-supervisor", QUELL_LIBEXEC_DIR "/quell-supervisor"};
    char path[4096];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 256);
    char *name;

    if (len < 0)
        return err_errno(err, -errno, "read /proc/self/exe");
    path[len] = '\0';
    name = strrchr(path, '/') + 1;
    for (size_t i = 0; agent->supervisor_fd < 0 && i < sizeof(places) / sizeof(places[0]); i++) {
        (void) snprintf(name, sizeof(path) - (size_t) (name - path), "%s", places[i]);
        agent->supervisor_fd = open(path, O_PATH | O_CLOEXEC);
    }
    if (agent->supervisor_fd < 0)
        return err_errno(err, -errno, "quell-supervisor is neither beside quelld nor %s", path);
    return 0;
}

static int agent_open_run_dir(struct agent *agent, struct err *err)
{
    const char *path = agent->options.run_dir;

    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        char part[4096];

        (void) snprintf(part, sizeof(part), "%.*s", (int) (slash - path), path);
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return err_errno(err, -errno, "make directory %s", part);
    }
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return err_errno(err, -errno, "make directory %s", path);
    agent->run_dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (agent->run_dirfd < 0)
        return err_errno(err, -errno, "open %s", path);
    agent->run_lock_fd = lock_take(agent->run_dirfd, "lock", err);
    if (agent->run_lock_fd == -EBUSY)
        return err_set(err, -EBUSY, "%s belongs to another quelld that is running", path);
    return agent->run_lock_fd < 0 ? agent->run_lock_fd : 0;
}

static int agent_open_cgroups(struct agent *agent, struct err *err)
{
    char tag[32], real[PATH_MAX];
    uint32_t hash = 2166136261u; /* FNV-1a */
    int r;

    if (!realpath(agent->options.run_dir, real))
        return err_errno(err, -errno, "resolve %s", agent->options.run_dir);
    for (const char *c = real; *c; c++)
        hash = (hash ^ (uint8_t) *c) * 16777619u;
    (void) snprintf(tag, sizeof(tag), "quell-%08x", hash);
    const struct cgroup_host_options options = {
        .mode = agent->options.cgroup_mode, .base = agent->options.cgroup_base, .tag = tag};
    r = cgroup_host_open(&options, &agent->host, err);
    if (r < 0)
        return r;
    for (enum cgroup_limit limit = 0; limit < CGROUP_LIMIT_COUNT; limit++)
        if (!cgroup_host_can_limit(agent->host, limit))
            log_warning("this host can't enforce a limit of %s: tasks that ask for one are refused",
                        cgroup_limit_name(limit));
    return 0;
}

static int agent_open_loop(struct agent *agent, struct err *err)
{
    static const int stops[] = {SIGTERM, SIGINT};
    const struct timeval tick = {.tv_sec = TICK_S};

    agent->base = event_base_new();
    if (!agent->base)
        return err_set(err, -ENOMEM, "make the event loop");
    agent->round = event_new(agent->base, -1, 0, on_round, agent);
    agent->children = evsignal_new(agent->base, SIGCHLD, on_children, agent);
    agent->tick = event_new(agent->base, -1, EV_PERSIST, on_tick, agent);
    agent->launches = evtimer_new(agent->base, on_launches, agent);
    agent->cleaning = evtimer_new(agent->base, on_cleaning, agent);
    agent->reaping = evtimer_new(agent->base, on_children, agent);
    agent->events = events_new(agent);
    agent->listings = listings_new(agent->base);
    agent->peeks = peeks_new(agent);
    if (!agent->round || !agent->launches || !agent->cleaning || !agent->reaping ||
        !agent->children || !agent->tick || !agent->events || !agent->listings || !agent->peeks ||
        event_add(agent->children, NULL) < 0 || event_add(agent->tick, &tick) < 0)
        return err_set(err, -ENOMEM, "make the event loop");
    for (size_t i = 0; i < 2; i++) {
        agent->stops[i] = evsignal_new(agent->base, stops[i], on_stop, agent);
        if (!agent->stops[i] || event_add(agent->stops[i], NULL) < 0)
            return err_set(err, -ENOMEM, "make the event loop");
    }
    return 0;
}

static int agent_open_users(struct agent *agent, struct err *err)
{
    static const struct user_cache_options options = {.deadline_ms = USER_DEADLINE_MS};
    const int r = user_cache_new(&options, &agent->users, err);

    if (r < 0)
        return r;
    agent->looked_up = event_new(agent->base, user_cache_fd(agent->users), EV_READ | EV_PERSIST,
                                 on_looked_up, agent);
    if (!agent->looked_up || event_add(agent->looked_up, NULL) < 0)
        return err_set(err, -ENOMEM, "make the event loop");
    return 0;
}

static int agent_open(struct agent *agent, struct err *err)
{
    int r;

    if (geteuid() != 0)
        return err_set(err, -EPERM,
                       "quelld must be run as root: it makes cgroups and becomes the "
                       "tasks' users");
    agent_raise_files(agent);
    r = agent_read_host(agent, err);
    r = r < 0 ? r : agent_find_supervisor(agent, err);
    r = r < 0 ? r : store_open(agent->options.state_dir, &agent->store, err);
    r = r < 0 ? r : agent_open_run_dir(agent, err);
    r = r < 0 ? r : agent_open_cgroups(agent, err); /* libcgroup before nanomsg's threads */
    r = r < 0 ? r : agent_open_loop(agent, err);
    r = r < 0 ? r : agent_open_users(agent, err);
    if (r < 0)
        return r;
    /* Children of a supervisor that dies become ours, and their wait status is not lost. */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return err_errno(err, -errno, "become the subreaper");
    r = status_open(agent, err);
    r = r < 0 ? r : head_link_open(agent, &agent->link, err);
    return r < 0 ? r : recover_tasks(agent, err);
}

static void agent_close(struct agent *agent)
{
    struct event *events[] = {agent->round,    agent->launches, agent->cleaning, agent->reaping,
                              agent->children, agent->tick,     agent->stops[0], agent->stops[1]};

    agent->events = events_free(agent->events);
    agent->http = http_server_close(agent->http);
    agent->link = head_link_close(agent->link);
    if (agent->base)
        task_table_done(agent);
    if (agent->looked_up)
        event_free(agent->looked_up);
    agent->listings = listings_free(agent->listings);
    agent->peeks = peeks_free(agent->peeks);
    agent->users = user_cache_free(agent->users);
    agent->host = cgroup_host_close(agent->host); /* with tasks inside, the groups stay */
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        if (events[i])
            event_free(events[i]);
    if (agent->base)
        event_base_free(agent->base);
    libevent_global_shutdown();
    cleanup_fd(&agent->run_lock_fd);
    cleanup_fd(&agent->run_dirfd);
    cleanup_fd(&agent->supervisor_fd);
    store_close(&agent->store);
    options_done(&agent->options);
}

static int agent_run(struct agent *agent)
{
    struct err err = {0};

    if (agent_open(agent, &err) < 0) {
        log_error("%s", err.text);
        return 1;
    }
    log_info("version %s, node %s, cgroups %s at %s, status socket %s", QUELL_VERSION,
             agent->options.node, cgroup_mode_name(cgroup_host_mode(agent->host)),
             cgroup_host_path(agent->host), agent->options.socket);
    (void) event_base_dispatch(agent->base);
    return 0;
}

int main(int argc, char **argv)
{
    static struct agent agent = {
        .run_dirfd = -1, .run_lock_fd = -1, .supervisor_fd = -1, .store = STORE_CLOSED};
    struct err err = {0};
    int r;

    if (argc == 2 && strcmp(argv[1], PEEK_FLAG) == 0)
        return peek_main();
    if (argc == 3 && strcmp(argv[1], USER_LOOKUP_FLAG) == 0)
        return user_lookup_main(argv[2]);
    log_open("quelld");
    (void) signal(SIGPIPE, SIG_IGN);
    TAILQ_INIT(&agent.tasks);
    TAILQ_INIT(&agent.cleanup);
    TAILQ_INIT(&agent.lingering);
    TAILQ_INIT(&agent.queued);
    TAILQ_INIT(&agent.unsent);
    TAILQ_INIT(&agent.unlisted);
    r = options_read(argc, argv, &agent.options, &err);
    if (r != 0) {
        if (r != SETTINGS_DONE)
            (void) fprintf(stderr, "quelld: %s\n", err.text);
        options_done(&agent.options);
        return r == SETTINGS_DONE ? 0 : r == SETTINGS_USAGE ? 2 : 1;
    }
    for (size_t i = 0; agent.options.insecure && i < agent.options.heads_len; i++)
        if (strncmp(agent.options.heads[i], "tcp://", 6) == 0)
            log_warning("--insecure: %s is dialled without a key: whoever answers there commands "
                        "this node",
                        agent.options.heads[i]);
    r = agent_run(&agent);
    agent_close(&agent);
    return r;
}
