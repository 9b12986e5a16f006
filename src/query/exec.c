/* Questions put to a store. The store aggregates; here is only what is the same
 * for every engine. */
#include "query/query.h"

#include "base/clock.h"

static const int64_t MS_MAX = INT64_MAX / NS_PER_MS - 1;

int query_check_range(int64_t start_ms, int64_t end_ms, int64_t max_ms, struct err *err)
{
	if (start_ms < 0 || end_ms < 0 || start_ms > MS_MAX || end_ms > MS_MAX)
		return err_set(err, ERR_INVALID, "start and end must be milliseconds since 1970");
	if (start_ms > end_ms)
		return err_set(err, ERR_INVALID, "start %lld is after end %lld",
			       (long long)start_ms, (long long)end_ms);
	if (max_ms > 0 && end_ms - start_ms > max_ms)
		return err_set(err, ERR_INVALID,
			       "the time range of %lld s is longer than limits.max_query_length, "
			       "%lld s",
			       (long long)(end_ms - start_ms) / 1000, (long long)max_ms / 1000);
	return 0;
}

static uint64_t ns_of(int64_t ms)
{
	return (uint64_t)(ms < 0 ? 0 : ms > MS_MAX ? MS_MAX : ms) * NS_PER_MS;
}

int query_select(struct arena *arena, const struct query_range *range, struct store_selection *ret,
		 struct err *err)
{
	size_t count = range->selector.count;
	struct store_matcher *matchers = arena_alloc(arena, (count + 1) * sizeof(*matchers));
	if (!matchers)
		return err_set(err, ERR_NOMEM, "query: no memory for %zu matchers", count);
	if (count > 0)
		memcpy(matchers, range->selector.matchers, count * sizeof(*matchers));
	if (range->type)
		matchers[count++] = (struct store_matcher){MATCH_EQUAL, STR("__profile_type__"),
							   range->type->id};
	bool always = range->start_ms == 0 && range->end_ms == 0;
	*ret = (struct store_selection){
		.tenant = range->tenant,
		.matchers = matchers,
		.matcher_count = count,
		.start_ns = ns_of(range->start_ms),
		/* The store's end is exclusive, ours is not. */
		.end_ns = always ? UINT64_MAX : ns_of(range->end_ms) + 1,
		.cancelled = range->cancelled,
		.memory_limit_bytes = range->memory_limit_bytes,
		.deadline_ns = range->deadline_ns,
		.profiles = range->profiles,
		.profile_count = range->profile_count,
		.call_sites = range->call_sites,
		.call_site_count = range->call_site_count,
	};
	return 0;
}

int query_stacks(struct store *store, const struct query_range *range, struct arena *arena,
		 struct store_tree *ret, struct err *err)
{
	struct store_selection selection;
	int rc = query_select(arena, range, &selection, err);
	*ret = (struct store_tree){0};
	return rc ? rc : store_merge(store, &selection, arena, ret, err);
}

int query_merge(struct store *store, const struct query_range *range, struct arena *arena,
		struct query_tree *ret, struct err *err)
{
	struct store_tree stacks;
	int rc = query_stacks(store, range, arena, &stacks, err);
	return rc ? rc : query_tree_build(arena, &stacks, ret, err);
}

/* ---- profile types ---- */

int query_types(struct store *store, const struct query_range *range, struct arena *arena,
		struct query_type **ret, size_t *ret_count, struct err *err)
{
	struct store_selection selection;
	struct str *ids;
	size_t count, kept = 0;

	int rc = query_select(arena, range, &selection, err);
	if (rc == 0)
		rc = store_label_values(store, &selection, STR("__profile_type__"), arena, &ids,
					&count, err);
	if (rc)
		return rc;
	struct query_type *types = arena_zalloc(arena, count + 1, sizeof(*types));
	if (!types)
		return err_set(err, ERR_NOMEM, "query: no memory for %zu profile types", count);
	for (size_t i = 0; i < count; i++)
		if (query_parse_type(ids[i], &types[kept], NULL) == 0)
			kept++;
	*ret = types;
	*ret_count = kept;
	return 0;
}
