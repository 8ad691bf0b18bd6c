#include "cgroups/cgroup_host.h"

#include "cgroups/backend.h"
#include "cgroups/cgfs.h"
#include "cgroups/group_walk.h"
#include "cgroups/host_backend.h"
#include "cgroups/host_detect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define SYSTEMD_BASE "/system.slice/quell-tasks.service"

static const char *const limit_names[CGROUP_LIMIT_COUNT] = {
    [CGROUP_LIMIT_MEMORY] = "memory",
    [CGROUP_LIMIT_CPU] = "cpus",
    [CGROUP_LIMIT_PIDS] = "pids",
};

static const struct host_backend *const backends[CGROUP_MODE_COUNT] = {
    [CGROUP_MODE_V2] = &host_backend_v2,
    [CGROUP_MODE_HYBRID] = &host_backend_hybrid,
    [CGROUP_MODE_V1] = &host_backend_v1,
};

/* ---- opening ------------------------------------------------------------------------------ */

static struct cgroup_host *host_new(const struct host_layout *layout, const char *tag)
{
    struct cgroup_host *host = calloc(1, sizeof(*host));

    if (!host)
        return NULL;
    host->mode = layout->mode;
    host->backend = backends[layout->mode];
    (void) snprintf(host->tag, sizeof(host->tag), "%s", tag);
    host->supervisors_fd = -1;
    for (enum cgroup_slot slot = 0; slot < CGROUP_SLOT_COUNT; slot++) {
        host->at[slot].place = layout->places[slot];
        host->at[slot].mount_fd = host->at[slot].base_fd = host->at[slot].tag_fd = -1;
    }
    host->walk = group_walk_new();
    return host->walk ? host : cgroup_host_close(host);
}

/* This process's group as a path below the mount; where it is not below it, the mount itself. */
static void own_base(const struct host_place *place, const char *tag,
                     char ret[TASK_CGROUP_PATH_SIZE])
{
    const size_t root_len = strcmp(place->root, "/") == 0 ? 0 : strlen(place->root);
    const char *below = place->own + root_len;
    char leaf[128];
    size_t len;

    if (strncmp(place->own, place->root, root_len) != 0 || *below != '/' ||
        strncmp(below, "/..", 3) == 0)
        below = "/";
    (void) snprintf(ret, TASK_CGROUP_PATH_SIZE, "%s", below);

    /* Where an agent before us has moved to, and started us. */
    (void) snprintf(leaf, sizeof(leaf), "/%s/" HOST_AGENT_GROUP, tag);
    len = strlen(ret);
    if (len >= strlen(leaf) && strcmp(ret + len - strlen(leaf), leaf) == 0)
        ret[len - strlen(leaf)] = '\0';
}

static bool has_group(const struct host_place *place, const char *path)
{
    CLEANUP_FD int fd = cgfs_open_dir(AT_FDCWD, place->mount);

    return fd >= 0 && cgfs_exists(fd, path + 1);
}

static int open_hierarchies(struct cgroup_host *host, const struct cgroup_host_options *options,
                            struct err *err)
{
    /* On v1 systemd has groups in some of the hierarchies only, and not in the tree's. */
    const bool systemd =
        !options->base && (host->mode == CGROUP_MODE_V1 ||
                           has_group(&host->at[CGROUP_SLOT_UNIFIED].place, SYSTEMD_BASE));
    char own[TASK_CGROUP_PATH_SIZE];

    for (enum cgroup_slot slot = 0; slot < CGROUP_SLOT_COUNT; slot++) {
        const struct host_place *place = &host->at[slot].place;
        const char *base = options->base;
        int r;

        if (place->mount[0] == '\0')
            continue;
        if (systemd && has_group(place, SYSTEMD_BASE))
            base = SYSTEMD_BASE;
        if (!base) {
            own_base(place, host->tag, own);
            base = own;
        }
        r = host_base_open(host, slot, base, err);
        if (r < 0 && slot == host->backend->tree)
            return r;
        /* A v1 hierarchy that can't be had: the host runs without its limits. */
        if (r < 0)
            host_base_close(host, slot);
    }
    return 0;
}

