/* Protobuf of the layouts up to 1.7: follows the tables of old_fields.c. */
#include "wire/old.h"
#include "wire/otlp.h"

/* One field to be read, and where to. */
struct place {
	struct decoder *dec;
	const struct pb_field *field;
	const struct old_field *rule;
	const struct old_message *message;
	struct str within; /* the message that the field is in */
	void *at;
};

static const enum pb_type wire_types[] = {
	[OLD_NUMBER] = PB_VARINT,  [OLD_BOOL] = PB_VARINT,   [OLD_ENUM] = PB_VARINT,
	[OLD_PRESENT] = PB_VARINT, [OLD_FIXED] = PB_FIXED64, [OLD_INDICES] = PB_LEN,
	[OLD_NUMBERS] = PB_LEN,	   [OLD_SIGNED] = PB_LEN,    [OLD_TEXT] = PB_LEN,
	[OLD_BYTES] = PB_LEN,	   [OLD_ID8] = PB_LEN,	     [OLD_ID16] = PB_LEN,
	[OLD_STRINGS] = PB_LEN,	   [OLD_PAIRS] = PB_LEN,     [OLD_ROW] = PB_LEN,
	[OLD_ROWS] = PB_LEN,	   [OLD_LATER] = PB_LEN,
};

/* Lists of numbers are packed by all known writers; a reader takes them unpacked as well. */
static bool right_type(const struct pb_field *field, enum old_kind kind)
{
	bool list = kind == OLD_INDICES || kind == OLD_NUMBERS || kind == OLD_SIGNED;

	return field->type == wire_types[kind] || (list && field->type == PB_VARINT);
}

static int read_message(struct decoder *dec, struct str bytes, const struct old_message *message,
			void *row, struct err *err);

static int read_numbers(const struct place *p, struct err *err)
{
	struct old_numbers *list = p->at;
	struct cur c = pb_message(p->field);
	uint32_t more = p->field->type == PB_LEN ? pb_packed_count(p->field->bytes) : 1;
	uint64_t *grown = old_grow(p->dec, list->items, &list->cap, list->count + (size_t)more,
				   sizeof(*grown));

	if (!grown)
		return decoder_no_memory(err);
	list->items = grown;
	if (p->field->type == PB_VARINT) {
		grown[list->count++] = p->field->value;
		return 0;
	}
	while (more-- > 0)
		grown[list->count++] = pb_varint(&c);
	return cur_ok(&c) && cur_left(&c) == 0 ? 0 : otlp_malformed(p->message->what, err);
}

static int read_text(const struct place *p, struct err *err)
{
	struct str *text = p->at;

	*text = p->rule->kind == OLD_TEXT ? decoder_text(p->dec->arena, p->field->bytes)
					  : arena_str(p->dec->arena, p->field->bytes);
	return text->ptr ? 0 : decoder_no_memory(err);
}

static void read_id(const struct place *p, size_t len)
{
	if (p->field->bytes.len == len)
		memcpy(p->at, p->field->bytes.ptr, len);
}

static int add_row(const struct place *p, size_t row_bytes, void **ret, struct err *err)
{
	struct old_rows *rows = p->at;
	uint32_t more =
		rows->count < rows->cap ? 0 : otlp_count_fields(p->within, p->field->number);

	return old_rows_add(p->dec, rows, more, row_bytes, p->message->what, ret, err);
}

static int read_string(const struct place *p, struct err *err)
{
	void *view;
	int rc = add_row(p, sizeof(struct str), &view, err);

	if (!rc)
		*(struct str *)view = p->field->bytes;
	return rc;
}

static int read_pair(const struct place *p, struct err *err)
{
	void *pair;
	int rc = add_row(p, sizeof(struct key_value), &pair, err);

	return rc ? rc : any_decode_pair(p->dec, p->field->bytes, pair, err);
}

static int read_row(const struct place *p, struct err *err)
{
	void *row;
	int rc = add_row(p, p->rule->inner->row_bytes, &row, err);

	return rc ? rc : read_message(p->dec, p->field->bytes, p->rule->inner, row, err);
}

