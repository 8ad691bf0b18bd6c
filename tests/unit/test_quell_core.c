/* The head's rules, all cells and all sentences, written a second time on purpose. */
#include "libquell/core/attempt_end.h"
#include "libquell/core/cancel.h"
#include "libquell/core/reconcile.h"
#include "libquell/core/task_check.h"
#include "libquell/core/task_rules.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* ---- the table ---- */

struct cell {
    enum task_verb verb;
    enum task_status status;
    enum task_step step, step_at_node, step_ending;
    int code;
    const char *sentence;
};

#define ONLY_SUBMIT  "only a task that is not submitted can be submitted"
#define ONLY_CANCEL  "only a task that is not submitted, queued or running can be cancelled"
#define ONLY_REQUEUE "only a task that is running, failed or cancelled can be requeued"
#define REFUSE       TASK_STEP_REFUSE, TASK_STEP_REFUSE, TASK_STEP_REFUSE

static const struct cell cells[] = {
    {TASK_VERB_SUBMIT, TASK_NOT_SUBMITTED, TASK_STEP_QUEUE, TASK_STEP_QUEUE, TASK_STEP_QUEUE, 0,
     NULL},
    {TASK_VERB_SUBMIT, TASK_QUEUED, REFUSE, TASK_E_WRONG_STATUS,
     "task 7.1 is TaskStatus_Queued: " ONLY_SUBMIT},
    {TASK_VERB_SUBMIT, TASK_RUNNING, REFUSE, TASK_E_WRONG_STATUS,
     "task 7.1 is TaskStatus_Running: " ONLY_SUBMIT},
    {TASK_VERB_SUBMIT, TASK_FINISHED, REFUSE, TASK_E_WRONG_STATUS,
     "task 7.1 is TaskStatus_Finished: " ONLY_SUBMIT},
    {TASK_VERB_SUBMIT, TASK_FAILED, REFUSE, TASK_E_WRONG_STATUS,
     "task 7.1 is TaskStatus_Failed: " ONLY_SUBMIT},
    {TASK_VERB_SUBMIT, TASK_CANCELLED, REFUSE, TASK_E_WRONG_STATUS,
     "task 7.1 is TaskStatus_Cancelled: " ONLY_SUBMIT},
    {TASK_VERB_CANCEL, TASK_NOT_SUBMITTED, TASK_STEP_CANCEL, TASK_STEP_CANCEL, TASK_STEP_CANCEL, 0,
     NULL},
    {TASK_VERB_CANCEL, TASK_QUEUED, TASK_STEP_CANCEL, TASK_STEP_CANCEL_AT_NODE,
     TASK_STEP_CANCEL_AT_NODE, 0, NULL},
    {TASK_VERB_CANCEL, TASK_RUNNING, TASK_STEP_CANCEL_AT_NODE, TASK_STEP_CANCEL_AT_NODE,
     TASK_STEP_CANCEL_AT_NODE, 0, NULL},
    {TASK_VERB_CANCEL, TASK_FINISHED, REFUSE, TASK_E_ENDED,
     "task 7.1 is TaskStatus_Finished: " ONLY_CANCEL},
    {TASK_VERB_CANCEL, TASK_FAILED, REFUSE, TASK_E_ENDED,
     "task 7.1 is TaskStatus_Failed: " ONLY_CANCEL},
    {TASK_VERB_CANCEL, TASK_CANCELLED, REFUSE, TASK_E_ENDED,
     "task 7.1 is TaskStatus_Cancelled: " ONLY_CANCEL},
    {TASK_VERB_REQUEUE, TASK_NOT_SUBMITTED, REFUSE, TASK_E_WRONG_STATUS,
     "task 7.1 is TaskStatus_NotSubmitted: " ONLY_REQUEUE},
    {TASK_VERB_REQUEUE, TASK_QUEUED, TASK_STEP_REFUSE, TASK_STEP_REFUSE, TASK_STEP_REQUEUE_AT_NODE,
     TASK_E_WRONG_STATUS, "task 7.1 is TaskStatus_Queued: " ONLY_REQUEUE},
    {TASK_VERB_REQUEUE, TASK_RUNNING, TASK_STEP_REQUEUE_AT_NODE, TASK_STEP_REQUEUE_AT_NODE,
     TASK_STEP_REQUEUE_AT_NODE, 0, NULL},
    {TASK_VERB_REQUEUE, TASK_FINISHED, REFUSE, TASK_E_WRONG_STATUS,
     "task 7.1 is TaskStatus_Finished: " ONLY_REQUEUE},
    {TASK_VERB_REQUEUE, TASK_FAILED, TASK_STEP_REQUEUE, TASK_STEP_REQUEUE, TASK_STEP_REQUEUE, 0,
     NULL},
    {TASK_VERB_REQUEUE, TASK_CANCELLED, TASK_STEP_REQUEUE, TASK_STEP_REQUEUE, TASK_STEP_REQUEUE, 0,
     NULL},
    {TASK_VERB_PEEK, TASK_NOT_SUBMITTED, REFUSE, TASK_E_WRONG_STATUS,
     "task 7.1 is TaskStatus_NotSubmitted: it has no output before it was started"},
    {TASK_VERB_PEEK, TASK_QUEUED, REFUSE, TASK_E_WRONG_STATUS,
     "task 7.1 is TaskStatus_Queued: it has no output before it was started"},
    {TASK_VERB_PEEK, TASK_RUNNING, TASK_STEP_PEEK, TASK_STEP_PEEK, TASK_STEP_PEEK, 0, NULL},
    {TASK_VERB_PEEK, TASK_FINISHED, TASK_STEP_PEEK, TASK_STEP_PEEK, TASK_STEP_PEEK, 0, NULL},
    {TASK_VERB_PEEK, TASK_FAILED, TASK_STEP_PEEK, TASK_STEP_PEEK, TASK_STEP_PEEK, 0, NULL},
    {TASK_VERB_PEEK, TASK_CANCELLED, TASK_STEP_PEEK, TASK_STEP_PEEK, TASK_STEP_PEEK, 0, NULL},
};
_Static_assert(sizeof(cells) / sizeof(cells[0]) == TASK_VERB_COUNT * TASK_STATUS_COUNT,
               "a cell is missing");

