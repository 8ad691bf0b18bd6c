#include "cgroups/cgfs.h"
#include "cgroups/host_backend.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PERIOD_US      100000U  /* the kernel's default */
#define LONG_PERIOD_US 1000000U /* its longest */
#define QUOTA_MIN_US   1000U    /* its least */

void host_value_number(uint64_t value, char ret[HOST_VALUE_SIZE])
{
    (void) snprintf(ret, HOST_VALUE_SIZE, "%" PRIu64, value);
}

void host_value_memory(uint64_t bytes, char ret[HOST_VALUE_SIZE])
{
    const uint64_t page = (uint64_t) sysconf(_SC_PAGESIZE);

    host_value_number(bytes - bytes % page, ret);
}

void host_value_cpu(uint32_t cpu_milli, char quota[HOST_VALUE_SIZE], char period[HOST_VALUE_SIZE])
{
    uint64_t period_us = PERIOD_US;

    /* Less than a hundredth of a CPU is less than the least quota of a usual period. */
    if (cpu_milli * (uint64_t) period_us / 1000 < QUOTA_MIN_US)
        period_us = LONG_PERIOD_US;
    host_value_number(cpu_milli * period_us / 1000, quota);
    host_value_number(period_us, period);
}

int host_value_verify(int fd, const char *file, const char *value, struct err *err)
{
    char text[HOST_VALUE_SIZE * 2];
    ssize_t len = cgfs_read(fd, file, text, sizeof(text));

    if (len < 0)
        return err_errno(err, (int) len, "read %s back", file);
    text[strcspn(text, "\n")] = '\0';
    if (strcmp(text, value) != 0)
        return err_set(err, -EIO, "%s was set to %s and reads back as %s", file, value, text);
    return 0;
}

int host_value_set(int fd, const char *file, const char *value, struct err *err)
{
    int r = cgfs_write(fd, file, value);

    if (r < 0)
        return err_errno(err, r, "write %s to %s", value, file);
    return host_value_verify(fd, file, value, err);
}
