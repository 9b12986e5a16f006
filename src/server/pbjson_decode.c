/* JSON to messages. jansson reads the text (it bounds nesting itself); the walk
 * over its values has a bound of its own, as messages may be recursive. */
#include "server/pbjson.h"

#include <assert.h>
#include <jansson.h>
#include <math.h>

#include "base/base64.h"
#include "base/json_bytes.h"

/* Requests are small: a question with a hundred thousand selectors is below this. */
enum { TREE_MAX_BYTES = 32 * 1024 * 1024 };

struct decode {
	struct arena *arena;
	struct err *err;
};

static int fail(const struct decode *d, const ProtobufCFieldDescriptor *field, const char *expected)
{
	return err_set(d->err, ERR_INVALID, "field \"%s\": expected %s", field->name, expected);
}

static int no_memory(const struct decode *d)
{
	return err_set(d->err, ERR_NOMEM, "no memory for the message");
}

void pbjson_name(const char *name, char *ret, size_t cap)
{
	size_t len = 0;
	bool capital = false;
	for (; *name && len + 1 < cap; name++) {
		if (*name == '_') {
			capital = true;
			continue;
		}
		bool lower = *name >= 'a' && *name <= 'z';
		ret[len++] = capital && lower ? (char)(*name - 'a' + 'A') : *name;
		capital = false;
	}
	ret[len] = '\0';
}

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *type,
						  const char *name)
{
	for (unsigned i = 0; i < type->n_fields; i++) {
		char camel[128];
		pbjson_name(type->fields[i].name, camel, sizeof(camel));
		if (strcmp(camel, name) == 0 || strcmp(type->fields[i].name, name) == 0)
			return &type->fields[i];
	}
	return NULL;
}

/* ---- scalars ---- */

/* A whole number from 1, 1.0, 1e3 or "1". */
static bool to_i64(const json_t *json, int64_t *ret)
{
	if (json_is_integer(json)) {
		*ret = json_integer_value(json);
		return true;
	}
	if (json_is_string(json))
		return str_to_i64(str_make(json_string_value(json), json_string_length(json)), ret);
	if (!json_is_real(json))
		return false;
	double real = json_real_value(json);
	if (!(fabs(real) < 9.2e18) || real != floor(real))
		return false;
	*ret = (int64_t)real;
	return true;
}

static bool to_u64(const json_t *json, uint64_t *ret)
{
	int64_t number;
	if (json_is_string(json))
		return str_to_u64(str_make(json_string_value(json), json_string_length(json)), ret);
	if (!to_i64(json, &number) || number < 0)
		return false;
	*ret = (uint64_t)number;
	return true;
}

static bool to_double(const json_t *json, double *ret)
{
	if (json_is_number(json)) {
		*ret = json_number_value(json);
		return true;
	}
	if (!json_is_string(json))
		return false;
	const char *text = json_string_value(json);
	if (strcmp(text, "NaN") == 0)
		*ret = NAN;
	else if (strcmp(text, "Infinity") == 0)
		*ret = INFINITY;
	else if (strcmp(text, "-Infinity") == 0)
		*ret = -INFINITY;
	else
		return str_to_double(str_of(text), ret);
	return true;
}

static int take_signed(const struct decode *d, const ProtobufCFieldDescriptor *field,
		       const json_t *json, void *slot)
{
	int64_t number;
	bool wide = pbmsg_element_bytes(field->type) == sizeof(int64_t);
	if (!to_i64(json, &number))
		return fail(d, field, "a whole number");
	if (!wide && (number < INT32_MIN || number > INT32_MAX))
		return fail(d, field, "a number of 32 bits");
	if (wide)
		*(int64_t *)slot = number;
	else
		*(int32_t *)slot = (int32_t)number;
	return 0;
}

static int take_unsigned(const struct decode *d, const ProtobufCFieldDescriptor *field,
			 const json_t *json, void *slot)
{
	uint64_t number;
	bool wide = pbmsg_element_bytes(field->type) == sizeof(uint64_t);
	if (!to_u64(json, &number))
		return fail(d, field, "a whole number that is not negative");
	if (!wide && number > UINT32_MAX)
		return fail(d, field, "a number of 32 bits");
	if (wide)
		*(uint64_t *)slot = number;
	else
		*(uint32_t *)slot = (uint32_t)number;
	return 0;
}

static int take_real(const struct decode *d, const ProtobufCFieldDescriptor *field,
		     const json_t *json, void *slot)
{
	double real;
	if (!to_double(json, &real))
		return fail(d, field, "a number");
	if (field->type == PROTOBUF_C_TYPE_FLOAT)
		*(float *)slot = (float)real;
	else
		*(double *)slot = real;
	return 0;
}

static int take_bool(const struct decode *d, const ProtobufCFieldDescriptor *field,
		     const json_t *json, void *slot)
{
	if (!json_is_boolean(json))
		return fail(d, field, "true or false");
	*(protobuf_c_boolean *)slot = json_is_true(json);
	return 0;
}

static int take_enum(const struct decode *d, const ProtobufCFieldDescriptor *field,
		     const json_t *json, void *slot)
{
	int64_t number;
	if (json_is_string(json)) {
		const ProtobufCEnumValue *value =
			protobuf_c_enum_descriptor_get_value_by_name(field->descriptor,
								     json_string_value(json));
		if (!value)
			/* A newer client's: it has another way for servers that do not know it. */
			return err_set(d->err, ERR_UNSUPPORTED,
				       "field \"%s\": \"%.100s\" is no %s that is known here",
				       field->name, json_string_value(json),
				       ((const ProtobufCEnumDescriptor *)field->descriptor)
					       ->short_name);
		*(int *)slot = value->value;
		return 0;
	}
	if (!to_i64(json, &number) || number < INT32_MIN || number > INT32_MAX)
		return fail(d, field, "a name or number of an enum");
	*(int *)slot = (int)number;
	return 0;
}

