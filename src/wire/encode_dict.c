#include "wire/any.h"
#include "wire/encode.h"

#include <string.h>

static void put_zero_rows(struct dict_writer *writer)
{
	static const struct profile_link no_link;

	for (int table = TABLE_MAPPING; table < TABLES; table++) {
		struct buf *rows = &writer->tables[table].rows;
		size_t begin = pb_begin(rows, (uint32_t)table);
		/* profiles.proto: the null link should be of zero ids, not of absent ones. */
		if (table == TABLE_LINK) {
			pb_put_bytes(rows, 1, str_make(no_link.trace_id, sizeof(no_link.trace_id)));
			pb_put_bytes(rows, 2, str_make(no_link.span_id, sizeof(no_link.span_id)));
		}
		pb_end(rows, begin);
	}
}

int dict_writer_init(struct dict_writer *writer, const struct profile_dict *dict,
		     struct arena *arena, struct err *err)
{
	const uint32_t counts[TABLES] = {
		[TABLE_MAPPING] = dict->mapping_count,
		[TABLE_LOCATION] = dict->location_count,
		[TABLE_FUNCTION] = dict->function_count,
		[TABLE_LINK] = dict->link_count,
		[TABLE_STRING] = strtab_count(dict->strings),
		[TABLE_ATTRIBUTE] = dict->attribute_count,
		[TABLE_STACK] = dict->stack_count,
	};

	*writer = (struct dict_writer){.dict = dict};
	for (int table = TABLE_MAPPING; table < TABLES; table++) {
		struct dict_column *column = &writer->tables[table];
		column->sent_as = arena_zalloc(arena, counts[table], sizeof(*column->sent_as));
		column->added = arena_zalloc(arena, counts[table], sizeof(*column->added));
		if (!column->sent_as || !column->added)
			return err_set(err, ERR_NOMEM, "no memory to encode profiles");
	}
	put_zero_rows(writer);
	return 0;
}

void dict_writer_deinit(struct dict_writer *writer)
{
	for (int table = TABLE_MAPPING; table < TABLES; table++)
		buf_deinit(&writer->tables[table].rows);
}

void dict_writer_mark(const struct dict_writer *writer, struct dict_mark *ret)
{
	for (int table = TABLE_MAPPING; table < TABLES; table++) {
		ret->len[table] = writer->tables[table].rows.len;
		ret->count[table] = writer->tables[table].count;
	}
}

void dict_writer_rewind(struct dict_writer *writer, const struct dict_mark *mark)
{
	for (int table = TABLE_MAPPING; table < TABLES; table++) {
		struct dict_column *column = &writer->tables[table];
		while (column->count > mark->count[table])
			column->sent_as[column->added[--column->count]] = 0;
		column->rows.len = mark->len[table];
	}
}

void dict_writer_reset(struct dict_writer *writer)
{
	static const struct dict_mark start;

	dict_writer_rewind(writer, &start);
	put_zero_rows(writer);
}

/* Takes the next index; the row itself is written by the caller right after. */
static uint32_t take_index(struct dict_column *column, uint32_t index)
{
	column->added[column->count++] = index;
	column->sent_as[index] = column->count;
	return column->count;
}

uint32_t dict_put_string(struct dict_writer *writer, uint32_t index)
{
	struct dict_column *column = &writer->tables[TABLE_STRING];

	if (index == 0 || column->sent_as[index])
		return column->sent_as[index];
	pb_put_bytes(&column->rows, TABLE_STRING, strtab_get(writer->dict->strings, index));
	return take_index(column, index);
}

uint32_t dict_put_attribute(struct dict_writer *writer, uint32_t index)
{
	struct dict_column *column = &writer->tables[TABLE_ATTRIBUTE];
	const struct profile_attribute *row = &writer->dict->attributes[index];
	size_t begin;

	if (index == 0 || column->sent_as[index])
		return column->sent_as[index];
	begin = pb_begin(&column->rows, TABLE_ATTRIBUTE);
	pb_put_uint(&column->rows, 1, dict_put_string(writer, row->key));
	any_put(&column->rows, 2, &row->value);
	pb_put_uint(&column->rows, 3, dict_put_string(writer, row->unit));
	pb_end(&column->rows, begin);
	return take_index(column, index);
}

void dict_put_attributes(struct dict_writer *writer, struct buf *buf, uint32_t number,
			 const uint32_t *attrs, uint32_t count)
{
	size_t begin;

	if (count == 0)
		return;
	begin = pb_begin(buf, number);
	for (uint32_t i = 0; i < count; i++)
		pb_put_varint(buf, dict_put_attribute(writer, attrs[i]));
	pb_end(buf, begin);
}

