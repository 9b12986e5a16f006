/* Points over time, and heatmaps. */
#include "model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_NS 1000000000ull

/* A sample that counts: its group, point, part of the step, and value. */
struct row {
	char group[192];
	uint64_t time_ns, part;
	int64_t value;
};

struct rows {
	struct row *list;
	size_t count;
};

/* The first of start, start + step ... <= end that is >= the time; false when none covers it. */
static bool point_of(const struct store_selection *selection, uint64_t step_ns, uint64_t time_ns,
		     uint64_t *ret)
{
	uint64_t steps = 0;
	if (time_ns > selection->start_ns)
		steps = (time_ns - selection->start_ns + step_ns - 1) / step_ns;
	uint64_t t = selection->start_ns + steps * step_ns;
	*ret = t;
	return t <= selection->end_ns && time_ns + step_ns > t;
}

/* Parts of a second or more, as many as a million of them in all allow. */
static uint64_t part_ns_of(const struct store_selection *selection, uint64_t step_ns)
{
	uint64_t span_ns = selection->end_ns - selection->start_ns + step_ns;
	for (uint64_t parts = step_ns / SECOND_NS; parts > 1; parts--)
		if (step_ns % parts == 0 && span_ns / (step_ns / parts) < 1000000 &&
		    selection->start_ns >= step_ns)
			return step_ns / parts;
	return step_ns;
}

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int order = strcmp(x->group, y->group);
	if (order)
		return order;
	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return x->part < y->part ? -1 : x->part > y->part;
}

static struct rows collect(const struct model *model, const struct store_selection *selection,
			   uint64_t step_ns, uint64_t part_ns, const struct str *group_by,
			   size_t group_count)
{
	struct rows rows = {.list = calloc(model->count + 1, sizeof(struct row))};
	struct model_name names[4];
	struct model_question q;
	assert_true(rows.list && group_count <= 4);
	for (size_t i = 0; i < group_count; i++)
		names[i] = model_name_of(group_by[i]);
	question_begin(&q, model, selection);
	for (size_t i = 0; i < model->count; i++) {
		const struct model_sample *s = &model->samples[i];
		struct row *row = &rows.list[rows.count];
		if (!point_of(selection, step_ns, s->time_ns, &row->time_ns) ||
		    !model_selected(&q, s))
			continue;
		model_group_text(&q, s, names, group_count, row->group);
		row->part = (row->time_ns - s->time_ns) / part_ns;
		row->value = s->value;
		rows.count++;
	}
	question_end(&q);
	if (rows.count)
		qsort(rows.list, rows.count, sizeof(*rows.list), compare_rows);
	return rows;
}

/* ---- the largest groups ---- */

struct group {
	size_t from, to; /* rows */
	double points;	 /* sum of the points */
	int64_t values;	 /* sum of the values */
};

static bool same_point(const struct row *a, const struct row *b)
{
	return a->time_ns == b->time_ns && strcmp(a->group, b->group) == 0;
}

/* The value of the point whose rows begin at from; *ret_to: where they end. */
static double point_value(const struct rows *rows, size_t from, bool average, size_t *ret_to)
{
	uint64_t sum = 0, parts = 0;
	size_t i = from;
	for (; i < rows->count && same_point(&rows->list[i], &rows->list[from]); i++) {
		sum += (uint64_t)rows->list[i].value;
		parts += i == from || rows->list[i].part != rows->list[i - 1].part;
	}
	*ret_to = i;
	return average ? (double)(int64_t)sum / (double)parts : (double)(int64_t)sum;
}

static size_t find_groups(const struct rows *rows, bool average, struct group *groups)
{
	size_t count = 0;
	for (size_t i = 0, to; i < rows->count; i = to) {
		if (i == 0 || strcmp(rows->list[i].group, rows->list[i - 1].group) != 0)
			groups[count++] = (struct group){.from = i};
		struct group *group = &groups[count - 1];
		group->points += point_value(rows, i, average, &to);
		for (size_t k = i; k < to; k++)
			group->values =
				(int64_t)((uint64_t)group->values + (uint64_t)rows->list[k].value);
		group->to = to;
	}
	return count;
}

