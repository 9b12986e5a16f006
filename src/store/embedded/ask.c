/* Questions of every kind: opened, answered, closed, timed; those about closed
 * ranges of time are looked up among the kept answers first. */
#include "base/clock.h"
#include "store/embedded/answer.h"
#include "store/embedded/answers.h"
#include "store/embedded/ask.h"
#include "store/embedded/gauges.h"

static int end_query(struct query *query, uint64_t start_ns, int rc)
{
	query_close(query);
	histogram_observe_ns(&store_query_seconds, clock_mono_ns() - start_ns);
	return rc;
}

/* ---- answers that may be kept ---- */

/* One of those, and how it is computed when it is not kept. */
struct ask {
	struct store *store;
	const struct store_selection *selection;
	struct question question;
	copy_answer *copy;
	size_t answer_bytes;
	int (*compute)(struct query *query, const void *options, struct arena *arena, void *ret,
		       struct err *err);
	const void *options;
};

static int compute(struct ask *ask, struct arena *arena, void *ret, struct err *err)
{
	struct query query;
	uint64_t start_ns = clock_mono_ns();
	int rc = query_open(ask->store, ask->selection, &query, err);
	if (rc)
		return rc;
	rc = ask->compute(&query, ask->options, arena, ret, err);
	uint32_t tenant = query.tenant;
	rc = end_query(&query, start_ns, rc);
	if (!rc)
		answers_keep(ask->store->answers, &ask->question, tenant, ask->copy, ret,
			     ask->answer_bytes);
	return rc;
}

static int find_or_compute(struct ask *ask, struct arena *arena, void *ret, struct err *err)
{
	int rc = 0;
	if (!answers_find(ask->store->answers, &ask->question, ask->copy, arena, ret, &rc, err))
		rc = compute(ask, arena, ret, err);
	question_deinit(&ask->question);
	return rc;
}

static int compute_merge(struct query *query, const void *options, struct arena *arena, void *ret,
			 struct err *err)
{
	(void)options;
	return answer_merge(query, arena, ret, err);
}

int ask_merge(struct store *store, const struct store_selection *selection, struct arena *arena,
	      struct store_tree *ret, struct err *err)
{
	struct ask ask = {.store = store,
			  .selection = selection,
			  .copy = copy_tree,
			  .answer_bytes = sizeof(*ret),
			  .compute = compute_merge};
	question_init(&ask.question, store->answers, QUESTION_MERGE, selection);
	return find_or_compute(&ask, arena, ret, err);
}

static int compute_points(struct query *query, const void *options, struct arena *arena, void *ret,
			  struct err *err)
{
	struct points_answer *answer = ret;
	return answer_points(query, options, arena, &answer->list, &answer->count, err);
}

int ask_points(struct store *store, const struct store_selection *selection,
	       const struct store_points_options *options, struct arena *arena,
	       struct store_points **ret, size_t *ret_count, struct err *err)
{
	struct points_answer answer;
	struct ask ask = {.store = store,
			  .selection = selection,
			  .copy = copy_points,
			  .answer_bytes = sizeof(answer),
			  .compute = compute_points,
			  .options = options};
	question_init(&ask.question, store->answers, QUESTION_POINTS, selection);
	question_reach_back(&ask.question, options->step_ns);
	question_put_u64(&ask.question, options->step_ns);
	question_put_u64(&ask.question, options->aggregation);
	question_put_u64(&ask.question, options->limit);
	question_put_texts(&ask.question, options->group_by, options->group_count);
	int rc = find_or_compute(&ask, arena, &answer, err);
	if (rc)
		return rc;
	*ret = answer.list;
	*ret_count = answer.count;
	return 0;
}

static int compute_top(struct query *query, const void *options, struct arena *arena, void *ret,
		       struct err *err)
{
	return answer_top(query, options, arena, ret, err);
}

