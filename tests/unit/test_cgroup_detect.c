#include "cgroups/host_detect.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

static const struct {
    const char *line;
    const char *root, *point, *type; /* root NULL: not such a line */
} mounts[] = {
    {"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n", "/",
     "/sys/fs/cgroup/unified", "cgroup2"},
    {"33 31 0:30 /docker/1f /sys/fs/cgroup/cpu,cpuacct ro shared:9 master:1 - cgroup cgroup rw,cpu",
     "/docker/1f", "/sys/fs/cgroup/cpu,cpuacct", "cgroup"},
    {"50 31 0:38 /../a /with\\040blank\\134 rw - cgroup2 none rw", "/../a", "/with blank\\",
     "cgroup2"},
    {"22 1 8:1 / / rw - ext4 /dev/sda1 rw", "/", "/", "ext4"},
    {"", NULL, NULL, NULL},
    {"41 31 0:38 /", NULL, NULL, NULL},
    {"41 31 0:38 / /sys/fs/cgroup rw,relatime", NULL, NULL, NULL},
};

Test(cgroup_detect, a_line_of_mountinfo_is_understood)
{
    for (size_t i = 0; i < COUNT(mounts); i++) {
        struct host_mount mount;
        bool ok = host_mount_parse(mounts[i].line, &mount);

        cr_assert_eq(ok, mounts[i].root != NULL, "row %zu", i);
        if (!ok)
            continue;
        cr_expect_str_eq(mount.root, mounts[i].root, "row %zu: %s", i, mount.root);
        cr_expect_str_eq(mount.point, mounts[i].point, "row %zu: %s", i, mount.point);
        cr_expect_str_eq(mount.type, mounts[i].type, "row %zu: %s", i, mount.type);
    }
}

Test(cgroup_detect, a_mount_point_too_long_is_no_mount)
{
    char line[4 * TASK_CGROUP_PATH_SIZE];
    struct host_mount mount;

    (void) snprintf(line, sizeof(line), "41 31 0:38 / /%0*d rw - cgroup2 cgroup2 rw",
                    TASK_CGROUP_PATH_SIZE, 1);
    cr_expect_not(host_mount_parse(line, &mount));
}

static const struct {
    const char *line;
    const char *controller;
    const char *path; /* NULL: not this controller's */
} owns[] = {
    {"0::/\n", "", "/"},
    {"0::/a b/c:d\n", "", "/a b/c:d"},
    {"4:memory:/process_api/ea47\n", "memory", "/process_api/ea47"},
    {"4:memory:/x\n", "", NULL},
    {"4:memory:/x\n", "mem", NULL},
    {"2:cpu,cpuacct:/x\n", "cpu", "/x"},
    {"2:cpuacct,cpu:/x\n", "cpu", "/x"},
    {"2:cpuacct:/cpu\n", "cpu", NULL},
    {"9:name=systemd:/init.scope\n", "", NULL},
    {"0::/x\n", "memory", NULL},
    {"", "", NULL},
    {"garbage", "memory", NULL},
    {"1:garbage", "garbage", NULL},
};

Test(cgroup_detect, a_line_of_proc_self_cgroup_is_understood)
{
    for (size_t i = 0; i < COUNT(owns); i++) {
        char path[TASK_CGROUP_PATH_SIZE] = "";
        bool ok = host_own_parse(owns[i].line, owns[i].controller, path);

        cr_assert_eq(ok, owns[i].path != NULL, "row %zu", i);
        if (ok)
            cr_expect_str_eq(path, owns[i].path, "row %zu: %s", i, path);
    }
}

static const struct {
    const char *release;
    bool ok;
} kernels[] = {
    {"5.14.0", true},   {"6.18.44-fc-v470", true},
    {"5.13.19", false}, {"4.19.0-26-amd64", false},
    {"10.0", true},     {"6", false},
    {"", false},        {"linux", false},
};

Test(cgroup_detect, a_kernel_before_5_14_is_refused_with_what_was_found)
{
    for (size_t i = 0; i < COUNT(kernels); i++) {
        struct err err = {0};
        int r = host_kernel_check(kernels[i].release, &err);

        cr_expect_eq(r == 0, kernels[i].ok, "row %zu", i);
        if (r < 0) {
            cr_expect(strstr(err.text, "5.14"), "row %zu: %s", i, err.text);
            cr_expect(strstr(err.text, kernels[i].release), "row %zu: %s", i, err.text);
        }
    }
}

static const struct {
    uint32_t cpu_milli;
    const char *quota, *period;
} shares[] = {
    {1, "1000", "1000000"},   {9, "9000", "1000000"},     {10, "1000", "100000"},
    {500, "50000", "100000"}, {1000, "100000", "100000"}, {4294967295U, "429496729500", "100000"},
};

Test(cgroup_detect, a_share_of_a_cpu_becomes_a_quota_that_the_kernel_takes)
{
    for (size_t i = 0; i < COUNT(shares); i++) {
        char quota[HOST_VALUE_SIZE];
        char period[HOST_VALUE_SIZE];

        host_value_cpu(shares[i].cpu_milli, quota, period);
        cr_expect_str_eq(quota, shares[i].quota, "row %zu: %s", i, quota);
        cr_expect_str_eq(period, shares[i].period, "row %zu: %s", i, period);
    }
}

Test(cgroup_detect, memory_is_whole_pages)
{
    char value[HOST_VALUE_SIZE];

    host_value_memory(8191, value);
    cr_expect_str_eq(value, "4096");
    host_value_memory(8192, value);
    cr_expect_str_eq(value, "8192");
}

Test(cgroup_detect, every_mode_has_a_name_that_is_read_back)
{
    for (enum cgroup_mode mode = 0; mode < CGROUP_MODE_COUNT; mode++) {
        enum cgroup_mode back = CGROUP_MODE_COUNT;

        cr_expect_eq(cgroup_mode_parse(cgroup_mode_name(mode), &back), 0);
        cr_expect_eq(back, mode);
    }
    enum cgroup_mode untouched = CGROUP_MODE_HYBRID;
    cr_expect_eq(cgroup_mode_parse("v3", &untouched), -EINVAL);
    cr_expect_eq(untouched, CGROUP_MODE_HYBRID);
}

static const struct {
    const char *base, *tag;
    bool ok;
} bases[] = {
    {NULL, "quell-1", true},   {"/", "quell-1", true},     {"/a/b", "quell-1", true},
    {"/a/", "quell-1", true},  {"/.hidden", "q", true},    {"/a..b", "q", true},
    {"", "quell-1", false},    {"a", "quell-1", false},    {"/a/../b", "quell-1", false},
    {"/..", "quell-1", false}, {"/a/.", "quell-1", false}, {"/a//b", "quell-1", false},
    {"/a", NULL, false},       {"/a", "", false},          {"/a", "a/b", false},
    {"/a", "..", false},
};

Test(cgroup_detect, a_base_or_a_tag_that_leads_elsewhere_is_refused)
{
    for (size_t i = 0; i < COUNT(bases); i++) {
        const struct cgroup_host_options options = {.base = bases[i].base, .tag = bases[i].tag};
        struct err err = {0};
        int r = host_base_check(&options, &err);

        cr_expect_eq(r, bases[i].ok ? 0 : -EINVAL, "row %zu: %d %s", i, r, err.text);
        cr_expect_eq(err.text[0] != '\0', r != 0, "row %zu", i);
    }
}
