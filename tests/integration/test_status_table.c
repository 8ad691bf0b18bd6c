/* The table of section 3 of the design, cell by cell, as quellctl shows it. */
#include "tests/integration/await.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

TestSuite(status_table, .fini = worlds_close, .timeout = 300);

enum kind { /* what a task is when the verb comes */
            NOT_SUBMITTED,
            QUEUED_AWAY, /* its node can't have it */
            QUEUED_THERE,
            RUNNING,
            FINISHED,
            FAILED,
            CANCELLED,
            KIND_COUNT,
};

static const char *const kind_names[KIND_COUNT] = {
    [NOT_SUBMITTED] = "NotSubmitted",
    [QUEUED_AWAY] = "Queued, not at the node",
    [QUEUED_THERE] = "Queued at the node",
    [RUNNING] = "Running",
    [FINISHED] = "Finished",
    [FAILED] = "Failed",
    [CANCELLED] = "Cancelled",
};

struct cell {
    const char *verb;
    enum kind kind;
    const char *refusal; /* its number, or NULL */
    /* "Status" or "Status ATTEMPT": while the node is held still, and when it is not any more. */
    const char *at_once;
    const char *at_last;
    const char *ended; /* how the attempt before ended, when there is one */
    bool pending;      /* at once, a cancel is recorded and the node has still to confirm */
};

#define WRONG   "0x8007139F"
#define TOO_OLD "0x80040209"

static const struct cell cells[] = {
    {"submit", NOT_SUBMITTED, NULL, "Queued", "Running", NULL, false},
    {"submit", QUEUED_AWAY, WRONG, "Queued", "Queued", NULL, false},
    {"submit", QUEUED_THERE, WRONG, "Queued", "Queued", NULL, false},
    {"submit", RUNNING, WRONG, "Running", "Running", NULL, false},
    {"submit", FINISHED, WRONG, "Finished", "Finished", NULL, false},
    {"submit", FAILED, WRONG, "Failed", "Failed", NULL, false},
    {"submit", CANCELLED, WRONG, "Cancelled", "Cancelled", NULL, false},
    {"cancel", NOT_SUBMITTED, NULL, "Cancelled", "Cancelled", NULL, false},
    {"cancel", QUEUED_AWAY, NULL, "Cancelled", "Cancelled", NULL, false},
    {"cancel", QUEUED_THERE, NULL, "Queued", "Cancelled", NULL, true},
    {"cancel", RUNNING, NULL, "Running", "Cancelled", NULL, true},
    {"cancel", FINISHED, TOO_OLD, "Finished", "Finished", NULL, false},
    {"cancel", FAILED, TOO_OLD, "Failed", "Failed", NULL, false},
    {"cancel", CANCELLED, TOO_OLD, "Cancelled", "Cancelled", NULL, false},
    {"requeue", NOT_SUBMITTED, WRONG, "NotSubmitted", "NotSubmitted", NULL, false},
    {"requeue", QUEUED_AWAY, WRONG, "Queued", "Queued", NULL, false},
    {"requeue", QUEUED_THERE, WRONG, "Queued", "Queued", NULL, false},
    {"requeue", RUNNING, NULL, "Running", "Running 1", "Cancelled", true},
    {"requeue", FINISHED, WRONG, "Finished", "Finished", NULL, false},
    {"requeue", FAILED, NULL, "Queued 1", "Running 1", "Failed", false},
    {"requeue", CANCELLED, NULL, "Queued 1", "Running 1", "Cancelled", false},
};

struct seen { /* of one cell, for the table that is printed */
    int exit;
    char refusal[16];
    char at_once[64];
    char at_last[64];
    char sentence[256];
};

/* ---- a task of each kind ---- */

struct stage {           /* where the cells are played */
    struct world *world; /* with n1, and with n2, which the head has not heard of since its start */
    struct world *crowded; /* whose n1 runs one task at a time, and runs it */
    int row;
};

static struct world *make_world_with_a_node_away(void)
{
    struct world *w = world_open(2);

    program_end(&w->agents[1].program);
    program_end(&w->agents[0].program);
    program_end(&w->head);
    head_start(w);
    agent_start(&w->agents[0]);
    return w;
}