static void check_cell(const struct cell *cell, size_t index)
{
    struct task_place place = {7, 1};
    struct err err;

    cr_expect_eq(task_rules_step(cell->verb, cell->status, TASK_REACH_HEAD), cell->step, "cell %zu",
                 index);
    cr_expect_eq(task_rules_step(cell->verb, cell->status, TASK_REACH_NODE), cell->step_at_node,
                 "cell %zu", index);
    cr_expect_eq(task_rules_step(cell->verb, cell->status, TASK_REACH_ENDING), cell->step_ending,
                 "cell %zu", index);
    if (!cell->sentence)
        return;
    cr_expect_eq(task_rules_refuse(cell->verb, place, cell->status, &err), cell->code, "cell %zu",
                 index);
    cr_expect_eq(err.code, cell->code);
    cr_expect_str_eq(err.text, cell->sentence);
}

Test(quell_core, each_cell_of_the_table_does_what_the_design_says)
{
    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
        check_cell(&cells[i], i);
}

Test(quell_core, refusals_carry_the_numbers_of_the_contract)
{
    cr_expect_eq((unsigned) TASK_E_UNKNOWN_TASK, 0x80040207u);
    cr_expect_eq((unsigned) TASK_E_ENDED, 0x80040209u);
    cr_expect_eq((unsigned) TASK_E_MESSAGE_TOO_LONG, 0x800402D3u);
    cr_expect_eq((unsigned) TASK_E_WRONG_STATUS, 0x8007139Fu);
    cr_expect_eq((unsigned) TASK_E_DENIED, 0x80070005u);
    cr_expect_eq((unsigned) TASK_E_NOT_RERUNNABLE, 0x80040612u);
}

Test(quell_core, an_unknown_task_is_refused_by_its_name)
{
    struct err err;

    cr_expect_eq(task_rules_refuse_unknown((struct task_place){2147483647, 1}, &err),
                 TASK_E_UNKNOWN_TASK);
    cr_expect_str_eq(err.text, "there is no task 2147483647.1");
}

Test(quell_core, a_task_that_is_not_rerunnable_is_refused_by_its_name)
{
    struct task_place place = {7, 1};
    struct err err;

    cr_expect_eq(task_rules_check_rerunnable(place, true, &err), 0);
    cr_expect_eq(task_rules_check_rerunnable(place, false, &err), TASK_E_NOT_RERUNNABLE);
    cr_expect_str_eq(err.text,
                     "task 7.1 is not rerunnable: it was added as one that must not be requeued");
}

/* ---- who may ---- */

struct permit {
    bool owner_known;
    uint32_t owner, asker;
    bool operator_;
    bool permitted;
};

