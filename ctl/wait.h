#pragma once

/* wait.h - until tasks have ended. The server holds the question until then: nothing here sleeps.
 */
#include <jansson.h>
#include <stdint.h>

struct ctl;

/* The task's object once it has ended, as a new reference, with its status noted for the exit
   status; NULL when it was refused, or no answer came. */
json_t *wait_for_task(struct ctl *ctl, uint32_t job_id, uint32_t task_id);
/* Replaces each task of the array @tasks by what it has become, as far as there are answers. */
void wait_for_all(struct ctl *ctl, json_t *tasks);
