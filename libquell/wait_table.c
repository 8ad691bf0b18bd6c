/* wait_table.c - the calls that wait, for a task to end, an event or an answer: by what they wait
 * for, and by deadline. */
#include "libquell/call.h"

#include <search.h>
#include <stdlib.h>

struct wait_place { /* a task that is waited for */
    uint32_t job_id;
    uint32_t task_id;
    struct call_list calls;
    bool ended;
    TAILQ_ENTRY(wait_place) ended_entry;
};

void wait_table_init(struct wait_table *table)
{
    *table = (struct wait_table){0};
    TAILQ_INIT(&table->deadlines);
    TAILQ_INIT(&table->events);
    TAILQ_INIT(&table->peeks);
    TAILQ_INIT(&table->ended);
}

static int compare_places(const void *a, const void *b)
{
    const struct wait_place *left = a;
    const struct wait_place *right = b;

    if (left->job_id != right->job_id)
        return left->job_id < right->job_id ? -1 : 1;
    return (left->task_id > right->task_id) - (left->task_id < right->task_id);
}

static struct wait_place *find_place(struct wait_table *table, uint32_t job_id, uint32_t task_id)
{
    struct wait_place key = {.job_id = job_id, .task_id = task_id};
    struct wait_place **found = tfind(&key, &table->root, compare_places);

    return found ? *found : NULL;
}

static struct wait_place *make_place(struct wait_table *table, const struct call *call)
{
    struct wait_place *place = find_place(table, call->job_id, call->task_id);

    if (place)
        return place;
    place = calloc(1, sizeof(*place));
    if (!place)
        return NULL;
    place->job_id = call->job_id;
    place->task_id = call->task_id;
    TAILQ_INIT(&place->calls);
    if (!tsearch(place, &table->root, compare_places)) {
        free(place);
        return NULL;
    }
    return place;
}

static void insert_by_deadline(struct wait_table *table, struct call *call)
{
    struct call *before;

    /* Most waits last equally long, so that the newest belongs at the end. */
    TAILQ_FOREACH_REVERSE(before, &table->deadlines, call_list, entry)
    if (before->deadline_us <= call->deadline_us)
        break;
    if (before)
        TAILQ_INSERT_AFTER(&table->deadlines, before, call, entry);
    else
        TAILQ_INSERT_HEAD(&table->deadlines, call, entry);
}

/* Of a call that waits for no task. */
static struct call_list *list_of(struct wait_table *table, const struct call *call)
{
    return call->kind == CALL_EVENTS ? &table->events : &table->peeks;
}

bool wait_table_add(struct wait_table *table, struct call *call)
{
    if (call->kind == CALL_WAIT) {
        call->place = make_place(table, call);
        if (!call->place)
            return false;
        TAILQ_INSERT_TAIL(&call->place->calls, call, place_entry);
    } else {
        TAILQ_INSERT_TAIL(list_of(table, call), call, place_entry);
    }
    call->parked = true;
    insert_by_deadline(table, call);
    return true;
}

static void leave_place(struct wait_table *table, struct call *call)
{
    struct wait_place *place = call->place;

    TAILQ_REMOVE(&place->calls, call, place_entry);
    call->place = NULL;
    if (!TAILQ_EMPTY(&place->calls))
        return;
    if (place->ended)
        TAILQ_REMOVE(&table->ended, place, ended_entry);
    (void) tdelete(place, &table->root, compare_places);
    free(place);
}

void wait_table_take(struct wait_table *table, struct call *call, struct call_list *to)
{
    if (!call->parked)
        return;
    call->parked = false;
    TAILQ_REMOVE(&table->deadlines, call, entry);
    if (call->place)
        leave_place(table, call);
    else
        TAILQ_REMOVE(list_of(table, call), call, place_entry);
    TAILQ_INSERT_TAIL(to, call, entry);
}

void wait_table_note_end(struct wait_table *table, uint32_t job_id, uint32_t task_id)
{
    struct wait_place *place = find_place(table, job_id, task_id);

    if (!place || place->ended)
        return;
    place->ended = true;
    TAILQ_INSERT_TAIL(&table->ended, place, ended_entry);
}

void wait_table_note_event(struct wait_table *table)
{
    table->event_noted = true;
}

void wait_table_forget_ends(struct wait_table *table)
{
    struct wait_place *place;

    table->event_noted = false;
    while ((place = TAILQ_FIRST(&table->ended))) {
        TAILQ_REMOVE(&table->ended, place, ended_entry);
        place->ended = false;
    }
}

void wait_table_take_ended(struct wait_table *table, struct call_list *to)
{
    struct wait_place *place;
    struct call *call;

    /* First the events: who waits for a task, and stops then, has seen its last one. */
    while (table->event_noted && (call = TAILQ_FIRST(&table->events)))
        wait_table_take(table, call, to);
    table->event_noted = false;
    /* The last call of a place takes the place with it. */
    while ((place = TAILQ_FIRST(&table->ended)))
        wait_table_take(table, TAILQ_FIRST(&place->calls), to);
}

void wait_table_take_due(struct wait_table *table, uint64_t now_us, struct call_list *to)
{
    struct call *call;

    while ((call = TAILQ_FIRST(&table->deadlines)) && call->deadline_us <= now_us)
        wait_table_take(table, call, to);
}
