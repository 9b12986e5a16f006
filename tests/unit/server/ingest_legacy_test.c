/* /ingest in each of its formats, from the bytes of a request to what the store
 * has and what the sender is told. */
#include "push_fixture.h"

#include <time.h>

#include "base/zip.h"
#include "server/attime.h"
#include "server/ingest_legacy.h"

/* ---- sending ---- */

static void post(const char *query, const char *content_type, struct str body)
{
	f.request.header_count = 0;
	if (content_type)
		add_header("content-type", content_type);
	f.request.path = STR(INGEST_LEGACY_PATH);
	f.request.query = str_of(query);
	f.request.body = body;
	buf_deinit(&f.answer.body);
	f.answer = (struct net_answer){0};
	ingest_legacy(f.ingest, &f.request, &f.answer);
}

static void post_ok(const char *query, const char *content_type, struct str body)
{
	post(query, content_type, body);
	assert_answer(200, "");
	assert_int_equal(f.answer.body.len, 0);
}

#define WHEN "&from=1700000000&until=1700000010"
#define FORM "multipart/form-data; boundary=\"x-Y\""

static void put_part(struct buf *form, const char *name, struct str bytes)
{
	buf_printf(form,
		   "--x-Y\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"f\"\r\n"
		   "Content-Type: application/octet-stream\r\n\r\n",
		   name);
	buf_str(form, bytes);
	buf_cstr(form, "\r\n");
}

static void end_form(struct buf *form)
{
	buf_cstr(form, "--x-Y--\r\n");
}

/* ---- folded ---- */

static void folded_samples_become_time_at_their_rate(void **state)
{
	(void)state;
	post_ok("name=shop.cpu%7Benv%3Ddev%2C%20region%3Deu%7D&sampleRate=50&spyName=pyspy" WHEN,
		NULL, STR("main;work 3\nmain 1\n"));
	assert_string_equal(stored(CPU, "shop"), "main 20000000\nmain;work 60000000\n");
	assert_holds(stored_where(CPU, "env", "dev"), "main;work");
	assert_holds(stored_where(CPU, "region", "eu"), "main;work");
	assert_holds(stored_where(CPU, "pyroscope_spy", "pyspy"), "main;work");
}

static void the_name_tells_the_type(void **state)
{
	static const struct {
		const char *query, *type, *service;
	} rows[] = {
		{"name=a", CPU, "a"},
		{"name=a.b.cpu", CPU, "a.b"},
		{"name=a.itimer", CPU, "a"},
		{"name=a.wall", "wall:wall:nanoseconds:cpu:nanoseconds", "a"},
		{"name=a.cpu&sampleRate=0", "process_cpu:samples:count::", "a"},
		{"name=a.inuse_space", "memory:inuse_space:bytes::", "a"},
		{"name=a.alloc_objects", "memory:alloc_objects:count::", "a"},
		{"name=a.goroutines", "goroutine:goroutines:count::", "a"},
		{"name=a.mutex_duration", "mutex:delay:nanoseconds::", "a"},
		{"name=a.block_count", "block:contentions:count::", "a"},
		{"name=a.exceptions", "exceptions:samples:count::", "a"},
		{"name=my.app", CPU, "my.app"},
		{"name=my.app&units=bytes", "memory:samples:bytes::", "my.app"},
		{"name=my.app&units=lock_nanoseconds", "block:delay:nanoseconds::", "my.app"},
		{"name=a.cpu{service_name=b}", CPU, "b"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		teardown(state);
		setup(state);
		post_ok(rows[i].query, NULL, STR("main 1\n"));
		assert_holds(stored(rows[i].type, rows[i].service), "main ");
	}
	assert_holds(stored_where(CPU, "app_name", "a"), "main");
}

static void every_folded_format_is_read(void **state)
{
	static const struct {
		const char *query, *content_type;
		struct str body;
	} rows[] = {
		{"&format=groups", NULL, STR("a;b 2")},
		{"&format=folded", NULL, STR("a;b 2")},
		{"&format=lines", NULL, STR("a;b\na;b")},
		{"&format=trie", NULL,
		 STR("\x03"
		     "a;b\x02\x00")},
		{"", "binary/octet-stream+trie",
		 STR("\x03"
		     "a;b\x02\x00")},
		{"&format=tree", NULL,
		 STR("\x00\x00\x01\x01"
		     "a\x00\x01\x01"
		     "b\x02\x00")},
		{"", "binary/octet-stream+tree",
		 STR("\x00\x00\x01\x01"
		     "a\x00\x01\x01"
		     "b\x02\x00")},
	};
	char query[100];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		teardown(state);
		setup(state);
		snprintf(query, sizeof(query), "name=a.cpu%s", rows[i].query);
		post_ok(query, rows[i].content_type, rows[i].body);
		assert_string_equal(stored(CPU, "a"), "a;b 20000000\n");
	}
}

