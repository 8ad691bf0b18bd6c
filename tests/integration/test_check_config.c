/* --check-config of both daemons: what is good is "ok", what is not is named with file, line and
 * key; and it starts nothing. */
#include "tests/integration/tasks.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(check_config, .fini = worlds_close, .timeout = 60);

struct row {
    const char *program;
    const char *text; /* of the file */
    int line;         /* of what is wrong; 0: nothing is */
    const char *part; /* of the sentence */
};

static const struct row rows[] = {
    {"quell-head", "", 0, NULL},
    {"quell-head", "# only words\n\n[head]\nheartbeat = 10ms\n[tasks]\ngrace = 0\nkeep = 1s\n", 0,
     NULL},
    {"quell-head", "[tasks]\nkeep = 3650h\n", 0, NULL},
    {"quell-head", "[head]\nheartbeet = 1s\n", 2, "heartbeet"},
    {"quell-head", "[haed]\nheartbeat = 1s\n", 2, "haed"},
    {"quell-head", "[head]\n\n# here\nheartbeat = never\n", 4, "heartbeat"},
    {"quell-head", "[head]\nheartbeat = 9ms\n", 2, "heartbeat"},
    {"quell-head", "[tasks]\ngrace = 25h\n", 2, "grace"},
    {"quell-head", "[tasks]\nkeep = 0\n", 2, "keep"},
    {"quell-head", "[tasks]\nkeep = 999ms\n", 2, "keep"},
    {"quell-head", "[tasks]\nkeep = a while\n", 2, "keep"},
    {"quell-head", "[tasks]\nkeep = 1s\nkeep = 2s\n", 3, "keep"},
    {"quell-head", "[head]\ninsecure = perhaps\n", 2, "insecure"},
    {"quell-head", "[head]\nno equals sign\n", 2, ""},
    {"quell-head", "[tasks]\nmax_running = 1\n", 2, "max_running"},
    {"quelld", "", 0, NULL},
    {"quelld", "[tasks]\nmax_running = 1\nallow_root = no\nleftover_grace = 2s\n", 0, NULL},
    {"quelld", "[tasks]\nmax_running = 0\n", 2, "max_running"},
    {"quelld", "[tasks]\nmax_running = -1\n", 2, "max_running"},
    {"quelld", "[tasks]\nmax_running = many\n", 2, "max_running"},
    {"quelld", "[tasks]\nmax_runing = 1\n", 2, "max_runing"},
    {"quelld", "[tasks]\nkeep = 1s\n", 2, "keep"},
    {"quelld", "[cgroup]\nmode = v3\n", 2, "mode"},
    {"quelld", "[agent]\n\nnode = a b\n", 3, "node"},
    {"quelld", "max_running = 1\n", 1, "max_running"},
};

static void check(struct world *w, const struct row *row, size_t number)
{
    const char *name = keepf(w, "row-%zu.conf", number);
    const char *file = file_in(w, name, row->text);
    const bool head = strcmp(row->program, "quell-head") == 0;
    const char *const argv[] = {bin(w, row->program),
                                head ? "--listen" : "--head",
                                w->head_url,
                                "--config",
                                file,
                                "--check-config",
                                NULL};
    const struct ctl answer = run(w, 0, argv);

    if (row->line == 0) {
        cr_assert_eq(answer.status, 0, "row %zu: %s", number, answer.err);
        cr_assert_str_eq(answer.out, "ok\n", "row %zu", number);
        return;
    }
    cr_assert_eq(answer.status, 1, "row %zu: %d %s", number, answer.status, answer.err);
    cr_assert_str_eq(answer.out, "", "row %zu", number);
    assert_has(answer.err, keepf(w, "%s: ", row->program));
    assert_has(answer.err, keepf(w, "%s:%d", file, row->line));
    assert_has(answer.err, row->part);
    cr_assert(strchr(answer.err, '\n')[1] == '\0', "row %zu: not one line: %s", number, answer.err);
}

Test(check_config, each_file_is_ok_or_its_mistake_is_named_by_file_line_and_key)
{
    struct world *w = world_make(NULL);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(w, &rows[i], i);
    cr_assert(!file_exists(w->head_socket), "something was started");
    cr_assert(!file_exists(path_in(w, "nodes/head.ipc")), "something was started");
}
