/*
 * peek.c - the end of a task's output, read on its node. A question travels with the commands for
 * the node, and comes back as a request of its own; neither is recorded, and one that is lost runs
 * out of time.
 */
#include "libquell/quell_impl.h"

#include "base/fdio.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define OUTPUTS_MAX 2u

struct peek *peek_free(struct peek *peek)
{
    if (!peek)
        return NULL;
    if (peek->spec)
        quell__pb__spec__free_unpacked(peek->spec, NULL);
    if (peek->answer)
        quell__pb__peeked__free_unpacked(peek->answer, NULL);
    free(peek);
    return NULL;
}
DEFINE_CLEANUP(struct peek *, peek_free);

static void fill_question(struct peek *peek, const struct store_attempt *attempt, uint32_t bytes)
{
    Quell__Pb__Peek *question = &peek->question;

    quell__pb__peek__init(question);
    quell__pb__name__init(&peek->name);
    fdio_random(peek->id, sizeof(peek->id));
    peek->name.job_id = attempt->job_id;
    peek->name.task_id = attempt->task_id;
    peek->name.attempt = attempt->attempt;
    question->id = (ProtobufCBinaryData){.len = sizeof(peek->id), .data = peek->id};
    question->name = &peek->name;
    question->user = peek->spec->user;
    question->workdir = peek->spec->workdir;
    question->stdout_path = peek->spec->stdout_path;
    question->stderr_path = peek->spec->stderr_path;
    question->bytes = bytes ? bytes : QUELL_PEEK_DEFAULT;
    (void) memcpy(peek->node, attempt->node, sizeof(peek->node));
}

static int make_peek(struct quell *quell, const struct store_attempt *attempt, uint32_t bytes,
                     struct peek **ret, struct err *err)
{
    CLEANUP(peek_freep) struct peek *peek = calloc(1, sizeof(*peek));
    CLEANUP_FREE uint8_t *spec = NULL;
    size_t len;
    int r;

    if (!peek)
        return err_set(err, -ENOMEM, "no memory for the question");
    r = store_load_spec(quell->store, attempt->job_id, attempt->task_id, &spec, &len, err);
    if (r != 0)
        return r < 0 ? r : err_set(err, TASK_E_UNKNOWN_TASK, "the task is gone");
    peek->spec = quell__pb__spec__unpack(NULL, len, spec);
    if (!peek->spec)
        return err_set(err, -EBADMSG, "the task's specification can't be read");
    if (peek->spec->cgroup.len > 0)
        return err_set(err, TASK_E_INVALID,
                       "task %" PRIu32 ".%" PRIu32
                       " is a group handed over: where its output goes Quell does not know",
                       attempt->job_id, attempt->task_id);
    fill_question(peek, attempt, bytes);
    *ret = TAKE_PTR(peek);
    return 0;
}

/* Permitted, with its node connected: the question. */
static int ask(struct quell *quell, struct task_place place, uint32_t bytes,
               const struct quell_who *who, struct call *call, struct err *err)
{
    struct store_attempt attempt;
    struct node *node;
    int r = verb_find_task(quell, place, TASK_VERB_PEEK, who, &attempt, err);

    if (r == 0 && bytes > QUELL_PEEK_MAX)
        r = err_set(err, TASK_E_INVALID, "at most %u bytes of each file can be read",
                    QUELL_PEEK_MAX);
    if (r == 0 && attempt_step(TASK_VERB_PEEK, &attempt) != TASK_STEP_PEEK)
        r = task_rules_refuse(TASK_VERB_PEEK, place, attempt.status, err);
    if (r < 0)
        return r;
    node = node_table_find(&quell->nodes, attempt.node);
    if (!node || !node->settled)
        return err_set(err, TASK_E_BUSY,
                       "node %s is unreachable: the output of task %" PRIu32 ".%" PRIu32
                       " can't be read now",
                       attempt.node, place.job_id, place.task_id);
    r = make_peek(quell, &attempt, bytes, &call->peek, err);
    if (r < 0)
        return r;
    (void) wait_table_add(&quell->waits, call);
    node_table_wake(&quell->nodes, node);
    round_wake(quell);
    return 0;
}

struct quell_wait *quell_peek_task(struct quell *quell, uint32_t job_id, uint32_t task_id,
                                   uint32_t bytes, uint64_t timeout_ms, const struct quell_who *who,
                                   quell_on_outputs on_done, void *arg)
{
    struct call *call = call_new(CALL_PEEK, arg);
    struct err err;
    int r;

    if (!call) {
        on_done(arg, &verb_no_memory, NULL, 0);
        return NULL;
    }
    call->on_done.outputs = on_done;
    call->deadline_us = call_deadline_us(timeout_ms);
    r = ask(quell, (struct task_place){job_id, task_id}, bytes, who, call, &err);
    if (r < 0) {
        call_refuse(call, verb_is_refusal(r) ? r : TASK_E_BUSY, err.text);
        round_queue(quell, call);
    }
    return (struct quell_wait *) call;
}

size_t peek_take(struct quell *quell, const struct node *node, Quell__Pb__Peek **ret, size_t bytes)
{
    size_t len = 0;
    struct call *call;

    TAILQ_FOREACH(call, &quell->waits.peeks, place_entry)
    {
        struct peek *peek = call->peek;
        size_t size = quell__pb__peek__get_packed_size(&peek->question) + 8;

        if (peek->sent || strcmp(peek->node, node->name) != 0)
            continue;
        if (len == PEEKS_MAX || size > bytes)
            break;
        peek->sent = true;
        bytes -= size;
        ret[len++] = &peek->question;
    }
    return len;
}

static struct call *find(struct quell *quell, const struct link_request *from,
                         const ProtobufCBinaryData *id)
{
    struct call *call;

    TAILQ_FOREACH(call, &quell->waits.peeks, place_entry)
    if (id->len == sizeof(call->peek->id) && memcmp(id->data, call->peek->id, id->len) == 0 &&
        strcmp(call->peek->node, from->node->name) == 0)
        return call;
    return NULL;
}

void peek_receive(struct quell *quell, const struct link_request *from)
{
    struct call *call = find(quell, from, &from->request->peeked->id);

    if (!call)
        return; /* too late */
    call->peek->answer = TAKE_PTR(from->request->peeked);
    from->request->body_case = QUELL__PB__REQUEST__BODY__NOT_SET;
    if (*call->peek->answer->text)
        call_refuse(call, TASK_E_BUSY, call->peek->answer->text);
    wait_table_take(&quell->waits, call, &quell->calls);
}

void call_run_peek(struct call *call, const struct quell_refusal *refusal)
{
    const Quell__Pb__Peeked *answer = call->peek ? call->peek->answer : NULL;
    struct quell_output outputs[OUTPUTS_MAX];
    struct arena arena = {0};
    size_t len = 0;

    for (size_t i = 0; !refusal && answer && i < answer->n_outputs && len < OUTPUTS_MAX; i++) {
        const Quell__Pb__Output *output = answer->outputs[i];

        outputs[len++] = (struct quell_output){
            .stream = output->stream,
            .path = output->path.len > 0 ? arena_copy(&arena, output->path.data, output->path.len)
                                         : NULL,
            .size = output->size,
            .tail = (const char *) output->tail.data,
            .tail_len = output->tail.len,
            .text = *output->text ? output->text : NULL,
        };
    }
    call->on_done.outputs(call->arg, refusal, outputs, len);
    arena_done(&arena);
}
