#include "copies.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store_tools.h"

enum { JITTER_NS = 200 * 1000 };

static struct recording recording;
static uint64_t first_ns, last_ns, span_ns;

/* What a look at a batch carries. */
struct look {
	struct copies *copies;
	struct arena *arena;
	uint64_t shift_ns;
};

typedef void profile_visit(const struct look *look, struct profile *profile);

static void each_profile(const struct look *look, struct profile_batch *batch, profile_visit *visit)
{
	for (size_t r = 0; r < batch->resource_count; r++)
		for (size_t s = 0; s < batch->resources[r].scope_count; s++) {
			struct profile_scope *scope = &batch->resources[r].scopes[s];
			for (size_t p = 0; p < scope->profile_count; p++)
				visit(look, &scope->profiles[p]);
		}
}

/* ---- varying ---- */

/* Knuth: multiplies evens until they fall below e^-1. */
static unsigned poisson(uint64_t *state)
{
	unsigned count = 0;
	for (double left = random_unit(state); left > 0.36787944117144233 && count < 8; count++)
		left *= random_unit(state);
	return count;
}

static void vary_sample(const struct look *look, struct profile_sample *sample)
{
	uint64_t *state = &look->copies->state;
	uint32_t events = sample->time_count, count = 0;
	bool values = sample->value_count == events;
	uint64_t *times_ns = need(arena_zalloc(look->arena, events * 8 + 1, sizeof(*times_ns)));
	int64_t *out = need(arena_zalloc(look->arena, events * 8 + 1, sizeof(*out)));
	for (uint32_t i = 0; i < events; i++)
		for (unsigned again = poisson(state); again > 0; again--) {
			times_ns[count] = sample->times_ns[i] + look->shift_ns +
					  random_next(state) % JITTER_NS;
			out[count++] = values ? sample->values[i] : 0;
		}
	sample->times_ns = times_ns;
	sample->time_count = count;
	if (values) {
		sample->values = out;
		sample->value_count = count;
	}
}

static void vary_profile(const struct look *look, struct profile *profile)
{
	size_t kept = 0;
	profile->time_ns += look->shift_ns;
	for (size_t i = 0; i < profile->sample_count; i++) {
		struct profile_sample *sample = &profile->samples[i];
		bool timed = sample->time_count > 0;
		if (timed)
			vary_sample(look, sample);
		if (!timed || sample->time_count > 0)
			profile->samples[kept++] = *sample;
	}
	profile->sample_count = kept;
}

static void set_attr(struct profile_batch *batch, struct profile_resource *resource, struct str key,
		     struct str text)
{
	const struct value value = {.kind = VALUE_STRING, .text = text};
	struct err err;
	for (size_t i = 0; i < resource->attr_count; i++)
		if (str_equal(resource->attrs[i].key, key)) {
			resource->attrs[i].value = value;
			return;
		}
	check(profile_resource_attr(batch, resource, key, &value, &err), &err);
}

static void name_copy(const struct copies *copies, struct profile_batch *batch, struct arena *arena)
{
	uint64_t services = copies->params->services;
	uint64_t host = copies->instance / services, copy = copies->instance % services;
	struct str name = arena_printf(arena, "host-%ju", (uintmax_t)host);
	for (size_t r = 0; r < batch->resource_count; r++) {
		struct profile_resource *resource = &batch->resources[r];
		const struct value *executable =
			profile_find_attr(resource->attrs, resource->attr_count,
					  STR("process.executable.name"));
		set_attr(batch, resource, STR("host.name"), name);
		if (copy && executable)
			set_attr(batch, resource, STR("process.executable.name"),
				 arena_printf(arena, "%.*s-%ju", STR_ARG(executable->text),
					      (uintmax_t)copy));
	}
}

static void advance(struct copies *copies)
{
	copies->instance += copies->params->clients;
	if (copies->instance < copies->params->services * copies->params->hosts)
		return;
	copies->instance = copies->number;
	copies->turn++;
}

/* ---- the door ---- */

static void find_span(const struct look *look, struct profile *profile)
{
	(void)look;
	for (size_t i = 0; i < profile->sample_count; i++)
		for (uint32_t t = 0; t < profile->samples[i].time_count; t++) {
			uint64_t time_ns = profile->samples[i].times_ns[t];
			first_ns = time_ns < first_ns ? time_ns : first_ns;
			last_ns = time_ns > last_ns ? time_ns : last_ns;
		}
}

static void open_recording(struct copies *copies)
{
	struct arena arena;
	size_t bytes = 0;
	arena_init(&arena, 0);
	recording_open(copies->params->file, &recording);
	first_ns = UINT64_MAX;
	for (copies->turn = 0; copies->turn < recording.count; copies->turn++) {
		each_profile(&(struct look){copies, &arena, 0}, copies_decode(copies, &arena),
			     find_span);
		bytes += copies_bytes(copies).len;
		arena_reset(&arena);
	}
	arena_deinit(&arena);
	copies->turn = 0;
	if (last_ns < first_ns)
		fail("%s: no sample in it has a time", copies->params->file);
	span_ns = (last_ns - first_ns) / NS_PER_S * NS_PER_S + NS_PER_S;
	printf("# recording: %zu requests, %zu bytes, %.0f s\n", recording.count, bytes,
	       (double)span_ns / 1e9);
}

void copies_open(struct copies *copies, const struct params *params, unsigned client)
{
	*copies = (struct copies){.params = params,
				  .recording = &recording,
				  .state = params->seed * 1000003 + client,
				  .number = client,
				  .instance = client};
	wire_limits_default(&copies->limits);
	if (params->clients > params->services * params->hosts)
		fail("more clients than services x hosts");
	if (!recording.count)
		open_recording(copies);
	copies->first_ns = first_ns;
	copies->span_ns = span_ns;
}

struct str copies_bytes(const struct copies *copies)
{
	return copies->recording->requests[copies->turn % copies->recording->count];
}

struct profile_batch *copies_decode(struct copies *copies, struct arena *arena)
{
	struct wire_report report;
	struct profile_batch *batch;
	struct err err;
	check(wire_otlp_decode(copies_bytes(copies), arena, &copies->limits, &batch, &report, &err),
	      &err);
	return batch;
}

uint64_t copies_vary(struct copies *copies, struct profile_batch *batch, struct arena *arena)
{
	uint64_t round = copies->turn / copies->recording->count;
	uint64_t start_ns = copies->params->start_s * NS_PER_S + round * copies->span_ns;
	each_profile(&(struct look){copies, arena, start_ns - copies->first_ns}, batch,
		     vary_profile);
	name_copy(copies, batch, arena);
	advance(copies);
	return start_ns;
}
