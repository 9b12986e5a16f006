/* A C library without call frame information (musl) has two
 * places that every stack needs and no frame pointer helps with: where a program
 * starts, and where a signal handler returns to. Both can be seen from outside:
 * one is the file's entry, the other has the same two instructions everywhere,
 * since the kernel demands them (rt_sigreturn takes the frame at sp). */
#include "unwind/gaps.h"

#include <elf.h>
#include <string.h>

#include "base/mem.h"
#include "elf/elf.h"
#include "unwind/depths.h"

enum {
	ENTRY_MAX_BYTES = 64,
	WINDOW_BYTES = 16 * 1024,
	SCAN_MAX_BYTES = 4 << 20, /* of code in gaps; a file with more of it is no C library */
	READ_COST_BYTES = 256, /* what a read costs of them, so that their number is bounded too */
	READ_MAX_BYTES = 1 << 20, /* of code whose instructions are read, in one gap and in all */
	SEGMENTS_MAX = 8,
	CODE_SECTIONS_MAX = 64, /* a real file has about five */
	PATTERN_MIN_BYTES = 7,
	PATTERN_MAX_BYTES = 9,
	/* At rt_sigreturn sp is at struct ucontext (x86-64, behind the return address), or struct
	 * rt_sigframe (arm64); see cfi_rule.c. */
	X86_SIGCONTEXT = 40,
	ARM64_SIGCONTEXT = 128 + 176,
};

/* Instructions: one of the heads, then the tail, which is what is searched for. */
struct trampoline {
	int32_t sigcontext;
	struct str heads[2];
	struct str tail;
};

#define CODE(bytes)                        \
	{                                  \
		(bytes), sizeof(bytes) - 1 \
	}

/* mov $15, %rax or mov $15, %eax; syscall */
static const struct trampoline x86_trampoline = {
	X86_SIGCONTEXT,
	{CODE("\x48\xc7\xc0"), CODE("\xb8")},
	CODE("\x0f\0\0\0\x0f\x05"),
};

/* mov x8, #139; svc #0 */
static const struct trampoline arm64_trampoline = {
	ARM64_SIGCONTEXT,
	{CODE("\x68\x11\x80\xd2"), CODE("\x68\x11\x80\xd2")},
	CODE("\x01\0\0\xd4"),
};

struct scan {
	const struct elf_file *file;
	struct unwind_builder *builder;
	const struct trampoline *trampoline;
	size_t left; /* of SCAN_MAX_BYTES */
	uint8_t window[WINDOW_BYTES];
};

/* Length of the head that ends before tail, 0: it is something else. */
static size_t head_before(const struct trampoline *trampoline, const uint8_t *start,
			  const uint8_t *tail)
{
	for (size_t i = 0; i < 2; i++) {
		struct str head = trampoline->heads[i];
		if ((size_t)(tail - start) >= head.len &&
		    memcmp(tail - head.len, head.ptr, head.len) == 0)
			return head.len;
	}
	return 0;
}

/* A handler returns to its first byte, and return addresses are looked up at - 1. */
static int add_signal(struct scan *scan, uint64_t vaddr, size_t len, struct err *err)
{
	const struct unwind_rule rule = {.cfa = UNWIND_CFA_SIGNAL,
					 .cfa_offset = scan->trampoline->sigcontext};

	return unwind_builder_add(scan->builder, vaddr - 1, vaddr + len, &rule, err);
}

static int scan_window(struct scan *scan, uint64_t vaddr, size_t len, struct err *err)
{
	const struct str tail = scan->trampoline->tail;
	const uint8_t *end = scan->window + len, *at = scan->window;
	int rc = 0;

	while (!rc && (at = memmem(at, (size_t)(end - at), tail.ptr, tail.len))) {
		size_t head = head_before(scan->trampoline, scan->window, at);
		if (head > 0)
			rc = add_signal(scan, vaddr + (uint64_t)(at - scan->window) - head,
					head + tail.len, err);
		at++;
	}
	return rc;
}

static int scan_signals(struct scan *scan, const struct elf_segment *segment, uint64_t from,
			uint64_t to, struct err *err)
{
	while (to - from >= PATTERN_MIN_BYTES && scan->left >= WINDOW_BYTES + READ_COST_BYTES) {
		size_t len = to - from < WINDOW_BYTES ? (size_t)(to - from) : WINDOW_BYTES;
		int rc = elf_read(scan->file, segment->offset + (from - segment->vaddr),
				  scan->window, len, err);
		if (rc)
			return rc == ERR_CORRUPT ? 0 : rc;
		scan->left -= len + READ_COST_BYTES;
		rc = scan_window(scan, from, len, err);
		if (rc || from + len == to)
			return rc;
		from += len - PATTERN_MAX_BYTES;
	}
	return 0;
}

static int add_entry(struct scan *scan, uint64_t from, uint64_t to, struct err *err)
{
	const struct unwind_rule end = {.cfa = UNWIND_CFA_END};
	uint64_t entry = elf_info(scan->file)->entry;

	if (entry == 0 || entry < from || entry >= to)
		return 0;
	if (to - entry > ENTRY_MAX_BYTES)
		to = entry + ENTRY_MAX_BYTES;
	return unwind_builder_add(scan->builder, entry, to, &end, err);
}

/* ---- from gap to gap ---- */

