/* What libdw of elfutils reads in files of this host is what our rows say, at
 * each address where either of them changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include <cmocka.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <link.h>
#include <openssl/crypto.h>
#include <unistd.h>

#include "elf/elf.h"
#include "unwind/builder.h"
#include "unwind/rows.h"

enum { RAX, RDX, RCX, RSI = 4, RDI, RBP, RSP, RIP = 16 };

static const struct unwind_limits tables = {.tables_only = true};

static char file_named[4096];

static int take_named(struct dl_phdr_info *info, size_t size, void *name)
{
	(void)size;
	if (strstr(info->dlpi_name, name))
		snprintf(file_named, sizeof(file_named), "%s", info->dlpi_name);
	return 0;
}

/* ---- libdw's frame as a rule ------------------------------------------- */

static bool is_plt(const Dwarf_Op *ops, size_t count)
{
	return count == 9 && ops[1].atom == DW_OP_breg16 && ops[8].atom == DW_OP_plus;
}

static struct unwind_rule cfa_of(Dwarf_Frame *frame)
{
	struct unwind_rule rule = {.cfa = UNWIND_CFA_UNKNOWN};
	Dwarf_Op *ops;
	size_t count;

	assert_int_equal(dwarf_frame_cfa(frame, &ops, &count), 0);
	if (count == 0)
		return rule;
	bool numbered = ops[0].atom >= DW_OP_breg0 && ops[0].atom <= DW_OP_breg31;
	Dwarf_Word reg = numbered ? (Dwarf_Word)(ops[0].atom - DW_OP_breg0) : ops[0].number;
	if (is_plt(ops, count))
		return (struct unwind_rule){.cfa = UNWIND_CFA_PLT,
					    .cfa_offset = ops[4].atom - DW_OP_lit0};
	rule.cfa_offset = (int32_t)(numbered ? ops[0].number : ops[0].number2);
	if (count == 1) {
		rule.cfa = reg == RSP	? UNWIND_CFA_SP
			   : reg == RBP ? UNWIND_CFA_FP
					: UNWIND_CFA_REGISTER;
		rule.reg = rule.cfa == UNWIND_CFA_REGISTER ? (uint8_t)reg : 0;
	} else if (ops[1].atom == DW_OP_deref && count <= 3 && (reg == RSP || reg == RBP)) {
		rule.cfa = reg == RSP ? UNWIND_CFA_SP_DEREF : UNWIND_CFA_FP_DEREF;
		rule.cfa_add = count == 3 ? (int32_t)ops[2].number : 0;
	} else {
		rule = (struct unwind_rule){.cfa = UNWIND_CFA_UNKNOWN};
	}
	return rule;
}

enum saved { SAME, UNDEFINED, AT_CFA, IN_REGISTER, BY_EXPRESSION };

static enum saved saved_at(Dwarf_Frame *frame, int reg, int64_t *ret_offset)
{
	Dwarf_Op mem[3], *ops = NULL;
	size_t count;

	*ret_offset = 0;
	assert_int_equal(dwarf_frame_register(frame, reg, mem, &ops, &count), 0);
	if (count == 0)
		return ops == NULL ? SAME : UNDEFINED;
	if (ops[0].atom == DW_OP_regx ||
	    (ops[0].atom >= DW_OP_reg0 && ops[0].atom <= DW_OP_reg31)) {
		*ret_offset = ops[0].atom == DW_OP_regx ? (int64_t)ops[0].number
							: ops[0].atom - DW_OP_reg0;
		return IN_REGISTER;
	}
	if (ops[0].atom != DW_OP_call_frame_cfa || count > 2)
		return BY_EXPRESSION;
	*ret_offset = count == 2 ? (int64_t)ops[1].number : 0;
	return AT_CFA;
}

/* Of the registers that a call may change, rax and rdx alone. */
static bool ends_in_handler(Dwarf_Frame *frame)
{
	static const int scratch[] = {RAX, RDX, RCX, RSI, RDI};
	int64_t at;

	for (int i = 0; i < 5; i++)
		if ((saved_at(frame, scratch[i], &at) == AT_CFA) != (i < 2))
			return false;
	return true;
}

