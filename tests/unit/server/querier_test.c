/* What each method of the query API answers, bytes and all: shapes (seven numbers a bar, right edges,
 * ids of profiles), selectors, and what is refused. */
#include "api_fixture.h"

#include "profile.pb-c.h"
#include "querier.pb-c.h"
#include "server/pbjson.h"

#define SPANS "process_cpu:samples:count:cpu:nanoseconds"
#define A     "00000000000000a1"
#define B     "00000000000000b2"

/* Two of one span in one profile, one of another, and one of none. */
static void put_spans(struct fixture *f)
{
	const struct store_label labels[] = {{STR("__name__"), STR("process_cpu")},
					     {STR("__profile_type__"), STR(SPANS)},
					     {STR("service_name"), STR("traced")}};
	struct store_sample samples[] = {sample(1, 1, 3, 1), sample(1, 2, 4, 1),
					 sample(2, 2, 10, 1), sample(1, 1, 100, 1)};
	const struct store_span spans[] = {
		{.trace_id = {[15] = 0x11}, .span_id = {[7] = 0xa1}},
		{.trace_id = {[15] = 0x22}, .span_id = {[7] = 0xb2}},
	};
	const struct str strings[] = {STR(""), STR("worker")};
	samples[0].span = samples[1].span = 1;
	samples[2].span = 2;
	const struct store_series series = {labels, 3, samples, 4};
	const struct store_batch batch = {
		.tenant = STR("anonymous"),
		.strings = strings,
		.string_count = 2,
		.frames = frames,
		.frame_count = 4,
		.nodes = nodes,
		.node_count = 5,
		.spans = spans,
		.span_count = 2,
		.series = &series,
		.series_count = 1,
	};
	if (store_write(f->store, &batch, &f->err))
		fail_msg("%s", f->err.text);
}

static int set_up_spans(void **state)
{
	int rc = set_up(state);
	put_spans(*state);
	return rc;
}

static void assert_has(const struct fixture *f, const char *part)
{
	struct str got = buf_text(&f->answer.body);
	if (str_find(got, str_of(part)) < 0)
		fail_msg("%s\nis not in %d %.*s", part, f->answer.status, STR_ARG(got));
}

static void ask_status(struct fixture *f, const char *method, const char *body, int status)
{
	f->request.header_count = 0;
	add_header(f, STR("content-type"), STR("application/json"));
	call(f, method, str_of(body));
	if (f->answer.status != status)
		fail_msg("%s: %d %.*s", body, f->answer.status, STR_ARG(buf_text(&f->answer.body)));
}

static struct str between(const struct fixture *f, const char *from, char to)
{
	struct str got = buf_text(&f->answer.body);
	ptrdiff_t at = str_find(got, str_of(from));
	assert_true(at >= 0);
	struct str rest = str_sub(got, (size_t)at + strlen(from), SIZE_MAX);
	ptrdiff_t end = str_find_char(rest, to);
	assert_true(end >= 0);
	return arena_str((struct arena *)(uintptr_t)&f->arena, str_sub(rest, 0, (size_t)end));
}

#define SHOP \
	"\"profileTypeID\":\"" CPU "\",\"labelSelector\":\"{service_name=\\\"shop\\\"}\"," RANGE
#define TRACED "\"profileTypeID\":\"" SPANS "\",\"labelSelector\":\"{}\"," RANGE

/* ---- Diff ---- */

static void a_diff_has_seven_numbers_a_bar(void **state)
{
	struct fixture *f = *state;
	ask(f, "Diff",
	    "{\"left\":{\"profileTypeID\":\"" CPU
	    "\",\"labelSelector\":\"{thread_id=\\\"101\\\"}\"," RANGE "},\"right\":{" SHOP "}}",
	    200,
	    "{\"flamegraph\":{\"names\":[\"total\",\"main\",\"other_name\",\"work\","
	    "\"libfoo.so+0x1234\"],\"levels\":["
	    "{\"values\":[\"0\",\"20\",\"0\",\"0\",\"56\",\"0\",\"0\"]},"
	    "{\"values\":[\"0\",\"20\",\"0\",\"0\",\"56\",\"1\",\"1\"]},"
	    "{\"values\":[\"0\",\"0\",\"0\",\"1\",\"5\",\"5\",\"2\",\"0\",\"20\",\"20\",\"0\","
	    "\"50\",\"20\",\"3\"]},"
	    "{\"values\":[\"20\",\"0\",\"0\",\"26\",\"30\",\"30\",\"4\"]}],"
	    "\"total\":\"76\",\"maxSelf\":\"30\",\"leftTicks\":\"20\",\"rightTicks\":\"56\"}}");
}

