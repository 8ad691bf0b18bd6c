/*
 * verbs.c - the requests that change something. The body is checked at once; then the asker's name
 * is looked up, for which this request waits alone; then libquell is asked.
 */
#include "base/log.h"
#include "base/user_cache.h"
#include "head/body.h"
#include "head/reply.h"
#include "head/routes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct verb { /* one request under way */
    struct routes *routes;
    struct http_request *request;
    void (*run)(struct verb *verb); /* once it is known who asks */
    struct target target;
    struct body_task task;
    struct body_cancel cancel;
    struct body_requeue requeue;
    char name[256]; /* of the asker */
    struct quell_who who;
};

static void verb_free(struct verb *verb)
{
    body_task_done(&verb->task);
    body_cancel_done(&verb->cancel);
    body_requeue_done(&verb->requeue);
    free(verb);
}

static void log_lookup(const struct user_info *user, const struct err *err)
{
    if (!user && err->code != -ENOENT)
        log_warning("%s", err->text);
}

static void on_asker(void *arg, const struct user_info *user, const struct err *err)
{
    struct verb *verb = arg;

    log_lookup(user, err);
    if (user) {
        (void) snprintf(verb->name, sizeof(verb->name), "%s", user->name);
        verb->who.name = verb->name;
    }
    verb->run(verb);
}

static void find_asker(struct verb *verb)
{
    char number[16];

    (void) snprintf(number, sizeof(number), "%" PRIu32, verb->who.uid);
    (void) user_cache_ask(verb->routes->users, number, on_asker, verb);
}

/* @take checks the body, and @run the rest once it is known who asks. */
static void begin(struct routes *routes, struct http_request *request, const struct target *target,
                  int (*take)(struct verb *verb, const void *bytes, size_t len, struct err *err),
                  void (*run)(struct verb *verb))
{
    struct verb *verb = calloc(1, sizeof(*verb));
    const void *body;
    struct err err;
    size_t len;

    if (!verb) {
        reply_refusal(request, TASK_E_BUSY, "the head has no memory for the request");
        return;
    }
    verb->routes = routes;
    verb->request = request;
    verb->target = *target;
    verb->run = run;
    routes_who(routes, request, &verb->who);
    body = http_request_body(request, &len);
    if (take(verb, body, len, &err) == 0) {
        find_asker(verb);
        return;
    }
    reply_refusal(request, err.code, err.text);
    verb_free(verb);
}

static void on_task(void *arg, const struct quell_refusal *refusal, const struct quell_task *task)
{
    struct verb *verb = arg;

    if (refusal)
        reply_refusal(verb->request, refusal->code, refusal->text);
    else
        reply_task(verb->request, task);
    verb_free(verb);
}

static void on_results(void *arg, const struct quell_refusal *refusal,
                       const struct quell_result *results, size_t len)
{
    struct verb *verb = arg;

    if (refusal)
        reply_refusal(verb->request, refusal->code, refusal->text);
    else
        reply_results(verb->request, results, len);
    verb_free(verb);
}

/* ---- add ---- */

static void add(struct verb *verb)
{
    quell_add_task(verb->routes->quell, &verb->task.request, &verb->who, on_task, verb);
}

static void on_owner(void *arg, const struct user_info *user, const struct err *err)
{
    struct verb *verb = arg;

    log_lookup(user, err);
    /* A user whom only the node knows: then only operators act on the task. */
    verb->task.request.has_owner = user != NULL;
    verb->task.request.owner_uid = user ? user->uid : 0;
    add(verb);
}

/* Whose task it is, where root names a user: that user may act on it. */
static void find_owner(struct verb *verb)
{
    const char *user = verb->task.request.user;

    if (verb->who.uid == 0 && user && *user &&
        (!verb->who.name || strcmp(user, verb->who.name) != 0))
        (void) user_cache_ask(verb->routes->users, user, on_owner, verb);
    else
        add(verb);
}

static int take_task(struct verb *verb, const void *bytes, size_t len, struct err *err)
{
    return body_read_task(bytes, len, &verb->task, err);
}

void verb_add(struct routes *routes, struct http_request *request, const struct target *target)
{
    begin(routes, request, target, take_task, find_owner);
}

/* ---- submit ---- */

static void submit(struct verb *verb)
{
    quell_submit_task(verb->routes->quell, verb->target.job_id, verb->target.task_id, &verb->who,
                      on_task, verb);
}

static int take_nothing(struct verb *verb, const void *bytes, size_t len, struct err *err)
{
    (void) verb;
    return body_read_none(bytes, len, err);
}

void verb_submit(struct routes *routes, struct http_request *request, const struct target *target)
{
    begin(routes, request, target, take_nothing, submit);
}

/* ---- cancel ---- */

static void cancel(struct verb *verb)
{
    const struct body_cancel *wish = &verb->cancel;

    quell_cancel_task(verb->routes->quell, verb->target.job_id, verb->target.task_id, wish->message,
                      wish->message_len, &wish->options, &verb->who, on_task, verb);
}

static int take_cancel(struct verb *verb, const void *bytes, size_t len, struct err *err)
{
    return body_read_cancel(bytes, len, &verb->cancel, err);
}

void verb_cancel(struct routes *routes, struct http_request *request, const struct target *target)
{
    begin(routes, request, target, take_cancel, cancel);
}

static void cancel_job(struct verb *verb)
{
    const struct body_cancel *wish = &verb->cancel;

    if (wish->task_ids)
        quell_cancel_tasks(verb->routes->quell, verb->target.job_id, wish->task_ids,
                           wish->task_ids_len, wish->message, wish->message_len, &wish->options,
                           &verb->who, on_results, verb);
    else
        quell_cancel_job(verb->routes->quell, verb->target.job_id, wish->message, wish->message_len,
                         &wish->options, &verb->who, on_results, verb);
}

static int take_cancel_job(struct verb *verb, const void *bytes, size_t len, struct err *err)
{
    return body_read_cancel_job(bytes, len, &verb->cancel, err);
}

void verb_cancel_job(struct routes *routes, struct http_request *request,
                     const struct target *target)
{
    begin(routes, request, target, take_cancel_job, cancel_job);
}

/* ---- requeue ---- */

static void requeue(struct verb *verb)
{
    quell_requeue_task(verb->routes->quell, verb->target.job_id, verb->target.task_id,
                       &verb->requeue.options, &verb->who, on_task, verb);
}

static int take_requeue(struct verb *verb, const void *bytes, size_t len, struct err *err)
{
    return body_read_requeue(bytes, len, &verb->requeue, err);
}

void verb_requeue(struct routes *routes, struct http_request *request, const struct target *target)
{
    begin(routes, request, target, take_requeue, requeue);
}
