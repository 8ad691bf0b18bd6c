/* verbs.c - the verbs that change one task: add, submit, cancel, requeue. */
#include "libquell/quell_impl.h"

#include "base/clock.h"
#include "libquell/core/task_check.h"
#include "libquell/core/task_rules.h"

#include <stdlib.h>

const struct quell_refusal verb_no_memory = {TASK_E_BUSY, "no memory to do what was asked"};

bool verb_is_refusal(int result)
{
    return result < -4095;
}

static void finish(struct quell *quell, struct call *call, int result, const struct err *err)
{
    if (verb_is_refusal(result)) {
        call_refuse(call, result, err->text);
    } else if (result < 0) {
        round_fail(quell, err);
        call_refuse(call, TASK_E_BUSY, err->text);
    }
    round_queue(quell, call);
}

static int find_task(struct quell *quell, struct task_place place, struct store_attempt *ret,
                     struct err *err)
{
    int r = store_find_attempt(quell->store, place.job_id, place.task_id, ret, err);

    return r == STORE_NONE ? task_rules_refuse_unknown(place, err) : r;
}

int verb_find_task(struct quell *quell, struct task_place place, enum task_verb verb,
                   const struct quell_who *who, struct store_attempt *ret, struct err *err)
{
    int r = find_task(quell, place, ret, err);
    struct task_owner owner;

    if (r < 0)
        return r;
    owner =
        (struct task_owner){.known = ret->owner_known, .uid = ret->owner_uid, .user = ret->user};
    return task_rules_permit(verb, place, &owner, who->uid, who->operator_, err);
}

static int submit(struct quell *quell, struct task_place place, const struct quell_who *who,
                  struct err *err)
{
    struct store_attempt attempt;
    int r = verb_find_task(quell, place, TASK_VERB_SUBMIT, who, &attempt, err);

    if (r == 0 && attempt_step(TASK_VERB_SUBMIT, &attempt) != TASK_STEP_QUEUE)
        r = task_rules_refuse(TASK_VERB_SUBMIT, place, attempt.status, err);
    if (r == 0)
        r = round_change_more(quell, err);
    return r < 0 ? r : attempt_queue(quell, &attempt, err);
}

void quell_submit_task(struct quell *quell, uint32_t job_id, uint32_t task_id,
                       const struct quell_who *who, quell_on_task on_done, void *arg)
{
    struct call *call = call_new(CALL_TASK, arg);
    struct err err;

    if (!call) {
        on_done(arg, &verb_no_memory, NULL);
        return;
    }
    call->on_done.task = on_done;
    call->changes = true;
    call->job_id = job_id;
    call->task_id = task_id;
    finish(quell, call, submit(quell, (struct task_place){job_id, task_id}, who, &err), &err);
}

/* The numbers that were not named. */
static int choose_ids(struct quell *quell, const struct quell_task_request *request,
                      struct task_place *ret, struct err *err)
{
    int r = 0;

    *ret = (struct task_place){request->job_id, request->task_id};
    if (ret->job_id == 0)
        r = store_next_job(quell->store, &ret->job_id, err);
    if (r == STORE_NONE)
        return err_set(err, TASK_E_INVALID, "every number of a job is taken");
    if (r == 0 && ret->task_id == 0)
        r = store_next_task(quell->store, ret->job_id, &ret->task_id, err);
    if (r == STORE_NONE)
        return err_set(err, TASK_E_INVALID,
                       "job %u has a task %u, so that there is no next number: name one",
                       ret->job_id, TASK_ID_MAX);
    if (r < 0)
        return r;
    r = store_has_task(quell->store, ret->job_id, ret->task_id, err);
    if (r == 0)
        return err_set(err, TASK_E_INVALID, "there is a task %u.%u already", ret->job_id,
                       ret->task_id);
    return r < 0 ? r : 0;
}

static int check_node(struct quell *quell, const char *node, struct err *err)
{
    int r = store_has_node(quell->store, node, err);

    if (r == STORE_NONE)
        return err_set(err, TASK_E_NOT_FOUND, "no node named %.255s has said hello to this head",
                       node);
    return r;
}

static int put_task(struct quell *quell, const struct quell_task_request *request,
                    const struct task_check_user *user, struct task_place *ret, struct err *err)
{
    CLEANUP_FREE uint8_t *spec = NULL;
    struct store_task task = {
        .node = request->node,
        .owner_known = user->owner_known,
        .owner_uid = user->owner_uid,
        .user = user->user,
        .name = request->name,
        .rerunnable = !request->not_rerunnable && !request->cgroup,
        .grace_ms = request->has_grace ? request->grace_ms : quell->grace_ms,
        .add_time_us = clock_wall_us(),
    };
    int r = spec_pack(request, user->user, task.grace_ms, &spec, &task.spec_len, err);

    if (r == 0)
        r = check_node(quell, request->node, err);
    if (r == 0)
        r = choose_ids(quell, request, ret, err);
    if (r == 0)
        r = round_change_more(quell, err);
    if (r < 0)
        return r;
    task.spec = spec;
    task.job_id = ret->job_id;
    task.task_id = ret->task_id;
    return store_add_task(quell->store, &task, err);
}

