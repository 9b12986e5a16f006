#include "samples.h"

struct name_case {
	const char *system, *display;
};

static void check_cases(const struct name_case *cases, size_t count)
{
	struct buf scratch;

	buf_init(&scratch, 0);
	for (size_t i = 0; i < count; i++)
		assert_text(symbol_display_name(str_of(cases[i].system), &scratch),
			    cases[i].display);
	buf_deinit(&scratch);
}

#define CHECK(cases) check_cases(cases, sizeof(cases) / sizeof((cases)[0]))

static void cplusplus_names_lose_their_parameters(void **state)
{
	static const struct name_case cases[] = {
		{"_Z3foov", "foo"},
		{"_ZN3foo3barEi", "foo::bar"},
		{"_ZNK3foo3barEPKc", "foo::bar"},
		{"_ZNSt6vectorIiSaIiEE9push_backERKi",
		 "std::vector<int, std::allocator<int> >::push_back"},
		{"_ZN12_GLOBAL__N_16hiddenEi", "(anonymous namespace)::hidden"},
		{"_ZN3fooC1Ev", "foo::foo"},
		{"_ZN3fooD0Ev", "foo::~foo"},
		{"_ZplRK3fooS1_", "operator+"},
		{"_ZN3maxIdEET_S1_S1_", "max<double>"},
		{"_ZZ4mainENKUliE_clEi", "main::{lambda(int)#1}::operator()"},
	};

	(void)state;
	CHECK(cases);
}

static void rust_names_lose_their_hashes(void **state)
{
	static const struct name_case cases[] = {
		{"_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write"},
		{"_ZN71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test$GT$$GT$3bar"
		 "17h930b740aa94f1d3aE",
		 "<Test + 'static as foo::Bar<Test>>::bar"},
		{"_RNvC6_123foo3bar", "123foo::bar"},
		{"_RNvCs1ZVfQdTwIpf_5regex6escape", "regex::escape"},
		{"_RNvXs1g_NtCsgEmfK2I1SDS_4core3fmtRINtNtCslNYArtu3iFV_5alloc5boxed3BoxNtNtCs61nH"
		 "kvlE5qF_9rustc_ast3ast2TyENtB6_5Debug3fmtCsdadwybgsbvk_12rustc_middle",
		 "<&alloc::boxed::Box<rustc_ast::ast::Ty> as core::fmt::Debug>::fmt"},
		/* RFC 2603, "Punycode Identifier". */
		{"_RNqCs4fqI2P2rA04_11utf8_identsu30____7hkackfecea1cbdathfdh9hlq6y",
		 "utf8_idents::"
		 "\xe1\x83\xa1\xe1\x83\x90\xe1\x83\xad\xe1\x83\x9b\xe1\x83\x94\xe1\x83\x9a"
		 "\xe1\x83\x90\xe1\x83\x93_"
		 "\xe1\x83\x92\xe1\x83\x94\xe1\x83\x9b\xe1\x83\xa0\xe1\x83\x98"
		 "\xe1\x83\x94\xe1\x83\x9a\xe1\x83\x98_"
		 "\xe1\x83\xa1\xe1\x83\x90\xe1\x83\x93\xe1\x83\x98"
		 "\xe1\x83\x9a\xe1\x83\x98"},
	};

	(void)state;
	CHECK(cases);
}

static void parts_and_copies_of_a_function_are_one_function(void **state)
{
	static const struct name_case cases[] = {
		{"_ZN3foo3barEi.constprop.0", "foo::bar"},
		{"_ZN3foo3barEi.isra.0.part.12.cold", "foo::bar"},
		{"_ZN3foo3barEi.llvm.5540057329546874339", "foo::bar"},
		{"_ZN3foo3barEi.lto_priv.0", "foo::bar"},
		{"_ZN3foo3barEi.avx2", "foo::bar.avx2"},
		{"_ZN3foo3barEi.constprop.0.avx2", "foo::bar.avx2"},
		{"_ZN4core3fmt5write17h0123456789abcdefE.llvm.99", "core::fmt::write"},
		{"_RNvCs1ZVfQdTwIpf_5regex6escape.cold", "regex::escape"},
	};

	(void)state;
	CHECK(cases);
}

static void other_names_stay_as_they_are(void **state)
{
	static const struct name_case cases[] = {
		{"", ""},
		{"main", "main"},
		{"main.cold", "main.cold"},
		{"qsort_r.constprop.0", "qsort_r.constprop.0"},
		{"_start", "_start"},
		{"_Z", "_Z"},
		{"_R", "_R"},
		{"_Z99shortname", "_Z99shortname"},
		{"_ZN3foo", "_ZN3foo"},
		{"_Rubbish", "_Rubbish"},
		{"main.(*server).Serve", "main.(*server).Serve"},
		{"printf@plt", "printf@plt"},
	};

	(void)state;
	CHECK(cases);
}

