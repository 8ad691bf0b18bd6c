#pragma once

/*
 * cancel.h - the cancels that were accepted for one attempt, as one. Pure.
 *
 * Source: DESIGN section 3: a further cancel may only shorten the grace, and gives the message if
 * there was none; who cancelled first, and when, stands. A requeue of a running task is a cancel
 * too; a cancel that comes after it is the one that people will ask about.
 */
#include "ipc/task.h"
#include "quell.pb-c.h"

#define CANCEL_NAME_SIZE 256u

struct task_cancel {
    bool accepted; /* else nothing below counts */
    bool has_message;
    char message[TASK_MESSAGE_MAX * 4 + 1];
    uint64_t grace_ms;
    bool has_by_uid;
    uint32_t by_uid;
    char by_name[CANCEL_NAME_SIZE]; /* "" when not known */
    uint64_t time_us;               /* wall */
    uint64_t kill_time_us;          /* wall: when the grace is over, as the head reckons */
    bool by_requeue;                /* no cancel proper was accepted yet */
};

struct cancel_wish {     /* one cancel, already checked */
    const char *message; /* NULL: none; else @message_len bytes */
    size_t message_len;
    bool has_grace;
    uint64_t grace_ms;
    uint32_t uid;
    const char *name; /* NULL: not known */
    uint64_t time_us;
    bool by_requeue;
};

/* Accepts @wish. @task_grace_ms counts where neither it nor an earlier cancel named a grace. */
void task_cancel_merge(struct task_cancel *cancel, const struct cancel_wish *wish,
                       uint64_t task_grace_ms);

/* As it goes to the node. @ret borrows the texts of @cancel. */
void task_cancel_to_pb(const struct task_cancel *cancel, Quell__Pb__Cancel *ret);
