/* Questions about stored profiles: what they look like as text (selectors,
 * profile type ids), how they are put to a store, and how the answers are shaped
 * (flame graph, top table, folded stacks, points over time).
 *
 * Semantics are those of Pyroscope's query API, so that its clients see what
 * they expect; where it is known to be wrong (AVERAGE that is a sum, unnamed
 * frames that vanish) we do it right. Results live in the caller's arena. Any
 * thread, one arena per thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "store/engine.h"

/* ---- text ---------------------------------------------------------------- */

enum {
	QUERY_SELECTOR_MAX_BYTES = 64 * 1024,
	QUERY_MATCHERS_MAX = 256,
};

struct query_selector {
	struct store_matcher *matchers;
	size_t count;
};

/* PromQL's label selector: {service_name="x", thread_name=~"y.*"}, names that are no identifiers in
 * quotes ({"process.pid"="1"}), strings in "", '' or `` with Go's escapes, a trailing comma, a metric
 * name in front or as a lone string (means __name__). Blank text and {} select everything.
 * ERR_INVALID "selector, character N: ..."; ERR_LIMIT, ERR_NOMEM. */
MUST_USE int query_parse_selector(struct arena *arena, struct str text, struct query_selector *ret,
				  struct err *err);

/* process_cpu:cpu:nanoseconds:cpu:nanoseconds, with an optional ":delta" at the end. */
struct query_type {
	struct str id; /* without :delta, as the label __profile_type__ has it */
	struct str name, sample_type, sample_unit, period_type, period_unit;
	bool delta;
};

/* Views into text, which must outlive ret. The period parts may be empty. ERR_INVALID. */
MUST_USE int query_parse_type(struct str text, struct query_type *ret, struct err *err);

/* ---- the flame graph ----------------------------------------------------- */

/* A tree of functions: the stacks of a store_tree with frames of the same display name merged.
 * Node 0 is the root, whose name is "total"; a parent has a smaller index than its children. */
struct query_node {
	struct str name;
	int64_t self;  /* values whose leaf is here */
	int64_t total; /* self and everything below */
	uint32_t parent;
	uint32_t child; /* first child, by name; 0: none */
	uint32_t next;	/* next sibling; 0: none */
};

struct query_tree {
	struct query_node *nodes;
	uint32_t count;
};

/* What a frame is called: its name, else "mapping+0xaddress", else "[unknown]". In the arena, or the
 * frame's own; {NULL, 0} without memory. */
struct str query_frame_name(struct arena *arena, const struct store_frame *frame);

/* Sums saturate instead of wrapping. ERR_NOMEM, ERR_LIMIT. */
MUST_USE int query_tree_build(struct arena *arena, const struct store_tree *stacks,
			      struct query_tree *ret, struct err *err);
/* Keeps the nodes whose total is not below the max_nodes-th largest, and folds the rest (and nodes
 * called "other") into one last child "other" of each parent. max_nodes 0: no limit. */
MUST_USE int query_tree_fold(struct arena *arena, const struct query_tree *tree, uint64_t max_nodes,
			     struct query_tree *ret, struct err *err);

/* One level is quads: x, total, self, name index. x is the distance from the end of the bar before it;
 * a bar's own self comes first, so its first child starts self further right than it. */
struct query_level {
	int64_t *values;
	size_t count; /* numbers, four a bar */
};

struct query_flame {
	struct str *names; /* [0] = "total" */
	size_t name_count;
	struct query_level *levels; /* [0] = the root alone */
	size_t level_count;
	int64_t total, max_self;
};

MUST_USE int query_flame_encode(struct arena *arena, const struct query_tree *tree,
				struct query_flame *ret, struct err *err);
/* The tree that was encoded, for a client of the API. ERR_INVALID: a bar that is in no parent, a name
 * index out of range, a negative width. */
MUST_USE int query_flame_decode(struct arena *arena, const struct query_flame *flame,
				struct query_tree *ret, struct err *err);

/* ---- two trees over each other ------------------------------------------- */

/* Seven numbers a bar: distance from the end of the bar before it, total and self of the left tree, the
 * same three of the right one, name index. A bar that only one side has is 0 wide on the other. */
struct query_diff {
	struct str *names; /* [0] = "total" */
	size_t name_count;
	struct query_level *levels; /* [0] = the root alone */
	size_t level_count;
	int64_t total, max_self; /* of both; of either */
	int64_t left_total, right_total;
};

/* Keeps the bars whose larger total is not below the max_nodes-th largest; the rest becomes "other", as
 * in query_tree_fold. ERR_INVALID: a negative total; the sides do not add up to 64 bits. */
MUST_USE int query_diff_encode(struct arena *arena, const struct query_tree *left,
			       const struct query_tree *right, uint64_t max_nodes,
			       struct query_diff *ret, struct err *err);

/* ---- stacks with all that is known of their frames ------------------------ */

/* Only what is on or below these functions, root first; the others' values become 0. ret shares with
 * stacks. */
MUST_USE int query_stacks_below(struct arena *arena, const struct store_tree *stacks,
				const struct str *path, size_t path_len, struct store_tree *ret,
				struct err *err);
/* Without the frames that are not kept (keep has one for each frame): their values and callees go to the
 * nearest caller that is. */
MUST_USE int query_stacks_keep(struct arena *arena, const struct store_tree *stacks,
			       const bool *keep, struct store_tree *ret, struct err *err);

/* The max_nodes nodes with the largest totals (0: all), as in query_tree_fold; the rest is in a frame
 * "other" below what called it. */
MUST_USE int query_stacks_fold(struct arena *arena, const struct store_tree *stacks,
			       uint64_t max_nodes, struct store_tree *ret, struct err *err);

