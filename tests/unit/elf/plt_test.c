#include "samples.h"

#include <elf.h>

#include "elf/plt_stub.h"

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

static void the_first_stub_has_the_name_of_its_section(void **state)
{
	struct elf_symbols *symbols = load_symbols(SAMPLE("lazy"));
	struct elf_symbol s;
	int fd;
	struct elf_file *file = open_elf(SAMPLE("lazy"), &fd);
	const struct elf_section *plt = elf_section_named(file, ".plt");

	(void)state;
	assert_non_null(plt);
	assert_true(elf_symbols_find(symbols, plt->addr, &s));
	assert_text(s.name, ".plt");
	assert_int_equal(s.size, 16);
	assert_true(elf_symbols_find(symbols, plt->addr + 16, &s));
	elf_close(file);
	close(fd);
	elf_symbols_free(symbols);
}

/* A static program calls memcpy and the like through stubs, too (STT_GNU_IFUNC). */
static void stubs_of_resolved_functions_have_their_names(void **state)
{
	struct elf_symbols *symbols = load_symbols(SAMPLE("static"));

	(void)state;
	(void)symbol_named(symbols, "memcpy@plt");
	(void)symbol_named(symbols, "strlen@plt");
	elf_symbols_free(symbols);
}

/* As GNU ld made them for a call of printf: slot 0x11000 + 0xfb0. */
static void stubs_of_aarch64_are_read(void **state)
{
	static const uint32_t plain[] = {0xb0000090, 0xf947da11, 0x913ec210, 0xd61f0220};
	static const uint32_t bti[] = {0xd503245f, 0xb0000090, 0xf947da11,
				       0x913ec210, 0xd61f0220, 0xd503201f};
	static const uint32_t backwards[] = {0xf0ffff90, 0xf9400211, 0x91000210, 0xd61f0220};
	static const uint32_t other_register[] = {0xb0000091, 0xf947da11, 0x913ec210, 0xd61f0220};
	struct plt_stub stub;

	(void)state;
	assert_true(plt_stub_decode(EM_AARCH64, 0, str_make(plain, sizeof(plain)), 0x600, &stub));
	assert_int_equal(stub.slot, 0x11fb0);
	assert_int_equal(stub.size, 16);
	assert_true(plt_stub_decode(EM_AARCH64, 0, str_make(bti, sizeof(bti)), 0x600, &stub));
	assert_int_equal(stub.slot, 0x11fb0);
	assert_int_equal(stub.size, 24);
	assert_true(plt_stub_decode(EM_AARCH64, 0, str_make(backwards, sizeof(backwards)), 0x10600,
				    &stub));
	assert_int_equal(stub.slot, 0x10000 - 0xd000);
	assert_false(plt_stub_decode(EM_AARCH64, 0,
				     str_make(other_register, sizeof(other_register)), 0, &stub));
	assert_int_equal(stub.size, 4);
}

static void any_instructions_make_stubs_of_some_size(void **state)
{
	static const uint16_t machines[] = {EM_X86_64, EM_AARCH64};
	uint8_t bytes[24];
	uint32_t seed = 1;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		size_t len = 1 + (size_t)i % sizeof(bytes);
		uint8_t *copy = malloc(len);
		struct plt_stub stub;
		for (size_t k = 0; k < len; k++)
			copy[k] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 20);
		(void)plt_stub_decode(machines[i & 1], (uint64_t)(i & 8), str_make(copy, len), 0,
				      &stub);
		assert_in_range(stub.size, 1, len);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stubs_have_the_names_that_objdump_gives),
		cmocka_unit_test(the_lazy_half_of_an_ibt_stub_is_named_too),
		cmocka_unit_test(the_first_stub_has_the_name_of_its_section),
		cmocka_unit_test(stubs_of_resolved_functions_have_their_names),
		cmocka_unit_test(stubs_of_aarch64_are_read),
		cmocka_unit_test(any_instructions_make_stubs_of_some_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
