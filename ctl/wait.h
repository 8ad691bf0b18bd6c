#pragma once

/*
 * wait.h - until tasks have ended, and none is to be Queued again. The server holds the question
 * until then: nothing here sleeps. A person at a terminal sees what is waited for.
 */
#include <jansson.h>
#include <stdbool.h>

struct ctl;

/* Replaces each task of the array @tasks (of which only the numbers are looked at) by what it has
   become, as far as there are answers, and notes its status for the exit status. @print: a line for
   each as soon as it is known. */
void wait_for_all(struct ctl *ctl, json_t *tasks, bool print);
