#include "cgroups/host_detect.h"

#include "cgroups/host_libcgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

static const char *const controllers[CGROUP_SLOT_COUNT] = {
    [CGROUP_SLOT_UNIFIED] = "",        [CGROUP_SLOT_MEMORY] = "memory",
    [CGROUP_SLOT_PIDS] = "pids",       [CGROUP_SLOT_CPU] = "cpu",
    [CGROUP_SLOT_FREEZER] = "freezer", [CGROUP_SLOT_CPUACCT] = "cpuacct",
    [CGROUP_SLOT_BLKIO] = "blkio",
};

int host_kernel_check(const char *release, struct err *err)
{
    char *end;
    const unsigned long major = strtoul(release, &end, 10);
    const unsigned long minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;

    if (end == release || *end != '.')
        return err_set(err, -ENOSYS, "looked for Linux 5.14 or later and found \"%s\"", release);
    if (major < 5 || (major == 5 && minor < 14))
        return err_set(err, -ENOSYS, "looked for Linux 5.14 or later (cgroup.kill) and found %s",
                       release);
    return 0;
}

/* A character that mountinfo shows as \040 or its like. */
static bool is_escape(const char *text)
{
    return text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' &&
           text[2] <= '7' && text[3] >= '0' && text[3] <= '7';
}

/* Copies a field up to a blank, with its escapes undone. False: it does not fit. */
static bool copy_field(const char *field, char *ret, size_t size)
{
    size_t len = 0;

    for (; *field && *field != ' ' && *field != '\n'; field++) {
        if (len + 1 >= size)
            return false;
        if (is_escape(field)) {
            ret[len++] = (char) ((field[1] - '0') * 64 + (field[2] - '0') * 8 + (field[3] - '0'));
            field += 3;
        } else {
            ret[len++] = *field;
        }
    }
    ret[len] = '\0';
    return true;
}

static const char *skip_fields(const char *line, int count)
{
    while (line && count-- > 0) {
        line = strchr(line, ' ');
        if (line)
            line++;
    }
    return line;
}

/* "31 23 0:28 / /sys/fs/cgroup rw shared:1 - tmpfs tmpfs rw": see proc(5). */
bool host_mount_parse(const char *line, struct host_mount *ret)
{
    const char *root = skip_fields(line, 3);
    const char *point = skip_fields(root, 1);
    const char *dash = point ? strstr(point, " - ") : NULL;

    return dash && copy_field(root, ret->root, sizeof(ret->root)) &&
           copy_field(point, ret->point, sizeof(ret->point)) &&
           copy_field(dash + 3, ret->type, sizeof(ret->type));
}

static bool list_has(const char *list, size_t list_len, const char *word)
{
    const size_t word_len = strlen(word);

    for (const char *at = list; at <= list + list_len; at += strcspn(at, ",:") + 1) {
        if (strcspn(at, ",:") == word_len && strncmp(at, word, word_len) == 0)
            return true;
    }
    return false;
}

bool host_own_parse(const char *line, const char *controller, char ret[TASK_CGROUP_PATH_SIZE])
{
    const char *list = strchr(line, ':');
    const char *path = list ? strchr(list + 1, ':') : NULL;
    size_t len;

    if (!path || !list_has(list + 1, (size_t) (path - list) - 1, controller))
        return false;
    len = strcspn(++path, "\n");
    if (len >= TASK_CGROUP_PATH_SIZE)
        return false;
    memcpy(ret, path, len);
    ret[len] = '\0';
    return true;
}

static void cleanup_file(FILE **file)
{
    if (*file)
        (void) fclose(*file);
}

/* Calls @each with the lines of @path until it returns true. 1: it did; 0: it never did. */
static int each_line(const char *path, bool (*each)(void *arg, const char *line), void *arg,
                     struct err *err)
{
    CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
    CLEANUP_FREE char *line = NULL;
    size_t size = 0;

    if (!file)
        return err_errno(err, -errno, "looked for cgroups in %s and could not open it", path);
    while (getline(&line, &size, file) >= 0) {
        if (each(arg, line))
            return 1;
    }
    return 0;
}

