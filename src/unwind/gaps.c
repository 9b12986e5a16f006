/* A C library without call frame information for its assembly (musl) has two
 * places that every stack needs and no frame pointer helps with: where a program
 * starts, and where a signal handler returns to. Both can be seen from outside:
 * one is the file's entry, the other has the same two instructions everywhere,
 * since the kernel demands them (rt_sigreturn takes the frame at sp). */
#include "unwind/gaps.h"

#include <elf.h>
#include <string.h>

#include "elf/elf.h"

enum {
	ENTRY_MAX_BYTES = 64,
	WINDOW_BYTES = 16 * 1024,
	SCAN_MAX_BYTES = 4 << 20, /* of code in gaps; a file with more of it is no C library */
	READ_COST_BYTES = 256, /* what a read costs of them, so that their number is bounded too */
	SEGMENTS_MAX = 8,
	PATTERN_MAX_BYTES = 9,
	/* At rt_sigreturn sp is at struct ucontext (x86-64, behind the return address), or struct
	 * rt_sigframe (arm64); see cfi_rule.c. */
	X86_SIGCONTEXT = 40,
	ARM64_SIGCONTEXT = 128 + 176,
};

struct pattern {
	uint16_t machine;
	int32_t sigcontext;
	size_t len;
	uint8_t bytes[PATTERN_MAX_BYTES];
};

static const struct pattern patterns[] = {
	/* mov $15, %rax; syscall */
	{EM_X86_64, X86_SIGCONTEXT, 9, {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05}},
	/* mov $15, %eax; syscall */
	{EM_X86_64, X86_SIGCONTEXT, 7, {0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05}},
	/* mov x8, #139; svc #0 */
	{EM_AARCH64, ARM64_SIGCONTEXT, 8, {0x68, 0x11, 0x80, 0xd2, 0x01, 0, 0, 0xd4}},
};

struct scan {
	const struct elf_file *file;
	struct unwind_builder *builder;
	size_t left; /* of SCAN_MAX_BYTES */
	uint8_t window[WINDOW_BYTES];
};

static int add_signal(struct scan *scan, const struct pattern *pattern, uint64_t at,
		      struct err *err)
{
	const struct unwind_rule rule = {.cfa = UNWIND_CFA_SIGNAL,
					 .cfa_offset = pattern->sigcontext};

	/* A handler returns to its first byte, and return addresses are looked up at - 1. */
	return unwind_builder_add(scan->builder, at - 1, at + pattern->len, &rule, err);
}

static const struct pattern *match(uint16_t machine, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		if (patterns[i].machine == machine && patterns[i].len <= len &&
		    memcmp(patterns[i].bytes, bytes, patterns[i].len) == 0)
			return &patterns[i];
	return NULL;
}

static int scan_window(struct scan *scan, uint64_t vaddr, size_t len, struct err *err)
{
	uint16_t machine = elf_info(scan->file)->machine;

	for (size_t i = 0; i < len; i++) {
		const struct pattern *found = match(machine, scan->window + i, len - i);
		int rc = found ? add_signal(scan, found, vaddr + i, err) : 0;
		if (rc)
			return rc;
	}
	return 0;
}

static int scan_signals(struct scan *scan, const struct elf_segment *segment, uint64_t from,
			uint64_t to, struct err *err)
{
	while (to - from >= PATTERN_MAX_BYTES - 2 && scan->left >= WINDOW_BYTES + READ_COST_BYTES) {
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

/* The builder takes what comes by address, so what is before the entry comes first. */
static int fill_gap(struct scan *scan, const struct elf_segment *segment, uint64_t from,
		    uint64_t to, struct err *err)
{
	uint64_t entry = elf_info(scan->file)->entry;
	uint64_t middle = entry >= from && entry < to ? entry : from;

	if (from >= to)
		return 0;
	int rc = scan_signals(scan, segment, from, middle, err);
	if (!rc)
		rc = add_entry(scan, from, to, err);
	if (!rc)
		rc = scan_signals(scan, segment, middle, to, err);
	return rc;
}

static uint64_t segment_end(const struct elf_segment *segment)
{
	return segment->vaddr +
	       (segment->file_size < segment->mem_size ? segment->file_size : segment->mem_size);
}

static int fill_segment(struct scan *scan, const struct elf_segment *segment,
			const struct unwind_rows *rows, struct err *err)
{
	struct unwind_rows_pos pos = {0};
	struct unwind_range range;
	uint64_t from = segment->vaddr, end = segment_end(segment);

	while (from < end && unwind_rows_next(rows, &pos, &range)) {
		int rc = fill_gap(scan, segment, from, range.start < end ? range.start : end, err);
		if (rc)
			return rc;
		if (range.end > from)
			from = range.end;
	}
	return fill_gap(scan, segment, from, end, err);
}

int unwind_gaps_compile(const struct elf_file *file, const struct unwind_rows *rows,
			struct unwind_builder *builder, struct err *err)
{
	struct scan scan = {.file = file, .builder = builder, .left = SCAN_MAX_BYTES};
	uint32_t segments = 0;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < elf_segment_count(file); i++)
		if (elf_segment_at(file, i)->exec && segments++ < SEGMENTS_MAX)
			rc = fill_segment(&scan, elf_segment_at(file, i), rows, err);
	return rc;
}
