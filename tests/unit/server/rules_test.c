/* Recording rules from the store to the receiver. */
#include "rules_fixture.h"

/* ---- what is sent ---- */

static void a_sum_of_the_minute_is_sent_with_the_labels_of_the_group(void **state)
{
	(void)state;
	struct str id =
		make_rule("\"metricName\":\"profiles_recorded_cpu\",\"matchers\":[" TYPE_MATCHER(
			CPU) ",\"{service_name=~\\\"sh.*\\\"}\"],"
			     "\"groupBy\":[\"service_name\",\"process_executable_name\",\"none\","
			     "\"service_name\",\"__name__\"],"
			     "\"externalLabels\":[{\"name\":\"Zone\",\"value\":\"b\"},"
			     "{\"name\":\"Zone\",\"value\":\"c\"},"
			     "{\"name\":\"service_name\",\"value\":\"not_this\"},"
			     "{\"name\":\"empty\",\"value\":\"\"}]");
	int64_t sent = metric_get(&rules_series_sent);
	rules_round(r.rules, NOW_NS);
	assert_taken(LINE("profiles_recorded_cpu{Zone=b,process_executable_name=shopd,"
			  "profiles_rule_id=%.*s,service_name=shop} 56 @1700000040000\n",
			  id));
	assert_string_equal(r.texts[0], "anonymous");
	assert_string_equal(r.texts[1], "application/x-protobuf");
	assert_string_equal(r.texts[2], "snappy");
	assert_string_equal(r.texts[3], "");
	assert_string_equal(r.texts[4], "/api/v1/push");
	assert_int_equal(metric_get(&rules_series_sent) - sent, 1);
	assert_true(metric_get(&rules_last_success) > 0);
}

static void a_series_for_each_group_and_for_fields_of_samples_too(void **state)
{
	(void)state;
	struct str id = make_rule("\"metricName\":\"cpu\",\"matchers\":[" TYPE_MATCHER(
		CPU) "],\"groupBy\":[\"thread_id\"]");
	rules_round(r.rules, NOW_NS);
	assert_taken(arena_printf(&r.f->arena,
				  "cpu{profiles_rule_id=%.*s,thread_id=100} 36 @1700000040000\n"
				  "cpu{profiles_rule_id=%.*s,thread_id=101} 20 @1700000040000\n",
				  STR_ARG(id), STR_ARG(id))
			     .ptr);
}

/* The borders: a minute has its first nanosecond and not that of the next. */
static void a_sample_belongs_to_one_minute(void **state)
{
	(void)state;
	const struct store_label labels[] = {{STR("__profile_type__"), STR("a:b:c:d:e")},
					     {STR("service_name"), STR("edge")}};
	struct store_sample samples[] = {sample(0, 1, 1, 1), sample(0, 1, 10, 1),
					 sample(0, 1, 100, 1)};
	samples[0].time_ns = (END_S - 60) * NS_PER_S;
	samples[1].time_ns = END_S * NS_PER_S - 1;
	samples[2].time_ns = END_S * NS_PER_S;
	put(r.f, labels, 2, samples, 3);
	struct str id =
		make_rule("\"metricName\":\"edge\",\"matchers\":[" TYPE_MATCHER("a:b:c:d:e") "]");
	rules_round(r.rules, NOW_NS);
	assert_taken(LINE("edge{profiles_rule_id=%.*s} 11 @1700000040000\n", id));
	rules_round(r.rules, NOW_NS + MINUTE);
	assert_taken(LINE("edge{profiles_rule_id=%.*s} 100 @1700000100000\n", id));
}

static void put_second_service(void)
{
	const struct store_label labels[] = {{STR("__profile_type__"), STR(CPU)},
					     {STR("service_name"), STR("cart")}};
	const struct store_sample samples[] = {sample(1, 2, 300, 1), sample(2, 4, 7, 1)};
	put(r.f, labels, 2, samples, 2);
}

static void a_function_counts_only_stacks_that_have_it(void **state)
{
	(void)state;
	put_second_service();
	struct str id = make_rule("\"metricName\":\"work\",\"matchers\":[" TYPE_MATCHER(
		CPU) "],\"groupBy\":[\"service_name\"],\"stacktraceFilter\":"
		     "{\"functionName\":{\"functionName\":\"work\",\"metricType\":\"TOTAL\"}}");
	rules_round(r.rules, NOW_NS);
	assert_taken(
		arena_printf(&r.f->arena,
			     "work{profiles_rule_id=%.*s,service_name=cart} 300 @1700000040000\n"
			     "work{profiles_rule_id=%.*s,service_name=shop} 50 @1700000040000\n",
			     STR_ARG(id), STR_ARG(id))
			.ptr);
}

