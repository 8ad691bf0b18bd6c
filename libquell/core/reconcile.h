#pragma once

/*
 * reconcile.h - after an absence: what becomes of one attempt that the head believes to be on a
 * node, once that node has said what it knows. Pure. Source: DESIGN section 5.
 */
#include <stdbool.h>
#include <stdint.h>

struct reconcile_head {     /* what the head has recorded; the attempt has not ended */
    uint32_t acked_version; /* highest command that the node had recorded, 0: none */
    bool start_acked;       /* one of those had the start */
    bool cancelled;
    const char *acked_boot_id; /* of the boot in which the start was acknowledged */
};

struct reconcile_node { /* what the node's hello says */
    bool listed;
    uint32_t version; /* of the last command that it has recorded */
    const char *boot_id;
};

enum reconcile_step {
    RECONCILE_KEEP,       /* both sides agree, or the normal way will see to it */
    RECONCILE_SEND_AGAIN, /* what was acknowledged is not there: count it as not acknowledged */
    RECONCILE_REBOOTED,   /* it is gone with the boot that it ran in */
    RECONCILE_UNKNOWN,    /* it is gone, and nobody can say how */
};

enum reconcile_step reconcile_attempt(const struct reconcile_head *head,
                                      const struct reconcile_node *node);