static int take_string(const struct decode *d, const ProtobufCFieldDescriptor *field,
		       const json_t *json, void *slot)
{
	if (!json_is_string(json))
		return fail(d, field, "a string");
	struct str copy =
		arena_str(d->arena, str_make(json_string_value(json), json_string_length(json)));
	if (!copy.ptr)
		return no_memory(d);
	*(const char **)slot = copy.ptr;
	return 0;
}

static int take_bytes(const struct decode *d, const ProtobufCFieldDescriptor *field,
		      const json_t *json, void *slot)
{
	ProtobufCBinaryData *bytes = slot;
	if (!json_is_string(json))
		return fail(d, field, "base64 in a string");
	struct str text = str_make(json_string_value(json), json_string_length(json));
	uint8_t *out = arena_alloc(d->arena, base64_decoded_max(text.len));
	if (!out)
		return no_memory(d);
	if (!base64_get(text, out, &bytes->len))
		return fail(d, field, "base64 in a string");
	bytes->data = out;
	return 0;
}

/* ---- fields ---- */

static int take_message(const struct decode *d, const ProtobufCMessageDescriptor *type,
			const json_t *json, int depth, ProtobufCMessage **ret);

static int take_value(const struct decode *d, const ProtobufCFieldDescriptor *field,
		      const json_t *json, int depth, void *slot)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		return take_signed(d, field, json, slot);
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return take_unsigned(d, field, json, slot);
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_DOUBLE:
		return take_real(d, field, json, slot);
	case PROTOBUF_C_TYPE_BOOL:
		return take_bool(d, field, json, slot);
	case PROTOBUF_C_TYPE_ENUM:
		return take_enum(d, field, json, slot);
	case PROTOBUF_C_TYPE_STRING:
		return take_string(d, field, json, slot);
	case PROTOBUF_C_TYPE_BYTES:
		return take_bytes(d, field, json, slot);
	case PROTOBUF_C_TYPE_MESSAGE:
		break;
	}
	if (!json_is_object(json))
		return fail(d, field, "an object");
	return take_message(d, field->descriptor, json, depth + 1, slot);
}

static int take_list(const struct decode *d, const ProtobufCFieldDescriptor *field,
		     const json_t *json, int depth, ProtobufCMessage *message)
{
	if (!json_is_array(json))
		return fail(d, field, "an array");
	size_t count = json_array_size(json), size = pbmsg_element_bytes(field->type);
	char *items = arena_zalloc(d->arena, count + 1, size);
	if (!items)
		return no_memory(d);
	for (size_t i = 0; i < count; i++) {
		int rc = take_value(d, field, json_array_get(json, i), depth, items + i * size);
		if (rc)
			return rc;
	}
	*(void **)((char *)message + field->offset) = items;
	*(size_t *)((char *)message + field->quantifier_offset) = count;
	return 0;
}

static int take_field(const struct decode *d, const ProtobufCFieldDescriptor *field,
		      const json_t *json, int depth, ProtobufCMessage *message)
{
	void *quantifier = (char *)message + field->quantifier_offset;

	if (json_is_null(json))
		return 0;
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return take_list(d, field, json, depth, message);
	int rc = take_value(d, field, json, depth, (char *)message + field->offset);
	if (rc)
		return rc;
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		*(uint32_t *)quantifier = field->id;
	else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->quantifier_offset)
		*(protobuf_c_boolean *)quantifier = 1;
	return 0;
}

static int take_message(const struct decode *d, const ProtobufCMessageDescriptor *type,
			const json_t *json, int depth, ProtobufCMessage **ret)
{
	const char *name;
	json_t *value;

	if (depth > PBJSON_DEPTH_MAX)
		return err_set(d->err, ERR_INVALID, "objects nest deeper than %d",
			       PBJSON_DEPTH_MAX);
	ProtobufCMessage *message = pbmsg_new(d->arena, type);
	if (!message)
		return no_memory(d);
	/* jansson's walk takes no const. */
	json_object_foreach((json_t *)(uintptr_t)json, name, value)
	{
		const ProtobufCFieldDescriptor *field = find_field(type, name);
		int rc = field ? take_field(d, field, value, depth, message) : 0;
		if (rc)
			return rc;
	}
	*ret = message;
	return 0;
}

static int bad_json(const json_error_t *why, struct err *err)
{
	return err_set(err, ERR_INVALID, "the body is no JSON object: line %d, column %d: %s",
		       why->line, why->column, why->text);
}

int pbjson_decode(struct arena *arena, const ProtobufCMessageDescriptor *type, struct str text,
		  ProtobufCMessage **ret, struct err *err)
{
	struct decode d = {arena, err};
	json_error_t why;
	if (json_tree_bytes(text) > TREE_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "the body's values need more than %d MiB of memory",
			       TREE_MAX_BYTES >> 20);
	json_t *json = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, &why);
	if (!json)
		return bad_json(&why, err);
	int rc = json_is_object(json)
			 ? take_message(&d, type, json, 1, ret)
			 : err_set(err, ERR_INVALID, "the body is no JSON object but an array");
	json_decref(json);
	return rc;
}
