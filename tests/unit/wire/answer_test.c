#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "protoscope.h"
#include "wire/wire.h"

static void assert_bytes(struct buf *got, const char *expected)
{
	struct buf want = protoscope(expected);

	assert_int_equal(got->len, want.len);
	if (want.len)
		assert_memory_equal(got->ptr, want.ptr, want.len);
	buf_deinit(&want);
	buf_deinit(got);
}

static void assert_text(struct buf *got, const char *expected)
{
	buf_char(got, '\0');
	assert_string_equal(got->ptr, expected);
	buf_deinit(got);
}

static void full_success_is_an_empty_message(void **state)
{
	struct wire_partial none = {0};
	struct buf out = {0};

	(void)state;
	assert_int_equal(wire_otlp_response(WIRE_PROTO, &none, &out, NULL), 0);
	assert_bytes(&out, "");
	assert_int_equal(wire_otlp_response(WIRE_JSON, &none, &out, NULL), 0);
	assert_text(&out, "{}");
}

static void partial_success_names_count_and_reason(void **state)
{
	struct wire_partial partial = {300, STR("stack 9")};
	struct buf out = {0};

	(void)state;
	assert_int_equal(wire_otlp_response(WIRE_PROTO, &partial, &out, NULL), 0);
	assert_bytes(&out, "1: { 1: 300 2: \"stack 9\" }");
}

static void partial_success_in_json(void **state)
{
	struct wire_partial partial = {300, STR("stack \"9\"\n\x01")};
	struct buf out = {0};

	(void)state;
	assert_int_equal(wire_otlp_response(WIRE_JSON, &partial, &out, NULL), 0);
	assert_text(&out, "{\"partialSuccess\":{\"rejectedProfiles\":\"300\",\"errorMessage\":"
			  "\"stack \\\"9\\\"\\n\\u0001\"}}");
}

static void a_sender_reads_what_we_answer(void **state)
{
	struct wire_partial partial = {7, STR("why")}, got;
	struct buf out = {0};

	(void)state;
	assert_int_equal(wire_otlp_response(WIRE_PROTO, &partial, &out, NULL), 0);
	assert_int_equal(wire_otlp_response_decode(buf_text(&out), &got, NULL), 0);
	assert_int_equal(got.rejected_profiles, 7);
	assert_true(str_equal(got.message, STR("why")));
	buf_deinit(&out);
	assert_int_equal(wire_otlp_response_decode(STR(""), &got, NULL), 0);
	assert_int_equal(got.rejected_profiles, 0);
	assert_int_equal(wire_otlp_response_decode(STR("\x0a\x05\x08"), &got, NULL), ERR_INVALID);
	assert_int_equal(wire_otlp_response_decode(STR("\x0a\x01\x08"), &got, NULL), ERR_INVALID);
}

static void a_failure_is_a_status_and_may_say_when_to_come_back(void **state)
{
	struct buf out = {0};

	(void)state;
	assert_int_equal(wire_status(WIRE_PROTO, 3, STR("bad"), -1, &out, NULL), 0);
	assert_bytes(&out, "1: 3 2: \"bad\"");
	assert_int_equal(wire_status(WIRE_PROTO, 8, STR("full"), 5250, &out, NULL), 0);
	assert_bytes(&out, "1: 8 2: \"full\" 3: { 1: \"type.googleapis.com/google.rpc.RetryInfo\" "
			   "2: { 1: { 1: 5 2: 250000000 } } }");
	assert_int_equal(wire_status(WIRE_JSON, 8, STR("full"), 5250, &out, NULL), 0);
	assert_text(&out,
		    "{\"code\":8,\"message\":\"full\",\"details\":[{\"@type\":"
		    "\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"5.250s\"}]}");
}

static void running_out_of_memory_is_an_error(void **state)
{
	struct wire_partial partial = {7, STR("why")};
	struct buf out = {0};

	(void)state;
	for (int encoding = WIRE_PROTO; encoding <= WIRE_JSON; encoding++) {
		mem_fail_nth(1);
		assert_int_equal(wire_otlp_response((enum wire_encoding)encoding, &partial, &out,
						    NULL),
				 ERR_NOMEM);
		mem_fail_nth(0);
		buf_deinit(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_success_is_an_empty_message),
		cmocka_unit_test(partial_success_names_count_and_reason),
		cmocka_unit_test(partial_success_in_json),
		cmocka_unit_test(a_sender_reads_what_we_answer),
		cmocka_unit_test(a_failure_is_a_status_and_may_say_when_to_come_back),
		cmocka_unit_test(running_out_of_memory_is_an_error),
	};
	return cmocka_run_group_tests_name("wire/answer", tests, NULL, NULL);
}
