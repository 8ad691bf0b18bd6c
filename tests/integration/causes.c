#include "tests/integration/causes.h"

#include "tests/integration/groups.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY  65534
#define BOOT_ID "/proc/sys/kernel/random/boot_id"

static const char *actor(struct stage *s)
{
    return program_in(s->world, "actor");
}

/* ---- the scenes ---- */

static const char *play_finished(struct stage *s)
{
    return submit(s->world, "--", actor(s));
}

static const char *play_exit(struct stage *s)
{
    return submit(s->world, "--", actor(s), "exit=3");
}

static const char *play_signal(struct stage *s)
{
    return submit(s->world, "--", actor(s), "raise=10");
}

static const char *play_core(struct stage *s)
{
    const char *dir = path_in(s->world, "cores");

    cr_assert_eq(mkdir(dir, 0755), 0);
    cr_assert_eq(chown(dir, NOBODY, NOBODY), 0);
    return submit(s->world, "--workdir", dir, "--", actor(s), "core", "raise=6");
}

static const char *play_time_limit(struct stage *s)
{
    return submit(s->world, "--runtime", "200ms", "--", actor(s), "hold");
}

static const char *play_own_memory(struct stage *s)
{
    return submit(s->world, "--memory", "32M", "--", actor(s), "eat=48");
}

static const char *play_base_memory(struct stage *s)
{
    return submit(s->world, "--", actor(s), "eat=96");
}

static const char *play_base_memory_below_own(struct stage *s)
{
    return submit(s->world, "--memory", "256M", "--", actor(s), "eat=96");
}

/* The leader is killed for memory, and leaves one that ignores SIGTERM. */
static const char *play_memory_and_leftovers(struct stage *s)
{
    const int ready = fifo_in(s->world, "fighting");
    const char *fifo = path_in(s->world, "fighting");
    const char *id = submit(s->world, "--memory", "32M", "--", "sh", "-c",
                            keepf(s->world, "%s 1 >%s & exec %s read=%s eat=48",
                                  program_in(s->world, "fighter"), fifo, actor(s), fifo));

    (void) task_wait(s->world, id);
    (void) close(ready);
    return id;
}

static const char *play_child_memory_0(struct stage *s)
{
    return submit(s->world, "--memory", "32M", "--", "sh", "-c",
                  keepf(s->world, "%s eat=48; exit 0", actor(s)));
}

static const char *play_child_memory_3(struct stage *s)
{
    return submit(s->world, "--memory", "32M", "--", "sh", "-c",
                  keepf(s->world, "%s eat=48; exit 3", actor(s)));
}

static const char *play_no_program(struct stage *s)
{
    return submit(s->world, "--", "/no/such/program");
}

static const char *play_cancel(struct stage *s)
{
    const char *id = submit_fighter(s->world, "n1", 3);

    cancel(s->world, id, "-m", "stop it", "--grace", "0");
    return id;
}

/* The SIGTERM of the cancel makes it take what it may not have. */
static const char *play_cancel_and_memory(struct stage *s)
{
    const int ready = fifo_in(s->world, "waiting");
    const char *id = submit(s->world, "--memory", "32M", "--stdout", path_in(s->world, "waiting"),
                            "--", actor(s), "await-term=ready", "eat=48");

    fifo_expect(ready, "ready");
    cancel(s->world, id, "-m", "stop it", "--grace", "60s");
    (void) task_wait(s->world, id);
    (void) close(ready);
    return id;
}

/* ---- what happens while neither agent nor supervisor lives ---- */

/* Orphans come to us: when it is back, nobody can ask the kernel for the status any more. */
static void reap(int pidfd)
{
    siginfo_t info;

    cr_assert_eq(waitid(P_PIDFD, (id_t) pidfd, &info, WEXITED), 0, "%s", strerror(errno));
    (void) close(pidfd);
}

/* The leader's parent; supervisors of earlier tasks may still be about to exit. */
static pid_t supervisor_of(struct world *w, pid_t leader)
{
    const char *status = file_text(w, keepf(w, "/proc/%d/status", (int) leader));
    const char *parent = strstr(status, "PPid:");

    cr_assert_not_null(parent);
    return (pid_t) strtol(parent + strlen("PPid:"), NULL, 10);
}

/* A task that waits for a line in the FIFO, and whose agent and supervisor are killed. */
static const char *submit_orphan(struct stage *s, const char *fifo, int *ret_go, int *ret_pidfd)
{
    struct agent *agent = &s->world->agents[0];
    const char *out = keepf(s->world, "%s-ready", fifo);
    const int ready = fifo_in(s->world, out);
    const char *id;
    pid_t leader;
    int supervisor;

    *ret_go = fifo_in(s->world, fifo);
    id = submit(s->world, "--stdout", path_in(s->world, out), "--", actor(s), "say=ready",
                keepf(s->world, "read=%s", path_in(s->world, fifo)));
    fifo_expect(ready, "ready");
    (void) close(ready);
    leader = group_task_pid(s->world, id);
    *ret_pidfd = pidfd_open(leader, 0);
    supervisor = pidfd_open(supervisor_of(s->world, leader), 0);
    program_kill(&agent->program);
    cr_assert_eq(pidfd_send_signal(supervisor, SIGKILL, NULL, 0), 0);
    reap(supervisor);
    return id;
}

