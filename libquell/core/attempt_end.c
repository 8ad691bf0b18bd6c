#include "libquell/core/attempt_end.h"

#include "ipc/task_pb.h"

/* Numbers of a newer schema: what they mean is not known here. */
static enum task_cause cause_of(const Quell__Pb__Ending *ending)
{
    int cause = (int) ending->cause;

    return cause >= 0 && cause < TASK_CAUSE_COUNT ? (enum task_cause) cause : TASK_CAUSE_UNKNOWN;
}

static enum task_method method_of(const Quell__Pb__Proof *proof, bool cancelled)
{
    int number = proof ? (int) proof->method : 0;
    enum task_method method =
        number > 0 && number < TASK_METHOD_COUNT ? (enum task_method) number : TASK_METHOD_NONE;

    /* No cancel had reached the node when the task ended by itself: the two have crossed. */
    if (cancelled && proof && !TASK_PB_HAS(proof, received_us) &&
        (method == TASK_METHOD_EXITED || method == TASK_METHOD_LEFTOVERS))
        return TASK_METHOD_ALREADY_ENDED;
    return method;
}

static void end_by_cancel(const struct task_cancel *cancel, struct attempt_end *end)
{
    end->cause = TASK_CAUSE_CANCELLED;
    end->error_message = cancel->has_message ? cancel->message : NULL;
}

void attempt_end_reported(const Quell__Pb__Ending *ending, const struct task_cancel *cancel,
                          struct attempt_end *ret)
{
    *ret = (struct attempt_end){
        .status = task_status_of_end(cancel->accepted, cause_of(ending)),
        .cause = cause_of(ending),
        .exit_code = TASK_PB_HAS(ending, exit_code) ? (int64_t) ending->exit_code : TASK_UNKNOWN,
        .signal = TASK_PB_HAS(ending, signal) ? (int64_t) ending->signal : TASK_UNKNOWN,
        .error_message = ending->text && *ending->text ? ending->text : NULL,
        .method = method_of(ending->proof, cancel->accepted),
        .start_time_us = TASK_PB_HAS(ending, start_time_us) ? ending->start_time_us : 0,
        .end_time_us = ending->end_time_us,
    };
    if (cancel->accepted)
        end_by_cancel(cancel, ret);
}

void attempt_end_unreported(enum task_cause cause, const char *text,
                            const struct task_cancel *cancel, uint64_t now_us,
                            struct attempt_end *ret)
{
    *ret = (struct attempt_end){
        .status = task_status_of_end(cancel->accepted, cause),
        .cause = cause,
        .exit_code = TASK_UNKNOWN,
        .signal = TASK_UNKNOWN,
        .error_message = text,
        .end_time_us = now_us,
    };
    if (cancel->accepted)
        end_by_cancel(cancel, ret);
}