static const struct permit permits[] = {
    {true, 1001, 1001, false, true}, {true, 1001, 1002, false, false},
    {true, 1001, 1002, true, true},  {true, 1001, 0, false, true},
    {false, 0, 1001, false, false},  {false, 0, 0, false, true},
    {false, 0, 1001, true, true},    {false, 1001, 1001, false, false},
};

static void check_permit(const struct permit *row, size_t index)
{
    struct task_owner owner = {row->owner_known, row->owner, "bob"};
    struct err err;
    int r = task_rules_permit(TASK_VERB_CANCEL, (struct task_place){7, 1}, &owner, row->asker,
                              row->operator_, &err);

    cr_expect_eq(r == 0, row->permitted, "row %zu", index);
    if (r == 0)
        return;
    cr_expect_eq(r, TASK_E_DENIED);
    cr_expect_str_eq(err.text,
                     "task 7.1 belongs to user bob: only its owner, root and the operators "
                     "may cancel it");
    (void) task_rules_permit(TASK_VERB_SUBMIT, (struct task_place){7, 1}, &owner, row->asker, false,
                             &err);
    cr_expect(strstr(err.text, "may submit it"));
}

Test(quell_core, owner_root_and_operators_may_act_and_nobody_else)
{
    for (size_t i = 0; i < sizeof(permits) / sizeof(permits[0]); i++)
        check_permit(&permits[i], i);
}

/* ---- messages and graces ---- */

Test(quell_core, a_message_is_none_or_text_of_at_most_320_characters)
{
    char text[322];
    struct err err;

    memset(text, 'm', sizeof(text));
    cr_expect_eq(task_rules_check_message(NULL, 0, &err), 0);
    cr_expect_eq(task_rules_check_message("", 0, &err), 0);
    cr_expect_eq(task_rules_check_message(text, 320, &err), 0);
    cr_expect_eq(task_rules_check_message(text, 321, &err), TASK_E_MESSAGE_TOO_LONG);
    cr_expect_str_eq(err.text, "the message has 321 characters, at most 320 are allowed");
    cr_expect_eq(task_rules_check_message("a\xffz", 3, &err), TASK_E_INVALID);
    cr_expect_str_eq(err.text, "the message is not text: it must be UTF-8 without NUL");
    cr_expect_eq(task_rules_check_message("a\0z", 3, &err), TASK_E_INVALID);
}

Test(quell_core, a_grace_is_at_most_a_day)
{
    struct err err;

    cr_expect_eq(task_rules_check_grace(0, &err), 0);
    cr_expect_eq(task_rules_check_grace(TASK_GRACE_MAX_MS, &err), 0);
    cr_expect_eq(task_rules_check_grace(TASK_GRACE_MAX_MS + 1, &err), TASK_E_INVALID);
    cr_expect_str_eq(
        err.text, "a grace of 86400001 ms is too long: at most 86400000 ms (24 hours) are allowed");
}

/* ---- cancels as one ---- */

static void merge(struct task_cancel *cancel, const char *message, int64_t grace_ms, uint32_t uid)
{
    struct cancel_wish wish = {.message = message,
                               .message_len = message ? strlen(message) : 0,
                               .has_grace = grace_ms >= 0,
                               .grace_ms = (uint64_t) grace_ms,
                               .uid = uid,
                               .name = "somebody",
                               .time_us = uid};

    task_cancel_merge(cancel, &wish, 15000);
}

Test(quell_core, the_first_cancel_takes_the_tasks_grace_when_it_names_none)
{
    struct task_cancel cancel = {0};

    merge(&cancel, NULL, -1, 1);
    cr_expect(cancel.accepted);
    cr_expect_eq(cancel.grace_ms, 15000);
    cr_expect_not(cancel.has_message);
    cr_expect_str_eq(cancel.by_name, "somebody");
    cancel = (struct task_cancel){0};
    merge(&cancel, NULL, 60000, 1);
    cr_expect_eq(cancel.grace_ms, 60000, "its own may be longer than the task's");
}

Test(quell_core, further_cancels_only_shorten_the_grace)
{
    struct task_cancel cancel = {0};

    merge(&cancel, NULL, 9000, 1);
    merge(&cancel, NULL, -1, 2);
    cr_expect_eq(cancel.grace_ms, 9000);
    merge(&cancel, NULL, 10000, 2);
    cr_expect_eq(cancel.grace_ms, 9000);
    merge(&cancel, NULL, 0, 2);
    cr_expect_eq(cancel.grace_ms, 0);
    cr_expect_eq(cancel.by_uid, 1);
    cr_expect_eq(cancel.time_us, 1);
}

