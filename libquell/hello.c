/*
 * hello.c - a node says who it is and what it knows, in parts; after the last, both sides agree
 * again. What the node alone knows is left as it is: it is never killed, and its reports are not
 * acknowledged, so that the outcome waits at the node.
 */
#include "libquell/answer.h"
#include "libquell/quell_impl.h"

#include "base/clock.h"
#include "libquell/core/reconcile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELLO_KNOWN_MAX 1000000u
#define HELLO_TEXT_MAX  64u

static const char *check_hello(const struct link_request *from, const Quell__Pb__Hello *hello)
{
    const struct node_session *session = from->session;

    if (*hello->boot_id == '\0' || strlen(hello->boot_id) >= NODE_BOOT_ID_SIZE ||
        strlen(hello->instance) > HELLO_TEXT_MAX ||
        strlen(hello->program_version) > HELLO_TEXT_MAX ||
        strlen(hello->cgroup_mode) > HELLO_TEXT_MAX)
        return "the hello has no boot id, or a text that is too long";
    /* The part before is sent again when its answer was lost. */
    if (hello->part != 0 && hello->part != session->next_part &&
        hello->part + 1 != session->next_part)
        return "this part of the hello was not the next";
    if (session->known_len + hello->n_known > HELLO_KNOWN_MAX)
        return "the hello lists too many attempts";
    for (size_t i = 0; i < hello->n_known; i++)
        if (hello->known[i]->uid.len != TASK_UID_SIZE)
            return "the hello lists an attempt without its uid of 16 bytes";
    return NULL;
}

static int note_part(struct node_session *session, const Quell__Pb__Hello *hello, struct err *err)
{
    if (hello->part == 0)
        node_session_forget(session);
    for (size_t i = 0; i < hello->n_known; i++)
        if (node_session_know(session, hello->known[i]->uid.data, hello->known[i]->version) < 0)
            return err_set(err, -ENOMEM, "no memory for a node's hello");
    session->next_part = hello->part + 1;
    (void) snprintf(session->boot_id, sizeof(session->boot_id), "%s", hello->boot_id);
    return 0;
}

static int put_node(struct quell *quell, const struct link_request *from,
                    const Quell__Pb__Hello *hello, struct err *err)
{
    char unenforceable[256] = "";
    size_t len = 0;
    struct store_node node = {
        .name = from->node->name,
        .instance = hello->instance,
        .boot_id = hello->boot_id,
        .version = hello->program_version,
        .cgroup_mode = hello->cgroup_mode,
        .unenforceable = unenforceable,
        .cores = hello->cores,
        .memory_bytes = hello->memory_bytes,
        .last_heard_us = clock_wall_us(),
    };

    for (size_t i = 0; i < hello->n_unenforceable && len < sizeof(unenforceable); i++)
        len += (size_t) snprintf(unenforceable + len, sizeof(unenforceable) - len, "%s%s",
                                 i ? "," : "", hello->unenforceable[i]);
    return store_put_node(quell->store, &node, err);
}

static int end_lost(struct quell *quell, const struct store_acked *acked,
                    const struct link_request *from, enum task_cause cause, struct err *err)
{
    struct store_attempt attempt;
    struct attempt_end end;
    char text[512];
    int r = store_find_uid(quell->store, acked->uid, &attempt, err);

    if (r != 0)
        return r;
    if (cause == TASK_CAUSE_NODE_REBOOTED)
        (void) snprintf(text, sizeof(text),
                        "node %s has rebooted, and nothing of the task is left there: how it ended "
                        "is not known",
                        from->node->name);
    else
        (void) snprintf(text, sizeof(text),
                        "node %s has not rebooted, and knows nothing of the task any more: how it "
                        "ended is not known",
                        from->node->name);
    quell_log(quell, LOG_WARNING, "task %u.%u: %s", attempt.job_id, attempt.task_id, text);
    attempt_end_unreported(cause, text, &attempt.cancel, clock_wall_us(), &end);
    return attempt_end(quell, &attempt, &end, NULL, 0, err);
}

