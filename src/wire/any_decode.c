/* Arrays and maps are rare in profiles, so they are not a kind of struct value:
 * they become the JSON text that OTLP/JSON users know from "as text" displays,
 * with bytes in base64, and a number that JSON lacks (NaN) as a string. */
#include "wire/any.h"

#include <math.h>

#include "wire/json.h"

enum {
	ANY_STRING = 1,
	ANY_BOOL,
	ANY_INT,
	ANY_DOUBLE,
	ANY_ARRAY,
	ANY_MAP,
	ANY_BYTES,
	ANY_STRING_REF,
};

static double double_of_bits(uint64_t bits)
{
	double real;

	memcpy(&real, &bits, sizeof(real));
	return real;
}

static int malformed(struct err *err, const char *what)
{
	return err_set(err, ERR_INVALID, "%s: cut short or malformed", what);
}

static int put_any(struct decoder *dec, struct str message, uint32_t depth, struct buf *out,
		   struct err *err);

static int put_array(struct decoder *dec, struct str message, uint32_t depth, struct buf *out,
		     struct err *err)
{
	struct cur c = cur_make(message.ptr, message.len);
	struct pb_field field;
	bool first = true;
	int rc = 0;

	buf_char(out, '[');
	while (!rc && pb_next(&c, &field)) {
		if (field.number != 1 || field.type != PB_LEN)
			continue;
		if (!first)
			buf_char(out, ',');
		first = false;
		rc = put_any(dec, field.bytes, depth, out, err);
	}
	buf_char(out, ']');
	return rc ? rc : cur_ok(&c) ? 0 : malformed(err, "array value");
}

static int put_pair(struct decoder *dec, struct str message, uint32_t depth, struct buf *out,
		    struct err *err)
{
	struct cur c = cur_make(message.ptr, message.len);
	struct str key = STR(""), value = STR("");
	struct pb_field field;

	while (pb_next(&c, &field)) {
		if (field.number == 1 && field.type == PB_LEN)
			key = field.bytes;
		else if (field.number == 2 && field.type == PB_LEN)
			value = field.bytes;
		else if (field.number == 3 && field.type == PB_VARINT && key.len == 0)
			key = decoder_string_text(dec, field.value);
	}
	if (!cur_ok(&c))
		return malformed(err, "key value");
	json_put_text(out, key);
	buf_char(out, ':');
	return put_any(dec, value, depth, out, err);
}

static int put_map(struct decoder *dec, struct str message, uint32_t depth, struct buf *out,
		   struct err *err)
{
	struct cur c = cur_make(message.ptr, message.len);
	struct pb_field field;
	bool first = true;
	int rc = 0;

	buf_char(out, '{');
	while (!rc && pb_next(&c, &field)) {
		if (field.number != 1 || field.type != PB_LEN)
			continue;
		if (!first)
			buf_char(out, ',');
		first = false;
		rc = put_pair(dec, field.bytes, depth, out, err);
	}
	buf_char(out, '}');
	return rc ? rc : cur_ok(&c) ? 0 : malformed(err, "map value");
}

static void put_scalar(struct decoder *dec, const struct pb_field *field, struct buf *out)
{
	switch (field->number) {
	case ANY_STRING:
		json_put_text(out, field->bytes);
		break;
	case ANY_STRING_REF:
		json_put_text(out, decoder_string_text(dec, field->value));
		break;
	case ANY_BOOL:
		buf_cstr(out, field->value ? "true" : "false");
		break;
	case ANY_INT:
		buf_printf(out, "%lld", (long long)field->value);
		break;
	case ANY_DOUBLE:
		json_put_double(out, double_of_bits(field->value));
		break;
	case ANY_BYTES:
		json_put_base64(out, field->bytes);
		break;
	default:
		buf_cstr(out, "null");
	}
}

static const enum pb_type any_types[] = {
	[ANY_STRING] = PB_LEN,	   [ANY_BOOL] = PB_VARINT,	 [ANY_INT] = PB_VARINT,
	[ANY_DOUBLE] = PB_FIXED64, [ANY_ARRAY] = PB_LEN,	 [ANY_MAP] = PB_LEN,
	[ANY_BYTES] = PB_LEN,	   [ANY_STRING_REF] = PB_VARINT,
};

