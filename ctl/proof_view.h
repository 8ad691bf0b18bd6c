#pragma once

/* proof_view.h - the proof of a task's end, as a timeline. Pure: it writes to a stream. */
#include <jansson.h>
#include <stdio.h>

/* Nothing for a task without a proof. */
void proof_view_print(FILE *out, const json_t *task);
