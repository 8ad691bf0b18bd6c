#include "agent/processes.h"

#include "agent/agent.h"
#include "agent/listing.h"
#include "agent/process.h"
#include "agent/status.h"
#include "agent/status_task.h"
#include "agent/task.h"
#include "base/cleanup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROCESSES_MAX 10000u /* shown at most */

struct crowd {               /* first their pids, then each of them */
    const struct task *task; /* borrowed */
    char *object;            /* the task's, as JSON */
    pid_t *pids;
    size_t len;
    size_t room;
    size_t done;
    bool begun;
    bool any; /* one has been written */
};

static void crowd_free(void *arg)
{
    struct crowd *crowd = arg;

    free(crowd->object);
    free(crowd->pids);
    free(crowd);
}

static bool crowd_add(void *arg, pid_t pid)
{
    struct crowd *crowd = arg;

    if (crowd->len == crowd->room) {
        const size_t room = crowd->room ? 2 * crowd->room : 64;
        pid_t *grown = reallocarray(crowd->pids, room, sizeof(*grown));

        if (!grown)
            return false;
        crowd->pids = grown;
        crowd->room = room;
    }
    crowd->pids[crowd->len++] = pid;
    return crowd->len < PROCESSES_MAX;
}

static void crowd_read_pids(struct crowd *crowd)
{
    CLEANUP(task_cgroup_freep) struct task_cgroup *group = NULL;
    const struct task *task = crowd->task;
    struct task_cgroup_dirs dirs;

    if (task->has_group && task_open_group(task, &dirs, NULL) == 0 &&
        task_cgroup_open(&dirs, &group, NULL) == 0)
        (void) task_cgroup_each_process(group, crowd_add, crowd, NULL);
}

static bool crowd_step(void *arg, FILE *out)
{
    struct crowd *crowd = arg;
    json_t *object;

    if (!crowd->begun) { /* the task's object, open at its end for the array */
        (void) fprintf(out, "%.*s,\"processes\":[", (int) strlen(crowd->object) - 1, crowd->object);
        crowd_read_pids(crowd);
        crowd->begun = true;
    }
    if (crowd->done == crowd->len) {
        (void) fputs("]}", out);
        return false;
    }
    object = process_json(crowd->task->agent->users, crowd->pids[crowd->done++]);
    if (object) {
        if (crowd->any)
            (void) fputc(',', out);
        (void) json_dumpf(object, out, JSON_COMPACT);
        crowd->any = true;
        json_decref(object);
    }
    return true;
}

void processes_answer(struct task *task, struct http_request *request)
{
    struct crowd *crowd = calloc(1, sizeof(*crowd));
    json_t *object = crowd ? status_task_json(task) : NULL;
    const struct listing listing = {
        .task = task, .step = crowd_step, .free = crowd_free, .arg = crowd};

    if (object)
        crowd->object = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (!object || !crowd->object) {
        status_reply(request, 500, NULL);
        free(crowd);
        return;
    }
    crowd->task = task;
    listings_add(task->agent->listings, &listing, request);
}