Test(quell_core, the_kill_only_ever_comes_earlier)
{
    static const struct {
        uint64_t at_ms;
        int64_t grace_ms;
        uint64_t kill_ms;
    } rows[] = {
        {1000, 10000, 11000}, {2000, 20000, 11000}, {3000, -1, 11000},
        {4000, 8000, 11000}, /* shorter, and later all the same */
        {5000, 2000, 7000},   {6000, 0, 6000},      {9000, 0, 6000},
    };
    struct task_cancel cancel = {0};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cancel_wish wish = {.has_grace = rows[i].grace_ms >= 0,
                                   .grace_ms = (uint64_t) rows[i].grace_ms,
                                   .time_us = rows[i].at_ms * 1000};

        task_cancel_merge(&cancel, &wish, 15000);
        cr_expect_eq(cancel.kill_time_us, rows[i].kill_ms * 1000, "row %zu: %lu", i,
                     cancel.kill_time_us);
    }
}

static void merge_requeue(struct task_cancel *cancel, uint32_t uid)
{
    struct cancel_wish wish = {.uid = uid, .name = "somebody", .time_us = uid, .by_requeue = true};

    task_cancel_merge(cancel, &wish, 15000);
}

Test(quell_core, a_cancel_behind_a_requeue_is_the_one_that_is_named)
{
    struct task_cancel cancel = {0};

    merge_requeue(&cancel, 1);
    cr_expect(cancel.accepted && !cancel.has_message);
    cr_expect_eq(cancel.by_uid, 1);
    merge(&cancel, "stop", -1, 2);
    cr_expect_eq(cancel.by_uid, 2);
    cr_expect_eq(cancel.time_us, 2);
    cr_expect_str_eq(cancel.message, "stop");
    merge(&cancel, "again", -1, 3);
    cr_expect_eq(cancel.by_uid, 2, "among cancels the first stands");
    merge_requeue(&cancel, 4);
    cr_expect_eq(cancel.by_uid, 2);
    merge(&cancel, NULL, -1, 5);
    cr_expect_eq(cancel.by_uid, 2);
    cr_expect_str_eq(cancel.message, "stop");
}

Test(quell_core, the_first_message_stands_also_an_empty_one)
{
    struct task_cancel cancel = {0};

    merge(&cancel, NULL, -1, 1);
    merge(&cancel, "", -1, 2);
    merge(&cancel, "late", -1, 3);
    cr_expect(cancel.has_message);
    cr_expect_str_eq(cancel.message, "");
}

Test(quell_core, a_cancel_on_the_wire_tells_no_message_from_an_empty_one)
{
    struct task_cancel cancel = {0};
    Quell__Pb__Cancel pb;

    merge(&cancel, NULL, 5, 1001);
    task_cancel_to_pb(&cancel, &pb);
    cr_expect_eq(pb.has_message_case, 0);
    cr_expect_eq(pb.by_uid, 1001);
    cr_expect_eq(pb.grace_ms, 5);
    merge(&cancel, "", -1, 1001);
    task_cancel_to_pb(&cancel, &pb);
    cr_expect_neq(pb.has_message_case, 0);
    cr_expect_str_eq(pb.message, "");
}

/* ---- how an attempt ends ---- */

enum { NO = -1 };

struct end_row {
    int cause;     /* as reported */
    int exit_code; /* NO: absent, here and below */
    int signal;
    const char *text;
    bool cancelled;
    const char *message;
    int method; /* NO: no proof */
    int received;
    enum task_status status;
    enum task_cause end_cause;
    const char *error_message;
    enum task_method end_method;
};

#define SENTENCE "the program was killed by SIGSEGV"

