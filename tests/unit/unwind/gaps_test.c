/* Code in the gaps of a file whose sections are made to hurt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <elf.h>

#include "base/buf.h"
#include "elf/elf.h"
#include "unwind/builder.h"
#include "unwind/gaps.h"

enum { CODE = 0x100000, CODE_BYTES = 1 << 20, KNOWN_BYTES = 32, SECTIONS = 60000 };

/* A megabyte of functions, push %rbx; pop %rbx; ret and padding, and a number of sections that
 * all say they are it. */
static struct elf_file *open_image(size_t sections, int *ret_fd)
{
	static const char function[16] =
		"\x53\x5b\xc3\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc";
	const Elf64_Ehdr ehdr = {.e_ident = ELFMAG "\2\1\1",
				 .e_type = ET_DYN,
				 .e_machine = EM_X86_64,
				 .e_version = 1,
				 .e_phoff = sizeof(ehdr),
				 .e_phentsize = sizeof(Elf64_Phdr),
				 .e_phnum = 1,
				 .e_shoff = 0x1000 + CODE_BYTES,
				 .e_shentsize = sizeof(Elf64_Shdr),
				 .e_shnum = (Elf64_Half)(sections + 2),
				 .e_shstrndx = (Elf64_Half)(sections + 1)};
	const Elf64_Phdr phdr = {.p_type = PT_LOAD,
				 .p_flags = PF_R | PF_X,
				 .p_offset = 0x1000,
				 .p_vaddr = CODE,
				 .p_filesz = CODE_BYTES,
				 .p_memsz = CODE_BYTES};
	const Elf64_Shdr none = {0}, text = {.sh_type = SHT_PROGBITS,
					     .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
					     .sh_addr = CODE,
					     .sh_offset = 0x1000,
					     .sh_size = CODE_BYTES};
	/* One NUL of the padding before the code. */
	const Elf64_Shdr names = {.sh_type = SHT_STRTAB, .sh_offset = 0x800, .sh_size = 1};
	struct elf_file *file;
	struct buf out;

	buf_init(&out, 0);
	buf_append(&out, &ehdr, sizeof(ehdr));
	buf_append(&out, &phdr, sizeof(phdr));
	while (out.len < 0x1000)
		buf_char(&out, 0);
	for (size_t at = 0; at < CODE_BYTES; at += sizeof(function))
		buf_append(&out, function, sizeof(function));
	buf_append(&out, &none, sizeof(none));
	for (size_t i = 0; i < sections; i++)
		buf_append(&out, &text, sizeof(text));
	buf_append(&out, &names, sizeof(names));
	*ret_fd = memfd_create("image", MFD_CLOEXEC);
	assert_false(out.failed);
	assert_int_equal(write(*ret_fd, out.ptr, out.len), out.len);
	buf_deinit(&out);
	assert_int_equal(elf_open(*ret_fd, &file, NULL), 0);
	return file;
}

/* Rows of code of which only the very first bytes are known. */
static struct unwind_rows *read_gaps(size_t sections)
{
	const struct unwind_rule known = {.cfa = UNWIND_CFA_FP};
	struct unwind_builder *first, *second;
	struct unwind_rows *before, *rows;
	int fd;
	struct elf_file *file = open_image(sections, &fd);

	assert_int_equal(unwind_builder_create(NULL, &first, NULL), 0);
	assert_int_equal(unwind_builder_create(NULL, &second, NULL), 0);
	assert_int_equal(unwind_builder_add(first, CODE, CODE + KNOWN_BYTES, &known, NULL), 0);
	assert_int_equal(unwind_builder_finish(first, &before, NULL), 0);
	assert_int_equal(unwind_gaps_read(file, before, second, NULL), 0);
	assert_int_equal(unwind_builder_finish(second, &rows, NULL), 0);
	unwind_builder_destroy(first);
	unwind_builder_destroy(second);
	unwind_rows_free(before);
	elf_close(file);
	close(fd);
	return rows;
}

static void expect_functions(size_t sections)
{
	struct unwind_rows *rows = read_gaps(sections);

	assert_int_equal(unwind_rows_find(rows, CODE).cfa, UNWIND_CFA_NONE);
	assert_int_equal(unwind_rows_find(rows, CODE + KNOWN_BYTES + 1).cfa_offset, 16);
	assert_int_equal(unwind_rows_find(rows, CODE + CODE_BYTES - 15).cfa_offset, 16);
	unwind_rows_free(rows);
}

static void code_that_no_table_knows_is_read(void **state)
{
	(void)state;
	expect_functions(1);
}

/* Each read for itself, these would take ten minutes. */
static void sections_that_lie_one_over_the_other_are_read_once(void **state)
{
	(void)state;
	expect_functions(SECTIONS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(code_that_no_table_knows_is_read),
		cmocka_unit_test(sections_that_lie_one_over_the_other_are_read_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
