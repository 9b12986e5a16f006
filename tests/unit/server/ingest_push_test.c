/* push.v1 from the bytes of a request to what the store has, over each protocol. */
#include "push_fixture.h"

#include <time.h>

#include "base/base64.h"
#include "base/zip.h"
#include "push.pb-c.h"
#include "server/pbjson.h"

/* ---- sending ---- */

static void send_body(const char *content_type)
{
	struct api_endpoint endpoint = {&f.api, &api_push, ingest_message_bytes(f.ingest)};

	f.request.header_count = 0;
	add_header("content-type", content_type);
	f.request.path = str_of(api_push.path);
	f.request.body = buf_text(&f.body);
	buf_deinit(&f.answer.body);
	f.answer = (struct net_answer){0};
	api_serve(&endpoint, &f.request, &f.answer);
}

/* One series of the service "shop" with one profile. */
static void make_push(const char *name, struct str profile, const char *id)
{
	Types__V1__LabelPair labels[4] = {TYPES__V1__LABEL_PAIR__INIT, TYPES__V1__LABEL_PAIR__INIT,
					  TYPES__V1__LABEL_PAIR__INIT, TYPES__V1__LABEL_PAIR__INIT};
	Types__V1__LabelPair *list[4] = {&labels[0], &labels[1], &labels[2], &labels[3]};
	const char *const pairs[4][2] = {{"__name__", name},
					 {"service_name", "shop"},
					 {"pod", "shop-1"},
					 {"__session_id__", "42"}};
	Push__V1__RawSample sample = PUSH__V1__RAW_SAMPLE__INIT, *samples = &sample;
	Push__V1__RawProfileSeries series = PUSH__V1__RAW_PROFILE_SERIES__INIT, *rows = &series;
	Push__V1__PushRequest push = PUSH__V1__PUSH_REQUEST__INIT;

	for (int i = 0; i < 4; i++) {
		labels[i].name = (char *)(uintptr_t)pairs[i][0];
		labels[i].value = (char *)(uintptr_t)pairs[i][1];
	}
	sample.raw_profile = (ProtobufCBinaryData){profile.len, (uint8_t *)(uintptr_t)profile.ptr};
	sample.id = (char *)(uintptr_t)id;
	series.labels = list;
	series.n_labels = 4;
	series.samples = &samples;
	series.n_samples = 1;
	push.series = &rows;
	push.n_series = 1;
	buf_clear(&f.body);
	pbmsg_encode(&push.base, &f.body);
}

static void make_push_of(const char *name, const char *file)
{
	struct buf profile;

	buf_init(&profile, 0);
	read_profile(file, &profile);
	make_push(name, buf_text(&profile), "1");
	buf_deinit(&profile);
}

static void assert_cpu_is_stored(void)
{
	const char *text = stored(CPU, "shop");

	assert_holds(text, "runtime.main;main.main;main.spin 160000000\n");
	assert_holds(text, "main.main;runtime/pprof.Do;main.main.func1;main.spin 260000000\n");
	assert_holds(stored(SAMPLES, "shop"), "runtime.main;main.main;main.spin 16\n");
}

/* ---- what goes in ---- */

static void connect_protobuf_stores_each_type(void **state)
{
	(void)state;
	make_push_of("process_cpu", "go-cpu.pprof");
	send_body("application/proto");
	assert_answer(200, "");
	assert_int_equal(f.answer.body.len, 0);
	assert_true(str_equal(answer_header("content-type"), STR("application/proto")));
	assert_cpu_is_stored();
}

static void connect_json_stores_each_type(void **state)
{
	struct buf profile;

	(void)state;
	buf_init(&profile, 0);
	read_profile("go-cpu.pprof", &profile);
	buf_cstr(&f.body, "{\"series\":[{\"labels\":[{\"name\":\"__name__\",\"value\":"
			  "\"process_cpu\"},{\"name\":\"service_name\",\"value\":\"shop\"}],"
			  "\"samples\":[{\"ID\":\"1\",\"rawProfile\":\"");
	base64_put(&f.body, buf_text(&profile), true);
	buf_cstr(&f.body, "\"}]}]}");
	send_body("application/json");
	assert_answer(200, "{}");
	assert_cpu_is_stored();
	buf_deinit(&profile);
}

