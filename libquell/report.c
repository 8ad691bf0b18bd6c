/*
 * report.c - what a node says of its attempts. What is acknowledged is on the disk, and the node
 * forgets it then; so an attempt that is not known here is never acknowledged.
 */
#include "libquell/answer.h"
#include "libquell/quell_impl.h"

#include "base/clock.h"
#include "base/hex.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int take_started(struct quell *quell, struct store_attempt *attempt,
                        const Quell__Pb__Started *started, struct err *err)
{
    CLEANUP_FREE uint8_t *bytes = NULL;
    int r;

    if (attempt->status != TASK_QUEUED)
        return 0;
    bytes = malloc(quell__pb__started__get_packed_size(started) + 1);
    if (!bytes)
        return err_set(err, -ENOMEM, "no memory for a report");
    r = store_start_attempt(quell->store, attempt, started->start_time_us, bytes,
                            quell__pb__started__pack(started, bytes), err);
    attempt->status = TASK_RUNNING;
    return r < 0 ? r : attempt_note(quell, attempt, err);
}

static int take_ending(struct quell *quell, struct store_attempt *attempt,
                       const Quell__Pb__Ending *ending, struct err *err)
{
    CLEANUP_FREE uint8_t *bytes = malloc(quell__pb__ending__get_packed_size(ending) + 1);
    struct attempt_end end;

    if (!bytes)
        return err_set(err, -ENOMEM, "no memory for a report");
    attempt_end_reported(ending, &attempt->cancel, &end);
    if (end.end_time_us == 0)
        end.end_time_us = clock_wall_us();
    return attempt_end(quell, attempt, &end, bytes, quell__pb__ending__pack(ending, bytes), err);
}

static void log_stranger(struct quell *quell, struct node *node,
                         const Quell__Pb__AttemptReport *report)
{
    char uid[TASK_UID_TEXT];

    if (node->strange_reported)
        return;
    node->strange_reported = true;
    quell_log(quell, LOG_WARNING,
              "node %s reports task %u.%u (attempt uid %s), which this head has never given to it; "
              "its report is not acknowledged",
              node->name, report->name ? report->name->job_id : 0,
              report->name ? report->name->task_id : 0,
              hex_encode(report->uid.data, report->uid.len, uid));
}

/* 0: to be acknowledged; STORE_NONE: not. */
static int take_report(struct quell *quell, struct node *node,
                       const Quell__Pb__AttemptReport *report, struct err *err)
{
    struct store_attempt attempt;
    int r;

    if (report->uid.len != TASK_UID_SIZE)
        return STORE_NONE;
    r = store_find_uid(quell->store, report->uid.data, &attempt, err);
    if (r < 0)
        return r;
    if (r == STORE_NONE) {
        r = store_was_forgotten(quell->store, report->uid.data, err);
        if (r <= 0)
            return r;
    }
    if (r == STORE_NONE || strcmp(attempt.node, node->name) != 0) {
        log_stranger(quell, node, report);
        return STORE_NONE;
    }
    if (task_status_is_terminal(attempt.status))
        return 0; /* said before, or decided without the node */
    if (report->version > attempt.report_version)
        attempt.report_version = report->version;
    if (report->body_case == QUELL__PB__ATTEMPT_REPORT__BODY_STARTED)
        return take_started(quell, &attempt, report->started, err);
    if (report->body_case == QUELL__PB__ATTEMPT_REPORT__BODY_ENDING)
        return take_ending(quell, &attempt, report->ending, err);
    return STORE_NONE; /* of a newer schema: what is not understood is not taken */
}

static int take_all(struct quell *quell, const struct link_request *from,
                    const Quell__Pb__Report *report, Quell__Pb__ReportAcked__One *ones,
                    Quell__Pb__ReportAcked__One **acked, size_t *ret_len, struct err *err)
{
    int r = round_change(quell, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < report->n_attempts; i++) {
        const Quell__Pb__AttemptReport *one = report->attempts[i];

        r = take_report(quell, from->node, one, err);
        if (r < 0)
            return r;
        if (r == STORE_NONE)
            continue;
        quell__pb__report_acked__one__init(&ones[*ret_len]);
        ones[*ret_len].uid = one->uid;
        ones[*ret_len].version = one->version;
        acked[*ret_len] = &ones[*ret_len];
        (*ret_len)++;
    }
    return 0;
}

int report_receive(struct quell *quell, const struct link_request *from,
                   const Quell__Pb__Report *report, struct err *err)
{
    CLEANUP_FREE Quell__Pb__ReportAcked__One *ones = calloc(report->n_attempts + 1, sizeof(*ones));
    CLEANUP_FREE Quell__Pb__ReportAcked__One **acked =
        calloc(report->n_attempts + 1, sizeof(Quell__Pb__ReportAcked__One *));
    Quell__Pb__ReportAcked body = QUELL__PB__REPORT_ACKED__INIT;
    Quell__Pb__Reply reply = QUELL__PB__REPLY__INIT;
    int r;

    if (!ones || !acked)
        return err_set(err, -ENOMEM, "no memory for a report");
    r = take_all(quell, from, report, ones, acked, &body.n_acked, err);
    if (r < 0)
        return r;
    body.acked = acked;
    reply.body_case = QUELL__PB__REPLY__BODY_REPORT_ACKED;
    reply.report_acked = &body;
    answer_queue(quell, ANSWER_BYTES, from, &reply);
    return 0;
}
