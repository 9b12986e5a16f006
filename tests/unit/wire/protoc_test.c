/* Google's protoc between our encoder and our decoder: it reads what we wrote,
 * prints it as text, reads the text and writes it anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "random_batch.h"
#include "wire/wire.h"

#define FILES	"--proto_path=" PROTO_DIR " otlp_profiles_1_10.proto"
#define MESSAGE "cresset.test.otlp.Request"

static char dir[64];

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/cresset-protoc-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void write_file(const char *name, struct str bytes)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes.ptr, 1, bytes.len, file), bytes.len);
	fclose(file);
}

static void read_file(const char *name, struct buf *ret)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(fd_read_file(path, 64 << 20, ret, NULL), 0);
}

static int run_protoc(void)
{
	char command[1024];

	snprintf(command, sizeof(command),
		 "cd %s && protoc --decode=" MESSAGE " " FILES " < sent > text && "
		 "protoc --encode=" MESSAGE " " FILES " < text > back",
		 dir);
	return system(command);
}

static struct digest decode(struct arena *arena, struct str bytes)
{
	struct profile_batch *batch;
	struct wire_limits limits;
	struct wire_report report;
	struct err err;

	wire_limits_default(&limits);
	if (wire_otlp_decode(bytes, arena, &limits, &batch, &report, &err))
		fail_msg("%s", err.text);
	assert_int_equal(report.rejected_profiles, 0);
	return digest_batch(batch);
}

static void protoc_understands_us_and_we_it(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct buf sent, text, back;
		struct arena arena;
		arena_init(&arena, 0);
		buf_init(&sent, 0);
		buf_init(&text, 0);
		buf_init(&back, 0);
		struct profile_batch *batch = random_batch(&arena, seed, 60, (int)seed - 1);
		struct digest whole = digest_batch(batch);
		assert_int_equal(wire_otlp_encode(batch, &sent, NULL), 0);
		write_file("sent", buf_text(&sent));
		assert_int_equal(run_protoc(), 0);
		read_file("text", &text);
		read_file("back", &back);
		struct digest got = decode(&arena, buf_text(&back));
		assert_int_equal(got.content, whole.content);
		assert_int_equal(got.total, whole.total);
		assert_int_equal(got.profiles, whole.profiles);
		/* Every field has its name: one without would be printed as its number. */
		assert_true(str_find(buf_text(&text), STR("\n1: ")) < 0);
		assert_true(str_find(buf_text(&text), STR(" 2: ")) < 0);
		assert_true(str_find(buf_text(&text), STR("attribute_indices: ")) > 0);
		buf_deinit(&sent);
		buf_deinit(&text);
		buf_deinit(&back);
		arena_deinit(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(protoc_understands_us_and_we_it)};

	if (system("protoc --version > /dev/null 2>&1")) {
		puts("protoc is not installed");
		return 77; /* skipped, in meson's terms */
	}
	return cmocka_run_group_tests_name("wire/protoc", tests, setup, teardown);
}