static void a_diff_folds_what_is_small_on_both_sides(void **state)
{
	struct fixture *f = *state;
	ask(f, "Diff",
	    "{\"left\":{\"maxNodes\":3,\"profileTypeID\":\"" CPU
	    "\",\"labelSelector\":\"{thread_id=\\\"101\\\"}\"," RANGE
	    "},\"right\":{\"maxNodes\":3," SHOP "}}",
	    200,
	    "{\"flamegraph\":{\"names\":[\"total\",\"main\",\"work\",\"other\"],\"levels\":["
	    "{\"values\":[\"0\",\"20\",\"0\",\"0\",\"56\",\"0\",\"0\"]},"
	    "{\"values\":[\"0\",\"20\",\"0\",\"0\",\"56\",\"1\",\"1\"]},"
	    "{\"values\":[\"0\",\"20\",\"20\",\"1\",\"50\",\"20\",\"2\",\"0\",\"0\",\"0\",\"0\","
	    "\"5\",\"5\",\"3\"]},"
	    "{\"values\":[\"20\",\"0\",\"0\",\"21\",\"30\",\"30\",\"3\"]}],"
	    "\"total\":\"76\",\"maxSelf\":\"30\",\"leftTicks\":\"20\",\"rightTicks\":\"56\"}}");
}

static void what_is_wrong_with_a_diff_is_the_callers_mistake(void **state)
{
	struct fixture *f = *state;
	ask_status(f, "Diff", "{}", 400);
	assert_has(f, "{\"code\":\"invalid_argument\",\"message\":\"left is missing\"}");
	ask_status(f, "Diff", "{\"left\":{" SHOP "},\"right\":{" TRACED "}}", 400);
	assert_has(f, "the same profile type");
	ask_status(f, "Diff", "{\"left\":{" SHOP "},\"right\":{\"profileTypeID\":\"x\"}}", 400);
	assert_has(f, "right: ");
}

/* ---- spans ---- */

static void span_profiles_hold_only_spans(void **state)
{
	struct fixture *f = *state;
	ask(f, "SelectMergeSpanProfile", "{" TRACED ",\"spanSelector\":[\"" A "\"]}", 200,
	    "{\"flamegraph\":{\"names\":[\"total\",\"main\",\"work\"],\"levels\":["
	    "{\"values\":[\"0\",\"7\",\"0\",\"0\"]},{\"values\":[\"0\",\"7\",\"3\",\"1\"]},"
	    "{\"values\":[\"3\",\"4\",\"4\",\"2\"]}],\"total\":\"7\",\"maxSelf\":\"4\"}}");
	ask_status(f, "SelectMergeSpanProfile", "{" TRACED "}", 200);
	assert_has(f, "\"total\":\"17\"");
	ask_status(f, "SelectMergeStacktraces", "{" TRACED "}", 200);
	assert_has(f, "\"total\":\"117\"");
	ask_status(f, "SelectMergeStacktraces",
		   "{" TRACED ",\"traceIdSelector\":[\"00000000000000000000000000000022\"]}", 200);
	assert_has(f, "\"total\":\"10\"");
	/* total, main, work: the root has no name. */
	ask(f, "SelectMergeSpanProfile",
	    "{" TRACED ",\"spanSelector\":[\"" A "\"],\"format\":\"PROFILE_FORMAT_TREE\"}", 200,
	    "{\"tree\":\"AAABBG1haW4DAQR3b3JrBAA=\"}");
	ask_status(f, "SelectMergeSpanProfile", "{" TRACED ",\"format\":3}", 501);
}

/* ---- pprof ---- */

static Google__V1__Profile *ask_pprof(struct fixture *f, const char *json)
{
	ProtobufCMessage *in, *out;
	struct buf packed;
	if (pbjson_decode(&f->arena, &querier__v1__select_merge_profile_request__descriptor,
			  str_of(json), &in, &f->err))
		fail_msg("%s", f->err.text);
	buf_init(&packed, 0);
	pbmsg_encode(in, &packed);
	f->request.header_count = 0;
	add_header(f, STR("content-type"), STR("application/proto"));
	call(f, "SelectMergeProfile", buf_text(&packed));
	buf_deinit(&packed);
	assert_int_equal(f->answer.status, 200);
	if (pbmsg_decode(&f->arena, &google__v1__profile__descriptor, buf_text(&f->answer.body),
			 &out, &f->err))
		fail_msg("%s", f->err.text);
	return (Google__V1__Profile *)out;
}

