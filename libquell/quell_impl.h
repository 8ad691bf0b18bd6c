#pragma once

/*
 * quell_impl.h - what the files of libquell share: the one object, and the round.
 *
 * A round is what lies between two commits: verbs and messages change rows in one transaction,
 * which is opened by the first of them; what they have to say waits in `calls` and `answers` until
 * quell_dispatch() has committed. Nobody is told what is not on the disk.
 */
#include "libquell/call.h"
#include "libquell/core/task_rules.h"
#include "libquell/node_table.h"
#include "libquell/quell.h"
#include "libquell/store.h"

#include <errno.h>
#include <syslog.h>

struct bulk; /* a cancel of several tasks that is under way: bulk.c */
TAILQ_HEAD(bulk_list, bulk);
struct answer; /* owed to a node: answer.h */
TAILQ_HEAD(answer_list, answer);

struct quell {
    uint64_t heartbeat_us;
    uint64_t grace_ms;
    uint64_t keep_us;
    uint64_t forget_at_us; /* monotonic: when to look again for what has to be forgotten */
    void (*on_log)(void *arg, int level, const char *text);
    void *log_arg;
    void (*on_node)(void *arg, const char *node, const char *state);
    void *node_arg;

    struct store *store;
    struct endpoint *endpoint;
    int epoll_fd; /* holds the endpoint's, and the two below */
    int event_fd; /* readable while a call is queued */
    int timer_fd;
    uint64_t armed_us; /* what the timer is set to; 0: nothing */
    uint64_t now_us;   /* monotonic, of this dispatch */

    bool changing; /* a transaction is open */
    bool failed;   /* it could not be finished: the round changes nothing */
    struct err failure;

    struct node_table nodes;
    struct answer_list answers;
    struct call_list calls;
    struct wait_table waits;
    struct bulk_list bulks;
    struct bulk *bulk; /* whose slice is in this round; NULL: none */
    uint32_t bulk_uid; /* whose turn it was */

    uint64_t dropped; /* messages that made no sense, not yet logged */
    uint64_t dropped_log_us;
};

void quell_log(const struct quell *quell, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- round.c ---- */

/* Before the first change of a verb or message. Fails when the round has failed already. */
int round_change(struct quell *quell, struct err *err);
/* The same for what makes more work: a full disk stops new tasks, never a cancel. */
int round_change_more(struct quell *quell, struct err *err);
/* A change has failed: the round is rolled back, all of its verbs will be refused. */
void round_fail(struct quell *quell, const struct err *why);
/* Commits, then says what was waiting for that. */
void round_finish(struct quell *quell);
/* Has round_finish() come soon. */
void round_wake(struct quell *quell);
void round_queue(struct quell *quell, struct call *call);
/* Tells the user, at the end of this round, that @node has become @state. */
void round_tell_node(struct quell *quell, const char *node, const char *state);

/* ---- bulk.c: cancels of several tasks, a slice of them in each round ---- */

void bulk_step(struct quell *quell);
/* After the commit, or @failed: notes what has become of the slice. */
void bulk_settle(struct quell *quell, bool failed);
void bulk_tell(struct quell *quell); /* runs the callbacks of those that are through */
void bulk_refuse_all(struct quell *quell, const char *text);

/* ---- verbs.c ---- */

bool verb_is_refusal(int result); /* else a negative one is the disk's or the memory's */
/* The current attempt, on which @who may do @verb. */
int verb_find_task(struct quell *quell, struct task_place place, enum task_verb verb,
                   const struct quell_who *who, struct store_attempt *ret, struct err *err);
/* One task's cancel, with the permission for it. */
int verb_cancel_one(struct quell *quell, struct task_place place, const struct cancel_wish *wish,
                    const struct quell_who *who, struct err *err);
/* Checks the arguments of a cancel. @ret borrows them. */
int verb_make_wish(const char *message, size_t message_len,
                   const struct quell_cancel_options *options, const struct quell_who *who,
                   struct cancel_wish *ret, struct err *err);
extern const struct quell_refusal verb_no_memory;

/* ---- attempt.c: what verbs and messages do to an attempt ---- */

enum task_step attempt_step(enum task_verb verb, const struct store_attempt *attempt);
/* An event: the status that @attempt has now. The others below see to theirs. */
int attempt_note(struct quell *quell, const struct store_attempt *attempt, struct err *err);
int attempt_queue(struct quell *quell, struct store_attempt *attempt, struct err *err);
/* By the rules; the caller has asked for permission. */
int attempt_cancel(struct quell *quell, struct store_attempt *attempt,
                   const struct cancel_wish *wish, struct err *err);
/* The same. @node: checked; NULL for where it is, or where a pending requeue will have it. @wish:
   to end the one that runs. */
int attempt_requeue(struct quell *quell, struct store_attempt *attempt, const char *node,
                    const struct cancel_wish *wish, struct err *err);
int attempt_end(struct quell *quell, const struct store_attempt *attempt,
                const struct attempt_end *end, const uint8_t *ending, size_t ending_len,
                struct err *err);

/* ---- what nodes say: link.c, hello.c, report.c, commands.c ---- */

struct link_request { /* one message of a node, with its way back */
    const struct endpoint_route *route;
    Quell__Pb__Request *request;
    struct node *node;
    struct node_session *session;
};

/* Takes what has come, a bounded number of messages. A negative errno is fatal. */
int link_receive(struct quell *quell, struct err *err);
/* @reply with the request's @id and who the head is, ready to be sent; the caller frees. */
int link_wrap(struct quell *quell, const uint8_t *id, Quell__Pb__Reply *reply, uint8_t **ret,
              size_t *ret_len, struct err *err);
/* Sends @reply now. */
void link_send(struct quell *quell, const struct endpoint_route *route, const uint8_t *id,
               Quell__Pb__Reply *reply);
void link_refuse(struct quell *quell, const struct endpoint_route *route, const uint8_t *id,
                 Quell__Pb__RefusedCode code, const char *text);

/* Both change rows; a negative errno fails the round. */
int hello_receive(struct quell *quell, const struct link_request *from,
                  const Quell__Pb__Hello *hello, struct err *err);
int report_receive(struct quell *quell, const struct link_request *from,
                   const Quell__Pb__Report *report, struct err *err);

/* After a commit: the commands that wait for @node. 0: sent; STORE_NONE: there are none. */
int commands_send(struct quell *quell, const struct node *node, const struct node_poll *poll,
                  struct err *err);
void commands_send_none(struct quell *quell, const struct node_poll *poll);

/* ---- peek.c: what is asked of a node and not recorded ---- */

/* The questions for @node that were not sent yet, as far as they have room in @bytes; they count as
   sent. Returns how many, at most PEEKS_MAX. */
#define PEEKS_MAX 16u
size_t peek_take(struct quell *quell, const struct node *node, Quell__Pb__Peek **ret, size_t bytes);
/* Takes the answer out of the request where it is waited for. */
void peek_receive(struct quell *quell, const struct link_request *from);

/* ---- spec.c ---- */

/* The specification of a checked request, packed; the caller frees. */
int spec_pack(const struct quell_task_request *request, const char *user, uint64_t grace_ms,
              uint8_t **ret, size_t *ret_len, struct err *err);
