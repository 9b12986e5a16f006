/* Opening a table, and looking addresses up in it. */
#include "elf/gopcln.h"

#include <string.h>

#include "base/mem.h"
#include "elf/gopcln_table.h"

enum {
	DEFAULT_LIMIT_BYTES = 128 << 20,
	RECORD_MAX_BYTES =
		44 + 4 * 64 + 8 * 255, /* where a table's end is unknown: of its last function */
	/* Values decoded in one look-up. The largest functions of real programs have some ten
	 * thousand; a table made to hurt costs some milliseconds. */
	FIND_STEPS_MAX = 1 << 20,
};

/* ---- opening ----------------------------------------------------------- */

/* The last function's record is the last thing in the table. */
static uint64_t len_by_last_record(const struct elf_file *file, const struct go_place *place)
{
	const struct go_header *h = &place->header;
	uint32_t each = h->generation == GO_116 ? 8 : 4;
	uint64_t at = h->functions + ((uint64_t)h->function_count * 2 - 1) * each;
	uint8_t bytes[8] = {0};

	if (at > place->len || place->len - at < each ||
	    elf_read(file, place->offset + at, bytes, each, NULL))
		return place->len;
	struct cur c = cur_make(bytes, sizeof(bytes));
	uint64_t len = h->functions + cur_u64le(&c) + RECORD_MAX_BYTES;
	return len < place->len && len > at ? len : place->len;
}

/* A section may hold more behind the table (inline trees in Go 1.26), a segment surely does. */
static uint64_t table_len(const struct elf_file *file, const struct go_place *place)
{
	uint64_t len = place->header.functions + place->functions_len;

	if (place->has_module && len > place->header.functions && len <= place->len)
		return len;
	return len_by_last_record(file, place);
}

static uint64_t text_start(const struct elf_file *file, const struct go_place *place)
{
	const struct elf_section *text = elf_section_named(file, ".text");

	if (place->header.generation == GO_116)
		return 0; /* entries are addresses */
	if (place->has_module)
		return place->text;
	return place->header.text || !text ? place->header.text : text->addr;
}

/* Wrappers have the last of the compiler's function ids, whose number grows with the versions; the
 * runtime itself has some, so the highest one there is theirs. */
static uint32_t highest_id(const struct go_lines *lines)
{
	struct go_record record;
	uint32_t highest = 0;

	for (uint32_t i = 0; i < lines->header.function_count; i++)
		if (go_record_at(lines, i, &record) && record.id > highest)
			highest = record.id;
	return highest;
}

static int copy_table(const struct elf_file *file, const struct go_place *place, size_t limit_bytes,
		      struct go_lines *lines, struct err *err)
{
	uint64_t len = table_len(file, place);
	const struct go_header *h = &place->header;
	uint64_t index_bytes =
		((uint64_t)h->function_count * 2 + 1) * (h->generation == GO_116 ? 8 : 4);
	void *bytes;

	if (len < h->functions || len - h->functions < index_bytes)
		return err_set(err, ERR_CORRUPT, "a Go table of %u functions in %llu bytes",
			       h->function_count, (unsigned long long)len);
	int rc = elf_read_alloc(file, place->offset, len, limit_bytes, &bytes, err);
	if (rc)
		return rc;
	lines->bytes = bytes;
	lines->len = (size_t)len;
	lines->header = *h;
	lines->text = text_start(file, place);
	if (h->generation == GO_116) /* the only one with pointers in it */
		go_relocate(file, place->vaddr, lines->bytes, lines->len);
	lines->wrapper_id = highest_id(lines);
	return 0;
}

static int load_all(const struct elf_file *file, size_t limit_bytes, struct go_lines *lines,
		    struct err *err)
{
	struct go_place place;
	int rc = go_place_find(file, &place, err);

	if (!rc)
		rc = go_module_find(file, &place, err);
	if (!rc)
		rc = copy_table(file, &place, limit_bytes, lines, err);
	if (!rc)
		rc = go_inline_load(file, &place, lines, limit_bytes - lines->len, err);
	return rc;
}

