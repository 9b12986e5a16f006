/* Whatever the bytes: no crash, and what is decoded holds together: it passes its
 * own check, and encoding it again gives something that decodes to as many events. */
#include <assert.h>
#include <stdint.h>

#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_BYTES = 64 << 20, SPLIT_BYTES = 1000 };

static uint64_t count_events(const struct profile_batch *batch)
{
	uint64_t sum = 0, events;

	for (size_t r = 0; r < batch->resource_count; r++)
		for (size_t s = 0; s < batch->resources[r].scope_count; s++) {
			const struct profile_scope *scope = &batch->resources[r].scopes[s];
			for (size_t p = 0; p < scope->profile_count; p++) {
				assert(profile_check(&batch->dict, &scope->profiles[p], NULL) == 0);
				profile_total(&scope->profiles[p], &events);
				sum += events;
			}
		}
	return sum;
}

static int add_events(void *user, const struct wire_request *request, struct err *err)
{
	(void)err;
	*(uint64_t *)user += request->events;
	return 0;
}

static void encode_again(const struct profile_batch *batch, const struct wire_limits *limits)
{
	uint64_t events = count_events(batch), sent = 0, dropped = 0;
	struct profile_batch *again;
	struct wire_report report;
	struct arena arena;
	struct buf buf;

	arena_init(&arena, ARENA_BYTES);
	buf_init(&buf, 0);
	if (wire_otlp_encode(batch, &buf, NULL) == 0 &&
	    wire_otlp_decode(buf_text(&buf), &arena, limits, &again, &report, NULL) == 0) {
		assert(report.rejected_profiles == 0);
		assert(count_events(again) == events);
	}
	if (wire_otlp_split(batch, SPLIT_BYTES, add_events, &sent, &dropped, NULL) == 0)
		assert(sent + dropped == events);
	buf_deinit(&buf);
	arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = str_make(data, size);
	struct profile_batch *batch;
	struct wire_limits limits;
	struct wire_report report;
	struct wire_partial partial;
	struct arena arena;

	arena_init(&arena, ARENA_BYTES);
	wire_limits_default(&limits);
	limits.value_depth = 8;
	if (wire_otlp_decode(bytes, &arena, &limits, &batch, &report, NULL) == 0)
		encode_again(batch, &limits);
	if (wire_otlp_response_decode(bytes, &partial, NULL) == 0)
		assert(partial.message.len <= size);
	arena_deinit(&arena);
	return 0;
}
