#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/mem.h"

/* RFC 4648, section 10, and bytes that need the last two digits. */
static const struct {
	const char *plain, *padded, *bare, *url;
} cases[] = {
	{"", "", "", ""},
	{"f", "Zg==", "Zg", "Zg"},
	{"fo", "Zm8=", "Zm8", "Zm8"},
	{"foo", "Zm9v", "Zm9v", "Zm9v"},
	{"foob", "Zm9vYg==", "Zm9vYg", "Zm9vYg=="},
	{"fooba", "Zm9vYmE=", "Zm9vYmE", "Zm9vYmE="},
	{"foobar", "Zm9vYmFy", "Zm9vYmFy", "Zm9vYmFy"},
	{"\xfb\xff\xfe", "+//+", "+//+", "-__-"},
};

enum { CASES = sizeof(cases) / sizeof(cases[0]) };

static void known_texts_are_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		struct buf out;
		buf_init(&out, 0);
		base64_put(&out, str_of(cases[i].plain), true);
		assert_true(str_equal(buf_text(&out), str_of(cases[i].padded)));
		buf_clear(&out);
		base64_put(&out, str_of(cases[i].plain), false);
		assert_true(str_equal(buf_text(&out), str_of(cases[i].bare)));
		buf_deinit(&out);
	}
}

static void known_texts_are_read_in_every_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		const char *forms[] = {cases[i].padded, cases[i].bare, cases[i].url};
		for (size_t f = 0; f < 3; f++) {
			uint8_t out[16];
			size_t len = 99;
			assert_true(base64_get(str_of(forms[f]), out, &len));
			assert_int_equal(len, strlen(cases[i].plain));
			assert_memory_equal(out, cases[i].plain, len);
		}
	}
}

static void what_is_not_base64_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {"Z",	"Zg=",	"Z!==", "Zh==",
					    "Zg==Zg==", "Zm9=", "====", "Zm 9"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		uint8_t out[16];
		size_t len = 0;
		if (base64_get(str_of(wrong[i]), out, &len))
			fail_msg("\"%s\" was read", wrong[i]);
	}
}

static void without_memory_the_buffer_remembers(void **state)
{
	(void)state;
	struct buf out;
	struct err err = {0};
	buf_init(&out, 0);
	mem_fail_nth(1);
	base64_put(&out, STR("foobar"), true);
	mem_fail_nth(0);
	assert_int_equal(buf_check(&out, "text", &err), ERR_NOMEM);
	buf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_texts_are_written),
		cmocka_unit_test(known_texts_are_read_in_every_form),
		cmocka_unit_test(what_is_not_base64_is_refused),
		cmocka_unit_test(without_memory_the_buffer_remembers),
	};
	return cmocka_run_group_tests_name("base/base64", tests, NULL, NULL);
}