int ask_top(struct store *store, const struct store_selection *selection,
	    const struct store_top_options *options, struct arena *arena, struct store_top *ret,
	    struct err *err)
{
	struct ask ask = {.store = store,
			  .selection = selection,
			  .copy = copy_top,
			  .answer_bytes = sizeof(*ret),
			  .compute = compute_top,
			  .options = options};
	question_init(&ask.question, store->answers, QUESTION_TOP, selection);
	question_put_u64(&ask.question, options->order);
	question_put_u64(&ask.question, options->limit);
	return find_or_compute(&ask, arena, ret, err);
}

static int compute_heatmap(struct query *query, const void *options, struct arena *arena, void *ret,
			   struct err *err)
{
	return answer_heatmap(query, options, arena, ret, err);
}

int ask_heatmap(struct store *store, const struct store_selection *selection,
		const struct store_heatmap_options *options, struct arena *arena,
		struct store_heatmap *ret, struct err *err)
{
	struct ask ask = {.store = store,
			  .selection = selection,
			  .copy = copy_heatmap,
			  .answer_bytes = sizeof(*ret),
			  .compute = compute_heatmap,
			  .options = options};
	question_init(&ask.question, store->answers, QUESTION_HEATMAP, selection);
	question_reach_back(&ask.question, options->step_ns);
	question_put_u64(&ask.question, options->step_ns);
	question_put_u64(&ask.question, options->limit);
	question_put_texts(&ask.question, options->group_by, options->group_count);
	return find_or_compute(&ask, arena, ret, err);
}

/* ---- answers that are computed each time ---- */

int ask_tally(struct store *store, const struct store_selection *selection,
	      const struct store_tally_options *options, struct arena *arena,
	      struct store_tallies *ret, struct err *err)
{
	struct query query;
	uint64_t start_ns = clock_mono_ns();
	int rc = query_open(store, selection, &query, err);
	return rc ? rc
		  : end_query(&query, start_ns, answer_tally(&query, options, arena, ret, err));
}

int ask_analysis(struct store *store, const struct store_selection *selection,
		 struct store_analysis *ret, struct err *err)
{
	struct query query;
	uint64_t start_ns = clock_mono_ns();
	int rc = query_open(store, selection, &query, err);
	return rc ? rc : end_query(&query, start_ns, answer_analysis(&query, ret, err));
}

int ask_extent(struct store *store, struct str tenant, struct store_extent *ret, struct err *err)
{
	const struct store_selection selection = {.tenant = tenant, .end_ns = UINT64_MAX};
	struct query query;
	uint64_t start_ns = clock_mono_ns();
	int rc = query_open(store, &selection, &query, err);
	return rc ? rc : end_query(&query, start_ns, answer_extent(&query, ret, err));
}

/* ---- labels ---- */

int ask_label_names(struct store *store, const struct store_selection *selection,
		    struct arena *arena, struct str **ret, size_t *ret_count, struct err *err)
{
	struct query query;
	uint64_t start_ns = clock_mono_ns();
	int rc = query_open(store, selection, &query, err);
	return rc ? rc
		  : end_query(&query, start_ns,
			      answer_label_names(&query, arena, ret, ret_count, err));
}

int ask_label_values(struct store *store, const struct store_selection *selection, struct str name,
		     struct arena *arena, struct str **ret, size_t *ret_count, struct err *err)
{
	struct query query;
	uint64_t start_ns = clock_mono_ns();
	int rc = query_open(store, selection, &query, err);
	return rc ? rc
		  : end_query(&query, start_ns,
			      answer_label_values(&query, name, arena, ret, ret_count, err));
}

int ask_series_labels(struct store *store, const struct store_selection *selection,
		      const struct str *names, size_t name_count, struct arena *arena,
		      struct store_labels **ret, size_t *ret_count, struct err *err)
{
	struct query query;
	uint64_t start_ns = clock_mono_ns();
	int rc = query_open(store, selection, &query, err);
	return rc ? rc
		  : end_query(&query, start_ns,
			      answer_series(&query, names, name_count, arena, ret, ret_count, err));
}