static void grpc_stores_each_type(void **state)
{
	struct buf framed;

	(void)state;
	make_push_of("process_cpu", "go-cpu.pprof");
	buf_init(&framed, 0);
	buf_char(&framed, 0);
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_char(&framed, (char)(f.body.len >> shift));
	buf_str(&framed, buf_text(&f.body));
	buf_deinit(&f.body);
	f.body = framed;
	f.request.http_major = 2;
	send_body("application/grpc");
	assert_int_equal(f.answer.status, 200);
	assert_true(str_equal(f.answer.trailers[0].value, STR("0")));
	assert_cpu_is_stored();
}

/* ---- labels ---- */

static void labels_of_samples_make_series_and_numbers_do_not(void **state)
{
	struct store_stats stats;

	(void)state;
	make_push_of("process_cpu", "go-cpu.pprof");
	send_body("application/proto");
	assert_holds(stored_where(CPU, "handler", "checkout"), "main.spin 260000000\n");
	assert_null(strstr(stored_where(CPU, "handler", "checkout"), "160000000"));
	assert_holds(stored_where(CPU, "pod", "shop-1"), "main.spin 160000000\n");
	assert_string_equal(stored_where(CPU, "__session_id__", "42"), "");
	make_push_of("memory", "go-heap.pprof");
	send_body("application/proto");
	assert_holds(stored("memory:inuse_space:bytes:space:bytes", "shop"),
		     "main.main;main.allocate 3938764\n");
	must(store_stats(f.store, &stats, &f.err));
	assert_int_equal(stats.series, 4 + 4); /* CPU: two types, each with and without handler */
}

static void a_push_without_labels_has_a_name_all_the_same(void **state)
{
	(void)state;
	make_push_of("", "go-heap.pprof");
	send_body("application/proto");
	assert_answer(200, "");
	assert_holds(stored("space:inuse_space:bytes:space:bytes", "shop"), "main.allocate");
}

static void rules_see_the_labels(void **state)
{
	struct ingest_config config;
	struct relabel_rule_spec rule;
	const struct str source = STR("__name__");

	(void)state;
	relabel_rule_default(&rule);
	rule.action = STR("drop");
	rule.regex = STR("process_cpu");
	rule.source_labels = &source;
	rule.source_count = 1;
	ingest_config_default(&config);
	config.reject_newer_ns = 0;
	config.rules = &rule;
	config.rule_count = 1;
	configure(&config);
	make_push_of("process_cpu", "go-cpu.pprof");
	send_body("application/proto");
	assert_answer(200, "");
	assert_string_equal(stored(CPU, "shop"), "");
	make_push_of("memory", "go-heap.pprof");
	send_body("application/proto");
	assert_holds(stored("memory:inuse_space:bytes:space:bytes", "shop"), "main.allocate");
}

/* A pprof of one sample with labels. */
static void spans_and_threads_are_columns(void **state)
{
	static const char profile[] = "\x0a\x04\x08\x01\x10\x01" /* one type */
				      "\x12\x10\x12\x01\x05"	 /* value 5 */
				      "\x1a\x04\x08\x02\x10\x03" /* span_id */
				      "\x1a\x05\x08\x04\x18\xe7\x24"
				      "\x32\x00\x32\x03"
				      "cpu\x32\x07"
				      "span_id\x32\x10"
				      "00112233445566ab\x32\x09"
				      "thread id";
	struct store_stats stats;

	(void)state;
	make_push("process_cpu", str_make(profile, sizeof(profile) - 1), "1");
	send_body("application/proto");
	assert_answer(200, "");
	must(store_stats(f.store, &stats, &f.err));
	assert_int_equal(stats.series, 1);
	assert_int_equal(total_where("process_cpu:cpu:cpu::", "span_id", "00112233445566ab"), 5);
	assert_int_equal(total_where("process_cpu:cpu:cpu::", "thread_id", "4711"), 5);
	assert_int_equal(total_where("process_cpu:cpu:cpu::", "thread_id", "4712"), 0);
}

