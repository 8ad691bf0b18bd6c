#pragma once

/*
 * gate.h - the N-th call of this very program to the kernel or for memory fails: the linker puts
 * gate.c's functions in the place of libc's (fault.cmake lists them), for our objects alone.
 */
#include <stdbool.h>

/* From now on calls are counted, and the @nth (from 1) fails. */
void gate_arm(int nth);
/* From now on none fails. The name of what did, or NULL: there are fewer calls. */
const char *gate_disarm(void);