static int add(struct quell *quell, const struct quell_task_request *request,
               const struct quell_who *who, struct task_place *ret, struct err *err)
{
    struct task_check_user user;
    struct store_attempt attempt;
    int r = task_check_request(request, err);

    if (r == 0)
        r = task_check_user(request, who, &user, err);
    if (r == 0)
        r = put_task(quell, request, &user, ret, err);
    if (r == 0)
        r = find_task(quell, *ret, &attempt, err);
    if (r < 0)
        return r;
    return request->submit ? attempt_queue(quell, &attempt, err)
                           : attempt_note(quell, &attempt, err);
}

void quell_add_task(struct quell *quell, const struct quell_task_request *request,
                    const struct quell_who *who, quell_on_task on_done, void *arg)
{
    struct call *call = call_new(CALL_TASK, arg);
    struct task_place place = {0};
    struct err err;
    int r;

    if (!call) {
        on_done(arg, &verb_no_memory, NULL);
        return;
    }
    r = add(quell, request, who, &place, &err);
    call->on_done.task = on_done;
    call->changes = true;
    call->job_id = place.job_id;
    call->task_id = place.task_id;
    finish(quell, call, r, &err);
}

int verb_make_wish(const char *message, size_t message_len,
                   const struct quell_cancel_options *options, const struct quell_who *who,
                   struct cancel_wish *ret, struct err *err)
{
    int r = task_rules_check_message(message, message_len, err);

    if (r == 0 && options && options->has_grace)
        r = task_rules_check_grace(options->grace_ms, err);
    *ret = (struct cancel_wish){
        .message = message,
        .message_len = message_len,
        .has_grace = options && options->has_grace,
        .grace_ms = options ? options->grace_ms : 0,
        .uid = who->uid,
        .name = who->name,
        .time_us = clock_wall_us(),
    };
    return r;
}

int verb_cancel_one(struct quell *quell, struct task_place place, const struct cancel_wish *wish,
                    const struct quell_who *who, struct err *err)
{
    struct store_attempt attempt;
    int r = verb_find_task(quell, place, TASK_VERB_CANCEL, who, &attempt, err);

    return r < 0 ? r : attempt_cancel(quell, &attempt, wish, err);
}

void quell_cancel_task(struct quell *quell, uint32_t job_id, uint32_t task_id, const char *message,
                       size_t message_len, const struct quell_cancel_options *options,
                       const struct quell_who *who, quell_on_task on_done, void *arg)
{
    struct call *call = call_new(CALL_TASK, arg);
    struct task_place place = {job_id, task_id};
    struct cancel_wish wish;
    struct err err;
    int r;

    if (!call) {
        on_done(arg, &verb_no_memory, NULL);
        return;
    }
    call->on_done.task = on_done;
    call->changes = true;
    call->job_id = job_id;
    call->task_id = task_id;
    r = verb_make_wish(message, message_len, options, who, &wish, &err);
    if (r == 0)
        r = verb_cancel_one(quell, place, &wish, who, &err);
    finish(quell, call, r, &err);
}

static int requeue(struct quell *quell, struct task_place place,
                   const struct quell_requeue_options *options, const struct quell_who *who,
                   struct err *err)
{
    const struct quell_cancel_options cancel = {options->has_grace, options->grace_ms};
    struct store_attempt attempt;
    struct cancel_wish wish;
    int r = verb_make_wish(NULL, 0, &cancel, who, &wish, err);

    wish.by_requeue = true;
    if (r == 0)
        r = verb_find_task(quell, place, TASK_VERB_REQUEUE, who, &attempt, err);
    if (r == 0 && options->node)
        r = check_node(quell, options->node, err);
    return r < 0 ? r : attempt_requeue(quell, &attempt, options->node, &wish, err);
}

void quell_requeue_task(struct quell *quell, uint32_t job_id, uint32_t task_id,
                        const struct quell_requeue_options *options, const struct quell_who *who,
                        quell_on_task on_done, void *arg)
{
    static const struct quell_requeue_options none;
    struct call *call = call_new(CALL_TASK, arg);
    struct task_place place = {job_id, task_id};
    struct err err;

    if (!call) {
        on_done(arg, &verb_no_memory, NULL);
        return;
    }
    call->on_done.task = on_done;
    call->changes = true;
    call->job_id = job_id;
    call->task_id = task_id;
    finish(quell, call, requeue(quell, place, options ? options : &none, who, &err), &err);
}
