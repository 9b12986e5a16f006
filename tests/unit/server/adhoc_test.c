/* Uploaded profiles: each format is shown, kept, listed, compared; what is no profile is not kept. */
#include "api_fixture.h"

#include "base/base64.h"
#include "base/fd.h"

#define ADHOC "/adhocprofiles.v1.AdHocProfileService/"

static void assert_has(const struct fixture *f, const char *part)
{
	struct str got = buf_text(&f->answer.body);
	if (str_find(got, str_of(part)) < 0)
		fail_msg("%s\nis not in %d %.*s", part, f->answer.status, STR_ARG(got));
}

static void ask_json(struct fixture *f, const char *method, struct str body, int status)
{
	f->request.header_count = 0;
	add_header(f, STR("content-type"), STR("application/json"));
	call(f, method, body);
	if (f->answer.status != status)
		fail_msg("%d %.*s", f->answer.status, STR_ARG(buf_text(&f->answer.body)));
}

/* The new profile's id, or {NULL}. */
static struct str upload(struct fixture *f, const char *name, struct str bytes, int status)
{
	struct buf body = {0};
	buf_printf(&body, "{\"name\":\"%s\",\"profile\":\"", name);
	base64_put(&body, bytes, true);
	buf_cstr(&body, "\"}");
	ask_json(f, ADHOC "Upload", arena_str(&f->arena, buf_text(&body)), status);
	buf_deinit(&body);
	struct str got = buf_text(&f->answer.body);
	ptrdiff_t at = str_find(got, STR("{\"id\":\""));
	return at < 0 ? (struct str){NULL, 0} : arena_str(&f->arena, str_sub(got, 7, 28));
}

static void formats_are_told_apart(void **state)
{
	struct fixture *f = *state;
	struct buf pprof = {0};
	upload(f, "a.folded", STR("main;work 3\nmain 1\n"), 200);
	assert_has(f, "\"name\":\"a.folded\"");
	assert_has(f, "\"profileType\":\"samples\",\"profileTypes\":[\"samples\"]");
	assert_has(f, "\\\"levels\\\":[[0,4,0,0],[0,4,1,1],[1,3,3,2]],\\\"numTicks\\\":4");
	upload(f, "a.json",
	       STR("{\"version\":1,\"flamebearer\":{\"names\":[\"total\",\"x\"],\"levels\":[[0,9,0,"
		   "0],"
		   "[0,9,9,1]],\"numTicks\":9,\"maxSelf\":9},\"metadata\":{\"name\":\"cpu\","
		   "\"units\":\"samples\"}}"),
	       200);
	assert_has(f, "\"profileType\":\"cpu\"");
	assert_has(f, "\\\"levels\\\":[[0,9,0,0],[0,9,9,1]]");
	upload(f, "a.speedscope.json",
	       STR("{\"$schema\":\"https://www.speedscope.app/"
		   "file-format-schema.json\",\"shared\":{\"frames\":[{\"name\":\"f\"}]},"
		   "\"profiles\":[{\"type\":"
		   "\"sampled\","
		   "\"name\":\"p\",\"unit\":\"none\",\"startValue\":0,\"endValue\":2,\"samples\":[["
		   "0]],"
		   "\"weights\":[2]}]}"),
	       200);
	assert_has(f, "\\\"levels\\\":[[0,2,0,0],[0,2,2,1]]");
	if (fd_read_file(TEST_DATA "/pprof/go-cpu.pprof", 1 << 20, &pprof, &f->err))
		fail_msg("%s", f->err.text);
	struct str id = upload(f, "go-cpu.pprof", buf_text(&pprof), 200);
	assert_has(f, "\"profileTypes\":[\"samples\",\"cpu\"]");
	char body[128];
	snprintf(body, sizeof(body), "{\"id\":\"%.*s\",\"profileType\":\"cpu\"}", STR_ARG(id));
	ask_json(f, ADHOC "Get", str_of(body), 200);
	assert_has(f, "\\\"numTicks\\\":480000000");
	assert_has(f, "main.spin");
	snprintf(body, sizeof(body), "{\"id\":\"%.*s\",\"profileType\":\"heap\"}", STR_ARG(id));
	ask_json(f, ADHOC "Get", str_of(body), 400);
	buf_deinit(&pprof);
}

/* 2^53 + 1 is the first that a double cannot hold. */
static void numbers_of_a_flamebearer_are_whole(void **state)
{
	struct fixture *f = *state;
	upload(f, "big.json",
	       STR("{\"version\":1,\"flamebearer\":{\"names\":[\"total\"],\"levels\":[[0,"
		   "9007199254740993,9007199254740993,0]]}}"),
	       200);
	assert_has(f, "[[0,9007199254740993,9007199254740993,0]]");
	upload(f, "huge.json",
	       STR("{\"version\":1,\"flamebearer\":{\"names\":[\"total\"],\"levels\":[[0,1e300,0,"
		   "0]]}}"),
	       400);
	upload(f, "text.json",
	       STR("{\"version\":1,\"flamebearer\":{\"names\":[\"total\"],\"levels\":[[0,\"7\",0,"
		   "0]]}}"),
	       400);
}