int go_lines_open(const struct elf_file *file, size_t limit_bytes, struct go_lines **ret,
		  struct err *err)
{
	struct go_lines *lines = mem_zalloc(1, sizeof(*lines));

	if (!lines)
		return err_set(err, ERR_NOMEM, "no memory for a Go table");
	int rc = load_all(file, limit_bytes ? limit_bytes : DEFAULT_LIMIT_BYTES, lines, err);
	if (rc) {
		go_lines_free(lines);
		return rc;
	}
	*ret = lines;
	return 0;
}

void go_lines_free(struct go_lines *lines)
{
	if (!lines)
		return;
	mem_free(lines->bytes);
	mem_free(lines->first_call);
	mem_free(lines->calls);
	mem_free(lines);
}

size_t go_lines_bytes(const struct go_lines *lines)
{
	size_t bytes = sizeof(*lines) + lines->len;
	uint32_t count = lines->header.function_count;

	if (lines->first_call)
		bytes += ((size_t)count + 1) * sizeof(uint32_t) +
			 ((size_t)lines->first_call[count] + 1) * sizeof(struct go_call);
	return bytes;
}

/* ---- looking up -------------------------------------------------------- */

struct lookup {
	const struct go_lines *lines;
	struct go_record record;
	uint32_t function;
	uint32_t steps; /* values that may still be decoded */
};

static bool is_sigreturn(const struct go_lines *lines, uint32_t i)
{
	struct go_record record;

	return i < lines->header.function_count && go_record_at(lines, i, &record) &&
	       str_starts_with(go_text_at(lines, lines->header.names, record.name),
			       STR("runtime.sigreturn"));
}

static bool find_function(const struct go_lines *lines, uint64_t vaddr, uint32_t *ret)
{
	uint32_t low = 0, high = lines->header.function_count;

	if (vaddr < go_function_start(lines, 0) || vaddr >= go_function_start(lines, high))
		return false;
	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;
		if (go_function_start(lines, mid) <= vaddr)
			low = mid;
		else
			high = mid;
	}
	/* The one function that is returned to without having called: a signal handler's return address
	 * is its first byte, so that the byte before is asked for. */
	if (vaddr + 1 == go_function_start(lines, low + 1) && is_sigreturn(lines, low + 1))
		low++;
	*ret = low;
	return true;
}

/* The innermost call inlined at vaddr, or NULL: it is the function's own code. */
static const struct go_call *inlined_at(struct lookup *l, uint64_t vaddr)
{
	const struct go_lines *lines = l->lines;

	if (!lines->first_call)
		return NULL;
	uint32_t first = lines->first_call[l->function];
	uint32_t count = lines->first_call[l->function + 1] - first;
	uint32_t table = go_record_pcdata(lines, &l->record, GO_PCDATA_INLINE);
	int32_t i = count ? go_value_at(lines, table, l->record.start, vaddr, &l->steps) : -1;
	return i >= 0 && (uint32_t)i < count ? &lines->calls[first + (uint32_t)i] : NULL;
}

/* Units number their files; their list is between the names and the files. */
static struct str file_of(const struct go_lines *lines, uint32_t unit, int32_t file)
{
	const struct go_header *h = &lines->header;
	uint64_t at = h->units + 4 * ((uint64_t)unit + (uint32_t)file);

	if (file < 0 || at > lines->len - 4)
		return STR("");
	struct cur c = cur_make(lines->bytes + at, 4);
	uint32_t offset = cur_u32le(&c);
	return offset == UINT32_MAX ? STR("") : go_text_at(lines, h->files, offset);
}

static struct go_line row_at(struct lookup *l, uint64_t vaddr, const struct go_call *call)
{
	const struct go_lines *lines = l->lines;
	const struct go_record *r = &l->record;
	int32_t file = go_value_at(lines, r->file_values, r->start, vaddr, &l->steps);
	int32_t line = go_value_at(lines, r->line_values, r->start, vaddr, &l->steps);
	uint32_t start_line = call ? call->start_line : r->start_line;
	uint32_t id = call ? call->function_id : r->id;

