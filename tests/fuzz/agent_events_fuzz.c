/* Any bytes as records of perf's ring, one after the other as their sizes say, and as a record of the
 * sampler's; what they tell goes into a set of mappings, which has to stay sorted. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/events.h"
#include "agent/mappings.h"
#include "agent/sampler.h"
#include "base/mem.h"

static void check_sorted(const struct mappings *set)
{
	for (uint32_t i = 0; i < set->count; i++) {
		if (set->rows[i].start >= set->rows[i].end ||
		    (i > 0 && set->rows[i - 1].end > set->rows[i].start))
			abort();
	}
}

static void take_record(const uint8_t *data, size_t len, struct mappings **set)
{
	struct event event;
	if (!event_decode(data, len, &event))
		return;
	if (event.name.len > 0 && ((const uint8_t *)event.name.ptr < data ||
				   (const uint8_t *)event.name.ptr + event.name.len > data + len))
		abort();
	if (event.build_id_len > EVENT_BUILD_ID_BYTES)
		abort();
	struct mapping row = {.start = event.start,
			      .end = event.start + event.size,
			      .offset = event.offset,
			      .file = (uint32_t)event.inode};
	if (event.kind == EVENT_MMAP && mappings_add(set, &row, NULL) == 0)
		check_sorted(*set);
}

static void take_sample(const uint8_t *data, size_t len)
{
	/* Records lie at multiples of 8. */
	uint64_t *copy = mem_zalloc(len / 8 + 1, 8), sum = 0;
	struct sample sample;
	memcpy(copy, data, len);
	if (sample_decode(copy, len, &sample)) {
		for (uint32_t i = 0; i < sample.kernel_count; i++)
			sum += sample.kernel[i];
		for (uint32_t i = 0; i < sample.user_count; i++)
			sum += sample.user[i];
		if (sum == 1 && strlen(sample.comm) > 16)
			abort();
	}
	mem_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mappings *set = mappings_create();
	take_sample(data, size);
	for (size_t at = 0; size - at >= 8;) {
		uint16_t len;
		memcpy(&len, data + at + 6, sizeof(len));
		if (len < 8 || len > size - at)
			len = (uint16_t)(size - at > UINT16_MAX ? UINT16_MAX : size - at);
		take_record(data + at, len, &set);
		at += len;
	}
	mappings_unref(set);
	return 0;
}
