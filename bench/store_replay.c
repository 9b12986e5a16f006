/* Sends a recording's copies through the decoder and the conversion into the store, which is the server's
 * way in without its sockets. */
#include <stdlib.h>

#include "base/clock.h"
#include "copies.h"
#include "server/ingest_convert.h"
#include "store_load.h"

struct client {
	struct copies copies;
	uint64_t samples;
	struct arena arena;
	struct ingest_config config;
	struct relabel *relabel;
};

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

static bool replay_send(void *state, struct store *store, struct sent *ret)
{
	struct client *c = state;
	const struct params *params = c->copies.params;
	size_t bytes = copies_bytes(&c->copies).len;
	if (c->samples >= params->samples / params->clients)
		return false;
	uint64_t start_ns = clock_mono_ns();
	struct profile_batch *batch = copies_decode(&c->copies, &c->arena);
	uint64_t decoded_ns = clock_mono_ns();
	uint64_t time_ns = copies_vary(&c->copies, batch, &c->arena);
	uint64_t varied_ns = clock_mono_ns();
	*ret = (struct sent){.bytes = bytes,
			     .samples = store_rows(c, batch, store),
			     .time_ns = time_ns};
	ret->ack_ns = clock_mono_ns() - varied_ns + decoded_ns - start_ns;
	c->samples += ret->samples;
	arena_reset(&c->arena);
	return true;
}

static void *replay_open(const struct params *params, unsigned number)
{
	struct client *c = need(calloc(1, sizeof(*c)));
	struct err err;
	arena_init(&c->arena, 0);
	ingest_config_default(&c->config);
	c->config.default_service_from_executable = true;
	c->config.time_precision_ns = params->precision_ns;
	check(relabel_create(NULL, 0, &c->relabel, &err), &err);
	copies_open(&c->copies, params, number);
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
