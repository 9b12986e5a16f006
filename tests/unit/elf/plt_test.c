#include "samples.h"

/* objdump's disassembly names stubs on its own: "0000000000001030 <printf@plt>:". */
static unsigned compare_with_objdump(const char *path)
{
	struct elf_symbols *symbols = load_symbols(path);
	char command[512], line[4096], name[4096];
	unsigned long address;
	unsigned seen = 0;

	snprintf(command, sizeof(command),
		 "objdump -d -w -j .plt -j .plt.sec -j .plt.got %s 2>/dev/null", path);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	while (fgets(line, sizeof(line), pipe)) {
		struct elf_symbol s;
		if (sscanf(line, "%lx <%4095[^>]>:", &address, name) != 2)
			continue;
		if (!strstr(name, "@plt") || strstr(name, "@plt-") || strstr(name, "*ABS*"))
			continue;
		if (!elf_symbols_find(symbols, address, &s))
			fail_msg("%s %lx: %s is lost", path, address, name);
		if (!str_equal(s.name, str_of(name)))
			fail_msg("%s %lx: %.*s, not %s", path, address, STR_ARG(s.name), name);
		assert_true(s.start == address);
		seen++;
	}
	pclose(pipe);
	elf_symbols_free(symbols);
	return seen;
}

static void stubs_have_the_names_that_objdump_gives(void **state)
{
	static const struct {
		const char *path;
		unsigned at_least;
	} cases[] = {
		{SAMPLE("pie"), 1},	 {SAMPLE("fixed"), 1}, {SAMPLE("lazy"), 1},
		{SAMPLE("stripped"), 1}, {SAMPLE("ibt"), 1},   {LIBC_PATH, 2},
		{"/bin/bash", 100},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned seen = compare_with_objdump(cases[i].path);
		if (seen < cases[i].at_least)
			fail_msg("%s: only %u stubs compared", cases[i].path, seen);
	}
}

static void the_lazy_half_of_an_ibt_stub_is_named_too(void **state)
{
	struct elf_symbols *symbols = load_symbols(SAMPLE("ibt"));
	unsigned stubs = 0;

	(void)state;
	for (uint32_t i = 0; i < elf_symbols_count(symbols); i++)
		stubs += str_equal(elf_symbols_at(symbols, i).name, STR("printf@plt"));
	assert_int_equal(stubs, 2);
	elf_symbols_free(symbols);
}

static void the_first_stub_belongs_to_no_function(void **state)
{
	struct elf_symbols *symbols = load_symbols(SAMPLE("lazy"));
	struct elf_symbol s;
	int fd;
	struct elf_file *file = open_elf(SAMPLE("lazy"), &fd);
	const struct elf_section *plt = elf_section_named(file, ".plt");

	(void)state;
	assert_non_null(plt);
	assert_false(elf_symbols_find(symbols, plt->addr, &s));
	assert_true(elf_symbols_find(symbols, plt->addr + 16, &s));
	elf_close(file);
	close(fd);
	elf_symbols_free(symbols);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stubs_have_the_names_that_objdump_gives),
		cmocka_unit_test(the_lazy_half_of_an_ibt_stub_is_named_too),
		cmocka_unit_test(the_first_stub_belongs_to_no_function),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
