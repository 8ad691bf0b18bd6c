#include "ctl/verbs.h"

#include "ctl/args.h"

#include <string.h>

#define OPTIONS_OF_A_TASK                                                                          \
    "  -n NODE               where it runs\n"                                                      \
    "  -J JOB                its job; without it a new job\n"                                      \
    "  -T TASK               its number within the job; without it the next\n"                     \
    "  --name S              a name for people\n"                                                  \
    "  --user U              who it runs as (root may name another user)\n"                        \
    "  --workdir DIR         where it starts; else the user's home\n"                              \
    "  --stdin F, --stdout F, --stderr F\n"                                                        \
    "                        its files, opened as the user\n"                                      \
    "  --env K=V             one more variable of its environment; may be repeated\n"              \
    "  --runtime DUR         it is ended after this time\n"                                        \
    "  --memory SIZE         memory limit: bytes, or 64K, 64M, 2G\n"                               \
    "  --cpus N              CPU limit: 2, 0.5\n"                                                  \
    "  --pids N              how many processes and threads it may have\n"                         \
    "  --grace DUR           from SIGTERM to the kill, when it is cancelled\n"                     \
    "  --not-rerunnable      it must not be requeued\n"                                            \
    "  --wait                wait until it has ended\n"                                            \
    "  --cgroup PATH         in place of a command (root, operators): the processes of a group\n"  \
    "                        that another program made, by its path in /proc/PID/cgroup\n"

