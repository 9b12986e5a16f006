/* Messages to JSON. Written straight into the buffer: a flame graph holds a
 * hundred thousand numbers. */
#include "server/pbjson.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/base64.h"
#include "timestamp.pb-c.h"

static const void *member(const ProtobufCMessage *message, unsigned offset)
{
	return (const char *)message + offset;
}

/* ---- text ---- */

/* Length of the UTF-8 sequence at the start of s, 0 if it is none. */
static size_t rune_len(struct str s)
{
	for (size_t len = 1; len <= 4 && len <= s.len; len++)
		if (str_is_utf8(str_sub(s, 0, len)))
			return len;
	return 0;
}

static void put_escape(struct buf *out, char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *found = c ? strchr(from, c) : NULL;
	if (found)
		buf_printf(out, "\\%c", to[found - from]);
	else
		buf_printf(out, "\\u%04x", (unsigned)(unsigned char)c);
}

static bool is_plain(char c)
{
	return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

static size_t plain_len(struct str s)
{
	size_t len = 0;
	while (len < s.len && is_plain(s.ptr[len]))
		len++;
	return len;
}

void pbjson_text(struct str s, struct buf *out)
{
	buf_char(out, '"');
	while (s.len > 0) {
		size_t len = plain_len(s);
		if (len == 0 && (unsigned char)s.ptr[0] >= 0x80)
			len = rune_len(s);
		if (len > 0) {
			buf_append(out, s.ptr, len);
		} else {
			if ((unsigned char)s.ptr[0] < 0x80)
				put_escape(out, s.ptr[0]);
			else
				buf_cstr(out, "\xef\xbf\xbd");
			len = 1;
		}
		s = str_sub(s, len, SIZE_MAX);
	}
	buf_char(out, '"');
}

/* ---- numbers ---- */

static void put_i64(struct buf *out, int64_t number)
{
	char text[24];
	char *end = text + sizeof(text), *at = end;
	uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

	do {
		*--at = (char)('0' + left % 10);
		left /= 10;
	} while (left);
	if (number < 0)
		*--at = '-';
	buf_append(out, at, (size_t)(end - at));
}

/* The shortest text that reads back as the same number. */
static void put_real(struct buf *out, double real, int digits_min, int digits_max)
{
	char text[40];

	if (isnan(real) || isinf(real)) {
		buf_cstr(out, isnan(real) ? "\"NaN\""
			      : real > 0  ? "\"Infinity\""
					  : "\"-Infinity\"");
		return;
	}
	for (int digits = digits_min; digits <= digits_max; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, real);
		if (strtod(text, NULL) == real ||
		    (digits_max < 10 && strtof(text, NULL) == (float)real))
			break;
	}
	buf_cstr(out, text);
}

static void put_enum(struct buf *out, const ProtobufCFieldDescriptor *field, int number)
{
	const ProtobufCEnumValue *value =
		protobuf_c_enum_descriptor_get_value(field->descriptor, number);
	if (value)
		pbjson_text(str_of(value->name), out);
	else
		buf_printf(out, "%d", number);
}

static void put_bytes(struct buf *out, const ProtobufCBinaryData *bytes)
{
	buf_char(out, '"');
	base64_put(out, str_make(bytes->data, bytes->len), true);
	buf_char(out, '"');
}

static void put_quoted_i64(struct buf *out, int64_t number)
{
	buf_char(out, '"');
	put_i64(out, number);
	buf_char(out, '"');
}

static void put_value(struct buf *out, const ProtobufCFieldDescriptor *field, const void *slot)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		put_i64(out, *(const int32_t *)slot);
		return;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		put_i64(out, *(const uint32_t *)slot);
		return;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		put_quoted_i64(out, *(const int64_t *)slot);
		return;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		buf_printf(out, "\"%" PRIu64 "\"", *(const uint64_t *)slot);
		return;
	case PROTOBUF_C_TYPE_FLOAT:
		put_real(out, (double)*(const float *)slot, 6, 9);
		return;
	case PROTOBUF_C_TYPE_DOUBLE:
		put_real(out, *(const double *)slot, 15, 17);
		return;
	case PROTOBUF_C_TYPE_BOOL:
		buf_cstr(out, *(const protobuf_c_boolean *)slot ? "true" : "false");
		return;
	case PROTOBUF_C_TYPE_ENUM:
		put_enum(out, field, *(const int *)slot);
		return;
	case PROTOBUF_C_TYPE_STRING:
		pbjson_text(str_of(*(const char *const *)slot), out);
		return;
	case PROTOBUF_C_TYPE_BYTES:
		put_bytes(out, slot);
		return;
	case PROTOBUF_C_TYPE_MESSAGE:
		break;
	}
	pbjson_encode(*(const ProtobufCMessage *const *)slot, out);
}

