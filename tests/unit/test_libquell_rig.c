#include "test_libquell_rig.h"

#include "base/clock.h"
#include "base/fdio.h"
#include "ipc/envelope.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void on_log(void *arg, int level, const char *text)
{
    struct rig *rig = arg;
    size_t len = strlen(rig->log);

    (void) snprintf(rig->log + len, sizeof(rig->log) - len, "<%d>%s\n", level, text);
}

static void on_node(void *arg, const char *node, const char *state)
{
    struct rig *rig = arg;
    size_t len = strlen(rig->nodes_told);

    (void) snprintf(rig->nodes_told + len, sizeof(rig->nodes_told) - len, "%s %s;", node, state);
}

void rig_start(struct rig *rig)
{
    const char *urls[] = {rig->url};
    struct quell_options options = {
        .state_dir = rig->state_dir,
        .listen = urls,
        .listen_len = 1,
        .heartbeat_ms = rig->heartbeat_ms,
        .keep_ms = rig->keep_ms,
        .on_log = on_log,
        .log_arg = rig,
        .on_node = on_node,
        .node_arg = rig,
    };
    struct err err;

    cr_assert_eq(quell_open(&options, &rig->quell, &err), 0, "%s", err.text);
}

void rig_open(struct rig *rig, uint64_t heartbeat_ms)
{
    char nodes[96];

    *rig = (struct rig){.heartbeat_ms = heartbeat_ms};
    (void) snprintf(rig->dir, sizeof(rig->dir), "/tmp/quell-rig-XXXXXX");
    cr_assert(mkdtemp(rig->dir));
    (void) snprintf(nodes, sizeof(nodes), "%s/nodes", rig->dir);
    cr_assert_eq(mkdir(nodes, 0700), 0);
    (void) snprintf(rig->state_dir, sizeof(rig->state_dir), "%s/state", rig->dir);
    (void) snprintf(rig->url, sizeof(rig->url), "ipc://%s/head.ipc", nodes);
    rig_start(rig);
}

void rig_stop(struct rig *rig)
{
    rig->quell = quell_close(rig->quell);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void) st;
    (void) kind;
    (void) where;
    return remove(path);
}

