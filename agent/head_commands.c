/* head_commands.c - an answer with commands: taken in slices, for each is recorded on the disk. */
#include "agent/head_link_impl.h"

#include "agent/agent.h"
#include "agent/peek.h"
#include "agent/slice.h"
#include "agent/task.h"
#include "base/log.h"

#include <assert.h>
#include <event2/event.h>

void head_commands_drop(struct head_link *link)
{
    if (link->commands)
        quell__pb__commands__free_unpacked(link->commands, NULL);
    link->commands = NULL;
    link->commands_taken = 0;
    (void) event_del(link->taking);
}

static void head_commands_end(struct head_link *link)
{
    head_commands_drop(link);
    link->asked = false;
    if (link->held)
        head_link_schedule(link, HEAD_HOLD_US);
    event_active(link->agent->round, 0, 0);
}

void head_commands_on_taking(int fd, short what, void *arg)
{
    struct head_link *link = arg;
    const Quell__Pb__Commands *commands = link->commands;
    const uint64_t slice = slice_begin();

    (void) fd;
    (void) what;
    head_link_wait_for_word(link); /* nothing is asked meanwhile, so the head has nothing to say */
    while (link->commands_taken < commands->n_commands) {
        struct err err = {0};

        if (slice_is_over(slice)) {
            slice_next(link->taking);
            return;
        }
        if (task_command(link->agent, commands->commands[link->commands_taken++], &err) == 0)
            continue;
        log_warning("a command of the head could not be taken, it will come again: %s", err.text);
        link->held = true;
    }
    head_commands_end(link);
}

void head_commands_take(struct head_link *link, Quell__Pb__Reply *reply)
{
    assert(!link->commands); /* no more is asked for while they are taken */
    link->commands = reply->commands;
    reply->body_case = QUELL__PB__REPLY__BODY__NOT_SET;
    reply->commands = NULL;
    for (size_t i = 0; i < link->commands->n_peeks; i++)
        peek_begin(link->agent->peeks, link->commands->peeks[i]);
    head_commands_on_taking(-1, 0, link);
}
