#pragma once

/*
 * contract_host.h - the hosts that the contract suite runs on. Linked with contract_host_real.c it
 * is this machine, in each mode that it has; with contract_host_fake.c a v2 host made of files,
 * with all its controllers, where nothing can run.
 *
 * Each test has one host with a base and a tag of its own, so that tests run side by side, and
 * whatever it leaves is killed and removed by contract_done().
 */
#include "cgroups/cgroup_host.h"

#include <stddef.h>

struct contract {
    const char *name; /* of the row, for messages */
    struct cgroup_host_options options;
    struct cgroup_host *host;
    char tag[64];
    char base[128];
};

/* A test for each row; its index is *row. */
#define CONTRACT_PROMISE(suite, promise, end)                                                      \
    ParameterizedTestParameters(suite, promise)                                                    \
    {                                                                                              \
        static size_t rows[8];                                                                     \
        for (size_t i = 0; i < contract_rows; i++)                                                 \
            rows[i] = i;                                                                           \
        return cr_make_param_array(size_t, rows, contract_rows);                                   \
    }                                                                                              \
    ParameterizedTest(const size_t *row, suite, promise, .fini = (end))

extern const size_t contract_rows;
extern const char *const contract_row_names[];

/* Opens the host of row @row; skips the test where the machine has none of that mode. */
void contract_open(struct contract *c, size_t row);
/* As another agent process would find what this one left. */
void contract_reopen(struct contract *c);
void contract_done(struct contract *c);
/* Ends the test as one that this host can't have: Criterion runs no .fini then. */
void contract_skip(struct contract *c, const char *why);

/* The hierarchy that tells which groups there are and who is inside. */
enum cgroup_slot contract_tree(const struct contract *c);

#define CONTRACT_PATH_SIZE 4096

/* The path of what is below a hierarchy's tag directory ("7.1.0/a", or "" for that directory).
   False: the host does not use this hierarchy. */
bool contract_path(const struct contract *c, enum cgroup_slot slot, const char *below,
                   char ret[CONTRACT_PATH_SIZE]);

size_t contract_open_fds(void);
