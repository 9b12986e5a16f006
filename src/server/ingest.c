#include "server/ingest.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "server/ingest_convert.h"
#include "server/ingest_discard.h"
#include "server/ingest_admit.h"
#include "server/ingest_private.h"
#include "server/settings.h"
#include "server/usage.h"

static struct metric samples_stored =
	METRIC_COUNTER_INIT("cresset_ingest_samples_total", NULL, "Samples (events) stored");

void ingest_config_default(struct ingest_config *config)
{
	*config = (struct ingest_config){
		.message_bytes = (size_t)100 << 20,
		.json_bytes = (size_t)16 << 20,
		.label_names = 128,
		.label_name_bytes = 1024,
		.label_value_bytes = 16384,
		.stack_depth = 4096,
		.symbol_bytes = 65535,
		.reject_newer_ns = (uint64_t)3600 * NS_PER_S,
		.time_precision_ns = NS_PER_MS,
		.retry_ns = (uint64_t)5 * NS_PER_S,
	};
}

int ingest_create(const struct ingest_config *config, struct store *store, struct ingest **ret,
		  struct err *err)
{
	struct ingest *ingest = mem_zalloc(1, sizeof(*ingest));
	int rc;

	if (!ingest)
		return err_set(err, ERR_NOMEM, "no memory for the ingest");
	ingest->config = *config;
	ingest->config.rules = NULL; /* compiled below, and the caller's */
	ingest->store = store;
	rc = senders_create(&ingest->senders, err);
	rc = rc ? rc : relabel_create(config->rules, config->rule_count, &ingest->relabel, err);
	if (rc) {
		ingest_destroy(ingest);
		return rc;
	}
	discard_register();
	metric_register(&samples_stored);
	*ret = ingest;
	return 0;
}

int64_t ingest_retry_ms(const struct ingest *ingest, const struct ingest_result *result)
{
	uint64_t retry_ns = result->retry_ns ? result->retry_ns : ingest->config.retry_ns;

	return result->retry ? (int64_t)(retry_ns / NS_PER_MS) : -1;
}

size_t ingest_message_bytes(const struct ingest *ingest)
{
	return ingest->config.message_bytes;
}

void ingest_destroy(struct ingest *ingest)
{
	if (!ingest)
		return;
	relabel_destroy(ingest->relabel);
	senders_destroy(ingest->senders);
	mem_free(ingest);
}

/* What a later attempt may find otherwise. */
static bool worth_retrying(int code)
{
	return code == ERR_LIMIT || code == ERR_BUSY || code == ERR_IO || code == ERR_NOMEM ||
	       code == ERR_TIMEOUT || code == ERR_CORRUPT;
}

static int write_rows(struct ingest *ingest, const struct store_batch *rows,
		      struct ingest_result *result, struct err *err)
{
	int rc = rows->series_count > 0 ? store_write(ingest->store, rows, err) : 0;

	result->retry = worth_retrying(rc);
	if (!rc)
		metric_add(&samples_stored, (int64_t)result->samples);
	return rc;
}

static int convert_and_write(struct ingest *ingest, const struct ingest_rules *rules,
			     struct str tenant, const struct profile_batch *batch,
			     struct arena *arena, struct ingest_result *result, struct err *err)
{
	struct store_batch rows = {.tenant = tenant};
	int rc = ingest_convert(rules, batch, clock_real_ns(), arena, &rows, result, err);

	rc = rc ? rc : write_rows(ingest, &rows, result, err);
	if (!rc)
		usage_tally_count(rules->config->tally, tenant);
	return rc;
}

int ingest_batch(struct ingest *ingest, struct str tenant, enum ingest_naming naming,
		 const struct profile_batch *batch, struct arena *arena,
		 struct ingest_result *result, struct err *err)
{
	struct ingest_rules rules = {&ingest->config, ingest->relabel, naming};

	*result = (struct ingest_result){0};
	if (!ingest->settings)
		return convert_and_write(ingest, &rules, tenant, batch, arena, result, err);
	struct settings *settings = settings_get(ingest->settings);
	const struct policy *policy = settings_policy(settings, tenant);
	struct ingest_config config = policy->ingest;
	rules.config = &config;
	rules.relabel = policy->relabel;
	config.tenant_state = settings_tenant_state(ingest->settings, tenant);
	int rc = usage_tally_create(policy->groups, arena, &config.tally, err);
	rc = rc ? rc : ingest_admit(&config, &policy->limits, batch, result, err);
	rc = rc ? rc : convert_and_write(ingest, &rules, tenant, batch, arena, result, err);
	settings_put(settings);
	return rc;
}

struct settings *ingest_settings(const struct ingest *ingest)
{
	return ingest->settings ? settings_get(ingest->settings) : NULL;
}

void ingest_use_settings(struct ingest *ingest, struct settings_box *settings)
{
	ingest->settings = settings;
}
