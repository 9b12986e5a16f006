/* Sends a recording again and again, as if many hosts had run the recorded load, each with many copies of
 * its services: through the decoder and the conversion into the store, which is the server's way in without
 * its sockets. A copy is told apart by host.name and by a number behind the executable's name, and is
 * varied: each event of the recording comes as often as dice say (Poisson with a mean of 1) at a time a
 * little off, so that no two hosts hold the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "recording.h"
#include "server/ingest_convert.h"
#include "store_load.h"
#include "wire/wire.h"

enum { JITTER_NS = 200 * 1000 };

static struct recording recording;
static uint64_t first_ns, span_ns;

struct client {
	const struct params *params;
	uint64_t state, instance, turn; /* turn: request of the recording, counted on over rounds */
	unsigned number;
	uint64_t samples;
	struct arena arena;
	struct ingest_config config;
	struct relabel *relabel;
	struct wire_limits limits;
};

static struct profile_batch *decode(struct client *c, struct str bytes)
{
	struct wire_report report;
	struct profile_batch *batch;
	struct err err;
	check(wire_otlp_decode(bytes, &c->arena, &c->limits, &batch, &report, &err), &err);
	return batch;
}

/* ---- varying ---- */

typedef void profile_visit(struct client *c, const struct profile_batch *batch,
			   struct profile *profile, uint64_t shift_ns);

static void each_profile(struct client *c, struct profile_batch *batch, uint64_t shift_ns,
			 profile_visit *visit)
{
	for (size_t r = 0; r < batch->resource_count; r++)
		for (size_t s = 0; s < batch->resources[r].scope_count; s++) {
			struct profile_scope *scope = &batch->resources[r].scopes[s];
			for (size_t p = 0; p < scope->profile_count; p++)
				visit(c, batch, &scope->profiles[p], shift_ns);
		}
}

/* Knuth: multiplies evens until they fall below e^-1. */
static unsigned poisson(struct client *c)
{
	unsigned count = 0;
	for (double left = random_unit(&c->state); left > 0.36787944117144233 && count < 8; count++)
		left *= random_unit(&c->state);
	return count;
}

static void vary_sample(struct client *c, struct profile_sample *sample, uint64_t shift_ns)
{
	uint32_t events = sample->time_count, count = 0;
	bool values = sample->value_count == events;
	uint64_t *times_ns = need(arena_zalloc(&c->arena, events * 8 + 1, sizeof(*times_ns)));
	int64_t *out = need(arena_zalloc(&c->arena, events * 8 + 1, sizeof(*out)));
	for (uint32_t i = 0; i < events; i++)
		for (unsigned again = poisson(c); again > 0; again--) {
			times_ns[count] =
				sample->times_ns[i] + shift_ns + random_next(&c->state) % JITTER_NS;
			out[count++] = values ? sample->values[i] : 0;
		}
	sample->times_ns = times_ns;
	sample->time_count = count;
	if (values) {
		sample->values = out;
		sample->value_count = count;
	}
}