static struct unwind_rule rule_of(Dwarf_Frame *frame, bool signal)
{
	struct unwind_rule rule = cfa_of(frame);
	int64_t fp_at, ra_at;
	enum saved fp = saved_at(frame, RBP, &fp_at), ra = saved_at(frame, RIP, &ra_at);

	if (signal)
		return (struct unwind_rule){.cfa = UNWIND_CFA_SIGNAL, .cfa_offset = 40};
	if (ra == UNDEFINED)
		return (struct unwind_rule){.cfa = UNWIND_CFA_END};
	if (ra == IN_REGISTER && rule.cfa == UNWIND_CFA_SP) {
		rule.ra = UNWIND_RA_REGISTER;
		rule.reg = (uint8_t)ra_at;
	} else if (ra == AT_CFA && rule.cfa != UNWIND_CFA_UNKNOWN) {
		rule.ra_offset = (int16_t)ra_at;
		if (ends_in_handler(frame) && rule.cfa <= UNWIND_CFA_FP)
			rule.ra = UNWIND_RA_HANDLER;
	} else {
		return (struct unwind_rule){.cfa = UNWIND_CFA_UNKNOWN};
	}
	rule.fp_offset = (int16_t)fp_at;
	rule.fp = fp == SAME ? UNWIND_FP_SAME : fp == AT_CFA ? UNWIND_FP_AT_CFA : UNWIND_FP_LOST;
	return rule;
}

/* ---- comparing --------------------------------------------------------- */

static bool equal(const struct unwind_rule *ours, struct unwind_rule theirs)
{
	/* An expression, or a register: theirs is not looked into here. */
	if (theirs.fp == UNWIND_FP_LOST && ours->cfa == theirs.cfa) {
		theirs.fp = ours->fp;
		theirs.fp_offset = ours->fp_offset;
	}
	return memcmp(ours, &theirs, sizeof(theirs)) == 0;
}

/* The addresses from `at` on that libdw has one rule for; at least one. */
static uint64_t compare_at(Dwarf_CFI *cfi, uint64_t at, const struct unwind_rule *ours,
			   uint32_t *misses)
{
	Dwarf_Frame *frame;
	Dwarf_Addr start, end;
	bool signal;

	if (dwarf_cfi_addrframe(cfi, at, &frame)) {
		(*misses)++;
		return at + 1;
	}
	*misses = 0;
	assert_int_equal(dwarf_frame_info(frame, &start, &end, &signal), RIP);
	struct unwind_rule theirs = rule_of(frame, signal);
	if (!equal(ours, theirs))
		fail_msg("at %#llx: cfa %u %d+%d fp %u %d ra %d, libdw: %u %d+%d fp %u %d ra %d",
			 (unsigned long long)at, ours->cfa, ours->cfa_offset, ours->cfa_add,
			 ours->fp, ours->fp_offset, ours->ra_offset, theirs.cfa, theirs.cfa_offset,
			 theirs.cfa_add, theirs.fp, theirs.fp_offset, theirs.ra_offset);
	free(frame);
	return end;
}

/* Also where libdw knows nothing. */
static bool is_end(Dwarf_CFI *cfi, uint64_t at)
{
	Dwarf_Frame *frame;
	bool signal;

	if (dwarf_cfi_addrframe(cfi, at, &frame))
		return true;
	(void)dwarf_frame_info(frame, NULL, NULL, &signal);
	bool end = rule_of(frame, signal).cfa == UNWIND_CFA_END;
	free(frame);
	return end;
}

static void compare_rows(Dwarf_CFI *cfi, const struct unwind_rows *rows, uint64_t entry)
{
	struct unwind_rows_pos pos = {0};
	struct unwind_range range;
	uint32_t misses = 0, roots = 0;

	while (unwind_rows_next(rows, &pos, &range)) {
		if (range.rule->cfa == UNWIND_CFA_END && !is_end(cfi, range.start + 1)) {
			roots++;
			continue;
		}
		for (uint64_t at = range.start; at < range.end;)
			at = compare_at(cfi, at, range.rule, &misses);
		/* Padding, or an entry that says nothing itself. */
		if (range.rule->cfa != UNWIND_CFA_END || range.start != entry)
			assert_in_range(misses, 0, UNWIND_PADDING_BYTES - 1);
	}
	assert_in_range(roots, 0, 1); /* glibc's __start_context */
}

