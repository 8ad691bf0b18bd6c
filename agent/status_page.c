#include "agent/status_page.h"

#include "agent/agent.h"
#include "agent/listing.h"
#include "agent/status.h"
#include "agent/status_task.h"
#include "agent/task_table.h"
#include "base/cleanup.h"
#include "base/units.h"
#include "http/http_server.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_DEFAULT 100u
#define PAGE_MAX     1000u
#define PAGE_US      6000u /* a page of 1,000 takes 8 ms: one turn, even where turns are slow */

struct page {            /* the attempts that stood on it when it was asked for */
    struct agent *agent; /* borrowed */
    uint8_t (*uids)[TASK_UID_SIZE];
    size_t len;
    size_t done;
    char next[32]; /* JSON: where the next page begins, or null */
    bool any;      /* one has been written */
};

static void page_free(void *arg)
{
    struct page *page = arg;

    free(page->uids);
    free(page);
}

static bool page_step(void *arg, FILE *out)
{
    struct page *page = arg;
    const struct task *task;
    json_t *object;

    if (page->done == 0)
        (void) fputs("{\"tasks\":[", out);
    if (page->done == page->len) {
        (void) fprintf(out, "],\"next\":%s}", page->next);
        return false;
    }
    task = task_table_find(page->agent, page->uids[page->done++]);
    object = task ? status_task_json(task) : NULL; /* it may be gone since */
    if (object) {
        if (page->any)
            (void) fputc(',', out);
        (void) json_dumpf(object, out, JSON_COMPACT);
        page->any = true;
        json_decref(object);
    }
    return true;
}

/* In order of (job, task, attempt), so that a page knows where it ends. */
static int page_compare(const void *a, const void *b)
{
    const Quell__Pb__Name *x = (*(struct task *const *) a)->command->name;
    const Quell__Pb__Name *y = (*(struct task *const *) b)->command->name;

    if (x->job_id != y->job_id)
        return x->job_id < y->job_id ? -1 : 1;
    if (x->task_id != y->task_id)
        return x->task_id < y->task_id ? -1 : 1;
    return x->attempt < y->attempt ? -1 : x->attempt > y->attempt;
}

static bool page_is_behind(const struct task *task, uint32_t job_id, uint32_t task_id)
{
    const Quell__Pb__Name *name = task->command->name;

    return name->job_id > job_id || (name->job_id == job_id && name->task_id > task_id);
}

/* All tasks behind that one, sorted. NULL: no memory. */
static struct task **page_sort(const struct agent *agent, uint32_t job_id, uint32_t task_id,
                               size_t *ret_len)
{
    struct task **sorted;
    struct task *task;
    size_t count = 0, len = 0;

    TAILQ_FOREACH(task, &agent->tasks, entry)
    count++;
    sorted = calloc(count + 1, sizeof(struct task *));
    if (!sorted)
        return NULL;
    TAILQ_FOREACH(task, &agent->tasks, entry)
    if (task->command && page_is_behind(task, job_id, task_id))
        sorted[len++] = task;
    qsort(sorted, len, sizeof(struct task *), page_compare);
    *ret_len = len;
    return sorted;
}

/* As many as @limit, and all attempts of the last one. */
static void page_fill(struct page *page, struct task *const *sorted, size_t len, size_t limit)
{
    const Quell__Pb__Name *last = NULL;

    for (size_t i = 0; i < len; i++) {
        const Quell__Pb__Name *name = sorted[i]->command->name;

        if (i >= limit && (name->job_id != last->job_id || name->task_id != last->task_id)) {
            (void) snprintf(page->next, sizeof(page->next), "\"%u.%u\"", last->job_id,
                            last->task_id);
            return;
        }
        (void) memcpy(page->uids[page->len++], sorted[i]->uid, TASK_UID_SIZE);
        last = name;
    }
}

static struct page *page_new(struct agent *agent, uint32_t job_id, uint32_t task_id, size_t limit)
{
    struct page *page = calloc(1, sizeof(*page));
    size_t len = 0;
    CLEANUP_FREE struct task **sorted = page_sort(agent, job_id, task_id, &len);

    if (!page || !sorted) {
        free(page);
        return NULL;
    }
    page->agent = agent;
    (void) snprintf(page->next, sizeof(page->next), "null");
    page->uids = calloc(len + 1, sizeof(*page->uids));
    if (!page->uids) {
        free(page);
        return NULL;
    }
    page_fill(page, sorted, len, limit);
    return page;
}

void status_page_answer(struct agent *agent, struct http_request *request)
{
    const char *limit_text = http_request_query(request, "limit");
    const char *after = http_request_query(request, "after");
    struct listing listing = {.step = page_step, .free = page_free, .more_us = PAGE_US};
    uint32_t job_id = 0, task_id = 0;
    uint64_t limit = PAGE_DEFAULT;

    if ((limit_text && units_parse_number(limit_text, 1, PAGE_MAX, &limit) < 0) ||
        (after && !task_id_parse(after, &job_id, &task_id))) {
        status_refuse(request, 400, TASK_E_INVALID,
                      "limit is a number from 1 to 1000, after is JOB.TASK");
        return;
    }
    listing.arg = page_new(agent, job_id, task_id, (size_t) limit);
    if (listing.arg)
        listings_add(agent->listings, &listing, request);
    else
        status_reply(request, 500, NULL);
}
