#include "server/range.h"

#include "base/clock.h"

int api_check_count(size_t count, size_t max, const char *what, struct err *err)
{
	if (count > max)
		return err_set(err, ERR_INVALID, "%zu %s are too many (at most %zu)", count, what,
			       max);
	return 0;
}

static int64_t lookback_ms(const struct api_call *call)
{
	int64_t ns = call->api->limits->query_lookback_ns;
	return ns > 0 ? (int64_t)(clock_real_ns() / NS_PER_MS) - ns / NS_PER_MS : 0;
}

/* Queries reach back only so far when a limit says so. */
static void clip(const struct api_call *call, struct query_range *range)
{
	int64_t bound = lookback_ms(call);
	if (range->start_ms < bound)
		range->start_ms = bound;
	if (range->end_ms < bound)
		range->end_ms = bound;
}

/* No times mean "ever", as far as a limit lets one look. */
static void since_lookback(const struct api_call *call, struct query_range *range)
{
	const int64_t year_ms = (int64_t)366 * 24 * 3600 * 1000;
	int64_t bound = lookback_ms(call);
	if (bound <= 0)
		return;
	range->start_ms = bound;
	range->end_ms = (int64_t)(clock_real_ns() / NS_PER_MS) + year_ms;
}

int api_range_times(const struct api_call *call, int64_t start_ms, int64_t end_ms,
		    struct query_range *range, struct err *err)
{
	int64_t max_ms = call->api->limits->query_length_ns / NS_PER_MS;
	range->start_ms = start_ms;
	range->end_ms = end_ms;
	if (start_ms == 0 && end_ms == 0) {
		since_lookback(call, range);
		return 0;
	}
	int rc = query_check_range(start_ms, end_ms, max_ms, err);
	if (rc == 0)
		clip(call, range);
	return rc;
}

struct query_range api_range_new(const struct api_call *call)
{
	return (struct query_range){.tenant = call->tenant,
				    .cancelled = call->cancelled,
				    .deadline_ns = call->deadline_ns};
}

int api_range_read(const struct api_call *call, const char *type_id, const char *selector,
		   int64_t start_ms, int64_t end_ms, struct query_type *type,
		   struct query_range *range, struct err *err)
{
	*range = api_range_new(call);
	int rc = query_parse_type(str_of(type_id), type, err);
	if (rc == 0)
		rc = query_parse_selector(call->arena, str_of(selector), &range->selector, err);
	if (rc == 0 && (start_ms == 0 || end_ms == 0))
		rc = err_set(err, ERR_INVALID,
			     "start and end must be given, in milliseconds since 1970");
	if (rc == 0)
		rc = api_range_times(call, start_ms, end_ms, range, err);
	range->type = type;
	return rc;
}

void api_split_query(struct str query, struct str *ret_id, struct str *ret_selector)
{
	struct query_type type;
	ptrdiff_t brace = str_find_char(query, '{');
	size_t len = brace < 0 ? query.len : (size_t)brace;
	struct str id = str_trim(str_sub(query, 0, len));
	bool has_type = query_parse_type(id, &type, NULL) == 0;
	*ret_id = has_type ? id : STR("");
	*ret_selector = has_type ? str_sub(query, len, query.len) : query;
}

int api_each_selector(const struct api_call *call, char *const *matchers, size_t count,
		      int64_t start_ms, int64_t end_ms,
		      int (*each)(const struct api_call *, const struct query_range *, void *,
				  struct err *),
		      void *user, struct err *err)
{
	struct query_range range = api_range_new(call);
	int rc = api_check_count(count, API_SELECTORS_MAX, "matchers", err);

	if (rc == 0)
		rc = api_range_times(call, start_ms, end_ms, &range, err);
	for (size_t i = 0; rc == 0 && i < (count ? count : 1); i++) {
		struct str text = count ? str_of(matchers[i]) : STR("");
		rc = query_parse_selector(call->arena, text, &range.selector, err);
		if (rc == 0)
			rc = each(call, &range, user, err);
	}
	return rc;
}

struct str *api_strings(struct arena *arena, char *const *texts, size_t count)
{
	struct str *strings = arena_zalloc(arena, count + 1, sizeof(*strings));
	for (size_t i = 0; strings && i < count; i++)
		strings[i] = str_of(texts[i]);
	return strings;
}
