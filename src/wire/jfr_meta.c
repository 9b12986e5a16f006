/* Numbers, texts, and the tree of elements that describes all other values. */
#include "wire/jfr_read.h"

enum { DEPTH_MAX = 32, VARINT_LAST = 8 };

int jfr_malformed(const char *what, const struct cur *c, struct err *err)
{
	return err_set(err, ERR_INVALID, "jfr: %s: cut short or malformed at byte %zu of the event",
		       what, cur_offset(c));
}

uint64_t jfr_varint(struct cur *c)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < VARINT_LAST; i++) {
		uint8_t byte = cur_u8(c);
		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte < 0x80)
			return value;
	}
	return value | (uint64_t)cur_u8(c) << (7 * VARINT_LAST);
}

/* ---- texts ---- */

static void put_utf8(char **out, uint32_t rune)
{
	char *to = *out;

	if (rune < 0x80) {
		*to++ = (char)rune;
	} else if (rune < 0x800) {
		*to++ = (char)(0xc0 | rune >> 6);
		*to++ = (char)(0x80 | (rune & 0x3f));
	} else {
		*to++ = (char)(0xe0 | rune >> 12);
		*to++ = (char)(0x80 | (rune >> 6 & 0x3f));
		*to++ = (char)(0x80 | (rune & 0x3f));
	}
	*out = to;
}

/* Latin-1 bytes, or UTF-16 as varints; halves of a pair become three bytes each, which are no UTF-8, and so
 * are marked where the text is kept. */
static int wide_text(struct jfr_reader *r, struct cur *c, bool latin1, struct str *ret,
		     struct err *err)
{
	enum { UTF8_MAX = 3 };
	uint64_t count = jfr_varint(c);
	char *text, *end;

	if (count > cur_left(c))
		return jfr_malformed("text", c, err);
	text = end = arena_alloc(r->arena, count * UTF8_MAX);
	if (!text)
		return intake_no_memory(err);
	for (uint64_t i = 0; i < count; i++)
		put_utf8(&end, latin1 ? cur_u8(c) : (uint32_t)jfr_varint(c) & 0xffff);
	*ret = str_make(text, (size_t)(end - text));
	return 0;
}

int jfr_string(struct jfr_reader *r, struct cur *c, struct str *ret, bool *ret_pooled,
	       uint64_t *ret_id, struct err *err)
{
	enum { TEXT_NULL, TEXT_EMPTY, TEXT_POOLED, TEXT_UTF8, TEXT_CHARS, TEXT_LATIN1 };
	uint8_t encoding = cur_u8(c);

	*ret = encoding == TEXT_NULL ? (struct str){NULL, 0} : STR("");
	*ret_pooled = encoding == TEXT_POOLED;
	*ret_id = 0;
	switch (encoding) {
	case TEXT_NULL:
	case TEXT_EMPTY:
		break;
	case TEXT_POOLED:
		*ret_id = jfr_varint(c);
		break;
	case TEXT_UTF8:
		*ret = cur_bytes(c, jfr_varint(c));
		break;
	case TEXT_CHARS:
	case TEXT_LATIN1:
		return wide_text(r, c, encoding == TEXT_LATIN1, ret, err);
	default:
		return jfr_malformed("text", c, err);
	}
	return cur_ok(c) ? 0 : jfr_malformed("text", c, err);
}

/* ---- classes ---- */

static enum jfr_shape shape_of(struct str name)
{
	static const struct {
		const char *name;
		enum jfr_shape shape;
	} rows[] = {
		{"boolean", JFR_BYTE},	{"byte", JFR_BYTE},	{"char", JFR_INTEGER},
		{"short", JFR_INTEGER}, {"int", JFR_INTEGER},	{"long", JFR_INTEGER},
		{"float", JFR_FLOAT},	{"double", JFR_DOUBLE}, {"java.lang.String", JFR_TEXT},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_equal(name, str_of(rows[i].name)))
			return rows[i].shape;
	return JFR_STRUCT;
}

static enum jfr_member member_of(struct str name)
{
	static const char *const names[JFR_MEMBERS] = {
		[JFR_START_TIME] = "startTime",
		[JFR_DURATION] = "duration",
		[JFR_STACK_TRACE] = "stackTrace",
		[JFR_STATE] = "state",
		[JFR_SAMPLED_THREAD] = "sampledThread",
		[JFR_EVENT_THREAD] = "eventThread",
		[JFR_CONTEXT] = "contextId",
		[JFR_SPAN] = "spanId",
		[JFR_SPAN_NAME] = "spanName",
		[JFR_TLAB_SIZE] = "tlabSize",
		[JFR_ALLOCATION_SIZE] = "allocationSize",
		[JFR_WEIGHT] = "weight",
		[JFR_SAMPLES] = "samples",
		[JFR_SIZE] = "size",
		[JFR_NAME] = "name",
		[JFR_VALUE] = "value",
		[JFR_STRING] = "string",
		[JFR_METHOD] = "method",
		[JFR_LINE] = "lineNumber",
		[JFR_TYPE] = "type",
		[JFR_OS_NAME] = "osName",
		[JFR_JAVA_NAME] = "javaName",
		[JFR_OS_THREAD] = "osThreadId",
		[JFR_JAVA_THREAD] = "javaThreadId",
		[JFR_FRAMES] = "frames",
	};
	int i = 0;