static int name_paths(struct cgroup_host *host, struct err *err)
{
    const struct host_hierarchy *at = &host->at[host->backend->tree];
    const char *slash = at->base[0] ? "/" : "";
    const char *root = strcmp(at->place.root, "/") == 0 ? "" : at->place.root;
    int len;

    len = snprintf(host->path, sizeof(host->path), "%s/%s%s%s", at->place.mount, at->base, slash,
                   host->tag);
    if (len < 0 || (size_t) len >= sizeof(host->path))
        return err_set(err, -ENAMETOOLONG, "the path of group %.200s... is too long", host->path);
    len = snprintf(host->cgroup_path, sizeof(host->cgroup_path), "%s/%s%s%s", root, at->base, slash,
                   host->tag);
    if (len < 0 || (size_t) len >= sizeof(host->cgroup_path))
        return err_set(err, -ENAMETOOLONG, "the path of group %.200s... is too long", host->path);
    return 0;
}

static int make_supervisors(struct cgroup_host *host, struct err *err)
{
    const int tag_fd = host->at[CGROUP_SLOT_UNIFIED].tag_fd;
    int r = cgfs_mkdir(tag_fd, HOST_SUPERVISORS_GROUP);

    if (r < 0 && r != -EEXIST)
        return err_errno(err, r, "make group %s/" HOST_SUPERVISORS_GROUP, host->path);
    host->supervisors_fd = cgfs_open_dir(tag_fd, HOST_SUPERVISORS_GROUP);
    if (host->supervisors_fd < 0)
        return err_errno(err, host->supervisors_fd, "open group %s/" HOST_SUPERVISORS_GROUP,
                         host->path);
    if (!cgfs_exists(host->supervisors_fd, "cgroup.kill"))
        return err_set(err, -EOPNOTSUPP,
                       "looked for %s/" HOST_SUPERVISORS_GROUP "/cgroup.kill (Linux 5.14) and "
                       "found none",
                       host->path);
    return 0;
}

/* In a threaded domain's sub-groups no process can be: said here, not at the first task. */
static int check_type(const struct cgroup_host *host, struct err *err)
{
    char type[64];
    ssize_t len = cgfs_read(host->supervisors_fd, "cgroup.type", type, sizeof(type));

    if (len < 0)
        return err_errno(err, (int) len, "read %s/" HOST_SUPERVISORS_GROUP "/cgroup.type",
                         host->path);
    type[strcspn(type, "\n")] = '\0';
    if (strcmp(type, "domain") != 0)
        return err_set(
            err, -EOPNOTSUPP,
            "looked for groups that processes can be in and found that %s/" HOST_SUPERVISORS_GROUP
            " is \"%s\"",
            host->path, type);
    return 0;
}

/* Whether a child that is born in another group lives: the kernel kills it at birth when this
   process's own group was once killed. */
static bool probe_clone_into(int group_fd)
{
    siginfo_t info = {0};
    int pidfd = -1;
    pid_t pid;
    int r;

    pid = group_clone(group_fd, 0, &pidfd);
    if (pid == 0)
        _exit(0);
    if (pid < 0)
        return false;
    do
        r = waitid(P_PIDFD, (id_t) pidfd, &info, WEXITED | __WALL);
    while (r < 0 && errno == EINTR);
    (void) close(pidfd);
    return r == 0 && info.si_code == CLD_EXITED && info.si_status == 0;
}