static const struct end_row end_rows[] = {
    /* what the node says, as it is */
    {0, 0, NO, "", false, NULL, TASK_METHOD_EXITED, NO, TASK_FINISHED, TASK_CAUSE_NONE, NULL,
     TASK_METHOD_EXITED},
    {TASK_CAUSE_EXIT_CODE, 1, NO, SENTENCE, false, NULL, TASK_METHOD_LEFTOVERS, NO, TASK_FAILED,
     TASK_CAUSE_EXIT_CODE, SENTENCE, TASK_METHOD_LEFTOVERS},
    {TASK_CAUSE_SIGNAL, NO, 11, SENTENCE, false, NULL, TASK_METHOD_EXITED, NO, TASK_FAILED,
     TASK_CAUSE_SIGNAL, SENTENCE, TASK_METHOD_EXITED},
    {TASK_CAUSE_COULD_NOT_START, NO, NO, SENTENCE, false, NULL, NO, NO, TASK_FAILED,
     TASK_CAUSE_COULD_NOT_START, SENTENCE, TASK_METHOD_NONE},
    {TASK_CAUSE_TIME_LIMIT, NO, 9, SENTENCE, false, NULL, TASK_METHOD_CGROUP_KILL, NO, TASK_FAILED,
     TASK_CAUSE_TIME_LIMIT, SENTENCE, TASK_METHOD_CGROUP_KILL},
    {77, NO, NO, SENTENCE, false, NULL, 99, NO, TASK_FAILED, TASK_CAUSE_UNKNOWN, SENTENCE,
     TASK_METHOD_NONE},
    /* an accepted cancel wins, with its message and nothing else */
    {TASK_CAUSE_CANCELLED, NO, 9, SENTENCE, true, "stop", TASK_METHOD_CGROUP_KILL, 0,
     TASK_CANCELLED, TASK_CAUSE_CANCELLED, "stop", TASK_METHOD_CGROUP_KILL},
    {TASK_CAUSE_OUT_OF_MEMORY, NO, 9, SENTENCE, true, NULL, TASK_METHOD_CGROUP_KILL, 0,
     TASK_CANCELLED, TASK_CAUSE_CANCELLED, NULL, TASK_METHOD_CGROUP_KILL},
    {0, 0, NO, "", true, "", TASK_METHOD_EXITED_IN_GRACE, 0, TASK_CANCELLED, TASK_CAUSE_CANCELLED,
     "", TASK_METHOD_EXITED_IN_GRACE},
    /* the two have crossed */
    {0, 0, NO, "", true, "stop", TASK_METHOD_EXITED, NO, TASK_CANCELLED, TASK_CAUSE_CANCELLED,
     "stop", TASK_METHOD_ALREADY_ENDED},
    {TASK_CAUSE_EXIT_CODE, 1, NO, SENTENCE, true, "stop", TASK_METHOD_LEFTOVERS, NO, TASK_CANCELLED,
     TASK_CAUSE_CANCELLED, "stop", TASK_METHOD_ALREADY_ENDED},
    {TASK_CAUSE_TIME_LIMIT, NO, 9, SENTENCE, true, "stop", TASK_METHOD_CGROUP_KILL, NO,
     TASK_CANCELLED, TASK_CAUSE_CANCELLED, "stop", TASK_METHOD_CGROUP_KILL},
    {TASK_CAUSE_CANCELLED, NO, NO, SENTENCE, true, "stop", TASK_METHOD_NEVER_STARTED, NO,
     TASK_CANCELLED, TASK_CAUSE_CANCELLED, "stop", TASK_METHOD_NEVER_STARTED},
    {0, 0, NO, "", true, "stop", TASK_METHOD_EXITED, 0, TASK_CANCELLED, TASK_CAUSE_CANCELLED,
     "stop", TASK_METHOD_EXITED},
};

static void check_end_row(const struct end_row *row, size_t index)
{
    Quell__Pb__Ending ending = QUELL__PB__ENDING__INIT;
    Quell__Pb__Proof proof = QUELL__PB__PROOF__INIT;
    struct task_cancel cancel = {.accepted = row->cancelled, .has_message = row->message != NULL};
    struct attempt_end end;

    (void) snprintf(cancel.message, sizeof(cancel.message), "%s", row->message ? row->message : "");
    ending.cause = (Quell__Pb__Cause) row->cause;
    ending.text = (char *) row->text;
    ending.end_time_us = 99;
    if (row->exit_code != NO) {
        ending.has_exit_code_case = QUELL__PB__ENDING__HAS_EXIT_CODE_EXIT_CODE;
        ending.exit_code = (uint32_t) row->exit_code;
    }
    if (row->signal != NO) {
        ending.has_signal_case = QUELL__PB__ENDING__HAS_SIGNAL_SIGNAL;
        ending.signal = (uint32_t) row->signal;
    }
    if (row->received != NO)
        proof.has_received_us_case = QUELL__PB__PROOF__HAS_RECEIVED_US_RECEIVED_US;
    proof.method = (Quell__Pb__Method) row->method;
    ending.proof = row->method == NO ? NULL : &proof;

    attempt_end_reported(&ending, &cancel, &end);
    cr_expect_eq(end.status, row->status, "row %zu", index);
    cr_expect_eq(end.cause, row->end_cause, "row %zu", index);
    cr_expect_eq(end.method, row->end_method, "row %zu: %d", index, (int) end.method);
    cr_expect_eq(end.exit_code, row->exit_code == NO ? TASK_UNKNOWN : row->exit_code, "row %zu",
                 index);
    cr_expect_eq(end.signal, row->signal == NO ? TASK_UNKNOWN : row->signal, "row %zu", index);
    cr_expect_eq(end.end_time_us, 99);
    cr_expect_eq(end.start_time_us, 0);
    cr_expect_eq(end.error_message == NULL, row->error_message == NULL, "row %zu", index);
    if (end.error_message && row->error_message)
        cr_expect_str_eq(end.error_message, row->error_message, "row %zu", index);
}