/* Groups lie in the order of their text, and the sort is stable by where they begin. */
static int by_points(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	if (x->points != y->points)
		return x->points > y->points ? -1 : 1;
	return x->from < y->from ? -1 : 1;
}

static int by_values(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	if (x->values != y->values)
		return x->values > y->values ? -1 : 1;
	return x->from < y->from ? -1 : 1;
}

static size_t keep(struct group *groups, size_t count, uint64_t limit,
		   int (*compare)(const void *a, const void *b))
{
	if (!limit || limit >= count)
		return count;
	qsort(groups, count, sizeof(*groups), compare);
	return (size_t)limit;
}

void model_points(const struct model *model, const struct store_selection *selection,
		  const struct store_points_options *options, char **ret)
{
	bool average = options->aggregation == STORE_AVERAGE;
	uint64_t part_ns = average ? part_ns_of(selection, options->step_ns) : options->step_ns;
	struct rows rows = collect(model, selection, options->step_ns, part_ns, options->group_by,
				   options->group_count);
	struct group *groups = calloc(rows.count + 1, sizeof(*groups));
	struct lines lines = {0};
	assert_non_null(groups);
	size_t count = find_groups(&rows, average, groups);
	count = keep(groups, count, options->limit, by_points);
	for (size_t g = 0; g < count; g++)
		for (size_t i = groups[g].from, to; i < groups[g].to; i = to) {
			double value = point_value(&rows, i, average, &to);
			lines_add(&lines, "%s@%llu %.17g", rows.list[i].group,
				  (unsigned long long)rows.list[i].time_ns, value);
		}
	free(groups);
	free(rows.list);
	*ret = lines_text(&lines);
}

/* ---- heatmaps ---- */

/* The last row whose lower edge min + row / 20 of the range is not above the value. */
static unsigned row_of(int64_t value, int64_t min, int64_t max)
{
	unsigned row = 0;
	__int128 above = (__int128)value - min, range = (__int128)max - min;
	while (range && row + 1 < STORE_HEATMAP_ROWS &&
	       above * STORE_HEATMAP_ROWS >= (row + 1) * range)
		row++;
	return row;
}

static void add_slot(struct lines *lines, const struct rows *rows, size_t from, size_t to,
		     int64_t min, int64_t max)
{
	unsigned counts[STORE_HEATMAP_ROWS] = {0};
	char text[512], *at = text;
	for (size_t i = from; i < to; i++)
		counts[row_of(rows->list[i].value, min, max)]++;
	for (unsigned i = 0; i < STORE_HEATMAP_ROWS; i++)
		at += sprintf(at, " %u", counts[i]);
	lines_add(lines, "%s@%llu%s", rows->list[from].group,
		  (unsigned long long)rows->list[from].time_ns, text);
}

void model_heatmap(const struct model *model, const struct store_selection *selection,
		   const struct store_heatmap_options *options, char **ret)
{
	struct rows rows = collect(model, selection, options->step_ns, options->step_ns,
				   options->group_by, options->group_count);
	struct group *groups = calloc(rows.count + 1, sizeof(*groups));
	struct lines lines = {0};
	int64_t min = rows.count ? INT64_MAX : 0, max = rows.count ? INT64_MIN : 0;
	assert_non_null(groups);
	for (size_t i = 0; i < rows.count; i++) {
		min = rows.list[i].value < min ? rows.list[i].value : min;
		max = rows.list[i].value > max ? rows.list[i].value : max;
	}
	size_t count = find_groups(&rows, false, groups);
	count = keep(groups, count, options->limit, by_values);
	lines_add(&lines, "from %lld to %lld", (long long)min, (long long)max);
	for (size_t g = 0; g < count; g++)
		for (size_t i = groups[g].from, to; i < groups[g].to; i = to) {
			(void)point_value(&rows, i, false, &to);
			add_slot(&lines, &rows, i, to, min, max);
		}
	free(groups);
	free(rows.list);
	*ret = lines_text(&lines);
}
