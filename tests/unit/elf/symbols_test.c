#include "samples.h"

/* Offsets are those of samples/labels.S. */
static void assembler_symbols_follow_the_rules(void **state)
{
	static const struct {
		uint64_t offset;
		const char *name; /* NULL: nobody's */
		uint64_t start, size;
	} cases[] = {
		{0, "asm_base", 0, 16},
		{8, "asm_base", 0, 16},
		{15, "asm_base", 0, 16},
		{16, NULL, 0, 0},
		{31, NULL, 0, 0},
		{32, "untyped_function", 32, 8},
		{39, "untyped_function", 32, 8},
		{40, "outer_function", 40, 32},
		{48, "nested_function", 48, 8},
		{55, "nested_function", 48, 8},
		{56, "outer_function", 40, 32},
		{71, "outer_function", 40, 32},
		{72, "last_function", 72, 8},
		{79, "last_function", 72, 8},
		{80, NULL, 0, 0},
	};
	struct elf_symbols *symbols = load_symbols(SAMPLE("labels"));
	uint64_t base = symbol_named(symbols, "asm_base").start;
	struct elf_symbol s;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool found = elf_symbols_find(symbols, base + cases[i].offset, &s);
		if (found != (cases[i].name != NULL))
			fail_msg("offset %d: %s", (int)cases[i].offset, found ? "found" : "lost");
		if (!found)
			continue;
		assert_text(s.name, cases[i].name);
		assert_true(s.start == base + cases[i].start && s.size == cases[i].size);
	}
	assert_false(elf_symbols_find(symbols, base - 1, &s));
	assert_false(elf_symbols_find(symbols, UINT64_MAX, &s));
	for (uint32_t i = 0; i < elf_symbols_count(symbols); i++)
		assert_false(str_equal(elf_symbols_at(symbols, i).name, STR("data_object")));
	elf_symbols_free(symbols);
}

static void functions_are_found_however_a_program_is_built(void **state)
{
	static const char *const paths[] = {SAMPLE("pie"), SAMPLE("fixed"), SAMPLE("static"),
					    SAMPLE("shared"), SAMPLE("ibt")};
	static const char *const names[] = {"sample_static", "sample_weak", "main"};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct elf_symbols *symbols = load_symbols(paths[i]);
		for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
			struct elf_symbol s = symbol_named(symbols, names[n]), found;
			assert_true(s.size > 0);
			assert_true(elf_symbols_find(symbols, s.start, &found));
			assert_text(found.name, names[n]);
			assert_true(elf_symbols_find(symbols, s.start + s.size - 1, &found));
			assert_text(found.name, names[n]);
		}
		elf_symbols_free(symbols);
	}
}

static void of_several_names_the_shorter_public_one_is_shown(void **state)
{
	struct elf_symbols *symbols = load_symbols(SAMPLE("pie"));
	unsigned seen = 0;

	(void)state;
	/* sample_alias, sample_global and __sample_hidden_name are one address. */
	(void)symbol_named(symbols, "sample_alias");
	for (uint32_t i = 0; i < elf_symbols_count(symbols); i++) {
		struct str name = elf_symbols_at(symbols, i).name;
		seen += str_equal(name, STR("sample_global")) ||
			str_equal(name, STR("__sample_hidden_name"));
	}
	assert_int_equal(seen, 0);
	elf_symbols_free(symbols);
}

static void a_stripped_program_names_no_function_of_its_own(void **state)
{
	struct elf_symbols *symbols = load_symbols(SAMPLE("stripped"));
	struct elf_symbols *whole = load_symbols(SAMPLE("pie"));
	struct elf_symbol s = symbol_named(whole, "sample_static");

	(void)state;
	assert_false(elf_symbols_find(symbols, s.start, &s));
	elf_symbols_free(whole);
	elf_symbols_free(symbols);
}

static bool same_text(const char *line_name, struct str name)
{
	size_t len = strcspn(line_name, "@");

	return name.len == len && memcmp(line_name, name.ptr, len) == 0;
}

/* Does nm list that name for that address? */
static bool nm_lists(char (*names)[1024], const uint64_t *addresses, size_t count, uint64_t address,
		     struct str name)
{
	for (size_t i = 0; i < count; i++)
		if (addresses[i] == address && same_text(names[i], name))
			return true;
	return false;
}

