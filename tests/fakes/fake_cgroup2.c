/*
 * fake_cgroup2.c - the unified hierarchy on plain files: what the kernel does when a group is made
 * or removed and when a control file is written.
 */
#include "tests/fakes/fake_cgroup2.h"

#include "base/cleanup.h"
#include "base/fdio.h"
#include "tests/fakes/fake_cgfs.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE FAKE_CGROUP2_PATH_SIZE
#define TEXT_SIZE 65536

static const struct control_file {
    const char *controller; /* "": every group but the root has it */
    const char *file;
    const char *text;
} control_files[] = {
    {"", "cgroup.procs", ""},
    {"", "cgroup.type", "domain\n"},
    {"", "cgroup.events", "populated 0\nfrozen 0\n"},
    {"", "cgroup.freeze", "0\n"},
    {"", "cgroup.kill", ""},
    {"", "cgroup.subtree_control", "\n"},
    {"", "cpu.stat", "usage_usec 1234\nuser_usec 1000\nsystem_usec 234\n"},
    {"memory", "memory.max", "max\n"},
    {"memory", "memory.swap.max", "max\n"},
    {"memory", "memory.peak", "8192\n"},
    {"memory", "memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 2\noom_group_kill 0\n"},
    {"cpu", "cpu.max", "max 100000\n"},
    {"pids", "pids.max", "max\n"},
    {"io", "io.stat",
     "8:0 rbytes=4096 wbytes=512 rios=1 wios=1 dbytes=7 dios=0\n"
     "8:16 rbytes=100 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n"},
};

#define CONTROL_FILES (sizeof(control_files) / sizeof(control_files[0]))

/* ---- the tree, by path --------------------------------------------------------------------- */

static void join(const char *dir, const char *name, char ret[PATH_SIZE])
{
    const int len = snprintf(ret, PATH_SIZE, "%s/%s", dir, name);

    assert(len > 0 && len < PATH_SIZE);
}

static void put(const char *dir, const char *file, const char *text)
{
    char path[PATH_SIZE];

    join(dir, file, path);
    CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert(fd >= 0 && fdio_write(fd, text, strlen(text)) == 0);
}

static void get(const char *dir, const char *file, char ret[TEXT_SIZE])
{
    char path[PATH_SIZE];

    join(dir, file, path);
    if (fdio_read_text(AT_FDCWD, path, ret, TEXT_SIZE) < 0)
        ret[0] = '\0';
}

static bool has(const char *dir, const char *file)
{
    char path[PATH_SIZE];

    join(dir, file, path);
    return access(path, F_OK) == 0;
}

