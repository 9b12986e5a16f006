/* What Google's protoc reads of the message that goes to Prometheus. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/zip.h"
#include "wire/remote_write.h"

#define LABEL(name_, value_)            \
	{                               \
		STR(name_), STR(value_) \
	}

/* The bytes as text, by tests/data/remote_write.proto. */
static void assert_reads(struct str bytes, const char *want)
{
	char path[] = "/tmp/cresset-remote-write-XXXXXX", command[512], got[4096];
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(fd_replace_file(path, bytes.ptr, bytes.len, NULL), 0);
	snprintf(command, sizeof(command),
		 "protoc --decode=prometheus.WriteRequest -I %s remote_write.proto < %s", TEST_DATA,
		 path);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	got[fread(got, 1, sizeof(got) - 1, pipe)] = '\0';
	assert_int_equal(pclose(pipe), 0);
	unlink(path);
	assert_string_equal(got, want);
}

static void put_two(struct buf *out)
{
	struct remote_write_label first[] = {LABEL("service_name", "shop"), LABEL("empty", ""),
					     LABEL("__name__", "cpu"), LABEL("Zone", "b")};
	struct remote_write_label second[] = {LABEL("__name__", "cpu")};
	remote_write_series(out, first, 4, 56.5, 1700000060000);
	remote_write_series(out, second, 1, 0, 1700000060000);
}

static void labels_are_sorted_and_empty_ones_left_out(void **state)
{
	struct buf out = {0};
	(void)state;
	put_two(&out);
	assert_reads(buf_text(&out), "timeseries {\n"
				     "  labels {\n    name: \"Zone\"\n    value: \"b\"\n  }\n"
				     "  labels {\n    name: \"__name__\"\n    value: \"cpu\"\n  }\n"
				     "  labels {\n    name: \"service_name\"\n"
				     "    value: \"shop\"\n  }\n"
				     "  samples {\n    value: 56.5\n"
				     "    timestamp: 1700000060000\n  }\n}\n"
				     "timeseries {\n"
				     "  labels {\n    name: \"__name__\"\n    value: \"cpu\"\n  }\n"
				     "  samples {\n    timestamp: 1700000060000\n  }\n}\n");
	buf_deinit(&out);
}

/* timeseries{labels{"a": "b"}, samples{1.0 at 1}}, byte for byte. */
static void the_bytes_are_those_of_the_specification(void **state)
{
	static const char want[] = "\x0a\x15\x0a\x06\x0a\x01"
				   "a\x12\x01"
				   "b\x12\x0b\x09\x00\x00\x00\x00\x00\x00\xf0\x3f\x10\x01";
	struct remote_write_label label[] = {LABEL("a", "b")};
	struct buf out = {0};
	(void)state;
	remote_write_series(&out, label, 1, 1.0, 1);
	assert_int_equal(out.len, sizeof(want) - 1);
	assert_memory_equal(out.ptr, want, out.len);
	buf_deinit(&out);
}

static void a_packed_message_is_one_block_that_unpacks(void **state)
{
	struct buf out = {0}, packed = {0}, back = {0};
	(void)state;
	put_two(&out);
	assert_int_equal(zip_snappy(buf_text(&out), &packed, NULL), 0);
	/* A block begins with its plain size (format_description.txt, section 1). */
	assert_int_equal((uint8_t)packed.ptr[0] & 0x7f, out.len & 0x7f);
	assert_int_equal(zip_unsnappy(buf_text(&packed), out.len, &back, NULL), 0);
	assert_true(str_equal(buf_text(&back), buf_text(&out)));
	buf_deinit(&out);
	buf_deinit(&packed);
	buf_deinit(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_are_sorted_and_empty_ones_left_out),
		cmocka_unit_test(the_bytes_are_those_of_the_specification),
		cmocka_unit_test(a_packed_message_is_one_block_that_unpacks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