static void speedscope_knows_its_units(void **state)
{
	static const char text[] =
		"{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\"shared\":"
		"{\"frames\":[{\"name\":\"main\"},{\"name\":\"work\"}]},\"profiles\":["
		"{\"type\":\"sampled\",\"name\":\"t\",\"unit\":\"milliseconds\",\"samples\":"
		"[[0,1],[0]],\"weights\":[3,2]},"
		"{\"type\":\"sampled\",\"name\":\"m\",\"unit\":\"bytes\",\"samples\":"
		"[[0]],\"weights\":[4096]},"
		"{\"type\":\"sampled\",\"name\":\"n\",\"unit\":\"none\",\"samples\":"
		"[[1]],\"weights\":[2]}]}";

	(void)state;
	post_ok("name=shop&format=speedscope" WHEN, "application/json", str_of(text));
	assert_string_equal(stored("wall:wall:nanoseconds:cpu:nanoseconds", "shop"),
			    "main 2000000\nmain;work 3000000\n");
	assert_string_equal(stored("memory:samples:bytes::", "shop"), "main 4096\n");
	assert_string_equal(stored(CPU, "shop"), "work 20000000\n");
	assert_holds(stored_where(CPU, "profile_name", "n"), "work");
}

/* ---- pprof ---- */

static void pprof_is_read_bare_and_in_a_form(void **state)
{
	struct buf profile, form;

	(void)state;
	buf_init(&profile, 0);
	buf_init(&form, 0);
	read_profile("go-cpu.pprof", &profile);
	post_ok("name=shop{env=dev}&format=pprof" WHEN, NULL, buf_text(&profile));
	assert_holds(stored(CPU, "shop"), "main.main;main.spin 160000000\n");
	put_part(&form, "profile", buf_text(&profile));
	end_form(&form);
	post_ok("name=till&spyName=gospy" WHEN, FORM, buf_text(&form));
	assert_holds(stored(CPU, "till"), "main.main;main.spin 160000000\n");
	assert_holds(stored(SAMPLES, "till"), "main.main;main.spin 16\n");
	buf_deinit(&form);
	buf_init(&form, 0);
	buf_deinit(&profile);
	buf_init(&profile, 0);
	read_profile("go-heap.pprof", &profile);
	post_ok("name=shop&format=pprof" WHEN, NULL, buf_text(&profile));
	assert_holds(stored("memory:inuse_space:bytes:space:bytes", "shop"), "main.allocate");
	buf_deinit(&profile);
	buf_deinit(&form);
}

static void a_profile_from_before_is_taken_off(void **state)
{
	struct buf profile, form;

	(void)state;
	buf_init(&profile, 0);
	buf_init(&form, 0);
	read_profile("go-heap.pprof", &profile);
	put_part(&form, "profile", buf_text(&profile));
	put_part(&form, "prev_profile", buf_text(&profile));
	end_form(&form);
	post_ok("name=shop" WHEN, FORM, buf_text(&form));
	assert_holds(stored("memory:inuse_space:bytes:space:bytes", "shop"),
		     "main.allocate 3938764\n");
	assert_string_equal(stored("memory:alloc_space:bytes:space:bytes", "shop"), "");
	buf_deinit(&profile);
	buf_deinit(&form);
}

