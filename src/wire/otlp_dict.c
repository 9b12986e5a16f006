/* The dictionary. Rows are counted first, so that each table is one allocation;
 * strings come first, since other rows name them by index. */
#include "wire/otlp.h"

enum {
	REQUEST_DICTIONARY = 2,
	DICT_MAPPING = 1,
	DICT_LOCATION,
	DICT_FUNCTION,
	DICT_LINK,
	DICT_STRING,
	DICT_ATTRIBUTE,
	DICT_STACK,
	DICT_TABLES,
};

struct tables {
	size_t count[DICT_TABLES];
	struct profile_mapping *mappings;
	struct profile_location *locations;
	struct profile_function *functions;
	struct profile_link *links;
	struct profile_attribute *attributes;
	struct profile_stack *stacks;
};

typedef int row_fn(struct decoder *dec, struct tables *tables, struct str row, struct err *err);

/* A varint of a dictionary row; *rc keeps the first complaint. */
static uint64_t number(const struct pb_field *field, const char *what, int *rc, struct err *err)
{
	if (field->type != PB_VARINT && !*rc)
		*rc = otlp_wrong_type(field, what, err);
	return field->value;
}

static int decode_mapping(struct decoder *dec, struct tables *tables, struct str bytes,
			  struct err *err)
{
	struct profile_mapping *row = &tables->mappings[dec->dict.mapping_count++];
	struct cur c = cur_make(bytes.ptr, bytes.len);
	struct index_list attrs = {0};
	struct pb_field field;
	int rc = 0;

	while (!rc && pb_next(&c, &field)) {
		if (field.number == 1)
			row->memory_start = number(&field, "Mapping", &rc, err);
		else if (field.number == 2)
			row->memory_limit = number(&field, "Mapping", &rc, err);
		else if (field.number == 3)
			row->file_offset = number(&field, "Mapping", &rc, err);
		else if (field.number == 4)
			row->filename = decoder_string(dec, number(&field, "Mapping", &rc, err));
		else if (field.number == 5)
			rc = otlp_indices(dec, &field, "Mapping", &attrs, err);
	}
	row->attrs = attrs.items;
	row->attr_count = attrs.count;
	return rc ? rc : cur_ok(&c) ? 0 : otlp_malformed("Mapping", err);
}

static int decode_line(struct str bytes, struct profile_line *row, struct err *err)
{
	struct cur c = cur_make(bytes.ptr, bytes.len);
	struct pb_field field;
	int rc = 0;

	while (!rc && pb_next(&c, &field)) {
		if (field.number == 1)
			row->function = decoder_index(number(&field, "Line", &rc, err));
		else if (field.number == 2)
			row->line = (int64_t)number(&field, "Line", &rc, err);
		else if (field.number == 3)
			row->column = (int64_t)number(&field, "Line", &rc, err);
	}
	return rc ? rc : cur_ok(&c) ? 0 : otlp_malformed("Line", err);
}

static int add_line(struct decoder *dec, struct profile_location *row, struct profile_line **lines,
		    const struct pb_field *field, struct str location, struct err *err)
{
	enum { LOCATION_LINE = 3 };

	if (field->type != PB_LEN)
		return otlp_wrong_type(field, "Location", err);
	if (!*lines)
		*lines = arena_zalloc(dec->arena, otlp_count_fields(location, LOCATION_LINE),
				      sizeof(**lines));
	if (!*lines)
		return decoder_no_memory(err);
	row->lines = *lines;
	return decode_line(field->bytes, &(*lines)[row->line_count++], err);
}

static int decode_location(struct decoder *dec, struct tables *tables, struct str bytes,
			   struct err *err)
{
	struct profile_location *row = &tables->locations[dec->dict.location_count++];
	struct cur c = cur_make(bytes.ptr, bytes.len);
	struct profile_line *lines = NULL;
	struct index_list attrs = {0};
	struct pb_field field;
	int rc = 0;

	while (!rc && pb_next(&c, &field)) {
		if (field.number == 1)
			row->mapping = decoder_index(number(&field, "Location", &rc, err));
		else if (field.number == 2)
			row->address = number(&field, "Location", &rc, err);
		else if (field.number == 3)
			rc = add_line(dec, row, &lines, &field, bytes, err);
		else if (field.number == 4)
			rc = otlp_indices(dec, &field, "Location", &attrs, err);
	}
	row->attrs = attrs.items;
	row->attr_count = attrs.count;
	return rc ? rc : cur_ok(&c) ? 0 : otlp_malformed("Location", err);
}

