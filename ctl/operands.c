#include "ctl/operands.h"

#include "ctl/verbs.h"

#include <errno.h>

static int check_operands(const struct args *args, struct err *err)
{
    const struct verb *verb = args->verb;
    bool with_job = args->given & ARGS_JOB;

    switch (verb->operands) {
    case VERB_NONE:
        return 0;
    case VERB_ONE_ID:
        if (args->ids_len != 1)
            return err_set(err, -EINVAL, "%s needs one JOB.TASK", verb->name);
        return 0;
    case VERB_MAYBE_ID:
        if (args->ids_len > 1)
            return err_set(err, -EINVAL, "%s takes one JOB.TASK at most", verb->name);
        return 0;
    case VERB_IDS:
        if (args->ids_len == 0)
            return err_set(err, -EINVAL, "%s needs at least one JOB.TASK", verb->name);
        return 0;
    case VERB_IDS_OR_JOB:
        if ((args->ids_len > 0) == with_job)
            return err_set(err, -EINVAL, "%s needs either JOB.TASK... or -J JOB", verb->name);
        return 0;
    case VERB_COMMAND_OR_IDS:
        if (args->ids_len > 0 && (args->command_len > 0 || (args->given & ARGS_NEW)))
            return err_set(err, -EINVAL,
                           "%s takes either JOB.TASK... of tasks that were added, or the options "
                           "and the command of a new one",
                           verb->name);
        if (args->ids_len > 0)
            return 0;
        break;
    case VERB_COMMAND:
        break;
    }
    if (!(args->given & ARGS_NODE))
        return err_set(err, -EINVAL, "%s needs -n NODE: Quell places nothing by itself",
                       verb->name);
    if ((args->given & ARGS_CGROUP) && args->command_len > 0)
        return err_set(err, -EINVAL, "%s takes either --cgroup PATH or a command, not both",
                       verb->name);
    if (args->command_len == 0 && !(args->given & ARGS_CGROUP))
        return err_set(err, -EINVAL, "%s needs a command behind \"--\"", verb->name);
    return 0;
}

static int check_target(const struct args *args, struct err *err)
{
    if ((args->given & ARGS_HEAD) && (args->given & ARGS_AGENT))
        return err_set(err, -EINVAL, "either --head or --agent, not both");
    if (args->verb->target == VERB_AGENT && (args->given & ARGS_HEAD))
        return err_set(err, -EINVAL, "%s asks the agent of a node: --agent PATH, not --head",
                       args->verb->name);
    if (args->verb->target == VERB_HEAD && (args->given & ARGS_AGENT))
        return err_set(err, -EINVAL, "%s asks the head: --head PATH, not --agent",
                       args->verb->name);
    return 0;
}

int operands_check(const struct args *args, struct err *err)
{
    int r = check_target(args, err);

    return r < 0 ? r : check_operands(args, err);
}
