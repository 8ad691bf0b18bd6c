#include "ctl/wait.h"

#include "base/cleanup.h"
#include "ctl/ctl.h"
#include "ctl/progress.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

#define WAIT_MS         30000
#define WAIT_WATCHED_MS 1000 /* the clock of the line on the terminal */

/* Notes the status that a task has ended with. False: it has not ended, or is Queued again. */
static bool note_end(struct ctl *ctl, const json_t *task)
{
    const char *text = text_get_string(task, "status");
    enum task_status status;

    if (!text || !task_status_parse(text, &status) || !task_status_is_terminal(status) ||
        text_get_string(task, "requeue_node"))
        return false;
    ctl->failed |= status == TASK_FAILED;
    ctl->cancelled |= status == TASK_CANCELLED;
    return true;
}

/* What the server says of @task within @wait_ms, as a new reference; NULL as ctl_ask(). */
static json_t *ask_once(struct ctl *ctl, const json_t *task, unsigned wait_ms)
{
    char id[CTL_ID_SIZE];
    char address[64];
    int64_t job_id;
    int64_t task_id;

    if (!text_get_number(task, "job_id", &job_id) || !text_get_number(task, "task_id", &task_id)) {
        ctl_no_answer(ctl, "the socket's answer has a task without numbers: is it a socket of "
                           "Quell?");
        return NULL;
    }
    (void) ctl_id_text((uint32_t) job_id, (uint32_t) task_id, id);
    (void) snprintf(address, sizeof(address), "/v1/tasks/%s?wait_ms=%u", id, wait_ms);
    return ctl_ask_waiting(ctl, id, address, wait_ms);
}

/* One question for the task at @i. False: it must be asked for again. */
static bool settle(struct ctl *ctl, json_t *tasks, size_t i, bool print)
{
    struct progress *progress = ctl->progress;
    json_t *task =
        ask_once(ctl, json_array_get(tasks, i), progress->wanted ? WAIT_WATCHED_MS : WAIT_MS);

    if (!task)
        return true;
    if (!note_end(ctl, task)) {
        progress_show(progress, task);
        json_decref(task);
        return false;
    }
    progress->ended++;
    if (print)
        ctl_print_task_line(ctl, task);
    (void) json_array_set_new(tasks, i, task);
    return true;
}

/* One after the other; but where somebody watches all take turns, so that the number of those that
   have ended is not held up by one that runs. */
static void settle_all(struct ctl *ctl, json_t *tasks, bool *settled, bool print)
{
    const size_t len = json_array_size(tasks);
    size_t left = len;

    for (size_t i = 0; left > 0 && !ctl->unanswered;) {
        if (!settled[i]) {
            settled[i] = settle(ctl, tasks, i, print);
            left -= settled[i];
        }
        if (settled[i] || ctl->progress->wanted)
            i = (i + 1) % len;
    }
}

void wait_for_all(struct ctl *ctl, json_t *tasks, bool print)
{
    CLEANUP_FREE bool *settled = calloc(json_array_size(tasks) + 1, sizeof(*settled));
    struct progress progress;

    if (!settled) {
        ctl_out_of_memory(ctl);
        return;
    }
    progress_begin(&progress, json_array_size(tasks));
    ctl->progress = &progress;
    settle_all(ctl, tasks, settled, print);
    progress_clear(&progress);
    ctl->progress = NULL;
}

void verb_wait(struct ctl *ctl, const struct args *args)
{
    json_t *tasks = json_array();

    for (size_t i = 0; i < args->ids_len; i++)
        (void) json_array_append_new(tasks, json_pack("{s:I, s:I}", "job_id",
                                                      (json_int_t) args->ids[i].job_id, "task_id",
                                                      (json_int_t) args->ids[i].task_id));
    wait_for_all(ctl, tasks, true);
    json_decref(tasks);
}