static struct world *make_crowded_world(void)
{
    struct world *w = world_make("[tasks]\nmax_running = 1\n");

    head_start(w);
    agent_start(&w->agents[0]);
    (void) submit_fighter(w, "n1", 1);
    return w;
}

/* Adds a task whose each attempt exits with @code as soon as a line is in the FIFO "go-ROW". */
static const char *add_waiting(struct world *w, const char *node, int row, int code)
{
    const struct ctl answer = ctl(
        w, "add", "-n", node, "--user", "nobody", "--env", w->mark, "--", program_in(w, "actor"),
        keepf(w, "read=%s", path_in(w, keepf(w, "go-%d", row))), keepf(w, "exit=%d", code));

    cr_assert_eq(answer.status, 0, "add: %s", answer.err);
    return keepf(w, "%.*s", (int) strcspn(answer.out, "\n"), answer.out);
}

static void submit_added(struct world *w, const char *id)
{
    const struct ctl answer = ctl(w, "submit", id);

    cr_assert_eq(answer.status, 0, "submit: %s", answer.err);
}

static struct world *world_for(const struct stage *stage, enum kind kind)
{
    return kind == QUEUED_THERE ? stage->crowded : stage->world;
}

/* The task is of this kind when it returns. */
static const char *bring_to(struct stage *stage, enum kind kind)
{
    struct world *w = world_for(stage, kind);
    const int go = fifo_in(w, keepf(w, "go-%d", stage->row));
    const char *id = add_waiting(w, kind == QUEUED_AWAY ? "n2" : "n1", stage->row, kind == FAILED);

    if (kind == NOT_SUBMITTED)
        return id;
    submit_added(w, id);
    if (kind == QUEUED_AWAY)
        return id;
    if (kind == QUEUED_THERE) {
        await_at_node(&w->agents[0], id, 0);
        return id;
    }
    await_status(w, id, 0, "TaskStatus_Running");
    if (kind == CANCELLED)
        cancel(w, id, "--grace", "0");
    else if (kind != RUNNING)
        cr_assert_eq(write(go, "go\n", 3), 3);
    if (kind != RUNNING)
        (void) task_wait(w, id);
    return id; /* the FIFO stays open: without a writer it would be at its end */
}

/* ---- what is seen ---- */

/* "Running", or of a later attempt "Running 1". */
static const char *status_of(struct world *w, const json_t *task)
{
    const char *name = text_at(task, "status") + strlen("TaskStatus_");
    const int attempt = (int) number_at(task, "attempt");

    return attempt == 0 ? name : keepf(w, "%s %d", name, attempt);
}

static json_t *show(struct world *w, const char *id)
{
    const struct ctl answer = ctl(w, "--json", "show", id);

    cr_assert_eq(answer.status, 0, "show: %s", answer.err);
    return keep_json(w, json_loads(answer.out, 0, NULL));
}

/* Waits for the status that the cell ends with. */
static void await_last(struct world *w, const char *id, const struct cell *cell)
{
    if (strcmp(cell->at_last, cell->at_once) == 0)
        return;
    if (strncmp(cell->at_last, "Running", 7) == 0)
        await_status(w, id, cell->ended != NULL, "TaskStatus_Running");
    else
        (void) task_wait(w, id);
}

/* One line on stderr: `quellctl: 7.1: error 0x8007139F: sentence` */
static void take_refusal(const struct ctl *answer, const char *id, struct seen *seen)
{
    const char *number = strstr(answer->err, "error 0x");
    const char *sentence = number ? strstr(number, ": ") : NULL;

    cr_assert_not_null(sentence, "%s", answer->err);
    assert_has(answer->err, id);
    (void) snprintf(seen->refusal, sizeof(seen->refusal), "%.10s", number + strlen("error "));
    (void) snprintf(seen->sentence, sizeof(seen->sentence), "%.*s",
                    (int) strcspn(sentence + 2, "\n"), sentence + 2);
}

static void assert_pending(struct world *w, const struct cell *cell, const json_t *task)
{
    const bool cancelled = cell->pending || strcmp(cell->at_once, "Cancelled") == 0;

    cr_assert_eq(!null_at(task, "cancel_time"), cancelled, "%s", dump(w, task));
    if (cell->pending && strcmp(cell->verb, "requeue") == 0)
        assert_text(w, task, "requeue_node", "n1");
    else
        assert_null(w, task, "requeue_node");
}