/* ---- fields ---- */

static bool is_zero_bytes(const void *ptr, size_t size)
{
	static const char zero[sizeof(ProtobufCBinaryData)];
	return memcmp(ptr, zero, size) == 0;
}

static bool is_zero(const ProtobufCFieldDescriptor *field, const void *slot)
{
	if (field->type == PROTOBUF_C_TYPE_BYTES)
		return ((const ProtobufCBinaryData *)slot)->len == 0;
	if (field->type == PROTOBUF_C_TYPE_STRING)
		return !*(const char *const *)slot || **(const char *const *)slot == '\0';
	return is_zero_bytes(slot, pbmsg_element_bytes(field->type));
}

static bool is_pointer(const ProtobufCFieldDescriptor *field)
{
	return field->type == PROTOBUF_C_TYPE_MESSAGE || field->type == PROTOBUF_C_TYPE_STRING;
}

static bool is_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	const void *slot = member(message, field->offset);
	const void *quantifier = member(message, field->quantifier_offset);

	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *(const uint32_t *)quantifier == field->id;
	switch (field->label) {
	case PROTOBUF_C_LABEL_REPEATED:
		return *(const size_t *)quantifier > 0;
	case PROTOBUF_C_LABEL_REQUIRED:
		return true;
	case PROTOBUF_C_LABEL_OPTIONAL:
		return is_pointer(field) ? *(const void *const *)slot != NULL
					 : *(const protobuf_c_boolean *)quantifier != 0;
	case PROTOBUF_C_LABEL_NONE:
		break;
	}
	return !is_zero(field, slot);
}

static void put_list(struct buf *out, const ProtobufCMessage *message,
		     const ProtobufCFieldDescriptor *field)
{
	size_t count = *(const size_t *)member(message, field->quantifier_offset);
	const char *items = *(const char *const *)member(message, field->offset);

	buf_char(out, '[');
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_char(out, ',');
		put_value(out, field, items + i * pbmsg_element_bytes(field->type));
	}
	buf_char(out, ']');
}

static void put_field(struct buf *out, const ProtobufCMessage *message,
		      const ProtobufCFieldDescriptor *field)
{
	char name[128];
	pbjson_name(field->name, name, sizeof(name));
	buf_printf(out, "\"%s\":", name);
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		put_list(out, message, field);
	else
		put_value(out, field, member(message, field->offset));
}

/* protobuf.dev, "ProtoJSON Format": RFC 3339, with as many decimals as it takes, in threes. */
static void put_timestamp(const Google__Protobuf__Timestamp *time, struct buf *out)
{
	time_t seconds = (time_t)time->seconds;
	int decimals = time->nanos % 1000 ? 9 : time->nanos % 1000000 ? 6 : time->nanos ? 3 : 0;
	char text[40], fraction[16] = "";
	struct tm tm;
	if (!gmtime_r(&seconds, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
		text[0] = 0;
	if (decimals)
		snprintf(fraction, sizeof(fraction), ".%09d", time->nanos);
	if (decimals)
		fraction[decimals + 1] = 0;
	buf_printf(out, "\"%s%sZ\"", text, fraction);
}

void pbjson_encode(const ProtobufCMessage *message, struct buf *out)
{
	if (message->descriptor == &google__protobuf__timestamp__descriptor) {
		put_timestamp((const void *)message, out);
		return;
	}
	const ProtobufCMessageDescriptor *type = message->descriptor;
	bool any = false;

	buf_char(out, '{');
	for (unsigned i = 0; i < type->n_fields; i++) {
		if (!is_set(message, &type->fields[i]))
			continue;
		if (any)
			buf_char(out, ',');
		any = true;
		put_field(out, message, &type->fields[i]);
	}
	buf_char(out, '}');
}
