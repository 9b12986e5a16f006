#include "server/ingest_columns.h"

enum { COLUMN_STRINGS_MAX = 1 << 28 };

const struct column_values columns_none = {.cpu = -1};

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the sample columns of a request");
}

int columns_init(struct columns *columns, struct arena *arena, const struct profile_dict *dict,
		 struct err *err)
{
	int rc;

	*columns = (struct columns){.arena = arena, .dict = dict};
	columns->kinds = arena_zalloc(arena, dict->attribute_count, 1);
	if (!columns->kinds)
		return no_memory(err);
	rc = strtab_create(arena, COLUMN_STRINGS_MAX, &columns->strings, err);
	return rc ? rc : strtab_create(arena, COLUMN_STRINGS_MAX, &columns->spans, err);
}

enum column column_of(struct str name)
{
	static const struct {
		const char *name;
		enum column column;
	} rows[] = {
		{"process.pid", COLUMN_PID},
		{"thread.id", COLUMN_TID},
		{"thread.name", COLUMN_THREAD_NAME},
		{"cpu.logical_number", COLUMN_CPU},
		{"span_id", COLUMN_SPAN},
		{"trace_id", COLUMN_TRACE},
		{"span.id", COLUMN_SPAN},
		{"trace.id", COLUMN_TRACE},
		{"profile_id", COLUMN_SPAN}, /* what old SDKs call the span of a profile */
		/* labels of pprof samples */
		{"thread_id", COLUMN_TID},
		{"thread id", COLUMN_TID},
		{"thread_name", COLUMN_THREAD_NAME},
		{"thread name", COLUMN_THREAD_NAME},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_equal(name, str_of(rows[i].name)))
			return rows[i].column;
	return COLUMN_NONE;
}

enum column columns_kind(struct columns *columns, uint32_t attribute)
{
	uint8_t *kind = &columns->kinds[attribute];

	if (*kind == COLUMN_NOT_SEEN)
		*kind = (uint8_t)column_of(
			profile_str(columns->dict, columns->dict->attributes[attribute].key));
	return (enum column) * kind;
}

/* A number that came as one or as its decimal text; -1 for anything else. */
static int64_t whole_number(const struct value *value, int64_t max)
{
	int64_t number = -1;

	if (value->kind == VALUE_INT)
		number = value->number;
	else if (value->kind == VALUE_STRING && !str_to_i64(value->text, &number))
		number = -1;
	return number >= 0 && number <= max ? number : -1;
}

/* len bytes, or twice as many hex digits. */
static bool take_id(const struct value *value, uint8_t *ret, size_t len)
{
	uint8_t bytes[16] = {0};

	if (value->kind == VALUE_BYTES && value->text.len == len) {
		memcpy(ret, value->text.ptr, len);
		return true;
	}
	if (value->kind != VALUE_STRING || value->text.len != 2 * len)
		return false;
	for (size_t i = 0; i < 2 * len; i++) {
		int digit = str_hex_digit(value->text.ptr[i]);
		if (digit < 0)
			return false;
		bytes[i / 2] = (uint8_t)(bytes[i / 2] << 4 | digit);
	}
	memcpy(ret, bytes, len);
	return true;
}

static int take_thread_name(struct columns *columns, const struct value *value,
			    struct column_values *values, struct err *err)
{
	struct str text = value_text(columns->arena, value);

	if (!text.ptr)
		return no_memory(err);
	return strtab_intern(columns->strings, text, &values->thread_name, err);
}

int columns_take(struct columns *columns, enum column column, const struct value *value,
		 struct column_values *values, struct err *err)
{
	int64_t number;

	switch (column) {
	case COLUMN_PID:
		number = whole_number(value, UINT32_MAX);
		values->pid = number < 0 ? 0 : (uint32_t)number;
		return 0;
	case COLUMN_TID:
		number = whole_number(value, UINT32_MAX);
		values->tid = number < 0 ? 0 : (uint32_t)number;
		return 0;
	case COLUMN_CPU:
		values->cpu = (int32_t)whole_number(value, INT32_MAX);
		return 0;
	case COLUMN_THREAD_NAME:
		return take_thread_name(columns, value, values, err);
	case COLUMN_SPAN:
		values->has_span |= take_id(value, values->span.span_id, 8);
		return 0;
	case COLUMN_TRACE:
		values->has_span |= take_id(value, values->span.trace_id, 16);
		return 0;
	case COLUMN_NOT_SEEN:
	case COLUMN_NONE:
		break;
	}
	return 0;
}

int columns_fill(struct columns *columns, const struct column_values *values,
		 struct store_sample *sample, struct err *err)
{
	sample->pid = values->pid;
	sample->tid = values->tid;
	sample->thread_name = values->thread_name;
	sample->cpu = values->cpu;
	sample->span = 0;
	if (!values->has_span)
		return 0;
	return strtab_intern(columns->spans, str_make(&values->span, sizeof(values->span)),
			     &sample->span, err);
}

int columns_show(struct columns *columns, struct store_batch *batch, struct err *err)
{
	uint32_t string_count = strtab_count(columns->strings);
	uint32_t span_count = strtab_count(columns->spans) - 1;
	struct str *strings = arena_zalloc(columns->arena, string_count, sizeof(*strings));
	struct store_span *spans = arena_zalloc(columns->arena, span_count, sizeof(*spans));

	if (!strings || !spans)
		return no_memory(err);
	for (uint32_t i = 0; i < string_count; i++)
		strings[i] = strtab_get(columns->strings, i);
	for (uint32_t i = 0; i < span_count; i++)
		memcpy(&spans[i], strtab_get(columns->spans, i + 1).ptr, sizeof(*spans));
	batch->strings = strings;
	batch->string_count = string_count;
	batch->spans = spans;
	batch->span_count = span_count;
	return 0;
}
