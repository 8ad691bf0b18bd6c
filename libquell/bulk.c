/*
 * bulk.c - cancels of several tasks of one job. Each task is answered by itself. A job may have
 * many thousands: each round takes a slice of them, with a commit of its own, so that nobody else
 * waits longer than that.
 */
#include "libquell/quell_impl.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_US   5000u
#define ANSWER_MAX (8u * 1024u * 1024u) /* bytes of tasks in one answer; the others by number */
#define PER_USER   4u                   /* at once; root and the operators are not counted */

struct bulk {
    TAILQ_ENTRY(bulk) entry;
    quell_on_results on_done;
    void *arg;
    bool refused; /* the whole of it */
    struct quell_refusal refusal;
    uint32_t job_id;
    uint32_t *ids;
    size_t len;
    size_t done;             /* of ids: their cancel was asked for */
    size_t settled;          /* and they stand on the disk, or are refused */
    struct cancel_wish wish; /* borrows from @arena */
    struct quell_who who;
    struct arena arena;
    const struct quell_refusal **refusals; /* one for each id; NULL: accepted */
    struct task_set tasks;                 /* the accepted ones, in order */
};

static struct bulk *bulk_free(struct bulk *bulk)
{
    if (!bulk)
        return NULL;
    task_set_done(&bulk->tasks);
    arena_done(&bulk->arena);
    free(bulk->refusals);
    free(bulk->ids);
    free(bulk);
    return NULL;
}

static void refuse_one(struct bulk *bulk, size_t index, int code, const char *text)
{
    struct quell_refusal *refusal = arena_alloc(&bulk->arena, sizeof(*refusal));

    bulk->refusals[index] = refusal ? refusal : &verb_no_memory;
    if (!refusal)
        return;
    refusal->code = code;
    (void) snprintf(refusal->text, sizeof(refusal->text), "%s", text);
}

static void refuse_whole(struct bulk *bulk, int code, const char *text)
{
    bulk->refused = true;
    bulk->refusal.code = verb_is_refusal(code) ? code : TASK_E_BUSY;
    (void) snprintf(bulk->refusal.text, sizeof(bulk->refusal.text), "%s", text);
    bulk->settled = bulk->done = bulk->len = 0;
}

/* The users take turns, and of one user the cancels: nobody's crowd holds up another's. */
static struct bulk *take_turn(struct quell *quell)
{
    struct bulk *bulk;

    TAILQ_FOREACH(bulk, &quell->bulks, entry)
    if (bulk->who.uid != quell->bulk_uid)
        break;
    if (!bulk)
        bulk = TAILQ_FIRST(&quell->bulks);
    if (bulk) {
        TAILQ_REMOVE(&quell->bulks, bulk, entry);
        TAILQ_INSERT_TAIL(&quell->bulks, bulk, entry);
        quell->bulk_uid = bulk->who.uid;
    }
    return bulk;
}

void bulk_step(struct quell *quell)
{
    struct bulk *bulk = quell->bulk = take_turn(quell);
    uint64_t until_us = clock_mono_us() + SLICE_US;
    struct err err;

    while (bulk && bulk->done < bulk->len && !quell->failed && clock_mono_us() < until_us) {
        struct task_place place = {bulk->job_id, bulk->ids[bulk->done]};
        int r = verb_cancel_one(quell, place, &bulk->wish, &bulk->who, &err);

        if (verb_is_refusal(r))
            refuse_one(bulk, bulk->done, r, err.text);
        else if (r < 0)
            round_fail(quell, &err);
        bulk->done++;
    }
}

static void settle_one(struct quell *quell, struct bulk *bulk, size_t index)
{
    struct err err;
    int r;

    if (bulk->refusals[index] || bulk->tasks.arena.bytes > ANSWER_MAX)
        return;
    r = store_load_task(quell->store, bulk->job_id, bulk->ids[index], &bulk->tasks, &err);
    if (r != 0)
        refuse_one(bulk, index, TASK_E_BUSY,
                   r < 0 ? err.text : "it was cancelled, and is forgotten already");
}

void bulk_settle(struct quell *quell, bool failed)
{
    struct bulk *bulk = quell->bulk;

    if (!bulk)
        return;
    for (; bulk->settled < bulk->done; bulk->settled++) {
        if (failed && !bulk->refusals[bulk->settled])
            refuse_one(bulk, bulk->settled, TASK_E_BUSY, quell->failure.text);
        settle_one(quell, bulk, bulk->settled);
    }
    round_wake(quell);
}

static void tell(struct bulk *bulk)
{
    struct quell_result *results = calloc(bulk->len + 1, sizeof(*results));
    size_t accepted = 0;

    if (!results || bulk->refused) {
        bulk->on_done(bulk->arg, bulk->refused ? &bulk->refusal : &verb_no_memory, NULL, 0);
        free(results);
        return;
    }
    for (size_t i = 0; i < bulk->len; i++)
        results[i] = (struct quell_result){
            .job_id = bulk->job_id,
            .task_id = bulk->ids[i],
            .refusal = bulk->refusals[i],
            .task = bulk->refusals[i] || accepted == bulk->tasks.len
                        ? NULL
                        : &bulk->tasks.tasks[accepted++],
        };
    bulk->on_done(bulk->arg, NULL, results, bulk->len);
    free(results);
}

void bulk_tell(struct quell *quell)
{
    struct bulk *bulk = quell->bulk;

    if (!bulk || bulk->settled < bulk->len)
        return;
    quell->bulk = NULL;
    TAILQ_REMOVE(&quell->bulks, bulk, entry);
    tell(bulk);
    (void) bulk_free(bulk);
}

