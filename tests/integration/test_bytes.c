/* What users write: it arrives as it was given, and nobody is deceived by it. */
#include "libquell/quell.h"
#include "tests/integration/asker.h"
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(bytes, .fini = worlds_close, .timeout = 120);

/* Not text: a file may hold zeros. */
static size_t bytes_of(const char *path, char *ret, size_t size)
{
    FILE *file = fopen(path, "re");
    size_t len;

    cr_assert_not_null(file, "%s", path);
    len = fread(ret, 1, size, file);
    (void) fclose(file);
    return len;
}

/* All characters of one byte, in @ret of 128. */
static void ascii(char *ret)
{
    for (int i = 1; i < 128; i++)
        ret[i - 1] = (char) i;
    ret[127] = '\0';
}

/* ---- through quellctl: text ---- */

Test(bytes, arguments_arrive_as_they_were_given)
{
    static const char *const words[] = {"",
                                        " ",
                                        "two words",
                                        "-n",
                                        "--",
                                        "$HOME",
                                        "'",
                                        "\"",
                                        "\\",
                                        "line\nline\r\t",
                                        "\033[31mred",
                                        "\xc3\xa9\xe2\x82\xac",
                                        "\xf0\x9f\x98\x80",
                                        "*",
                                        "%s%n"};
    enum { WORDS = sizeof(words) / sizeof(words[0]) };
    struct world *w = world_open(1);
    const char *out = file_in(w, "out", "");
    const char *argv[WORDS + 8] = {"--stdout", out, "--", "sh", "-c", "cat /proc/$$/cmdline; :"};
    char every[128], expected[2048], got[4096];
    size_t len, at;

    ascii(every);
    at = (size_t) snprintf(expected, sizeof(expected), "sh%c-c%c%s%c", 0, 0, argv[5], 0);
    for (size_t i = 0; i <= WORDS; i++) {
        const char *word = i < WORDS ? words[i] : every;

        argv[6 + i] = word;
        memcpy(expected + at, word, strlen(word) + 1);
        at += strlen(word) + 1;
    }
    assert_text(w, task_wait(w, submit_words(w, "n1", "nobody", argv)), "status",
                "TaskStatus_Finished");
    len = bytes_of(out, got, sizeof(got));
    cr_assert_eq(len, at);
    cr_assert_eq(memcmp(got, expected, len), 0);
}

Test(bytes, the_environment_arrives_as_it_was_given)
{
    struct world *w = world_open(1);
    const char *out = file_in(w, "out", "");
    char every[140] = "EVERY=", got[8192];
    size_t len;

    ascii(every + strlen(every));
    assert_text(w,
                task_wait(w, submit(w, "--stdout", out, "--env", every, "--env", "EMPTY=", "--env",
                                    "A.B-C d=x=y", "--env", "TWICE=1", "--env", "TWICE=2", "--",
                                    "env", "-0")),
                "status", "TaskStatus_Finished");
    len = bytes_of(out, got, sizeof(got));
    cr_assert_not_null(memmem(got, len, every, strlen(every) + 1));
    cr_assert_not_null(memmem(got, len, "EMPTY=", 7));
    cr_assert_not_null(memmem(got, len, "A.B-C d=x=y", 12));
    cr_assert_not_null(memmem(got, len, "TWICE=2", 8));
    cr_assert_null(memmem(got, len, "TWICE=1", 7));
}

/* ---- log lines ---- */

/* Each line of it is one that the program itself began. */
static void assert_not_forged(struct world *w, struct program *p, const char *const *names)
{
    const char *log = keep(w, program_log(p));

    for (const char *line = log; *line; line = strchr(line, '\n') + 1) {
        bool own = false;

        for (const char *const *name = names; *name; name++)
            own = own || strncmp(line, *name, strlen(*name)) == 0;
        cr_assert(own, "\"%.*s\" is in the log:\n%s", (int) strcspn(line, "\n"), line, log);
        cr_assert(strncmp(line, "quelld: forged", 14) != 0, "%s", log);
        cr_assert_not_null(strchr(line, '\n'));
    }
    cr_assert_null(strchr(log, '\033'), "%s", log);
    cr_assert_null(strchr(log, '\r'), "%s", log);
}

Test(bytes, no_line_of_a_log_can_be_forged)
{
    static const char evil[] = "x\nquelld: forged\n\r\033[2Jforged\nquell-head: forged";
    static const char *const names[] = {"quelld: ", "quell-supervisor: ", "quell-head: ", NULL};
    static const char *const options[] = {"--workdir", "--stdin", "--stdout", "--stderr"};
    struct world *w = world_open(1);
    const json_t *task;
    const char *id;

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        task = task_wait(w, submit(w, options[i], keepf(w, "/no/%s", evil), "--", "true"));
        assert_text(w, task, "cause", "could_not_start");
        assert_has(text_at(task, "error_message"), evil);
    }
    (void) task_wait(w, submit(w, "--name", evil, "--env", keepf(w, "X=%s", evil), "--", evil));
    (void) task_wait(w, submit_words(w, "n1", evil, (const char *const[]){"--", "true", NULL}));
    id = submit(w, "--", "sleep", "1000");
    cancel(w, id, "-m", evil, "--grace", "0");
    assert_text(w, task_wait(w, id), "error_message", evil);
    (void) ctl(w, "submit", "-n", evil, "--", "true");
    assert_not_forged(w, &w->agents[0].program, names);
    assert_not_forged(w, &w->head, names);
    assert_has(program_log(&w->agents[0].program), "\\x0aquelld: forged\\x0a");
}

