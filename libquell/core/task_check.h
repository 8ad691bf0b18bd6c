#pragma once

/*
 * task_check.h - whether what is asked of AddTask makes sense, and who may ask it. Pure.
 *
 * Refusals as in task_rules.h. What needs the state (ids in use, node known) is not asked here.
 */
#include "libquell/quell.h"

#include "base/err.h"

#define TASK_CHECK_NAME_MAX 255u /* characters of a task's name */
#define TASK_CHECK_USER_MAX 255u /* bytes of a user's name */

int task_check_request(const struct quell_task_request *request, struct err *err);

/* The user that the task will run as: a name, or a number in decimal. */
struct task_check_user {
    char user[TASK_CHECK_USER_MAX + 1];
    bool owner_known;
    uint32_t owner_uid;
};

/* Only root may name another user than itself; a group is handed over by root and operators. */
int task_check_user(const struct quell_task_request *request, const struct quell_who *who,
                    struct task_check_user *ret, struct err *err);

/* @len: bytes of the packed specification. */
int task_check_spec_size(size_t len, struct err *err);
