/* Private to the embedded engine: what the door does about questions. */
#pragma once

#include "store/engine.h"

MUST_USE int ask_merge(struct store *store, const struct store_selection *selection,
		       struct arena *arena, struct store_tree *ret, struct err *err);
MUST_USE int ask_points(struct store *store, const struct store_selection *selection,
			const struct store_points_options *options, struct arena *arena,
			struct store_points **ret, size_t *ret_count, struct err *err);
MUST_USE int ask_top(struct store *store, const struct store_selection *selection,
		     const struct store_top_options *options, struct arena *arena,
		     struct store_top *ret, struct err *err);
MUST_USE int ask_heatmap(struct store *store, const struct store_selection *selection,
			 const struct store_heatmap_options *options, struct arena *arena,
			 struct store_heatmap *ret, struct err *err);
MUST_USE int ask_tally(struct store *store, const struct store_selection *selection,
		       const struct store_tally_options *options, struct arena *arena,
		       struct store_tallies *ret, struct err *err);
MUST_USE int ask_analysis(struct store *store, const struct store_selection *selection,
			  struct store_analysis *ret, struct err *err);
MUST_USE int ask_extent(struct store *store, struct str tenant, struct store_extent *ret,
			struct err *err);
MUST_USE int ask_label_names(struct store *store, const struct store_selection *selection,
			     struct arena *arena, struct str **ret, size_t *ret_count,
			     struct err *err);
MUST_USE int ask_label_values(struct store *store, const struct store_selection *selection,
			      struct str name, struct arena *arena, struct str **ret,
			      size_t *ret_count, struct err *err);
MUST_USE int ask_series_labels(struct store *store, const struct store_selection *selection,
			       const struct str *names, size_t name_count, struct arena *arena,
			       struct store_labels **ret, size_t *ret_count, struct err *err);