static const char *play_unknown(struct stage *s)
{
    int go, pidfd;
    const char *id = submit_orphan(s, "unknown", &go, &pidfd);

    cr_assert_eq(write(go, "go\n", 3), 3);
    reap(pidfd);
    agent_start(&s->world->agents[0]);
    (void) task_wait(s->world, id);
    (void) close(go);
    return id;
}

/* Another boot: nothing of it lives, and the kernel gives another number. */
static const char *play_rebooted(struct stage *s)
{
    const char *other = file_in(s->world, "boot", "00000000-1111-2222-3333-444444444444\n");
    const char *id;
    int go, pidfd;

    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        s->why = "no mount namespace of its own";
        return NULL;
    }
    id = submit_orphan(s, "rebooted", &go, &pidfd);
    cr_assert_eq(pidfd_send_signal(pidfd, SIGKILL, NULL, 0), 0);
    reap(pidfd);
    cr_assert_eq(mount(other, BOOT_ID, NULL, MS_BIND, NULL), 0, "%s", strerror(errno));
    agent_start(&s->world->agents[0]);
    cr_assert_eq(umount2(BOOT_ID, MNT_DETACH), 0);
    (void) close(go);
    return id;
}

/* ---- the table ---- */

#define FINISHED  "TaskStatus_Finished"
#define FAILED    "TaskStatus_Failed"
#define CANCELLED "TaskStatus_Cancelled"

const struct scene scenes[] = {
    {"exits with 0", play_finished, FINISHED, NULL, "exited", 0, NONE, 0, {0}, false},
    {"exits with 3", play_exit, FAILED, "exit_code", "exited", 3, NONE, 0, {"exit code 3"}, false},
    {"gets SIGUSR1", play_signal, FAILED, "signal", "exited", NONE, 10, 0, {"SIGUSR1"}, false},
    {"aborts, with a core",
     play_core,
     FAILED,
     "core_dump",
     "exited",
     NONE,
     6,
     0,
     {"SIGABRT", "core dumped"},
     false},
    {"runs for too long",
     play_time_limit,
     FAILED,
     "time_limit",
     "exited_in_grace",
     NONE,
     15,
     0,
     {"time limit of 0.200 s"},
     false},
    {"exceeds its own memory",
     play_own_memory,
     FAILED,
     "out_of_memory",
     "exited",
     NONE,
     9,
     1,
     {"the task's limit is 33554432 bytes"},
     true},
    {"exceeds the base's memory",
     play_base_memory,
     FAILED,
     "out_of_memory",
     "exited",
     NONE,
     9,
     1,
     {"no limit of its own", "a group above"},
     true},
    {"exceeds the base's, not its own",
     play_base_memory_below_own,
     FAILED,
     "out_of_memory",
     "exited",
     NONE,
     9,
     1,
     {"not at the task's own limit of 268435456 bytes", "a group above"},
     true},
    {"exceeds its own, leaves a fighter",
     play_memory_and_leftovers,
     FAILED,
     "out_of_memory",
     "leftovers",
     NONE,
     9,
     1,
     {"the task's limit is 33554432 bytes"},
     true},
    {"a child exceeds, it exits with 0",
     play_child_memory_0,
     FINISHED,
     NULL,
     "exited",
     0,
     NONE,
     1,
     {0},
     true},
    {"a child exceeds, it exits with 3",
     play_child_memory_3,
     FAILED,
     "exit_code",
     "exited",
     3,
     NONE,
     1,
     {"exit code 3", "killed for memory: 1"},
     true},
    {"has no program",
     play_no_program,
     FAILED,
     "could_not_start",
     "never_started",
     NONE,
     NONE,
     0,
     {"could not start", "/no/such/program"},
     false},
    {"is cancelled",
     play_cancel,
     CANCELLED,
     "cancelled",
     "cgroup_kill",
     NONE,
     9,
     0,
     {"stop it"},
     false},
    {"exceeds its own while cancelled",
     play_cancel_and_memory,
     CANCELLED,
     "cancelled",
     "exited_in_grace",
     NONE,
     9,
     1,
     {"stop it"},
     true},
    {"ends while nobody looks",
     play_unknown,
     FAILED,
     "unknown",
     "exited",
     NONE,
     NONE,
     0,
     {"not known"},
     false},
    {"its node boots anew",
     play_rebooted,
     FAILED,
     "node_rebooted",
     NULL,
     NONE,
     NONE,
     NONE,
     {"boot"},
     false},
};

const size_t scenes_len = sizeof(scenes) / sizeof(scenes[0]);
