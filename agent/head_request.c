/* head_request.c - what the agent sends to the head, as requests of quell.proto. */
#include "agent/agent.h"
#include "agent/head_link_impl.h"
#include "agent/task.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "base/log.h"
#include "base/version.h"
#include "ipc/endpoint.h"
#include "ipc/envelope.h"

#include <stdlib.h>
#include <string.h>

#define HELLO_PART   2000u /* attempts in one part of a hello: under 100 KiB */
#define REPORT_ITEMS 256u  /* in one request, so that it does not hold the head's loop up */

static struct sent *free_slot(struct head_link *link)
{
    for (size_t i = 0; i < HEAD_OUTSTANDING; i++)
        if (!link->sent[i].used)
            return &link->sent[i];
    return NULL;
}

struct sent *head_request_find(struct head_link *link, const ProtobufCBinaryData *id)
{
    for (size_t i = 0; i < HEAD_OUTSTANDING; i++)
        if (link->sent[i].used && id->len == sizeof(link->sent[i].id) &&
            memcmp(link->sent[i].id, id->data, id->len) == 0)
            return &link->sent[i];
    return NULL;
}

/* The commands that are recorded and that no answered request has listed yet. */
static size_t list_recorded(struct head_link *link, Quell__Pb__Acked *list,
                            Quell__Pb__Acked **pointers, uint64_t *ret_generation)
{
    size_t len = 0;
    struct task *task;

    *ret_generation = 0;
    TAILQ_FOREACH(task, &link->agent->unlisted, unlisted)
    {
        if (len == HELLO_PART)
            break;
        quell__pb__acked__init(&list[len]);
        list[len].uid = (ProtobufCBinaryData){.len = TASK_UID_SIZE, .data = task->uid};
        list[len].version = task->recorded_version;
        pointers[len] = &list[len];
        *ret_generation = task->ack_generation;
        len++;
    }
    return len;
}

/* Sends @request, with its head filled in here. False: it could not go out now. */
static bool link_send(struct head_link *link, Quell__Pb__Request *request)
{
    static Quell__Pb__Acked recorded[HELLO_PART];
    static Quell__Pb__Acked *pointers[HELLO_PART];
    struct sent *slot = free_slot(link);
    struct err err = {0};
    uint8_t *bytes;
    size_t len;
    int r;

    if (!slot || !link->endpoint)
        return false;
    fdio_random(slot->id, sizeof(slot->id));
    slot->kind = request->body_case;
    slot->at_us = clock_mono_us();
    request->node = link->agent->options.node;
    request->id = (ProtobufCBinaryData){.len = sizeof(slot->id), .data = slot->id};
    slot->ack_generation = 0;
    if (link->stage != LINK_CHALLENGED) {
        request->session =
            (ProtobufCBinaryData){.len = sizeof(link->session), .data = link->session};
        request->counter = ++link->counter;
        request->recorded = pointers;
        request->n_recorded = list_recorded(link, recorded, pointers, &slot->ack_generation);
    }
    r = envelope_wrap_request(request, &bytes, &len, &err);
    if (r == 0) {
        r = endpoint_send(link->endpoint, bytes, len, &err);
        free(bytes);
    }
    if (r < 0)
        log_warning("head: a request could not be sent: %s", err.text);
    slot->used = r == 0;
    return r == 0;
}

bool head_request_challenge(struct head_link *link)
{
    Quell__Pb__Request request = QUELL__PB__REQUEST__INIT;
    Quell__Pb__Challenge challenge = QUELL__PB__CHALLENGE__INIT;

    (void) memset(link->sent, 0, sizeof(link->sent));
    link->stage = LINK_CHALLENGED;
    link->asked = false;
    fdio_random(link->random, sizeof(link->random));
    challenge.random = (ProtobufCBinaryData){.len = sizeof(link->random), .data = link->random};
    request.body_case = QUELL__PB__REQUEST__BODY_CHALLENGE;
    request.challenge = &challenge;
    return link_send(link, &request);
}

static Quell__Pb__Phase phase_of(const struct task *task)
{
    switch (task->state.phase) {
    case ATTEMPT_QUEUED:
        return QUELL__PB__PHASE__PHASE_QUEUED;
    case ATTEMPT_STARTING:
    case ATTEMPT_RUNNING:
        return task->phase;
    case ATTEMPT_ENDED:
    case ATTEMPT_GONE:
        return QUELL__PB__PHASE__PHASE_ENDED;
    case ATTEMPT_NEW:
    case ATTEMPT_PHASE_COUNT:
        break;
    }
    return QUELL__PB__PHASE__PHASE_NONE;
}