static void vary_profile(struct client *c, const struct profile_batch *batch,
			 struct profile *profile, uint64_t shift_ns)
{
	size_t kept = 0;
	(void)batch;
	profile->time_ns += shift_ns;
	for (size_t i = 0; i < profile->sample_count; i++) {
		struct profile_sample *sample = &profile->samples[i];
		bool timed = sample->time_count > 0;
		if (timed)
			vary_sample(c, sample, shift_ns);
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

static void name_copy(struct client *c, struct profile_batch *batch)
{
	uint64_t host = c->instance / c->params->services, copy = c->instance % c->params->services;
	struct str name = arena_printf(&c->arena, "host-%ju", (uintmax_t)host);
	for (size_t r = 0; r < batch->resource_count; r++) {
		struct profile_resource *resource = &batch->resources[r];
		const struct value *executable =
			profile_find_attr(resource->attrs, resource->attr_count,
					  STR("process.executable.name"));
		set_attr(batch, resource, STR("host.name"), name);
		if (copy && executable)
			set_attr(batch, resource, STR("process.executable.name"),
				 arena_printf(&c->arena, "%.*s-%ju", STR_ARG(executable->text),
					      (uintmax_t)copy));
	}
}

/* ---- the source ---- */

static uint64_t store_rows(struct client *c, const struct profile_batch *batch, struct store *store)
{
	struct ingest_result result = {0};
	struct store_batch rows = {.tenant = STR("anonymous")};
	struct err err;
	const struct ingest_rules rules = {&c->config, c->relabel, INGEST_ATTRIBUTES};
	check(ingest_convert(&rules, batch, clock_real_ns(), &c->arena, &rows, &result, &err),
	      &err);
	if (result.rejected_samples)
		fail("the conversion refused samples of the recording: %s", result.reason);
	if (rows.series_count)
		check(store_write(store, &rows, &err), &err);
	return result.samples;
}

static void advance(struct client *c)
{
	c->instance += c->params->clients;
	if (c->instance < c->params->services * c->params->hosts)
		return;
	c->instance = c->number;
	c->turn++;
}

static bool replay_send(void *state, struct store *store, struct sent *ret)
{
	struct client *c = state;
	uint64_t round = c->turn / recording.count;
	uint64_t shift_ns = c->params->start_s * NS_PER_S + round * span_ns - first_ns;
	struct str bytes = recording.requests[c->turn % recording.count];
	if (c->samples >= c->params->samples / c->params->clients)
		return false;
	uint64_t start_ns = clock_mono_ns();
	struct profile_batch *batch = decode(c, bytes);
	uint64_t decoded_ns = clock_mono_ns();
	each_profile(c, batch, shift_ns, vary_profile);
	name_copy(c, batch);
	uint64_t varied_ns = clock_mono_ns();
	*ret = (struct sent){.bytes = bytes.len, .samples = store_rows(c, batch, store)};
	ret->ack_ns = clock_mono_ns() - varied_ns + decoded_ns - start_ns;
	ret->time_ns = first_ns + shift_ns;
	c->samples += ret->samples;
	arena_reset(&c->arena);
	advance(c);
	return true;
}

static uint64_t last_ns;

static void find_span(struct client *c, const struct profile_batch *batch, struct profile *profile,
		      uint64_t shift_ns)
{
	(void)c;
	(void)batch;
	(void)shift_ns;
	for (size_t i = 0; i < profile->sample_count; i++)
		for (uint32_t t = 0; t < profile->samples[i].time_count; t++) {
			uint64_t time_ns = profile->samples[i].times_ns[t];
			first_ns = time_ns < first_ns ? time_ns : first_ns;
			last_ns = time_ns > last_ns ? time_ns : last_ns;
		}
}

static void open_recording(struct client *c)
{
	size_t bytes = 0;
	recording_open(c->params->file, &recording);
	first_ns = UINT64_MAX;
	for (size_t i = 0; i < recording.count; i++) {
		each_profile(c, decode(c, recording.requests[i]), 0, find_span);
		bytes += recording.requests[i].len;
		arena_reset(&c->arena);
	}
	if (last_ns < first_ns)
		fail("%s: no sample in it has a time", c->params->file);
	span_ns = (last_ns - first_ns) / NS_PER_S * NS_PER_S + NS_PER_S;
	printf("# recording: %zu requests, %zu bytes, %.0f s\n", recording.count, bytes,
	       (double)span_ns / 1e9);
}

static void *replay_open(const struct params *params, unsigned number)
{
	struct client *c = need(calloc(1, sizeof(*c)));
	struct err err;
	c->params = params;
	c->state = params->seed * 1000003 + number;
	c->number = number;
	c->instance = number;
	arena_init(&c->arena, 0);
	ingest_config_default(&c->config);
	c->config.default_service_from_executable = true;
	c->config.time_precision_ns = params->precision_ns;
	wire_limits_default(&c->limits);
	check(relabel_create(NULL, 0, &c->relabel, &err), &err);
	if (params->clients > params->services * params->hosts)
		fail("more clients than services x hosts");
	if (!recording.count)
		open_recording(c);
	return c;
}

static void replay_close(void *state)
{
	struct client *c = state;
	relabel_destroy(c->relabel);
	arena_deinit(&c->arena);
	free(c);
}

const struct source source_replay = {replay_open, replay_send, replay_close};
