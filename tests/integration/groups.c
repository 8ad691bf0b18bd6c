#include "tests/integration/groups.h"

#include "tests/integration/asker.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether @word is one of the words in @list, between commas. */
static bool has_word(const char *list, const char *word)
{
    const size_t len = strlen(word);

    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncmp(at, word, len) == 0 && (at[len] == ',' || at[len] == '\0'))
            return true;
    return false;
}

static bool find_mount(const char *controller, char ret[1024])
{
    FILE *mounts = fopen("/proc/self/mounts", "re");
    char line[4096], type[64], options[1024];
    bool found = false;

    while (mounts && !found && fgets(line, sizeof(line), mounts)) {
        if (sscanf(line, "%*s %1023s %63s %1023s", ret, type, options) == 3)
            found = controller[0] ? strcmp(type, "cgroup") == 0 && has_word(options, controller)
                                  : strcmp(type, "cgroup2") == 0;
    }
    if (mounts)
        (void) fclose(mounts);
    return found;
}

static bool has_backend(const char *backend)
{
    char point[1024];

    if (strcmp(backend, "v1") == 0)
        return find_mount("freezer", point);
    return find_mount("", point) && (strcmp(backend, "v2") == 0 || find_mount("memory", point));
}

const char *group_base(const struct world *world)
{
    return strrchr(world->dir, '/') + 1;
}

struct world *group_world(const char *backend, const char *agent_config)
{
    struct world *world;

    if (!has_backend(backend)) {
        (void) printf("| SKIPPED: this host has no cgroups of mode %s |\n", backend);
        return NULL;
    }
    cr_assert_eq(setenv("QUELL_TEST_CGROUP_MODE", backend, 1), 0);
    world = world_make(NULL);
    (void) file_in(world, "quelld.conf",
                   keepf(world, "%s[cgroup]\nmode = %s\nbase = /%s\n", agent_config, backend,
                         group_base(world)));
    janitor_note_group(&world->janitor, group_base(world));
    return world;
}

const char *group_mount(struct world *world, const char *controller)
{
    char point[1024];

    return find_mount(controller, point) ? keep(world, point) : NULL;
}

/* A line is "4:memory:/path", the unified hierarchy's "0::/path". */
const char *group_of(struct world *world, pid_t pid, const char *controller)
{
    const char *mount = group_mount(world, controller);
    char *text = file_text(world, keepf(world, "/proc/%d/cgroup", (int) pid));

    cr_assert_not_null(mount, "no hierarchy of \"%s\"", controller);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char *names = strchr(line, ':') + 1;
        char *path = strchr(names, ':');

        *path = '\0';
        if (controller[0] ? has_word(names, controller) : names[0] == '\0')
            return keepf(world, "%s%s", mount, path + 1);
    }
    cr_assert_fail("process %d is in no group of \"%s\"", (int) pid, controller);
    return NULL;
}

const char *group_says(struct world *world, const char *group, const char *file)
{
    char *text = file_text(world, keepf(world, "%s/%s", group, file));

    text[strcspn(text, "\n")] = '\0';
    return text;
}

static void note_pid(pid_t pid, void *arg)
{
    *(pid_t *) arg = pid;
}

pid_t group_task_pid(struct world *world, const char *task)
{
    const char *marks[] = {world->mark,
                           keepf(world, "QUELL_JOB_ID=%.*s", (int) strcspn(task, "."), task),
                           keepf(world, "QUELL_TASK_ID=%s", strchr(task, '.') + 1), NULL};
    pid_t pid = 0;

    cr_assert_eq(processes_marked(marks, note_pid, &pid), 1, "%s has not one process", task);
    return pid;
}

bool group_can_limit(struct world *world, const char *limit)
{
    struct asker *asker = asker_open(world->agents[0].socket);
    const json_t *list = at(keep_json(world, asker_get(asker, "/v1/node", NULL)), "unenforceable");
    bool can = true;

    asker_close(asker);
    for (size_t i = 0; i < json_array_size(list); i++)
        can = can && strcmp(json_string_value(json_array_get(list, i)), limit) != 0;
    return can;
}
