#pragma once

/* fake_cgroup2.h - the fake hierarchy, as fake_cgfs.c uses it. Paths are absolute. */
#define FAKE_CGROUP2_PATH_SIZE 4096

void fake_cgroup2_mkdir(const char *dir); /* the directory is there: its control files */
int fake_cgroup2_rmdir(const char *dir);
int fake_cgroup2_write(const char *dir, const char *file, const char *text);
