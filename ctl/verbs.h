#pragma once

/* verbs.h - what quellctl can do, as one table. */
#include <stdint.h>
#include <stdio.h>

struct args;
struct ctl;

enum verb_target {
    VERB_HEAD,
    VERB_AGENT,
    VERB_EITHER, /* the head, but with --agent the agent */
};

enum verb_operands {
    VERB_NONE,
    VERB_ONE_ID,
    VERB_MAYBE_ID,
    VERB_IDS,
    VERB_IDS_OR_JOB, /* JOB.TASK... | -J JOB */
    VERB_COMMAND,    /* -n NODE -- COMMAND */
    VERB_COMMAND_OR_IDS,
};

struct verb {
    const char *name;
    enum verb_target target;
    enum verb_operands operands;
    uint32_t options;   /* of enum args_option, besides ARGS_ANYWHERE */
    const char *syntax; /* behind the name */
    const char *help;
    void (*run)(struct ctl *ctl, const struct args *args);
};

const struct verb *verb_find(const char *name); /* NULL: there is none */
/* Of @verb, or of the program when it is NULL. */
void verb_print_help(FILE *out, const struct verb *verb);

void verb_add(struct ctl *ctl, const struct args *args);
void verb_submit(struct ctl *ctl, const struct args *args);
void verb_cancel(struct ctl *ctl, const struct args *args);
void verb_requeue(struct ctl *ctl, const struct args *args);
void verb_peek(struct ctl *ctl, const struct args *args);
void verb_show(struct ctl *ctl, const struct args *args);
void verb_list(struct ctl *ctl, const struct args *args);
void verb_nodes(struct ctl *ctl, const struct args *args);
void verb_wait(struct ctl *ctl, const struct args *args);
void verb_events(struct ctl *ctl, const struct args *args);
void verb_status(struct ctl *ctl, const struct args *args);
void verb_tasks(struct ctl *ctl, const struct args *args);
void verb_ps(struct ctl *ctl, const struct args *args);