uint32_t dict_put_link(struct dict_writer *writer, uint32_t index)
{
	struct dict_column *column = &writer->tables[TABLE_LINK];
	const struct profile_link *row = &writer->dict->links[index];
	size_t begin;

	if (index == 0 || column->sent_as[index])
		return column->sent_as[index];
	begin = pb_begin(&column->rows, TABLE_LINK);
	pb_put_bytes(&column->rows, 1, str_make(row->trace_id, sizeof(row->trace_id)));
	pb_put_bytes(&column->rows, 2, str_make(row->span_id, sizeof(row->span_id)));
	pb_end(&column->rows, begin);
	return take_index(column, index);
}

static uint32_t put_mapping(struct dict_writer *writer, uint32_t index)
{
	struct dict_column *column = &writer->tables[TABLE_MAPPING];
	const struct profile_mapping *row = &writer->dict->mappings[index];
	size_t begin;

	if (index == 0 || column->sent_as[index])
		return column->sent_as[index];
	begin = pb_begin(&column->rows, TABLE_MAPPING);
	pb_put_uint(&column->rows, 1, row->memory_start);
	pb_put_uint(&column->rows, 2, row->memory_limit);
	pb_put_uint(&column->rows, 3, row->file_offset);
	pb_put_uint(&column->rows, 4, dict_put_string(writer, row->filename));
	dict_put_attributes(writer, &column->rows, 5, row->attrs, row->attr_count);
	pb_end(&column->rows, begin);
	return take_index(column, index);
}

static uint32_t put_function(struct dict_writer *writer, uint32_t index)
{
	struct dict_column *column = &writer->tables[TABLE_FUNCTION];
	const struct profile_function *row = &writer->dict->functions[index];
	size_t begin;

	if (index == 0 || column->sent_as[index])
		return column->sent_as[index];
	begin = pb_begin(&column->rows, TABLE_FUNCTION);
	pb_put_uint(&column->rows, 1, dict_put_string(writer, row->name));
	pb_put_uint(&column->rows, 2, dict_put_string(writer, row->system_name));
	pb_put_uint(&column->rows, 3, dict_put_string(writer, row->filename));
	pb_put_int(&column->rows, 4, row->start_line);
	pb_end(&column->rows, begin);
	return take_index(column, index);
}

static void put_line(struct dict_writer *writer, struct buf *rows, const struct profile_line *line)
{
	size_t begin = pb_begin(rows, 3);

	pb_put_uint(rows, 1, put_function(writer, line->function));
	pb_put_int(rows, 2, line->line);
	pb_put_int(rows, 3, line->column);
	pb_end(rows, begin);
}

static uint32_t put_location(struct dict_writer *writer, uint32_t index)
{
	struct dict_column *column = &writer->tables[TABLE_LOCATION];
	const struct profile_location *row = &writer->dict->locations[index];
	size_t begin;

	if (index == 0 || column->sent_as[index])
		return column->sent_as[index];
	begin = pb_begin(&column->rows, TABLE_LOCATION);
	pb_put_uint(&column->rows, 1, put_mapping(writer, row->mapping));
	pb_put_uint(&column->rows, 2, row->address);
	for (uint32_t i = 0; i < row->line_count; i++)
		put_line(writer, &column->rows, &row->lines[i]);
	dict_put_attributes(writer, &column->rows, 4, row->attrs, row->attr_count);
	pb_end(&column->rows, begin);
	return take_index(column, index);
}

uint32_t dict_put_stack(struct dict_writer *writer, uint32_t index)
{
	struct dict_column *column = &writer->tables[TABLE_STACK];
	const struct profile_stack *row = &writer->dict->stacks[index];
	size_t begin, packed;

	if (index == 0 || column->sent_as[index])
		return column->sent_as[index];
	begin = pb_begin(&column->rows, TABLE_STACK);
	packed = pb_begin(&column->rows, 1);
	for (uint32_t i = 0; i < row->count; i++)
		pb_put_varint(&column->rows, put_location(writer, row->locations[i]));
	pb_end(&column->rows, packed);
	pb_end(&column->rows, begin);
	return take_index(column, index);
}

size_t dict_writer_bytes(const struct dict_writer *writer)
{
	size_t bytes = 0;

	for (int table = TABLE_MAPPING; table < TABLES; table++)
		bytes += writer->tables[table].rows.len;
	return bytes;
}

void dict_writer_finish(const struct dict_writer *writer, struct buf *out)
{
	for (int table = TABLE_MAPPING; table < TABLES; table++)
		buf_str(out, buf_text(&writer->tables[table].rows));
}

int dict_writer_check(const struct dict_writer *writer, struct err *err)
{
	int rc = 0;

	for (int table = TABLE_MAPPING; table < TABLES && !rc; table++)
		rc = buf_check(&writer->tables[table].rows, "encoding profiles", err);
	return rc;
}
