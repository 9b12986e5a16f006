/* Giving up privileges. Linux capabilities(7). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* This process keeps only the capabilities named (numbers of linux/capability.h), in the permitted
 * and effective sets, can never gain others (no_new_privs, bounding set), and user id 0 gives it nothing
 * any more. Those it does not have are left out. Call before starting threads. */
MUST_USE int privileges_keep(const int *capabilities, size_t count, struct err *err);
