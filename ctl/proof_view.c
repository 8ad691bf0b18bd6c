#include "ctl/proof_view.h"

#include "ctl/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum step_kind {
    STEP_FIRST,
    STEP_RECEIVED,
    STEP_TERM,
    STEP_KILL,
    STEP_EMPTY,
    STEP_REAPED,
    STEP_RECORDED
};

struct step {
    enum step_kind kind;
    const char *key; /* in "us" */
    int64_t us;
};

static const struct step all_steps[] = {
    {STEP_FIRST, NULL, 0},          {STEP_RECEIVED, "received", 0}, {STEP_TERM, "term", 0},
    {STEP_KILL, "kill", 0},         {STEP_EMPTY, "empty", 0},       {STEP_REAPED, "reaped", 0},
    {STEP_RECORDED, "recorded", 0},
};
#define STEPS (sizeof(all_steps) / sizeof(all_steps[0]))

/* By time; steps of the same microsecond keep the order in which they happen. */
static int compare_steps(const void *a, const void *b)
{
    const struct step *x = a;
    const struct step *y = b;

    if (x->us != y->us)
        return x->us < y->us ? -1 : 1;
    return (int) x->kind - (int) y->kind;
}

/* The steps that happened. The first of an ending that no cancel began has no name in the proof:
   its time is 0. */
static size_t collect_steps(const json_t *us, struct step ret[STEPS])
{
    size_t count = 0;
    int64_t value;

    for (size_t i = 0; i < STEPS; i++) {
        if (all_steps[i].kind == STEP_FIRST)
            value = 0;
        else if (!text_get_number(us, all_steps[i].key, &value))
            continue;
        if (all_steps[i].kind == STEP_RECEIVED && value == 0)
            count--; /* the cancel is the first step */
        ret[count] = all_steps[i];
        ret[count++].us = value;
    }
    qsort(ret, count, sizeof(*ret), compare_steps);
    return count;
}

static bool is(const json_t *object, const char *key, const char *value)
{
    const char *text = text_get_string(object, key);

    return text && strcmp(text, value) == 0;
}

static void print_step(FILE *out, const struct step *step, const json_t *task, const json_t *proof)
{
    int64_t count;

    (void) fprintf(out, "  %12" PRId64 ".%03d ms  ", step->us / 1000, (int) (step->us % 1000));
    switch (step->kind) {
    case STEP_FIRST:
        (void) fputs(is(task, "cause", "time_limit") ? "time limit reached" : "the program ended",
                     out);
        break;
    case STEP_RECEIVED:
        (void) fputs("cancel received", out);
        break;
    case STEP_TERM:
        (void) fputs("SIGTERM to ", out);
        if (text_get_number(proof, "signals_sent", &count))
            text_write_plural(out, count, "process", "processes");
        else
            (void) fputs("every process", out);
        break;
    case STEP_KILL:
        (void) fputs(is(proof, "method", "v1_freezer") ? "frozen, SIGKILL to each, thawed"
                                                       : "cgroup.kill",
                     out);
        break;
    case STEP_EMPTY:
        (void) fputs("empty: the kernel says that nothing is left", out);
        break;
    case STEP_REAPED:
        (void) fputs("reaped, no descendant left", out);
        break;
    case STEP_RECORDED:
        (void) fputs("recorded", out);
        break;
    }
    (void) fputc('\n', out);
}

/* "cgroup_kill, 50 processes at the kill, 0 escaped, cgroup inode 4711, boot 1b4e28ba" */
static void print_summary(FILE *out, const json_t *proof)
{
    const char *boot_id = text_get_string(proof, "boot_id");
    int64_t value;

    (void) fprintf(out, "  %-11s ", "proof");
    text_write_field(out, proof, "method");
    if (text_get_number(proof, "processes_at_kill", &value)) {
        (void) fputs(", ", out);
        text_write_plural(out, value, "process at the kill", "processes at the kill");
    }
    if (text_get_number(proof, "escaped", &value))
        (void) fprintf(out, ", %" PRId64 " escaped", value);
    else
        (void) fputs(", escaped not known", out);
    if (text_get_number(proof, "cgroup_inode", &value))
        (void) fprintf(out, ", cgroup inode %" PRId64, value);
    if (boot_id) {
        (void) fputs(", boot ", out);
        text_write(out, boot_id, strcspn(boot_id, "-"));
    }
    (void) fputc('\n', out);
}

void proof_view_print(FILE *out, const json_t *task)
{
    const json_t *proof = json_object_get(task, "proof");
    const json_t *us = json_object_get(proof, "us");
    struct step steps[STEPS];
    size_t count;

    if (!json_is_object(proof))
        return;
    print_summary(out, proof);
    if (is(proof, "method", "never_started"))
        return;
    count = collect_steps(us, steps);
    for (size_t i = 0; i < count; i++)
        print_step(out, &steps[i], task, proof);
}
