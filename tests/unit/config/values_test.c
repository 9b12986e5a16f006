#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/clock.h"
#include "config/config.h"

static void durations_as_go_writes_them(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} cases[] = {
		{"0", 0},
		{"0s", 0},
		{"300ms", 300 * (int64_t)NS_PER_MS},
		{"1h2m3s", 3723 * (int64_t)NS_PER_S},
		{"1.5h", 5400 * (int64_t)NS_PER_S},
		{"-2m", -120 * (int64_t)NS_PER_S},
		{"+5us", 5000},
		{"5µs", 5000},
		{"5μs", 5000},
		{"9007199254740993ns", 9007199254740993},
		{"31d", 31 * 86400 * (int64_t)NS_PER_S},
		{"1w", 7 * 86400 * (int64_t)NS_PER_S},
		{"1y", 365 * 86400 * (int64_t)NS_PER_S},
		{".5s", 500 * (int64_t)NS_PER_MS},
		{"292y", 292 * 365 * INT64_C(86400) * NS_PER_S},
	};
	static const char *const bad[] = {"",
					  "5",
					  "s",
					  "1 s",
					  "1h ",
					  "-",
					  "1x",
					  "1hh",
					  "1.s.",
					  "300y",
					  "-0.5",
					  "1e3s",
					  "99999999999999999999s",
					  "5S"};
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (!config_to_duration(str_of(cases[i].text), &ns))
			fail_msg("%s was refused", cases[i].text);
		assert_true(ns == cases[i].ns);
	}
	ns = 7;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (config_to_duration(str_of(bad[i]), &ns))
			fail_msg("%s was taken", bad[i]);
	assert_int_equal(ns, 7);
}

static void durations_print_as_in_go_and_read_back(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} cases[] = {
		{0, "0s"},
		{1, "1ns"},
		{1500, "1.5µs"},
		{250 * NS_PER_MS, "250ms"},
		{NS_PER_S, "1s"},
		{90 * (int64_t)NS_PER_S, "1m30s"},
		{3600 * (int64_t)NS_PER_S, "1h0m0s"},
		{-5 * (int64_t)NS_PER_S, "-5s"},
		{NS_PER_S + 1, "1.000000001s"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out = {0};
		int64_t back;
		config_put_duration(&out, cases[i].ns);
		assert_true(str_equal(buf_text(&out), str_of(cases[i].text)));
		assert_true(config_to_duration(buf_text(&out), &back));
		assert_true(back == cases[i].ns);
		buf_deinit(&out);
	}
}

static void sizes_in_both_systems(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{"0", 0},
		{"4096", 4096},
		{"4KB", 4000},
		{"4KiB", 4096},
		{"4Ki", 4096},
		{"1.5GiB", 1610612736},
		{"64 MiB", 67108864},
		{"2T", 2000000000000},
		{"18446744073709551615", UINT64_MAX},
	};
	static const char *const bad[] = {"",		"B",	"-1",  "4X",
					  "4KiBs",	"4K 5", "1e3", "18446744073709551616",
					  "99999999TiB"};
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (!config_to_size(str_of(cases[i].text), &bytes))
			fail_msg("%s was refused", cases[i].text);
		assert_true(bytes == cases[i].bytes);
	}
	bytes = 7;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (config_to_size(str_of(bad[i]), &bytes))
			fail_msg("%s was taken", bad[i]);
	assert_int_equal(bytes, 7);
}

static void bools_are_true_and_false(void **state)
{
	bool value = false;

	(void)state;
	assert_true(config_to_bool(STR("True"), &value));
	assert_true(value);
	assert_true(config_to_bool(STR("false"), &value));
	assert_false(value);
	assert_false(config_to_bool(STR("yes"), &value));
	assert_false(config_to_bool(STR(""), &value));
}

static void a_likely_name_is_suggested(void **state)
{
	static const char *const names[] = {"samples_per_second", "endpoint", "tls", "timeout"};

	(void)state;
	assert_string_equal(config_suggest(STR("sample_per_second"), names, 4),
			    "samples_per_second");
	assert_string_equal(config_suggest(STR("samples-per-second"), names, 4),
			    "samples_per_second");
	assert_string_equal(config_suggest(STR("endpoitn"), names, 4), "endpoint");
	assert_string_equal(config_suggest(STR("tsl"), names, 4), "tls");
	assert_null(config_suggest(STR("zzz"), names, 4));
	assert_null(config_suggest(STR("x"), names, 4));
	assert_null(config_suggest(STR(""), names, 4));
	assert_null(config_suggest(STR("tls"), names, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_as_go_writes_them),
		cmocka_unit_test(durations_print_as_in_go_and_read_back),
		cmocka_unit_test(sizes_in_both_systems),
		cmocka_unit_test(bools_are_true_and_false),
		cmocka_unit_test(a_likely_name_is_suggested),
	};

	return cmocka_run_group_tests_name("config/values", tests, NULL, NULL);
}
