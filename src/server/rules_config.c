#include "server/rules_private.h"

#define KEY "compaction_worker.metrics_exporter.remote_write_address"

bool rules_are_on(const struct server_rules *config)
{
	return config->enabled || config->exporter_enabled;
}

int rules_check_config(const struct server_rules *config, struct err *err)
{
	struct rules_target target;
	struct arena arena;

	if (!rules_are_on(config))
		return 0;
	if (config->remote_write_address.len == 0)
		return err_set(err, ERR_INVALID,
			       KEY
			       " is missing: recording rules are enabled, and have nowhere to go");
	arena_init(&arena, 0);
	int rc = rules_target_parse(&arena, config->remote_write_address, &target, err);
	arena_deinit(&arena);
	return rc ? err_wrap(err, KEY) : 0;
}