Test(quell_core, an_ending_becomes_what_the_user_sees)
{
    for (size_t i = 0; i < sizeof(end_rows) / sizeof(end_rows[0]); i++)
        check_end_row(&end_rows[i], i);
}

Test(quell_core, an_end_that_nobody_reported_has_no_wait_status)
{
    struct task_cancel cancel = {.accepted = false};
    struct attempt_end end;

    attempt_end_unreported(TASK_CAUSE_NODE_REBOOTED, "gone", &cancel, 42, &end);
    cr_expect_eq(end.status, TASK_FAILED);
    cr_expect_eq(end.cause, TASK_CAUSE_NODE_REBOOTED);
    cr_expect_str_eq(end.error_message, "gone");
    cr_expect_eq(end.exit_code, TASK_UNKNOWN);
    cr_expect_eq(end.signal, TASK_UNKNOWN);
    cr_expect_eq(end.end_time_us, 42);
    cancel.accepted = true;
    attempt_end_unreported(TASK_CAUSE_NODE_REBOOTED, "gone", &cancel, 42, &end);
    cr_expect_eq(end.status, TASK_CANCELLED);
    cr_expect_eq(end.cause, TASK_CAUSE_CANCELLED);
    cr_expect_null(end.error_message);
}

/* ---- after an absence ---- */

struct reconcile_row {
    uint32_t acked;
    bool start_acked, cancelled, same_boot, listed;
    uint32_t version;
    enum reconcile_step step;
};

static const struct reconcile_row reconcile_rows[] = {
    {0, false, false, true, false, 0, RECONCILE_KEEP}, /* it comes by the normal way */
    {0, false, true, false, false, 0, RECONCILE_KEEP},
    {0, false, false, true, true, 1, RECONCILE_KEEP}, /* the acknowledgement was lost */
    {1, true, false, true, true, 1, RECONCILE_KEEP},
    {1, true, false, false, true, 1, RECONCILE_KEEP}, /* the node's records outlived a reboot */
    {1, true, false, true, false, 0, RECONCILE_UNKNOWN},
    {1, true, false, false, false, 0, RECONCILE_REBOOTED},
    {2, true, true, false, false, 0, RECONCILE_REBOOTED},
    {2, true, true, true, true, 2, RECONCILE_KEEP},
    {2, true, true, true, true, 3, RECONCILE_KEEP},
    {2, true, true, true, true, 1, RECONCILE_SEND_AGAIN},
    {1, true, false, true, true, 0, RECONCILE_KEEP}, /* taken over without records: it runs */
    {2, false, true, true, true, 2, RECONCILE_KEEP},
    {2, false, true, true, false, 0, RECONCILE_SEND_AGAIN}, /* a tombstone that is gone */
    {0, true, true, true, false, 0, RECONCILE_UNKNOWN},
};

static void check_reconcile_row(const struct reconcile_row *row, size_t index)
{
    struct reconcile_head head = {row->acked, row->start_acked, row->cancelled, "boot-1"};
    struct reconcile_node node = {row->listed, row->version, row->same_boot ? "boot-1" : "boot-2"};

    cr_expect_eq(reconcile_attempt(&head, &node), row->step, "row %zu: step %d", index,
                 (int) reconcile_attempt(&head, &node));
}

Test(quell_core, after_an_absence_each_attempt_goes_its_way)
{
    for (size_t i = 0; i < sizeof(reconcile_rows) / sizeof(reconcile_rows[0]); i++)
        check_reconcile_row(&reconcile_rows[i], i);
}

/* ---- what may be added ---- */

static const char *const good_argv[] = {"/bin/true"}, *const empty_argv[] = {""};
static const char *const good_env[] = {"A=", "B=1=2"}, *const bad_env[] = {"A=1", "NOVALUE"},
                         *const nameless_env[] = {"=x"};
static char long_name[257], long_user[257];