static const struct verb verbs[] = {
    {
        .name = "add",
        .operands = VERB_COMMAND,
        .options = ARGS_NEW | ARGS_WAIT,
        .syntax = "-n NODE [-J JOB] [-T TASK] [options] -- COMMAND [ARG...]",
        .help = "Adds a task, to be submitted later. Prints JOB.TASK.\n\n" OPTIONS_OF_A_TASK,
        .run = verb_add,
    },
    {
        .name = "submit",
        .operands = VERB_COMMAND_OR_IDS,
        .options = ARGS_NEW | ARGS_WAIT,
        .syntax = "-n NODE [-J JOB] [-T TASK] [options] -- COMMAND [ARG...] | JOB.TASK...",
        .help = "Adds a task and submits it, or submits tasks that were added. Prints JOB.TASK.\n"
                "\n" OPTIONS_OF_A_TASK,
        .run = verb_submit,
    },
    {
        .name = "cancel",
        .operands = VERB_IDS_OR_JOB,
        .options = ARGS_JOB | ARGS_MESSAGE | ARGS_GRACE | ARGS_WAIT,
        .syntax = "JOB.TASK... | -J JOB [-m MESSAGE] [--grace DUR] [--wait]",
        .help = "Ends tasks: SIGTERM, the grace period, then the kill.\n\n"
                "  -J JOB                all tasks of the job that have not ended\n"
                "  -m MESSAGE            why: at most 320 characters, shown with the task\n"
                "  --grace DUR           from SIGTERM to the kill; 0 kills at once\n"
                "  --wait                wait until they have ended\n",
        .run = verb_cancel,
    },
    {
        .name = "requeue",
        .operands = VERB_IDS,
        .options = ARGS_NODE | ARGS_GRACE,
        .syntax = "JOB.TASK... [-n NODE] [--grace DUR]",
        .help = "Queues tasks again, as their next attempt. One that runs is ended first, as by a\n"
                "cancel; the next attempt starts when the proof of its end has come.\n\n"
                "  -n NODE               where it runs next; without it on the same node\n"
                "  --grace DUR           from SIGTERM to the kill; 0 kills at once\n",
        .run = verb_requeue,
    },
    {
        .name = "peek",
        .operands = VERB_ONE_ID,
        .syntax = "JOB.TASK",
        .help = "Prints the last bytes of a task's output, read on its node as its user: for its\n"
                "owner, root and the operators. What is not printable is escaped.\n",
        .run = verb_peek,
    },
    {
        .name = "show",
        .operands = VERB_ONE_ID,
        .syntax = "JOB.TASK",
        .help = "Shows all that is known of a task.\n",
        .run = verb_show,
    },
    {
        .name = "list",
        .operands = VERB_NONE,
        .options = ARGS_JOB | ARGS_NODE | ARGS_STATUS,
        .syntax = "[-J JOB] [-n NODE] [-s STATUS]",
        .help = "Lists tasks.\n\n"
                "  -J JOB                of this job\n"
                "  -n NODE               on this node\n"
                "  -s STATUS             NotSubmitted, Queued, Running, Finished, Failed or\n"
                "                        Cancelled\n",
        .run = verb_list,
    },
    {
        .name = "wait",
        .operands = VERB_IDS,
        .syntax = "JOB.TASK...",
        .help = "Waits until all of them have ended, and none is to be queued again.\n",
        .run = verb_wait,
    },
    {
        .name = "events",
        .target = VERB_EITHER,
        .operands = VERB_NONE,
        .options = ARGS_FOLLOW | ARGS_AFTER,
        .syntax = "[--follow] [--after ID]",
        .help =
            "Prints a line for each change of a task's status: when, JOB.TASK.ATTEMPT, status,\n"
            "node, and how it ended. Asks the head, with --agent PATH the agent of a node.\n\n"
            "  --follow              go on with those to come, until interrupted\n"
            "  --after ID            only those after the event of this number (with --json:\n"
            "                        event_id); without it all that are kept\n",
        .run = verb_events,
    },
    {
        .name = "nodes",
        .operands = VERB_NONE,
        .syntax = "",
        .help = "Lists the nodes.\n",
        .run = verb_nodes,
    },
    {
        .name = "status",
        .target = VERB_AGENT,
        .operands = VERB_NONE,
        .syntax = "",
        .help = "Shows this node's agent: its head, its connection, its tasks.\n",
        .run = verb_status,
    },
    {
        .name = "tasks",
        .target = VERB_AGENT,
        .operands = VERB_NONE,
        .syntax = "",
        .help = "Lists the tasks that are on this node.\n",
        .run = verb_tasks,
    },
    {
        .name = "ps",
        .target = VERB_AGENT,
        .operands = VERB_MAYBE_ID,
        .options = ARGS_WATCH,
        .syntax = "[JOB.TASK] [--watch]",
        .help =
            "Shows the live process tree of a task, or of each.\n\n"
            "  --watch               again every 2 s, until interrupted or the task has ended\n",
        .run = verb_ps,
    },
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; i < VERBS; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static void print_verbs(FILE *out, enum verb_target target)
{
    for (size_t i = 0; i < VERBS; i++)
        if (verbs[i].target == target || verbs[i].target == VERB_EITHER)
            (void) fprintf(out, "  %-8s%s\n", verbs[i].name, verbs[i].syntax);
}

void verb_print_help(FILE *out, const struct verb *verb)
{
    if (verb) {
        (void) fprintf(out, "quellctl %s%s%s\n\n%s", verb->name, *verb->syntax ? " " : "",
                       verb->syntax, verb->help);
        return;
    }
    (void) fputs("quellctl [--head PATH | --agent PATH] [--json] VERB ...\n"
                 "quellctl VERB --help\n"
                 "quellctl --version\n"
                 "\nVerbs for quell-head ($QUELL_HEAD or --head names its socket):\n",
                 out);
    print_verbs(out, VERB_HEAD);
    (void) fputs("\nVerbs for the agent of this node ($QUELL_AGENT or --agent names its socket):\n",
                 out);
    print_verbs(out, VERB_AGENT);
    (void) fputs("\nDUR is 0, 500ms, 15s, 2m, 1h or 1h30m; SIZE is bytes or 64K, 64M, 2G.\n"
                 "Exit: 0 done, 1 refused, 2 usage, 3 no answer from the socket; wait and --wait:\n"
                 "0 all Finished, 4 one Failed, 5 one Cancelled and none Failed.\n",
                 out);
}
