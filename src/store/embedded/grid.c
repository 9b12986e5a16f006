#include "base/clock.h"
#include "store/embedded/answer.h"

/* Into how many equal parts of a second or more the step falls, and a query can count. */
static uint32_t parts_of(const struct store_selection *selection, uint64_t step_ns)
{
	uint64_t span_ns = selection->end_ns - selection->start_ns + step_ns;
	uint64_t parts = step_ns / NS_PER_S;
	if (selection->start_ns < step_ns || span_ns < step_ns)
		return 1;
	parts = parts < POINTS_MAX ? parts : POINTS_MAX;
	while (parts > 1 && (step_ns % parts || span_ns / (step_ns / parts) >= POINTS_MAX))
		parts--;
	return parts ? (uint32_t)parts : 1;
}

static void set_borders(struct grid *grid)
{
	uint64_t last_ns = grid->start_ns + (grid->steps - 1) * grid->step_ns;
	grid->first_ns =
		grid->parts > 1 ? grid->start_ns - grid->step_ns + grid->part_ns : grid->start_ns;
	grid->borders = (struct borders){
		.start_ns =
			grid->start_ns >= grid->step_ns ? grid->start_ns - grid->step_ns + 1 : 0,
		.end_ns = last_ns + (last_ns < UINT64_MAX),
		.inner_ns = grid->first_ns + (grid->first_ns < UINT64_MAX),
		.step_ns = grid->part_ns,
	};
}

int grid_init(struct grid *grid, const struct store_selection *selection, uint64_t step_ns,
	      bool average, struct err *err)
{
	if (step_ns == 0)
		return err_set(err, ERR_INVALID, "the step of points is 0");
	if (selection->end_ns < selection->start_ns)
		return err_set(err, ERR_INVALID, "the time range ends before it starts");
	uint64_t steps = (selection->end_ns - selection->start_ns) / step_ns;
	if (steps >= POINTS_MAX)
		return err_set(err, ERR_LIMIT,
			       "%llu points are too many (at most %d); "
			       "take a longer step",
			       (unsigned long long)steps, POINTS_MAX);
	*grid = (struct grid){
		.start_ns = selection->start_ns,
		.step_ns = step_ns,
		.steps = (uint32_t)steps + 1,
		.parts = average ? parts_of(selection, step_ns) : 1,
	};
	grid->part_ns = step_ns / grid->parts;
	set_borders(grid);
	return 0;
}

int labels_compare(const struct store_label *a, size_t a_count, const struct store_label *b,
		   size_t b_count)
{
	for (size_t i = 0; i < a_count && i < b_count; i++) {
		int order = str_compare(a[i].name, b[i].name);
		order = order ? order : str_compare(a[i].value, b[i].value);
		if (order)
			return order;
	}
	return a_count < b_count ? -1 : a_count > b_count;
}
