/* The REST paths: render, render-diff, label-values, and how times are written there. */
#include "api_fixture.h"

#include "server/attime.h"
#include "server/render.h"

static void ask_path(struct fixture *f, net_handler *handler, const char *query)
{
	buf_deinit(&f->answer.body);
	memset(&f->answer, 0, sizeof(f->answer));
	f->request.method = STR("GET");
	f->request.query = str_of(query);
	handler(&f->api, &f->request, &f->answer);
}

static void assert_has(const struct fixture *f, const char *part)
{
	struct str got = buf_text(&f->answer.body);
	if (str_find(got, str_of(part)) < 0)
		fail_msg("%s\nis not in %d %.*s", part, f->answer.status, STR_ARG(got));
}

#define SHOP  "query=" CPU "%7Bservice_name%3D%22shop%22%7D"
#define TIMES "&from=1700000000&until=1700000030"

static void render_has_bars_and_a_timeline(void **state)
{
	struct fixture *f = *state;
	ask_path(f, render_serve, SHOP TIMES);
	assert_answer(
		f, 200,
		"{\"version\":1,\"flamebearer\":{\"names\":[\"total\",\"main\",\"other_name\","
		"\"work\",\"libfoo.so+0x1234\"],\"levels\":[[0,56,0,0],[0,56,1,1],"
		"[1,5,5,2,0,50,20,3],[26,30,30,4]],\"numTicks\":56,\"maxSelf\":30},"
		"\"metadata\":{\"format\":\"single\",\"spyName\":\"\",\"sampleRate\":1000000000,"
		"\"units\":\"samples\",\"name\":\"cpu\"},\"timeline\":{\"startTime\":1700000000,"
		"\"samples\":[0,56,0],\"durationDelta\":15,\"watermarks\":null},"
		"\"groups\":null,\"heatmap\":null,\"leftTicks\":0,\"rightTicks\":0}");
	assert_true(str_equal(header(f, "content-type"), STR("application/json")));
	ask_path(f, render_serve, SHOP TIMES "&max-nodes=3&groupBy=thread_id");
	assert_has(f, "\"levels\":[[0,56,0,0],[0,56,1,1],[1,50,20,2,0,5,5,3],[21,30,30,3]]");
	assert_has(f, "\"groups\":{\"100\":{\"startTime\":1700000000,\"samples\":[0,36,0],");
	assert_has(f, "\"101\":{\"startTime\":1700000000,\"samples\":[0,20,0],");
	ask_path(f, render_serve, SHOP TIMES "&format=dot");
	assert_true(str_starts_with(buf_text(&f->answer.body), STR("digraph ")));
}

static void render_diff_has_seven_numbers_a_bar(void **state)
{
	struct fixture *f = *state;
	ask_path(f, render_diff_serve,
		 "leftQuery=" CPU
		 "{thread_id%3D%22101%22}&leftFrom=1700000000&leftUntil=1700000030000"
		 "&rightQuery=" CPU "%7B%7D&rightFrom=1700000000&rightUntil=1700000030");
	assert_has(f, "\"levels\":[[0,20,0,0,56,0,0],[0,20,0,0,56,1,1],");
	assert_has(f, "\"format\":\"double\"");
	assert_has(f, "\"leftTicks\":20,\"rightTicks\":56");
	ask_path(f, render_diff_serve,
		 "leftQuery=" CPU "{}&rightQuery=" OFF "{}&leftFrom=1&rightFrom=1");
	assert_int_equal(f->answer.status, 400);
	assert_has(f, "the same profile type");
}

static void wrong_parameters_are_named(void **state)
{
	static const struct {
		const char *query, *why;
	} rows[] = {
		{"", "query: which profile?"},
		{"query=%7B%7D", "query: \\\"{}\\\" begins with no profile type"},
		{"query=cpu%7B%7D", "query: \\\"cpu{}\\\" begins with no profile type"},
		{SHOP "&from=yesterday", "from: \\\"yesterday\\\" is no time"},
		{SHOP "&max-nodes=many", "max-nodes: \\\"many\\\" is no number"},
		{SHOP "&max-nodes=-1", "negative"},
		{SHOP "&format=svg", "neither json nor dot"},
		{SHOP "&from=9&until=8", "start 9000 is after end 8000"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ask_path(f, render_serve, rows[i].query);
		assert_int_equal(f->answer.status, 400);
		assert_has(f, "{\"code\":\"invalid_argument\",\"message\":\"");
		assert_has(f, rows[i].why);
	}
}

static void label_values_are_a_list(void **state)
{
	struct fixture *f = *state;
	ask_path(f, render_label_values, "label=service_name");
	assert_answer(f, 200, "[\"shop\",\"till\"]");
	ask_path(f, render_label_values, "label=__name__");
	assert_answer(f, 200, "[\"" OFF "\",\"" CPU "\"]");
	ask_path(f, render_label_values, "");
	assert_int_equal(f->answer.status, 400);
}

static void times_are_written_in_many_ways(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{"now", 1700000000000},
		{"now-1h", 1700000000000 - 3600000},
		{"-1h30min", 1700000000000 - 5400000},
		{"now+2s", 1700000002000},
		{"now-7d", 1700000000000 - 604800000},
		{"1700000001", 1700000001000},
		{"1700000001002", 1700000001002},
		{"1700000001002003", 1700000001002},
		{"1700000001002003004", 1700000001002},
		{"20240131", 1706659200000},
		{"0", 0},
		{"", -1},
		{"now-", -1},
		{"now-h", -1},
		{"now-1x", -1},
		{"nowadays", -1},
		{"-", -1},
		{"99999999999999999999", -1},
		{"now-99999999999h", -1},
		{"now-900000h", -1}, /* before 1970 */
		{"now-999999999y", -1},
		{"now+999999999y", -1}, /* more milliseconds than a number has room for */
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t ms = -1;
		int rc = attime_parse(str_of(rows[i].text), 1700000000000, &ms, &f->err);
		if (rows[i].ms < 0 ? rc != ERR_INVALID : rc || ms != rows[i].ms)
			fail_msg("%s: %d %lld", rows[i].text, rc, (long long)ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(render_has_bars_and_a_timeline), TEST(render_diff_has_seven_numbers_a_bar),
		TEST(wrong_parameters_are_named),     TEST(label_values_are_a_list),
		TEST(times_are_written_in_many_ways),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