static size_t read_nm(const char *command, char (*names)[1024], uint64_t *addresses, size_t cap)
{
	FILE *pipe = popen(command, "r");
	size_t count = 0;
	char line[2048], type;
	unsigned long address;

	assert_non_null(pipe);
	while (count < cap && fgets(line, sizeof(line), pipe)) {
		/* A weak label in .data, which nm's letter does not tell from code. */
		if (sscanf(line, "%lx %c %1023s", &address, &type, names[count]) == 3 &&
		    strchr("TtWwi", type) && strcmp(names[count], "data_start") != 0)
			addresses[count++] = address;
	}
	pclose(pipe);
	return count;
}

static void compare_with_nm(const char *path, const char *command, size_t at_least)
{
	enum { NAMES_MAX = 8192 };
	static char names[NAMES_MAX][1024];
	static uint64_t addresses[NAMES_MAX];
	struct elf_symbols *symbols = load_symbols(path);
	size_t count = read_nm(command, names, addresses, NAMES_MAX);

	if (count < at_least)
		fail_msg("nm %s: only %zu functions", path, count);
	for (size_t i = 0; i < count; i++) {
		struct elf_symbol s;
		if (!elf_symbols_find(symbols, addresses[i], &s))
			fail_msg("%s: %s at %lx is lost", path, names[i], addresses[i]);
		if (s.start != addresses[i] || !nm_lists(names, addresses, count, s.start, s.name))
			fail_msg("%s: %.*s for %s at %lx", path, STR_ARG(s.name), names[i],
				 addresses[i]);
	}
	elf_symbols_free(symbols);
}

static void every_function_that_nm_lists_has_one_of_its_names(void **state)
{
	(void)state;
	compare_with_nm(LIBC_PATH, "nm -D --defined-only " LIBC_PATH, 2000);
	compare_with_nm("/bin/bash", "nm -D --defined-only /bin/bash", 1000);
	compare_with_nm(SAMPLE("static"), "nm --defined-only " SAMPLE("static"), 1000);
	compare_with_nm(SAMPLE("cxx"), "nm --defined-only " SAMPLE("cxx"), 10);
}

static void well_known_names_of_libc_are_shown(void **state)
{
	static const char *const names[] = {"read", "write",  "open",  "malloc", "memcpy",
					    "fork", "printf", "qsort", "strlen", "puts"};
	struct elf_symbols *symbols = load_symbols(LIBC_PATH);

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)symbol_named(symbols, names[i]);
	elf_symbols_free(symbols);
}

static void rows_are_in_order_and_inside_their_limits(void **state)
{
	struct elf_symbols *symbols = load_symbols(SAMPLE("static"));

	(void)state;
	assert_true(elf_symbols_bytes(symbols) > 12 * (size_t)elf_symbols_count(symbols));
	for (uint32_t i = 1; i < elf_symbols_count(symbols); i++) {
		struct elf_symbol a = elf_symbols_at(symbols, i - 1),
				  b = elf_symbols_at(symbols, i);
		assert_true(a.start < b.start);
		assert_true(b.size > 0 && b.name.len > 0);
	}
	elf_symbols_free(symbols);
}

static void a_table_above_its_limit_is_refused(void **state)
{
	struct elf_symbols *symbols;
	struct err err = {0};
	int fd;
	struct elf_file *file = open_elf(SAMPLE("static"), &fd);

	(void)state;
	assert_int_equal(elf_symbols_load(file, 4096, &symbols, &err), ERR_LIMIT);
	assert_true(strlen(err.text) > 0);
	elf_close(file);
	close(fd);
}

static void loading_runs_short_of_memory_anywhere_without_harm(void **state)
{
	(void)state;
	assert_true(load_short_of_memory(SAMPLE("ibt")) >= 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(assembler_symbols_follow_the_rules),
		cmocka_unit_test(functions_are_found_however_a_program_is_built),
		cmocka_unit_test(of_several_names_the_shorter_public_one_is_shown),
		cmocka_unit_test(a_stripped_program_names_no_function_of_its_own),
		cmocka_unit_test(every_function_that_nm_lists_has_one_of_its_names),
		cmocka_unit_test(well_known_names_of_libc_are_shown),
		cmocka_unit_test(rows_are_in_order_and_inside_their_limits),
		cmocka_unit_test(a_table_above_its_limit_is_refused),
		cmocka_unit_test(loading_runs_short_of_memory_anywhere_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
