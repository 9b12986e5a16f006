#include "elf/dwarf_message.h"

#include "elf/symtab.h"

_Static_assert((int)NAME_MAX_BYTES == (int)DWARF_TEXT_MAX, "one limit for names of all sources");

enum {
	HEAD_BYTES = 4 + 4 + 8, /* number, kind, cpu_ns */
	WHY_MAX = 256,
	ROW_BYTES_MAX = 3 * (2 + DWARF_TEXT_MAX) + 3 * 4,
};

/* ---- writing ---- */

static void put_u32(struct buf *buf, uint32_t value)
{
	buf_append(buf, &value, sizeof(value));
}

static void put_text(struct buf *buf, struct str text)
{
	text = name_cut(text);
	uint16_t len = (uint16_t)text.len;
	buf_append(buf, &len, sizeof(len));
	if (text.len == 0 || !buf_reserve(buf, text.len))
		return;
	name_copy_clean(buf->ptr + buf->len, text);
	buf->len += text.len;
}

static void put_row(struct buf *buf, const struct dwarf_row *row)
{
	put_text(buf, row->name);
	put_text(buf, row->system_name);
	put_text(buf, row->file);
	put_u32(buf, row->line);
	put_u32(buf, row->column);
	put_u32(buf, row->start_line);
}

void dwarf_answer_begin(struct buf *buf, uint32_t number)
{
	static const char zero[HEAD_BYTES - 4];

	buf_clear(buf);
	put_u32(buf, number);
	buf_append(buf, zero, sizeof(zero));
}

/* An address whose rows do not fit loses rows above its innermost ones; the last row stays, since that
 * one is the function of the symbol table. */
bool dwarf_answer_add(struct buf *buf, uint32_t index, const struct dwarf_row *rows, uint32_t count)
{
	size_t start = buf->len;
	uint32_t written = 0;

	put_u32(buf, index);
	put_u32(buf, 0);
	for (uint32_t i = 0; i < count; i++) {
		bool last = i + 1 == count;
		size_t room = last ? ROW_BYTES_MAX : 2 * ROW_BYTES_MAX;
		if (buf->len + room > DWARF_MESSAGE_MAX) {
			if (start > HEAD_BYTES) {
				buf->len = start;
				return false;
			}
			if (!last)
				continue;
		}
		put_row(buf, &rows[i]);
		written++;
	}
	if (!buf->failed)
		memcpy(buf->ptr + start + 4, &written, sizeof(written));
	return true;
}

void dwarf_answer_why(struct buf *buf, struct str why)
{
	put_text(buf, str_sub(why, 0, WHY_MAX));
}

void dwarf_answer_end(struct buf *buf, enum dwarf_answer_kind kind, uint64_t cpu_ns)
{
	uint32_t number = (uint32_t)kind;

	if (buf->failed)
		return;
	memcpy(buf->ptr + 4, &number, sizeof(number));
	memcpy(buf->ptr + 8, &cpu_ns, sizeof(cpu_ns));
}

/* ---- reading ---- */

static struct str take_text(struct cur *message)
{
	struct str text = cur_bytes(message, cur_u16le(message));

	for (size_t i = 0; i < text.len; i++)
		message->bad |= (uint8_t)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f;
	message->bad |= text.len > DWARF_TEXT_MAX || !str_is_utf8(text);
	return message->bad || text.len == 0 ? STR("") : text;
}

static struct dwarf_row take_row(struct cur *message)
{
	struct dwarf_row row;

	row.name = take_text(message);
	row.system_name = take_text(message);
	row.file = take_text(message);
	row.line = cur_u32le(message);
	row.column = cur_u32le(message);
	row.start_line = cur_u32le(message);
	return row;
}

bool dwarf_answer_read(struct cur *message, struct dwarf_answer *ret)
{
	*ret = (struct dwarf_answer){.number = cur_u32le(message), .why = STR("")};
	uint32_t kind = cur_u32le(message);
	ret->cpu_ns = cur_u64le(message);
	message->bad |= kind < DWARF_ANSWER_MORE || kind > DWARF_ANSWER_BAD;
	if (!cur_ok(message))
		return false;
	ret->kind = (enum dwarf_answer_kind)kind;
	if (ret->kind == DWARF_ANSWER_BAD)
		ret->why = take_text(message);
	return cur_ok(message);
}

bool dwarf_answer_next(struct cur *message, uint32_t *ret_index, struct dwarf_row *rows,
		       uint32_t *ret_count)
{
	if (cur_left(message) == 0)
		return false;
	*ret_index = cur_u32le(message);
	*ret_count = cur_u32le(message);
	message->bad |= *ret_index >= DWARF_REQUEST_MAX || *ret_count > DWARF_ROWS_MAX;
	for (uint32_t i = 0; cur_ok(message) && i < *ret_count; i++)
		rows[i] = take_row(message);
	return cur_ok(message);
}
