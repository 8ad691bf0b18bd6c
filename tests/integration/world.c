#include "tests/integration/world.h"

#include "tests/integration/asker.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static struct world *worlds;

/* ---- what is kept ---- */

const char *keep(struct world *world, const char *text)
{
    json_t *string = json_string(text);

    cr_assert_not_null(string, "not UTF-8: %s", text);
    cr_assert_eq(json_array_append_new(world->kept, string), 0);
    return json_string_value(string);
}

const char *keepf(struct world *world, const char *format, ...)
{
    const char *kept;
    va_list args;
    char *text;

    va_start(args, format);
    cr_assert_geq(vasprintf(&text, format, args), 0);
    va_end(args);
    kept = keep(world, text);
    free(text);
    return kept;
}

json_t *keep_json(struct world *world, json_t *json)
{
    cr_assert_not_null(json);
    cr_assert_eq(json_array_append_new(world->kept, json), 0);
    return json;
}

const char *path_in(struct world *world, const char *name)
{
    return keepf(world, "%s/%s", world->dir, name);
}

const char *bin(struct world *world, const char *program)
{
    const char *dir = getenv("QUELL_BIN_DIR");

    return keepf(world, "%s/%s", dir && *dir ? dir : QUELL_TEST_BIN_DIR, program);
}

/* ---- files ---- */

bool world_is_v1(void)
{
    const char *mode = getenv("QUELL_TEST_CGROUP_MODE");

    return mode && strcmp(mode, "v1") == 0;
}

