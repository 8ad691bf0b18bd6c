#pragma once

/* task_view.h - tasks, their events and nodes as the JSON objects that users see. New references.
 */
#include "libquell/quell.h"

#include <jansson.h>

json_t *task_view(const struct quell_task *task);
json_t *event_view(const struct quell_event *event);
json_t *node_view(const struct quell_node *node);
