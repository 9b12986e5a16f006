/* Rows refer to each other by id or index and may come in any order, so the
 * message is walked once for each kind of row, those that are referred to first. */
#include "wire/pprof.h"

#include "base/zip.h"
#include "wire/pprof_read.h"

int pprof_malformed(const char *what, struct err *err)
{
	return err_set(err, ERR_INVALID, "pprof: malformed %s", what);
}

int pprof_each(struct pprof_reader *r, enum pprof_field number, pprof_row_fn *fn, struct err *err)
{
	struct cur c = cur_make(r->bytes.ptr, r->bytes.len);
	struct pb_field field;
	int rc = 0;

	while (!rc && pb_next(&c, &field))
		if (field.number == (uint32_t)number)
			rc = fn(r, field.bytes, err);
	return rc;
}

int pprof_string(const struct pprof_reader *r, uint64_t index, uint32_t *ret, struct err *err)
{
	if (index >= r->string_count) {
		if (index == 0) { /* no table at all: nothing has a name */
			*ret = 0;
			return 0;
		}
		return err_set(err, ERR_INVALID, "pprof: string %llu is outside the table of %zu",
			       (unsigned long long)index, r->string_count);
	}
	*ret = r->strings[index];
	return 0;
}

struct str pprof_text(const struct pprof_reader *r, uint64_t index)
{
	return index < r->string_count ? profile_str(&r->sink->batch->dict, r->strings[index])
				       : STR("");
}

int pprof_value_type(const struct pprof_reader *r, struct str bytes, struct value_type *ret,
		     struct err *err)
{
	struct cur c = cur_make(bytes.ptr, bytes.len);
	struct pb_field field;
	int rc = 0;

	*ret = (struct value_type){0};
	while (!rc && pb_next(&c, &field)) {
		if (field.number == 1)
			rc = pprof_string(r, field.value, &ret->type, err);
		else if (field.number == 2)
			rc = pprof_string(r, field.value, &ret->unit, err);
	}
	return rc ? rc : cur_ok(&c) ? 0 : pprof_malformed("ValueType", err);
}

/* ---- the message itself ---- */

static bool is_message(uint32_t number)
{
	return (number >= PPROF_SAMPLE_TYPE && number <= PPROF_STRING) ||
	       number == PPROF_PERIOD_TYPE;
}

static int count_fields(struct pprof_reader *r, struct err *err)
{
	struct cur c = cur_make(r->bytes.ptr, r->bytes.len);
	struct pb_field field;

	while (pb_next(&c, &field)) {
		bool whole = field.type == PB_LEN || field.type == PB_VARINT;
		if (field.number >= PPROF_FIELDS)
			continue;
		if (!whole || (is_message(field.number) && field.type != PB_LEN))
			return err_set(err, ERR_INVALID,
				       "pprof: field %u has wire type %d: not a profile",
				       field.number, (int)field.type);
		r->counts[field.number]++;
	}
	return cur_ok(&c) ? 0 : pprof_malformed("Profile", err);
}

/* Not set, or microseconds by mistake: 1970 is no time of a profile. */
static uint64_t sane_time(uint64_t time_ns)
{
	const uint64_t year_ns = UINT64_C(365) * 24 * 3600 * 1000000000;

	return (int64_t)time_ns < (int64_t)year_ns ? 0 : time_ns;
}

static int read_comments(struct pprof_reader *r, struct wire_pprof_about *about, struct err *err)
{
	struct cur c = cur_make(r->bytes.ptr, r->bytes.len);
	struct str *comments = NULL;
	size_t count = 0, cap = 0;
	struct pb_field field;

	while (pb_next(&c, &field)) {
		struct cur packed = pb_message(&field);
		if (field.number != PPROF_COMMENT)
			continue;
		do {
			uint64_t index = field.type == PB_LEN ? pb_varint(&packed) : field.value;
			comments =
				arena_grow(r->arena, comments, &cap, count + 1, sizeof(*comments));
			if (!comments)
				return intake_no_memory(err);
			comments[count++] = pprof_text(r, index);
		} while (field.type == PB_LEN && cur_left(&packed) > 0);
	}
	about->comments = comments;
	about->comment_count = count;
	return 0;
}

