/* Private to server: uploaded profiles, whatever format they are in. */
#pragma once

#include "base/arena.h"
#include "query/query.h"

struct adhoc_profile {
	struct query_type type; /* name, sample_type and sample_unit are set */
	struct query_tree tree; /* of the wanted one only */
};

/* pprof (gzip or not), speedscope, flamebearer (single) and folded stacks, told apart by how they begin.
 * One for each type of values in the file, at least one; *ret_at is the first of the sample type wanted, or
 * where that is NULL or "" the first of all. Names the format in its errors: ERR_INVALID (also when nothing
 * has the wanted type), ERR_LIMIT, ERR_NOMEM. */
MUST_USE int adhoc_decode(struct arena *arena, struct str bytes, const char *wanted,
			  struct adhoc_profile **ret, size_t *ret_count, size_t *ret_at,
			  struct err *err);