static void the_config_says_what_is_cumulative_and_how_it_is_shown(void **state)
{
	static const char config[] =
		"{\"inuse_space\":{\"units\":\"bytes\",\"cumulative\":true,\"display-name\":"
		"\"mutex_like\"},\"alloc_objects\":{\"cumulative\":false,\"display-name\":\"x\"},"
		"\"alloc_space\":{\"display-name\":\"y\"},"
		"\"inuse_objects\":{\"display-name\":\"block_like\"}}";
	struct buf profile, form;

	(void)state;
	buf_init(&profile, 0);
	buf_init(&form, 0);
	read_profile("go-heap.pprof", &profile);
	put_part(&form, "sample_type_config", str_of(config));
	put_part(&form, "profile", buf_text(&profile));
	put_part(&form, "prev_profile", buf_text(&profile));
	end_form(&form);
	post_ok("name=shop" WHEN, FORM, buf_text(&form));
	assert_string_equal(stored("block:inuse_space:bytes:space:bytes", "shop"), "");
	assert_holds(stored("block:alloc_space:bytes:space:bytes", "shop"), "main.allocate");
	buf_deinit(&profile);
	buf_deinit(&form);
}

static void put_varint(struct buf *out, uint64_t number)
{
	for (; number > 127; number >>= 7)
		buf_char(out, (char)(number | 128));
	buf_char(out, (char)number);
}

static void put_field(struct buf *out, int number, struct str bytes)
{
	put_varint(out, (uint64_t)number << 3 | 2);
	put_varint(out, bytes.len);
	buf_str(out, bytes);
}

/* Types "delay" with that many units, and no samples. */
static void make_types(size_t count, struct buf *out)
{
	struct buf part = {0};

	put_field(out, 6, STR(""));
	put_field(out, 6, STR("delay"));
	for (size_t i = 0; i < count; i++) {
		buf_clear(&part);
		buf_printf(&part, "u%zu", i);
		put_field(out, 6, buf_text(&part));
		buf_clear(&part);
		buf_append(&part, "\x08\1\x10", 3);
		put_varint(&part, i + 2);
		put_field(out, 1, buf_text(&part));
	}
	buf_deinit(&part);
}

static void very_many_types_take_no_square_of_time(void **state)
{
	enum { TYPES = 100000, CPU_MAX_S = 4 };
	struct buf profile, form;
	clock_t start = clock();

	(void)state;
	buf_init(&profile, 0);
	buf_init(&form, 0);
	make_types(TYPES, &profile);
	put_part(&form, "profile", buf_text(&profile));
	put_part(&form, "prev_profile", buf_text(&profile));
	end_form(&form);
	post_ok("name=shop" WHEN, FORM, buf_text(&form));
	assert_true(clock() - start < CPU_MAX_S * CLOCKS_PER_SEC);
	buf_deinit(&profile);
	buf_deinit(&form);
}

/* ---- JFR ---- */

