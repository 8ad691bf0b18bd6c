/* peek.c - the end of a task's output, for its owner and the operators. */
#include "head/reply.h"
#include "head/routes.h"

#include <stdlib.h>

#define PEEK_TIMEOUT_MS 15000u /* the node's own for a file that can't be opened is shorter */

struct asking { /* a request that waits for the node's answer, and no longer than its client */
    struct quell *quell;
    struct http_request *request;
    struct quell_wait *wait;
    struct target target;
};

static void on_outputs(void *arg, const struct quell_refusal *refusal,
                       const struct quell_output *outputs, size_t len)
{
    struct asking *asking = arg;

    if (refusal)
        reply_refusal(asking->request, refusal->code, refusal->text);
    else
        reply_outputs(asking->request, &asking->target, outputs, len);
    free(asking);
}

static void on_gone(void *arg)
{
    const struct asking *asking = arg;

    quell_stop_wait(asking->quell, asking->wait);
}

void read_peek(struct routes *routes, struct http_request *request, const struct target *target)
{
    struct asking *asking;
    struct quell_who who;
    struct quell_wait *wait;
    uint64_t bytes = QUELL_PEEK_DEFAULT;

    if (!read_number(request, "bytes", 1, QUELL_PEEK_MAX, &bytes))
        return;
    asking = malloc(sizeof(*asking));
    if (!asking) {
        reply_refusal(request, TASK_E_BUSY, "the head has no memory for the request");
        return;
    }
    *asking = (struct asking){.quell = routes->quell, .request = request, .target = *target};
    routes_who(routes, request, &who);
    wait = quell_peek_task(routes->quell, target->job_id, target->task_id, (uint32_t) bytes,
                           PEEK_TIMEOUT_MS, &who, on_outputs, asking);
    if (!wait)
        return; /* answered, and gone */
    asking->wait = wait;
    http_request_on_gone(request, on_gone, asking);
}
