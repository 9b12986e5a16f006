/* The executable mappings of one process, sorted by address, never overlapping.
 * A child shares its parent's set until one of them maps something: sets are
 * counted by reference and copied on write. One thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct mapping {
	uint64_t start, end;
	uint64_t offset; /* of start in the file; memory without a file: start itself */
	uint32_t file;	 /* id in struct files */
};

struct mappings {
	uint32_t refs;
	uint32_t count;
	size_t cap;
	struct mapping *rows;
};

enum { MAPPINGS_MAX = 32768 }; /* per process */

/* An empty set with one reference; NULL when there is no memory. */
struct mappings *mappings_create(void);
struct mappings *mappings_ref(struct mappings *set);
void mappings_unref(struct mappings *set); /* NULL is fine */
/* Puts row in, over what was there. *set is replaced by a copy when others share it.
 * ERR_LIMIT, ERR_NOMEM: *set is as before. */
MUST_USE int mappings_add(struct mappings **set, const struct mapping *row, struct err *err);
/* The mapping around the address, or NULL. */
const struct mapping *mappings_find(const struct mappings *set, uint64_t address);
/* The rows are the same. */
bool mappings_equal(const struct mappings *a, const struct mappings *b);
/* Every address of [start, end) that old shows is shown the same by fresh. */
bool mappings_agree(const struct mappings *old, const struct mappings *fresh, uint64_t start,
		    uint64_t end);