static void a_stub_keeps_its_mark(void **state)
{
	static const struct name_case cases[] = {
		{"_ZN3foo3barEi@plt", "foo::bar@plt"},
		{"_ZNSsC1Ev@plt",
		 "std::basic_string<char, std::char_traits<char>, std::allocator<char> >::"
		 "basic_string@plt"},
	};

	(void)state;
	CHECK(cases);
}

/* f<X>() with X = t<Y, Y>, Y = t<Z, Z>, and so on; the second of each two is a substitution, so the
 * mangling grows by six bytes while the text doubles (Itanium C++ ABI, "Compression"). */
static void append_doubling_name(struct buf *name)
{
	enum { LEVELS = 12 };

	buf_cstr(name, "_Z1fI");
	for (int i = 0; i < LEVELS; i++)
		buf_cstr(name, "1tI");
	buf_cstr(name, "iiE");
	/* f and the templates' names took S_ to SB_. */
	for (int i = 0; i < LEVELS - 1; i++)
		buf_printf(name, "S%c_E", 'A' + LEVELS - 10 + i);
	buf_cstr(name, "Evv");
}

static void a_name_that_doubles_and_doubles_is_cut(void **state)
{
	struct buf name, scratch;

	(void)state;
	buf_init(&name, 0);
	buf_init(&scratch, 0);
	append_doubling_name(&name);
	struct str shown = symbol_display_name(buf_text(&name), &scratch);
	assert_true(str_starts_with(shown, STR("f<t<t<t<t<")));
	assert_true(shown.len <= SYMBOL_DISPLAY_MAX + 3);
	assert_true(str_is_utf8(shown));
	assert_true(str_ends_with(shown, STR("\xe2\x80\xa6")));
	buf_deinit(&name);
	buf_deinit(&scratch);
}

static void a_rust_name_that_doubles_is_cut(void **state)
{
	/* Tuples of backrefs to the tuple before (RFC 2603, "Compression"). */
	struct buf name, scratch;
	size_t before;

	(void)state;
	buf_init(&name, 0);
	buf_init(&scratch, 0);
	buf_cstr(&name, "_RINvC1a1fTmmE");
	before = strlen("INvC1a1f");
	for (int i = 0; i < 40; i++) {
		static const char digits[] =
			"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
		char ref[16];
		size_t at = name.len - 2, n = 0, value = before - 1;
		char text[8];
		do {
			text[n++] = digits[value % 62];
			value /= 62;
		} while (value);
		ref[0] = 'B';
		for (size_t k = 0; k < n; k++)
			ref[1 + k] = text[n - 1 - k];
		ref[1 + n] = '_';
		ref[2 + n] = '\0';
		buf_printf(&name, "T%s%sE", ref, ref);
		before = at;
	}
	buf_cstr(&name, "E");
	struct str shown = symbol_display_name(buf_text(&name), &scratch);
	assert_true(str_starts_with(shown, STR("a::f::<(u32, u32), (")));
	assert_true(str_ends_with(shown, STR("\xe2\x80\xa6")));
	buf_deinit(&name);
	buf_deinit(&scratch);
}

static void deep_and_long_names_end(void **state)
{
	struct buf name, scratch;

	(void)state;
	buf_init(&name, 0);
	buf_init(&scratch, 0);
	for (size_t len = 100; len < 8000; len += 700) {
		buf_clear(&name);
		buf_cstr(&name, "_Z1f");
		while (name.len < len)
			buf_char(&name, 'P');
		buf_char(&name, 'i');
		(void)symbol_display_name(buf_text(&name), &scratch);
		buf_clear(&name);
		buf_cstr(&name, "_RINvC1a1f");
		while (name.len < len)
			buf_char(&name, 'R');
		buf_cstr(&name, "mE");
		(void)symbol_display_name(buf_text(&name), &scratch);
	}
	buf_deinit(&name);
	buf_deinit(&scratch);
}

static void without_memory_the_mangled_name_is_shown(void **state)
{
	struct buf scratch;

	(void)state;
	buf_init(&scratch, 0);
	mem_fail_nth(1);
	assert_text(symbol_display_name(STR("_ZN3foo3barEi"), &scratch), "_ZN3foo3barEi");
	mem_fail_nth(0);
	assert_text(symbol_display_name(STR("_ZN3foo3barEi"), &scratch), "foo::bar");
	buf_deinit(&scratch);
}