static int decode_function(struct decoder *dec, struct tables *tables, struct str bytes,
			   struct err *err)
{
	struct profile_function *row = &tables->functions[dec->dict.function_count++];
	struct cur c = cur_make(bytes.ptr, bytes.len);
	struct pb_field field;
	int rc = 0;

	while (!rc && pb_next(&c, &field)) {
		if (field.number == 1)
			row->name = decoder_string(dec, number(&field, "Function", &rc, err));
		else if (field.number == 2)
			row->system_name =
				decoder_string(dec, number(&field, "Function", &rc, err));
		else if (field.number == 3)
			row->filename = decoder_string(dec, number(&field, "Function", &rc, err));
		else if (field.number == 4)
			row->start_line = (int64_t)number(&field, "Function", &rc, err);
	}
	return rc ? rc : cur_ok(&c) ? 0 : otlp_malformed("Function", err);
}

/* Ids of another length than theirs are no ids (profiles.proto, Link: "16 bytes", "8 bytes"). */
static int decode_link(struct decoder *dec, struct tables *tables, struct str bytes,
		       struct err *err)
{
	struct profile_link *row = &tables->links[dec->dict.link_count++];
	struct cur c = cur_make(bytes.ptr, bytes.len);
	struct pb_field field;

	while (pb_next(&c, &field)) {
		if (field.number == 1 && field.bytes.len == sizeof(row->trace_id))
			memcpy(row->trace_id, field.bytes.ptr, sizeof(row->trace_id));
		else if (field.number == 2 && field.bytes.len == sizeof(row->span_id))
			memcpy(row->span_id, field.bytes.ptr, sizeof(row->span_id));
	}
	return cur_ok(&c) ? 0 : otlp_malformed("Link", err);
}

static int decode_attribute(struct decoder *dec, struct tables *tables, struct str bytes,
			    struct err *err)
{
	struct profile_attribute *row = &tables->attributes[dec->dict.attribute_count++];
	struct cur c = cur_make(bytes.ptr, bytes.len);
	struct pb_field field;
	int rc = 0;

	while (!rc && pb_next(&c, &field)) {
		if (field.number == 1)
			row->key = decoder_string(dec, number(&field, "KeyValueAndUnit", &rc, err));
		else if (field.number == 3)
			row->unit =
				decoder_string(dec, number(&field, "KeyValueAndUnit", &rc, err));
		else if (field.number == 2 && field.type != PB_LEN)
			rc = otlp_wrong_type(&field, "KeyValueAndUnit", err);
		else if (field.number == 2)
			rc = any_decode(dec, field.bytes, &row->value, err);
	}
	return rc ? rc : cur_ok(&c) ? 0 : otlp_malformed("KeyValueAndUnit", err);
}

static int decode_stack(struct decoder *dec, struct tables *tables, struct str bytes,
			struct err *err)
{
	struct profile_stack *row = &tables->stacks[dec->dict.stack_count++];
	struct cur c = cur_make(bytes.ptr, bytes.len);
	struct index_list list = {0};
	struct pb_field field;
	int rc = 0;

	while (!rc && pb_next(&c, &field))
		if (field.number == 1)
			rc = otlp_indices(dec, &field, "Stack", &list, err);
	row->locations = list.items;
	row->count = list.count;
	return rc ? rc : cur_ok(&c) ? 0 : otlp_malformed("Stack", err);
}

static int decode_string(struct decoder *dec, struct tables *tables, struct str bytes,
			 struct err *err)
{
	(void)tables;
	return decoder_add_string(dec, bytes, err);
}

static row_fn *const row_decoders[DICT_TABLES] = {
	[DICT_MAPPING] = decode_mapping,   [DICT_LOCATION] = decode_location,
	[DICT_FUNCTION] = decode_function, [DICT_LINK] = decode_link,
	[DICT_STRING] = decode_string,	   [DICT_ATTRIBUTE] = decode_attribute,
	[DICT_STACK] = decode_stack,
};

