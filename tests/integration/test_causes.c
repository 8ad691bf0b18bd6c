/*
 * Each cause that a node can find, on each kind of cgroups, as it is observed: the target
 * cause_table prints it.
 */
#include "tests/integration/causes.h"
#include "tests/integration/groups.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

TestSuite(causes, .fini = worlds_close, .timeout = 570);

static const char *const backends[] = BACKENDS;

/* A number, or "null". */
static const char *shown(struct world *w, const json_t *task, const char *path)
{
    return null_at(task, path) ? "null" : keepf(w, "%lld", (long long) number_at(task, path));
}

static const char *shown_in(struct world *w, const json_t *task, const char *object,
                            const char *name)
{
    return null_at(task, object) ? "null" : shown(w, task, keepf(w, "%s.%s", object, name));
}

static void print_row(const struct stage *s, const struct scene *scene, const json_t *task)
{
    struct world *w = s->world;

    (void) printf("| %-15s | %-33s | %-6s | %-20s | %-4s | %-4s | %-4s | %-15s | %s |\n",
                  text_at(task, "cause"), scene->task, s->backend, text_at(task, "status"),
                  shown(w, task, "exit_code"), shown(w, task, "signal"),
                  shown_in(w, task, "usage", "oom_kills"),
                  null_at(task, "proof") ? "null" : text_at(task, "proof.method"),
                  text_at(task, "error_message"));
    (void) fflush(stdout);
}

static void print_skipped(const struct stage *s, const struct scene *scene)
{
    (void) printf("| %-15s | %-33s | %-6s | SKIPPED: %s |\n",
                  scene->cause ? scene->cause : "(null)", scene->task, s->backend, s->why);
}

static void judge_number(struct world *w, const struct scene *scene, const json_t *task,
                         const char *path, int expected)
{
    const char *seen = shown(w, task, path);
    const char *wanted = expected == NONE ? "null" : keepf(w, "%d", expected);

    cr_expect_str_eq(seen, wanted, "a task that %s: %s is %s, not %s", scene->task, path, seen,
                     wanted);
}

static void judge(const struct stage *s, const struct scene *scene, const json_t *task)
{
    const char *method =
        scene->method && strcmp(scene->method, "cgroup_kill") == 0 ? kill_method() : scene->method;
    struct world *w = s->world;

    cr_expect_str_eq(text_at(task, "status"), scene->status, "%s", dump(w, task));
    cr_expect_str_eq(text_at(task, "cause"), scene->cause ? scene->cause : "(null)", "%s",
                     dump(w, task));
    judge_number(w, scene, task, "exit_code", scene->exit_code);
    judge_number(w, scene, task, "signal", scene->signal);
    for (size_t i = 0; i < 3 && scene->parts[i]; i++)
        cr_expect(strstr(text_at(task, "error_message"), scene->parts[i]), "%s", dump(w, task));
    if (!scene->parts[0])
        cr_expect(null_at(task, "error_message"), "%s", dump(w, task));
    if (!method)
        return;
    cr_expect_str_eq(text_at(task, "proof.method"), method, "%s", dump(w, task));
    if (!group_can_limit(w, "memory"))
        cr_expect(null_at(task, "usage.oom_kills"), "%s", dump(w, task));
    else if (scene->oom_kills)
        cr_expect_geq(number_at(task, "usage.oom_kills"), scene->oom_kills, "%s", dump(w, task));
    else
        cr_expect_eq(number_at(task, "usage.oom_kills"), 0, "%s", dump(w, task));
}

static void play(struct stage *s, const struct scene *scene)
{
    const char *id = NULL;

    s->why = NULL;
    if (scene->memory && !group_can_limit(s->world, "memory"))
        s->why = "the kernel's memory controller is not in this hierarchy";
    else
        id = scene->play(s);
    if (!id) {
        print_skipped(s, scene);
        return;
    }
    print_row(s, scene, task_wait(s->world, id));
    judge(s, scene, task_show(s->world, id));
    assert_no_survivors(s->world, id);
}

/* The limit of the base, where tasks' groups are two levels below. */
static void limit_base(const struct stage *s)
{
    const bool v2 = strcmp(s->backend, "v2") == 0;
    const char *mount = group_mount(s->world, v2 ? "" : "memory");
    const char *path = keepf(s->world, "%s/%s/%s", mount ? mount : "", group_base(s->world),
                             v2 ? "memory.max" : "memory.limit_in_bytes");
    FILE *file = file_exists(path) ? fopen(path, "we") : NULL;

    if (!file)
        return;
    cr_assert_geq(fprintf(file, "%s", BASE_MIB "M"), 0);
    cr_assert_eq(fclose(file), 0, "%s: %s", path, strerror(errno));
}

static void play_all(const char *backend)
{
    struct stage stage = {.backend = backend};

    stage.world = group_world(backend, "[tasks]\nleftover_grace = 300ms\n");
    if (!stage.world)
        return;
    head_start(stage.world);
    agent_start(&stage.world->agents[0]);
    limit_base(&stage);
    for (size_t i = 0; i < scenes_len; i++)
        play(&stage, &scenes[i]);
}

Test(causes, each_cause_is_the_same_on_hybrid_v1_and_v2)
{
    (void) printf("| %-15s | %-33s | %-6s | %-20s | %-4s | %-4s | %-4s | %-15s | %s |\n", "cause",
                  "a task that", "on", "status", "exit", "sig", "oom", "method", "error_message");
    (void) printf("|---|---|---|---|---|---|---|---|---|\n");
    cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++)
        play_all(backends[i]);
}