static void describe_node(struct head_link *link, Quell__Pb__Hello *hello,
                          char *unenforceable[CGROUP_LIMIT_COUNT])
{
    const struct agent *agent = link->agent;

    hello->instance = (char *) agent->store.instance;
    hello->boot_id = (char *) agent->boot_id;
    hello->program_version = QUELL_VERSION;
    hello->cores = agent->cores;
    hello->memory_bytes = agent->memory_bytes;
    hello->cgroup_mode = (char *) cgroup_mode_name(cgroup_host_mode(agent->host));
    hello->unenforceable = unenforceable;
    for (enum cgroup_limit limit = 0; limit < CGROUP_LIMIT_COUNT; limit++)
        if (!cgroup_host_can_limit(agent->host, limit))
            unenforceable[hello->n_unenforceable++] = (char *) cgroup_limit_name(limit);
}

/* One part of the hello: the inventory and the next attempts that this node knows. */
bool head_request_greet(struct head_link *link)
{
    static Quell__Pb__Known known[HELLO_PART];
    static Quell__Pb__Known *pointers[HELLO_PART];
    char *unenforceable[CGROUP_LIMIT_COUNT];
    Quell__Pb__Request request = QUELL__PB__REQUEST__INIT;
    Quell__Pb__Hello hello = QUELL__PB__HELLO__INIT;
    Quell__Pb__Name unknown = QUELL__PB__NAME__INIT;
    struct task *task = link->hello_next;
    size_t len = 0;

    for (; task && len < HELLO_PART; task = TAILQ_NEXT(task, entry)) {
        if (!task->command && !task->unreadable)
            continue;
        quell__pb__known__init(&known[len]);
        known[len].uid = (ProtobufCBinaryData){.len = TASK_UID_SIZE, .data = task->uid};
        known[len].name = task->command ? task->command->name : &unknown;
        known[len].version = task->recorded_version;
        known[len].phase = phase_of(task);
        pointers[len] = &known[len];
        len++;
    }
    link->hello_next = task;
    describe_node(link, &hello, unenforceable);
    hello.known = pointers;
    hello.n_known = len;
    hello.part = link->hello_part++;
    hello.last = task == NULL;
    request.body_case = QUELL__PB__REQUEST__BODY_HELLO;
    request.hello = &hello;
    return link_send(link, &request);
}

bool head_request_commands(struct head_link *link)
{
    Quell__Pb__Request request = QUELL__PB__REQUEST__INIT;
    Quell__Pb__CommandsWanted wanted = QUELL__PB__COMMANDS_WANTED__INIT;

    request.body_case = QUELL__PB__REQUEST__BODY_COMMANDS_WANTED;
    request.commands_wanted = &wanted;
    return link_send(link, &request);
}

void head_link_peeked(struct head_link *link, const Quell__Pb__Peeked *peeked)
{
    Quell__Pb__Request request = QUELL__PB__REQUEST__INIT;

    request.body_case = QUELL__PB__REQUEST__BODY_PEEKED;
    request.peeked = (Quell__Pb__Peeked *) peeked;
    if (link && link->stage == LINK_READY)
        (void) link_send(link, &request);
}

static void fill_report(struct task *task, Quell__Pb__AttemptReport *report)
{
    quell__pb__attempt_report__init(report);
    report->uid = (ProtobufCBinaryData){.len = TASK_UID_SIZE, .data = task->uid};
    report->name = task->command->name;
    report->version = task_report_version(task);
    if (task->ending) {
        report->body_case = QUELL__PB__ATTEMPT_REPORT__BODY_ENDING;
        report->ending = task->ending;
    } else {
        report->body_case = QUELL__PB__ATTEMPT_REPORT__BODY_STARTED;
        report->started = task->started;
    }
}

/* One request with as many reports as fit. False when there is none, or it could not go out. */
bool head_request_reports(struct head_link *link)
{
    static Quell__Pb__AttemptReport reports[REPORT_ITEMS];
    static Quell__Pb__AttemptReport *pointers[REPORT_ITEMS];
    Quell__Pb__Request request = QUELL__PB__REQUEST__INIT;
    Quell__Pb__Report report = QUELL__PB__REPORT__INIT;
    size_t room = ENVELOPE_MAX / 2; /* the other half is for the list of recorded commands */
    size_t len = 0;
    struct task *task;

    TAILQ_FOREACH(task, &link->agent->unsent, unsent)
    {
        size_t size;

        fill_report(task, &reports[len]);
        size = quell__pb__attempt_report__get_packed_size(&reports[len]) + 8;
        if (len == REPORT_ITEMS || size > room)
            break;
        room -= size;
        pointers[len] = &reports[len];
        len++;
    }
    if (len == 0)
        return false;
    report.attempts = pointers;
    report.n_attempts = len;
    request.body_case = QUELL__PB__REQUEST__BODY_REPORT;
    request.report = &report;
    if (!link_send(link, &request))
        return false;
    for (size_t i = 0; i < len; i++) {
        task = TAILQ_FIRST(&link->agent->unsent);
        TAILQ_REMOVE(&link->agent->unsent, task, unsent);
        task->in_unsent = false;
        task->reported_at_us = clock_mono_us();
    }
    return true;
}
