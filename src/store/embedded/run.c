#include "store/embedded/run.h"

#include "base/cursor.h"
#include "store/embedded/column.h"
#include "store/embedded/varint.h"

static void put_head(struct buf *out, size_t count)
{
	buf_char(out, RUN_VERSION);
	uleb_append(out, count);
}

static void put_column(struct buf *out, const int64_t *values, size_t count)
{
	struct buf column = {0};
	column_encode(&column, values, count);
	if (column.failed)
		out->failed = column.failed;
	uleb_append(out, column.len);
	buf_append(out, column.ptr, column.len);
	buf_deinit(&column);
}

/* Parents as the distance back: a path laid down at once is a column of ones. */
void run_put_nodes(struct buf *out, const struct node_row *rows, size_t count, uint32_t first_id)
{
	int64_t values[NODES_PER_PAGE];
	put_head(out, count);
	for (size_t i = 0; i < count; i++)
		values[i] = (int64_t)first_id + (int64_t)i - (int64_t)rows[i].parent;
	put_column(out, values, count);
	for (size_t i = 0; i < count; i++)
		values[i] = rows[i].frame;
	put_column(out, values, count);
}

void run_put_frames(struct buf *out, const struct frame_row *rows, size_t count)
{
	int64_t values[FRAMES_PER_PAGE];
	put_head(out, count);
	for (unsigned s = 0; s < FRAME_STRINGS; s++) {
		for (size_t i = 0; i < count; i++)
			values[i] = rows[i].strings[s];
		put_column(out, values, count);
	}
	for (size_t i = 0; i < count; i++)
		values[i] = (int64_t)rows[i].address;
	put_column(out, values, count);
	for (size_t i = 0; i < count; i++)
		values[i] = rows[i].line;
	put_column(out, values, count);
	for (size_t i = 0; i < count; i++)
		values[i] = rows[i].start_line;
	put_column(out, values, count);
}

void run_put_strings(struct buf *out, const struct str *rows, size_t count)
{
	int64_t values[STRINGS_PER_PAGE];
	put_head(out, count);
	for (size_t i = 0; i < count; i++)
		values[i] = (int64_t)rows[i].len;
	put_column(out, values, count);
	for (size_t i = 0; i < count; i++)
		buf_append(out, rows[i].ptr, rows[i].len);
}

/* ---- decoding ---- */

static int corrupt(struct err *err)
{
	return err_set(err, ERR_CORRUPT, "dictionary run: malformed");
}

static int get_head(struct cur *in, size_t max, size_t *ret_count, struct err *err)
{
	uint8_t version = cur_u8(in);
	uint64_t count = cur_uleb(in);
	if (cur_ok(in) && version != RUN_VERSION)
		return err_set(err, ERR_UNSUPPORTED, "dictionary run: version %u is not %d",
			       version, RUN_VERSION);
	if (!cur_ok(in) || count == 0 || count > max)
		return corrupt(err);
	*ret_count = (size_t)count;
	return 0;
}

/* Sticky, as the cursor. */
static void get_column(struct cur *in, int64_t *values, size_t count)
{
	struct str bytes = cur_bytes(in, (size_t)cur_uleb(in));
	if (in->bad || !column_decode(bytes, count, values))
		in->bad = true;
}

static void need_range(struct cur *in, const int64_t *values, size_t count, int64_t max)
{
	for (size_t i = 0; i < count && !in->bad; i++)
		in->bad = values[i] < 0 || values[i] > max;
}

int run_get_nodes(struct str bytes, uint32_t first_id, struct node_row *ret, size_t max,
		  size_t *ret_count, struct err *err)
{
	int64_t values[NODES_PER_PAGE];
	struct cur in = cur_make(bytes.ptr, bytes.len);
	size_t count = 0;
	int rc = get_head(&in, max < NODES_PER_PAGE ? max : NODES_PER_PAGE, &count, err);
	if (rc)
		return rc;
	get_column(&in, values, count);
	for (size_t i = 0; i < count && !in.bad; i++) {
		int64_t id = (int64_t)first_id + (int64_t)i;
		/* A parent is always older than its child: what makes every walk end. */
		if (values[i] < 1)
			return err_set(err, ERR_CORRUPT,
				       "dictionary run: the parent of node %lld is not older than "
				       "it",
				       (long long)id);
		in.bad = values[i] > id || id > UINT32_MAX;
		ret[i].parent = in.bad ? 0 : (uint32_t)(id - values[i]);
	}
	get_column(&in, values, count);
	need_range(&in, values, count, UINT32_MAX);
	for (size_t i = 0; i < count && !in.bad; i++)
		ret[i].frame = (uint32_t)values[i];
	if (in.bad || cur_left(&in))
		return corrupt(err);
	*ret_count = count;
	return 0;
}

int run_get_frames(struct str bytes, struct frame_row *ret, size_t max, size_t *ret_count,
		   struct err *err)
{
	int64_t values[FRAMES_PER_PAGE];
	struct cur in = cur_make(bytes.ptr, bytes.len);
	size_t count = 0;
	int rc = get_head(&in, max < FRAMES_PER_PAGE ? max : FRAMES_PER_PAGE, &count, err);
	if (rc)
		return rc;
	for (unsigned s = 0; s < FRAME_STRINGS && !in.bad; s++) {
		get_column(&in, values, count);
		need_range(&in, values, count, UINT32_MAX);
		for (size_t i = 0; i < count && !in.bad; i++)
			ret[i].strings[s] = (uint32_t)values[i];
	}
	get_column(&in, values, count);
	for (size_t i = 0; i < count && !in.bad; i++)
		ret[i].address = (uint64_t)values[i];
	get_column(&in, values, count);
	for (size_t i = 0; i < count && !in.bad; i++)
		ret[i].line = values[i];
	get_column(&in, values, count);
	for (size_t i = 0; i < count && !in.bad; i++)
		ret[i].start_line = values[i];
	if (in.bad || cur_left(&in))
		return corrupt(err);
	*ret_count = count;
	return 0;
}

int run_get_strings(struct str bytes, struct str *ret, size_t max, size_t *ret_count,
		    struct err *err)
{
	int64_t lengths[STRINGS_PER_PAGE];
	struct cur in = cur_make(bytes.ptr, bytes.len);
	size_t count = 0;
	int rc = get_head(&in, max < STRINGS_PER_PAGE ? max : STRINGS_PER_PAGE, &count, err);
	if (rc)
		return rc;
	get_column(&in, lengths, count);
	for (size_t i = 0; i < count && !in.bad; i++) {
		in.bad = lengths[i] < 0 || (uint64_t)lengths[i] > cur_left(&in);
		if (!in.bad)
			ret[i] = cur_bytes(&in, (size_t)lengths[i]);
	}
	if (in.bad || cur_left(&in))
		return corrupt(err);
	*ret_count = count;
	return 0;
}
