#pragma once

/* host_detect.h - which hierarchies this host has. Private to cgroups/ and its tests. */
#include "cgroups/host_backend.h"

struct host_mount { /* of a line of /proc/self/mountinfo, unescaped */
    char root[TASK_CGROUP_PATH_SIZE];
    char point[TASK_CGROUP_PATH_SIZE];
    char type[32];
};

/* @mode as in struct cgroup_host_options. */
int host_detect(const char *mode, struct host_layout *ret, struct err *err);

/* The pure parts. False: not such a line. */
bool host_mount_parse(const char *line, struct host_mount *ret);
/* A line of /proc/PID/cgroup: the path, when it is @controller's ("": the unified hierarchy's). */
bool host_own_parse(const char *line, const char *controller, char ret[TASK_CGROUP_PATH_SIZE]);
/* Linux 5.14 or later, by what uname(2) calls the release. */
int host_kernel_check(const char *release, struct err *err);
