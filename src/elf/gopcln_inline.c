/* Inline trees. The linker keeps them among other data of functions
 * ("go:func.*"); a function's record has its offset there, or before Go 1.18 a
 * pointer. Their lengths are nowhere: the highest index in the function's table
 * of indices tells. So all trees are read in one go, copied into one array and
 * brought into one form, and the rest is dropped.
 *
 * Where go:func.* begins is a word of the moduledata that moved twice and may
 * move again. The right word is the one at which the trees of the first
 * functions make sense: a name's offset where a name begins, an address inside the
 * function. */
#include <string.h>

#include "base/mem.h"
#include "elf/gopcln_table.h"

enum {
	CALL_BYTES_116 = 20, /* parent i16, id u8, pad, file, line, name, parent_pc */
	CALL_BYTES_120 = 16, /* id u8, pad[3], name, parent_pc, start_line */
	PROBES = 32,	     /* functions whose trees a candidate must explain */
	CALLS_MAX = 1 << 16, /* of one function */
};

struct load {
	const struct elf_file *file;
	struct go_lines *lines;
	uint64_t base;	      /* what offsets count from */
	uint64_t first, last; /* vaddr of the first tree, and behind the last one */
	uint64_t steps;	      /* of values that may still be decoded */
	size_t budget_bytes;
};

static uint32_t call_bytes(const struct go_lines *lines)
{
	return lines->header.generation >= GO_120 ? CALL_BYTES_120 : CALL_BYTES_116;
}

/* Offset or pointer of the function's tree; UINT64_MAX: nothing is inlined in it. */
static uint64_t tree_of(const struct go_lines *lines, const struct go_record *record)
{
	if (!go_record_pcdata(lines, record, GO_PCDATA_INLINE))
		return UINT64_MAX;
	return go_record_funcdata(lines, record, GO_FUNCDATA_INLINE);
}

static uint32_t count_calls(struct load *load, const struct go_record *record)
{
	uint32_t table = go_record_pcdata(load->lines, record, GO_PCDATA_INLINE);
	struct go_values v;
	int32_t highest = -1;

	if (!go_values_start(load->lines, table, record->start, &v))
		return 0;
	while (load->steps > 0 && go_values_next(&v) && v.start < record->end) {
		load->steps--;
		if (v.value > highest)
			highest = v.value;
	}
	return highest < CALLS_MAX ? (uint32_t)(highest + 1) : CALLS_MAX;
}

static struct go_call decode_call(const struct go_lines *lines, const uint8_t *bytes)
{
	struct cur c = cur_make(bytes, call_bytes(lines));
	struct go_call call = {0};

	if (lines->header.generation >= GO_120) {
		call.function_id = cur_u8(&c);
		cur_skip(&c, 3);
		call.name = cur_u32le(&c);
		call.parent_pc = cur_u32le(&c);
		call.start_line = cur_u32le(&c);
		return call;
	}
	cur_skip(&c, 2);
	call.function_id = cur_u8(&c);
	cur_skip(&c, 9);
	call.name = cur_u32le(&c);
	call.parent_pc = cur_u32le(&c);
	return call;
}

static bool makes_sense(const struct go_lines *lines, const struct go_record *record,
			const struct go_call *call)
{
	const struct go_header *h = &lines->header;

	return call->name < h->units - h->names &&
	       (call->name == 0 || lines->bytes[h->names + call->name - 1] == '\0') &&
	       call->parent_pc < record->end - record->start;
}

static bool tree_makes_sense(const struct elf_file *file, const struct go_lines *lines,
			     const struct go_record *record, uint64_t vaddr)
{
	uint8_t bytes[CALL_BYTES_116];

	if (!go_read_vaddr(file, vaddr, bytes, call_bytes(lines)))
		return false;
	struct go_call call = decode_call(lines, bytes);
	return makes_sense(lines, record, &call);
}

/* Whether the trees of the first functions are there when offsets count from base. Not each of them
 * must be: a damaged or odd one costs only itself. */
static bool base_fits(const struct elf_file *file, const struct go_lines *lines, uint64_t base)
{
	struct go_record record;
	unsigned seen = 0, good = 0;

	for (uint32_t i = 0; i < lines->header.function_count && seen < PROBES; i++) {
		uint64_t tree =
			go_record_at(lines, i, &record) ? tree_of(lines, &record) : UINT64_MAX;
		if (tree == UINT64_MAX)
			continue;
		seen++;
		good += tree_makes_sense(file, lines, &record, base + tree);
	}
	return seen > 0 && good >= seen - seen / 8;
}

static bool find_base(const struct elf_file *file, const struct go_place *place,
		      const struct go_lines *lines, uint64_t *ret)
{
	if (lines->header.generation == GO_116) {
		*ret = 0;
		return base_fits(file, lines, 0);
	}
	for (size_t i = 0; i < sizeof(place->module_words) / 8; i++) {
		*ret = place->module_words[i];
		if (*ret && base_fits(file, lines, *ret))
			return true;
	}
	return false;
}