/* Profiles are there, the function is not: that is nothing, said plainly. */
static void a_function_that_did_not_run_gives_0(void **state)
{
	(void)state;
	struct str id = make_rule("\"metricName\":\"work\",\"matchers\":[" TYPE_MATCHER(
		CPU) "],\"stacktraceFilter\":{\"functionName\":{\"functionName\":\"nowhere\"}}");
	rules_round(r.rules, NOW_NS);
	assert_taken(LINE("work{profiles_rule_id=%.*s} 0 @1700000040000\n", id));
}

static void a_minute_without_profiles_sends_nothing(void **state)
{
	(void)state;
	make_plain_rule();
	rules_round(r.rules, NOW_NS + 5 * MINUTE);
	assert_int_equal(asked(), 0);
}

static void without_rules_nobody_is_asked(void **state)
{
	(void)state;
	rules_round(r.rules, NOW_NS);
	assert_int_equal(asked(), 0);
}

static void rules_of_the_configuration_are_evaluated_beside_those_that_are_kept(void **state)
{
	(void)state;
	struct str matcher = STR("{__profile_type__=\"" OFF "\"}");
	struct server_rule_row row = {.id = STR("static"),
				      .metric_name = STR("off"),
				      .matchers = {&matcher, 1}};
	struct str id = make_plain_rule();
	rules_destroy(r.rules);
	settings_close(r.settings);
	r.config.limits.recording_rules = (struct config_items){.items = &row, .count = 1};
	must(settings_open(&r.config, &r.settings, &r.f->err));
	open_rules("", "/api/v1/push", 0, 30ull * NS_PER_S);
	rules_round(r.rules, NOW_NS);
	assert_taken(LINE("cpu{profiles_rule_id=%.*s,service_name=shop} 56 @1700000040000\n"
			  "off{profiles_rule_id=static} 1000 @1700000040000\n",
			  id));
}

static void many_series_go_in_several_requests(void **state)
{
	(void)state;
	enum { THREADS = 2500 };
	struct store_sample *samples = mem_zalloc(THREADS, sizeof(*samples));
	const struct store_label labels[] = {{STR("__profile_type__"), STR("a:b:c:d:e")}};
	for (uint32_t i = 0; i < THREADS; i++)
		samples[i] = sample(1, 1, 1, i + 1);
	put(r.f, labels, 1, samples, THREADS);
	mem_free(samples);
	make_rule("\"metricName\":\"many\",\"groupBy\":[\"thread_id\"],\"matchers\":[" TYPE_MATCHER(
		"a:b:c:d:e") "]");
	int64_t sent = metric_get(&rules_series_sent);
	rules_round(r.rules, NOW_NS);
	assert_int_equal(asked(), 2);
	assert_int_equal(metric_get(&rules_series_sent) - sent, THREADS);
}

static void name_and_password_are_shown_and_the_path_is_kept(void **state)
{
	(void)state;
	make_plain_rule();
	rules_destroy(r.rules);
	open_rules("us%65r:p%40ss:word@", "/a/b/", 0, 30ull * NS_PER_S);
	rules_round(r.rules, NOW_NS);
	assert_int_equal(asked(), 1);
	assert_string_equal(r.texts[3], "Basic dXNlcjpwQHNzOndvcmQ=");
	assert_string_equal(r.texts[4], "/a/b/");
}

/* ---- a receiver in trouble ---- */

#define PLAIN "cpu{profiles_rule_id=%.*s,service_name=shop} 56 @1700000040000\n"

static void what_may_go_well_later_is_tried_again(void **state)
{
	(void)state;
	struct str id = make_plain_rule();
	ANSWER(503, 429, 200);
	rules_round(r.rules, NOW_NS);
	assert_int_equal(asked(), 3);
	assert_taken(LINE(PLAIN, id));
	rules_round(r.rules, NOW_NS);
	assert_int_equal(asked(), 3);
}

static void what_is_refused_is_given_up_and_counted(void **state)
{
	(void)state;
	make_plain_rule();
	int64_t rejected = metric_get(&rules_failures[RULES_REJECTED]);
	int64_t dropped = metric_get(&rules_series_dropped);
	ANSWER(400);
	rules_round(r.rules, NOW_NS);
	rules_round(r.rules, NOW_NS);
	assert_int_equal(asked(), 1);
	assert_taken("");
	assert_int_equal(metric_get(&rules_failures[RULES_REJECTED]) - rejected, 1);
	assert_int_equal(metric_get(&rules_series_dropped) - dropped, 1);
}

