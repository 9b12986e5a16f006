#include "server/ingest_admit.h"

#include <stdio.h>

#include "base/clock.h"
#include "server/ingest_discard.h"
#include "server/ingest_private.h"
#include "server/settings.h"
#include "server/tenant_state.h"

static const double mib = 1024.0 * 1024;
static const uint64_t quota_wait_max_ns = 300ull * NS_PER_S;

/* ---- size ---- */

uint64_t profile_size_bytes(const struct profile_dict *dict, const struct profile *profile)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < profile->sample_count; i++) {
		const struct profile_sample *sample = &profile->samples[i];
		bytes += 8ull * sample->value_count + 8ull * sample->time_count +
			 4ull * sample->attr_count + 4ull * dict->stacks[sample->stack].count;
	}
	return bytes;
}

struct size {
	uint64_t bytes, events;
};

static void add_scope(const struct profile_dict *dict, const struct profile_scope *scope,
		      struct size *size)
{
	for (size_t p = 0; p < scope->profile_count; p++) {
		uint64_t events;
		profile_total(&scope->profiles[p], &events);
		size->events += events;
		size->bytes += profile_size_bytes(dict, &scope->profiles[p]);
	}
}

static struct size size_of(const struct profile_batch *batch)
{
	struct size size = {0, 0};

	for (size_t r = 0; r < batch->resource_count; r++)
		for (size_t s = 0; s < batch->resources[r].scope_count; s++)
			add_scope(&batch->dict, &batch->resources[r].scopes[s], &size);
	return size;
}

/* ---- quota ---- */

static bool quota_is_used_up(const struct ingest_config *config, const struct server_limits *limits)
{
	const struct server_ingestion_limit *limit = &limits->ingestion_limit;

	if (!limit->reached)
		return false;
	return !tenant_take_request(config->tenant_state, limit->sampled_requests,
				    limit->sampled_period_ns > 0
					    ? (uint64_t)limit->sampled_period_ns
					    : 1,
				    clock_mono_ns());
}

/* Clients are not sent away for longer than some minutes, since the limit may be lifted. */
static uint64_t quota_wait_ns(const struct server_ingestion_limit *limit)
{
	uint64_t now_s = clock_real_ns() / NS_PER_S;
	uint64_t end_s = limit->reset_time_s > 0 ? (uint64_t)limit->reset_time_s : 0;

	if (end_s <= now_s || end_s - now_s > quota_wait_max_ns / NS_PER_S)
		return quota_wait_max_ns;
	return (end_s - now_s) * NS_PER_S;
}

static int refuse_quota(const struct server_limits *limits, const struct size *size,
			struct ingest_result *result, struct err *err)
{
	const struct server_ingestion_limit *limit = &limits->ingestion_limit;

	discard_count(DISCARD_QUOTA, size->events);
	result->retry = true;
	result->retry_ns = quota_wait_ns(limit);
	return err_set(err, ERR_LIMIT,
		       "limit of %llu MB/%.*s reached (limits.ingestion_limit), next reset at %lld "
		       "seconds since 1970",
		       (unsigned long long)limit->period_limit_mb,
		       STR_ARG(limit->period_type.len ? limit->period_type : STR("period")),
		       (long long)limit->reset_time_s);
}

/* ---- rate ---- */

static int take_rate(const struct ingest_config *config, const struct size *size,
		     struct ingest_result *result, struct err *err)
{
	uint64_t wait_ns = 0;

	if (config->rate_bytes <= 0 ||
	    tenant_take_bytes(config->tenant_state, config->rate_bytes, config->burst_bytes,
			      (double)size->bytes, clock_mono_ns(), &wait_ns))
		return 0;
	discard_count(DISCARD_RATE, size->events);
	result->retry = true;
	result->retry_ns = wait_ns;
	return err_set(err, ERR_LIMIT,
		       "ingestion rate limit (%.2f MB/s, limits.ingestion_rate_mb) reached: "
		       "%.2f MB are too much now, try again in %.1f s",
		       config->rate_bytes / mib, (double)size->bytes / mib,
		       (double)wait_ns / NS_PER_S);
}

int ingest_admit(const struct ingest_config *config, const struct server_limits *limits,
		 const struct profile_batch *batch, struct ingest_result *result, struct err *err)
{
	struct size size;

	if (config->rate_bytes <= 0 && !limits->ingestion_limit.reached)
		return 0;
	size = size_of(batch);
	if (quota_is_used_up(config, limits))
		return refuse_quota(limits, &size, result, err);
	return take_rate(config, &size, result, err);
}

int ingest_check_message(const struct ingest *ingest, struct str tenant, size_t len,
			 struct err *err)
{
	if (!ingest->settings)
		return 0;
	struct settings *settings = settings_get(ingest->settings);
	size_t limit = settings_policy(settings, tenant)->ingest.message_bytes;
	settings_put(settings);
	if (len <= limit)
		return 0;
	return err_set(err, ERR_LIMIT,
		       "the request has %zu bytes, the tenant may send %zu at once "
		       "(limits.ingestion_body_limit_mb)",
		       len, limit);
}
