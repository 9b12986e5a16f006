/* From the configuration to what the store keeps. */
#include "server/retention.h"

#include <stdlib.h>

#include "server/config_flags.h"

static bool is_share(struct str text, double *ret)
{
	char number[32], *end;
	if (text.len < 2 || text.len > sizeof(number) || text.ptr[text.len - 1] != '%')
		return false;
	str_copy(number, sizeof(number), str_sub(text, 0, text.len - 1));
	double share = strtod(number, &end) / 100;
	if (end == number || *end || !(share >= 0 && share <= 1))
		return false;
	*ret = share;
	return true;
}

int server_retention_size(struct str text, uint64_t *ret_bytes, double *ret_share, struct err *err)
{
	*ret_bytes = 0;
	*ret_share = 0;
	if (text.len == 0 || is_share(text, ret_share) || config_to_size(text, ret_bytes))
		return 0;
	return err_set(err, ERR_INVALID,
		       "retention_size: \"%.*s\" is neither a size (20GiB) nor a share of the file "
		       "system (50%%), nor 0",
		       STR_ARG(text));
}

static uint64_t positive(int64_t value)
{
	return value > 0 ? (uint64_t)value : 0;
}

static int add_overrides(const struct server_limits *limits, struct arena *arena,
			 struct store_retention *retention, struct err *err)
{
	const struct config_items *items = &limits->retention_rows;
	const struct server_retention_row *rows = items->items;
	struct store_override *overrides =
		arena_zalloc(arena, items->count + 1, sizeof(*overrides));
	if (!overrides)
		return err_set(err, ERR_NOMEM, "no memory for limits.retention_overrides");
	for (size_t i = 0; i < items->count; i++)
		overrides[i] = (struct store_override){
			.tenant = items->names[i],
			.age_ns = rows[i].has_period ? positive(rows[i].period_ns)
						     : retention->age_ns,
			.size_bytes = rows[i].size_bytes,
		};
	retention->overrides = overrides;
	retention->override_count = items->count;
	return 0;
}

int server_retention(const struct server_config *config, struct arena *arena,
		     struct store_retention *ret, struct err *err)
{
	const double gib = 1024.0 * 1024 * 1024;
	const struct server_limits *limits = &config->limits;
	*ret = (struct store_retention){.age_ns = positive(limits->blocks_retention_ns > 0
								   ? limits->blocks_retention_ns
								   : limits->retention_ns)};
	int rc = server_retention_size(limits->retention_size, &ret->size_bytes, &ret->size_share,
				       err);
	if (!config->free_ignored) {
		ret->free_bytes = (uint64_t)(config->free_gib * gib);
		ret->free_share = config->free_share;
	}
	return rc ? rc : add_overrides(limits, arena, ret, err);
}
