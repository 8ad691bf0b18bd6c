#include "agent/task_table.h"

#include "agent/agent.h"
#include "agent/head_link.h"
#include "agent/listing.h"
#include "agent/slice.h"
#include "agent/task.h"
#include "base/cleanup.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/user_cache.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int task_compare(const void *a, const void *b)
{
    return memcmp(((const struct task *) a)->uid, ((const struct task *) b)->uid, TASK_UID_SIZE);
}

struct task *task_table_find(const struct agent *agent, const uint8_t *uid)
{
    struct task key;
    struct task *const *found;

    (void) memcpy(key.uid, uid, TASK_UID_SIZE);
    found = tfind(&key, &agent->by_uid, task_compare);
    return found ? *found : NULL;
}

struct task *task_table_add(struct agent *agent, const uint8_t *uid, uint32_t job_id,
                            uint32_t task_id, uint32_t attempt)
{
    struct task *task = calloc(1, sizeof(*task));

    if (!task)
        return NULL;
    task->agent = agent;
    task->link_fd = -1;
    (void) memcpy(task->uid, uid, TASK_UID_SIZE);
    (void) hex_encode(uid, TASK_UID_SIZE, task->uid_text);
    (void) snprintf(task->label, sizeof(task->label), "%" PRIu32 ".%" PRIu32 ".%" PRIu32, job_id,
                    task_id, attempt);
    (void) snprintf(task->group, sizeof(task->group), "%s-%s", task->label, task->uid_text);
    if (!tsearch(task, &agent->by_uid, task_compare)) {
        free(task);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&agent->tasks, task, entry);
    return task;
}

static void task_free(struct task *task)
{
    (void) tdelete(task, &task->agent->by_uid, task_compare);
    TAILQ_REMOVE(&task->agent->tasks, task, entry);
    if (task->in_queued)
        TAILQ_REMOVE(&task->agent->queued, task, queued);
    head_link_forget(task);
    listings_forget(task->agent->listings, task);
    task_close_link(task);
    (void) user_cache_withdraw(task->user_wait);
    free(task->user_failure);
    free(task->supervisor_failure);
    if (task->command)
        quell__pb__command__free_unpacked(task->command, NULL);
    if (task->started)
        quell__pb__started__free_unpacked(task->started, NULL);
    if (task->ending)
        quell__pb__ending__free_unpacked(task->ending, NULL);
    free(task);
}

void task_table_retire(struct task *task)
{
    if (!task->in_cleanup)
        TAILQ_INSERT_TAIL(&task->agent->cleanup, task, cleanup);
    task->in_cleanup = true;
    event_active(task->agent->round, 0, 0);
}

/* True when nothing of it is left to be removed now. */
static bool task_clean(struct task *task)
{
    struct agent *agent = task->agent;
    struct err err = {0};
    int r;

    if (task->has_group) {
        /* One that was handed over is its maker's to remove. */
        r = task->state.handed_over ? 0 : cgroup_host_remove(agent->host, task->group, &err);
        if (r == 0 && unlinkat(agent->run_dirfd, task->uid_text, 0) < 0 && errno != ENOENT)
            r = err_errno(&err, -errno, "remove the socket %s", task->uid_text);
        if (r < 0)
            log_warning("task %s: not all of it can be removed yet: %s", task->label, err.text);
        if (r != 0)
            return false;
        task->has_group = false;
    }
    if (task->state.phase != ATTEMPT_GONE || task->supervisor_pid)
        return task->state.phase != ATTEMPT_GONE;
    if (store_forget(&agent->store, task->uid_text, &err) < 0) {
        log_warning("task %s: its records stay: %s", task->label, err.text);
        return false;
    }
    return true;
}

void task_table_clean(struct agent *agent)
{
    TAILQ_CONCAT(&agent->cleanup, &agent->lingering, cleanup);
    if (!TAILQ_EMPTY(&agent->cleanup))
        slice_next(agent->cleaning);
}

void task_table_clean_slice(struct agent *agent)
{
    const uint64_t slice = slice_begin();

    for (struct task *task; (task = TAILQ_FIRST(&agent->cleanup));) {
        const bool clean = task_clean(task);

        TAILQ_REMOVE(&agent->cleanup, task, cleanup);
        task->in_cleanup = !clean;
        if (!clean)
            TAILQ_INSERT_TAIL(&agent->lingering, task, cleanup);
        else if (task->state.phase == ATTEMPT_GONE)
            task_free(task);
        if (slice_is_over(slice) && !TAILQ_EMPTY(&agent->cleanup)) {
            slice_next(agent->cleaning);
            return;
        }
    }
}

static int task_compare_arrival(const void *a, const void *b)
{
    const uint64_t x = (*(struct task *const *) a)->arrived_us;
    const uint64_t y = (*(struct task *const *) b)->arrived_us;

    return x < y ? -1 : x > y;
}

int task_table_sort(struct agent *agent, struct err *err)
{
    CLEANUP_FREE struct task **sorted = NULL;
    struct task *task;
    size_t count = 0, len = 0;

    TAILQ_FOREACH(task, &agent->tasks, entry)
    count++;
    sorted = calloc(count + 1, sizeof(struct task *));
    if (!sorted)
        return err_set(err, -ENOMEM, "no memory for the tasks of this node");
    TAILQ_FOREACH(task, &agent->tasks, entry)
    sorted[len++] = task;
    qsort(sorted, len, sizeof(struct task *), task_compare_arrival);
    TAILQ_INIT(&agent->tasks);
    for (size_t i = 0; i < len; i++)
        TAILQ_INSERT_TAIL(&agent->tasks, sorted[i], entry);
    return 0;
}

void task_table_done(struct agent *agent)
{
    for (struct task *task; (task = TAILQ_FIRST(&agent->tasks));)
        task_free(task);
}
