#pragma once

/*
 * tasks.h - what a person does with quellctl, and what they look at: tasks' objects, processes,
 * groups. What goes wrong ends the test.
 */
#include "tests/integration/world.h"

#include <stdint.h>

struct ctl {
    int status;      /* of exit */
    const char *out; /* kept */
    const char *err;
};

/* Runs quellctl with these words, as root, with the world's head and first agent. */
#define ctl(world, ...)         ctl_run((world), 0, (const char *const[]){__VA_ARGS__, NULL})
#define ctl_as(world, uid, ...) ctl_run((world), (uid), (const char *const[]){__VA_ARGS__, NULL})
struct ctl ctl_run(struct world *world, uint32_t uid, const char *const *words);
/* Runs any program; the same. */
struct ctl run(struct world *world, uint32_t uid, const char *const *argv);

/* Submits for user nobody on n1, marked; the words are options, "--" and the command. Returns
   "7.1". */
#define submit(world, ...) submit_on((world), "n1", __VA_ARGS__)
#define submit_on(world, node, ...)                                                                \
    submit_words((world), (node), "nobody", (const char *const[]){__VA_ARGS__, NULL})
const char *submit_words(struct world *world, const char *node, const char *user,
                         const char *const *words);
/* The fighter with so many processes, running and ready, as the head knows too. */
const char *submit_fighter(struct world *world, const char *node, int processes);

json_t *task_show(struct world *world, const char *task); /* kept, as the next */
json_t *task_wait(struct world *world, const char *task); /* until it has ended */
/* Accepted, by root. */
#define cancel(world, ...)                                                                         \
    do {                                                                                           \
        const struct ctl cancel_ctl = ctl((world), "cancel", __VA_ARGS__);                         \
        cr_assert_eq(cancel_ctl.status, 0, "cancel: %s", cancel_ctl.err);                          \
    } while (0)

/* At a path such as "proof.us.kill". */
json_t *at(const json_t *object, const char *path);          /* there must be such a member */
const char *text_at(const json_t *object, const char *path); /* a string */
int64_t number_at(const json_t *object, const char *path);   /* an integer */
bool null_at(const json_t *object, const char *path);
const char *dump(struct world *world, const json_t *json); /* for sentences */

#define assert_text(world, object, path, text)                                                     \
    cr_assert_str_eq(text_at((object), (path)), (text), "%s is %s, not %s, in %s", (path),         \
                     text_at((object), (path)), (text), dump((world), (object)))
#define assert_number(world, object, path, number)                                                 \
    cr_assert_eq(number_at((object), (path)), (number), "%s is %lld, not %lld, in %s", (path),     \
                 (long long) number_at((object), (path)), (long long) (number),                    \
                 dump((world), (object)))
#define assert_null(world, object, path)                                                           \
    cr_assert(null_at((object), (path)), "%s is not null in %s", (path), dump((world), (object)))

/* Cancelled, with the message (NULL: none), by root, and with a whole proof of this method; the
   times are in order, and nothing of it lives. "cgroup_kill" is a kill, whatever the hosts'
   kill_method(). */
void assert_cancelled(struct world *world, const char *task, const char *message,
                      const char *method);
/* Failed or Finished as it should; the sentence has all of @parts (ends with NULL). */
void assert_failed(struct world *world, const json_t *task, const char *cause,
                   const char *const *parts);
#define assert_has(text, part)                                                                     \
    cr_assert_not_null(strstr((text), (part)), "\"%s\" is not in \"%s\"", (part), (text))

/* How many processes of this task are alive, by their environment; NULL: of the whole world. */
int survivors(struct world *world, const char *task);
/* None, else the test ends with what each one is. */
void assert_no_survivors(struct world *world, const char *task);
/* Whether the agent has a group of this task. */
bool group_exists(const struct agent *agent, const char *task);
/* Waits for its removal, which follows the end. */
void group_await_removal(const struct agent *agent, const char *task);
/* The supervisor's pid, from the group where supervisors sit; there must be exactly one. */
pid_t supervisor_pid(const struct agent *agent);