	while (i < JFR_MEMBERS && !str_equal(name, str_of(names[i])))
		i++;
	return (enum jfr_member)i;
}

const struct jfr_class *jfr_class(const struct jfr_reader *r, uint64_t id)
{
	const uint64_t *at = map_get(&r->class_ids, id);

	return at ? &r->classes[*at] : NULL;
}

/* Attributes of an element that say something here. */
struct element {
	struct str kind, id, name, class, constant, dimension;
};

static struct str meta_string(const struct jfr_reader *r, uint64_t index)
{
	return index < r->string_count ? r->strings[index] : STR("");
}

static int read_head(struct jfr_reader *r, struct cur *c, struct element *ret, struct err *err)
{
	uint64_t count;

	*ret = (struct element){meta_string(r, jfr_varint(c)),
				STR(""),
				STR(""),
				STR(""),
				STR(""),
				STR("")};
	count = jfr_varint(c);
	while (count-- > 0 && cur_ok(c)) {
		struct str key = meta_string(r, jfr_varint(c));
		struct str value = meta_string(r, jfr_varint(c));
		if (str_equal(key, STR("id")))
			ret->id = value;
		else if (str_equal(key, STR("name")))
			ret->name = value;
		else if (str_equal(key, STR("class")))
			ret->class = value;
		else if (str_equal(key, STR("constantPool")))
			ret->constant = value;
		else if (str_equal(key, STR("dimension")))
			ret->dimension = value;
	}
	return cur_ok(c) ? 0 : jfr_malformed("metadata", c, err);
}

static int add_class(struct jfr_reader *r, const struct element *element, size_t *ret,
		     struct err *err)
{
	struct jfr_class *grown =
		arena_grow(r->arena, r->classes, &r->class_cap, r->class_count + 1, sizeof(*grown));
	uint64_t id;

	if (!str_to_u64(element->id, &id))
		return err_set(err, ERR_INVALID, "jfr: metadata: class \"%.*s\" has no id",
			       STR_ARG(str_sub(element->name, 0, 100)));
	if (!grown)
		return intake_no_memory(err);
	r->classes = grown;
	*ret = r->class_count;
	grown[r->class_count] =
		(struct jfr_class){.name = element->name, .shape = shape_of(element->name)};
	return map_put(&r->class_ids, id, r->class_count++, err);
}

static int add_field(struct jfr_reader *r, size_t class, const struct element *element,
		     struct err *err)
{
	struct jfr_class *to = &r->classes[class];
	struct jfr_field *grown = arena_grow(r->arena, to->fields, &to->field_cap,
					     to->field_count + 1, sizeof(*grown));
	struct jfr_field field = {.member = member_of(element->name),
				  .constant = str_equal(element->constant, STR("true")),
				  .array = str_equal(element->dimension, STR("1"))};

	if (!str_to_u64(element->class, &field.class_id))
		return err_set(err, ERR_INVALID, "jfr: metadata: field \"%.*s\" has no class",
			       STR_ARG(str_sub(element->name, 0, 100)));
	if (!grown)
		return intake_no_memory(err);
	to->fields = grown;
	grown[to->field_count++] = field;
	return 0;
}

enum { NO_CLASS = -1 };

static int read_element(struct jfr_reader *r, struct cur *c, int64_t class, int depth,
			struct err *err)
{
	struct element element;
	int64_t inner = NO_CLASS;
	size_t index = 0;
	int rc = depth > DEPTH_MAX ? jfr_malformed("metadata", c, err)
				   : read_head(r, c, &element, err);

	if (rc)
		return rc;
	if (str_equal(element.kind, STR("class"))) {
		rc = add_class(r, &element, &index, err);
		inner = rc ? NO_CLASS : (int64_t)index;
	} else if (class != NO_CLASS && str_equal(element.kind, STR("field"))) {
		rc = add_field(r, (size_t) class, &element, err);
	}
	for (uint64_t count = jfr_varint(c); count > 0 && !rc; count--)
		rc = cur_ok(c) ? read_element(r, c, inner, depth + 1, err)
			       : jfr_malformed("metadata", c, err);
	return rc;
}

static int read_strings(struct jfr_reader *r, struct cur *c, struct err *err)
{
	uint64_t count = jfr_varint(c), unused;
	bool pooled;
	int rc = count > cur_left(c) ? jfr_malformed("metadata", c, err)
				     : intake_rows(r->sink, count, err);

	if (rc)
		return rc;
	r->string_count = 0;
	r->strings = arena_zalloc(r->arena, count, sizeof(*r->strings));
	if (!r->strings)
		return intake_no_memory(err);
	while (r->string_count < count && !rc)
		rc = jfr_string(r, c, &r->strings[r->string_count++], &pooled, &unused, err);
	return rc;
}

int jfr_metadata(struct jfr_reader *r, struct cur *c, struct err *err)
{
	int rc;

	for (int i = 0; i < 3; i++) /* start, duration, id */
		jfr_varint(c);
	r->class_count = 0;
	map_clear(&r->class_ids);
	rc = read_strings(r, c, err);
	return rc ? rc : read_element(r, c, NO_CLASS, 0, err);
}
