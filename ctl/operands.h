#pragma once

/* operands.h - whether a command line fits its verb. Pure. */
#include "ctl/args.h"

/* -EINVAL: @err says what is missing, or is too much. */
int operands_check(const struct args *args, struct err *err);
