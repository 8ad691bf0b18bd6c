#pragma once

/*
 * host_backend.h - the agent's side: what is known of the host's hierarchies, and what differs
 * between them. Private to cgroups/ and its tests.
 */
#include "cgroups/cgroup_host.h"

#define HOST_AGENT_GROUP       "agent"
#define HOST_PROBE_GROUP       "probe"
#define HOST_SUPERVISORS_GROUP "supervisors"
#define HOST_NAME_MAX_LEN      200 /* of a task's group */
#define HOST_PATH_SIZE         (TASK_CGROUP_PATH_SIZE - 1 - HOST_NAME_MAX_LEN)

struct host_place {                    /* a hierarchy of the host, as host_detect() found it */
    char mount[TASK_CGROUP_PATH_SIZE]; /* where it is mounted; empty: there is none for this slot */
    char
        root[TASK_CGROUP_PATH_SIZE]; /* the group that is mounted there: "/", in a container more */
    char own[TASK_CGROUP_PATH_SIZE]; /* this process's group: "/", "/system.slice/x.service" */
};

struct host_layout {
    enum cgroup_mode mode;
    struct host_place places[CGROUP_SLOT_COUNT];
};

struct host_hierarchy { /* what we have in it; descriptors -1 where it is not used */
    struct host_place place;
    char base[TASK_CGROUP_PATH_SIZE]; /* below the mount, no slash at either end; "": the mount */
    size_t base_had;                  /* of it, the length that was there before us */
    int mount_fd;
    int base_fd;
    int tag_fd; /* <base>/<tag>, the agent's own */
};

struct cgroup_host {
    const struct host_backend *backend;
    enum cgroup_mode mode;
    char tag[64];
    char path[HOST_PATH_SIZE];        /* of the tree's tag directory, for people */
    char cgroup_path[HOST_PATH_SIZE]; /* the same as /proc/PID/cgroup tells it */
    struct host_hierarchy at[CGROUP_SLOT_COUNT];
    int supervisors_fd; /* -1 on v1 */
    bool clone_into;
    bool can_limit[CGROUP_LIMIT_COUNT];
    bool moved;               /* v2: this process sits in <tag>/agent and came from the base */
    unsigned int switched_on; /* v2: a bit for each controller that we switched on in the base */
    struct group_walk *walk;  /* owned */
};

struct host_backend {
    enum cgroup_slot tree; /* the hierarchy that tells which groups there are, and who is inside */
    /* Finds out which limits can be had, and does what they need. */
    int (*prepare)(struct cgroup_host *host, struct err *err);
    void (*retire)(struct cgroup_host *host); /* undoes that; may be NULL */
    /* Opens or makes what a group @name has besides its directory in the tree, and sets the limits.
     */
    int (*limit)(struct cgroup_host *host, const char *name, const struct cgroup_limits *limits,
                 struct task_cgroup_dirs *dirs, struct err *err);
    /* 0; TASK_CGROUP_BUSY: processes are inside or below; or what failed. */
    int (*is_busy)(struct cgroup_host *host, const char *name, struct err *err);
};

extern const struct host_backend host_backend_v2;
extern const struct host_backend host_backend_hybrid;
extern const struct host_backend host_backend_v1;

int host_unified_is_busy(struct cgroup_host *host, const char *name, struct err *err);

/* host_controllers.c: which limits the v1 hierarchies can give; and a group's directories in them,
   made where a limit asks for it or the slot is in the bits of @always. */
void host_controllers_find(struct cgroup_host *host);
int host_controllers_make(struct cgroup_host *host, const char *name,
                          const struct cgroup_limits *limits, unsigned int always,
                          struct task_cgroup_dirs *dirs, struct err *err);

/* cgroup_host_open() once it is known what the host has. */
int host_open_layout(const struct host_layout *layout, const struct cgroup_host_options *options,
                     struct cgroup_host **ret, struct err *err);

/* host_base.c: the base and the agent's own directory in one hierarchy. */
int host_base_check(const struct cgroup_host_options *options, struct err *err);
int host_base_open(struct cgroup_host *host, enum cgroup_slot slot, const char *base,
                   struct err *err);
void host_base_close(struct cgroup_host *host, enum cgroup_slot slot); /* removes what is empty */

/* host_values.c: limits as the kernel's files want them. Each is verified by reading back. */
#define HOST_VALUE_SIZE 48
void host_value_number(uint64_t value, char ret[HOST_VALUE_SIZE]);
void host_value_memory(uint64_t bytes, char ret[HOST_VALUE_SIZE]); /* whole pages, as it is kept */
void host_value_cpu(uint32_t cpu_milli, char quota[HOST_VALUE_SIZE], char period[HOST_VALUE_SIZE]);
int host_value_set(int fd, const char *file, const char *value, struct err *err);
int host_value_verify(int fd, const char *file, const char *value, struct err *err);
