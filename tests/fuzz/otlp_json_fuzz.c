/* Whatever the text: no crash, and what is decoded passes its own check. */
#include <assert.h>
#include <stdint.h>

#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_BYTES = 16 << 20 };

static void check_scope(const struct profile_batch *batch, const struct profile_scope *scope)
{
	for (size_t p = 0; p < scope->profile_count; p++)
		assert(profile_check(&batch->dict, &scope->profiles[p], NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct profile_batch *batch;
	struct wire_limits limits;
	struct wire_report report;
	struct arena arena;

	arena_init(&arena, ARENA_BYTES);
	wire_limits_default(&limits);
	limits.value_depth = 8;
	if (wire_otlp_decode_json(str_make(data, size), &arena, &limits, &batch, &report, NULL) ==
	    0)
		for (size_t r = 0; r < batch->resource_count; r++)
			for (size_t s = 0; s < batch->resources[r].scope_count; s++)
				check_scope(batch, &batch->resources[r].scopes[s]);
	arena_deinit(&arena);
	return 0;
}