/* Five tries, then the next round makes up for it. */
static void a_receiver_that_was_down_gets_what_it_missed(void **state)
{
	(void)state;
	const struct store_label labels[] = {{STR("__profile_type__"), STR(CPU)},
					     {STR("service_name"), STR("shop")}};
	const struct store_sample later[] = {sample(70, 1, 9, 1)};
	put(r.f, labels, 2, later, 1);
	struct str id = make_plain_rule();
	int64_t unavailable = metric_get(&rules_failures[RULES_UNAVAILABLE]);
	int64_t dropped = metric_get(&rules_series_dropped);
	ANSWER(500, 500, 500, 500, 500);
	rules_round(r.rules, NOW_NS);
	assert_int_equal(asked(), 5);
	assert_taken("");
	assert_int_equal(metric_get(&rules_failures[RULES_UNAVAILABLE]) - unavailable, 1);
	restart();
	rules_round(r.rules, NOW_NS + MINUTE);
	assert_taken(arena_printf(&r.f->arena,
				  PLAIN "cpu{profiles_rule_id=%.*s,service_name=shop} 9 "
					"@1700000100000\n",
				  STR_ARG(id), STR_ARG(id))
			     .ptr);
	assert_int_equal(metric_get(&rules_series_dropped) - dropped, 0);
}

static void a_receiver_that_is_not_there_is_tried_in_the_next_round(void **state)
{
	(void)state;
	struct str id = make_plain_rule();
	const struct rules_config config = {.address = STR("http://127.0.0.1:1/"),
					    .delay_ns = 30ull * NS_PER_S,
					    .pause_ns = NS_PER_MS};
	rules_destroy(r.rules);
	must(rules_create(&config, r.f->store, &r.f->files, r.settings, &r.rules, &r.f->err));
	rules_round(r.rules, NOW_NS);
	restart();
	rules_round(r.rules, NOW_NS);
	assert_taken(LINE(PLAIN, id));
}

/* ---- once, and only once ---- */

static void a_minute_is_sent_once_over_rounds_and_restarts(void **state)
{
	(void)state;
	struct str id = make_plain_rule();
	rules_round(r.rules, NOW_NS);
	rules_round(r.rules, NOW_NS);
	rules_round(r.rules, NOW_NS + 59 * (uint64_t)NS_PER_S);
	restart();
	rules_round(r.rules, NOW_NS);
	/* A clock that was put back changes nothing. */
	rules_round(r.rules, NOW_NS - 2 * MINUTE);
	assert_int_equal(asked(), 1);
	assert_taken(LINE(PLAIN, id));
}

static void a_minute_waits_for_late_samples(void **state)
{
	(void)state;
	struct str id = make_plain_rule();
	rules_round(r.rules, (END_S + 29) * NS_PER_S);
	assert_int_equal(asked(), 0);
	rules_round(r.rules, (END_S + 30) * NS_PER_S);
	assert_taken(LINE(PLAIN, id));
}

static void after_a_long_pause_some_minutes_are_made_up_for_and_the_others_counted(void **state)
{
	(void)state;
	struct str id = make_plain_rule();
	rules_round(r.rules, NOW_NS - MINUTE);
	int64_t skipped = metric_get(&rules_intervals_skipped);
	int64_t evaluated = metric_get(&rules_evaluations);
	/* Ten minutes back is the one with the samples. */
	rules_round(r.rules, NOW_NS + 9 * MINUTE);
	assert_taken(LINE(PLAIN, id));
	assert_int_equal(metric_get(&rules_intervals_skipped) - skipped, 0);
	assert_int_equal(metric_get(&rules_evaluations) - evaluated, 10);
	rules_round(r.rules, NOW_NS + 39 * MINUTE);
	assert_int_equal(metric_get(&rules_intervals_skipped) - skipped, 20);
	assert_int_equal(metric_get(&rules_evaluations) - evaluated, 20);
}

static void a_damaged_or_impossible_mark_costs_no_more_than_itself(void **state)
{
	(void)state;
	struct str id = make_plain_rule();
	static const struct str marks[] = {STR("?"), STR(""), STR("9999999999999999999\n")};
	for (size_t i = 0; i < 3; i++) {
		must(tenant_file_write(&r.f->files, STR("anonymous"), "recording_rules.done",
				       marks[i], &r.f->err));
		rules_round(r.rules, NOW_NS);
		assert_taken(LINE(PLAIN, id));
	}
}

static void without_a_place_for_the_mark_nothing_is_sent(void **state)
{
	char path[128];
	(void)state;
	make_plain_rule();
	int64_t failed = metric_get(&rules_failures[RULES_STATE]);
	snprintf(path, sizeof(path), "%s/tanonymous/recording_rules.done", r.f->path);
	assert_int_equal(mkdir(path, 0700), 0);
	rules_round(r.rules, NOW_NS);
	assert_int_equal(asked(), 0);
	assert_int_equal(metric_get(&rules_failures[RULES_STATE]) - failed, 1);
}

/* ---- the thread ---- */