static void assert_attempts(struct world *w, const struct cell *cell, const json_t *task)
{
    const json_t *attempts = at(task, "attempts");

    cr_assert_eq(json_array_size(attempts), cell->ended ? 1 : 0, "%s", dump(w, task));
    if (!cell->ended)
        return;
    assert_number(w, json_array_get(attempts, 0), "attempt", 0);
    assert_text(w, json_array_get(attempts, 0), "status", keepf(w, "TaskStatus_%s", cell->ended));
    cr_assert(!null_at(json_array_get(attempts, 0), "proof"), "%s", dump(w, task));
}

/* A refusal names the task, its status and the rule, and changes nothing. */
static void assert_refused(struct world *w, const struct seen *seen, const char *id,
                           const json_t *before)
{
    assert_has(seen->sentence, id);
    assert_has(seen->sentence, text_at(before, "status"));
    cr_assert_gt(strlen(seen->sentence),
                 strlen(id) + strlen(text_at(before, "status")) + strlen("task  is : "), "%s",
                 seen->sentence);
    cr_assert(json_equal(before, show(w, id)), "a refusal has changed something");
}

static void play(struct stage *stage, const struct cell *cell, struct seen *seen)
{
    struct world *w = world_for(stage, cell->kind);
    const char *id = bring_to(stage, cell->kind);
    const json_t *before = show(w, id);
    struct ctl answer;

    *seen = (struct seen){.refusal = "-", .sentence = "-"};
    program_signal(&w->agents[0].program, SIGSTOP);
    if (strcmp(cell->verb, "submit") == 0)
        answer = ctl(w, "submit", id);
    else
        answer = ctl(w, cell->verb, id, "--grace", "0");
    seen->exit = answer.status;
    (void) snprintf(seen->at_once, sizeof(seen->at_once), "%s", status_of(w, show(w, id)));
    if (answer.status != 0) {
        take_refusal(&answer, id, seen);
        assert_refused(w, seen, id, before);
    } else if (strcmp(cell->verb, "submit") != 0) {
        assert_pending(w, cell, show(w, id));
    }
    program_signal(&w->agents[0].program, SIGCONT);
    await_last(w, id, cell);
    (void) snprintf(seen->at_last, sizeof(seen->at_last), "%s", status_of(w, show(w, id)));
    if (answer.status == 0)
        assert_attempts(w, cell, show(w, id));
}

static void print_row(const struct cell *cell, const struct seen *seen)
{
    (void) printf("| %-7s | %-23s | %-4d | %-10s | %-12s | %-12s | %s |\n", cell->verb,
                  kind_names[cell->kind], seen->exit, seen->refusal, seen->at_once, seen->at_last,
                  seen->sentence);
}

static bool as_expected(const struct cell *cell, const struct seen *seen)
{
    return seen->exit == (cell->refusal ? 1 : 0) &&
           strcmp(seen->refusal, cell->refusal ? cell->refusal : "-") == 0 &&
           strcmp(seen->at_once, cell->at_once) == 0 && strcmp(seen->at_last, cell->at_last) == 0;
}

Test(status_table, each_cell_is_what_the_design_says_as_seen_through_quellctl)
{
    struct seen seen[sizeof(cells) / sizeof(cells[0])];
    struct stage stage = {.world = make_world_with_a_node_away(), .crowded = make_crowded_world()};

    for (stage.row = 0; stage.row < (int) (sizeof(cells) / sizeof(cells[0])); stage.row++)
        play(&stage, &cells[stage.row], &seen[stage.row]);
    (void) printf("| %-7s | %-23s | %-4s | %-10s | %-12s | %-12s | %s |\n", "verb", "status",
                  "exit", "refusal", "at once", "then", "sentence");
    (void) printf("|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
        print_row(&cells[i], &seen[i]);
    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
        cr_expect(as_expected(&cells[i], &seen[i]), "row %zu: %s of a task that is %s", i + 1,
                  cells[i].verb, kind_names[cells[i].kind]);
}