static int read_head_field(struct pprof_reader *r, const struct pb_field *field,
			   struct wire_pprof_about *about, struct err *err)
{
	switch (field->number) {
	case PPROF_TIME:
		r->head.time_ns = sane_time(field->value);
		break;
	case PPROF_DURATION:
		r->head.duration_ns = (int64_t)field->value > 0 ? field->value : 0;
		break;
	case PPROF_PERIOD:
		r->head.period = (int64_t)field->value;
		break;
	case PPROF_PERIOD_TYPE:
		return pprof_value_type(r, field->bytes, &r->head.period_type, err);
	case PPROF_DROP_FRAMES:
		about->drop_frames = pprof_text(r, field->value);
		break;
	case PPROF_KEEP_FRAMES:
		about->keep_frames = pprof_text(r, field->value);
		break;
	case PPROF_DEFAULT_TYPE:
		about->default_sample_type = pprof_text(r, field->value);
		break;
	default:
		break;
	}
	return 0;
}

static int read_head(struct pprof_reader *r, struct wire_pprof_about *about, struct err *err)
{
	struct cur c = cur_make(r->bytes.ptr, r->bytes.len);
	struct pb_field field;
	int rc = 0;

	while (!rc && pb_next(&c, &field))
		rc = read_head_field(r, &field, about, err);
	return rc ? rc : read_comments(r, about, err);
}

static int add_type(struct pprof_reader *r, struct str row, struct err *err)
{
	return pprof_value_type(r, row, &r->types[r->type_count++], err);
}

static int read_types(struct pprof_reader *r, struct err *err)
{
	size_t count = r->counts[PPROF_SAMPLE_TYPE];

	if (count == 0)
		return err_set(err, ERR_INVALID, "pprof: the profile has no sample_type");
	r->types = arena_zalloc(r->arena, count, sizeof(*r->types));
	if (!r->types)
		return intake_no_memory(err);
	return pprof_each(r, PPROF_SAMPLE_TYPE, add_type, err);
}

static int read_profile(struct pprof_reader *r, struct profile_scope *scope,
			struct wire_pprof_about *about, struct err *err)
{
	int rc = count_fields(r, err);

	about->samples = r->counts[PPROF_SAMPLE];
	rc = rc ? rc : pprof_dict(r, err);
	rc = rc ? rc : read_head(r, about, err);
	rc = rc ? rc : read_types(r, err);
	return rc ? rc : pprof_samples(r, scope, err);
}

/* All profiles of a request share its limit, or a few bytes each would ask for the whole of it each time.
 * How far a broken one got is not known: what profiles usually unpack to, and more. */
static int unpack(struct str packed, struct wire_sink *sink, struct buf *ret, struct err *err)
{
	enum { BROKEN_RATIO = 32 };
	size_t limit = sink->limits->message_bytes;
	size_t left = limit > sink->unpacked_bytes ? limit - sink->unpacked_bytes : 0;
	int rc = zip_gunzip(packed, left, ret, err);
	size_t bytes = rc ? packed.len * BROKEN_RATIO : ret->len;

	sink->unpacked_bytes += bytes < left ? bytes : left;
	return rc;
}

int wire_pprof_decode(struct str bytes, struct wire_sink *sink, struct profile_scope *scope,
		      struct wire_pprof_about *about, struct err *err)
{
	bool packed = str_starts_with(bytes, STR("\x1f\x8b"));
	struct pprof_reader reader = {.sink = sink, .arena = sink->batch->arena, .bytes = bytes};
	struct buf plain;
	int rc = 0;

	*about = (struct wire_pprof_about){STR(""), STR(""), STR(""), NULL, 0, 0};
	buf_init(&plain, 0);
	if (packed)
		rc = unpack(bytes, sink, &plain, err);
	if (packed)
		reader.bytes = buf_text(&plain);
	if (!rc && reader.bytes.len == 0)
		rc = err_set(err, ERR_INVALID, "pprof: no bytes");
	rc = rc ? rc : read_profile(&reader, scope, about, err);
	pprof_dict_deinit(&reader);
	buf_deinit(&plain);
	return rc;
}
