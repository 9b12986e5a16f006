/* Private to server: what an OTLP profile is called in Pyroscope's terms. */
#pragma once

#include "profile/profile.h"

struct profile_type {
	struct str name; /* __name__ before relabelling */
	struct str sample_type, sample_unit, period_type, period_unit;
	int64_t scale; /* what a value is multiplied by */
};

/* Texts are the dictionary's or in the arena. ERR_INVALID when the profile does not say what it counts. */
MUST_USE int profile_type_of(struct arena *arena, const struct profile_dict *dict,
			     const struct profile *profile, struct profile_type *ret,
			     struct err *err);