	return (struct go_line){
		.system_name = go_text_at(lines, lines->header.names, call ? call->name : r->name),
		.file = file_of(lines, r->unit, file),
		.line = line > 0 ? (uint32_t)line : 0,
		.start_line = start_line <= INT32_MAX ? start_line : 0,
		.wrapper = id > 0 && id == lines->wrapper_id,
	};
}

bool go_lines_find(const struct go_lines *lines, uint64_t vaddr, struct go_line *rows, size_t cap,
		   size_t *ret_count)
{
	struct lookup l = {.lines = lines, .steps = FIND_STEPS_MAX};
	size_t count = 0;

	if (!find_function(lines, vaddr, &l.function) ||
	    !go_record_at(lines, l.function, &l.record))
		return false;
	if (vaddr < l.record.start)
		vaddr = l.record.start;
	/* From the innermost outwards: a call's place in its caller is looked up as vaddr was. Ends by
	 * the rows even where a tree goes in circles; the last row is for the function itself. */
	for (;;) {
		const struct go_call *call = inlined_at(&l, vaddr);
		bool last = !call || count == cap - 1 || count == GO_LINES_ROWS_MAX - 1;
		rows[count++] = row_at(&l, vaddr, last ? NULL : call);
		if (last)
			break;
		vaddr = l.record.start + call->parent_pc;
	}
	*ret_count = count;
	return true;
}

struct str go_display_name(struct str name, struct buf *scratch)
{
	ptrdiff_t open = str_find_char(name, '['), close = str_rfind_char(name, ']');

	/* What is made for an array type is not generic: type:.eq.[2]string. */
	if (open <= 0 || close < open || str_starts_with(name, STR("type:.")) ||
	    str_starts_with(name, STR("type..")))
		return name;
	buf_clear(scratch);
	buf_append(scratch, name.ptr, (size_t)open);
	buf_cstr(scratch, "[...]");
	buf_append(scratch, name.ptr + close + 1, name.len - (size_t)close - 1);
	return buf_check(scratch, "a name", NULL) ? name : buf_text(scratch);
}

/* ---- functions and their frames ---------------------------------------- */

uint32_t go_function_count(const struct go_lines *lines)
{
	return lines->header.function_count;
}

uint32_t go_lines_generation(const struct go_lines *lines)
{
	return lines->header.generation;
}

struct go_function go_function_at(const struct go_lines *lines, uint32_t i)
{
	struct go_function f = {0};
	struct go_record r;

	if (i >= lines->header.function_count || !go_record_at(lines, i, &r))
		return f;
	f.name = go_text_at(lines, lines->header.names, r.name);
	f.start = r.start;
	f.end = r.end;
	f.flags = r.flags & (GO_FUNCTION_TOP | GO_FUNCTION_SP_WRITE | GO_FUNCTION_ASM);
	if (r.sp_values)
		f.flags |= GO_FUNCTION_FRAME_TABLE;
	return f;
}

void go_stack_start(const struct go_lines *lines, uint32_t function, struct go_stack *stack)
{
	struct go_record r;
	struct go_values v;

	memset(stack, 0, sizeof(*stack));
	if (function >= lines->header.function_count || !go_record_at(lines, function, &r) ||
	    !go_values_start(lines, r.sp_values, r.start, &v))
		return;
	*stack = (struct go_stack){
		.end = r.start,
		.pos = v.pos,
		.limit = v.limit,
		.function_end = r.end,
		.quantum = v.quantum,
		.size_bytes = v.value,
		.first = true,
	};
}

bool go_stack_next(struct go_stack *stack)
{
	struct go_values v = {
		.pos = stack->pos,
		.limit = stack->limit,
		.end = stack->end,
		.value = stack->size_bytes,
		.quantum = stack->quantum,
		.first = stack->first,
	};

	/* Nothing that does not move on: as many ranges as bytes of code, whatever the table says. */
	if (stack->end >= stack->function_end || !go_values_next(&v) || v.end <= stack->end)
		return false;
	stack->start = v.start;
	stack->end = v.end < stack->function_end ? v.end : stack->function_end;
	stack->size_bytes = v.value;
	stack->pos = v.pos;
	stack->first = false;
	return true;
}
