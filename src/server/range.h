/* Private to server: what the methods of the query API have in common in their
 * requests. */
#pragma once

#include "server/api.h"

/* Each selector costs a walk of the index; honest clients send one or two. */
enum { API_SELECTORS_MAX = 64, API_NAMES_MAX = 256, API_IDS_MAX = 1000 };

MUST_USE int api_check_count(size_t count, size_t max, const char *what, struct err *err);
/* Views of a message's repeated string; NULL without memory. */
struct str *api_strings(struct arena *arena, char *const *texts, size_t count);

/* Of the call's tenant, with no matchers and all times. */
struct query_range api_range_new(const struct api_call *call);
/* Within limits.max_query_length, clipped to max_query_lookback; 0 and 0: ever. */
MUST_USE int api_range_times(const struct api_call *call, int64_t start_ms, int64_t end_ms,
			     struct query_range *range, struct err *err);
/* Profile type, selector and times, as the Select methods have them: all must be given. */
MUST_USE int api_range_read(const struct api_call *call, const char *type_id, const char *selector,
			    int64_t start_ms, int64_t end_ms, struct query_type *type,
			    struct query_range *range, struct err *err);
/* "TYPE{...}" in two: *ret_id is "" when there is no type in front. */
void api_split_query(struct str query, struct str *ret_id, struct str *ret_selector);
/* Does each for every selector (or once for none), so that answers are the union. */
MUST_USE int api_each_selector(const struct api_call *call, char *const *matchers, size_t count,
			       int64_t start_ms, int64_t end_ms,
			       int (*each)(const struct api_call *, const struct query_range *,
					   void *, struct err *),
			       void *user, struct err *err);