typedef int (*gap_fn)(void *ctx, const struct elf_segment *segment, uint64_t from, uint64_t to,
		      struct err *err);

static uint64_t segment_end(const struct elf_segment *segment)
{
	return segment->vaddr +
	       (segment->file_size < segment->mem_size ? segment->file_size : segment->mem_size);
}

static int each_gap_of(const struct elf_segment *segment, const struct unwind_rows *rows,
		       gap_fn work, void *ctx, struct err *err)
{
	struct unwind_rows_pos pos = {0};
	struct unwind_range range;
	uint64_t from = segment->vaddr, end = segment_end(segment);

	while (from < end && unwind_rows_next(rows, &pos, &range)) {
		uint64_t to = range.start < end ? range.start : end;
		int rc = from < to ? work(ctx, segment, from, to, err) : 0;
		if (rc)
			return rc;
		if (range.end > from)
			from = range.end;
	}
	return from < end ? work(ctx, segment, from, end, err) : 0;
}

static int each_gap(const struct elf_file *file, const struct unwind_rows *rows, gap_fn work,
		    void *ctx, struct err *err)
{
	uint32_t segments = 0;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < elf_segment_count(file); i++)
		if (elf_segment_at(file, i)->exec && segments++ < SEGMENTS_MAX)
			rc = each_gap_of(elf_segment_at(file, i), rows, work, ctx, err);
	return rc;
}

/* The builder takes what comes by address, so what is before the entry comes first. */
static int fill_gap(void *ctx, const struct elf_segment *segment, uint64_t from, uint64_t to,
		    struct err *err)
{
	struct scan *scan = ctx;
	uint64_t entry = elf_info(scan->file)->entry;
	uint64_t middle = entry >= from && entry < to ? entry : from;

	int rc = scan_signals(scan, segment, from, middle, err);
	if (!rc)
		rc = add_entry(scan, from, to, err);
	if (!rc)
		rc = scan_signals(scan, segment, middle, to, err);
	return rc;
}

int unwind_gaps_compile(const struct elf_file *file, const struct unwind_rows *rows,
			struct unwind_builder *builder, struct err *err)
{
	bool arm64 = elf_info(file)->machine == EM_AARCH64;
	struct scan scan = {.file = file, .builder = builder, .left = SCAN_MAX_BYTES};

	scan.trampoline = arm64 ? &arm64_trampoline : &x86_trampoline;
	return each_gap(file, rows, fill_gap, &scan, err);
}

/* ---- whole functions ---- */

struct reading {
	const struct elf_file *file;
	struct unwind_builder *builder;
	size_t bytes; /* in all gaps */
	size_t left;  /* to be read: sections of a damaged file lie one over the other */
	const struct elf_section *sections[CODE_SECTIONS_MAX];
	size_t section_count;
};

static void find_code(struct reading *reading)
{
	for (uint32_t i = 0; i < elf_section_count(reading->file); i++) {
		const struct elf_section *section = elf_section_at(reading->file, i);
		if ((section->flags & SHF_EXECINSTR) && section->type == SHT_PROGBITS &&
		    section->addr + section->size >= section->addr &&
		    reading->section_count < CODE_SECTIONS_MAX)
			reading->sections[reading->section_count++] = section;
	}
}

static int measure_gap(void *ctx, const struct elf_segment *segment, uint64_t from, uint64_t to,
		       struct err *err)
{
	struct reading *reading = ctx;

	(void)segment;
	(void)err;
	reading->bytes += to - from < READ_MAX_BYTES ? (size_t)(to - from) : READ_MAX_BYTES + 1;
	return 0;
}

static int read_code(struct reading *reading, const struct elf_section *section, uint64_t from,
		     uint64_t to, struct err *err)
{
	size_t len = (size_t)(to - from);

	if (len > reading->left)
		return 0;
	reading->left -= len;
	uint8_t *code = mem_alloc(len);
	if (!code)
		return err_set(err, ERR_NOMEM, "unwind rows: no memory for code");
	int rc = elf_read(reading->file, section->offset + (from - section->addr), code, len, err);
	if (rc == 0)
		rc = unwind_depths_compile(code, len, from, reading->builder, err);
	mem_free(code);
	return rc == ERR_CORRUPT ? 0 : rc;
}

/* By sections, since a segment may hold data, too. The builder leaves out what comes twice. */
static int read_gap(void *ctx, const struct elf_segment *segment, uint64_t from, uint64_t to,
		    struct err *err)
{
	struct reading *reading = ctx;
	int rc = 0;

	(void)segment;
	for (size_t i = 0; rc == 0 && i < reading->section_count; i++) {
		const struct elf_section *section = reading->sections[i];
		uint64_t start = section->addr > from ? section->addr : from;
		uint64_t end = section->addr + section->size;
		if (start < to && start < end)
			rc = read_code(reading, section, start, end < to ? end : to, err);
	}
	return rc;
}

int unwind_gaps_read(const struct elf_file *file, const struct unwind_rows *rows,
		     struct unwind_builder *builder, struct err *err)
{
	struct reading reading = {.file = file, .builder = builder, .left = READ_MAX_BYTES};

	if (elf_info(file)->machine != EM_X86_64)
		return 0;
	int rc = each_gap(file, rows, measure_gap, &reading, err);
	if (rc || reading.bytes > READ_MAX_BYTES)
		return rc;
	find_code(&reading);
	return each_gap(file, rows, read_gap, &reading, err);
}
