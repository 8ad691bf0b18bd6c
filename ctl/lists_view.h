#pragma once

/* lists_view.h - tasks, nodes and the agent's status, for people. Pure: it writes to a stream.
   False: out of memory. */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

bool lists_view_tasks(FILE *out, const json_t *tasks); /* of the head */
bool lists_view_nodes(FILE *out, const json_t *nodes);
bool lists_view_agent_tasks(FILE *out, const json_t *tasks); /* of an agent */
void lists_view_agent(FILE *out, const json_t *node);        /* GET /v1/node */