/* ---- through libquell: any bytes ---- */

struct done {
    bool told;
    int refused;
    uint32_t job_id, task_id;
    enum task_status status;
    char error_message[512];
};

static void on_task(void *arg, const struct quell_refusal *refusal, const struct quell_task *task)
{
    struct done *done = arg;

    done->told = true;
    done->refused = refusal ? refusal->code : 0;
    if (!task)
        return;
    done->job_id = task->job_id;
    done->task_id = task->task_id;
    done->status = task->current.status;
    (void) snprintf(done->error_message, sizeof(done->error_message), "%s",
                    task->current.error_message ? task->current.error_message : "");
}

static void await_done(struct quell *quell, const struct done *done)
{
    struct err err = {0};

    while (!done->told) {
        cr_assert_eq(wait_readable(quell_fd(quell)), 0, "nothing comes");
        cr_assert_eq(quell_dispatch(quell, &err), 0, "%s", err.text);
    }
}

static const struct quell_who root = {.uid = 0, .name = "root", .operator_ = true};

static void on_node(void *arg, const struct quell_refusal *refusal, const struct quell_node *nodes,
                    size_t len)
{
    struct done *done = arg;

    (void) refusal;
    (void) nodes;
    done->told = true;
    done->job_id = (uint32_t) len;
}

/* The agent's hello has come. */
static void await_node(struct quell *quell)
{
    struct err err = {0};

    for (;;) {
        struct done done = {0};

        quell_list_nodes(quell, on_node, &done);
        await_done(quell, &done);
        if (done.job_id > 0)
            return;
        cr_assert_eq(wait_readable(quell_fd(quell)), 0, "no node comes");
        cr_assert_eq(quell_dispatch(quell, &err), 0, "%s", err.text);
    }
}

static struct done run_task(struct quell *quell, struct quell_task_request *request)
{
    struct done added = {0}, ended = {0};

    request->node = "n1";
    request->user = "nobody";
    request->submit = true;
    quell_add_task(quell, request, &root, on_task, &added);
    await_done(quell, &added);
    cr_assert_eq(added.refused, 0, "0x%x", (unsigned) added.refused);
    quell_wait_task(quell, added.job_id, added.task_id, DEADLINE_MS, on_task, &ended);
    await_done(quell, &ended);
    return ended;
}

static struct quell *quell_in(struct world *w)
{
    const char *const listen[] = {w->head_url};
    const struct quell_options options = {
        .state_dir = path_in(w, "head"), .listen = listen, .listen_len = 1, .heartbeat_ms = 1000};
    struct quell *quell = NULL;
    struct err err = {0};

    cr_assert_eq(quell_open(&options, &quell, &err), 0, "%s", err.text);
    return quell;
}

Test(bytes, arguments_and_environment_may_be_any_bytes_but_zero)
{
    struct world *w = world_make(NULL);
    struct quell *quell = quell_in(w);
    const char *out = file_in(w, "out", "");
    char word[256], env[264] = "ANY=", got[8192];
    const char *argv[] = {"sh", "-c", "cat /proc/$$/cmdline; env -0", word};
    const char *entries[] = {w->mark, env};
    struct quell_task_request request = {
        .argv = argv, .argv_len = 4, .env = entries, .env_len = 2, .stdout_path = out};
    struct done done;
    size_t len;

    for (int i = 1; i < 256; i++)
        word[i - 1] = (char) i;
    word[255] = '\0';
    memcpy(env + 4, word, sizeof(word));
    agent_launch(&w->agents[0]);
    await_node(quell);
    done = run_task(quell, &request);
    cr_assert_eq(done.status, TASK_FINISHED, "%s", done.error_message);
    len = bytes_of(out, got, sizeof(got));
    cr_assert_not_null(memmem(got, len, word, sizeof(word)));
    cr_assert_not_null(memmem(got, len, env, sizeof(word) + 4));
    (void) quell_close(quell);
}

Test(bytes, a_path_that_is_no_text_breaks_nobodys_json)
{
    struct world *w = world_make(NULL);
    struct quell *quell = quell_in(w);
    const char *argv[] = {"true", "\xff\xfe\x80"};
    struct quell_task_request request = {
        .argv = argv, .argv_len = 2, .stdin_path = "/no/\xff\n\xc3", .stdout_path = "/dev/null"};
    struct asker *asker;
    struct done done;
    json_t *tasks;
    int status;

    agent_launch(&w->agents[0]);
    await_node(quell);
    done = run_task(quell, &request);
    cr_assert_eq(done.status, TASK_FAILED);
    assert_has(done.error_message, "/no/\xff\n\xc3: No such file");
    (void) quell_close(quell);
    /* The same table, shown by quell-head. */
    head_start(w);
    asker = asker_open(w->head_socket);
    tasks = asker_get(asker, "/v1/tasks", &status);
    cr_assert_eq(status, 200);
    cr_assert_eq(json_array_size(at(tasks, "tasks")), 1);
    json_decref(tasks);
    asker_close(asker);
}
