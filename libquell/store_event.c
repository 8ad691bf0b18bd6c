/* store_event.c - the changes of tasks' statuses, in the order in which they were committed. */
#include "libquell/store_impl.h"

#include <string.h>

#define EVENTS_DEFAULT 100u
#define EVENTS_MAX     1000u

void event_set_done(struct event_set *set)
{
    arena_done(&set->arena);
    *set = (struct event_set){0};
}

int store_put_event(struct store *store, const struct store_attempt *attempt,
                    const struct attempt_end *end, uint64_t time_us, struct err *err)
{
    struct db_statement *statement = store->statements[STORE_SQL_PUT_EVENT];

    db_bind_int(statement, 1, (int64_t) time_us);
    db_bind_int(statement, 2, attempt->job_id);
    db_bind_int(statement, 3, attempt->task_id);
    db_bind_int(statement, 4, attempt->attempt);
    db_bind_text(statement, 5, attempt->node);
    db_bind_text(statement, 6, attempt->user);
    db_bind_int(statement, 7, end ? end->status : attempt->status);
    db_bind_int(statement, 8, end ? end->cause : TASK_CAUSE_NONE);
    store_bind_int_or_null(statement, 9, end && end->exit_code != TASK_UNKNOWN,
                           end ? end->exit_code : 0);
    store_bind_int_or_null(statement, 10, end && end->signal != TASK_UNKNOWN,
                           end ? end->signal : 0);
    db_bind_text(statement, 11, end ? end->error_message : NULL);
    return db_run(statement, err);
}

static const char *copy(struct arena *arena, const struct db_statement *row, int column)
{
    const char *text = db_text(row, column);

    return text ? arena_copy(arena, text, strlen(text)) : NULL;
}

static void read_event(struct arena *arena, const struct db_statement *row, struct quell_event *ret)
{
    *ret = (struct quell_event){
        .id = (uint64_t) db_int(row, 0),
        .time_us = (uint64_t) db_int(row, 1),
        .job_id = (uint32_t) db_int(row, 2),
        .task_id = (uint32_t) db_int(row, 3),
        .attempt = (uint32_t) db_int(row, 4),
        .node = copy(arena, row, 5),
        .user = copy(arena, row, 6),
        .status = (enum task_status) db_int(row, 7),
        .cause = (enum task_cause) db_int(row, 8),
        .exit_code = db_is_null(row, 9) ? TASK_UNKNOWN : db_int(row, 9),
        .signal = db_is_null(row, 10) ? TASK_UNKNOWN : db_int(row, 10),
        .error_message = copy(arena, row, 11),
    };
}

/* The numbers of the newest event that ever was, and of the oldest that is kept (the one that comes
   next, when there is none). */
static int read_range(struct store *store, uint64_t *ret_newest, uint64_t *ret_oldest,
                      struct err *err)
{
    struct db_statement *statement = store->statements[STORE_SQL_EVENT_RANGE];
    int r = db_step(statement, err);

    if (r == DB_ROW) {
        *ret_newest = (uint64_t) db_int(statement, 0);
        *ret_oldest = db_is_null(statement, 1) ? *ret_newest + 1 : (uint64_t) db_int(statement, 1);
    }
    db_reset(statement);
    return r < 0 ? r : 0;
}

static int read_events(struct store *store, uint64_t after_id, size_t limit, struct event_set *set,
                       struct err *err)
{
    struct db_statement *statement = store->statements[STORE_SQL_EVENTS];
    struct quell_events *events = &set->events;
    int r;

    set->list = arena_alloc(&set->arena, limit * sizeof(*set->list));
    if (!set->list)
        return err_set(err, -ENOMEM, "no memory for the answer");
    events->events = set->list;
    db_bind_int(statement, 1, (int64_t) after_id);
    db_bind_int(statement, 2, (int64_t) limit);
    while ((r = db_step(statement, err)) == DB_ROW)
        read_event(&set->arena, statement, &set->list[events->len++]);
    db_reset(statement);
    if (r == 0 && set->arena.failed)
        r = err_set(err, -ENOMEM, "no memory for the answer");
    if (events->len > 0)
        events->last_id = set->list[events->len - 1].id;
    return r;
}

int store_load_events(struct store *store, uint64_t after_id, size_t limit, struct event_set *set,
                      struct err *err)
{
    uint64_t newest = 0;
    uint64_t oldest = 0;
    int r = read_range(store, &newest, &oldest, err);

    if (r < 0)
        return r;
    if (limit == 0)
        limit = EVENTS_DEFAULT;
    set->events.last_id = newest;
    /* A number above all: another database's, or this one has been put back from a copy. */
    set->events.gap = after_id > newest || (after_id != 0 && after_id + 1 < oldest);
    if (after_id >= newest)
        return 0;
    return read_events(store, after_id, limit < EVENTS_MAX ? limit : EVENTS_MAX, set, err);
}