static int64_t sum_of(const Google__V1__Profile *profile)
{
	int64_t sum = 0;
	for (size_t i = 0; i < profile->n_sample; i++)
		sum += profile->sample[i]->value[0];
	return sum;
}

static void a_merged_profile_is_a_pprof(void **state)
{
	struct fixture *f = *state;
	const Google__V1__Profile *p = ask_pprof(f, "{" SHOP "}");
	assert_int_equal(sum_of(p), 56);
	assert_int_equal(p->n_sample, 4);
	assert_string_equal(p->string_table[0], "");
	assert_string_equal(p->string_table[p->sample_type[0]->type], "cpu");
	assert_string_equal(p->string_table[p->sample_type[0]->unit], "nanoseconds");
	assert_int_equal(p->period, 1000000000);
	assert_int_equal(p->time_nanos, 1700000020000000000);
	assert_int_equal(p->duration_nanos, 20000000000);
	/* The frame without a name: an address in a file, that pprof may look up itself. */
	const Google__V1__Location *bare = NULL;
	for (size_t i = 0; i < p->n_location; i++)
		if (p->location[i]->n_line == 0)
			bare = p->location[i];
	assert_non_null(bare);
	assert_int_equal(bare->address, 0x1234);
	assert_int_equal(bare->mapping_id, p->mapping[0]->id);
	assert_string_equal(p->string_table[p->mapping[0]->filename], "/lib/libfoo.so");
	assert_false(p->mapping[0]->has_functions);
	assert_true(p->mapping[0]->memory_limit > bare->address);
}

static void a_pprof_has_as_many_nodes_as_wanted_and_loses_nothing(void **state)
{
	struct fixture *f = *state;
	const Google__V1__Profile *p = ask_pprof(f, "{\"maxNodes\":3," SHOP "}");
	bool other = false;
	assert_int_equal(sum_of(p), 56);
	for (size_t i = 0; i < p->n_string_table; i++)
		other |= strcmp(p->string_table[i], "other") == 0;
	assert_true(other);
}

static void profile_guided_optimisation_wants_leaves(void **state)
{
	struct fixture *f = *state;
	const Google__V1__Profile *p =
		ask_pprof(f, "{\"stackTraceSelector\":{\"goPgo\":{\"keepLocations\":1,"
			     "\"aggregateCallees\":true}}," SHOP "}");
	assert_int_equal(sum_of(p), 56);
	assert_int_equal(p->n_sample, 4);
	for (size_t i = 0; i < p->n_sample; i++)
		assert_int_equal(p->sample[i]->n_location_id, 1);
}

static void the_same_pprof_comes_in_json_and_as_a_format(void **state)
{
	struct fixture *f = *state;
	ask_status(f, "SelectMergeProfile", "{" SHOP "}", 200);
	struct str alone = arena_str(&f->arena, buf_text(&f->answer.body));
	assert_has(f, "\"stringTable\":[\"\",\"cpu\",\"nanoseconds\",\"main\"");
	ask_status(f, "SelectMergeStacktraces", "{" SHOP ",\"format\":\"PROFILE_FORMAT_PPROF\"}",
		   200);
	struct str format = buf_text(&f->answer.body);
	assert_true(str_find(format, alone) > 0);
}

/* ---- other formats and selectors ---- */

static void a_dot_graph_has_boxes_and_arrows(void **state)
{
	struct fixture *f = *state;
	ask_status(f, "SelectMergeStacktraces", "{" SHOP ",\"format\":\"PROFILE_FORMAT_DOT\"}",
		   200);
	assert_has(f, "digraph \\\"" CPU "\\\" {");
	assert_has(f, "[label=\\\"main\\\\n1 (1.79%)\\\\nof 56 (100.00%)\\\"");
	assert_has(f, "N1 -> N2 [label=\\\" 50\\\"");
}

