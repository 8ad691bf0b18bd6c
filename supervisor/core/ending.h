#pragma once

/*
 * ending.h - from what the supervisor saw and counted to the facts that it writes down: cause,
 * method, proof and the sentence. Pure.
 */
#include "quell.pb-c.h"
#include "supervisor/core/life.h"

#include <stdbool.h>
#include <stdint.h>

struct ending_facts {
    const struct life *life;
    const char *could_not_start; /* the sentence; NULL when exec succeeded */
    bool status_known;           /* the leader's wait status, as waitpid(2) gives it */
    int wait_status;
    bool v1;                     /* the kill went through the v1 freezer */
    uint64_t memory_limit_bytes; /* 0: none; for the sentence, as the next */
    uint64_t runtime_ms;
    uint64_t core_dump_ms;
    int64_t processes_at_kill; /* -1 here and below: not known */
    int64_t escaped;
    int64_t cgroup_inode;
    int64_t cpu_us;
    int64_t memory_peak_bytes;
    int64_t memory_at_limit;
    int64_t oom_kills;
    int64_t io_read_bytes;
    int64_t io_write_bytes;
    uint32_t signals_sent;
    const char *boot_id;
    uint64_t start_time_us; /* wall; 0: not known */
    uint64_t end_time_us;
    uint64_t recorded_us; /* monotonic */
};

/* An ending with all its parts in one piece: `ending` points into it, so it must not be copied. */
struct ending {
    Quell__Pb__Ending ending;
    Quell__Pb__Proof proof;
    Quell__Pb__Usage usage;
    char text[600];
};

void ending_make(struct ending *ret, const struct ending_facts *facts);
