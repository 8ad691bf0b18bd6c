#pragma once

/*
 * peek.h - the end of a task's output for the head: read by a helper process as the task's user, so
 * that nothing of root's is given away and a file system that hangs stops nobody.
 */
#include "quell.pb-c.h"

struct agent;
struct peeks; /* those under way */

struct peeks *peeks_new(struct agent *agent);  /* NULL: no memory */
struct peeks *peeks_free(struct peeks *peeks); /* accepts NULL, returns NULL */

/* Takes what it needs of @question. The answer goes to the head by itself. */
void peek_begin(struct peeks *peeks, const Quell__Pb__Peek *question);

/* ---- the helper's side: peek_helper.c ---- */

#define PEEK_FLAG "--peek"

/* Reads a packed Peek from standard input, becomes its user, and writes a packed Peeked to standard
   output. Returns an exit status. */
int peek_main(void);