static void tables_and_sandwiches_come_by_name(void **state)
{
	struct fixture *f = *state;
	ask(f, "SelectMergeStacktraces",
	    "{" SHOP ",\"format\":\"PROFILE_FORMAT_FUNCTIONS\",\"maxNodes\":2}", 200,
	    "{\"functions\":{\"functions\":[{\"name\":\"libfoo.so+0x1234\",\"self\":\"30\","
	    "\"total\":\"30\"},{\"name\":\"work\",\"self\":\"20\",\"total\":\"50\"}],"
	    "\"total\":\"56\"}}");
	ask(f, "SelectMergeStacktraces",
	    "{" SHOP ",\"format\":\"PROFILE_FORMAT_SANDWICH\",\"sandwichFunction\":\"work\"}", 200,
	    "{\"sandwich\":{\"names\":[\"\",\"work\",\"main\",\"libfoo.so+0x1234\"],"
	    "\"callers\":{\"nameIndex\":\"1\",\"total\":\"50\",\"children\":[{\"nameIndex\":\"2\","
	    "\"total\":\"50\",\"self\":\"50\"}]},"
	    "\"callees\":{\"nameIndex\":\"1\",\"total\":\"50\",\"self\":\"20\",\"children\":["
	    "{\"nameIndex\":\"3\",\"total\":\"30\",\"self\":\"30\"}]},"
	    "\"total\":\"50\",\"self\":\"20\"}}");
	ask_status(f, "SelectMergeStacktraces", "{" SHOP ",\"format\":\"PROFILE_FORMAT_NEW\"}",
		   501);
	ask(f, "Diff",
	    "{\"format\":\"PROFILE_FORMAT_FUNCTIONS\",\"maxNodes\":1,\"left\":{\"profileTypeID\":"
	    "\"" CPU "\",\"labelSelector\":\"{thread_id=\\\"101\\\"}\"," RANGE "},\"right\":{" SHOP
	    "}}",
	    200,
	    "{\"functions\":{\"functions\":[{\"name\":\"main\",\"leftTotal\":\"20\",\"rightSelf\":"
	    "\"1\",\"rightTotal\":\"56\"}],\"leftTotal\":\"20\",\"rightTotal\":\"56\"}}");
}

static void frames_that_are_filtered_leave_their_values_to_callers(void **state)
{
	struct fixture *f = *state;
	ask(f, "SelectMergeStacktraces",
	    "{" SHOP ",\"stackTraceSelector\":{\"frameFilter\":{\"excludeRegexes\":[\"^libfoo\"],"
	    "\"excludeFunctionNames\":[\"other_name\"]}}}",
	    200,
	    "{\"flamegraph\":{\"names\":[\"total\",\"main\",\"work\"],\"levels\":["
	    "{\"values\":[\"0\",\"56\",\"0\",\"0\"]},{\"values\":[\"0\",\"56\",\"6\",\"1\"]},"
	    "{\"values\":[\"6\",\"50\",\"50\",\"2\"]}],\"total\":\"56\",\"maxSelf\":\"50\"}}");
	ask_status(f, "SelectMergeStacktraces",
		   "{" SHOP
		   ",\"stackTraceSelector\":{\"frameFilter\":{\"includeRegexes\":[\"(\"]}}}",
		   400);
}

static void an_asynchronous_query_is_answered_when_asked_for(void **state)
{
	struct fixture *f = *state;
	char body[2048];
	ask_status(f, "SelectMergeStacktraces",
		   "{" SHOP ",\"async\":{\"type\":\"ASYNC_QUERY_TYPE_FORCE\"}}", 200);
	assert_has(f, "\"status\":\"ASYNC_QUERY_STATUS_IN_PROGRESS\"");
	struct str id = between(f, "\"requestId\":\"", '"');
	snprintf(body, sizeof(body),
		 "{\"async\":{\"type\":\"ASYNC_QUERY_TYPE_FORCE\",\"requestId\":\"%.*s\"}}",
		 STR_ARG(id));
	ask_status(f, "SelectMergeStacktraces", body, 200);
	assert_has(f, "\"status\":\"ASYNC_QUERY_STATUS_SUCCESS\"");
	assert_has(f, "\"total\":\"56\"");
	ask_status(f, "SelectMergeStacktraces", "{\"async\":{\"requestId\":\"nonsense!\"}}", 404);
}

/* ---- over time ---- */

static void series_narrow_to_call_sites(void **state)
{
	struct fixture *f = *state;
	ask(f, "SelectSeries",
	    "{" SHOP ",\"step\":20,\"stackTraceSelector\":{\"callSite\":[{\"name\":\"main\"},"
	    "{\"name\":\"work\"}]}}",
	    200, "{\"series\":[{\"points\":[{\"value\":50,\"timestamp\":\"1700000020000\"}]}]}");
	/* A frame without a name answers to what it is shown as. */
	ask(f, "SelectSeries",
	    "{" SHOP ",\"step\":20,\"stackTraceSelector\":{\"callSite\":[{\"name\":\"main\"},"
	    "{\"name\":\"work\"},{\"name\":\"libfoo.so+0x1234\"}]}}",
	    200, "{\"series\":[{\"points\":[{\"value\":30,\"timestamp\":\"1700000020000\"}]}]}");
	ask(f, "SelectSeries",
	    "{" SHOP ",\"step\":20,\"stackTraceSelector\":{\"callSite\":[{\"name\":\"work\"}]}}",
	    200, "{}");
}

