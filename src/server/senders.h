/* Private to server: which layout of OTLP profiles each sender spoke last, so that a
 * change is seen. A sender is an address without port and a User-Agent. Memory is
 * fixed: of two senders that share a place the later one is remembered. Any thread. */
#pragma once

#include <stdbool.h>

#include "base/str.h"
#include "wire/wire.h"

struct senders;

/* ERR_NOMEM. */
MUST_USE int senders_create(struct senders **ret, struct err *err);
void senders_destroy(struct senders *senders); /* NULL is fine */

/* Notes what a request was laid out as. True for a change to be logged, with what it was before: of a
 * sender that was known, seen in SENDERS_STEADY requests in a row (1.8 and later are alike in some
 * requests), at most once a second for all, and once in ten minutes for each. */
bool senders_note(struct senders *senders, struct str peer, struct str agent,
		  enum wire_layout layout, uint64_t now_ns, enum wire_layout *ret_was);

enum { SENDERS_STEADY = 3 };
