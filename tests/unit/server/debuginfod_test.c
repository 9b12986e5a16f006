/* Symbols fetched from a debuginfod that this test itself is: a server on
 * loopback that answers what it is told to, and counts. */
#include "symbols_fixture.h"

#include <stdatomic.h>

#include "server/debuginfod.h"

enum answer { ANSWER_FILE, ANSWER_404, ANSWER_500, ANSWER_JUNK, ANSWER_HANG, ANSWER_LATE };

struct origin {
	struct fixture base;
	struct net_server *server;
	_Atomic int debuginfo, executable; /* enum answer */
	_Atomic int debuginfo_asked, executable_asked, others_asked;
	_Atomic int release; /* what answers late */
	struct debuginfod *debuginfod;
};

void late_function(void)
{
	__asm__ volatile("");
}

/* ---- the server ---- */

static void answer_as_told(struct origin *o, int what, const struct buf *file,
			   const struct net_request *request, struct net_answer *answer)
{
	while (what == ANSWER_LATE && !atomic_load(&o->release) && !atomic_load(request->cancelled))
		usleep(1000);
	answer->status = what == ANSWER_404 ? 404 : what == ANSWER_500 ? 500 : 200;
	if (what == ANSWER_FILE || what == ANSWER_LATE)
		buf_append(&answer->body, file->ptr, file->len);
	else
		buf_cstr(&answer->body, "no file of yours");
	while (what == ANSWER_HANG && !atomic_load(request->cancelled))
		usleep(1000);
}

static void serve(void *user, const struct net_request *request, struct net_answer *answer)
{
	struct origin *o = user;
	struct str expected = arena_printf(request->arena, "/prefix/buildid/%s/", o->base.build_id);
	if (!str_starts_with(request->path, expected)) {
		atomic_fetch_add(&o->others_asked, 1);
		answer_as_told(o, ANSWER_404, NULL, request, answer);
	} else if (str_ends_with(request->path, STR("/debuginfo"))) {
		atomic_fetch_add(&o->debuginfo_asked, 1);
		answer_as_told(o, atomic_load(&o->debuginfo), &o->base.debug, request, answer);
	} else {
		atomic_fetch_add(&o->executable_asked, 1);
		answer_as_told(o, atomic_load(&o->executable), &o->base.whole, request, answer);
	}
}

static int set_up(void **state)
{
	static struct origin o;
	static struct net_route route;
	memset(&o, 0, sizeof(o));
	open_fixture(&o.base);
	route = (struct net_route){.method = "GET", .path = "/*", .handler = serve, .user = &o};
	struct net_server_config config = {.listen = "127.0.0.1:0",
					   .routes = &route,
					   .route_count = 1};
	net_limits_default(&config.limits);
	config.limits.graceful_ns = NS_PER_MS;
	must(&o.base, net_server_start(&config, &o.server, &o.base.err));
	*state = &o;
	return 0;
}

static int tear_down(void **state)
{
	struct origin *o = *state;
	debuginfod_stop(o->debuginfod);
	net_server_stop(o->server);
	return close_fixture(&o->base);
}

static void start_fetching(struct origin *o, uint64_t retry_ns, size_t file_bytes)
{
	char url[96];
	snprintf(url, sizeof(url), "http://%s/prefix/", net_server_address(o->server));
	const struct debuginfod_config config = {.url = url,
						 .interval_ns = 5 * NS_PER_MS,
						 .retry_ns = retry_ns,
						 .pause_ns = 10 * NS_PER_MS,
						 .file_bytes = file_bytes};
	must(&o->base, debuginfod_start(&config, o->base.store, &o->debuginfod, &o->base.err));
}

/* ---- waiting for a state ---- */

static bool is_named(struct origin *o, const char *tenant)
{
	return str_equal(name_of(&o->base, tenant, o->base.build_id, late_address()),
			 STR("late_function"));
}