void rig_remove_tree(const char *dir)
{
    cr_assert_eq(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void rig_done(struct rig *rig)
{
    rig_stop(rig);
    rig_remove_tree(rig->dir);
}

/* Waits for the head, or for @peer_fd; lets the head work. False: nothing came in time. */
static bool rig_step(struct rig *rig, int peer_fd, int wait_ms)
{
    struct pollfd fds[] = {{.fd = rig->quell ? quell_fd(rig->quell) : -1, .events = POLLIN},
                           {.fd = peer_fd, .events = POLLIN}};
    struct err err;
    int n = poll(fds, 2, wait_ms);

    cr_assert_geq(n, 0);
    if (fds[0].revents & POLLIN)
        cr_assert_eq(quell_dispatch(rig->quell, &err), 0, "%s", err.text);
    return n > 0;
}

void rig_settle(struct rig *rig, int quiet_ms)
{
    while (rig_step(rig, -1, quiet_ms))
        continue;
}

/* ---- a node ---- */

void peer_connect(struct peer *peer, struct rig *rig, const char *name)
{
    struct err err;

    *peer = (struct peer){.rig = rig, .name = name};
    (void) snprintf(peer->boot_id, sizeof(peer->boot_id), "boot-1-of-%s", name);
    cr_assert_eq(endpoint_connect(rig->url, &peer->endpoint, &err), 0, "%s", err.text);
}

void peer_close(struct peer *peer)
{
    peer->endpoint = endpoint_close(peer->endpoint);
}

void peer_send(struct peer *peer, Quell__Pb__Request *request)
{
    uint64_t until_us = clock_mono_us() + RIG_WAIT_MS * 1000;
    uint8_t *bytes;
    struct err err;
    size_t len;
    int r;

    fdio_random(peer->last_id, sizeof(peer->last_id));
    request->node = (char *) peer->name;
    request->id = (ProtobufCBinaryData){sizeof(peer->last_id), peer->last_id};
    if (request->body_case != QUELL__PB__REQUEST__BODY_CHALLENGE)
        request->session = (ProtobufCBinaryData){sizeof(peer->session), peer->session};
    if (request->counter == 0)
        request->counter = ++peer->counter;
    cr_assert_eq(envelope_wrap_request(request, &bytes, &len, &err), 0, "%s", err.text);
    while ((r = endpoint_send(peer->endpoint, bytes, len, &err)) == ENDPOINT_FULL) {
        cr_assert_lt(clock_mono_us(), until_us, "no connection");
        (void) rig_step(peer->rig, -1, 1);
    }
    cr_assert_eq(r, 0, "%s", err.text);
    free(bytes);
}

const Quell__Pb__Reply *peer_receive(struct peer *peer, int wait_ms)
{
    static Quell__Pb__Reply *reply;
    uint64_t until_us = clock_mono_us() + (uint64_t) wait_ms * 1000;
    struct err err;

    for (;;) {
        uint64_t now_us = clock_mono_us();
        uint8_t *bytes;
        size_t len;
        int r;

        if (reply)
            quell__pb__reply__free_unpacked(reply, NULL);
        reply = NULL;
        r = endpoint_receive(peer->endpoint, &bytes, &len, NULL, &err);
        if (r == 0) {
            cr_assert_eq(envelope_open_reply(bytes, len, &reply, &err), 0, "%s", err.text);
            cr_assert_leq(len, ENVELOPE_MAX);
            endpoint_release(bytes);
            if (reply->id.len == 16 && memcmp(reply->id.data, peer->last_id, 16) == 0)
                return reply;
            continue;
        }
        cr_assert_eq(r, ENDPOINT_NONE, "%s", err.text);
        if (now_us >= until_us)
            return NULL;
        (void) rig_step(peer->rig, endpoint_fd(peer->endpoint),
                        (int) ((until_us - now_us) / 1000) + 1);
    }
}

const Quell__Pb__Reply *peer_ask(struct peer *peer, Quell__Pb__Request *request)
{
    const Quell__Pb__Reply *reply;

    peer_send(peer, request);
    reply = peer_receive(peer, RIG_WAIT_MS);
    cr_assert(reply, "the head did not answer");
    return reply;
}

void peer_challenge(struct peer *peer)
{
    Quell__Pb__Request request = QUELL__PB__REQUEST__INIT;
    Quell__Pb__Challenge challenge = QUELL__PB__CHALLENGE__INIT;
    const Quell__Pb__Reply *reply;
    uint8_t random[24];

    fdio_random(random, sizeof(random));
    challenge.random = (ProtobufCBinaryData){sizeof(random), random};
    request.body_case = QUELL__PB__REQUEST__BODY_CHALLENGE;
    request.challenge = &challenge;
    reply = peer_ask(peer, &request);
    cr_assert_eq(reply->body_case, QUELL__PB__REPLY__BODY_SESSION);
    cr_assert_eq(reply->session->session.len, sizeof(peer->session));
    cr_assert_eq(reply->session->random.len, sizeof(random));
    cr_assert_eq(memcmp(reply->session->random.data, random, sizeof(random)), 0);
    cr_assert_eq(reply->head_id.len, 16);
    memcpy(peer->session, reply->session->session.data, sizeof(peer->session));
    peer->counter = 0;
}

void peer_hello(struct peer *peer, Quell__Pb__Known **known, size_t known_len)
{
    Quell__Pb__Request request = QUELL__PB__REQUEST__INIT;
    Quell__Pb__Hello hello = QUELL__PB__HELLO__INIT;
    const Quell__Pb__Reply *reply;

    peer_challenge(peer);
    hello.instance = (char *) "00112233445566778899aabbccddeeff";
    hello.boot_id = peer->boot_id;
    hello.program_version = (char *) "0.1.0";
    hello.cores = 4;
    hello.memory_bytes = 8ull << 30;
    hello.cgroup_mode = (char *) "hybrid";
    hello.known = known;
    hello.n_known = known_len;
    hello.last = true;
    request.body_case = QUELL__PB__REQUEST__BODY_HELLO;
    request.hello = &hello;
    reply = peer_ask(peer, &request);
    cr_assert_eq(reply->body_case, QUELL__PB__REPLY__BODY_HELLO_DONE);
    cr_assert_not(reply->hello_done->more);
    cr_assert_eq(reply->hello_done->heartbeat_ms, peer->rig->heartbeat_ms);
}

static void make_poll(Quell__Pb__Request *request, Quell__Pb__CommandsWanted *wanted,
                      Quell__Pb__Acked **acked, size_t acked_len)
{
    quell__pb__request__init(request);
    quell__pb__commands_wanted__init(wanted);
    request->body_case = QUELL__PB__REQUEST__BODY_COMMANDS_WANTED;
    request->commands_wanted = wanted;
    request->recorded = acked;
    request->n_recorded = acked_len;
}

const Quell__Pb__Reply *peer_poll(struct peer *peer, Quell__Pb__Acked **acked, size_t acked_len)
{
    Quell__Pb__CommandsWanted wanted;
    Quell__Pb__Request request;
    const Quell__Pb__Reply *reply;

    make_poll(&request, &wanted, acked, acked_len);
    reply = peer_ask(peer, &request);
    cr_assert_eq(reply->body_case, QUELL__PB__REPLY__BODY_COMMANDS, "case %d", reply->body_case);
    return reply;
}

struct remembered peer_remember(const Quell__Pb__Command *command)
{
    struct remembered ret = {
        .job_id = command->name->job_id,
        .task_id = command->name->task_id,
        .attempt = command->name->attempt,
        .version = command->version,
        .start = command->start != NULL,
        .cancel = command->cancel != NULL,
    };

    cr_assert_eq(command->uid.len, 16);
    memcpy(ret.uid, command->uid.data, 16);
    if (command->start && command->start->n_argv) {
        ret.grace_ms = command->start->grace_ms;
        ret.pids = command->start->pids;
        if (command->start->n_argv)
            (void) snprintf(ret.argv0, sizeof(ret.argv0), "%.*s", (int) command->start->argv[0].len,
                            (const char *) command->start->argv[0].data);
    }
    if (command->cancel) {
        ret.has_message = TASK_PB_HAS(command->cancel, message);
        ret.grace_ms = command->cancel->grace_ms;
        if (ret.has_message)
            (void) snprintf(ret.message, sizeof(ret.message), "%s", command->cancel->message);
    }
    return ret;
}

struct remembered peer_one_command(struct peer *peer)
{
    const Quell__Pb__Reply *reply = peer_poll(peer, NULL, 0);

    cr_assert_eq(reply->commands->n_commands, 1, "%zu commands", reply->commands->n_commands);
    return peer_remember(reply->commands->commands[0]);
}

void peer_ack(struct peer *peer, const struct remembered *command)
{
    Quell__Pb__Acked one = QUELL__PB__ACKED__INIT, *list = &one;
    Quell__Pb__CommandsWanted wanted;
    Quell__Pb__Request request;

    one.uid = (ProtobufCBinaryData){16, (uint8_t *) command->uid};
    one.version = command->version;
    make_poll(&request, &wanted, &list, 1);
    peer_send(peer, &request);
    rig_settle(peer->rig, 20);
}

static bool report(struct peer *peer, Quell__Pb__AttemptReport *one)
{
    Quell__Pb__AttemptReport *list = one;
    Quell__Pb__Request request = QUELL__PB__REQUEST__INIT;
    Quell__Pb__Report body = QUELL__PB__REPORT__INIT;
    const Quell__Pb__Reply *reply;

    body.n_attempts = 1;
    body.attempts = &list;
    request.body_case = QUELL__PB__REQUEST__BODY_REPORT;
    request.report = &body;
    reply = peer_ask(peer, &request);
    if (reply->body_case == QUELL__PB__REPLY__BODY_REFUSED)
        return false;
    cr_assert_eq(reply->body_case, QUELL__PB__REPLY__BODY_REPORT_ACKED);
    if (reply->report_acked->n_acked == 0)
        return false;
    cr_assert_eq(reply->report_acked->acked[0]->version, one->version);
    cr_assert_eq(memcmp(reply->report_acked->acked[0]->uid.data, one->uid.data, 16), 0);
    return true;
}

bool peer_report_started(struct peer *peer, const uint8_t uid[16], uint32_t version)
{
    Quell__Pb__AttemptReport one = QUELL__PB__ATTEMPT_REPORT__INIT;
    Quell__Pb__Started started = QUELL__PB__STARTED__INIT;

    started.leader_pid = 4711;
    started.start_time_us = 1700000000000001;
    started.boot_id = peer->boot_id;
    one.uid = (ProtobufCBinaryData){16, (uint8_t *) uid};
    one.version = version;
    one.body_case = QUELL__PB__ATTEMPT_REPORT__BODY_STARTED;
    one.started = &started;
    return report(peer, &one);
}

bool peer_report_ending(struct peer *peer, const uint8_t uid[16], uint32_t version,
                        Quell__Pb__Ending *ending)
{
    Quell__Pb__AttemptReport one = QUELL__PB__ATTEMPT_REPORT__INIT;

    one.uid = (ProtobufCBinaryData){16, (uint8_t *) uid};
    one.version = version;
    one.body_case = QUELL__PB__ATTEMPT_REPORT__BODY_ENDING;
    one.ending = ending;
    ending->uid = one.uid;
    return report(peer, &one);
}

void ending_exit(Quell__Pb__Ending *ending, Quell__Pb__Proof *proof, uint32_t code)
{
    quell__pb__ending__init(ending);
    quell__pb__proof__init(proof);
    ending->cause = code ? QUELL__PB__CAUSE__CAUSE_EXIT_CODE : QUELL__PB__CAUSE__CAUSE_NONE;
    ending->has_exit_code_case = QUELL__PB__ENDING__HAS_EXIT_CODE_EXIT_CODE;
    ending->exit_code = code;
    ending->text = (char *) (code ? "the program has exited with code 3" : "");
    ending->end_time_us = 1700000000900000;
    proof->method = QUELL__PB__METHOD__METHOD_EXITED;
    proof->has_empty_us_case = QUELL__PB__PROOF__HAS_EMPTY_US_EMPTY_US;
    proof->empty_us = 77;
    ending->proof = proof;
}

/* ---- a user ---- */

const struct quell_who root_asks = {.uid = 0, .name = "root", .operator_ = true};
const struct quell_who alice_asks = {.uid = 1001, .name = "alice"};
const struct quell_who bob_asks = {.uid = 1002, .name = "bob"};
const struct quell_who operator_asks = {.uid = 1003, .name = "olga", .operator_ = true};

static void take_refusal(struct outcome *outcome, const struct quell_refusal *refusal)
{
    outcome->calls++;
    outcome->refused = refusal != NULL;
    if (refusal)
        outcome->refusal = *refusal;
}

#define COPY(to, from) (void) snprintf((to), sizeof(to), "%s", (from) ? (from) : "")

void on_outcome_task(void *arg, const struct quell_refusal *refusal, const struct quell_task *task)
{
    struct outcome *outcome = arg;

    take_refusal(outcome, refusal);
    if (!task)
        return;
    outcome->task = *task;
    outcome->has_message = task->current.error_message != NULL;
    COPY(outcome->message, task->current.error_message);
    COPY(outcome->by_name, task->current.cancelled_by_name);
    COPY(outcome->node, task->current.node);
    COPY(outcome->user, task->user);
    COPY(outcome->name, task->name);
}

void on_outcome_tasks(void *arg, const struct quell_refusal *refusal,
                      const struct quell_task *tasks, size_t len, bool more)
{
    struct outcome *outcome = arg;

    take_refusal(outcome, refusal);
    outcome->len = len;
    outcome->more = more;
    for (size_t i = 0; i < len && i < 64; i++) {
        outcome->job_ids[i] = tasks[i].job_id;
        outcome->task_ids[i] = tasks[i].task_id;
        outcome->statuses[i] = tasks[i].current.status;
    }
}

void on_outcome_results(void *arg, const struct quell_refusal *refusal,
                        const struct quell_result *results, size_t len)
{
    struct outcome *outcome = arg;

    take_refusal(outcome, refusal);
    outcome->len = len;
    for (size_t i = 0; i < len && i < 64; i++) {
        outcome->job_ids[i] = results[i].job_id;
        outcome->task_ids[i] = results[i].task_id;
        outcome->codes[i] = results[i].refusal ? results[i].refusal->code : 0;
        cr_assert((results[i].refusal == NULL) != (results[i].task == NULL));
        if (results[i].task)
            outcome->statuses[i] = results[i].task->current.status;
    }
}

void on_outcome_events(void *arg, const struct quell_refusal *refusal,
                       const struct quell_events *events)
{
    struct outcome *outcome = arg;

    take_refusal(outcome, refusal);
    if (!events)
        return;
    outcome->len = events->len;
    outcome->gap = events->gap;
    outcome->last_id = events->last_id;
    for (size_t i = 0; i < events->len && i < 64; i++) {
        outcome->job_ids[i] = events->events[i].job_id;
        outcome->task_ids[i] = events->events[i].task_id;
        outcome->statuses[i] = events->events[i].status;
        outcome->attempts[i] = events->events[i].attempt;
    }
}

void on_outcome_nodes(void *arg, const struct quell_refusal *refusal,
                      const struct quell_node *nodes, size_t len)
{
    struct outcome *outcome = arg;

    take_refusal(outcome, refusal);
    outcome->len = len;
    for (size_t i = 0; i < len && i < 8; i++) {
        outcome->nodes[i] = nodes[i];
        COPY(outcome->node_names[i], nodes[i].name);
        COPY(outcome->node_states[i], nodes[i].state);
        COPY(outcome->node_modes[i], nodes[i].cgroup_mode);
    }
}

void rig_wait(struct rig *rig, const struct outcome *outcome)
{
    uint64_t until_us = clock_mono_us() + RIG_WAIT_MS * 1000;

    while (outcome->calls == 0) {
        cr_assert_lt(clock_mono_us(), until_us, "the callback never came");
        (void) rig_step(rig, -1, 100);
    }
    cr_assert_eq(outcome->calls, 1);
}

struct outcome rig_add(struct rig *rig, const struct quell_task_request *request,
                       const struct quell_who *who)
{
    struct outcome outcome = {0};

    quell_add_task(rig->quell, request, who, on_outcome_task, &outcome);
    cr_assert_eq(outcome.calls, 0, "a callback ran inside its verb");
    rig_wait(rig, &outcome);
    return outcome;
}

struct outcome rig_add_simple(struct rig *rig, const char *node, uint32_t job_id, bool submit)
{
    static const char *const argv[] = {"/bin/true"};
    struct quell_task_request request = {
        .job_id = job_id, .node = node, .argv = argv, .argv_len = 1, .submit = submit};

    return rig_add(rig, &request, &alice_asks);
}

struct outcome rig_submit(struct rig *rig, uint32_t job_id, uint32_t task_id,
                          const struct quell_who *who)
{
    struct outcome outcome = {0};

    quell_submit_task(rig->quell, job_id, task_id, who, on_outcome_task, &outcome);
    rig_wait(rig, &outcome);
    return outcome;
}

struct outcome rig_cancel(struct rig *rig, uint32_t job_id, uint32_t task_id, const char *message,
                          int64_t grace_ms, const struct quell_who *who)
{
    struct quell_cancel_options options = {.has_grace = grace_ms >= 0,
                                           .grace_ms = (uint64_t) grace_ms};
    struct outcome outcome = {0};

    quell_cancel_task(rig->quell, job_id, task_id, message, message ? strlen(message) : 0, &options,
                      who, on_outcome_task, &outcome);
    rig_wait(rig, &outcome);
    return outcome;
}

struct outcome rig_cancel_job(struct rig *rig, uint32_t job_id, const struct quell_who *who)
{
    struct outcome outcome = {0};

    quell_cancel_job(rig->quell, job_id, "all of them", 11, NULL, who, on_outcome_results,
                     &outcome);
    rig_wait(rig, &outcome);
    return outcome;
}

struct outcome rig_requeue(struct rig *rig, uint32_t job_id, uint32_t task_id, const char *node,
                           const struct quell_who *who)
{
    const struct quell_requeue_options options = {.node = node};
    struct outcome outcome = {0};

    quell_requeue_task(rig->quell, job_id, task_id, &options, who, on_outcome_task, &outcome);
    rig_wait(rig, &outcome);
    return outcome;
}

struct outcome rig_events(struct rig *rig, uint64_t after_id, size_t limit)
{
    struct outcome outcome = {0};

    (void) quell_read_events(rig->quell, after_id, limit, 0, on_outcome_events, &outcome);
    rig_wait(rig, &outcome);
    return outcome;
}

struct outcome rig_show(struct rig *rig, uint32_t job_id, uint32_t task_id)
{
    struct outcome outcome = {0};

    quell_show_task(rig->quell, job_id, task_id, on_outcome_task, &outcome);
    rig_wait(rig, &outcome);
    return outcome;
}

struct outcome rig_list(struct rig *rig, const struct quell_filter *filter)
{
    struct outcome outcome = {0};

    quell_list_tasks(rig->quell, filter, on_outcome_tasks, &outcome);
    rig_wait(rig, &outcome);
    return outcome;
}

struct outcome rig_nodes(struct rig *rig)
{
    struct outcome outcome = {0};

    quell_list_nodes(rig->quell, on_outcome_nodes, &outcome);
    rig_wait(rig, &outcome);
    return outcome;
}

struct remembered rig_running_task(struct rig *rig, struct peer *peer)
{
    struct outcome added = rig_add_simple(rig, peer->name, 0, true);
    struct remembered command;

    cr_assert_not(added.refused, "%s", added.refusal.text);
    command = peer_one_command(peer);
    cr_assert(command.start);
    peer_ack(peer, &command);
    cr_assert(peer_report_started(peer, command.uid, 1));
    cr_assert_eq(rig_show(rig, command.job_id, command.task_id).task.current.status, TASK_RUNNING);
    return command;
}