static int reconcile_one(struct quell *quell, const struct store_acked *acked,
                         const struct link_request *from, struct err *err)
{
    const struct node_known *known = node_session_find(from->session, acked->uid);
    struct reconcile_head head = {
        .acked_version = acked->acked_version,
        .start_acked = acked->start_acked,
        .cancelled = acked->cancelled,
        .acked_boot_id = acked->acked_boot_id,
    };
    struct reconcile_node node = {
        .listed = known != NULL,
        .version = known ? known->version : 0,
        .boot_id = from->session->boot_id,
    };

    switch (reconcile_attempt(&head, &node)) {
    case RECONCILE_KEEP:
        return 0;
    case RECONCILE_SEND_AGAIN:
        return store_unack_command(quell->store, acked->uid, node.version, err);
    case RECONCILE_REBOOTED:
        return end_lost(quell, acked, from, TASK_CAUSE_NODE_REBOOTED, err);
    case RECONCILE_UNKNOWN:
        return end_lost(quell, acked, from, TASK_CAUSE_UNKNOWN, err);
    }
    return 0;
}

/* What the head believes to be on the node, against what the node lists. */
static int reconcile(struct quell *quell, const struct link_request *from, struct err *err)
{
    CLEANUP_FREE struct store_acked *acked = NULL;
    size_t len = 0;
    int r = store_acked_attempts(quell->store, from->node->name, &acked, &len, err);

    for (size_t i = 0; i < len && r >= 0; i++)
        r = reconcile_one(quell, &acked[i], from, err);
    return r < 0 ? r : 0;
}

static int log_strangers(struct quell *quell, const struct link_request *from, struct err *err)
{
    const struct node_session *session = from->session;
    struct store_attempt attempt;
    size_t strangers = 0;

    for (size_t i = 0; i < session->known_len; i++) {
        int r = store_find_uid(quell->store, session->known[i].uid, &attempt, err);

        if (r < 0)
            return r;
        if (r == STORE_NONE || strcmp(attempt.node, from->node->name) != 0)
            strangers++;
    }
    if (strangers > 0)
        quell_log(
            quell, LOG_WARNING,
            "node %s knows %zu tasks that this head has never given to it; they are left alone",
            from->node->name, strangers);
    return 0;
}

static int finish_hello(struct quell *quell, const struct link_request *from,
                        const Quell__Pb__Hello *hello, struct err *err)
{
    int r = round_change(quell, err);

    if (r < 0)
        return r;
    node_session_sort(from->session);
    r = put_node(quell, from, hello, err);
    if (r == 0)
        r = reconcile(quell, from, err);
    if (r == 0)
        r = log_strangers(quell, from, err);
    if (r == 0)
        r = store_offer_attempts(quell->store, from->node->name, err);
    if (r < 0)
        return r;
    from->node->settling = true;
    answer_queue(quell, ANSWER_SETTLE, from, NULL);
    return 0;
}

static void ask_for_more(struct quell *quell, const struct link_request *from)
{
    Quell__Pb__HelloDone done = QUELL__PB__HELLO_DONE__INIT;
    Quell__Pb__Reply reply = QUELL__PB__REPLY__INIT;

    done.heartbeat_ms = quell->heartbeat_us / 1000;
    done.more = true;
    reply.body_case = QUELL__PB__REPLY__BODY_HELLO_DONE;
    reply.hello_done = &done;
    answer_queue(quell, ANSWER_BYTES, from, &reply);
}

int hello_receive(struct quell *quell, const struct link_request *from,
                  const Quell__Pb__Hello *hello, struct err *err)
{
    bool settled = from->session == from->node->settled;
    const char *wrong;
    int r;

    if (settled && from->session->next_part == 0 && hello->part > 0 && hello->last) {
        answer_queue(quell, ANSWER_SETTLE, from, NULL); /* that answer was lost */
        return 0;
    }
    wrong = check_hello(from, hello);
    if (wrong) {
        link_refuse(quell, from->route, from->request->id.data,
                    QUELL__PB__REFUSED_CODE__REFUSED_BAD, wrong);
        return 0;
    }
    r = note_part(from->session, hello, err);
    if (r < 0)
        return r;
    if (hello->last)
        return finish_hello(quell, from, hello, err);
    ask_for_more(quell, from);
    return 0;
}
