#pragma once

/* terminal.h - what is on the other side of a descriptor. */
#include <stdbool.h>
#include <stddef.h>

/* A terminal that understands "clear": not one whose TERM is "dumb", empty or not set. */
bool terminal_can_redraw(int fd);
/* How wide it is; 80 when it does not say. */
size_t terminal_columns(int fd);
