#include "ctl/wait.h"

#include "ctl/ctl.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

#define WAIT_MS 30000

/* Notes the status that a task has ended with. False: it has not ended. */
static bool note_end(struct ctl *ctl, const json_t *task)
{
    const char *text = text_get_string(task, "status");
    enum task_status status;

    if (!text || !task_status_parse(text, &status) || !task_status_is_terminal(status))
        return false;
    ctl->failed |= status == TASK_FAILED;
    ctl->cancelled |= status == TASK_CANCELLED;
    return true;
}

json_t *wait_for_task(struct ctl *ctl, uint32_t job_id, uint32_t task_id)
{
    char id[CTL_ID_SIZE];
    char address[64];

    (void) ctl_id_text(job_id, task_id, id);
    (void) snprintf(address, sizeof(address), "/v1/tasks/%s?wait_ms=%d", id, WAIT_MS);
    for (;;) {
        json_t *task = ctl_ask_waiting(ctl, id, address, WAIT_MS);

        if (!task || note_end(ctl, task))
            return task;
        json_decref(task);
    }
}

void wait_for_all(struct ctl *ctl, json_t *tasks)
{
    for (size_t i = 0; i < json_array_size(tasks) && !ctl->unanswered; i++) {
        const json_t *task = json_array_get(tasks, i);
        int64_t job_id;
        int64_t task_id;
        json_t *ended;

        if (!text_get_number(task, "job_id", &job_id) ||
            !text_get_number(task, "task_id", &task_id)) {
            ctl_no_answer(ctl, "the socket's answer has a task without numbers: is it a socket of "
                               "Quell?");
            return;
        }
        ended = wait_for_task(ctl, (uint32_t) job_id, (uint32_t) task_id);
        if (ended)
            (void) json_array_set_new(tasks, i, ended);
    }
}

/* The verb: each line is printed as soon as it is known. */
void verb_wait(struct ctl *ctl, const struct args *args)
{
    for (size_t i = 0; i < args->ids_len && !ctl->unanswered; i++) {
        json_t *task = wait_for_task(ctl, args->ids[i].job_id, args->ids[i].task_id);

        if (task)
            ctl_print_task_line(ctl, task);
        json_decref(task);
    }
}