static void an_exemplars_id_selects_its_profile(void **state)
{
	struct fixture *f = *state;
	char body[512];
	ask_status(f, "SelectSeries",
		   "{" SHOP ",\"step\":10,\"groupBy\":[\"service_name\"],"
		   "\"exemplarType\":\"EXEMPLAR_TYPE_INDIVIDUAL\"}",
		   200);
	/* The largest of its step; what the series is grouped by is not said twice. */
	assert_has(f, "{\"value\":50,\"timestamp\":\"1700000010000\",\"exemplars\":[{"
		      "\"timestamp\":\"1700000001000\",\"profileId\":\"");
	assert_has(f, "\",\"value\":\"30\",\"labels\":[{\"name\":\"__name__\",\"value\":"
		      "\"process_cpu\"},{\"name\":\"__profile_type__\",\"value\":\"" CPU
		      "\"},{\"name\":\"process_executable_name\",\"value\":\"shopd\"}]}]}");
	assert_has(f, "\"value\":\"6\"");
	struct str id = between(f, "\"profileId\":\"", '"');
	assert_int_equal(id.len, 36);
	snprintf(body, sizeof(body), "{" SHOP ",\"profileIdSelector\":[\"%.*s\"]}", STR_ARG(id));
	ask_status(f, "SelectMergeStacktraces", body, 200);
	assert_has(f, "\"total\":\"30\"");
	ask_status(f, "SelectMergeStacktraces",
		   "{" SHOP ",\"profileIdSelector\":[\"7c9e6679-7425-40de-944b-e07fc1f90ae7\"]}",
		   200);
	assert_has(f, "\"levels\":[{\"values\":[\"0\",\"0\",\"0\",\"0\"]}]");
	ask_status(f, "SelectMergeStacktraces", "{" SHOP ",\"profileIdSelector\":[\"7c9e\"]}", 400);
	assert_has(f, "is no UUID");
}

static void span_exemplars_name_their_span(void **state)
{
	struct fixture *f = *state;
	ask_status(f, "SelectSeries", "{" TRACED ",\"step\":20,\"exemplarType\":3}", 200);
	assert_has(f, "\"spanId\":\"" B "\",\"value\":\"10\"");
	assert_has(f, "\"traceId\":\"00000000000000000000000000000022\"");
	ask_status(f, "SelectSeries", "{" SHOP ",\"step\":20,\"exemplarType\":3}", 200);
	assert_true(str_find(buf_text(&f->answer.body), STR("exemplars")) < 0);
}

static void a_heatmap_counts_profiles_in_twenty_rows(void **state)
{
	struct fixture *f = *state;
	/* Profiles of 30, 20 and (5 + 1): rows of 1.2 from 6 on. */
	ask_status(f, "SelectHeatmap", "{" SHOP ",\"step\":10}", 200);
	assert_has(f, "{\"timestamp\":\"1700000010000\",\"yMin\":[6,7.2,8.4,9.6,10.8,12,13.2,14.4,"
		      "15.6,16.8,18,19.2,20.4,");
	assert_has(f, "\"counts\":[0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,1]}");
	assert_has(f, "{\"timestamp\":\"1700000020000\"");
	assert_has(f, "\"counts\":[1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}");
}

static void a_heatmap_of_spans_adds_each_span_up(void **state)
{
	struct fixture *f = *state;
	/* Span A has 3 + 4 in one profile, span B 10. */
	ask_status(f, "SelectHeatmap",
		   "{" TRACED ",\"step\":20,\"queryType\":\"HEATMAP_QUERY_TYPE_SPAN\","
		   "\"exemplarType\":\"EXEMPLAR_TYPE_SPAN\"}",
		   200);
	assert_has(f, "\"counts\":[1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1]");
	assert_has(f, "\"spanId\":\"" A "\",\"value\":\"7\"");
	assert_has(f, "\"spanId\":\"" B "\",\"value\":\"10\"");
	ask_status(f, "SelectHeatmap", "{" TRACED ",\"step\":20,\"exemplarType\":3}", 400);
	ask_status(f, "SelectHeatmap", "{" TRACED "}", 400);
	assert_has(f, "step");
}

