/* What the copied table says: functions, texts, values by program counter. */
#include <string.h>

#include "elf/gopcln_table.h"
#include "elf/symtab.h"

/* A cursor at an offset of the table; a bad one when that is past its end. */
static struct cur cursor_at(const struct go_lines *lines, uint64_t offset)
{
	struct cur c = cur_make(lines->bytes, lines->len);

	if (offset > lines->len)
		c.bad = true;
	else
		cur_seek(&c, (size_t)offset);
	return c;
}

static uint32_t entry_bytes(const struct go_lines *lines)
{
	return lines->header.generation == GO_116 ? 16 : 8;
}

uint64_t go_function_start(const struct go_lines *lines, uint32_t i)
{
	struct cur c = cursor_at(lines, lines->header.functions + (uint64_t)i * entry_bytes(lines));

	if (lines->header.generation == GO_116)
		return cur_u64le(&c);
	return lines->text + cur_u32le(&c);
}

static uint64_t record_offset(const struct go_lines *lines, uint32_t i)
{
	uint32_t each = entry_bytes(lines);
	struct cur c = cursor_at(lines, lines->header.functions + (uint64_t)i * each + each / 2);
	uint64_t offset = each == 16 ? cur_u64le(&c) : cur_u32le(&c);

	return cur_ok(&c) && offset < lines->len ? lines->header.functions + offset : lines->len;
}

bool go_record_at(const struct go_lines *lines, uint32_t i, struct go_record *ret)
{
	uint32_t generation = lines->header.generation;
	struct cur c = cursor_at(lines, record_offset(lines, i));
	struct go_record r = {0};

	cur_skip(&c, generation == GO_116 ? 8 : 4); /* the entry once more */
	r.name = cur_u32le(&c);
	cur_skip(&c, 8); /* args, deferreturn */
	r.sp_values = cur_u32le(&c);
	r.file_values = cur_u32le(&c);
	r.line_values = cur_u32le(&c);
	r.pcdata_count = cur_u32le(&c);
	r.unit = cur_u32le(&c);
	if (generation >= GO_120)
		r.start_line = cur_u32le(&c);
	r.id = cur_u8(&c);
	r.flags = cur_u8(&c);
	cur_skip(&c, 1);
	r.funcdata_count = cur_u8(&c);
	r.pcdata = cur_offset(&c);
	if (!cur_ok(&c))
		return false;
	r.start = go_function_start(lines, i);
	r.end = go_function_start(lines, i + 1);
	*ret = r;
	return true;
}

uint32_t go_record_pcdata(const struct go_lines *lines, const struct go_record *record,
			  uint32_t index)
{
	if (index >= record->pcdata_count)
		return 0;
	struct cur c = cursor_at(lines, record->pcdata + 4 * (uint64_t)index);
	return cur_u32le(&c);
}

uint64_t go_record_funcdata(const struct go_lines *lines, const struct go_record *record,
			    uint32_t index)
{
	uint64_t at = record->pcdata + 4 * (uint64_t)record->pcdata_count;

	if (index >= record->funcdata_count)
		return UINT64_MAX;
	if (lines->header.generation == GO_116) {
		/* Pointers, aligned. */
		struct cur c = cursor_at(lines, (at + 7) / 8 * 8 + 8 * (uint64_t)index);
		uint64_t pointer = cur_u64le(&c);
		return pointer ? pointer : UINT64_MAX;
	}
	struct cur c = cursor_at(lines, at + 4 * (uint64_t)index);
	uint32_t offset = cur_u32le(&c);
	return cur_ok(&c) && offset != UINT32_MAX ? offset : UINT64_MAX;
}

static bool is_clean(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((uint8_t)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
			return false;
	return str_is_utf8(text);
}

struct str go_text_at(const struct go_lines *lines, uint64_t part, uint64_t offset)
{
	if (part >= lines->len || offset >= lines->len - part)
		return STR("");
	const char *text = (const char *)lines->bytes + part + offset;
	size_t left = lines->len - (size_t)(part + offset);
	size_t cap = left < GO_LINES_TEXT_MAX + 1 ? left : GO_LINES_TEXT_MAX + 1;
	const char *end = memchr(text, '\0', cap);
	struct str s = end ? str_make(text, (size_t)(end - text)) : name_cut(str_make(text, cap));
	return is_clean(s) ? s : STR("?");
}

/* runtime.readvarint: 32 bits; more are a damaged table. */
static bool read_varint(struct go_values *v, uint32_t *ret)
{
	uint32_t value = 0;

	for (unsigned shift = 0; shift < 35 && v->pos < v->limit; shift += 7) {
		uint8_t byte = *v->pos++;
		value |= (uint32_t)((uint64_t)(byte & 0x7f) << shift);
		if (!(byte & 0x80)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

bool go_values_start(const struct go_lines *lines, uint32_t offset, uint64_t function_start,
		     struct go_values *ret)
{
	const struct go_header *h = &lines->header;

	if (offset == 0 || offset >= lines->len - h->values)
		return false;
	*ret = (struct go_values){
		.pos = lines->bytes + h->values + offset,
		.limit = lines->bytes + lines->len,
		.start = function_start,
		.end = function_start,
		.value = -1,
		.quantum = h->quantum,
		.first = true,
	};
	return true;
}

bool go_values_next(struct go_values *v)
{
	uint32_t value_delta, pc_delta;

	if (!read_varint(v, &value_delta) || (value_delta == 0 && !v->first) ||
	    !read_varint(v, &pc_delta))
		return false;
	/* Zigzag; sums wrap as the runtime's do. */
	uint32_t delta = (0 - (value_delta & 1)) ^ (value_delta >> 1);
	v->value = (int32_t)((uint32_t)v->value + delta);
	v->start = v->end;
	v->end += (uint64_t)pc_delta * v->quantum;
	v->first = false;
	return v->end >= v->start;
}

int32_t go_value_at(const struct go_lines *lines, uint32_t offset, uint64_t function_start,
		    uint64_t vaddr, uint32_t *budget)
{
	struct go_values v;

	if (!go_values_start(lines, offset, function_start, &v))
		return -1;
	while (*budget > 0 && go_values_next(&v)) {
		(*budget)--;
		if (vaddr < v.end)
			return v.value;
	}
	return -1;
}