/* ---- once and not twice ---- */

static void the_same_push_again_counts_once(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		make_push_of("process_cpu", "go-cpu.pprof");
		send_body("application/proto");
		assert_answer(200, "");
	}
	assert_cpu_is_stored();
}

static void another_id_is_another_push(void **state)
{
	struct buf profile;

	(void)state;
	buf_init(&profile, 0);
	read_profile("go-cpu.pprof", &profile);
	make_push("process_cpu", buf_text(&profile), "1");
	send_body("application/proto");
	make_push("process_cpu", buf_text(&profile), "2");
	send_body("application/proto");
	assert_holds(stored(CPU, "shop"), "runtime.main;main.main;main.spin 320000000\n");
	buf_deinit(&profile);
}

/* ---- what is refused ---- */

static void a_bad_profile_is_refused_with_its_reason(void **state)
{
	(void)state;
	make_push("process_cpu", STR("no profile"), "1");
	send_body("application/json");
	assert_answer(400, "\"code\":\"invalid_argument\"");
	send_body("application/proto");
	assert_answer(400, "no profile of the push can be read: pprof: ");
	buf_clear(&f.body);
	send_body("application/proto");
	assert_answer(400, "holds no profile");
}

/* Appending two messages merges them: both have their series. */
static void a_bad_profile_costs_only_itself(void **state)
{
	struct buf good;

	(void)state;
	make_push_of("process_cpu", "go-cpu.pprof");
	good = f.body;
	f.body = (struct buf){0};
	make_push("process_cpu", STR("\x1f\x8b no gzip"), "2");
	buf_str(&f.body, buf_text(&good));
	send_body("application/proto");
	assert_answer(200, "");
	assert_cpu_is_stored();
	buf_deinit(&good);
}

static void a_full_disk_is_told_with_a_delay(void **state)
{
	(void)state;
	make_push_of("process_cpu", "go-cpu.pprof");
	fill_disk();
	send_body("application/proto");
	empty_disk();
	assert_answer(f.answer.status, "\"code\":\"");
	assert_true(f.answer.status == 429 || f.answer.status >= 500);
	assert_true(str_equal(answer_header("retry-after"), STR("5")));
}

static void what_no_limit_lets_through_is_an_error(void **state)
{
	struct ingest_config config;

	(void)state;
	ingest_config_default(&config);
	config.reject_newer_ns = 0;
	config.label_value_bytes = 5;
	configure(&config);
	make_push_of("process_cpu", "go-cpu.pprof");
	send_body("application/proto");
	assert_answer(400, "label_value_too_long");
	config.label_value_bytes = 16384;
	config.message_bytes = 100;
	configure(&config);
	send_body("application/proto");
	assert_answer(429, "resource_exhausted");
}

