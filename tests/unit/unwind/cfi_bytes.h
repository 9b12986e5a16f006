/* Writes CIEs and FDEs for tests, and compiles what was written. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cfi_image.h"
#include "elf/elf.h"
#include "unwind/unwind.h"

/* A program: bytes of a string constant, which may hold zeros. */
#define BYTES(text) ((struct str){(text), sizeof(text) - 1})

/* Where functions of the tests are. */
#define TEXT ((uint64_t)IMAGE_TEXT_VADDR)

/* x86-64, pcrel sdata4 ("zR"): CFA = sp + 8, return address at CFA - 8. */
#define CIE_X86 BYTES("\1zR\0\1\x78\x10\1\x1b\x0c\7\x08\x90\1")
/* arm64: CFA = sp. */
#define CIE_ARM64 BYTES("\1zR\0\4\x78\x1e\1\x1b\x0c\x1f\0")

static inline void put32(struct buf *out, uint64_t value)
{
	uint32_t v = (uint32_t)value;

	buf_append(out, &v, sizeof(v));
}

static inline void put64(struct buf *out, uint64_t value)
{
	buf_append(out, &value, sizeof(value));
}

/* Pads with DW_CFA_nop and writes the length in front. */
static inline void end_entry(struct buf *out, size_t start)
{
	while ((out->len - start) % 4 != 0)
		buf_char(out, 0);
	uint32_t len = (uint32_t)(out->len - start - 4);
	memcpy(out->ptr + start, &len, sizeof(len));
}

/* Returns where it is. */
static inline size_t put_cie(struct buf *out, struct str body)
{
	size_t start = out->len;

	put32(out, 0);
	put32(out, 0);
	buf_str(out, body);
	end_entry(out, start);
	return start;
}

/* pcrel sdata4, with empty augmentation data. */
static inline void put_fde(struct buf *out, size_t cie, uint64_t start, uint32_t size,
			   struct str program)
{
	size_t at = out->len;

	put32(out, 0);
	put32(out, out->len - cie);
	put32(out, start - (IMAGE_CFI_VADDR + out->len));
	put32(out, size);
	buf_char(out, 0);
	buf_str(out, program);
	end_entry(out, at);
}

static inline int compile_image(const struct cfi_image *image, const struct unwind_limits *limits,
				struct unwind_rows **ret, struct err *err)
{
	struct buf file = {0};
	struct elf_file *elf;

	cfi_image_build(image, &file);
	int rc = file.failed ? file.failed : elf_open_memory(file.ptr, file.len, &elf, err);
	if (!rc) {
		rc = unwind_compile(elf, NULL, limits, ret, err);
		elf_close(elf);
	}
	buf_deinit(&file);
	return rc;
}

static inline struct cfi_image image_of(const struct buf *cfi)
{
	return (struct cfi_image){.cfi = cfi->ptr, .cfi_len = cfi->len};
}

/* Compiles what must compile, and frees the bytes. */
static inline struct unwind_rows *compile_bytes(struct buf *cfi)
{
	struct cfi_image image = image_of(cfi);
	struct unwind_rows *rows = NULL;
	struct err err = {0};

	if (compile_image(&image, NULL, &rows, &err))
		fail_msg("%s", err.text);
	buf_deinit(cfi);
	return rows;
}

/* One function at TEXT. */
static inline struct unwind_rows *compile_function(struct str cie, uint32_t size,
						   struct str program)
{
	struct buf cfi = {0};

	put_fde(&cfi, put_cie(&cfi, cie), TEXT, size, program);
	return compile_bytes(&cfi);
}

static inline struct unwind_rows_info info_of(const struct unwind_rows *rows)
{
	struct unwind_rows_info info;

	unwind_rows_get_info(rows, &info);
	return info;
}

static inline void check_rule(struct unwind_rule found, struct unwind_rule expected)
{
	assert_int_equal(found.cfa, expected.cfa);
	assert_int_equal(found.cfa_offset, expected.cfa_offset);
	assert_int_equal(found.cfa_add, expected.cfa_add);
	assert_int_equal(found.reg, expected.reg);
	assert_int_equal(found.fp, expected.fp);
	assert_int_equal(found.fp_offset, expected.fp_offset);
	assert_int_equal(found.ra, expected.ra);
	assert_int_equal(found.ra_offset, expected.ra_offset);
}

/* CFA = sp + offset, everything else as at the start of an x86-64 function. */
static inline struct unwind_rule sp_rule(int32_t offset)
{
	return (struct unwind_rule){.cfa = UNWIND_CFA_SP, .cfa_offset = offset, .ra_offset = -8};
}

static inline enum unwind_cfa cfa_at(const struct unwind_rows *rows, uint64_t vaddr)
{
	return (enum unwind_cfa)unwind_rows_find(rows, vaddr).cfa;
}
