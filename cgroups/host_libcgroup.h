#pragma once

/* host_libcgroup.h - all that we use of libcgroup: the v1 controllers. Private to cgroups/. */
#include "base/err.h"

#include <stddef.h>

struct host_libcgroup_value {
    const char *file;
    const char *text;
};

/* Once per process, before threads; later calls give the first one's result. */
int host_libcgroup_init(struct err *err);

/* Where the hierarchy of @controller is mounted, v1 or v2. -ENOENT: nowhere. */
int host_libcgroup_mount(const char *controller, char *ret, size_t size, struct err *err);

/* Makes a v1 group (@group is its path below the mount) and writes the values in their order. On
   failure the directory may be left: the caller removes it. */
int host_libcgroup_create(const char *controller, const char *group,
                          const struct host_libcgroup_value *values, size_t len, struct err *err);
