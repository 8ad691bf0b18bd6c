#include "agent/process.h"

#include "base/clock.h"
#include "base/fdio.h"
#include "base/user_cache.h"
#include "ipc/task_json.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct process { /* what /proc/PID/stat tells, by its field numbers in proc(5) */
    char name[64];
    char state;
    int ppid;
    uint64_t cpu_ticks;
    uint64_t start_ticks;
    uint64_t rss_pages;
};

/* The field behind the name with that number (proc(5) counts the state as 3). */
static const char *process_field(const char *behind_name, int number)
{
    const char *at = behind_name;

    for (int field = 3; at && field < number; field++) {
        at = strchr(at, ' ');
        at = at ? at + 1 : NULL;
    }
    return at ? at : "0";
}

static uint64_t process_number(const char *behind_name, int number)
{
    return strtoull(process_field(behind_name, number), NULL, 10);
}

static bool process_read_stat(int dirfd, struct process *ret)
{
    char text[1024];
    const char *open;
    const char *behind;

    if (fdio_read_text(dirfd, "stat", text, sizeof(text)) <= 0)
        return false;
    open = strchr(text, '(');
    behind = strrchr(text, ')');
    if (!open || !behind || strlen(behind) < 3)
        return false;
    (void) snprintf(ret->name, sizeof(ret->name), "%.*s", (int) (behind - open - 1), open + 1);
    behind += 2;
    ret->state = behind[0];
    ret->ppid = (int) process_number(behind, 4);
    ret->cpu_ticks = process_number(behind, 14) + process_number(behind, 15);
    ret->start_ticks = process_number(behind, 22);
    ret->rss_pages = process_number(behind, 24);
    return true;
}

/* The command line with blanks between its arguments; a process without one shows as [name]. */
static json_t *process_command(int dirfd, const struct process *process)
{
    char text[4096];
    char name[80];
    int fd = openat(dirfd, "cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? 0 : fdio_read(fd, text, sizeof(text));

    if (fd >= 0)
        (void) close(fd);
    while (len > 0 && text[len - 1] == '\0')
        len--;
    if (len <= 0) {
        (void) snprintf(name, sizeof(name), "[%s]", process->name);
        return task_json_text(name, strlen(name));
    }
    for (ssize_t i = 0; i < len; i++)
        if (text[i] == '\0')
            text[i] = ' ';
    return task_json_text(text, (size_t) len);
}

/* A process's start as wall time: ticks since boot, and when boot was. */
static uint64_t process_start_us(uint64_t ticks)
{
    struct timespec boot;
    uint64_t up_us;

    (void) clock_gettime(CLOCK_BOOTTIME, &boot);
    up_us = (uint64_t) boot.tv_sec * 1000000 + (uint64_t) boot.tv_nsec / 1000;
    return clock_wall_us() - up_us + ticks * 1000000 / (uint64_t) sysconf(_SC_CLK_TCK);
}

json_t *process_json(const struct user_cache *users, pid_t pid)
{
    const json_int_t page_bytes = sysconf(_SC_PAGESIZE);
    const json_int_t ticks = sysconf(_SC_CLK_TCK);
    struct process process;
    struct stat st;
    json_t *object;
    char path[32];
    int fd;

    (void) snprintf(path, sizeof(path), "/proc/%d", (int) pid);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) < 0 || !process_read_stat(fd, &process)) {
        (void) close(fd);
        return NULL; /* it is gone since the list was read */
    }
    object =
        json_pack("{s:i, s:i, s:I, s:s%, s:o, s:I, s:I, s:o, s:o}", "pid", (int) pid, "ppid",
                  process.ppid, "uid", (json_int_t) st.st_uid, "state", &process.state, (size_t) 1,
                  "user", task_json_name_or_null(user_cache_name(users, st.st_uid)), "cpu_us",
                  (json_int_t) process.cpu_ticks * 1000000 / ticks, "memory_bytes",
                  (json_int_t) process.rss_pages * page_bytes, "start_time",
                  task_json_time(process_start_us(process.start_ticks)), "command",
                  process_command(fd, &process));
    (void) close(fd);
    return object;
}
