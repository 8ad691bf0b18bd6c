#include "tests/contract/contract_host.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

static const struct {
    const char *mode;
    const char *base; /* NULL: the default */
} rows[] = {
    {"hybrid", NULL},
    {"v1", NULL},
    {"v2", "/quell-test-base"}, /* a base without processes has the controllers that there are */
};

const char *const contract_row_names[] = {"hybrid", "v1", "v2"};
const size_t contract_rows = sizeof(rows) / sizeof(rows[0]);

void contract_open(struct contract *c, size_t row)
{
    static int count;
    struct err err = {0};
    int r;

    c->name = contract_row_names[row];
    c->options.mode = rows[row].mode;
    (void) snprintf(c->tag, sizeof(c->tag), "quell-test-%d-%d", (int) getpid(), count++);
    c->options.tag = c->tag;
    if (rows[row].base) {
        (void) snprintf(c->base, sizeof(c->base), "%s-%d", rows[row].base, (int) getpid());
        c->options.base = c->base;
    }
    /* What forks twice comes to the test, and is reaped at its end. */
    (void) prctl(PR_SET_CHILD_SUBREAPER, 1);
    r = cgroup_host_open(&c->options, &c->host, &err);
    if (r == -ENOENT)
        cr_skip_test("no %s host: %s", c->name, err.text);
    cr_assert_eq(r, 0, "%s: %s", c->name, err.text);
}

void contract_reopen(struct contract *c)
{
    struct err err = {0};

    c->host = cgroup_host_close(c->host);
    cr_assert_eq(cgroup_host_open(&c->options, &c->host, &err), 0, "%s: %s", c->name, err.text);
}
