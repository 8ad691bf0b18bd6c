/* verb_change.c - the verbs that change tasks: add, submit, cancel, requeue. */
#include "ctl/ctl.h"
#include "ctl/spec.h"
#include "ctl/task_view.h"
#include "ctl/text.h"
#include "ctl/verbs.h"
#include "ctl/wait.h"

#include <errno.h>

#define E_INVALID "0x80070057"

/* What could not be put into words for the server is refused here, in the server's form. */
static void refuse_spec(struct ctl *ctl, const char *subject, const struct err *err)
{
    if (err->code == -EILSEQ)
        ctl_refuse(ctl, subject, E_INVALID, err->text);
    else
        ctl_out_of_memory(ctl);
}

/* The task that @answer is, at the end of @tasks. Takes the reference; NULL is passed over. */
static void keep(json_t *tasks, json_t *answer)
{
    if (answer)
        (void) json_array_append_new(tasks, answer);
}

/* Ids at once, so that a script has them whatever comes later; with --json the tasks as they are at
   the end. */
static void print_ids(struct ctl *ctl, const json_t *tasks)
{
    size_t i;
    const json_t *task;

    json_array_foreach(tasks, i, task)
    {
        task_view_print_id(ctl->out, task);
        (void) fputc('\n', ctl->out);
    }
    (void) fflush(ctl->out);
}

static void print_objects(struct ctl *ctl, const json_t *tasks)
{
    size_t i;
    const json_t *task;

    json_array_foreach(tasks, i, task) ctl_print_json_line(ctl, task);
}

static void add_task(struct ctl *ctl, const struct args *args, bool submit, json_t *tasks)
{
    char id[CTL_ID_SIZE];
    const char *subject = NULL;
    struct err err = {0};
    json_t *body = spec_new_task(args, submit, &err);

    if ((args->given & ARGS_JOB) && (args->given & ARGS_TASK))
        subject = ctl_id_text(args->job_id, args->task_id, id);
    if (body)
        keep(tasks, ctl_ask(ctl, subject, "/v1/tasks", body));
    else
        refuse_spec(ctl, subject, &err);
}

/* Posts @body to @what ("cancel") of each task of the line by itself: one refusal stops none of the
   others. */
static void post_each(struct ctl *ctl, const struct args *args, const char *what,
                      const json_t *body, json_t *tasks)
{
    for (size_t i = 0; i < args->ids_len && !ctl->unanswered; i++) {
        char id[CTL_ID_SIZE];
        char address[64];

        (void) ctl_id_text(args->ids[i].job_id, args->ids[i].task_id, id);
        (void) snprintf(address, sizeof(address), "/v1/tasks/%s/%s", id, what);
        keep(tasks, ctl_ask(ctl, id, address, json_deep_copy(body)));
    }
}

static void finish_new(struct ctl *ctl, const struct args *args, json_t *tasks)
{
    if (!(args->given & ARGS_JSON))
        print_ids(ctl, tasks);
    if (args->given & ARGS_WAIT)
        wait_for_all(ctl, tasks, false);
    if (args->given & ARGS_JSON)
        print_objects(ctl, tasks);
    json_decref(tasks);
}

void verb_add(struct ctl *ctl, const struct args *args)
{
    json_t *tasks = json_array();

    add_task(ctl, args, false, tasks);
    finish_new(ctl, args, tasks);
}

void verb_submit(struct ctl *ctl, const struct args *args)
{
    json_t *tasks = json_array();
    json_t *nothing = json_object();

    if (args->ids_len > 0)
        post_each(ctl, args, "submit", nothing, tasks);
    else
        add_task(ctl, args, true, tasks);
    json_decref(nothing);
    finish_new(ctl, args, tasks);
}

/* A task that the answer names among the refused: a line of its own. */
static void refuse_part(struct ctl *ctl, const json_t *part)
{
    const char *code = text_get_string(part, "code");
    const char *text = text_get_string(part, "text");
    int64_t job_id;
    int64_t task_id;
    char id[CTL_ID_SIZE];

    if (code && text && text_get_number(part, "job_id", &job_id) &&
        text_get_number(part, "task_id", &task_id))
        ctl_refuse(ctl, ctl_id_text((uint32_t) job_id, (uint32_t) task_id, id), code, text);
    else
        ctl_no_answer(ctl, "the socket's answer has a refusal without task, number or text: is it "
                           "a socket of Quell?");
}

static void cancel_job(struct ctl *ctl, const struct args *args, const json_t *body, json_t *tasks)
{
    char subject[32];
    char address[64];
    json_t *answer;
    size_t i;
    const json_t *part;

    (void) snprintf(subject, sizeof(subject), "job %u", args->job_id);
    (void) snprintf(address, sizeof(address), "/v1/jobs/%u/cancel", args->job_id);
    answer = ctl_ask_parts(ctl, subject, address, json_deep_copy(body));
    (void) json_array_extend(tasks, json_object_get(answer, "tasks"));
    json_array_foreach(json_object_get(answer, "refused"), i, part) refuse_part(ctl, part);
    json_decref(answer);
}

/* A word that can't be sent refuses every task that it was meant for. */
static void refuse_all(struct ctl *ctl, const struct args *args, const struct err *err)
{
    char text[32];

    if (args->given & ARGS_JOB) {
        (void) snprintf(text, sizeof(text), "job %u", args->job_id);
        refuse_spec(ctl, text, err);
    }
    for (size_t i = 0; i < args->ids_len; i++)
        refuse_spec(ctl, ctl_id_text(args->ids[i].job_id, args->ids[i].task_id, text), err);
}

void verb_cancel(struct ctl *ctl, const struct args *args)
{
    struct err err = {0};
    json_t *body = spec_cancel(args, &err);
    json_t *tasks = json_array();
    size_t i;
    const json_t *task;

    if (!body)
        refuse_all(ctl, args, &err);
    else if (args->given & ARGS_JOB)
        cancel_job(ctl, args, body, tasks);
    else
        post_each(ctl, args, "cancel", body, tasks);
    json_decref(body);

    if (args->given & ARGS_WAIT)
        wait_for_all(ctl, tasks, false);
    /* Without --wait nothing has ended yet: a cancel that was accepted is silent. */
    if (args->given & (ARGS_JSON | ARGS_WAIT))
        json_array_foreach(tasks, i, task) ctl_print_task_line(ctl, task);
    json_decref(tasks);
}

void verb_requeue(struct ctl *ctl, const struct args *args)
{
    struct err err = {0};
    json_t *body = spec_requeue(args, &err);
    json_t *tasks = json_array();

    if (body)
        post_each(ctl, args, "requeue", body, tasks);
    else
        refuse_all(ctl, args, &err);
    if (args->given & ARGS_JSON)
        print_objects(ctl, tasks);
    json_decref(body);
    json_decref(tasks);
}