const char *kill_method(void)
{
    return world_is_v1() ? "v1_freezer" : "cgroup_kill";
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

const char *file_in(struct world *world, const char *name, const char *text)
{
    const char *path = path_in(world, name);
    FILE *file = fopen(path, "we");

    cr_assert_not_null(file, "%s: %s", path, strerror(errno));
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
    cr_assert_eq(chmod(path, 0666), 0);
    return path;
}

char *file_text(struct world *world, const char *path)
{
    static char text[1 << 20];
    FILE *file = fopen(path, "re");

    cr_assert_not_null(file, "%s: %s", path, strerror(errno));
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    (void) fclose(file);
    return (char *) keep(world, text);
}

static void copy_file(const char *from, const char *to)
{
    const int in = open(from, O_RDONLY | O_CLOEXEC);
    const int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    ssize_t n;

    cr_assert_geq(in, 0, "%s: %s", from, strerror(errno));
    cr_assert_geq(out, 0, "%s: %s", to, strerror(errno));
    while ((n = sendfile(out, in, NULL, 1 << 30)) > 0)
        ;
    cr_assert_eq(n, 0, "copy %s: %s", from, strerror(errno));
    (void) close(in);
    (void) close(out);
}

const char *program_in(struct world *world, const char *name)
{
    const char *from = keepf(world, "%s/%s", QUELL_TEST_PROGRAMS_DIR, name);
    const char *to = path_in(world, name);

    if (!file_exists(from))
        from = bin(world, name);
    if (!file_exists(to))
        copy_file(from, to);
    return to;
}

int fifo_in(struct world *world, const char *name)
{
    const char *path = path_in(world, name);
    int fd;

    cr_assert_eq(mkfifo(path, 0666), 0, "%s: %s", path, strerror(errno));
    cr_assert_eq(chmod(path, 0666), 0);
    fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    return fd;
}

void fifo_expect(int fd, const char *line)
{
    char got[256];
    size_t len = 0;

    while (len == 0 || got[len - 1] != '\n') {
        cr_assert_lt(len, sizeof(got) - 1);
        cr_assert_eq(wait_readable(fd), 0, "no line \"%s\" came, only \"%.*s\"", line, (int) len,
                     got);
        if (read(fd, got + len, 1) == 1)
            len++;
    }
    got[len - 1] = '\0';
    cr_assert_str_eq(got, line);
}

/* ---- the daemons ---- */

void head_start(struct world *world)
{
    const char *argv[] = {
        bin(world, "quell-head"),    "--listen",    world->head_url,        "--socket",
        world->head_socket,          "--state-dir", path_in(world, "head"), "--config",
        path_in(world, "head.conf"), NULL};
    const struct program_child child = {.mark = keepf(world, JANITOR_DAEMON "=%s", world->dir)};

    program_start(&world->head, argv, &child);
    program_await(&world->head, "listening");
}

void agent_launch(struct agent *agent)
{
    struct world *world = agent->world;
    const char *const own[] = {bin(world, "quelld"),
                               "--head",
                               world->head_url,
                               "--node",
                               agent->node,
                               "--socket",
                               agent->socket,
                               "--state-dir",
                               keepf(world, "%s/%s.state", world->dir, agent->node),
                               "--run-dir",
                               keepf(world, "%s/%s.run", world->dir, agent->node),
                               "--config",
                               path_in(world, "quelld.conf"),
                               NULL};
    const struct program_child child = {.mark = keepf(world, JANITOR_DAEMON "=%s", world->dir)};
    const char *argv[48];
    size_t len = 0;

    for (const char *const *word = agent->wrapper; word && *word; word++)
        argv[len++] = *word;
    for (const char *const *word = own; *word; word++)
        argv[len++] = *word;
    argv[len] = NULL;
    program_start(&agent->program, argv, &child);
    program_await(&agent->program, "status socket");
    if (agent->group[0] == '\0') {
        struct asker *asker = asker_open(agent->socket);
        json_t *node = keep_json(world, asker_get(asker, "/v1/node", NULL));

        (void) snprintf(agent->group, sizeof(agent->group), "%s", text_at(node, "cgroup"));
        janitor_note_group(&world->janitor, strrchr(agent->group, '/') + 1);
        asker_close(asker);
    }
}

void agent_start(struct agent *agent)
{
    agent_launch(agent);
    program_await(&agent->program, "connected with the head");
}

/* ---- worlds ---- */

static void agent_init(struct world *world, struct agent *agent, const char *node)
{
    char name[32];

    agent->world = world;
    agent->node = node;
    (void) snprintf(name, sizeof(name), "quelld of %s", node);
    (void) snprintf(agent->socket, sizeof(agent->socket), "%s/%s.sock", world->dir, node);
    program_init(&agent->program, name);
}

struct world *world_make(const char *agent_config)
{
    static const char *const nodes[WORLD_AGENTS_MAX] = {"n1", "n2"};
    const char *cgroup_mode = getenv("QUELL_TEST_CGROUP_MODE");
    struct world *world = calloc(1, sizeof(*world));

    if (!world)
        abort();
    world->kept = json_array();
    (void) snprintf(world->dir, sizeof(world->dir), "/tmp/quell-test-XXXXXX");
    cr_assert_not_null(mkdtemp(world->dir), "mkdtemp: %s", strerror(errno));
    janitor_start(&world->janitor, world->dir);
    world->next = worlds;
    worlds = world;
    cr_assert_eq(chmod(world->dir, 0755), 0);
    cr_assert_eq(mkdir(path_in(world, "nodes"), 0700), 0);
    (void) snprintf(world->mark, sizeof(world->mark), JANITOR_TASK "=%s", world->dir);
    (void) snprintf(world->head_socket, sizeof(world->head_socket), "%s/head.sock", world->dir);
    (void) snprintf(world->head_url, sizeof(world->head_url), "ipc://%s/nodes/head.ipc",
                    world->dir);
    (void) file_in(world, "head.conf", "# of a test\n[head]\nheartbeat = 2s\n");
    (void) file_in(world, "quelld.conf",
                   keepf(world, "%s%s%s\n", agent_config ? agent_config : "",
                         cgroup_mode ? "[cgroup]\nmode = " : "# of a test",
                         cgroup_mode ? cgroup_mode : ""));
    program_init(&world->head, "quell-head");
    for (size_t i = 0; i < WORLD_AGENTS_MAX; i++)
        agent_init(world, &world->agents[i], nodes[i]);
    return world;
}

struct world *world_open(size_t agents)
{
    struct world *world = world_make(NULL);

    head_start(world);
    for (size_t i = 0; i < agents; i++)
        agent_start(&world->agents[i]);
    return world;
}

/* Ends it if it runs. Returns how often there was reason to complain. */
static int end_daemon(struct program *p)
{
    int status;

    if (p->pid <= 0)
        return 0;
    program_signal(p, SIGTERM);
    status = program_wait(p);
    if (status == 0)
        return 0;
    (void) fprintf(stderr, "%s ended with wait status 0x%x on SIGTERM\n", p->name,
                   (unsigned) status);
    return 1;
}

/* The findings of sanitizers in the log of a daemon, and of the supervisors that share it. */
static int judge_log(struct program *p, bool show)
{
    static const char *const findings[] = {"Sanitizer", "runtime error:"};
    const char *log = program_log(p);
    int complaints = 0;

    for (size_t i = 0; i < sizeof(findings) / sizeof(findings[0]); i++)
        complaints += strstr(log, findings[i]) != NULL;
    if (complaints || show)
        (void) fprintf(stderr, "---- the log of %s:\n%s----\n", p->name, log);
    return complaints;
}

static int world_close(struct world *world)
{
    int complaints = 0;

    struct program *programs[WORLD_AGENTS_MAX + 1] = {&world->head};

    for (size_t i = 0; i < WORLD_AGENTS_MAX; i++)
        programs[i + 1] = &world->agents[i].program;
    for (size_t i = WORLD_AGENTS_MAX + 1; i-- > 0;)
        complaints += end_daemon(programs[i]);
    complaints += janitor_finish(&world->janitor) != 0;
    for (size_t i = 0; i <= WORLD_AGENTS_MAX; i++) { /* when the supervisors too are gone */
        complaints += judge_log(programs[i], complaints > 0 || getenv("QUELL_TEST_LOGS"));
        program_done(programs[i]);
    }
    json_decref(world->kept);
    return complaints;
}

void worlds_close(void)
{
    int complaints = 0;

    while (worlds) {
        struct world *world = worlds;

        worlds = world->next;
        complaints += world_close(world);
        free(world);
    }
    if (complaints == 0)
        return;
    /* Criterion counts no assertion that fails here, but it does count a crash. */
    (void) fprintf(stderr, "the daemons left something to complain of\n");
    abort();
}
