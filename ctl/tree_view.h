#pragma once

/*
 * tree_view.h - the live processes of a task, drawn as a tree. Pure: it writes to a stream.
 * A process whose parent is not in the list is a root. False: out of memory.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* @object: the answer of GET /v1/tasks/J.T/processes. */
bool tree_view_print(FILE *out, const json_t *object);
