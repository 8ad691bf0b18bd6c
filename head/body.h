#pragma once

/*
 * body.h - the JSON bodies of requests, checked member by member and made into what libquell takes.
 *
 * A refusal is TASK_E_INVALID with a sentence that names the member. null counts as absent.
 */
#include "base/err.h"
#include "libquell/quell.h"

#include <jansson.h>

struct body_task { /* borrows from `json`, until body_task_done() */
    json_t *json;
    struct quell_task_request request;
    const char **argv;
    char **env;
};

int body_read_task(const void *bytes, size_t len, struct body_task *ret, struct err *err);
void body_task_done(struct body_task *task);

struct body_cancel { /* the same */
    json_t *json;
    const char *message; /* NULL: none */
    size_t message_len;
    struct quell_cancel_options options;
    uint32_t *task_ids; /* NULL: none are named */
    size_t task_ids_len;
};

int body_read_cancel(const void *bytes, size_t len, struct body_cancel *ret, struct err *err);
/* Of a job: may name some of its tasks. */
int body_read_cancel_job(const void *bytes, size_t len, struct body_cancel *ret, struct err *err);
void body_cancel_done(struct body_cancel *cancel);

struct body_requeue { /* the same */
    json_t *json;
    struct quell_requeue_options options;
};

int body_read_requeue(const void *bytes, size_t len, struct body_requeue *ret, struct err *err);
void body_requeue_done(struct body_requeue *requeue);

/* Nothing, or an empty object. */
int body_read_none(const void *bytes, size_t len, struct err *err);