/* Calls visit for every row of the request's dictionaries, only those of one table if it is not 0. */
static int each_row(struct str request, uint32_t only,
		    int (*visit)(void *user, const struct pb_field *row, struct err *err),
		    void *user, struct err *err)
{
	struct cur outer = cur_make(request.ptr, request.len);
	struct pb_field dict, row;
	int rc = 0;

	while (!rc && pb_next(&outer, &dict)) {
		if (dict.number != REQUEST_DICTIONARY)
			continue;
		if (dict.type != PB_LEN)
			return otlp_wrong_type(&dict, "ExportProfilesServiceRequest", err);
		struct cur inner = pb_message(&dict);
		while (!rc && pb_next(&inner, &row))
			if (row.number < DICT_TABLES && (!only || row.number == only))
				rc = visit(user, &row, err);
		if (!rc && !cur_ok(&inner))
			rc = otlp_malformed("ProfilesDictionary", err);
	}
	return rc ? rc : cur_ok(&outer) ? 0 : otlp_malformed("ExportProfilesServiceRequest", err);
}

static int count_row(void *user, const struct pb_field *row, struct err *err)
{
	struct tables *tables = user;

	if (row->type != PB_LEN)
		return otlp_wrong_type(row, "ProfilesDictionary", err);
	tables->count[row->number]++;
	return 0;
}

struct fill {
	struct decoder *dec;
	struct tables *tables;
	bool strings_done;
};

static int fill_row(void *user, const struct pb_field *row, struct err *err)
{
	struct fill *fill = user;

	if (row->number == DICT_STRING && fill->strings_done)
		return 0;
	return row_decoders[row->number](fill->dec, fill->tables, row->bytes, err);
}

/* A table that was not sent keeps the batch's zero row. */
static int make_tables(struct decoder *dec, struct tables *t, struct err *err)
{
	struct profile_dict *dict = &dec->dict;
	const struct {
		int table;
		size_t bytes;
		void **rows;
		uint32_t *count;
	} all[] = {
		{DICT_MAPPING, sizeof(*t->mappings), (void **)&t->mappings, &dict->mapping_count},
		{DICT_LOCATION, sizeof(*t->locations), (void **)&t->locations,
		 &dict->location_count},
		{DICT_FUNCTION, sizeof(*t->functions), (void **)&t->functions,
		 &dict->function_count},
		{DICT_LINK, sizeof(*t->links), (void **)&t->links, &dict->link_count},
		{DICT_STRING, sizeof(*dec->strings), (void **)&dec->strings, &dec->string_count},
		{DICT_ATTRIBUTE, sizeof(*t->attributes), (void **)&t->attributes,
		 &dict->attribute_count},
		{DICT_STACK, sizeof(*t->stacks), (void **)&t->stacks, &dict->stack_count},
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && !rc; i++) {
		if (t->count[all[i].table] == 0)
			continue;
		*all[i].count = 0;
		rc = decoder_rows(dec, "dictionary", t->count[all[i].table], all[i].bytes,
				  all[i].rows, err);
	}
	return rc;
}

static void show_tables(struct profile_dict *dict, const struct tables *t)
{
	dict->mappings = t->mappings ? t->mappings : dict->mappings;
	dict->locations = t->locations ? t->locations : dict->locations;
	dict->functions = t->functions ? t->functions : dict->functions;
	dict->links = t->links ? t->links : dict->links;
	dict->attributes = t->attributes ? t->attributes : dict->attributes;
	dict->stacks = t->stacks ? t->stacks : dict->stacks;
}

int otlp_dict_decode(struct decoder *dec, struct str request, struct err *err)
{
	struct tables tables = {{0}, NULL, NULL, NULL, NULL, NULL, NULL};
	struct fill fill = {dec, &tables, false};
	int rc = each_row(request, 0, count_row, &tables, err);

	rc = rc ? rc : make_tables(dec, &tables, err);
	rc = rc ? rc : each_row(request, DICT_STRING, fill_row, &fill, err);
	fill.strings_done = true;
	rc = rc ? rc : each_row(request, 0, fill_row, &fill, err);
	if (!rc)
		show_tables(&dec->dict, &tables);
	return rc;
}
