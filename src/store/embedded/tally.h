/* Private to the embedded engine: are two piles of (id, bytes) the same, when
 * they come in different orders and are too large to keep? Each side adds a
 * hash of every piece to a sum of its page of ids, the one with a plus, the
 * other with a minus: a page whose sum is not 0 in the end differs. 8 bytes a
 * page of 256 ids; two different piles look the same once in 2^64. One thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum { TALLY_PAGE = 256 };

struct tally {
	uint64_t *sums;
	size_t count, cap;
};

void tally_deinit(struct tally *tally);
MUST_USE int tally_add(struct tally *tally, uint32_t id, struct str bytes, struct err *err);
MUST_USE int tally_take(struct tally *tally, uint32_t id, struct str bytes, struct err *err);
bool tally_differs(const struct tally *tally, size_t page);
