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
#include "layout_encode.h"
#include "random_batch.h"
#include "wire/wire.h"

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

/* sent, as text, and back, with the .proto of a release ("1_10") and its package. */
static int run_protoc(const char *release, const char *package)
{
	char command[1024];

	snprintf(command, sizeof(command),
		 "cd %s && f='--proto_path=%s otlp_profiles_%s.proto' && "
		 "protoc --decode=cresset.test.%s.Request $f < sent > text && "
		 "protoc --encode=cresset.test.%s.Request $f < text > back",
		 dir, PROTO_DIR, release, package, package);
	return system(command);
}

/* Every field has its name: one without would be printed as its number. */
static void assert_all_named(struct str text)
{
	struct str line;

	while (str_next(&text, '\n', &line)) {
		line = str_trim(line);
		if (line.len > 0 && line.ptr[0] >= '0' && line.ptr[0] <= '9')
			fail_msg("a field that the .proto does not have: %.*s", STR_ARG(line));
	}
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
		assert_int_equal(run_protoc("1_10", "otlp"), 0);
		read_file("text", &text);
		read_file("back", &back);
		struct digest got = decode(&arena, buf_text(&back));
		assert_int_equal(got.content, whole.content);
		assert_int_equal(got.total, whole.total);
		assert_int_equal(got.profiles, whole.profiles);
		assert_all_named(buf_text(&text));
		assert_true(str_find(buf_text(&text), STR("attribute_indices: ")) > 0);
		buf_deinit(&sent);
		buf_deinit(&text);
		buf_deinit(&back);
		arena_deinit(&arena);
	}
}

static const struct {
	enum wire_layout layout;
	const char *release, *package;
} older[] = {
	{WIRE_LAYOUT_A, "1_3", "otlp_1_3"},  {WIRE_LAYOUT_B, "1_5", "otlp_1_5"},
	{WIRE_LAYOUT_C, "1_6", "otlp_1_6"},  {WIRE_LAYOUT_D, "1_7", "otlp_1_7"},
	{WIRE_LAYOUT_E1, "1_8", "otlp_1_8"}, {WIRE_LAYOUT_E2, "1_9", "otlp_1_9"},
};

/* What the tests write in an older layout is that layout, and so is what we read. */
static void protoc_understands_the_older_layouts_as_we_do(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(older) / sizeof(older[0]); i++) {
		struct buf sent, text, back;
		struct arena arena;
		arena_init(&arena, 0);
		buf_init(&text, 0);
		buf_init(&back, 0);
		struct profile_batch *batch = random_batch(&arena, 20 + i, 60, 3);
		struct digest whole = digest_batch(batch);
		sent = layout_encode(batch, older[i].layout);
		write_file("sent", buf_text(&sent));
		assert_int_equal(run_protoc(older[i].release, older[i].package), 0);
		read_file("text", &text);
		read_file("back", &back);
		assert_all_named(buf_text(&text));
		struct digest got = decode(&arena, buf_text(&back));
		assert_int_equal(got.content, whole.content);
		assert_int_equal(got.total, whole.total);
		assert_int_equal(got.events, whole.events);
		buf_deinit(&sent);
		buf_deinit(&text);
		buf_deinit(&back);
		arena_deinit(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(protoc_understands_us_and_we_it),
		cmocka_unit_test(protoc_understands_the_older_layouts_as_we_do),
	};

	if (system("protoc --version > /dev/null 2>&1")) {
		puts("protoc is not installed");
		return 77; /* skipped, in meson's terms */
	}
	return cmocka_run_group_tests_name("wire/protoc", tests, setup, teardown);
}
