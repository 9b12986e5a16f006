#include "agent/mappings.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

struct mappings *mappings_create(void)
{
	struct mappings *set = mem_zalloc(1, sizeof(*set));
	if (set)
		set->refs = 1;
	return set;
}

struct mappings *mappings_ref(struct mappings *set)
{
	set->refs++;
	return set;
}

void mappings_unref(struct mappings *set)
{
	if (!set || --set->refs > 0)
		return;
	mem_free(set->rows);
	mem_free(set);
}

/* First row that ends above the address; count when there is none. */
static uint32_t first_above(const struct mappings *set, uint64_t address)
{
	uint32_t low = 0, high = set->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (set->rows[middle].end > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

const struct mapping *mappings_find(const struct mappings *set, uint64_t address)
{
	uint32_t i = first_above(set, address);
	return i < set->count && set->rows[i].start <= address ? &set->rows[i] : NULL;
}

/* Two rows that one row could say: JIT compilers grow their code page by page. */
static bool continues(const struct mapping *a, const struct mapping *b)
{
	return a->end == b->start && a->file == b->file &&
	       a->offset + (a->end - a->start) == b->offset;
}

static int own_copy(struct mappings **set, struct err *err)
{
	struct mappings *old = *set;
	if (old->refs == 1)
		return 0;
	struct mappings *copy = mappings_create();
	if (copy && old->count > 0)
		copy->rows = mem_alloc(old->count * sizeof(*copy->rows));
	if (!copy || (old->count > 0 && !copy->rows)) {
		mappings_unref(copy);
		return err_set(err, ERR_NOMEM, "mappings: no memory for a copy of %u", old->count);
	}
	if (old->count > 0)
		memcpy(copy->rows, old->rows, old->count * sizeof(*copy->rows));
	copy->count = old->count;
	copy->cap = old->count;
	mappings_unref(old);
	*set = copy;
	return 0;
}

/* Rows [from, to) give way to the pieces. */
static int replace(struct mappings *set, uint32_t from, uint32_t to, const struct mapping *pieces,
		   uint32_t count, struct err *err)
{
	uint32_t total = set->count - (to - from) + count;
	if (total > MAPPINGS_MAX)
		return err_set(err, ERR_LIMIT, "mappings: a process has more than %d",
			       MAPPINGS_MAX);
	if (total > set->cap) {
		struct mapping *rows = mem_grow(set->rows, &set->cap, total, sizeof(*rows));
		if (!rows)
			return err_set(err, ERR_NOMEM, "mappings: no memory for %u", total);
		set->rows = rows;
	}
	memmove(set->rows + from + count, set->rows + to, (set->count - to) * sizeof(*set->rows));
	memcpy(set->rows + from, pieces, count * sizeof(*pieces));
	set->count = total;
	return 0;
}

static bool is_there(const struct mappings *set, const struct mapping *row)
{
	const struct mapping *old = mappings_find(set, row->start);
	return old && old->file == row->file && old->end >= row->end &&
	       row->start - old->start + old->offset == row->offset;
}

int mappings_add(struct mappings **set, const struct mapping *row, struct err *err)
{
	if (row->start >= row->end || is_there(*set, row))
		return 0;
	int rc = own_copy(set, err);
	if (rc)
		return rc;
	struct mapping pieces[3], middle = *row;
	uint32_t count = 0;
	uint32_t from = first_above(*set, row->start), to = from;
	const struct mapping *rows = (*set)->rows;
	while (to < (*set)->count && rows[to].start < row->end)
		to++;
	if (from > 0 && continues(&rows[from - 1], row)) {
		from--;
		middle.start = rows[from].start;
		middle.offset = rows[from].offset;
	} else if (from < to && rows[from].start < row->start) {
		pieces[count] = rows[from];
		pieces[count++].end = row->start;
	}
	pieces[count++] = middle;
	if (from < to && rows[to - 1].end > row->end) {
		struct mapping rest = rows[to - 1];
		rest.offset += row->end - rest.start;
		rest.start = row->end;
		pieces[count++] = rest;
	}
	return replace(*set, from, to, pieces, count, err);
}

/* Rows are compared field by field: they have padding. */
static bool same_row(const struct mapping *a, const struct mapping *b)
{
	return a->start == b->start && a->end == b->end && a->offset == b->offset &&
	       a->file == b->file;
}

bool mappings_equal(const struct mappings *a, const struct mappings *b)
{
	bool equal = a->count == b->count;
	for (uint32_t i = 0; equal && i < a->count; i++)
		equal = same_row(&a->rows[i], &b->rows[i]);
	return equal;
}

/* The part [start, end) of one row; fresh may show it by several, of the same file. */
static bool row_agrees(const struct mapping *row, const struct mappings *fresh, uint64_t start,
		       uint64_t end)
{
	for (uint64_t at = start; at < end;) {
		const struct mapping *now = mappings_find(fresh, at);
		if (!now || now->file != row->file ||
		    now->offset - now->start != row->offset - row->start)
			return false;
		at = now->end;
	}
	return true;
}

bool mappings_agree(const struct mappings *old, const struct mappings *fresh, uint64_t start,
		    uint64_t end)
{
	for (uint32_t i = first_above(old, start); i < old->count && old->rows[i].start < end;
	     i++) {
		const struct mapping *row = &old->rows[i];
		if (!row_agrees(row, fresh, row->start > start ? row->start : start,
				row->end < end ? row->end : end))
			return false;
	}
	return true;
}