/* Where a function's tree is. False: it has none, or one that goes on behind the last address, where the
 * second pass would read outside of what it has. */
static bool tree_span(struct load *load, const struct go_record *record, uint64_t *ret_start,
		      uint64_t *ret_end, uint32_t *ret_count)
{
	uint64_t tree = tree_of(load->lines, record);

	*ret_count = tree == UINT64_MAX ? 0 : count_calls(load, record);
	return *ret_count > 0 && !__builtin_add_overflow(load->base, tree, ret_start) &&
	       !__builtin_add_overflow(*ret_start, (uint64_t)*ret_count * call_bytes(load->lines),
				       ret_end);
}

/* First pass: how many calls each function has, and which part of the file holds them. */
static int measure(struct load *load, uint32_t *first_call, uint32_t *ret_total, struct err *err)
{
	struct go_lines *lines = load->lines;
	struct go_record record;
	uint64_t total = 0;

	for (uint32_t i = 0; i < lines->header.function_count; i++) {
		uint64_t start, end;
		uint32_t count;
		first_call[i] = (uint32_t)total;
		if (!go_record_at(lines, i, &record) ||
		    !tree_span(load, &record, &start, &end, &count))
			continue;
		total += count;
		if (start < load->first)
			load->first = start;
		if (end > load->last)
			load->last = end;
	}
	first_call[lines->header.function_count] = (uint32_t)total;
	if (total * sizeof(struct go_call) > load->budget_bytes)
		return err_set(err, ERR_LIMIT, "%llu inlined calls are more than the limit",
			       (unsigned long long)total);
	*ret_total = (uint32_t)total;
	return 0;
}

/* Second pass. span are the bytes of [first, last). */
static void copy_calls(struct load *load, const uint8_t *span, const uint32_t *first_call,
		       struct go_call *calls)
{
	struct go_lines *lines = load->lines;
	uint32_t each = call_bytes(lines);
	struct go_record record;

	for (uint32_t i = 0; i < lines->header.function_count; i++) {
		uint32_t count = first_call[i + 1] - first_call[i];
		if (count == 0 || !go_record_at(lines, i, &record))
			continue;
		const uint8_t *tree = span + (load->base + tree_of(lines, &record) - load->first);
		for (uint32_t k = 0; k < count; k++)
			calls[first_call[i] + k] = decode_call(lines, tree + (size_t)k * each);
	}
}

static int read_calls(struct load *load, const uint32_t *first_call, struct go_call *calls,
		      struct err *err)
{
	uint64_t len = load->last - load->first;

	if (len > load->budget_bytes)
		return err_set(err, ERR_LIMIT, "inline trees of %llu bytes, above the limit",
			       (unsigned long long)len);
	uint8_t *span = mem_alloc((size_t)len);
	if (!span)
		return err_set(err, ERR_NOMEM, "no memory for inline trees");
	int rc = go_read_vaddr(load->file, load->first, span, (size_t)len)
			 ? 0
			 : err_set(err, ERR_CORRUPT, "inline trees are not in the file");
	if (!rc)
		copy_calls(load, span, first_call, calls);
	mem_free(span);
	return rc;
}

static int load_calls(struct load *load, uint32_t *first_call, struct go_call **ret,
		      struct err *err)
{
	uint32_t total = 0;
	int rc = measure(load, first_call, &total, err);

	if (rc)
		return rc;
	struct go_call *calls = mem_alloc(((size_t)total + 1) * sizeof(*calls));
	if (!calls)
		return err_set(err, ERR_NOMEM, "no memory for %u inlined calls", total);
	load->budget_bytes -= (size_t)total * sizeof(*calls);
	rc = total ? read_calls(load, first_call, calls, err) : 0;
	if (rc)
		mem_free(calls);
	else
		*ret = calls;
	return rc;
}

int go_inline_load(const struct elf_file *file, const struct go_place *place,
		   struct go_lines *lines, size_t budget_bytes, struct err *err)
{
	size_t index_bytes = ((size_t)lines->header.function_count + 1) * sizeof(uint32_t);
	struct load load = {.file = file, .lines = lines, .first = UINT64_MAX};

	if (!find_base(file, place, lines, &load.base))
		return 0;
	if (index_bytes > budget_bytes)
		return err_set(err, ERR_LIMIT, "an index of %zu bytes, above the limit",
			       index_bytes);
	load.budget_bytes = budget_bytes - index_bytes;
	load.steps = 16 * (uint64_t)lines->len; /* tables are shared by few functions */
	uint32_t *first_call = mem_alloc(index_bytes);
	if (!first_call)
		return err_set(err, ERR_NOMEM, "no memory for %zu bytes", index_bytes);
	int rc = load_calls(&load, first_call, &lines->calls, err);
	if (rc)
		mem_free(first_call);
	else
		lines->first_call = first_call;
	return rc == ERR_CORRUPT ? 0 : rc; /* no trees then */
}
