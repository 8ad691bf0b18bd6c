#pragma once

/*
 * contract_task.h - what the promises about processes are tested with: groups, children, and
 * waiting for them. Each ends the test when it fails.
 */
#include "tests/contract/contract_host.h"

#define CONTRACT_DEADLINE_MS 10000 /* for what is not to happen at all when all is well */

extern struct contract contract_now; /* the host of this test */
extern int contract_pipe[2];         /* from children to the test */

void contract_end(void); /* the .fini of each */

bool contract_is_v1(void);
/* Of a hierarchy of the test's host that tells of the tree. */
bool contract_tree_path(const char *below, char ret[CONTRACT_PATH_SIZE]);

struct task_cgroup *contract_create(const char *name, const struct cgroup_limits *limits);
/* Opens the host and makes the group 7.1.0; the second one with all limits that can be had. */
struct task_cgroup *contract_one(size_t row);
struct task_cgroup *contract_limited(size_t row);

pid_t contract_spawn(struct task_cgroup *cg, void (*child)(void *arg, const struct err *born_err),
                     void *arg);
int contract_reap(pid_t pid);
void contract_kill(struct task_cgroup *cg);
/* Waits as a supervisor does: asks, then sleeps until the kernel tells of a change. */
void contract_wait_empty(struct task_cgroup *cg);

/* Children say that they are there, and the test waits until @count have said so. */
void contract_ready_init(void);
void contract_say_ready(void);
void contract_wait_ready(int count);
void contract_stay(void *arg, const struct err *born_err); /* a child that says so and pauses */

bool contract_count_one(void *arg, pid_t pid); /* for each_process; @arg is a size_t */
size_t contract_count(struct task_cgroup *cg);
