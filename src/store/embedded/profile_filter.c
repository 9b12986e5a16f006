/* A profile's id is its series and time, and four bytes of their hash, so that
 * an id from elsewhere is not taken for one of ours. */
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "store/embedded/scan.h"

static void put_be(uint8_t *to, uint64_t value, size_t bytes)
{
	for (size_t i = bytes; i-- > 0; value >>= 8)
		to[i] = (uint8_t)value;
}

struct store_profile_id profile_id_make(uint32_t series, uint64_t time_ns)
{
	struct store_profile_id id = {{0}};
	put_be(id.bytes, series, 4);
	put_be(id.bytes + 4, time_ns, 8);
	put_be(id.bytes + 12, str_hash(str_make(id.bytes, 12)), 4);
	return id;
}

bool profile_id_read(const struct store_profile_id *id, uint32_t *ret_series, uint64_t *ret_time_ns)
{
	struct cur in = cur_make(id->bytes, sizeof(id->bytes));
	*ret_series = cur_u32be(&in);
	*ret_time_ns = cur_u64be(&in);
	return cur_u32be(&in) == (uint32_t)str_hash(str_make(id->bytes, 12));
}

int profile_filter_series(const struct query *query, roaring_bitmap_t *series, struct err *err)
{
	const struct store_selection *selection = query->selection;
	roaring_bitmap_t *named = roaring_bitmap_create();
	if (!named)
		return err_set(err, ERR_NOMEM, "selecting profiles: no memory");
	for (size_t i = 0; i < selection->profile_count; i++) {
		uint32_t one;
		uint64_t time_ns;
		if (profile_id_read(&selection->profiles[i], &one, &time_ns))
			roaring_bitmap_add(named, one);
	}
	roaring_bitmap_and_inplace(series, named);
	roaring_bitmap_free(named);
	return 0;
}

static int by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

int profile_filter_enter(struct scan *scan, struct err *err)
{
	const struct store_selection *selection = scan->query->selection;
	if (!scan->profile_times)
		scan->profile_times = query_alloc(scan->query, selection->profile_count,
						  sizeof(*scan->profile_times), err);
	if (!scan->profile_times)
		return ERR_LIMIT;
	scan->profile_time_count = 0;
	for (size_t i = 0; i < selection->profile_count; i++) {
		uint32_t series;
		uint64_t time_ns;
		if (profile_id_read(&selection->profiles[i], &series, &time_ns) &&
		    series == scan->series)
			scan->profile_times[scan->profile_time_count++] = time_ns;
	}
	qsort(scan->profile_times, scan->profile_time_count, sizeof(*scan->profile_times), by_time);
	return 0;
}

int profile_filter_apply(struct scan *scan, struct err *err)
{
	const int64_t *times;
	size_t kept = 0;
	int rc = scan_column(scan, BLOCK_TIME, &times, err);
	for (size_t i = 0; !rc && i < scan->row_count; i++) {
		uint32_t row = scan->rows[i];
		uint64_t time_ns = scan->block.min_time_ns + (uint64_t)times[row];
		scan->rows[kept] = row;
		kept += bsearch(&time_ns, scan->profile_times, scan->profile_time_count,
				sizeof(time_ns), by_time) != NULL;
	}
	scan->row_count = kept;
	return rc;
}
