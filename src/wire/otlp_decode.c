#include "wire/old.h"
#include "wire/otlp.h"

int otlp_wrong_type(const struct pb_field *field, const char *what, struct err *err)
{
	return err_set(err, ERR_INVALID,
		       "%s: field %u has wire type %d, which no known layout of OTLP profiles has",
		       what, field->number, (int)field->type);
}

int otlp_malformed(const char *what, struct err *err)
{
	return err_set(err, ERR_INVALID, "%s: cut short or malformed", what);
}

uint32_t otlp_count_fields(struct str message, uint32_t number)
{
	struct cur c = cur_make(message.ptr, message.len);
	struct pb_field field;
	uint32_t count = 0;

	while (pb_next(&c, &field))
		count += field.number == number;
	return count;
}

/* Room for more elements: exactly those when the list is new, as it is for every sender that packs. */
static uint32_t *reserve_indices(struct decoder *dec, struct index_list *list, uint32_t more)
{
	uint32_t *grown;

	if (!list->items) {
		list->cap = more;
		grown = arena_alloc(dec->arena, more * sizeof(*grown));
	} else {
		grown = arena_grow(dec->arena, list->items, &list->cap, list->count + (size_t)more,
				   sizeof(*grown));
	}
	if (grown)
		list->items = grown;
	return grown;
}

int otlp_indices(struct decoder *dec, const struct pb_field *field, const char *what,
		 struct index_list *list, struct err *err)
{
	struct cur c = pb_message(field);
	uint32_t more = field->type == PB_LEN ? pb_packed_count(field->bytes) : 1;

	if (field->type != PB_LEN && field->type != PB_VARINT)
		return otlp_wrong_type(field, what, err);
	if (!reserve_indices(dec, list, more))
		return decoder_no_memory(err);
	if (field->type == PB_VARINT) {
		list->items[list->count++] = decoder_index(field->value);
		return 0;
	}
	while (more-- > 0)
		list->items[list->count++] = decoder_index(pb_varint(&c));
	return cur_ok(&c) && cur_left(&c) == 0 ? 0 : otlp_malformed(what, err);
}

static int decode(struct decoder *dec, struct str bytes, struct err *err)
{
	const struct roles *roles;
	int rc;

	dec->report->layout = wire_otlp_recognise(bytes);
	dec->old = old_layout_of(dec->report->layout);
	roles = roles_of(dec->report->layout);
	rc = dec->old ? otlp_old_tables(dec, bytes, err) : otlp_dict_decode(dec, bytes, err);
	return rc ? rc : otlp_resources_decode(dec, bytes, roles, err);
}

int wire_otlp_decode(struct str bytes, struct arena *arena, const struct wire_limits *limits,
		     struct profile_batch **ret, struct wire_report *report, struct err *err)
{
	struct decoder dec;
	int rc = decoder_init(&dec, arena, limits, report, err);

	if (!rc && bytes.len > limits->message_bytes)
		rc = err_set(err, ERR_LIMIT, "profiles request of %zu bytes, the limit is %zu",
			     bytes.len, limits->message_bytes);
	rc = rc ? rc : decode(&dec, bytes, err);
	return rc ? rc : decoder_finish(&dec, ret, err);
}