static void a_recording_has_series_of_several_names(void **state)
{
	struct buf recording, form;

	(void)state;
	buf_init(&recording, 0);
	buf_init(&form, 0);
	must(fd_read_file(TEST_DATA "/jfr/demo.jfr.gz", 1 << 20, &recording, &f.err));
	put_part(&form, "jfr", buf_text(&recording));
	put_part(&form, "labels", STR(""));
	end_form(&form);
	for (int i = 0; i < 2; i++) /* the second is a retry */
		post_ok("name=till{env=dev}&format=jfr&spyName=javaspy&sampleRate=50" WHEN, FORM,
			buf_text(&form));
	assert_string_equal(stored(CPU, "till"), "Demo.main;Demo.burnMost 800000000\n");
	assert_holds(stored("memory:alloc_outside_tlab_bytes:bytes:space:bytes", "till"),
		     "Demo.allocate");
	assert_holds(stored("mutex:delay:nanoseconds:mutex:count", "till"),
		     "Demo.main;Demo.waitForLock 208562883\n");
	assert_holds(stored_where("block:contentions:count:block:count", "env", "dev"),
		     "parkNanos");
	assert_holds(stored_where(CPU, "thread_name", "main"), "Demo.burnMost");
	post_ok("name=shop&format=jfr" WHEN, NULL, buf_text(&recording));
	assert_string_equal(stored(CPU, "shop"), "Demo.main;Demo.burnMost 400000000\n");
	buf_deinit(&form);
	buf_deinit(&recording);
}

/* ---- once and not twice ---- */

static void the_same_request_again_counts_once(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		post_ok("name=a.cpu" WHEN, NULL, STR("main 1\n"));
	assert_string_equal(stored(CPU, "a"), "main 10000000\n");
	post_ok("name=a.cpu&from=1700000000&until=1700000011", NULL, STR("main 1\n"));
	assert_string_equal(stored(CPU, "a"), "main 20000000\n");
}

/* Two idle replicas do the same in the same seconds; a retry may come over another connection. */
static void the_same_from_another_host_counts_too(void **state)
{
	static const char *const peers[] = {"10.0.0.1:4000", "10.0.0.2:4000", "10.0.0.1:4001",
					    "[fd00::1]:4000", "unix"};
	(void)state;
	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
		f.request.peer = str_of(peers[i]);
		post_ok("name=a.cpu" WHEN, NULL, STR("main 1\n"));
	}
	assert_string_equal(stored(CPU, "a"), "main 40000000\n");
}

static void a_form_with_another_boundary_is_the_same_request(void **state)
{
	struct buf profile, form;

	(void)state;
	buf_init(&profile, 0);
	read_profile("go-cpu.pprof", &profile);
	for (int i = 0; i < 2; i++) {
		char type[64];
		buf_init(&form, 0);
		buf_printf(&form, "--b%d\r\nContent-Disposition: form-data; name=profile\r\n\r\n",
			   i);
		buf_str(&form, buf_text(&profile));
		buf_printf(&form, "\r\n--b%d--\r\n", i);
		snprintf(type, sizeof(type), "multipart/form-data; boundary=b%d", i);
		post_ok("name=a" WHEN, type, buf_text(&form));
		buf_deinit(&form);
	}
	assert_holds(stored(CPU, "a"), "main.main;main.spin 160000000\n");
	buf_deinit(&profile);
}

/* ---- times ---- */

static void times_have_four_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} rows[] = {
		{"1700000000", UINT64_C(1700000000000000000)},
		{"1700000000123", UINT64_C(1700000000123000000)},
		{"1700000000123456", UINT64_C(1700000000123456000)},
		{"1700000000123456789", UINT64_C(1700000000123456789)},
		{"20231114", UINT64_C(1699920000000000000)},
		{"now", UINT64_C(5000000000)},
		{"now-2s", UINT64_C(3000000000)},
		{"0", 0},
	};
	uint64_t got;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		must(attime_parse_ns(str_of(rows[i].text), UINT64_C(5000000000), &got, &f.err));
		assert_int_equal(got, rows[i].ns);
	}
	assert_int_equal(attime_parse_ns(STR("soon"), 5, &got, &f.err), ERR_INVALID);
	assert_int_equal(attime_parse_ns(STR("99999999999"), 5, &got, &f.err), ERR_INVALID);
	assert_int_equal(attime_parse_ns(STR("99999999999999999"), 5, &got, &f.err), ERR_INVALID);
	assert_int_equal(attime_parse_ns(STR("18446744073709551615"), 5, &got, &f.err),
			 ERR_INVALID);
}

/* ---- what is refused ---- */