/* Of all functions in .eh_frame the first address is known to us. */
static uint32_t count_functions(Elf *elf, const struct elf_section *section)
{
	Elf_Data *data = elf_rawdata(elf_getscn(elf, 0), NULL);
	Elf_Scn *scn = NULL;
	Dwarf_CFI_Entry entry;
	Dwarf_Off offset = 0, next = 0;
	uint32_t count = 0;
	GElf_Shdr shdr;

	while ((scn = elf_nextscn(elf, scn)))
		if (gelf_getshdr(scn, &shdr) && shdr.sh_addr == section->addr && shdr.sh_size)
			data = elf_rawdata(scn, NULL);
	const unsigned char *ident = (const unsigned char *)elf_getident(elf, NULL);
	while (dwarf_next_cfi(ident, data, true, offset, &next, &entry) == 0 && next != offset) {
		count += !dwarf_cfi_cie_p(&entry);
		offset = next;
		if (next == (Dwarf_Off)-1)
			break;
	}
	return count;
}

static void compare_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct unwind_rows_info info;
	struct unwind_rows *rows;
	struct elf_file *file;

	assert_true(fd >= 0);
	elf_version(EV_CURRENT);
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	Dwarf_CFI *cfi = dwarf_getcfi_elf(elf);
	assert_non_null(cfi);
	assert_int_equal(elf_open(fd, &file, NULL), 0);
	assert_int_equal(unwind_compile(file, NULL, &tables, &rows, NULL), 0);
	unwind_rows_get_info(rows, &info);
	print_message("%s: %u functions, %u rows, %u rules, %u odd\n", path, info.functions,
		      info.rows, info.rules, info.odd);
	assert_int_equal(info.functions,
			 count_functions(elf, elf_section_named(file, ".eh_frame")));
	assert_int_equal(info.skipped, 0);
	compare_rows(cfi, rows, elf_info(file)->entry);
	unwind_rows_free(rows);
	elf_close(file);
	dwarf_cfi_end(cfi);
	elf_end(elf);
	close(fd);
}

static void rows_of_the_c_library_are_those_of_libdw(void **state)
{
	(void)state;
	dl_iterate_phdr(take_named, "/libc.so");
	compare_file(file_named);
}

static void rows_of_hand_written_assembly_are_those_of_libdw(void **state)
{
	(void)state;
	assert_true(OpenSSL_version_num() != 0); /* so that it is linked */
	dl_iterate_phdr(take_named, "/libcrypto.so");
	compare_file(file_named);
}

static void rows_of_the_loader_are_those_of_libdw(void **state)
{
	(void)state;
	dl_iterate_phdr(take_named, "/ld-linux");
	compare_file(file_named);
}

static void rows_of_this_program_are_those_of_libdw(void **state)
{
	(void)state;
	compare_file("/proc/self/exe");
}

/* It has no file to compare with; libdw reads it from memory. */
static void rows_of_the_vdso_are_those_of_libdw(void **state)
{
	char *image = (char *)(uintptr_t)getauxval(AT_SYSINFO_EHDR);
	struct unwind_rows *rows;
	struct elf_file *file = NULL;

	(void)state;
	if (!image || elf_open_vdso(&file, NULL))
		skip();
	elf_version(EV_CURRENT);
	Elf *elf = elf_memory(image, (size_t)elf_size_bytes(file));
	Dwarf_CFI *cfi = dwarf_getcfi_elf(elf);
	assert_non_null(cfi);
	assert_int_equal(unwind_compile(file, NULL, &tables, &rows, NULL), 0);
	compare_rows(cfi, rows, 0);
	unwind_rows_free(rows);
	elf_close(file);
	dwarf_cfi_end(cfi);
	elf_end(elf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_of_the_c_library_are_those_of_libdw),
		cmocka_unit_test(rows_of_hand_written_assembly_are_those_of_libdw),
		cmocka_unit_test(rows_of_the_loader_are_those_of_libdw),
		cmocka_unit_test(rows_of_the_vdso_are_those_of_libdw),
		cmocka_unit_test(rows_of_this_program_are_those_of_libdw),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