/* A few kilobytes for each of many profiles; what is shown is one of them. */
static void memory_is_that_of_the_profile_shown(void **state)
{
	enum { PROFILES = 1000, FRAMES = 50, PACE = 64 };
	struct fixture *f = *state;
	struct buf text = {0};

	buf_cstr(&text, "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\","
			"\"shared\":{\"frames\":[{\"name\":\"f\"}");
	for (int i = 1; i < PROFILES * FRAMES; i++)
		buf_printf(&text, ",{\"name\":\"f%d\"}", i);
	buf_cstr(&text, "]},\"profiles\":[");
	for (int i = 0; i < PROFILES; i++) {
		buf_printf(&text,
			   "%s{\"type\":\"sampled\",\"name\":\"p%d\",\"unit\":\"none\","
			   "\"weights\":[2],\"samples\":[[%d",
			   i ? "," : "", i, i * FRAMES);
		for (int k = 1; k < FRAMES; k++)
			buf_printf(&text, ",%d", i * FRAMES + k);
		buf_cstr(&text, "]]}");
	}
	buf_cstr(&text, "]}");
	size_t before = f->arena.used_bytes;
	struct str id = upload(f, "many", buf_text(&text), 200);
	assert_true(f->arena.used_bytes - before < PACE * text.len);
	char body[128];
	snprintf(body, sizeof(body), "{\"id\":\"%.*s\",\"profileType\":\"p7\"}", STR_ARG(id));
	ask_json(f, ADHOC "Get", str_of(body), 200);
	assert_has(f, "\"profileType\":\"p7\"");
	assert_has(f, "f350");
	buf_deinit(&text);
}

static void profiles_are_listed_the_newest_first_and_compared(void **state)
{
	struct fixture *f = *state;
	char body[256];
	ask(f, ADHOC "List", "{}", 200, "{}");
	struct str one = upload(f, "one", STR("a 1\n"), 200);
	uint64_t before = clock_real_ns() / NS_PER_MS;
	while (clock_real_ns() / NS_PER_MS == before)
		;
	struct str two = upload(f, "two", STR("a 3\nb 2\n"), 200);
	ask_json(f, ADHOC "List", STR("{}"), 200);
	struct str got = buf_text(&f->answer.body);
	assert_true(str_find(got, STR("\"two\"")) < str_find(got, STR("\"one\"")));
	snprintf(body, sizeof(body), "{\"leftId\":\"%.*s\",\"rightId\":\"%.*s\"}", STR_ARG(one),
		 STR_ARG(two));
	ask_json(f, ADHOC "Diff", str_of(body), 200);
	assert_has(f, "\\\"levels\\\":[[0,1,0,0,5,0,0],[0,1,1,0,3,3,1,0,0,0,0,2,2,2]]");
	assert_has(f, "\\\"format\\\":\\\"double\\\"");
}

static void what_is_no_profile_is_not_kept(void **state)
{
	struct fixture *f = *state;
	upload(f, "x", STR("\x01\x02\x03"), 400);
	assert_has(f, "pprof: ");
	upload(f, "x", STR("{}"), 400);
	upload(f, "x", STR("no number here\n"), 400);
	ask_json(f, ADHOC "Upload", STR("{\"profile\":\"%%\"}"), 400);
	ask_json(f, ADHOC "Upload", STR("{}"), 400);
	ask(f, ADHOC "List", "{}", 200, "{}");
}

static void ids_are_no_paths(void **state)
{
	static const char *const ids[] = {"", "../settings", "0123456789ab0123456789abcdef",
					  "../../../../../../../../etc/"};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		char body[128];
		snprintf(body, sizeof(body), "{\"id\":\"%s\"}", ids[i]);
		ask_json(f, ADHOC "Get", str_of(body), 404);
	}
}

static void the_oldest_makes_room(void **state)
{
	struct fixture *f = *state;
	size_t count = 0;
	for (unsigned i = 0; i < 103; i++) {
		char name[16];
		snprintf(name, sizeof(name), "p%u", i);
		upload(f, name, STR("a 1\n"), 200);
		arena_reset(&f->arena);
	}
	ask_json(f, ADHOC "List", STR("{}"), 200);
	struct str rest = buf_text(&f->answer.body), part;
	while (str_next(&rest, '{', &part))
		count += str_find(part, STR("\"uploadedAt\"")) > 0;
	assert_int_equal(count, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(formats_are_told_apart),
		TEST(numbers_of_a_flamebearer_are_whole),
		TEST(memory_is_that_of_the_profile_shown),
		TEST(profiles_are_listed_the_newest_first_and_compared),
		TEST(what_is_no_profile_is_not_kept),
		TEST(ids_are_no_paths),
		TEST(the_oldest_makes_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
