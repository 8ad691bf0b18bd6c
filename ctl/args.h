#pragma once

/* args.h - the command line of quellctl, as values. Pure: it reads argv and nothing else. */
#include "base/err.h"
#include "ipc/task.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct verb;

enum args_what { ARGS_RUN, ARGS_HELP, ARGS_VERSION };

/* Options, as bits: which a verb takes, and which were given. */
enum args_option {
    ARGS_HEAD = 1 << 0,
    ARGS_AGENT = 1 << 1,
    ARGS_JSON = 1 << 2,
    ARGS_JOB = 1 << 3,
    ARGS_TASK = 1 << 4,
    ARGS_NODE = 1 << 5,
    ARGS_NAME = 1 << 6,
    ARGS_USER = 1 << 7,
    ARGS_WORKDIR = 1 << 8,
    ARGS_STDIN = 1 << 9,
    ARGS_STDOUT = 1 << 10,
    ARGS_STDERR = 1 << 11,
    ARGS_ENV = 1 << 12,
    ARGS_RUNTIME = 1 << 13,
    ARGS_MEMORY = 1 << 14,
    ARGS_CPUS = 1 << 15,
    ARGS_PIDS = 1 << 16,
    ARGS_GRACE = 1 << 17,
    ARGS_NOT_RERUNNABLE = 1 << 18,
    ARGS_WAIT = 1 << 19,
    ARGS_MESSAGE = 1 << 20,
    ARGS_STATUS = 1 << 21,
    ARGS_FOLLOW = 1 << 22,
    ARGS_AFTER = 1 << 23,
    ARGS_WATCH = 1 << 24,
    ARGS_CGROUP = 1 << 25,
};

#define ARGS_ANYWHERE (ARGS_HEAD | ARGS_AGENT | ARGS_JSON)
/* What describes a new task. */
#define ARGS_NEW                                                                                   \
    (ARGS_JOB | ARGS_TASK | ARGS_NODE | ARGS_NAME | ARGS_USER | ARGS_WORKDIR | ARGS_STDIN |        \
     ARGS_STDOUT | ARGS_STDERR | ARGS_ENV | ARGS_RUNTIME | ARGS_MEMORY | ARGS_CPUS | ARGS_PIDS |   \
     ARGS_GRACE | ARGS_NOT_RERUNNABLE | ARGS_CGROUP)

struct args_id {
    uint32_t job_id;
    uint32_t task_id;
};

struct args { /* text is borrowed from argv */
    enum args_what what;
    const struct verb *verb; /* NULL with ARGS_VERSION, and with ARGS_HELP of the program */
    uint32_t given;          /* of enum args_option: the fields below count only where given */
    const char *head;
    const char *agent;
    uint32_t job_id;
    uint32_t task_id;
    const char *node;
    const char *name;
    const char *user;
    const char *cgroup; /* of a group handed over, in place of the command */
    const char *workdir;
    const char *stdin_path;
    const char *stdout_path;
    const char *stderr_path;
    const char **env; /* "NAME=value" */
    size_t env_len;
    uint64_t runtime_ms;
    uint64_t memory_bytes;
    uint32_t cpu_milli;
    uint32_t pids;
    uint64_t grace_ms;
    const char *message;
    enum task_status status;
    uint64_t after; /* the id of an event */
    struct args_id *ids;
    size_t ids_len;
    char **command; /* behind "--" */
    size_t command_len;
};

/* -EINVAL: @err says what is wrong with the line. @ret is for args_done() in any case. getopt_long
   reorders nothing. */
int args_parse(int argc, char **argv, struct args *ret, struct err *err);
void args_done(struct args *args);

/* "2", "0.5", "1.250": CPUs in thousandths. */
int args_parse_cpus(const char *text, uint32_t *ret_milli);
