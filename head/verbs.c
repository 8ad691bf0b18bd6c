/*
 * verbs.c - the requests that change something. The body is checked at once; then the asker's name
 * is looked up, for which this request waits alone; then libquell is asked.
 */
#include "head/body.h"
#include "head/reply.h"
#include "head/routes.h"
#include "head/who.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct verb { /* one request under way */
    struct routes *routes;
    struct http_request *request;
    void (*run)(struct verb *verb); /* once it is known who asks */
    uint32_t job_id;
    uint32_t task_id;
    struct body_task task;
    struct body_cancel cancel;
    char name[256]; /* of the asker */
    struct quell_who who;
};

static void verb_free(struct verb *verb)
{
    body_task_done(&verb->task);
    body_cancel_done(&verb->cancel);
    free(verb);
}

static void refuse(struct verb *verb, const struct err *err)
{
    reply_refusal(verb->request, err->code, err->text);
    verb_free(verb);
}

/* NULL: no memory, and the request has been answered. */
static struct verb *verb_new(struct routes *routes, struct http_request *request,
                             void (*run)(struct verb *verb))
{
    const struct http_peer *peer = http_request_peer(request);
    struct verb *verb = calloc(1, sizeof(*verb));

    if (!verb) {
        reply_refusal(request, TASK_E_BUSY, "the head has no memory for the request");
        return NULL;
    }
    verb->routes = routes;
    verb->request = request;
    verb->run = run;
    verb->who.uid = peer->uid;
    verb->who.operator_ =
        peer->uid == 0 ||
        (routes->has_operators && http_request_peer_in_group(request, routes->operators));
    return verb;
}

static void on_asker(void *arg, const struct who_user *user)
{
    struct verb *verb = arg;

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
    who_ask(verb->routes->who, number, on_asker, verb);
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

static void on_tasks(void *arg, const struct quell_refusal *refusal, const struct quell_task *tasks,
                     size_t len, bool more)
{
    struct verb *verb = arg;

    (void) more;
    if (refusal)
        reply_refusal(verb->request, refusal->code, refusal->text);
    else
        reply_tasks(verb->request, tasks, len, false, false);
    verb_free(verb);
}

/* ---- add ---- */

static void add(struct verb *verb)
{
    quell_add_task(verb->routes->quell, &verb->task.request, &verb->who, on_task, verb);
}

static void on_owner(void *arg, const struct who_user *user)
{
    struct verb *verb = arg;

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
        who_ask(verb->routes->who, user, on_owner, verb);
    else
        add(verb);
}

void verb_add(struct routes *routes, struct http_request *request)
{
    struct verb *verb = verb_new(routes, request, find_owner);
    const void *body;
    struct err err;
    size_t len;

    if (!verb)
        return;
    body = http_request_body(request, &len);
    if (body_read_task(body, len, &verb->task, &err) < 0)
        refuse(verb, &err);
    else
        find_asker(verb);
}

/* ---- submit ---- */

static void submit(struct verb *verb)
{
    quell_submit_task(verb->routes->quell, verb->job_id, verb->task_id, &verb->who, on_task, verb);
}

void verb_submit(struct routes *routes, struct http_request *request, uint32_t job_id,
                 uint32_t task_id)
{
    struct verb *verb = verb_new(routes, request, submit);
    const void *body;
    struct err err;
    size_t len;

    if (!verb)
        return;
    verb->job_id = job_id;
    verb->task_id = task_id;
    body = http_request_body(request, &len);
    if (body_read_none(body, len, &err) < 0)
        refuse(verb, &err);
    else
        find_asker(verb);
}

/* ---- cancel ---- */

static void cancel(struct verb *verb)
{
    const struct body_cancel *wish = &verb->cancel;

    if (verb->task_id == 0)
        quell_cancel_job(verb->routes->quell, verb->job_id, wish->message, wish->message_len,
                         &wish->options, &verb->who, on_tasks, verb);
    else
        quell_cancel_task(verb->routes->quell, verb->job_id, verb->task_id, wish->message,
                          wish->message_len, &wish->options, &verb->who, on_task, verb);
}

void verb_cancel(struct routes *routes, struct http_request *request, uint32_t job_id,
                 uint32_t task_id)
{
    struct verb *verb = verb_new(routes, request, cancel);
    const void *body;
    struct err err;
    size_t len;

    if (!verb)
        return;
    verb->job_id = job_id;
    verb->task_id = task_id;
    body = http_request_body(request, &len);
    if (body_read_cancel(body, len, &verb->cancel, &err) < 0)
        refuse(verb, &err);
    else
        find_asker(verb);
}