/* The sum of the values whose stacks have a function of this name somewhere, each once. ERR_NOMEM. */
MUST_USE int query_function_total(struct arena *arena, const struct store_tree *stacks,
				  struct str function, int64_t *ret, struct err *err);

/* ---- other shapes -------------------------------------------------------- */

struct query_function {
	struct str name;
	int64_t self;
	int64_t total; /* recursion counted once */
};

/* Largest self first, then total, then name. The root is not a function. */
MUST_USE int query_top(struct arena *arena, const struct query_tree *tree,
		       struct query_function **ret, size_t *ret_count, struct err *err);
/* "a;b;c 12\n" for each path with a self. A ';' or line end inside a name becomes ':' or ' '. */
MUST_USE int query_folded(struct arena *arena, const struct query_tree *tree, struct buf *out,
			  struct err *err);

/* Pyroscope's tree format: nodes depth first, each as varint length and bytes of the name, varint self,
 * varint number of children; the root is nameless. */
MUST_USE int query_tree_bytes(struct arena *arena, const struct query_tree *tree, struct buf *out,
			      struct err *err);
/* Graphviz: a box a function, an arrow a call, sizes by total. The max_nodes functions with the largest
 * totals (0: all). A function's total, and a call's, count recursion once. */
MUST_USE int query_dot(struct arena *arena, const struct query_tree *tree, struct str title,
		       size_t max_nodes, struct buf *out, struct err *err);

/* What is above and below all occurrences of one function. The root of each half is the function. */
struct query_sandwich {
	struct query_tree callers; /* a node's children call it */
	struct query_tree callees;
	int64_t self, total; /* total: each sample once */
};

/* A function that is nowhere gives roots of 0. ERR_LIMIT: recursion so deep that it takes too long. */
MUST_USE int query_sandwich(struct arena *arena, const struct query_tree *tree, struct str function,
			    struct query_sandwich *ret, struct err *err);

/* Only the stacks that begin with these functions, root first (ret may be tree). */
MUST_USE int query_tree_below(struct arena *arena, const struct query_tree *tree,
			      const struct str *path, size_t path_len, struct query_tree *ret,
			      struct err *err);

/* ---- questions to a store ------------------------------------------------ */

struct query_range {
	struct str tenant;
	const struct query_type *type; /* NULL: every type */
	struct query_selector selector;
	int64_t start_ms, end_ms; /* both inclusive; 0 and 0: all time */
	const _Atomic int *cancelled;
	size_t memory_limit_bytes;
	uint64_t deadline_ns;			 /* of the monotonic clock; 0: none */
	const struct store_profile_id *profiles; /* only these; none: all */
	size_t profile_count;
	const struct str *call_sites; /* only stacks that begin with these, root first */
	size_t call_site_count;
};

/* start <= end, both >= 0, and length within max_ms when that is not 0. ERR_INVALID. */
MUST_USE int query_check_range(int64_t start_ms, int64_t end_ms, int64_t max_ms, struct err *err);

/* The selection that a range stands for: the type as a matcher, the times in nanoseconds. */
MUST_USE int query_select(struct arena *arena, const struct query_range *range,
			  struct store_selection *ret, struct err *err);

/* The stacks themselves. */
MUST_USE int query_stacks(struct store *store, const struct query_range *range, struct arena *arena,
			  struct store_tree *ret, struct err *err);
/* The whole function tree. */
MUST_USE int query_merge(struct store *store, const struct query_range *range, struct arena *arena,
			 struct query_tree *ret, struct err *err);

struct query_points {
	double step_s; /* >= 0.001 */
	enum store_aggregation aggregation;
	const struct str *group_by; /* labels or sample columns; none: one series without labels */
	size_t group_count;
	int64_t limit; /* the largest series by sum; 0: all */
};

/* The point at t covers (t - step, t], t = start, start + step ... <= end. Sorted by labels. */
MUST_USE int query_series(struct store *store, const struct query_range *range,
			  const struct query_points *points, struct arena *arena,
			  struct store_points **ret, size_t *ret_count, struct err *err);

/* The largest profile or span of each group and step. Times as in query_series. */
MUST_USE int query_exemplars(struct store *store, const struct query_range *range,
			     const struct query_points *points, enum store_unit unit,
			     struct arena *arena, struct store_tallies *ret, struct err *err);

enum { QUERY_HEATMAP_ROWS = 20 };

/* Where rows begin; how many of each lie in (time - step, time], and the largest of each row as an
 * index into the tallies of the group, or -1. */
struct query_slot {
	uint64_t time_ns;
	uint64_t counts[QUERY_HEATMAP_ROWS];
	int64_t best[QUERY_HEATMAP_ROWS];
};

struct query_heat {
	const struct store_tally_group *group;
	const struct query_slot *slots; /* by time, empty ones left out */
	size_t slot_count;
};

/* Rows are equal parts of [smallest value, largest value] of all groups; a value on the border of two
 * belongs to the upper, the largest to the last; when all are the same, to the first. */
struct query_heatmap {
	double row_min[QUERY_HEATMAP_ROWS];
	struct query_heat *groups; /* by labels */
	size_t group_count;
	struct store_tallies tallies;
};

/* points->aggregation means nothing here; limit keeps the groups with the largest sums. */
MUST_USE int query_heatmap(struct store *store, const struct query_range *range,
			   const struct query_points *points, enum store_unit unit,
			   struct arena *arena, struct query_heatmap *ret, struct err *err);

/* The profile types in a range, sorted by id; ids that do not parse are left out. */
MUST_USE int query_types(struct store *store, const struct query_range *range, struct arena *arena,
			 struct query_type **ret, size_t *ret_count, struct err *err);