#define WAIT_FOR(condition)                                                \
	do {                                                               \
		uint64_t until_ns = clock_mono_ns() + 20ull * NS_PER_S;    \
		while (!(condition)) {                                     \
			if (clock_mono_ns() > until_ns)                    \
				fail_msg("never came: %s", #condition);    \
			clock_sleep_until_ns(clock_mono_ns() + NS_PER_MS); \
		}                                                          \
	} while (0)

static void put_now(int64_t value)
{
	const struct store_label labels[] = {{STR("__profile_type__"), STR(CPU)},
					     {STR("service_name"), STR("shop")}};
	struct store_sample now = sample(0, 1, value, 1);
	now.time_ns = clock_real_ns();
	put(r.f, labels, 2, &now, 1);
}

static void the_thread_sends_each_interval_when_it_is_over(void **state)
{
	(void)state;
	make_plain_rule();
	rules_destroy(r.rules);
	open_rules("", "/", NS_PER_S / 5, 0);
	must(rules_start(r.rules, &r.f->err));
	put_now(1);
	WAIT_FOR(asked() >= 1);
	put_now(2);
	WAIT_FOR(asked() >= 2);
}

/* So that whoever is killed between two tries has lost nothing. */
static void what_is_noted_is_taken_back_between_tries(void **state)
{
	(void)state;
	make_plain_rule();
	rules_destroy(r.rules);
	r.pause_ns = 60ull * NS_PER_S;
	open_rules("", "/", NS_PER_S / 5, 0);
	ANSWER(503);
	must(rules_start(r.rules, &r.f->err));
	put_now(1);
	WAIT_FOR(asked() >= 1);
	pthread_mutex_lock(&r.lock);
	uint64_t mark = r.mark;
	pthread_mutex_unlock(&r.lock);
	assert_true(mark > 0);
	WAIT_FOR(noted() == mark - NS_PER_S / 5);
	assert_int_equal(asked(), 1);
}

static void stopping_waits_for_no_receiver(void **state)
{
	(void)state;
	make_plain_rule();
	rules_destroy(r.rules);
	open_rules("", "/", NS_PER_S / 5, 0);
	ANSWER(ANSWER_HANGS, ANSWER_HANGS, ANSWER_HANGS);
	must(rules_start(r.rules, &r.f->err));
	put_now(1);
	WAIT_FOR(asked() >= 1);
	uint64_t start_ns = clock_mono_ns();
	rules_destroy(r.rules);
	r.rules = NULL;
	assert_true(clock_mono_ns() - start_ns < 5ull * NS_PER_S);
}

/* ---- addresses ---- */

static void addresses_that_cannot_be_are_refused_without_showing_the_password(void **state)
{
	static const char *const bad[] = {"prometheus:9090/x",
					  "ftp://a/b",
					  "http://",
					  "http://u:secret@/x",
					  "http://u:secret@h h/",
					  "http://u:secret@host/#x"};
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct server_rules rules = {.enabled = true,
						   .remote_write_address = str_of(bad[i])};
		assert_int_equal(rules_check_config(&rules, &r.f->err), ERR_INVALID);
		assert_true(str_find(str_of(r.f->err.text), STR("remote_write_address")) >= 0);
		assert_true(str_find(str_of(r.f->err.text), STR("secret")) < 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)
		TEST(a_sum_of_the_minute_is_sent_with_the_labels_of_the_group),
		TEST(a_series_for_each_group_and_for_fields_of_samples_too),
		TEST(a_sample_belongs_to_one_minute),
		TEST(a_function_counts_only_stacks_that_have_it),
		TEST(a_function_that_did_not_run_gives_0),
		TEST(a_minute_without_profiles_sends_nothing),
		TEST(without_rules_nobody_is_asked),
		TEST(rules_of_the_configuration_are_evaluated_beside_those_that_are_kept),
		TEST(many_series_go_in_several_requests),
		TEST(name_and_password_are_shown_and_the_path_is_kept),
		TEST(what_may_go_well_later_is_tried_again),
		TEST(what_is_refused_is_given_up_and_counted),
		TEST(a_receiver_that_was_down_gets_what_it_missed),
		TEST(a_receiver_that_is_not_there_is_tried_in_the_next_round),
		TEST(a_minute_is_sent_once_over_rounds_and_restarts),
		TEST(a_minute_waits_for_late_samples),
		TEST(after_a_long_pause_some_minutes_are_made_up_for_and_the_others_counted),
		TEST(a_damaged_or_impossible_mark_costs_no_more_than_itself),
		TEST(without_a_place_for_the_mark_nothing_is_sent),
		TEST(the_thread_sends_each_interval_when_it_is_over),
		TEST(what_is_noted_is_taken_back_between_tries),
		TEST(stopping_waits_for_no_receiver),
		TEST(addresses_that_cannot_be_are_refused_without_showing_the_password),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