void bulk_refuse_all(struct quell *quell, const char *text)
{
    struct bulk *bulk;

    while ((bulk = quell->bulk = TAILQ_FIRST(&quell->bulks))) {
        for (; bulk->settled < bulk->len; bulk->settled++)
            refuse_one(bulk, bulk->settled, TASK_E_BUSY, text);
        bulk_tell(quell);
    }
}

/* NULL: no memory, and the callback has run. */
static struct bulk *bulk_new(uint32_t job_id, quell_on_results on_done, void *arg)
{
    struct bulk *bulk = calloc(1, sizeof(*bulk));

    if (!bulk) {
        on_done(arg, &verb_no_memory, NULL, 0);
        return NULL;
    }
    bulk->on_done = on_done;
    bulk->arg = arg;
    bulk->job_id = job_id;
    return bulk;
}

/* A checked copy of what the verb's arguments have only lent. */
static int take_wish(struct bulk *bulk, const char *message, size_t message_len,
                     const struct quell_cancel_options *options, const struct quell_who *who,
                     struct err *err)
{
    int r = verb_make_wish(message, message_len, options, who, &bulk->wish, err);

    if (r < 0)
        return r;
    bulk->who = *who;
    if (message)
        bulk->wish.message = arena_copy(&bulk->arena, message, message_len);
    if (who->name)
        bulk->who.name = arena_copy(&bulk->arena, who->name, strlen(who->name));
    bulk->wish.name = bulk->who.name;
    if (bulk->arena.failed)
        return err_set(err, -ENOMEM, "no memory for what is asked");
    return 0;
}

/* The job's tasks that have not ended. */
static int find_ids(struct quell *quell, struct bulk *bulk, struct err *err)
{
    int r = store_live_tasks(quell->store, bulk->job_id, &bulk->ids, &bulk->len, err);

    if (r == STORE_NONE)
        return err_set(err, TASK_E_NOT_FOUND, "there is no job %" PRIu32, bulk->job_id);
    if (r == 0 && bulk->len == 0)
        return err_set(err, TASK_E_ENDED,
                       "every task of job %" PRIu32
                       " has ended: there is none left to be cancelled",
                       bulk->job_id);
    return r;
}

static int copy_ids(struct bulk *bulk, const uint32_t *ids, size_t len, struct err *err)
{
    if (len == 0 || len > QUELL_IDS_MAX)
        return err_set(err, TASK_E_INVALID,
                       "from 1 to %u tasks can be cancelled at once, and here are %zu",
                       QUELL_IDS_MAX, len);
    bulk->ids = malloc(len * sizeof(*ids));
    if (!bulk->ids)
        return err_set(err, -ENOMEM, "no memory for the list of tasks");
    (void) memcpy(bulk->ids, ids, len * sizeof(*ids));
    bulk->len = len;
    return 0;
}

static int check_crowd(const struct quell *quell, const struct quell_who *who, struct err *err)
{
    const struct bulk *bulk;
    unsigned count = 0;

    TAILQ_FOREACH(bulk, &quell->bulks, entry)
    count += bulk->who.uid == who->uid;
    if (count < PER_USER || who->operator_ || who->uid == 0)
        return 0;
    return err_set(err, TASK_E_BUSY,
                   "%u cancels of several tasks are under way for user %" PRIu32
                   " already: ask again later",
                   PER_USER, who->uid);
}

static int check_job(struct quell *quell, uint32_t job_id, struct err *err)
{
    int r = store_has_job(quell->store, job_id, err);

    return r == STORE_NONE ? err_set(err, TASK_E_NOT_FOUND, "there is no job %" PRIu32, job_id) : r;
}

/* @result: of what was done so far; refused, it will only be told so. */
static void bulk_start(struct quell *quell, struct bulk *bulk, int result, const struct err *err)
{
    bulk->refusals = calloc(bulk->len + 1, sizeof(struct quell_refusal *));
    if (result < 0)
        refuse_whole(bulk, result, err->text);
    else if (!bulk->refusals)
        refuse_whole(bulk, verb_no_memory.code, verb_no_memory.text);
    TAILQ_INSERT_TAIL(&quell->bulks, bulk, entry);
    round_wake(quell);
}

void quell_cancel_tasks(struct quell *quell, uint32_t job_id, const uint32_t *task_ids,
                        size_t task_ids_len, const char *message, size_t message_len,
                        const struct quell_cancel_options *options, const struct quell_who *who,
                        quell_on_results on_done, void *arg)
{
    struct bulk *bulk = bulk_new(job_id, on_done, arg);
    struct err err;
    int r;

    if (!bulk)
        return;
    r = take_wish(bulk, message, message_len, options, who, &err);
    if (r == 0)
        r = check_crowd(quell, who, &err);
    if (r == 0)
        r = check_job(quell, job_id, &err);
    if (r == 0)
        r = copy_ids(bulk, task_ids, task_ids_len, &err);
    bulk_start(quell, bulk, r, &err);
}

void quell_cancel_job(struct quell *quell, uint32_t job_id, const char *message, size_t message_len,
                      const struct quell_cancel_options *options, const struct quell_who *who,
                      quell_on_results on_done, void *arg)
{
    struct bulk *bulk = bulk_new(job_id, on_done, arg);
    struct err err;
    int r;

    if (!bulk)
        return;
    r = take_wish(bulk, message, message_len, options, who, &err);
    if (r == 0)
        r = check_crowd(quell, who, &err);
    if (r == 0)
        r = find_ids(quell, bulk, &err);
    bulk_start(quell, bulk, r, &err);
}
