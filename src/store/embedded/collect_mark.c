/* Marks are walked by (day, series), as blocks are stored: so every part of the
 * store is read once, forwards. Where the day sum of a series is there, it names
 * the same stacks in far fewer rows; thread names are only in the samples. */
#include "store/embedded/block.h"
#include "store/embedded/collection.h"
#include "store/embedded/mark.h"

#include "base/mem.h"

struct marker {
	struct collection *c;
	struct rocks_iter marks, samples, sums;
	int64_t *column; /* BLOCK_ROWS_MAX */
};

static int mark_column(struct marker *marker, const struct block *block, enum block_column column,
		       enum used_kind kind, struct err *err)
{
	int rc = 0;
	if (!block->columns[column].ptr)
		return 0;
	rc = block_column(block, column, marker->column, err);
	for (size_t i = 0; !rc && i < block->count; i++) {
		int64_t id = marker->column[i];
		if (id < 0 || id > UINT32_MAX)
			return err_set(err, ERR_CORRUPT, "sample block: an id is out of range");
		used_add(&marker->c->used, kind, (uint32_t)id);
	}
	return rc;
}

static int mark_block(struct marker *marker, struct rocks_iter *iter, uint64_t time_ns,
		      struct err *err)
{
	struct block block;
	int rc = collect_check(marker->c, err);
	rc = rc ? rc : block_open(rocks_iter_value(iter), time_ns, &block, err);
	rc = rc ? rc : mark_column(marker, &block, BLOCK_NODE, USED_NODE, err);
	return rc ? rc : mark_column(marker, &block, BLOCK_THREAD_NAME, USED_STRING, err);
}

/* Seeks only when the iterator does not stand there, or before, already. */
static bool stand_at(struct rocks_iter *iter, const struct key *from)
{
	if (rocks_iter_valid(iter) && str_compare(rocks_iter_key(iter), key_str(from)) < 0)
		rocks_iter_seek(iter, from);
	return rocks_iter_valid(iter);
}

static int mark_samples(struct marker *marker, uint32_t day, uint32_t series, struct err *err)
{
	struct key from = key_samples_series(marker->c->tenant, day, series, 0);
	struct sample_key at;
	int rc = 0;
	for (bool valid = stand_at(&marker->samples, &from); !rc && valid;
	     valid = rocks_iter_valid(&marker->samples)) {
		if (!key_parse_samples(rocks_iter_key(&marker->samples), &at) || at.day != day ||
		    at.series != series)
			break;
		rc = mark_block(marker, &marker->samples, at.time_ns, err);
		rocks_iter_next(&marker->samples);
	}
	return rc ? rc : rocks_iter_check(&marker->samples, err);
}

static int mark_sums(struct marker *marker, uint32_t day, uint32_t series, struct err *err)
{
	struct key from = key_sums_series(marker->c->tenant, LEVEL_DAY, day, series, 0);
	struct sample_key at;
	uint8_t level;
	int rc = 0;
	for (bool valid = stand_at(&marker->sums, &from); !rc && valid;
	     valid = rocks_iter_valid(&marker->sums)) {
		if (!key_parse_sums(rocks_iter_key(&marker->sums), &level, &at) || at.day != day ||
		    at.series != series)
			break;
		rc = mark_block(marker, &marker->sums, at.time_ns, err);
		rocks_iter_next(&marker->sums);
	}
	return rc ? rc : rocks_iter_check(&marker->sums, err);
}

static int mark_day(struct marker *marker, uint32_t day, uint32_t series, struct str value,
		    struct err *err)
{
	struct mark mark;
	int rc = mark_decode(value, &mark, err);
	if (rc)
		return rc;
	used_add(&marker->c->used, USED_SERIES, series);
	bool named = mark.columns & 1u << BLOCK_THREAD_NAME;
	if (!named && mark_covers(&mark, LEVEL_DAY, 0))
		return mark_sums(marker, day, series, err);
	return mark_samples(marker, day, series, err);
}

static void open_iterators(struct marker *marker, const struct rocks_view *view)
{
	uint32_t tenant = marker->c->tenant;
	struct key marks = key_kind(tenant, KEY_DAY), marks_end = key_after(&marks);
	struct key samples = {0}, sums = {0};
	key_u32(&samples, tenant);
	key_u32(&sums, tenant);
	key_u8(&sums, LEVEL_DAY);
	struct key samples_end = key_after(&samples), sums_end = key_after(&sums);
	rocks_iter_open(view, FAMILY_SERIES, &marks, &marks_end, true, &marker->marks);
	rocks_iter_open(view, FAMILY_SAMPLES, &samples, &samples_end, true, &marker->samples);
	rocks_iter_open(view, FAMILY_ROLLUPS, &sums, &sums_end, true, &marker->sums);
}

int collect_mark(struct collection *c, const struct rocks_view *view, struct err *err)
{
	struct marker marker = {.c = c};
	marker.column = mem_alloc(BLOCK_ROWS_MAX * sizeof(*marker.column));
	if (!marker.column)
		return err_set(err, ERR_NOMEM, "reading what is in use: no memory");
	int rc = 0;
	open_iterators(&marker, view);
	for (; !rc && rocks_iter_valid(&marker.marks); rocks_iter_next(&marker.marks)) {
		struct str key = rocks_iter_key(&marker.marks);
		rc = mark_day(&marker, key_part(key, 0), key_part(key, 1),
			      rocks_iter_value(&marker.marks), err);
	}
	rc = rc ? rc : rocks_iter_check(&marker.marks, err);
	rocks_iter_close(&marker.marks);
	rocks_iter_close(&marker.samples);
	rocks_iter_close(&marker.sums);
	mem_free(marker.column);
	return rc;
}
