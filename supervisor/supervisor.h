#pragma once

/*
 * supervisor.h - what agent and quell-supervisor agree on besides the frames of ipc/quell.proto:
 * the descriptors that the agent hands over. Private to supervisor/; the agent has the same numbers
 * in its own words (docs/wire.md, "Agent and supervisor"), as the two meet only as bytes.
 */
enum supervisor_fd {
    SUPERVISOR_FD_LINK = 3,    /* SOCK_SEQPACKET, the agent that started us; a Launch waits in it */
    SUPERVISOR_FD_LISTEN = 4,  /* listening SOCK_SEQPACKET in the run directory, for later agents */
    SUPERVISOR_FD_ATTEMPT = 5, /* the attempt's directory */
    SUPERVISOR_FD_GROUP = 6,   /* the group's directories, in the order of enum cgroup_slot */
};
