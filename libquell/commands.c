/*
 * commands.c - what the head wants of a node, packed into one answer of bounded size.
 *
 * Two large answers back to back may vanish in nanomsg, so that one is at most ENVELOPE_MAX and
 * says when there is more.
 */
#include "libquell/quell_impl.h"

#include "ipc/envelope.h"

#include <stdlib.h>
#include <string.h>

#define COMMANDS_BYTES_MAX (ENVELOPE_MAX - ENVELOPE_ROOM)
#define COMMAND_HEAD_MAX   6u /* tag and length of one in the list */

enum { BATCH_FULL = 1, BATCH_FAILED = 2 };

struct batch {
    struct arena arena;
    Quell__Pb__Command **commands;
    size_t len;
    size_t size;
    size_t bytes;
};

static void *batch_alloc(void *arg, size_t size)
{
    struct batch *batch = arg;

    return arena_alloc(&batch->arena, size);
}

static void batch_free(void *arg, void *memory)
{
    (void) arg; /* all at once, with the arena */
    (void) memory;
}

static Quell__Pb__Cancel *copy_cancel(struct batch *batch, const struct task_cancel *cancel)
{
    Quell__Pb__Cancel *pb = arena_alloc(&batch->arena, sizeof(*pb));
    struct task_cancel *copy = arena_alloc(&batch->arena, sizeof(*copy));

    if (!pb || !copy)
        return NULL;
    *copy = *cancel;
    task_cancel_to_pb(copy, pb);
    return pb;
}

/* NULL: no memory, or a specification that can't be read. */
static Quell__Pb__Command *make_command(struct batch *batch, const struct store_command *from)
{
    ProtobufCAllocator allocator = {batch_alloc, batch_free, batch};
    Quell__Pb__Command *command = arena_alloc(&batch->arena, sizeof(*command));
    Quell__Pb__Name *name = arena_alloc(&batch->arena, sizeof(*name));

    if (!command || !name)
        return NULL;
    quell__pb__command__init(command);
    quell__pb__name__init(name);
    command->uid.data = (uint8_t *) arena_copy(&batch->arena, from->uid, TASK_UID_SIZE);
    command->uid.len = TASK_UID_SIZE;
    name->job_id = from->job_id;
    name->task_id = from->task_id;
    name->attempt = from->attempt;
    command->name = name;
    command->version = from->version;
    if (from->spec)
        command->start = quell__pb__spec__unpack(&allocator, from->spec_len, from->spec);
    if (from->cancel.accepted)
        command->cancel = copy_cancel(batch, &from->cancel);
    if (batch->arena.failed || (from->spec && !command->start))
        return NULL;
    return command;
}

static int add_command(void *arg, const struct store_command *from)
{
    struct batch *batch = arg;
    Quell__Pb__Command *command = make_command(batch, from);
    size_t bytes;

    if (!command)
        return BATCH_FAILED;
    bytes = quell__pb__command__get_packed_size(command) + COMMAND_HEAD_MAX;
    if (batch->bytes + bytes > COMMANDS_BYTES_MAX)
        return BATCH_FULL;
    if (batch->len == batch->size) {
        size_t size = batch->size ? 2 * batch->size : 8;
        Quell__Pb__Command **more = realloc(batch->commands, size * sizeof(Quell__Pb__Command *));

        if (!more)
            return BATCH_FAILED;
        batch->commands = more;
        batch->size = size;
    }
    batch->commands[batch->len++] = command;
    batch->bytes += bytes;
    return 0;
}

static void send_batch(struct quell *quell, const struct node_poll *poll, const struct batch *batch,
                       Quell__Pb__Peek **peeks, size_t peeks_len, bool more)
{
    Quell__Pb__Commands commands = QUELL__PB__COMMANDS__INIT;
    Quell__Pb__Reply reply = QUELL__PB__REPLY__INIT;

    commands.n_commands = batch->len;
    commands.commands = batch->commands;
    commands.more = more;
    commands.peeks = peeks;
    commands.n_peeks = peeks_len;
    reply.body_case = QUELL__PB__REPLY__BODY_COMMANDS;
    reply.commands = &commands;
    link_send(quell, &poll->route, poll->id, &reply);
}

int commands_send(struct quell *quell, const struct node *node, const struct node_poll *poll,
                  struct err *err)
{
    Quell__Pb__Peek *peeks[PEEKS_MAX];
    struct batch batch = {0};
    size_t peeks_len = 0;
    int r = store_each_command(quell->store, node->name, add_command, &batch, err);

    if (r == BATCH_FAILED)
        r = err_set(err, -ENOMEM, "a command for node %s could not be made", node->name);
    if (r >= 0)
        peeks_len = peek_take(quell, node, peeks, COMMANDS_BYTES_MAX - batch.bytes);
    if (r >= 0 && batch.len + peeks_len > 0)
        send_batch(quell, poll, &batch, peeks, peeks_len, r == BATCH_FULL);
    if (r >= 0)
        r = batch.len + peeks_len > 0 ? 0 : STORE_NONE;
    free(batch.commands);
    arena_done(&batch.arena);
    return r;
}

void commands_send_none(struct quell *quell, const struct node_poll *poll)
{
    static const struct batch none;

    send_batch(quell, poll, &none, NULL, 0, false);
}
