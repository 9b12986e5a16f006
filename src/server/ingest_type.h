/* Private to server: what a profile is called in Pyroscope's terms. */
#pragma once

#include "server/ingest.h"

struct profile_type {
	struct str name; /* __name__ before relabelling */
	struct str sample_type, sample_unit, period_type, period_unit;
	int64_t scale; /* what a value is multiplied by */
};

/* given_name is the label __name__ of a sender of labels, or "". Texts are the dictionary's, given_name or in
 * the arena. ERR_INVALID when the profile does not say what it counts. */
MUST_USE int profile_type_of(struct arena *arena, const struct profile_dict *dict,
			     const struct profile *profile, enum ingest_naming naming,
			     struct str given_name, struct profile_type *ret, struct err *err);
