/* What a stripped program still tells of its start. */
#include "samples.h"

/* `nm` of the program before it was stripped. */
static uint64_t address_by_nm(const char *path, const char *name)
{
	char command[512], line[256];

	snprintf(command, sizeof(command), "nm %s | grep ' %s$'", path, name);
	command_line(command, line, sizeof(line));
	return strtoull(line, NULL, 16);
}

static void check(const char *stripped, const char *full, const char *name)
{
	struct elf_symbols *symbols = load_symbols(stripped);
	uint64_t address = address_by_nm(full, name);
	struct elf_symbol s = symbol_named(symbols, name), found;

	assert_int_equal(s.start, address);
	assert_in_range(s.size, 1, 4096);
	assert_true(elf_symbols_find(symbols, address + s.size - 1, &found));
	assert_text(found.name, name);
	elf_symbols_free(symbols);
}

static void the_start_of_a_stripped_program_has_names(void **state)
{
	static const char *const names[] = {"_start", "main", "_init", "_fini"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		check(SAMPLE("split"), SAMPLE("split.debug"), names[i]);
		check(SAMPLE("nameless"), SAMPLE("nameless.debug"), names[i]);
	}
}

/* Also where the address of main is a number in the code. */
static void main_of_a_program_at_a_fixed_address_is_found(void **state)
{
	(void)state;
	check(SAMPLE("fixed-stripped"), SAMPLE("fixed"), "main");
}

/* The function behind main has nothing to do with it. */
static void main_reaches_as_far_as_its_unwind_information(void **state)
{
	struct elf_symbols *full = load_symbols(SAMPLE("fixed"));
	struct elf_symbols *symbols = load_symbols(SAMPLE("fixed-stripped"));

	(void)state;
	assert_int_equal(symbol_named(symbols, "main").size, symbol_named(full, "main").size);
	elf_symbols_free(symbols);
	elf_symbols_free(full);
}

static void a_library_has_no_start(void **state)
{
	struct elf_symbols *symbols = load_symbols(SAMPLE("shared"));

	(void)state;
	for (uint32_t i = 0; i < elf_symbols_count(symbols); i++)
		assert_false(str_equal(elf_symbols_at(symbols, i).name, STR("_start")));
	elf_symbols_free(symbols);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_start_of_a_stripped_program_has_names),
		cmocka_unit_test(main_of_a_program_at_a_fixed_address_is_found),
		cmocka_unit_test(main_reaches_as_far_as_its_unwind_information),
		cmocka_unit_test(a_library_has_no_start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
