#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/zip.h"
#include "server/assets.h"

struct fixture {
	struct arena arena;
	struct net_header headers[4];
	struct net_request request;
	struct net_answer answer;
};

static int set_up(void **state)
{
	static struct fixture f;
	memset(&f, 0, sizeof(f));
	arena_init(&f.arena, 0);
	f.request =
		(struct net_request){.method = STR("GET"), .headers = f.headers, .arena = &f.arena};
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	buf_deinit(&f->answer.body);
	arena_deinit(&f->arena);
	return 0;
}

static void add_header(struct fixture *f, struct str name, struct str value)
{
	f->headers[f->request.header_count++] = (struct net_header){name, value};
}

static struct str header(const struct fixture *f, const char *name)
{
	for (size_t i = 0; i < f->answer.header_count; i++)
		if (str_equal(f->answer.headers[i].name, str_of(name)))
			return f->answer.headers[i].value;
	return STR("");
}

static void assert_header(const struct fixture *f, const char *name, const char *want)
{
	struct str got = header(f, name);
	if (!str_equal(got, str_of(want)))
		fail_msg("%s: %.*s", name, STR_ARG(got));
}

static void get(struct fixture *f, const char *path)
{
	f->request.path = str_of(path);
	buf_deinit(&f->answer.body);
	memset(&f->answer, 0, sizeof(f->answer));
	assets_serve(NULL, &f->request, &f->answer);
}

static void the_page_is_at_the_root_with_a_strict_policy(void **state)
{
	struct fixture *f = *state;
	get(f, "/");
	assert_int_equal(f->answer.status, 200);
	assert_true(str_find(buf_text(&f->answer.body), STR("<title>Cresset</title>")) >= 0);
	assert_header(f, "content-type", "text/html; charset=utf-8");
	assert_header(f, "cache-control", "no-cache");
	assert_header(f, "x-content-type-options", "nosniff");
	assert_header(f, "referrer-policy", "no-referrer");
	assert_header(f, "content-encoding", "");
	assert_header(f, "content-security-policy",
		      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' "
		      "data:; "
		      "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
		      "frame-ancestors 'self'");
}

static void who_takes_gzip_gets_it_as_it_is_stored(void **state)
{
	struct fixture *f = *state;
	struct buf plain;
	get(f, "/");
	buf_init(&plain, 0);
	buf_str(&plain, buf_text(&f->answer.body));
	add_header(f, STR("accept-encoding"), STR("br;q=1.0, gzip;q=0.8, *;q=0.1"));
	get(f, "/");
	assert_header(f, "content-encoding", "gzip");
	assert_int_equal(f->answer.body.len, 0);
	assert_int_equal(zip_gunzip(f->answer.static_body, 1 << 20, &f->answer.body, NULL), 0);
	assert_true(str_equal(buf_text(&f->answer.body), buf_text(&plain)));
	f->headers[0].value = STR("gzip;q=0, br");
	get(f, "/");
	assert_header(f, "content-encoding", "");
	buf_deinit(&plain);
}

static void every_hashed_file_may_be_kept_for_ever(void **state)
{
	struct fixture *f = *state;
	size_t hashed = 0;
	for (size_t i = 0; i < asset_count; i++) {
		if (!str_starts_with(str_of(assets[i].path), STR("/assets/")))
			continue;
		get(f, assets[i].path);
		assert_int_equal(f->answer.status, 200);
		assert_header(f, "cache-control", "public, max-age=31536000, immutable");
		assert_header(f, "content-type", assets[i].type);
		hashed++;
	}
	assert_true(hashed >= 3);
}

static void a_page_that_is_known_is_not_sent_again(void **state)
{
	struct fixture *f = *state;
	get(f, "/");
	struct str etag = header(f, "etag");
	assert_true(etag.len > 2);
	add_header(f, STR("if-none-match"), STR("\"other\", W/\"x\""));
	get(f, "/");
	assert_int_equal(f->answer.status, 200);
	f->headers[0].value = arena_printf(&f->arena, "\"other\", %.*s", STR_ARG(etag));
	get(f, "/");
	assert_int_equal(f->answer.status, 304);
	assert_int_equal(f->answer.body.len, 0);
}

static void what_is_not_there_is_not_found(void **state)
{
	static const char *const paths[] =
		{"/assets/", "/assets/../index.html", "/assets/none.js", "/index.htm", "//", ""};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		get(f, paths[i]);
		assert_int_equal(f->answer.status, 404);
		assert_true(
			str_starts_with(buf_text(&f->answer.body), STR("{\"code\":\"not_found\"")));
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_page_is_at_the_root_with_a_strict_policy),
		TEST(who_takes_gzip_gets_it_as_it_is_stored),
		TEST(every_hashed_file_may_be_kept_for_ever),
		TEST(a_page_that_is_known_is_not_sent_again),
		TEST(what_is_not_there_is_not_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
