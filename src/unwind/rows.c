#include "unwind/rows.h"

#include "base/mem.h"
#include "unwind/builder.h"

void unwind_rows_free(struct unwind_rows *rows)
{
	if (!rows)
		return;
	mem_free(rows->pages);
	mem_free(rows->rows);
	mem_free(rows->rules);
	mem_free(rows);
}

void unwind_rows_get_info(const struct unwind_rows *rows, struct unwind_rows_info *ret)
{
	*ret = rows->info;
}

size_t unwind_rows_head_bytes(const struct unwind_rows *rows)
{
	return sizeof(struct unwind_table) + rows->info.pages * sizeof(struct unwind_page) +
	       rows->info.rules * sizeof(struct unwind_rule);
}

struct unwind_rule unwind_rows_find(const struct unwind_rows *rows, uint64_t vaddr)
{
	const struct unwind_rule none = {.cfa = UNWIND_CFA_NONE};
	uint64_t page = (vaddr - rows->vaddr) >> UNWIND_PAGE_BITS;

	if (vaddr < rows->vaddr || page >= rows->info.pages || rows->pages[page].count == 0)
		return none;
	const struct unwind_row *row = rows->rows + rows->pages[page].rows;
	uint32_t low = 0, high = rows->pages[page].count;
	while (high - low > 1) {
		uint32_t middle = (low + high) / 2;
		if (row[middle].vaddr_low <= (uint16_t)vaddr)
			low = middle;
		else
			high = middle;
	}
	return rows->rules[row[low].rule];
}

static bool row_range(const struct unwind_rows *rows, uint32_t page, uint32_t row,
		      struct unwind_range *ret)
{
	const struct unwind_page *p = &rows->pages[page];
	const struct unwind_row *r = &rows->rows[p->rows + row];
	uint64_t base = rows->vaddr + ((uint64_t)page << UNWIND_PAGE_BITS);

	ret->start = base + r->vaddr_low;
	ret->end = base + (row + 1 < p->count ? r[1].vaddr_low : 1U << UNWIND_PAGE_BITS);
	ret->rule = &rows->rules[r->rule];
	return ret->rule->cfa != UNWIND_CFA_NONE;
}

bool unwind_rows_next(const struct unwind_rows *rows, struct unwind_rows_pos *pos,
		      struct unwind_range *ret)
{
	while (pos->page < rows->info.pages) {
		if (pos->row == rows->pages[pos->page].count) {
			pos->page++;
			pos->row = 0;
		} else if (row_range(rows, pos->page, pos->row++, ret)) {
			return true;
		}
	}
	return false;
}

/* ---- merging ----------------------------------------------------------- */

struct side {
	const struct unwind_rows *rows;
	struct unwind_rows_pos pos;
	struct unwind_range range;
	bool more;
};

static void side_next(struct side *side)
{
	side->more = unwind_rows_next(side->rows, &side->pos, &side->range);
}

static int add_range(struct unwind_builder *builder, const struct unwind_range *range, uint64_t end,
		     struct err *err)
{
	return unwind_builder_add(builder, range->start, end, range->rule, err);
}

/* Adds the part of `second` in front of `first`, or else `first` as a whole. */
static int merge_step(struct unwind_builder *builder, struct side *first, struct side *second,
		      struct err *err)
{
	bool both = first->more && second->more;
	int rc;

	if (both && second->range.end <= first->range.end &&
	    second->range.start >= first->range.start) {
		side_next(second); /* hidden */
		return 0;
	}
	if (!first->more || (both && second->range.end <= first->range.start)) {
		rc = add_range(builder, &second->range, second->range.end, err);
		side_next(second);
		return rc;
	}
	if (both && second->range.start < first->range.start) {
		rc = add_range(builder, &second->range, first->range.start, err);
		second->range.start = first->range.start;
		return rc;
	}
	rc = add_range(builder, &first->range, first->range.end, err);
	side_next(first);
	return rc;
}

static int merge_all(struct unwind_builder *builder, struct side *first, struct side *second,
		     struct err *err)
{
	int rc = 0;

	side_next(first);
	side_next(second);
	while (!rc && (first->more || second->more))
		rc = merge_step(builder, first, second, err);
	return rc;
}

static void add_info(struct unwind_rows_info *to, const struct unwind_rows_info *first,
		     const struct unwind_rows_info *second)
{
	to->functions = first->functions + second->functions;
	to->ranges = first->ranges + second->ranges;
	to->odd = first->odd + second->odd;
	to->skipped = first->skipped + second->skipped;
	to->from_go = first->from_go || second->from_go;
}

int unwind_rows_merge(const struct unwind_rows *first, const struct unwind_rows *second,
		      const struct unwind_limits *limits, struct unwind_rows **ret, struct err *err)
{
	struct side a = {.rows = first}, b = {.rows = second};
	struct unwind_builder *builder;

	int rc = unwind_builder_create(limits, &builder, err);
	if (rc)
		return rc;
	rc = merge_all(builder, &a, &b, err);
	if (!rc)
		rc = unwind_builder_finish(builder, ret, err);
	if (!rc)
		add_info(&(*ret)->info, &first->info, &second->info);
	unwind_builder_destroy(builder);
	return rc;
}