/* The names of a real C++ program, against the demangler of binutils. */
static void a_program_is_shown_as_cxxfilt_shows_it(void **state)
{
	struct elf_symbols *symbols = load_symbols(SAMPLE("cxx"));
	struct buf scratch;
	unsigned compared = 0;

	(void)state;
	buf_init(&scratch, 0);
	for (uint32_t i = 0; i < elf_symbols_count(symbols); i++) {
		struct str name = elf_symbols_at(symbols, i).name;
		char command[2048], line[4096];
		if (!str_starts_with(name, STR("_ZN")) || name.len > 1000 ||
		    str_find_char(name, '@') >= 0 || str_find_char(name, '.') >= 0)
			continue;
		snprintf(command, sizeof(command), "c++filt -p '%.*s'", STR_ARG(name));
		command_line(command, line, sizeof(line));
		assert_text(symbol_display_name(name, &scratch), line);
		compared++;
	}
	assert_true(compared > 5);
	buf_deinit(&scratch);
	elf_symbols_free(symbols);
}

static void d_functions_are_shown_without_parameters(void **state)
{
	static const struct name_case cases[] = {
		{"_Dmain", "D main"},
		{"_D8demangle4testFaZv", "demangle.test"},
		{"_D8demangle4test3fooMxFZv", "demangle.test.foo"},
		{"_D8demangle__T4testTaZv", "demangle.test!(char)"},
		{"_D8demangle3fooFZ3barMFiZv", "demangle.foo.bar"},
		{"_D3std5stdio__T7writelnTAyaZQnFNfQjZv",
		 "std.stdio.writeln!(immutable(char)[]).writeln"},
		{"_DYNAMIC", "_DYNAMIC"},
		{"_D", "_D"},
		{"_D8demang", "_D8demang"},
	};

	(void)state;
	CHECK(cases);
}

/* Each reference may double what there is. */
static void d_names_that_would_unpack_are_left_alone(void **state)
{
	char name[600] = "_D3fooFSQaSQaSQaSQaSQaSQaSQaSQaSQaZv";
	struct buf scratch;

	(void)state;
	buf_init(&scratch, 0);
	assert_text(symbol_display_name(str_of(name), &scratch), name);
	memset(name, 'A', 507);
	memcpy(name, "_D3fooF", 7);
	assert_text(symbol_display_name(str_of(name), &scratch), name);
	buf_deinit(&scratch);
}

static void go_functions_are_shown_by_what_they_are_shaped_for(void **state)
{
	static const struct name_case cases[] = {
		{"main.Map[go.shape.int,go.shape.string]", "main.Map[int,string]"},
		{"main.(*List[go.shape.int_0]).Add", "main.(*List[int]).Add"},
		{"slices.pdq[go.shape.struct { main.a_1 int }]",
		 "slices.pdq[struct { main.a_1 int }]"},
		{"main.Map[...]", "main.Map[...]"},
		{"main.Map[int]", "main.Map[int]"},
		{"go.shape.int", "go.shape.int"},
	};

	(void)state;
	CHECK(cases);
}

static void the_full_form_keeps_everything(void **state)
{
	static const struct name_case cases[] = {
		{"_ZN3foo3barEi", "foo::bar(int)"},
		{"_ZN3foo3barEi.constprop.0", "foo::bar(int) [clone .constprop.0]"},
		{"_ZN3foo3barEi@plt", "foo::bar(int)@plt"},
		{"_Z3maxIdET_S0_S0_", "double max<double>(double, double)"},
		{"_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write::h0123456789abcdef"},
		{"_RNvCs1ZVfQdTwIpf_5regex6escape", "regex[1747e67f9005a01f]::escape"},
		{"_D8demangle4testFaZv", "demangle.test(char)"},
		{"main.Map[go.shape.int]", "main.Map[go.shape.int]"},
		{"main", "main"},
	};
	struct buf scratch;

	(void)state;
	buf_init(&scratch, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_text(symbol_full_name(str_of(cases[i].system), &scratch), cases[i].display);
	buf_deinit(&scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(d_functions_are_shown_without_parameters),
		cmocka_unit_test(d_names_that_would_unpack_are_left_alone),
		cmocka_unit_test(go_functions_are_shown_by_what_they_are_shaped_for),
		cmocka_unit_test(the_full_form_keeps_everything),
		cmocka_unit_test(cplusplus_names_lose_their_parameters),
		cmocka_unit_test(rust_names_lose_their_hashes),
		cmocka_unit_test(parts_and_copies_of_a_function_are_one_function),
		cmocka_unit_test(other_names_stay_as_they_are),
		cmocka_unit_test(a_stub_keeps_its_mark),
		cmocka_unit_test(a_name_that_doubles_and_doubles_is_cut),
		cmocka_unit_test(a_rust_name_that_doubles_is_cut),
		cmocka_unit_test(deep_and_long_names_end),
		cmocka_unit_test(without_memory_the_mangled_name_is_shown),
		cmocka_unit_test(a_program_is_shown_as_cxxfilt_shows_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
