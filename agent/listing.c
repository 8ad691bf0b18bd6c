#include "agent/listing.h"

#include "agent/slice.h"
#include "agent/status.h"
#include "http/http_server.h"
#include "ipc/task.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>

struct answer {
    TAILQ_ENTRY(answer) entry;
    struct listings *listings; /* borrowed */
    struct listing listing;
    struct http_request *request;
    FILE *out; /* into text */
    char *text;
    size_t len;
};

struct listings {
    struct event *turn; /* while there is an answer to be written */
    TAILQ_HEAD(, answer) answers;
};

static void answer_free(struct answer *answer)
{
    TAILQ_REMOVE(&answer->listings->answers, answer, entry);
    answer->listing.free(answer->listing.arg);
    if (answer->out)
        (void) fclose(answer->out);
    free(answer->text);
    free(answer);
}

static void answer_refuse(struct answer *answer, int status, int code, const char *text)
{
    struct http_request *request = answer->request;

    answer_free(answer);
    status_refuse(request, status, code, text);
}

static void answer_send(struct answer *answer)
{
    if (fflush(answer->out) == 0)
        http_reply(answer->request, 200, "application/json", answer->text, answer->len);
    else
        status_reply(answer->request, 500, NULL);
    answer_free(answer);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    struct listings *listings = arg;
    struct answer *answer = TAILQ_FIRST(&listings->answers);
    const uint64_t slice = slice_begin() + (answer ? answer->listing.more_us : 0);

    (void) fd;
    (void) what;
    for (; answer; answer = TAILQ_FIRST(&listings->answers)) {
        bool more = true;

        while (more && !slice_is_over(slice))
            more = answer->listing.step(answer->listing.arg, answer->out);
        if (more) {
            TAILQ_REMOVE(&listings->answers, answer, entry);
            TAILQ_INSERT_TAIL(&listings->answers, answer, entry);
            slice_next(listings->turn);
            return;
        }
        answer_send(answer);
    }
}

static void on_gone(void *arg)
{
    answer_refuse(arg, 503, TASK_E_BUSY, "nobody is there to read it");
}

void listings_add(struct listings *listings, const struct listing *listing,
                  struct http_request *request)
{
    struct answer *answer = calloc(1, sizeof(*answer));

    if (!answer) {
        listing->free(listing->arg);
        status_reply(request, 500, NULL);
        return;
    }
    answer->listings = listings;
    answer->listing = *listing;
    answer->request = request;
    TAILQ_INSERT_TAIL(&listings->answers, answer, entry);
    answer->out = open_memstream(&answer->text, &answer->len);
    if (!answer->out) {
        answer_free(answer);
        status_reply(request, 500, NULL);
        return;
    }
    slice_next(listings->turn);
    http_request_on_gone(request, on_gone, answer);
}

void listings_forget(struct listings *listings, const struct task *task)
{
    struct answer *answer, *next;

    for (answer = TAILQ_FIRST(&listings->answers); answer; answer = next) {
        next = TAILQ_NEXT(answer, entry);
        if (answer->listing.task == task)
            answer_refuse(answer, 404, TASK_E_UNKNOWN_TASK,
                          "the task is over, and no longer on this node");
    }
}

struct listings *listings_new(struct event_base *base)
{
    struct listings *listings = calloc(1, sizeof(*listings));

    if (!listings)
        return NULL;
    TAILQ_INIT(&listings->answers);
    listings->turn = evtimer_new(base, on_turn, listings);
    return listings->turn ? listings : listings_free(listings);
}

struct listings *listings_free(struct listings *listings)
{
    if (!listings)
        return NULL;
    for (struct answer *answer; (answer = TAILQ_FIRST(&listings->answers));)
        answer_refuse(answer, 503, TASK_E_BUSY, "the agent ends");
    if (listings->turn)
        event_free(listings->turn);
    free(listings);
    return NULL;
}