/* All that are in this message. No writer splits a message in two, which protobuf would allow. */
static int note_later(const struct place *p, struct err *err)
{
	struct old_later *later = p->at;

	if (later->where && later->where != p->within.ptr)
		return err_set(err, ERR_INVALID, "%s: comes in two parts", p->message->what);
	later->where = p->within.ptr;
	later->size = p->within.len;
	later->count++;
	return 0;
}

static int read_field(const struct place *p, struct err *err)
{
	switch ((enum old_kind)p->rule->kind) {
	case OLD_NONE:
		break;
	case OLD_NUMBER:
	case OLD_BOOL:
	case OLD_ENUM:
	case OLD_FIXED:
		*(uint64_t *)p->at = p->field->value;
		break;
	case OLD_PRESENT:
		*(struct old_optional *)p->at = (struct old_optional){p->field->value, true};
		break;
	case OLD_INDICES:
		return otlp_indices(p->dec, p->field, p->message->what, p->at, err);
	case OLD_NUMBERS:
	case OLD_SIGNED:
		return read_numbers(p, err);
	case OLD_TEXT:
	case OLD_BYTES:
		return read_text(p, err);
	case OLD_ID8:
		read_id(p, 8);
		break;
	case OLD_ID16:
		read_id(p, 16);
		break;
	case OLD_STRINGS:
		return read_string(p, err);
	case OLD_PAIRS:
		return read_pair(p, err);
	case OLD_ROWS:
		return read_row(p, err);
	case OLD_ROW:
		return read_message(p->dec, p->field->bytes, p->rule->inner, p->at, err);
	case OLD_LATER:
		return note_later(p, err);
	}
	return 0;
}

/* Depth is that of the tables. */
static int read_message(struct decoder *dec, struct str bytes, const struct old_message *message,
			void *row, struct err *err)
{
	struct cur c = cur_make(bytes.ptr, bytes.len);
	struct pb_field field;
	int rc = 0;

	while (!rc && pb_next(&c, &field)) {
		if (field.number >= message->count)
			continue;
		const struct old_field *rule = &message->fields[field.number];
		if (rule->kind == OLD_NONE)
			continue;
		if (!right_type(&field, (enum old_kind)rule->kind))
			return otlp_wrong_type(&field, message->what, err);
		struct place place = {dec,     &field, rule,
				      message, bytes,  (char *)row + rule->offset};
		rc = read_field(&place, err);
	}
	return rc ? rc : cur_ok(&c) ? 0 : otlp_malformed(message->what, err);
}

int otlp_old_tables(struct decoder *dec, struct str request, struct err *err)
{
	struct old_tables *tables = arena_zalloc(dec->arena, 1, sizeof(*tables));
	struct old_dict raw = {0};
	int rc;

	if (!dec->old->request)
		return 0;
	if (!tables)
		return decoder_no_memory(err);
	rc = read_message(dec, request, dec->old->request, &raw, err);
	rc = rc ? rc : old_tables_make(dec, &raw, dec->old->first_mapping, tables, err);
	dec->old_tables = tables;
	return rc;
}

static int each_sample(void *user, const struct old_later *samples, old_sample_fn *fn,
		       struct old_job *job, struct err *err)
{
	enum { SAMPLE_NUMBER = 2 }; /* in each of them */
	struct decoder *dec = user;
	struct cur c = cur_make(samples->where, samples->size);
	struct pb_field field;
	int rc = 0;

	while (!rc && pb_next(&c, &field)) {
		struct old_sample sample = {0};
		if (field.number != SAMPLE_NUMBER)
			continue;
		rc = read_message(dec, field.bytes, dec->old->sample, &sample, err);
		rc = rc ? rc : fn(job, &sample, err);
	}
	return rc;
}

int otlp_old_profile(struct decoder *dec, struct str bytes, struct profile_scope *scope,
		     struct err *err)
{
	struct old_profile raw = {0};
	int rc = read_message(dec, bytes, dec->old->profile, &raw, err);

	return rc ? rc : old_profile_add(dec, scope, &raw, each_sample, dec, err);
}
