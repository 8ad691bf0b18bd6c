#include "tests/integration/await.h"

#include "tests/integration/stream.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static bool is_of(const json_t *event, const char *task, int attempt)
{
    char id[32];

    (void) snprintf(id, sizeof(id), "%d.%d", (int) number_at(event, "job_id"),
                    (int) number_at(event, "task_id"));
    return strcmp(id, task) == 0 && number_at(event, "attempt") == attempt;
}

/* @status: NULL for any. */
static void await_event(const char *socket_path, const char *task, int attempt, const char *status)
{
    struct stream *stream = stream_open(socket_path, "/v1/events", NULL);
    struct stream_event event;

    do
        cr_assert(stream_next(stream, &event), "%s: the events have ended", socket_path);
    while (!is_of(event.data, task, attempt) ||
           (status && strcmp(text_at(event.data, "status"), status) != 0));
    stream_close(stream);
}

void await_status(struct world *world, const char *task, int attempt, const char *status)
{
    await_event(world->head_socket, task, attempt, status);
}

void await_at_node(const struct agent *agent, const char *task, int attempt)
{
    await_event(agent->socket, task, attempt, NULL);
}
