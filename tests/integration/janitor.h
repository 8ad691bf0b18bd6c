#pragma once

/*
 * janitor.h - a process beside the test that clears up behind it, also when the test fails, crashes
 * or is killed: it waits for the end of the test's pipe, then ends and removes all that is left.
 */
#include <sys/types.h>

struct janitor {
    pid_t pid;
    int fd; /* the writing end; what is written are the names of groups, a line each */
};

/* @dir: the world's directory. Its daemons carry JANITOR_DAEMON and its tasks JANITOR_TASK with
   that value in their environment. */
#define JANITOR_DAEMON "QUELL_TEST_DAEMON"
#define JANITOR_TASK   "QUELL_TEST_TASK"
void janitor_start(struct janitor *j, const char *dir);
void janitor_note_group(const struct janitor *j, const char *name);
/* Lets it work, and waits. Not 0 when something could not be removed: it has said what. */
int janitor_finish(struct janitor *j);

/* Calls @each with the pid of every process, but zombies, whose environment has all @marks
   ("NAME=value", ends with NULL). Returns how many. */
int processes_marked(const char *const *marks, void (*each)(pid_t pid, void *arg), void *arg);
