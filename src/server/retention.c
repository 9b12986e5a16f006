/* From the configuration to what the store keeps. */
#include "server/retention.h"

#include <stdlib.h>

#include "server/config_flags.h"
#include "server/settings.h"

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

static uint64_t age_ns(const struct server_limits *limits)
{
	return positive(limits->blocks_retention_ns > 0 ? limits->blocks_retention_ns
							: limits->retention_ns);
}

static int add_overrides(const struct server_limits *limits, size_t more, struct arena *arena,
			 struct store_retention *retention, struct err *err)
{
	const struct config_items *items = &limits->retention_rows;
	const struct server_retention_row *rows = items->items;
	struct store_override *overrides =
		arena_zalloc(arena, items->count + more + 1, sizeof(*overrides));
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

static int retention_of(const struct server_config *config, size_t more, struct arena *arena,
			struct store_retention *ret, struct err *err)
{
	const double gib = 1024.0 * 1024 * 1024;
	const struct server_limits *limits = &config->limits;
	*ret = (struct store_retention){.age_ns = age_ns(limits)};
	int rc = server_retention_size(limits->retention_size, &ret->size_bytes, &ret->size_share,
				       err);
	if (!config->free_ignored) {
		ret->free_bytes = (uint64_t)(config->free_gib * gib);
		ret->free_share = config->free_share;
	}
	return rc ? rc : add_overrides(limits, more, arena, ret, err);
}

int server_retention(const struct server_config *config, struct arena *arena,
		     struct store_retention *ret, struct err *err)
{
	return retention_of(config, 0, arena, ret, err);
}

/* A row of limits.retention_overrides gives way to the runtime file. A share of the file system is the whole
 * store's, never a tenant's. */
static void add_tenant(const struct policy_tenant *tenant, const struct server_limits *everybody,
		       struct store_override *overrides, size_t *count)
{
	const struct server_limits *limits = &tenant->policy.limits;
	struct store_override row = {.tenant = tenant->name, .age_ns = age_ns(limits)};
	size_t at = 0;
	double share;

	if (age_ns(limits) == age_ns(everybody) &&
	    str_equal(limits->retention_size, everybody->retention_size))
		return;
	if (!str_equal(limits->retention_size, everybody->retention_size) &&
	    server_retention_size(limits->retention_size, &row.size_bytes, &share, NULL))
		row.size_bytes = 0;
	while (at < *count && !str_equal(overrides[at].tenant, row.tenant))
		at++;
	overrides[at] = row;
	*count += at == *count;
}

int server_retention_of(const struct settings *settings, struct arena *arena,
			struct store_retention *ret, struct err *err)
{
	const struct server_config *config = settings_config(settings);
	const struct policy_tenant *tenants;
	size_t count = settings_tenants(settings, &tenants);

	int rc = retention_of(config, count, arena, ret, err);
	for (size_t i = 0; i < count && !rc; i++)
		add_tenant(&tenants[i], &config->limits, (struct store_override *)ret->overrides,
			   &ret->override_count);
	return rc;
}