/* Small blocks become one, with sums beside it: no answer may tell. */
static void settling_changes_no_answer(void **state)
{
	static const struct {
		const char *method, *body;
	} rows[] = {
		{"SelectSeries", "{" SHOP ",\"step\":10,\"exemplarType\":2}"},
		{"SelectSeries", "{" TRACED ",\"step\":20,\"exemplarType\":3}"},
		{"SelectSeries",
		 "{" SHOP ",\"step\":20,\"stackTraceSelector\":{\"callSite\":[{\"name\":"
		 "\"main\"},{\"name\":\"work\"}]}}"},
		{"SelectHeatmap", "{" SHOP ",\"step\":10,\"exemplarType\":2}"},
		{"SelectMergeProfile", "{" SHOP "}"},
		{"SelectMergeStacktraces", "{" SHOP ",\"format\":3}"},
		{"GetProfileStats", "{}"},
	};
	enum { COUNT = sizeof(rows) / sizeof(rows[0]) };
	struct fixture *f = *state;
	struct str before[COUNT];
	for (size_t i = 0; i < 40; i++) { /* a batch each, and too old for the questions */
		const struct store_sample more = sample(-600 + (int)i, 1, 1, 1);
		const struct store_label labels[] = {{STR("__name__"), STR("process_cpu")},
						     {STR("__profile_type__"), STR(CPU)},
						     {STR("process.executable.name"), STR("shopd")},
						     {STR("service_name"), STR("shop")}};
		put(f, labels, 4, &more, 1);
	}
	for (size_t i = 0; i < COUNT; i++) {
		ask_status(f, rows[i].method, rows[i].body, 200);
		before[i] = arena_str(&f->arena, buf_text(&f->answer.body));
	}
	if (store_maintain(f->store, clock_real_ns(), &f->err))
		fail_msg("%s", f->err.text);
	for (size_t i = 0; i < COUNT; i++) {
		ask_status(f, rows[i].method, rows[i].body, 200);
		if (!str_equal(before[i], buf_text(&f->answer.body)))
			fail_msg("%.*s\nbecame %.*s", STR_ARG(before[i]),
				 STR_ARG(buf_text(&f->answer.body)));
	}
}

/* ---- what there is ---- */

static void stats_say_what_there_is(void **state)
{
	struct fixture *f = *state;
	ask(f, "GetProfileStats", "{}", 200,
	    "{\"dataIngested\":true,\"oldestProfileTime\":\"1700000001000\","
	    "\"newestProfileTime\":\"1700000012000\"}");
	ask(f, "AnalyzeQuery", "{\"query\":\"" CPU "{service_name=\\\"nobody\\\"}\"," RANGE "}",
	    200,
	    "{\"queryScopes\":[{\"componentType\":\"store\",\"componentCount\":\"1\"}],"
	    "\"queryImpact\":{}}");
	ask_status(f, "AnalyzeQuery",
		   "{\"query\":\"" CPU "{service_name=\\\"shop\\\"}\"," RANGE "}", 200);
	assert_has(f, "\"seriesCount\":\"1\",\"profileCount\":\"1\",\"sampleCount\":\"4\"");
	assert_has(f, "\"totalQueriedSeries\":\"1\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_spans, tear_down)
		TEST(a_diff_has_seven_numbers_a_bar),
		TEST(a_diff_folds_what_is_small_on_both_sides),
		TEST(what_is_wrong_with_a_diff_is_the_callers_mistake),
		TEST(span_profiles_hold_only_spans),
		TEST(a_merged_profile_is_a_pprof),
		TEST(a_pprof_has_as_many_nodes_as_wanted_and_loses_nothing),
		TEST(profile_guided_optimisation_wants_leaves),
		TEST(the_same_pprof_comes_in_json_and_as_a_format),
		TEST(a_dot_graph_has_boxes_and_arrows),
		TEST(tables_and_sandwiches_come_by_name),
		TEST(frames_that_are_filtered_leave_their_values_to_callers),
		TEST(an_asynchronous_query_is_answered_when_asked_for),
		TEST(series_narrow_to_call_sites),
		TEST(an_exemplars_id_selects_its_profile),
		TEST(span_exemplars_name_their_span),
		TEST(a_heatmap_counts_profiles_in_twenty_rows),
		TEST(a_heatmap_of_spans_adds_each_span_up),
		TEST(settling_changes_no_answer),
		TEST(stats_say_what_there_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