/* The member that is set: the last known one, as for every oneof. number 0: none. */
static int any_member(struct str message, struct pb_field *ret, struct err *err)
{
	struct cur c = cur_make(message.ptr, message.len);
	struct pb_field field;

	*ret = (struct pb_field){0};
	while (pb_next(&c, &field)) {
		if (field.number > ANY_STRING_REF)
			continue;
		if (field.type != any_types[field.number])
			return err_set(err, ERR_INVALID, "AnyValue: field %u has wire type %d",
				       field.number, (int)field.type);
		/* A sender may give a text both inline and by reference; inline is nearer. */
		if (field.number != ANY_STRING_REF || ret->number != ANY_STRING)
			*ret = field;
	}
	return cur_ok(&c) ? 0 : malformed(err, "AnyValue");
}

static int put_any(struct decoder *dec, struct str message, uint32_t depth, struct buf *out,
		   struct err *err)
{
	struct pb_field member;
	int rc = any_member(message, &member, err);

	if (rc)
		return rc;
	if (depth >= dec->limits->value_depth)
		return err_set(err, ERR_LIMIT, "AnyValue: nested deeper than %u",
			       dec->limits->value_depth);
	if (member.number == ANY_ARRAY)
		return put_array(dec, member.bytes, depth + 1, out, err);
	if (member.number == ANY_MAP)
		return put_map(dec, member.bytes, depth + 1, out, err);
	put_scalar(dec, &member, out);
	return 0;
}

/* At most as large as the request: text in JSON is at most six times its source (\u0000). */
static int decode_nested(struct decoder *dec, struct str message, struct value *ret,
			 struct err *err)
{
	struct buf out;
	int rc;

	buf_init(&out, dec->limits->message_bytes);
	rc = put_any(dec, message, 0, &out, err);
	rc = rc ? rc : buf_check(&out, "attribute value", err);
	ret->kind = VALUE_OTHER;
	ret->text = rc ? (struct str){NULL, 0} : decoder_text(dec->arena, buf_text(&out));
	buf_deinit(&out);
	return rc ? rc : ret->text.ptr ? 0 : decoder_no_memory(err);
}

static int set_text(struct decoder *dec, enum value_kind kind, struct str text, struct value *ret,
		    struct err *err)
{
	ret->kind = kind;
	ret->text =
		kind == VALUE_BYTES ? arena_str(dec->arena, text) : decoder_text(dec->arena, text);
	return ret->text.ptr ? 0 : decoder_no_memory(err);
}

int any_decode(struct decoder *dec, struct str message, struct value *ret, struct err *err)
{
	struct pb_field member;
	int rc = any_member(message, &member, err);

	*ret = (struct value){.kind = VALUE_NONE};
	if (rc)
		return rc;
	switch (member.number) {
	case ANY_STRING:
		return set_text(dec, VALUE_STRING, member.bytes, ret, err);
	case ANY_STRING_REF:
		ret->kind = VALUE_STRING;
		ret->text = decoder_string_text(dec, member.value);
		return 0;
	case ANY_BYTES:
		return set_text(dec, VALUE_BYTES, member.bytes, ret, err);
	case ANY_ARRAY:
	case ANY_MAP:
		return decode_nested(dec, message, ret, err);
	case ANY_BOOL:
		*ret = (struct value){.kind = VALUE_BOOL, .number = member.value != 0};
		return 0;
	case ANY_INT:
		*ret = (struct value){.kind = VALUE_INT, .number = (int64_t)member.value};
		return 0;
	case ANY_DOUBLE:
		*ret = (struct value){.kind = VALUE_DOUBLE, .real = double_of_bits(member.value)};
		return 0;
	default:
		return 0;
	}
}

int any_decode_pair(struct decoder *dec, struct str message, struct key_value *ret, struct err *err)
{
	struct cur c = cur_make(message.ptr, message.len);
	struct str key = STR(""), value = STR("");
	struct pb_field field;
	uint64_t reference = 0;

	while (pb_next(&c, &field)) {
		if (field.number == 1 && field.type == PB_LEN)
			key = field.bytes;
		else if (field.number == 2 && field.type == PB_LEN)
			value = field.bytes;
		else if (field.number == 3 && field.type == PB_VARINT)
			reference = field.value;
	}
	if (!cur_ok(&c))
		return malformed(err, "KeyValue");
	ret->key = key.len ? decoder_text(dec->arena, key) : decoder_string_text(dec, reference);
	if (!ret->key.ptr)
		return decoder_no_memory(err);
	return any_decode(dec, value, &ret->value, err);
}
