#include "tests/contract/contract_host.h"

#include "cgroups/host_backend.h"
#include "tests/fakes/fake_cgfs.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const contract_row_names[] = {"v2 on files"};
const size_t contract_rows = 1;

static char mount[FAKE_PATH_SIZE];

static void remove_mount(void)
{
    fake_cgroup2_free(mount);
}

static void open_fake(struct contract *c)
{
    struct host_layout layout = {.mode = CGROUP_MODE_V2};
    struct host_place *place = &layout.places[CGROUP_SLOT_UNIFIED];
    struct err err = {0};

    (void) snprintf(place->mount, sizeof(place->mount), "%s", mount);
    (void) snprintf(place->root, sizeof(place->root), "/");
    (void) snprintf(place->own, sizeof(place->own), "/");
    cr_assert_eq(host_open_layout(&layout, &c->options, &c->host, &err), 0, "%s", err.text);
}

void contract_open(struct contract *c, size_t row)
{
    c->name = contract_row_names[row];
    (void) snprintf(c->tag, sizeof(c->tag), "quell-1a2b3c4d");
    (void) snprintf(c->base, sizeof(c->base), "/quell");
    c->options = (struct cgroup_host_options){.mode = "v2", .base = c->base, .tag = c->tag};
    fake_cgroup2_new("cpu io memory pids", mount);
    (void) atexit(remove_mount);
    open_fake(c);
}

void contract_reopen(struct contract *c)
{
    c->host = cgroup_host_close(c->host);
    open_fake(c);
}