static bool list_has(const char *list, const char *word)
{
    const size_t len = strlen(word);

    for (const char *at = list; (at = strstr(at, word)); at++) {
        if ((at == list || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\n' || at[len] == '\0'))
            return true;
    }
    return false;
}

/* Calls @each with the path of each group directly below; its first result that is not 0. */
static int each_child(const char *dir, int (*each)(const char *child, const char *arg),
                      const char *arg)
{
    DIR *list = opendir(dir);
    struct dirent *entry;
    int r = 0;

    assert(list);
    while (r == 0 && (entry = readdir(list))) {
        char path[PATH_SIZE];

        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        join(dir, entry->d_name, path);
        r = each(path, arg);
    }
    (void) closedir(list);
    return r;
}

static int yes(const char *child, const char *arg)
{
    (void) child;
    (void) arg;
    return 1;
}

static void parent_of(const char *child, char up[PATH_SIZE])
{
    (void) snprintf(up, PATH_SIZE, "%s", child);
    *strrchr(up, '/') = '\0';
}

static int is_populated(const char *dir, const char *arg)
{
    char text[TEXT_SIZE];

    get(dir, "cgroup.procs", text);
    return text[0] != '\0' || each_child(dir, is_populated, arg);
}

static int tell_populated(const char *dir, const char *arg)
{
    if (has(dir, "cgroup.events"))
        put(dir, "cgroup.events",
            is_populated(dir, NULL) ? "populated 1\nfrozen 0\n" : "populated 0\nfrozen 0\n");
    return each_child(dir, tell_populated, arg);
}

/* The fake mount: the topmost directory that has a cgroup.controllers. */
static void root_of(const char *dir, char ret[PATH_SIZE])
{
    char above[PATH_SIZE];

    (void) snprintf(ret, PATH_SIZE, "%s", dir);
    for (;;) {
        parent_of(ret, above);
        if (!has(above, "cgroup.controllers"))
            return;
        memcpy(ret, above, sizeof(above));
    }
}

static int forget_process(const char *dir, const char *pid)
{
    char old[TEXT_SIZE];
    char kept[TEXT_SIZE] = "";
    char *line;
    char *rest = old;

    get(dir, "cgroup.procs", old);
    while ((line = strsep(&rest, "\n"))) {
        if (*line && strcmp(line, pid) != 0)
            (void) snprintf(kept + strlen(kept), sizeof(kept) - strlen(kept), "%s\n", line);
    }
    put(dir, "cgroup.procs", kept);
    return each_child(dir, forget_process, pid);
}

static int forget_all(const char *dir, const char *arg)
{
    put(dir, "cgroup.procs", "");
    return each_child(dir, forget_all, arg);
}

/* ---- what the kernel does with a write ------------------------------------------------------ */

static void add_files(const char *dir, const char *controller)
{
    for (size_t i = 0; i < CONTROL_FILES; i++) {
        if (strcmp(control_files[i].controller, controller) == 0)
            put(dir, control_files[i].file, control_files[i].text);
    }
}

static int gain_controller(const char *dir, const char *controller)
{
    char text[TEXT_SIZE];

    get(dir, "cgroup.controllers", text);
    text[strcspn(text, "\n")] = '\0';
    (void) snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s\n", text[0] ? " " : "",
                    controller);
    put(dir, "cgroup.controllers", text);
    add_files(dir, controller);
    return 0;
}

static void take_word(const char *dir, const char *file, const char *word)
{
    char old[TEXT_SIZE];
    char kept[TEXT_SIZE] = "";
    char *part;
    char *rest = old;

    get(dir, file, old);
    while ((part = strsep(&rest, " \n"))) {
        if (*part && strcmp(part, word) != 0)
            (void) snprintf(kept + strlen(kept), sizeof(kept) - strlen(kept), "%s%s",
                            kept[0] ? " " : "", part);
    }
    (void) snprintf(kept + strlen(kept), sizeof(kept) - strlen(kept), "\n");
    put(dir, file, kept);
}

static int lose_controller(const char *dir, const char *controller)
{
    char path[PATH_SIZE];

    take_word(dir, "cgroup.controllers", controller);
    for (size_t i = 0; i < CONTROL_FILES; i++) {
        if (strcmp(control_files[i].controller, controller) == 0) {
            join(dir, control_files[i].file, path);
            (void) unlink(path);
        }
    }
    return 0;
}

static int uses_controller(const char *dir, const char *controller)
{
    char text[TEXT_SIZE];

    get(dir, "cgroup.subtree_control", text);
    return list_has(text, controller);
}

static int invalidate(const char *dir, const char *arg)
{
    put(dir, "cgroup.type", "domain invalid\n");
    return each_child(dir, invalidate, arg);
}

static int write_subtree_control(const char *dir, const char *text)
{
    const char *controller = text + 1;
    char list[TEXT_SIZE];

    get(dir, "cgroup.controllers", list);
    if (!list_has(list, controller))
        return -ENOENT;
    if (text[0] == '-') {
        if (each_child(dir, uses_controller, controller))
            return -EBUSY;
        take_word(dir, "cgroup.subtree_control", controller);
        return each_child(dir, lose_controller, controller);
    }
    if (uses_controller(dir, controller))
        return 0;
    get(dir, "cgroup.procs", list);
    if (list[0] != '\0' && has(dir, "cgroup.type")) {
        /* cpu and pids are threaded controllers: the group becomes a threaded domain. */
        if (strcmp(controller, "cpu") != 0 && strcmp(controller, "pids") != 0)
            return -EBUSY;
        (void) each_child(dir, invalidate, NULL);
    }
    get(dir, "cgroup.subtree_control", list);
    list[strcspn(list, "\n")] = '\0';
    (void) snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s\n", list[0] ? " " : "",
                    controller);
    put(dir, "cgroup.subtree_control", list);
    return each_child(dir, gain_controller, controller);
}

