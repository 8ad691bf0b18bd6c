#include "libquell/core/reconcile.h"

#include <string.h>

enum reconcile_step reconcile_attempt(const struct reconcile_head *head,
                                      const struct reconcile_node *node)
{
    if (head->acked_version == 0 && !head->start_acked)
        return RECONCILE_KEEP;
    if (node->listed) {
        /* Older records than the head was told of: the cancel must not be lost with them. */
        return head->cancelled && node->version < head->acked_version ? RECONCILE_SEND_AGAIN
                                                                      : RECONCILE_KEEP;
    }
    /* A tombstone that is gone: a new one proves that the attempt never started. */
    if (!head->start_acked)
        return RECONCILE_SEND_AGAIN;
    return strcmp(head->acked_boot_id, node->boot_id) != 0 ? RECONCILE_REBOOTED : RECONCILE_UNKNOWN;
}
