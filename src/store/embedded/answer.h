/* Private to the embedded engine: the queries behind the door, one file each
 * (merge.c and tree.c, top.c, points.c, heatmap.c and group.c, count.c and
 * count_answer.c, analysis.c, labels.c, stats.c). */
#pragma once

#include "store/embedded/sums.h"

MUST_USE int answer_merge(struct query *query, struct arena *arena, struct store_tree *ret,
			  struct err *err);
/* Touches the ancestors too, and shapes the result. */
MUST_USE int tree_build(struct query *query, struct sums *nodes, struct arena *arena,
			struct store_tree *ret, struct err *err);
MUST_USE int answer_points(struct query *query, const struct store_points_options *options,
			   struct arena *arena, struct store_points **ret, size_t *ret_count,
			   struct err *err);
MUST_USE int answer_top(struct query *query, const struct store_top_options *options,
			struct arena *arena, struct store_top *ret, struct err *err);
MUST_USE int answer_heatmap(struct query *query, const struct store_heatmap_options *options,
			    struct arena *arena, struct store_heatmap *ret, struct err *err);
MUST_USE int answer_tally(struct query *query, const struct store_tally_options *options,
			  struct arena *arena, struct store_tallies *ret, struct err *err);
MUST_USE int answer_analysis(struct query *query, struct store_analysis *ret, struct err *err);
MUST_USE int answer_extent(struct query *query, struct store_extent *ret, struct err *err);
MUST_USE int answer_label_names(struct query *query, struct arena *arena, struct str **ret,
				size_t *ret_count, struct err *err);
MUST_USE int answer_label_values(struct query *query, struct str name, struct arena *arena,
				 struct str **ret, size_t *ret_count, struct err *err);
MUST_USE int answer_series(struct query *query, const struct str *names, size_t name_count,
			   struct arena *arena, struct store_labels **ret, size_t *ret_count,
			   struct err *err);
MUST_USE int answer_stats(struct store *store, struct store_stats *ret, struct err *err);
MUST_USE int answer_sizes(struct store *store, struct store_sizes *ret, struct err *err);
/* The same of a database alone, without disk_bytes. */
MUST_USE int stats_read(struct rocks *rocks, struct store_stats *ret, struct err *err);
/* What the files of a directory take; 0 when it cannot be read. */
void directory_bytes(const char *path, uint64_t *ret_total, uint64_t *ret_logs);

/* ---- grid.c: points over time ---- */

enum { POINTS_MAX = 1000 * 1000 };

/* Steps (t - step, t], for t = start, start + step ..., each cut into equal parts. */
struct grid {
	uint64_t start_ns, step_ns;
	uint32_t steps, parts;	    /* steps * parts is below 2^32 */
	uint64_t first_ns, part_ns; /* end of the first part, length of each */
	struct borders borders;
};

/* average: parts of whole seconds, else one. ERR_INVALID, ERR_LIMIT. */
MUST_USE int grid_init(struct grid *grid, const struct store_selection *selection, uint64_t step_ns,
		       bool average, struct err *err);
/* The part that covers a time of the range; part / parts is its step. */
static inline uint64_t grid_part(const struct grid *grid, uint64_t time_ns)
{
	if (time_ns <= grid->first_ns)
		return 0;
	return (time_ns - grid->first_ns - 1) / grid->part_ns + 1;
}
/* By names, then values. */
int labels_compare(const struct store_label *a, size_t a_count, const struct store_label *b,
		   size_t b_count);

/* ---- group.c: the distinct values of some names, over series and samples ---- */

/* One value: absent, a dictionary string, a number, a span or a trace id. */
struct group_part {
	uint64_t kind, high, low;
};

struct group {
	const struct group_part *parts;
	struct sums *sums; /* the caller's, per group; made by it */
	int64_t sum;	   /* the caller's too */
	uint32_t next;	   /* in the same slot, + 1 */
};

struct groups {
	struct query *query;
	struct wanted *names;
	size_t name_count, field_count;
	struct group *list;
	size_t count, cap;
	struct map by_hash;	  /* -> index + 1 of the first */
	struct map by_series;	  /* -> base_group */
	struct group_part *parts; /* of the row at hand; labels of the series filled in */
	struct group_part *base;
	uint32_t base_group; /* when no name is a sample field */
	struct series_labels labels;
	uint32_t series;
};

MUST_USE int groups_init(struct groups *groups, struct query *query, const struct str *names,
			 size_t count, struct err *err);
void groups_deinit(struct groups *groups); /* a zeroed one is fine */
/* Before the rows of a block. */
MUST_USE int groups_enter(struct groups *groups, struct scan *scan, struct err *err);
/* The group of a row of the block; constant in it when groups->field_count is 0. */
MUST_USE int groups_of_row(struct groups *groups, struct scan *scan, uint32_t row, uint32_t *ret,
			   struct err *err);
/* The group with the same parts as one of another groups of the same names. */
MUST_USE int groups_find_alike(struct groups *groups, const struct group *other, uint32_t *ret,
			       struct err *err);
/* The text of a part; ptr NULL when it is absent. */
MUST_USE int group_text(struct groups *groups, const struct group_part *part, struct arena *arena,
			struct str *ret, struct err *err);
/* Labels of a group, absent ones left out. */
MUST_USE int group_labels(struct groups *groups, uint32_t group, struct arena *arena,
			  struct store_label **ret, size_t *ret_count, struct err *err);
