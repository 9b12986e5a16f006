#include "store/embedded/symbols_run.h"

#include "base/cursor.h"
#include "store/embedded/column.h"
#include "store/embedded/varint.h"

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

enum text { TEXT_NAME, TEXT_SYSTEM_NAME, TEXT_FILENAME, TEXTS };

static struct str *text_of(struct symbol_range *range, enum text which)
{
	struct str *const texts[TEXTS] = {
		[TEXT_NAME] = &range->name,
		[TEXT_SYSTEM_NAME] = &range->system_name,
		[TEXT_FILENAME] = &range->filename,
	};
	return texts[which];
}

static void put_texts(struct buf *out, const struct symbol_range *ranges, size_t count,
		      enum text which)
{
	int64_t lengths[SYMBOLS_PER_RUN] = {0};
	for (size_t i = 0; i < count; i++) {
		struct symbol_range range = ranges[i];
		lengths[i] = (int64_t)text_of(&range, which)->len;
	}
	put_column(out, lengths, count);
	for (size_t i = 0; i < count; i++) {
		struct symbol_range range = ranges[i];
		buf_str(out, *text_of(&range, which));
	}
}

/* Functions of a file lie close together: gaps and sizes are small numbers, many gaps are 0. */
void symbols_run_put(struct buf *out, const struct symbol_range *ranges, size_t count)
{
	int64_t values[SYMBOLS_PER_RUN];
	buf_char(out, SYMBOLS_VERSION);
	uleb_append(out, count);
	for (size_t i = 0; i < count; i++)
		values[i] = i ? (int64_t)(ranges[i].start - ranges[i - 1].end) : 0;
	put_column(out, values, count);
	for (size_t i = 0; i < count; i++)
		values[i] = (int64_t)(ranges[i].end - ranges[i].start);
	put_column(out, values, count);
	put_texts(out, ranges, count, TEXT_NAME);
	put_texts(out, ranges, count, TEXT_SYSTEM_NAME);
	put_texts(out, ranges, count, TEXT_FILENAME);
}

/* ---- decoding ---- */

static int check_version(const struct cur *in, uint8_t version, const char *what, struct err *err)
{
	if (cur_ok(in) && version != SYMBOLS_VERSION)
		return err_set(err, ERR_UNSUPPORTED, "%s: version %u is not %d", what, version,
			       SYMBOLS_VERSION);
	return 0;
}

/* Sticky, as the cursor. */
static void get_column(struct cur *in, int64_t *values, size_t count)
{
	struct str bytes = cur_bytes(in, (size_t)cur_uleb(in));
	if (in->bad || !column_decode(bytes, count, values))
		in->bad = true;
}

/* The first begins where the key says, the others a gap behind the end of the one before. */
static void get_ranges(struct cur *in, uint64_t start, struct symbol_range *ret, size_t count)
{
	int64_t gaps[SYMBOLS_PER_RUN], sizes[SYMBOLS_PER_RUN];
	get_column(in, gaps, count);
	if (!in->bad)
		get_column(in, sizes, count);
	for (size_t i = 0; i < count && !in->bad; i++) {
		uint64_t from, to;
		in->bad = __builtin_add_overflow(i ? ret[i - 1].end : start, (uint64_t)gaps[i],
						 &from) ||
			  __builtin_add_overflow(from, (uint64_t)sizes[i], &to) || from >= to ||
			  (i == 0 && gaps[0]);
		if (!in->bad)
			ret[i] = (struct symbol_range){.start = from, .end = to};
	}
}

static void get_texts(struct cur *in, struct symbol_range *ret, size_t count, enum text which)
{
	int64_t lengths[SYMBOLS_PER_RUN];
	get_column(in, lengths, count);
	for (size_t i = 0; i < count && !in->bad; i++) {
		in->bad = lengths[i] < 0 || (uint64_t)lengths[i] > cur_left(in);
		if (!in->bad)
			*text_of(&ret[i], which) = cur_bytes(in, (size_t)lengths[i]);
	}
}

int symbols_run_get(struct str bytes, uint64_t start, struct symbol_range *ret, size_t *ret_count,
		    struct err *err)
{
	struct cur in = cur_make(bytes.ptr, bytes.len);
	uint8_t version = cur_u8(&in);
	uint64_t count = cur_uleb(&in);
	int rc = check_version(&in, version, "run of symbols", err);
	if (rc)
		return rc;
	if (count == 0 || count > SYMBOLS_PER_RUN)
		in.bad = true;
	if (!in.bad)
		get_ranges(&in, start, ret, (size_t)count);
	for (unsigned which = 0; which < TEXTS && !in.bad; which++)
		get_texts(&in, ret, (size_t)count, (enum text)which);
	for (size_t i = 0; i < count && !in.bad; i++)
		in.bad = ret[i].name.len == 0;
	if (in.bad || cur_left(&in))
		return err_set(err, ERR_CORRUPT, "run of symbols: malformed");
	*ret_count = (size_t)count;
	return 0;
}

const struct symbol_range *symbols_run_find(const struct symbol_range *ranges, size_t count,
					    uint64_t address)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (ranges[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && ranges[low].start <= address ? &ranges[low] : NULL;
}

/* ---- the record ---- */

static void put_text(struct buf *out, struct str text)
{
	uleb_append(out, text.len);
	buf_str(out, text);
}

static struct str get_text(struct cur *in)
{
	return cur_bytes(in, (size_t)cur_uleb(in));
}

void symbols_record_put(struct buf *out, const struct store_symbols *record)
{
	buf_char(out, SYMBOLS_VERSION);
	put_text(out, record->build_id);
	put_text(out, record->source);
	uleb_append(out, record->time_ns);
	uleb_append(out, record->functions);
	uleb_append(out, record->size_bytes);
}

int symbols_record_get(struct str bytes, struct store_symbols *ret, struct err *err)
{
	struct cur in = cur_make(bytes.ptr, bytes.len);
	uint8_t version = cur_u8(&in);
	int rc = check_version(&in, version, "record of symbols", err);
	if (rc)
		return rc;
	ret->build_id = get_text(&in);
	ret->source = get_text(&in);
	ret->time_ns = cur_uleb(&in);
	ret->functions = cur_uleb(&in);
	ret->size_bytes = cur_uleb(&in);
	return cur_check(&in, "record of symbols", err);
}
