#include "tests/contract/contract_host.h"

#include "cgroups/host_backend.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum cgroup_slot contract_tree(const struct contract *c)
{
    return c->host->backend->tree;
}

bool contract_path(const struct contract *c, enum cgroup_slot slot, const char *below,
                   char ret[CONTRACT_PATH_SIZE])
{
    const struct host_hierarchy *at = &c->host->at[slot];

    if (at->tag_fd < 0)
        return false;
    (void) snprintf(ret, CONTRACT_PATH_SIZE, "%s/%s%s%s/%s", at->place.mount, at->base,
                    at->base[0] ? "/" : "", c->host->tag, below);
    return true;
}

size_t contract_open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;

    while (readdir(dir))
        count++;
    (void) closedir(dir);
    return count;
}

/* Kills what is left in a group and removes it. */
static void clear_group(void *arg, const char *name)
{
    struct contract *c = arg;
    struct task_cgroup_dirs dirs;
    struct task_cgroup *cg = NULL;
    struct pollfd event = {0};

    if (cgroup_host_adopt(c->host, name, &dirs, NULL) < 0 || task_cgroup_open(&dirs, &cg, NULL) < 0)
        return;
    (void) task_cgroup_freeze(cg, false, NULL);
    (void) task_cgroup_kill(cg, NULL);
    event.fd = task_cgroup_event_fd(cg, &event.events);
    while (task_cgroup_is_empty(cg, NULL) == 0 && poll(&event, 1, 5000) > 0)
        ;
    (void) task_cgroup_free(cg);
    (void) cgroup_host_remove(c->host, name, NULL);
}

void contract_done(struct contract *c)
{
    char base[TASK_CGROUP_PATH_SIZE * 2];

    if (!c->host)
        return;
    (void) cgroup_host_each(c->host, clear_group, c, NULL);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    (void) snprintf(base, sizeof(base), "%s%s", c->host->at[contract_tree(c)].place.mount, c->base);
    c->host = cgroup_host_close(c->host);
    /* A host that was opened anew did not make the base, and leaves it. */
    if (c->base[0])
        (void) rmdir(base);
}

void contract_skip(struct contract *c, const char *why)
{
    contract_done(c);
    cr_skip_test("%s: %s", c->name, why);
}
