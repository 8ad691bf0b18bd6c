/* tell.c - what the supervisor says: to the agent, and to the disk. */
#include "base/clock.h"
#include "base/log.h"
#include "cgroups/task_cgroup.h"
#include "supervisor/run.h"

#include <string.h>
#include <sys/wait.h>

void supervisor_tell_state(struct supervisor *s)
{
    Quell__Pb__Frame frame = QUELL__PB__FRAME__INIT;
    Quell__Pb__State state = QUELL__PB__STATE__INIT;
    Quell__Pb__Started started = QUELL__PB__STARTED__INIT;
    const uint64_t now = clock_mono_us();

    frame.body_case = QUELL__PB__FRAME__BODY_STATE;
    frame.state = &state;
    state.uid = s->order->uid;
    state.name = s->order->name;
    state.recorded = s->recorded;
    state.phase =
        s->report_fd >= 0 ? QUELL__PB__PHASE__PHASE_STARTING : QUELL__PB__PHASE__PHASE_RUNNING;
    if (s->life.phase == LIFE_ENDING)
        state.phase = QUELL__PB__PHASE__PHASE_ENDING;
    else if (s->life.phase == LIFE_KILLING)
        state.phase = QUELL__PB__PHASE__PHASE_KILLING;
    else if (s->life.phase == LIFE_OVER)
        state.phase = QUELL__PB__PHASE__PHASE_ENDED;
    if (s->life.kill_at_us > now)
        state.grace_left_ms = (s->life.kill_at_us - now) / 1000;
    if ((s->tree.leader || s->life.no_leader) && s->launch.start_time_us) {
        started.leader_pid = (uint32_t) s->tree.leader;
        started.cgroup_inode = s->life.no_leader ? task_cgroup_inode(s->group) : 0;
        started.start_time_us = s->launch.start_time_us;
        started.start_mono_us = s->launch.start_mono_us;
        started.boot_id = s->order->boot_id;
        state.started = &started;
    }
    link_send(&s->link, &frame);
}

void supervisor_tell_ending(struct supervisor *s)
{
    Quell__Pb__Frame frame = QUELL__PB__FRAME__INIT;

    frame.body_case = QUELL__PB__FRAME__BODY_ENDED;
    frame.ended = &s->ending.ending;
    link_send(&s->link, &frame);
}

static void supervisor_collect(struct supervisor *s, struct ending_facts *facts)
{
    struct task_cgroup_usage usage;

    /* 127 from a child of a dead supervisor may be its own word that exec failed, or the program's.
     */
    const bool unclear = s->order->successor && !s->order->executed &&
                         WIFEXITED(s->tree.wait_status) && WEXITSTATUS(s->tree.wait_status) == 127;

    task_cgroup_read_usage(s->group, &usage);
    *facts = (struct ending_facts){
        .life = &s->life,
        .could_not_start = s->failure.code && !s->failure.ran_before ? s->failure.text : NULL,
        .status_known = s->tree.status_known && !s->failure.ran_before && !unclear,
        .wait_status = s->tree.wait_status,
        .v1 = strcmp(s->order->cgroup_mode, cgroup_mode_name(CGROUP_MODE_V1)) == 0,
        .memory_limit_bytes = s->order->spec->memory_bytes,
        .runtime_ms = s->order->spec->runtime_ms,
        .core_dump_ms = s->order->core_dump_ms,
        .processes_at_kill = s->processes_at_kill,
        .escaped = s->order->successor || s->life.no_leader ? -1 : (int64_t) s->tree.escaped,
        .cgroup_inode = (int64_t) task_cgroup_inode(s->group),
        .cpu_us = usage.cpu_us,
        .memory_peak_bytes = usage.memory_peak_bytes,
        .memory_at_limit = usage.memory_at_limit,
        .oom_kills = usage.oom_kills,
        .io_read_bytes = usage.io_read_bytes,
        .io_write_bytes = usage.io_write_bytes,
        .signals_sent = s->tree.signals_sent,
        .boot_id = s->order->boot_id,
        .start_time_us = s->launch.start_time_us,
        .end_time_us = clock_wall_us(),
        .recorded_us = clock_mono_us(),
    };
}

void supervisor_record(struct supervisor *s)
{
    struct ending_facts facts;
    struct err err = {0};
    int r;

    supervisor_collect(s, &facts);
    ending_make(&s->ending, &facts);
    s->ending.ending.uid = s->order->uid;
    s->ending.ending.name = s->order->name;
    r = attempt_record_ending(&s->attempt, &s->ending.ending, &err);
    s->recorded = r >= 0;
    if (!s->recorded)
        log_warning("task %u.%u: its ending waits in memory for the agent: %s",
                    s->order->name->job_id, s->order->name->task_id, err.text);
    if (!s->recorded)
        supervisor_tell_state(s);
    if (r != ATTEMPT_ENDED_BEFORE) /* else the agent reads the one that stands */
        supervisor_tell_ending(s);
    tree_reap_leader(&s->tree);
}