static void very_many_labels_take_no_square_of_time(void **state)
{
	enum { LABELS = 60000, CPU_MAX_S = 4 };
	Push__V1__RawSample sample = PUSH__V1__RAW_SAMPLE__INIT, *samples = &sample;
	Push__V1__RawProfileSeries series = PUSH__V1__RAW_PROFILE_SERIES__INIT, *list = &series;
	Push__V1__PushRequest push = PUSH__V1__PUSH_REQUEST__INIT;
	Types__V1__LabelPair *labels = arena_zalloc(&f.arena, LABELS, sizeof(*labels));
	struct buf profile;
	clock_t start;

	(void)state;
	buf_init(&profile, 0);
	read_profile("go-cpu.pprof", &profile);
	sample.raw_profile = (ProtobufCBinaryData){profile.len, (uint8_t *)profile.ptr};
	series.samples = &samples;
	series.n_samples = 1;
	series.labels = arena_zalloc(&f.arena, LABELS, sizeof(void *));
	series.n_labels = LABELS;
	for (size_t i = 0; i < LABELS; i++) {
		types__v1__label_pair__init(&labels[i]);
		labels[i].name = (char *)(uintptr_t)arena_printf(&f.arena, "n%zu", i).ptr;
		labels[i].value = (char *)(uintptr_t) "v";
		series.labels[i] = &labels[i];
	}
	push.series = &list;
	push.n_series = 1;
	buf_clear(&f.body);
	pbmsg_encode(&push.base, &f.body);
	start = clock();
	send_body("application/proto");
	assert_true(clock() - start < CPU_MAX_S * CLOCKS_PER_SEC);
	assert_answer(400, "max_label_names_per_series");
	buf_deinit(&profile);
}

/* Each alone is within the limit of a message; together they are above it. */
static void packed_profiles_have_one_limit_together(void **state)
{
	enum { PROFILES = 8, PLAIN_BYTES = 1 << 20 };
	struct ingest_config config;
	struct buf profile, plain, packed;
	Push__V1__RawSample samples[PROFILES], *rows[PROFILES];
	Push__V1__RawProfileSeries series = PUSH__V1__RAW_PROFILE_SERIES__INIT, *list = &series;
	Push__V1__PushRequest push = PUSH__V1__PUSH_REQUEST__INIT;

	(void)state;
	ingest_config_default(&config);
	config.reject_newer_ns = 0;
	config.message_bytes = 2 * PLAIN_BYTES;
	configure(&config);
	buf_init(&profile, 0);
	buf_init(&plain, 0);
	buf_init(&packed, 0);
	read_profile("go-cpu.pprof", &profile);
	must(zip_gunzip(buf_text(&profile), PLAIN_BYTES, &plain, &f.err));
	/* A field that nobody knows: number 100, with zeros. */
	buf_append(&plain, "\xa2\x06\x80\x80\x3c", 5);
	for (size_t i = 0; i < 0x3c * (1 << 14); i++)
		buf_char(&plain, '\0');
	must(zip_gzip(buf_text(&plain), 6, &packed, &f.err));
	for (size_t i = 0; i < PROFILES; i++) {
		push__v1__raw_sample__init(&samples[i]);
		samples[i].raw_profile =
			(ProtobufCBinaryData){packed.len, (uint8_t *)(uintptr_t)packed.ptr};
		rows[i] = &samples[i];
	}
	series.samples = rows;
	series.n_samples = 1;
	push.series = &list;
	push.n_series = 1;
	buf_clear(&f.body);
	pbmsg_encode(&push.base, &f.body);
	send_body("application/proto");
	assert_answer(200, "");
	series.n_samples = PROFILES;
	buf_clear(&f.body);
	pbmsg_encode(&push.base, &f.body);
	send_body("application/proto");
	assert_int_equal(f.answer.status, 429);
	buf_deinit(&profile);
	buf_deinit(&plain);
	buf_deinit(&packed);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(connect_protobuf_stores_each_type),
		TEST(connect_json_stores_each_type),
		TEST(grpc_stores_each_type),
		TEST(labels_of_samples_make_series_and_numbers_do_not),
		TEST(a_push_without_labels_has_a_name_all_the_same),
		TEST(rules_see_the_labels),
		TEST(spans_and_threads_are_columns),
		TEST(the_same_push_again_counts_once),
		TEST(another_id_is_another_push),
		TEST(a_bad_profile_is_refused_with_its_reason),
		TEST(a_bad_profile_costs_only_itself),
		TEST(a_full_disk_is_told_with_a_delay),
		TEST(what_no_limit_lets_through_is_an_error),
		TEST(packed_profiles_have_one_limit_together),
		TEST(very_many_labels_take_no_square_of_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