static struct quell_task_request good(void)
{
    return (struct quell_task_request){.node = "n-1.example_2",
                                       .argv = good_argv,
                                       .argv_len = 1,
                                       .env = good_env,
                                       .env_len = 2,
                                       .name = "a name \xC3\xA9",
                                       .job_id = TASK_ID_MAX,
                                       .task_id = TASK_ID_MAX,
                                       .has_grace = true,
                                       .grace_ms = TASK_GRACE_MAX_MS};
}

static void expect_invalid(const struct quell_task_request *request, const char *sentence)
{
    struct err err = {0};

    cr_expect_eq(task_check_request(request, &err), TASK_E_INVALID, "%s", sentence);
    cr_expect_str_eq(err.text, sentence);
}

Test(quell_core, a_good_request_passes)
{
    struct quell_task_request request = good();
    struct err err;

    cr_expect_eq(task_check_request(&request, &err), 0);
}

Test(quell_core, each_bad_member_of_a_request_is_refused_by_name)
{
    struct quell_task_request request = good();

    memset(long_name, 'n', sizeof(long_name) - 1);
    request.job_id = TASK_ID_MAX + 1;
    expect_invalid(&request, "job_id 2147483648 is out of range: 1 to 2147483647");
    request = good();
    request.task_id = UINT32_MAX;
    expect_invalid(&request, "task_id 4294967295 is out of range: 1 to 2147483647");
    request = good();
    request.node = NULL;
    expect_invalid(&request, "a task needs a node");
    request.node = "";
    expect_invalid(&request, "a task needs a node");
    request.node = "a/b";
    expect_invalid(&request, "\"a/b\" is no node's name: 1 to 255 of letters, digits, '.', '-' and "
                             "'_'");
    request = good();
    request.name = long_name;
    expect_invalid(&request, "the task's name has 256 characters, at most 255 are allowed");
    request.name = "\xff";
    expect_invalid(&request, "the task's name is not text: it must be UTF-8");
    request = good();
    request.argv_len = 0;
    expect_invalid(&request, "a task needs a command that is not empty");
    request.argv = empty_argv;
    request.argv_len = 1;
    expect_invalid(&request, "a task needs a command that is not empty");
    request = good();
    request.env = bad_env;
    expect_invalid(&request, "\"NOVALUE\" is no environment entry: it must be NAME=value");
    request.env = nameless_env;
    request.env_len = 1;
    expect_invalid(&request, "\"=x\" is no environment entry: it must be NAME=value");
    request = good();
    request.grace_ms = TASK_GRACE_MAX_MS + 1;
    expect_invalid(&request, "a grace of 86400001 ms is too long: at most 86400000 ms (24 hours) "
                             "are allowed");
    request = good();
    request.runtime_ms = TASK_RUNTIME_MAX_MS + 1;
    expect_invalid(&request, "a runtime of 315360000001 ms is too long: at most 315360000000 ms "
                             "(10 years) are allowed");
}

static struct quell_task_request group(void)
{
    return (struct quell_task_request){.node = "n1",
                                       .cgroup = "/slurm/job_7",
                                       .name = "theirs",
                                       .user = "bob",
                                       .runtime_ms = 1000,
                                       .has_grace = true};
}

static void expect_not_with_group(const struct quell_task_request *request, const char *name)
{
    char sentence[256];

    (void) snprintf(sentence, sizeof(sentence),
                    "%s can't be given with cgroup: the group is there already, with all that is "
                    "in it",
                    name);
    expect_invalid(request, sentence);
}

Test(quell_core, a_group_is_handed_over_with_what_is_no_business_of_its_makers)
{
    struct quell_task_request request = group();
    struct err err = {0};

    cr_expect_eq(task_check_request(&request, &err), 0, "%s", err.text);
    request.argv = good_argv;
    request.argv_len = 1;
    expect_not_with_group(&request, "command");
    request = group();
    request.env = good_env;
    request.env_len = 2;
    expect_not_with_group(&request, "env");
    request = group();
    request.workdir = "/";
    expect_not_with_group(&request, "workdir");
    request = group();
    request.stdin_path = "/i";
    expect_not_with_group(&request, "stdin");
    request = group();
    request.stdout_path = "/o";
    expect_not_with_group(&request, "stdout");
    request = group();
    request.stderr_path = "/e";
    expect_not_with_group(&request, "stderr");
    request = group();
    request.memory_bytes = 1;
    expect_not_with_group(&request, "memory");
    request = group();
    request.cpu_milli = 1;
    expect_not_with_group(&request, "cpus");
    request = group();
    request.pids = 1;
    expect_not_with_group(&request, "pids");
    request = group();
    request.cgroup = "/a/../b";
    expect_invalid(&request,
                   "cgroup \"/a/../b\" is no group's path as /proc/PID/cgroup shows it: it "
                   "must begin with \"/\", not be the root, have at most 4095 bytes, and "
                   "no part that is empty, \".\" or \"..\"");
}