#define WAIT_FOR(condition)                                                \
	do {                                                               \
		uint64_t until_ns = clock_mono_ns() + 20ull * NS_PER_S;    \
		while (!(condition)) {                                     \
			if (clock_mono_ns() > until_ns)                    \
				fail_msg("never came: %s", #condition);    \
			clock_sleep_until_ns(clock_mono_ns() + NS_PER_MS); \
		}                                                          \
	} while (0)

static int64_t fetches(enum fetch_result result)
{
	return metric_get(&debuginfod_fetches[result]);
}

static int64_t waiting(void)
{
	return metric_get(&debuginfod_waiting);
}

static struct str source_of(struct origin *o, const char *tenant)
{
	struct store_symbols symbols;
	must(&o->base, store_symbols_get(o->base.store, str_of(tenant), str_of(o->base.build_id),
					 &o->base.arena, &symbols, &o->base.err));
	return symbols.source;
}

/* ---- the tests ---- */

static void frames_without_a_name_get_the_debug_files_for_every_tenant_with_one_download(
	void **state)
{
	struct origin *o = *state;
	write_unnamed(&o->base, "t", o->base.build_id, late_address());
	write_unnamed(&o->base, "u", o->base.build_id, late_address());
	assert_false(is_named(o, "t"));
	start_fetching(o, 0, 0);
	WAIT_FOR(is_named(o, "t") && is_named(o, "u"));
	assert_true(str_equal(source_of(o, "t"), STR("debuginfod")));
	assert_int_equal(atomic_load(&o->debuginfo_asked), 1);
	assert_int_equal(atomic_load(&o->executable_asked), 0);
}

static void what_comes_later_is_found_by_a_later_look(void **state)
{
	struct origin *o = *state;
	start_fetching(o, 0, 0);
	write_unnamed(&o->base, "t", "0123456789abcdef0123", 1);
	WAIT_FOR(atomic_load(&o->others_asked) > 0);
	write_unnamed(&o->base, "t", o->base.build_id, late_address());
	WAIT_FOR(is_named(o, "t"));
	WAIT_FOR(waiting() == 1);
}

static void an_executable_does_where_there_is_no_debug_file(void **state)
{
	struct origin *o = *state;
	atomic_store(&o->debuginfo, ANSWER_404);
	write_unnamed(&o->base, "t", o->base.build_id, late_address());
	start_fetching(o, 0, 0);
	WAIT_FOR(is_named(o, "t"));
	assert_int_equal(atomic_load(&o->executable_asked), 1);
}

static void what_the_server_does_not_know_is_asked_for_again_later(void **state)
{
	struct origin *o = *state;
	int64_t before = fetches(FETCH_NOT_FOUND);
	atomic_store(&o->debuginfo, ANSWER_404);
	atomic_store(&o->executable, ANSWER_404);
	write_unnamed(&o->base, "t", o->base.build_id, late_address());
	start_fetching(o, 5 * NS_PER_MS, 0);
	WAIT_FOR(fetches(FETCH_NOT_FOUND) >= before + 2);
	assert_false(is_named(o, "t"));
	atomic_store(&o->debuginfo, ANSWER_FILE);
	WAIT_FOR(is_named(o, "t"));
}

static void an_hour_passes_before_it_is_asked_again(void **state)
{
	struct origin *o = *state;
	atomic_store(&o->debuginfo, ANSWER_404);
	atomic_store(&o->executable, ANSWER_404);
	write_unnamed(&o->base, "t", o->base.build_id, late_address());
	start_fetching(o, 0, 0);
	WAIT_FOR(atomic_load(&o->executable_asked) == 1);
	/* Three more looks, as what comes now shows. */
	for (unsigned i = 1; i <= 3; i++) {
		char build_id[32];
		snprintf(build_id, sizeof(build_id), "0123456789abcdef%04u", i);
		int others = atomic_load(&o->others_asked);
		write_unnamed(&o->base, "t", build_id, 1);
		WAIT_FOR(atomic_load(&o->others_asked) == others + 2);
	}
	assert_int_equal(atomic_load(&o->debuginfo_asked), 1);
}

static void a_server_that_fails_is_left_alone_and_tried_again(void **state)
{
	struct origin *o = *state;
	int64_t before = fetches(FETCH_FAILED);
	atomic_store(&o->debuginfo, ANSWER_500);
	write_unnamed(&o->base, "t", o->base.build_id, late_address());
	start_fetching(o, 0, 0);
	WAIT_FOR(fetches(FETCH_FAILED) >= before + 2);
	atomic_store(&o->debuginfo, ANSWER_FILE);
	WAIT_FOR(is_named(o, "t"));
	assert_int_equal(atomic_load(&o->executable_asked), 0);
}

static void what_is_no_use_is_counted_and_names_nothing(void **state)
{
	struct origin *o = *state;
	int64_t before = fetches(FETCH_UNUSABLE);
	atomic_store(&o->debuginfo, ANSWER_JUNK);
	atomic_store(&o->executable, ANSWER_JUNK);
	write_unnamed(&o->base, "t", o->base.build_id, late_address());
	start_fetching(o, 0, 0);
	WAIT_FOR(fetches(FETCH_UNUSABLE) == before + 1);
	assert_false(is_named(o, "t"));
}

static void a_file_above_the_limit_is_broken_off(void **state)
{
	struct origin *o = *state;
	int64_t before = fetches(FETCH_UNUSABLE);
	write_unnamed(&o->base, "t", o->base.build_id, late_address());
	start_fetching(o, 0, o->base.debug.len / 2);
	WAIT_FOR(fetches(FETCH_UNUSABLE) == before + 1);
	assert_false(is_named(o, "t"));
}

/* A frame's build id is asked for, and the file that comes has another one. */
static void symbols_of_another_file_are_not_taken(void **state)
{
	struct origin *o = *state;
	struct symbols_file file;
	assert_int_equal(symbols_read(buf_text(&o->base.debug), STR("0123456789abcdef"),
				      &o->base.arena, &file, &o->base.err),
			 ERR_INVALID);
	assert_non_null(strstr(o->base.err.text, "not 0123456789abcdef"));
}

static void what_somebody_uploaded_meanwhile_stays(void **state)
{
	struct origin *o = *state;
	const struct store_symbol mine = {late_address(), 1, STR("mine"), STR(""), STR("")};
	atomic_store(&o->debuginfo, ANSWER_404);
	atomic_store(&o->executable, ANSWER_404);
	write_unnamed(&o->base, "t", o->base.build_id, late_address());
	start_fetching(o, 5 * NS_PER_MS, 0);
	WAIT_FOR(atomic_load(&o->executable_asked) > 0);
	must(&o->base, store_symbols_put(o->base.store, STR("t"), str_of(o->base.build_id),
					 STR("upload"), &mine, 1, NULL, &o->base.err));
	atomic_store(&o->debuginfo, ANSWER_FILE);
	WAIT_FOR(waiting() == 0);
	assert_true(str_equal(source_of(o, "t"), STR("upload")));
	assert_true(
		str_equal(name_of(&o->base, "t", o->base.build_id, late_address()), STR("mine")));
}

static void what_somebody_uploads_during_the_download_stays(void **state)
{
	struct origin *o = *state;
	const struct store_symbol mine = {late_address(), 1, STR("mine"), STR(""), STR("")};
	atomic_store(&o->debuginfo, ANSWER_LATE);
	write_unnamed(&o->base, "t", o->base.build_id, late_address());
	start_fetching(o, 0, 0);
	WAIT_FOR(atomic_load(&o->debuginfo_asked) == 1);
	must(&o->base, store_symbols_put(o->base.store, STR("t"), str_of(o->base.build_id),
					 STR("upload"), &mine, 1, NULL, &o->base.err));
	atomic_store(&o->release, 1);
	WAIT_FOR(waiting() == 0);
	assert_true(str_equal(source_of(o, "t"), STR("upload")));
}

static void stopping_breaks_a_download_off(void **state)
{
	struct origin *o = *state;
	atomic_store(&o->debuginfo, ANSWER_HANG);
	write_unnamed(&o->base, "t", o->base.build_id, late_address());
	start_fetching(o, 0, 0);
	WAIT_FOR(atomic_load(&o->debuginfo_asked) == 1);
	uint64_t start_ns = clock_mono_ns();
	debuginfod_stop(o->debuginfod);
	o->debuginfod = NULL;
	assert_true(clock_mono_ns() - start_ns < 10ull * NS_PER_S);
}

static void only_build_ids_are_asked_for(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
		{"0123456789abcdef", true},
		{"0123456789abcdef0123456789abcdef01234567", true},
		{"", false},
		{"0123456789abcde", false},
		{"0123456789abcdef0", false},
		{"0123456789ABCDEF", false},
		{"../../../../etc/pa", false},
		{"0123456789abcdef/../..", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(fetch_is_build_id(str_of(cases[i].text)), cases[i].good);
}

static void an_url_must_be_http_or_https(void **state)
{
	struct origin *o = *state;
	static const char *const urls[] = {"ftp://example.org", "file:///etc", "unix:///run/x",
					   "example.org:8002", "http://"};
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		const struct debuginfod_config config = {.url = urls[i]};
		assert_int_equal(debuginfod_start(&config, o->base.store, &o->debuginfod,
						  &o->base.err),
				 ERR_INVALID);
		assert_non_null(strstr(o->base.err.text, "symbols.debuginfod_url"));
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(frames_without_a_name_get_the_debug_files_for_every_tenant_with_one_download),
		TEST(what_comes_later_is_found_by_a_later_look),
		TEST(an_executable_does_where_there_is_no_debug_file),
		TEST(what_the_server_does_not_know_is_asked_for_again_later),
		TEST(an_hour_passes_before_it_is_asked_again),
		TEST(a_server_that_fails_is_left_alone_and_tried_again),
		TEST(what_is_no_use_is_counted_and_names_nothing),
		TEST(a_file_above_the_limit_is_broken_off),
		TEST(symbols_of_another_file_are_not_taken),
		TEST(what_somebody_uploaded_meanwhile_stays),
		TEST(what_somebody_uploads_during_the_download_stays),
		TEST(stopping_breaks_a_download_off),
		TEST(an_url_must_be_http_or_https),
		cmocka_unit_test(only_build_ids_are_asked_for),
	};
	return cmocka_run_group_tests_name("server/debuginfod", tests, NULL, NULL);
}
