#include "libquell/core/cancel.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static void take_message(struct task_cancel *cancel, const struct cancel_wish *wish)
{
    if (!wish->message)
        return;
    assert(wish->message_len < sizeof(cancel->message));
    memcpy(cancel->message, wish->message, wish->message_len);
    cancel->message[wish->message_len] = '\0';
    cancel->has_message = true;
}

static void take_asker(struct task_cancel *cancel, const struct cancel_wish *wish)
{
    cancel->by_requeue = wish->by_requeue;
    cancel->has_by_uid = true;
    cancel->by_uid = wish->uid;
    (void) snprintf(cancel->by_name, sizeof(cancel->by_name), "%s", wish->name ? wish->name : "");
    cancel->time_us = wish->time_us;
}

/* The kill only ever comes earlier. */
static void take_grace(struct task_cancel *cancel, const struct cancel_wish *wish)
{
    uint64_t kill_time_us = wish->time_us + wish->grace_ms * 1000;

    if (!wish->has_grace)
        return;
    if (wish->grace_ms < cancel->grace_ms)
        cancel->grace_ms = wish->grace_ms;
    if (kill_time_us < cancel->kill_time_us)
        cancel->kill_time_us = kill_time_us;
}

void task_cancel_merge(struct task_cancel *cancel, const struct cancel_wish *wish,
                       uint64_t task_grace_ms)
{
    if (!cancel->accepted) {
        *cancel = (struct task_cancel){
            .accepted = true,
            .grace_ms = wish->has_grace ? wish->grace_ms : task_grace_ms,
        };
        cancel->kill_time_us = wish->time_us + cancel->grace_ms * 1000;
        take_asker(cancel, wish);
        take_message(cancel, wish);
        return;
    }
    if (cancel->by_requeue && !wish->by_requeue)
        take_asker(cancel, wish);
    take_grace(cancel, wish);
    if (!cancel->has_message)
        take_message(cancel, wish);
}

void task_cancel_to_pb(const struct task_cancel *cancel, Quell__Pb__Cancel *ret)
{
    quell__pb__cancel__init(ret);
    if (cancel->has_message) {
        ret->has_message_case = QUELL__PB__CANCEL__HAS_MESSAGE_MESSAGE;
        ret->message = (char *) cancel->message;
    }
    if (cancel->has_by_uid) {
        ret->has_by_uid_case = QUELL__PB__CANCEL__HAS_BY_UID_BY_UID;
        ret->by_uid = cancel->by_uid;
    }
    ret->by_name = (char *) cancel->by_name;
    ret->grace_ms = cancel->grace_ms;
    ret->time_us = cancel->time_us;
}