static void what_is_wrong_is_told_with_its_status(void **state)
{
	static const struct {
		const char *query, *content_type;
		struct str body;
		int status;
		const char *why;
	} rows[] = {
		{"", NULL, STR("a 1"), 400, "name: send"},
		{"name=a{b=c", NULL, STR("a 1"), 400, "no } behind"},
		{"name=a{b}", NULL, STR("a 1"), 400, "tag \"b\" has no value"},
		{"name=a&from=yesterday", NULL, STR("a 1"), 400, "from: \"yesterday\""},
		{"name=a&format=xml", NULL, STR("a 1"), 400, "format: \"xml\""},
		{"name=a", NULL, STR("a one"), 422, "line 1: \"one\""},
		{"name=a&format=pprof", NULL, STR("a one"), 422, "pprof: "},
		{"name=a&format=tree", NULL, STR("\xff"), 422, "tree: "},
		{"name=a&format=speedscope", NULL, STR("{"), 422, "speedscope: "},
		{"name=a&format=jfr", NULL, STR("{"), 422, "jfr: "},
		{"name=a", "multipart/form-data", STR("x"), 422, "needs a boundary"},
		{"name=a", "multipart/form-data; boundary=q", STR("x"), 422, "is not there"},
		{"name=a", "multipart/form-data; boundary=q", STR("--q\r\nA: b\r\n\r\nc"), 422,
		 "cut short"},
		{"name=a", "multipart/form-data; boundary=q",
		 STR("--q\r\nContent-Disposition: form-data; name=x\r\n\r\nc\r\n--q--"), 422,
		 "no field \"profile\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		post(rows[i].query, rows[i].content_type, rows[i].body);
		assert_answer(rows[i].status, rows[i].why);
	}
	assert_string_equal(stored(CPU, "a"), "");
}

static void size_and_age_are_limits(void **state)
{
	struct ingest_config config;

	(void)state;
	ingest_config_default(&config);
	config.message_bytes = 4;
	config.reject_older_ns = NS_PER_S;
	configure(&config);
	post("name=a", NULL, STR("main 1"));
	assert_answer(413, "larger than 4 bytes");
	post("name=a" WHEN, NULL, STR("a 1"));
	assert_answer(422, "not_in_ingestion_window");
	post_ok("name=a", NULL, STR("a 1"));
}

static void a_full_disk_is_told_with_a_delay(void **state)
{
	(void)state;
	fill_disk();
	post("name=a", NULL, STR("a 1"));
	empty_disk();
	assert_true(f.answer.status == 429 || f.answer.status >= 500);
	assert_true(f.answer.body.len > 0);
	assert_true(str_equal(answer_header("retry-after"), STR("5")));
}

static void a_tenant_is_needed_where_there_are_several(void **state)
{
	struct ingest_config config;

	(void)state;
	ingest_config_default(&config);
	config.multitenancy = true;
	configure(&config);
	post("name=a", NULL, STR("a 1"));
	assert_answer(401, "X-Scope-OrgID");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(folded_samples_become_time_at_their_rate),
		TEST(the_name_tells_the_type),
		TEST(every_folded_format_is_read),
		TEST(speedscope_knows_its_units),
		TEST(pprof_is_read_bare_and_in_a_form),
		TEST(a_profile_from_before_is_taken_off),
		TEST(the_config_says_what_is_cumulative_and_how_it_is_shown),
		TEST(very_many_types_take_no_square_of_time),
		TEST(a_recording_has_series_of_several_names),
		TEST(the_same_request_again_counts_once),
		TEST(the_same_from_another_host_counts_too),
		TEST(a_form_with_another_boundary_is_the_same_request),
		TEST(times_have_four_units),
		TEST(what_is_wrong_is_told_with_its_status),
		TEST(size_and_age_are_limits),
		TEST(a_full_disk_is_told_with_a_delay),
		TEST(a_tenant_is_needed_where_there_are_several),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