Test(quell_core, only_root_and_operators_hand_over_a_group)
{
    struct quell_task_request request = group();
    struct quell_who who = {.uid = 1001, .name = "alice"};
    struct task_check_user user;
    struct err err = {0};

    request.user = NULL;
    cr_expect_eq(task_check_user(&request, &who, &user, &err), TASK_E_DENIED);
    cr_expect_str_eq(err.text,
                     "user 1001 may not hand over a group: only root and the operators may");
    who.operator_ = true;
    cr_expect_eq(task_check_user(&request, &who, &user, &err), 0);
    cr_expect_str_eq(user.user, "alice");
    who = (struct quell_who){.uid = 0, .name = "root"};
    cr_expect_eq(task_check_user(&request, &who, &user, &err), 0);
}

struct user_row {
    uint32_t uid;
    const char *name; /* of the asker */
    const char *user; /* asked for */
    int code;
    const char *runs_as;
    bool owner_known;
    uint32_t owner;
};

static const struct user_row user_rows[] = {
    {1001, "alice", NULL, 0, "alice", true, 1001},
    {1001, NULL, NULL, 0, "1001", true, 1001},
    {1001, "", NULL, 0, "1001", true, 1001},
    {1001, "alice", "alice", 0, "alice", true, 1001},
    {1001, "alice", "1001", 0, "1001", true, 1001},
    {1001, NULL, "alice", TASK_E_DENIED, NULL, false, 0},
    {1001, "alice", "bob", TASK_E_DENIED, NULL, false, 0},
    {1001, "alice", "root", TASK_E_DENIED, NULL, false, 0},
    {1001, "alice", "0", TASK_E_DENIED, NULL, false, 0},
    {1001, "alice", "01001", TASK_E_DENIED, NULL, false, 0},
    /* a node reads digits as a number: such a name would be somebody else */
    {1001, "0", NULL, 0, "1001", true, 1001},
    {1001, "0", "0", TASK_E_DENIED, NULL, false, 0},
    {1001, "alice", "", TASK_E_INVALID, NULL, false, 0},
    {1001, "alice", long_user, TASK_E_INVALID, NULL, false, 0},
    {1001, "alice", "\xff", TASK_E_INVALID, NULL, false, 0},
    {0, "root", NULL, 0, "root", true, 0},
    {0, "root", "root", 0, "root", true, 0},
    {0, "root", "0", 0, "0", true, 0},
    {0, "root", "bob", 0, "bob", true, 1002},
    {0, "root", "nobody-here", 0, "nobody-here", false, 0},
};

static void check_user_row(const struct user_row *row, size_t index)
{
    struct quell_who who = {.uid = row->uid, .name = row->name};
    struct quell_task_request request = good();
    struct task_check_user user;
    struct err err = {0};
    int r;

    memset(long_user, 'u', sizeof(long_user) - 1);
    request.user = row->user;
    request.has_owner = row->uid == 0 && row->owner_known && row->owner != 0;
    request.owner_uid = row->owner;
    r = task_check_user(&request, &who, &user, &err);
    cr_expect_eq(r, row->code, "row %zu: %s", index, err.text);
    if (r != 0)
        return;
    cr_expect_str_eq(user.user, row->runs_as, "row %zu", index);
    cr_expect_eq(user.owner_known, row->owner_known, "row %zu", index);
    if (user.owner_known)
        cr_expect_eq(user.owner_uid, row->owner, "row %zu", index);
}

Test(quell_core, only_root_names_another_user)
{
    for (size_t i = 0; i < sizeof(user_rows) / sizeof(user_rows[0]); i++)
        check_user_row(&user_rows[i], i);
}

Test(quell_core, a_specification_that_is_too_large_is_refused_with_both_sizes)
{
    struct err err;

    cr_expect_eq(task_check_spec_size(TASK_SPEC_MAX, &err), 0);
    cr_expect_eq(task_check_spec_size(TASK_SPEC_MAX + 1, &err), TASK_E_INVALID);
    cr_expect_str_eq(err.text, "the task's specification (command, environment, paths) has 131073 "
                               "bytes, at most 131072 are allowed");
}
