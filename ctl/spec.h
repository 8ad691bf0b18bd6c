#pragma once

/* spec.h - what the command line says, as the JSON that the head takes. Pure. */
#include "base/err.h"
#include "ctl/args.h"

#include <jansson.h>
#include <stdbool.h>

/* The body of POST /v1/tasks as a new reference; NULL with @err: -EILSEQ for text that is not
 * UTF-8, -ENOMEM. */
json_t *spec_new_task(const struct args *args, bool submit, struct err *err);
/* The body of a cancel, and of a requeue, likewise. */
json_t *spec_cancel(const struct args *args, struct err *err);
json_t *spec_requeue(const struct args *args, struct err *err);