static int write_procs(const char *dir, const char *text)
{
    char root[PATH_SIZE];
    char list[TEXT_SIZE];
    char pid[16];

    get(dir, "cgroup.subtree_control", list);
    if (strcmp(list, "\n") != 0 && has(dir, "cgroup.type"))
        return -EBUSY;
    (void) snprintf(pid, sizeof(pid), "%ld",
                    strcmp(text, "0") == 0 ? (long) getpid() : strtol(text, NULL, 10));
    root_of(dir, root);
    (void) forget_process(root, pid);
    get(dir, "cgroup.procs", list);
    (void) snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s\n", pid);
    put(dir, "cgroup.procs", list);
    return tell_populated(root, NULL);
}

static int write_kill(const char *dir)
{
    char root[PATH_SIZE];

    (void) forget_all(dir, NULL);
    root_of(dir, root);
    return tell_populated(root, NULL);
}

static int write_number(const char *dir, const char *file, const char *text)
{
    char value[64];
    char *end;
    unsigned long long number = strtoull(text, &end, 10);

    if (end == text || (*end != '\0' && strcmp(file, "cpu.max") != 0))
        return -EINVAL;
    if (strncmp(file, "memory.", 7) == 0)
        number -= number % (unsigned long long) sysconf(_SC_PAGESIZE);
    (void) snprintf(value, sizeof(value), "%llu%s\n", number, end);
    put(dir, file, value);
    return 0;
}

int fake_cgroup2_write(const char *dir, const char *file, const char *text)
{
    const size_t len = strlen(fake_cgfs.written);

    if (!has(dir, file))
        return -ENOENT;
    (void) snprintf(fake_cgfs.written + len, sizeof(fake_cgfs.written) - len, "%s=%s ", file, text);
    if (fake_cgfs.forgets && strcmp(file, fake_cgfs.forgets) == 0)
        return 0;
    if (strcmp(file, "cgroup.subtree_control") == 0)
        return write_subtree_control(dir, text);
    if (strcmp(file, "cgroup.procs") == 0)
        return write_procs(dir, text);
    if (strcmp(file, "cgroup.kill") == 0)
        return write_kill(dir);
    if (strcmp(file, "freezer.state") == 0) { /* v1's */
        put(dir, file, text);
        return 0;
    }
    return write_number(dir, file, text);
}

void fake_cgroup2_mkdir(const char *dir)
{
    char parent[PATH_SIZE];
    char list[TEXT_SIZE];
    char *word;
    char *rest = list;

    parent_of(dir, parent);
    get(parent, "cgroup.subtree_control", list);
    put(dir, "cgroup.controllers", list);
    add_files(dir, "");
    while ((word = strsep(&rest, " \n"))) {
        if (*word)
            add_files(dir, word);
    }
}

int fake_cgroup2_rmdir(const char *dir)
{
    char list[TEXT_SIZE];
    DIR *files;
    struct dirent *entry;

    if (!has(dir, "cgroup.procs"))
        return -ENOENT;
    get(dir, "cgroup.procs", list);
    if (list[0] != '\0' || each_child(dir, yes, NULL))
        return -EBUSY;
    files = opendir(dir);
    assert(files);
    while ((entry = readdir(files)))
        (void) unlinkat(dirfd(files), entry->d_name, 0);
    (void) closedir(files);
    return rmdir(dir) < 0 ? -errno : 0;
}

/* ---- for tests ------------------------------------------------------------------------------ */

void fake_cgroup2_new(const char *controllers, char ret[FAKE_PATH_SIZE])
{
    char list[128];

    (void) snprintf(ret, FAKE_PATH_SIZE, "/tmp/quell-fake-XXXXXX");
    assert(mkdtemp(ret));
    (void) snprintf(list, sizeof(list), "%s\n", controllers);
    put(ret, "cgroup.controllers", list);
    put(ret, "cgroup.subtree_control", list);
    put(ret, "cgroup.procs", "");
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void) st;
    (void) type;
    (void) where;
    return remove(path);
}

void fake_cgroup2_free(const char *mount)
{
    (void) nftw(mount, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void fake_group_new(const char *mount, const char *group)
{
    char dir[PATH_SIZE];

    join(mount, group, dir);
    assert(mkdir(dir, 0755) == 0);
    fake_cgroup2_mkdir(dir);
}

void fake_group_put(const char *mount, const char *group, const char *procs)
{
    char dir[PATH_SIZE];

    join(mount, group, dir);
    put(dir, "cgroup.procs", procs);
    (void) tell_populated(mount, NULL);
}

void fake_group_set(const char *mount, const char *group, const char *file, const char *text)
{
    char dir[PATH_SIZE];

    join(mount, group, dir);
    put(dir, file, text);
}
