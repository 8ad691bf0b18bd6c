/*
 * host_libcgroup.c - the owner of libcgroup: no other file of ours includes its header.
 *
 * Its cgroup_strerror() is off by one for some codes (2.0.2), so sentences show code and errno.
 */
#include "cgroups/host_libcgroup.h"

#include "base/cleanup.h"

#include <errno.h>
#include <libcgroup.h>
#include <stdio.h>
#include <string.h>

static void cleanup_group(struct cgroup **group)
{
    if (*group)
        cgroup_free(group);
}

static int failed(int code, const char *what, const char *which, struct err *err)
{
    const int cause = code == ECGOTHER && cgroup_get_last_errno() ? cgroup_get_last_errno() : 0;

    if (cause)
        return err_errno(err, -cause, "libcgroup: %s %s", what, which);
    return err_set(err, -EIO, "libcgroup: %s %s: error %d (%s)", what, which, code,
                   cgroup_strerror(code));
}

int host_libcgroup_init(struct err *err)
{
    static int result = -1;

    if (result < 0)
        result = cgroup_init();
    return result == 0 ? 0 : failed(result, "find", "the mounted controllers", err);
}

int host_libcgroup_mount(const char *controller, char *ret, size_t size, struct err *err)
{
    CLEANUP_FREE char *point = NULL;
    int r = host_libcgroup_init(err);

    if (r < 0)
        return r;
    if (cgroup_get_subsys_mount_point(controller, &point) != 0 || !point)
        return err_set(err, -ENOENT, "libcgroup: controller %s is not mounted", controller);
    if (strlen(point) >= size)
        return err_set(err, -ENAMETOOLONG, "the mount point of %s is too long", controller);
    (void) snprintf(ret, size, "%s", point);
    return 0;
}

int host_libcgroup_create(const char *controller, const char *group,
                          const struct host_libcgroup_value *values, size_t len, struct err *err)
{
    CLEANUP(cleanup_group) struct cgroup *made = cgroup_new_cgroup(group);
    struct cgroup_controller *part;
    int r = 0;

    part = made ? cgroup_add_controller(made, controller) : NULL;
    if (!part)
        return err_set(err, -ENOMEM, "libcgroup: no memory for group %s", group);
    for (size_t i = 0; r == 0 && i < len; i++)
        r = cgroup_add_value_string(part, values[i].file, values[i].text);
    if (r == 0)
        r = cgroup_create_cgroup(made, 1);
    return r == 0 ? 0 : failed(r, "make group", group, err);
}
