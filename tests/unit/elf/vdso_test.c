#include "samples.h"

#include <sys/auxv.h>

static void the_vdso_has_clock_gettime(void **state)
{
	struct elf_symbols *symbols;
	struct elf_symbol s, found;
	struct elf_file *file;

	(void)state;
	assert_int_equal(elf_open_vdso(&file, NULL), 0);
	assert_int_equal(elf_symbols_load(file, 0, &symbols, NULL), 0);
	s = symbol_named(symbols, "clock_gettime");
	assert_true(s.size > 0);
	assert_true(elf_symbols_find(symbols, s.start + 1, &found));
	assert_text(found.name, "clock_gettime");
	elf_symbols_free(symbols);
	elf_close(file);
}

static void the_mapping_of_the_vdso_leads_to_its_addresses(void **state)
{
	uint64_t start = getauxval(AT_SYSINFO_EHDR), bias;
	struct elf_file *file;

	(void)state;
	assert_int_equal(elf_open_vdso(&file, NULL), 0);
	assert_true(elf_bias(file, start, 0, &bias));
	assert_true(start - bias < elf_size_bytes(file));
	assert_int_equal(strlen(elf_info(file)->build_id), 40);
	elf_close(file);
}

static void copying_the_vdso_runs_short_of_memory_without_harm(void **state)
{
	int rc = ERR_NOMEM;

	(void)state;
	for (uint64_t nth = 1; rc; nth++) {
		struct elf_file *file = NULL;
		mem_fail_nth(nth);
		rc = elf_open_vdso(&file, NULL);
		mem_fail_nth(0);
		assert_true(rc == 0 || rc == ERR_NOMEM);
		elf_close(file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vdso_has_clock_gettime),
		cmocka_unit_test(the_mapping_of_the_vdso_leads_to_its_addresses),
		cmocka_unit_test(copying_the_vdso_runs_short_of_memory_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