static int probe(struct cgroup_host *host, struct err *err)
{
    const int tag_fd = host->at[CGROUP_SLOT_UNIFIED].tag_fd;
    int fd;
    int r;

    /* One that a killed agent left may have been killed, too: a fresh one. */
    (void) cgfs_rmdir(tag_fd, HOST_PROBE_GROUP);
    r = cgfs_mkdir(tag_fd, HOST_PROBE_GROUP);
    if (r < 0)
        return err_errno(err, r, "make group %s/" HOST_PROBE_GROUP, host->path);
    fd = cgfs_open_dir(tag_fd, HOST_PROBE_GROUP);
    if (fd >= 0) {
        host->clone_into = probe_clone_into(fd);
        (void) close(fd);
    }
    r = cgfs_rmdir(tag_fd, HOST_PROBE_GROUP);
    if (fd < 0)
        return err_errno(err, fd, "open group %s/" HOST_PROBE_GROUP, host->path);
    return r < 0 ? err_errno(err, r, "remove group %s/" HOST_PROBE_GROUP, host->path) : 0;
}

static int host_init(struct cgroup_host *host, const struct cgroup_host_options *options,
                     struct err *err)
{
    const bool unified = host->backend->tree == CGROUP_SLOT_UNIFIED;
    int r = open_hierarchies(host, options, err);

    if (r == 0)
        r = name_paths(host, err);
    if (r == 0 && unified)
        r = make_supervisors(host, err);
    if (r == 0)
        r = host->backend->prepare(host, err);
    if (r == 0 && unified)
        r = check_type(host, err);
    return r == 0 && unified ? probe(host, err) : r;
}

int host_open_layout(const struct host_layout *layout, const struct cgroup_host_options *options,
                     struct cgroup_host **ret, struct err *err)
{
    struct cgroup_host *host;
    int r = host_base_check(options, err);

    if (r < 0)
        return r;
    host = host_new(layout, options->tag);
    if (!host)
        return err_set(err, -ENOMEM, "no memory to look at the cgroups");
    r = host_init(host, options, err);
    if (r < 0)
        goto undo;
    *ret = host;
    return 0;

undo:
    (void) cgroup_host_close(host);
    return r;
}

int cgroup_host_open(const struct cgroup_host_options *options, struct cgroup_host **ret,
                     struct err *err)
{
    struct host_layout layout;
    int r = host_detect(options->mode, &layout, err);

    return r < 0 ? r : host_open_layout(&layout, options, ret, err);
}

struct cgroup_host *cgroup_host_close(struct cgroup_host *host)
{
    const int tag_fd = host ? host->at[CGROUP_SLOT_UNIFIED].tag_fd : -1;

    if (!host)
        return NULL;
    if (tag_fd >= 0) {
        (void) cgfs_rmdir(tag_fd, HOST_PROBE_GROUP);
        (void) cgfs_rmdir(tag_fd, HOST_SUPERVISORS_GROUP);
        if (host->backend->retire)
            host->backend->retire(host);
    }
    cleanup_fd(&host->supervisors_fd);
    for (enum cgroup_slot slot = 0; slot < CGROUP_SLOT_COUNT; slot++)
        host_base_close(host, slot);
    (void) group_walk_free(host->walk);
    free(host);
    return NULL;
}

/* ---- what there is ------------------------------------------------------------------------ */

enum cgroup_mode cgroup_host_mode(const struct cgroup_host *host)
{
    return host->mode;
}

bool cgroup_host_can_limit(const struct cgroup_host *host, enum cgroup_limit limit)
{
    return host->can_limit[limit];
}

const char *cgroup_limit_name(enum cgroup_limit limit)
{
    return limit_names[limit];
}

const char *cgroup_host_path(const struct cgroup_host *host)
{
    return host->path;
}

int cgroup_host_supervisors_fd(const struct cgroup_host *host)
{
    return host->clone_into ? host->supervisors_fd : -1;
}

int cgroup_host_move_supervisor(struct cgroup_host *host, pid_t pid, struct err *err)
{
    char text[16];
    int r;

    (void) snprintf(text, sizeof(text), "%d", (int) pid);
    if (host->supervisors_fd < 0)
        return 0;
    r = cgfs_write(host->supervisors_fd, "cgroup.procs", text);
    return r < 0 ? err_errno(err, r, "move process %d to %s/" HOST_SUPERVISORS_GROUP, (int) pid,
                             host->path)
                 : 0;
}