/* 0 when a cgroup file system of this kind is really to be had there: a mount may be covered. */
static int probe_mount(const char *point, long magic)
{
    CLEANUP_FD int fd = open(point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct statfs fs;

    if (fd < 0 || fstatfs(fd, &fs) < 0)
        return -errno;
    return fs.f_type == magic ? 0 : -ENODEV;
}

struct mount_search {
    const char *point; /* NULL: any place */
    const char *type;
    long magic;
    struct host_mount found;
    char refused[TASK_CGROUP_PATH_SIZE]; /* a place that could not be had, */
    int refused_code;                    /* and why */
};

static bool is_searched_mount(void *arg, const char *line)
{
    struct mount_search *search = arg;
    struct host_mount *found = &search->found;
    int r;

    if (!host_mount_parse(line, found) || strcmp(found->type, search->type) != 0)
        return false;
    if (search->point && strcmp(found->point, search->point) != 0)
        return false;
    r = probe_mount(found->point, search->magic);
    if (r < 0) {
        (void) snprintf(search->refused, sizeof(search->refused), "%s", found->point);
        search->refused_code = r;
    }
    return r == 0;
}

static int take_mount(struct mount_search *search, struct host_place *place, struct err *err)
{
    int r = each_line("/proc/self/mountinfo", is_searched_mount, search, err);

    if (r <= 0)
        return r;
    memcpy(place->mount, search->found.point, sizeof(place->mount));
    memcpy(place->root, search->found.root, sizeof(place->root));
    return 1;
}

/* libcgroup knows the unified hierarchy only by a controller of it, and there may be none. 1: here
   it is; 0: there is none. */
static int find_unified(struct host_place *place, struct err *err)
{
    struct mount_search search = {.type = "cgroup2", .magic = CGROUP2_SUPER_MAGIC};
    int r = take_mount(&search, place, err);

    if (r != 0 || search.refused[0] == '\0')
        return r;
    return err_errno(err, search.refused_code,
                     "looked for the cgroup2 file system that /proc/self/mountinfo names at %s and "
                     "did not find it there",
                     search.refused);
}

static int find_v1(const char *controller, struct host_place *place)
{
    struct mount_search search = {.type = "cgroup", .magic = CGROUP_SUPER_MAGIC};
    char point[TASK_CGROUP_PATH_SIZE];

    if (host_libcgroup_mount(controller, point, sizeof(point), NULL) < 0)
        return 0;
    search.point = point;
    return take_mount(&search, place, NULL);
}

struct own_search {
    const char *controller;
    char *ret;
};

static bool is_searched_own(void *arg, const char *line)
{
    const struct own_search *search = arg;

    return host_own_parse(line, search->controller, search->ret);
}

static int find_own(struct host_layout *layout, struct err *err)
{
    for (enum cgroup_slot slot = 0; slot < CGROUP_SLOT_COUNT; slot++) {
        struct host_place *place = &layout->places[slot];
        struct own_search search = {controllers[slot], place->own};
        int r;

        if (place->mount[0] == '\0')
            continue;
        r = each_line("/proc/self/cgroup", is_searched_own, &search, err);
        if (r < 0)
            return r;
        if (r == 0) /* its path is too long, or hidden: then the top of what is mounted */
            memcpy(place->own, place->root, sizeof(place->own));
    }
    return 0;
}

/* Controllers that share a hierarchy share the place of the first of them. */
static bool find_v1_once(struct host_layout *layout, enum cgroup_slot slot)
{
    struct host_place *place = &layout->places[slot];

    if (find_v1(controllers[slot], place) <= 0)
        return false;
    for (enum cgroup_slot other = 0; other < CGROUP_SLOT_COUNT; other++) {
        if (other != slot && strcmp(layout->places[other].mount, place->mount) == 0)
            place->mount[0] = '\0';
    }
    return true;
}

/* False: there is no freezer, and so nothing that could hold a tree. */
static bool find_all_v1(struct host_layout *layout)
{
    layout->mode = CGROUP_MODE_V1;
    if (!find_v1_once(layout, CGROUP_SLOT_FREEZER))
        return false;
    for (enum cgroup_slot slot = CGROUP_SLOT_MEMORY; slot < CGROUP_SLOT_COUNT; slot++) {
        if (slot != CGROUP_SLOT_FREEZER)
            (void) find_v1_once(layout, slot);
    }
    return true;
}

static bool find_limits_of_v1(struct host_layout *layout)
{
    bool found = false;

    for (enum cgroup_slot slot = CGROUP_SLOT_MEMORY; slot <= CGROUP_SLOT_CPU; slot++)
        found |= find_v1_once(layout, slot);
    return found;
}

static int find_hierarchies(struct host_layout *layout, enum cgroup_mode wanted, struct err *err)
{
    int r;

    if (wanted == CGROUP_MODE_V1)
        return find_all_v1(layout) ? 0
                                   : err_set(err, -ENOENT,
                                             "cgroup mode v1: looked for a v1 hierarchy of freezer "
                                             "and found none mounted");
    r = find_unified(&layout->places[CGROUP_SLOT_UNIFIED], err);
    if (r < 0)
        return r;
    if (r == 0 && wanted == CGROUP_MODE_COUNT && find_all_v1(layout))
        return 0;
    if (r == 0)
        return err_set(err, -ENOENT,
                       "looked for a mounted cgroup2 file system in /proc/self/mountinfo%s and "
                       "found none",
                       wanted == CGROUP_MODE_COUNT ? ", and for a v1 hierarchy of freezer," : "");
    layout->mode = CGROUP_MODE_V2;
    if (wanted == CGROUP_MODE_V2)
        return 0;
    if (find_limits_of_v1(layout))
        layout->mode = CGROUP_MODE_HYBRID;
    else if (wanted == CGROUP_MODE_HYBRID)
        return err_set(err, -ENOENT,
                       "cgroup mode hybrid: looked for a v1 hierarchy of memory, pids or cpu and "
                       "found none mounted");
    return 0;
}

int host_detect(const char *mode, struct host_layout *ret, struct err *err)
{
    enum cgroup_mode wanted = CGROUP_MODE_COUNT; /* auto */
    struct utsname kernel;
    int r;

    if (mode && strcmp(mode, "auto") != 0 && cgroup_mode_parse(mode, &wanted) < 0)
        return err_set(err, -EINVAL, "cgroup mode %s is not one of auto, v2, hybrid, v1", mode);
    if (uname(&kernel) < 0)
        return err_errno(err, -errno, "uname");
    r = host_kernel_check(kernel.release, err);
    if (r < 0)
        return r;
    memset(ret, 0, sizeof(*ret));
    r = find_hierarchies(ret, wanted, err);
    return r < 0 ? r : find_own(ret, err);
}
