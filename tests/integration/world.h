#pragma once

/*
 * world.h - a head and its agents, the real programs, in a directory of their own. Whatever happens
 * to the test, nothing of a world is left behind (janitor.h).
 *
 * What goes wrong ends the test, with a sentence and the logs. A test file's suite has
 * `.fini = worlds_close`.
 */
#include "tests/integration/janitor.h"
#include "tests/integration/program.h"

#include <jansson.h>
#include <stdbool.h>

#define WORLD_AGENTS_MAX 2

struct agent {
    struct program program;
    struct world *world; /* borrowed */
    const char *node;
    char socket[128];
    char group[512];            /* the path of its own group, below which its tasks' are */
    const char *const *wrapper; /* what it is run by, such as strace; NULL: nothing */
};

struct world {
    char dir[64];
    char mark[128]; /* in the environment of each task, "NAME=value" */
    char head_socket[128];
    char head_url[128];
    struct program head;
    struct agent agents[WORLD_AGENTS_MAX];
    struct janitor janitor;
    json_t *kept; /* texts and objects that were returned, freed with the world */
    struct world *next;
};

/* With a head that listens and, of agents n1 and n2, the first @agents connected. */
struct world *world_open(size_t agents);
/* With nothing started; @agent_config: what is in quelld's configuration, or NULL. */
struct world *world_make(const char *agent_config);
/* The .fini: ends the daemons, looks for findings of sanitizers in their logs, clears up. Shows the
   logs when there are any, and always with $QUELL_TEST_LOGS set. */
void worlds_close(void);

/* $QUELL_TEST_CGROUP_MODE is the agents' cgroup mode; without it they choose. */
bool world_is_v1(void);
const char *kill_method(void); /* the proof's, of what the kernel was told to kill */

void head_start(struct world *world);
void agent_start(struct agent *agent);  /* and connected */
void agent_launch(struct agent *agent); /* without waiting for the connection */

/* "DIR/name". Kept. */
const char *path_in(struct world *world, const char *name);
/* A file that anyone may read and write, with @text in it. Returns its path. */
const char *file_in(struct world *world, const char *name, const char *text);
/* A copy of a program that tasks' users may reach. Returns its path. */
const char *program_in(struct world *world, const char *name);
bool file_exists(const char *path);
char *file_text(struct world *world, const char *path); /* kept */

/* A FIFO, opened for both sides so that nobody's end of file is seen. Returns the descriptor. */
int fifo_in(struct world *world, const char *name);
/* The next line of it must be @line (without its newline). */
void fifo_expect(int fd, const char *line);

/* Where the programs under test are: $QUELL_BIN_DIR, else this build's. */
const char *bin(struct world *world, const char *program);
const char *keep(struct world *world, const char *text);
__attribute__((format(printf, 2, 3))) const char *keepf(struct world *world, const char *format,
                                                        ...);
json_t *keep_json(struct world *world, json_t *json);

/* A test that can't run here says so, and why. */
#define SKIP(...)                                                                                  \
    do {                                                                                           \
        (void) fprintf(stderr, "SKIPPED: " __VA_ARGS__);                                           \
        (void) fprintf(stderr, "\n");                                                              \
        return;                                                                                    \
    } while (0)
