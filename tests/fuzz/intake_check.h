/* What the fuzzers of decoders into a sink share: whatever the bytes, what was
 * decoded holds together, and what was refused left no profile. */
#pragma once

#include <assert.h>

#include "wire/sink.h"

enum { INTAKE_ARENA_BYTES = 64 << 20, INTAKE_ROWS = 1 << 18 };

struct intake_check {
	struct arena arena;
	struct wire_limits limits;
	struct wire_sink sink;
	struct profile_scope scope;
};

static inline void intake_check_start(struct intake_check *check)
{
	struct profile_batch *batch;

	*check = (struct intake_check){0};
	arena_init(&check->arena, INTAKE_ARENA_BYTES);
	wire_limits_default(&check->limits);
	check->limits.message_bytes = 1 << 20;
	check->limits.rows = INTAKE_ROWS;
	check->limits.samples = INTAKE_ROWS;
	assert(profile_batch_create(&check->arena, &batch, NULL) == 0);
	check->sink = (struct wire_sink){.batch = batch, .limits = &check->limits};
}

static inline void intake_check_end(struct intake_check *check, int rc)
{
	const struct profile_dict *dict = &check->sink.batch->dict;

	assert(rc == 0 || check->scope.profile_count == 0);
	for (size_t i = 0; i < check->scope.profile_count; i++) {
		const struct profile *profile = &check->scope.profiles[i];
		assert(profile_check(dict, profile, NULL) == 0);
		for (size_t k = 0; k < profile->sample_count; k++)
			assert(profile->samples[k].value_count == 1);
	}
	arena_deinit(&check->arena);
}
