/* Symbols over HTTP: what a file says names what is stored, who may see it, and
 * what is said when a file is no use. */
#include "symbols_fixture.h"

#include <zstd.h>

#include "base/zip.h"
#include "server/symbols_api.h"

struct api_fixture {
	struct fixture base;
	struct ingest *ingest;
	struct symbols_api api;
	struct net_answer answer;
};

void late_function(void)
{
	__asm__ volatile("");
}

static int set_up(void **state)
{
	static struct api_fixture f;
	struct ingest_config config;
	open_fixture(&f.base);
	ingest_config_default(&config);
	config.multitenancy = true;
	must(&f.base, ingest_create(&config, f.base.store, &f.ingest, &f.base.err));
	symbols_api_init(&f.api, f.base.store, f.ingest);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct api_fixture *f = *state;
	buf_deinit(&f->answer.body);
	ingest_destroy(f->ingest);
	return close_fixture(&f->base);
}

static struct str call(struct api_fixture *f, net_handler *handler, const char *tenant,
		       const char *path, struct str body, int status)
{
	struct net_header headers[] = {{STR("x-scope-orgid"), str_of(tenant)}};
	struct str whole = str_of(path), route;
	_Atomic int cancelled = 0;
	struct arena arena;
	arena_init(&arena, (size_t)1 << 30);
	(void)str_next(&whole, '?', &route);
	const struct net_request request = {.path = route,
					    .query = whole,
					    .headers = headers,
					    .header_count = tenant ? 1 : 0,
					    .body = body,
					    .arena = &arena,
					    .cancelled = &cancelled};
	buf_deinit(&f->answer.body);
	memset(&f->answer, 0, sizeof(f->answer));
	handler(&f->api, &request, &f->answer);
	struct str text = buf_text(&f->answer.body);
	if (f->answer.status != status)
		fail_msg("%d, not %d: %.*s", f->answer.status, status, STR_ARG(text));
	arena_deinit(&arena);
	return text;
}

static struct str upload(struct api_fixture *f, struct str body, int status)
{
	return call(f, symbols_api_upload, "t", SYMBOLS_API_PATH, body, status);
}

static void assert_has(struct str text, const char *part)
{
	if (str_find(text, str_of(part)) < 0)
		fail_msg("%.*s has no %s", STR_ARG(text), part);
}

static void assert_named(struct api_fixture *f, const char *tenant, const char *name)
{
	struct str text = name_of(&f->base, tenant, f->base.build_id, late_address());
	if (!str_equal(text, str_of(name)))
		fail_msg("the frame is called \"%.*s\", not \"%s\"", STR_ARG(text), name);
}

static void a_debug_file_names_what_is_stored(void **state)
{
	struct api_fixture *f = *state;
	char part[160];
	write_unnamed(&f->base, "t", f->base.build_id, late_address());
	assert_named(f, "t", "");
	struct str answer = upload(f, buf_text(&f->base.debug), 200);
	snprintf(part, sizeof(part), "{\"buildId\":\"%s\",\"functions\":", f->base.build_id);
	assert_has(answer, part);
	assert_has(answer, ",\"replaced\":false}");
	assert_named(f, "t", "late_function");
	assert_has(upload(f, buf_text(&f->base.whole), 200), ",\"replaced\":true}");
	assert_named(f, "t", "late_function");
}

static void a_packed_file_is_unpacked_by_its_first_bytes(void **state)
{
	struct api_fixture *f = *state;
	struct buf packed = {0};
	struct str debug = buf_text(&f->base.debug);
	write_unnamed(&f->base, "t", f->base.build_id, late_address());
	must(&f->base, zip_gzip(debug, 1, &packed, &f->base.err));
	upload(f, buf_text(&packed), 200);
	assert_named(f, "t", "late_function");
	must(&f->base,
	     store_symbols_delete(f->base.store, STR("t"), str_of(f->base.build_id), &f->base.err));
	buf_clear(&packed);
	assert_true(buf_reserve(&packed, ZSTD_compressBound(debug.len)));
	packed.len = ZSTD_compress(packed.ptr, packed.cap, debug.ptr, debug.len, 1);
	upload(f, buf_text(&packed), 200);
	assert_named(f, "t", "late_function");
	assert_has(upload(f, str_make(packed.ptr, packed.len / 2), 400), "zstd: ");
	buf_deinit(&packed);
}

/* Members of a gzip file follow one another. */
static void a_bomb_is_refused_at_the_limit(void **state)
{
	enum { MEMBER_BYTES = 16 * 1024 * 1024, MEMBERS = SYMBOLS_FILE_MAX / MEMBER_BYTES + 1 };
	struct api_fixture *f = *state;
	struct buf plain = {0}, packed = {0};
	assert_true(buf_reserve(&plain, MEMBER_BYTES));
	memset(plain.ptr, 0, MEMBER_BYTES);
	plain.len = MEMBER_BYTES;
	for (unsigned i = 0; i < MEMBERS; i++)
		must(&f->base, zip_gzip(buf_text(&plain), 1, &packed, &f->base.err));
	buf_deinit(&plain);
	assert_has(upload(f, buf_text(&packed), 413), "unpacks to more than 536870912 bytes");
	buf_deinit(&packed);
}

static void the_list_shows_what_is_there_and_what_is_missing(void **state)
{
	struct api_fixture *f = *state;
	char part[200];
	write_unnamed(&f->base, "t", f->base.build_id, late_address());
	write_unnamed(&f->base, "t", "c0ffee", 7);
	struct str list = call(f, symbols_api_list, "t", SYMBOLS_API_PATH, STR(""), 200);
	assert_has(list, "{\"symbols\":[],\"missing\":[{\"buildId\":\"");
	snprintf(part, sizeof(part), "{\"buildId\":\"%s\",\"mapping\":\"/bin/late\",\"frames\":1}",
		 f->base.build_id);
	assert_has(list, part);
	upload(f, buf_text(&f->base.debug), 200);
	list = call(f, symbols_api_list, "t", SYMBOLS_API_PATH, STR(""), 200);
	snprintf(part, sizeof(part),
		 "{\"symbols\":[{\"buildId\":\"%s\",\"functions\":", f->base.build_id);
	assert_has(list, part);
	assert_has(list, ",\"source\":\"upload\",\"timeMs\":");
	assert_has(list, "\"missing\":[{\"buildId\":\"c0ffee\",\"mapping\":\"/bin/late\","
			 "\"frames\":1}]}");
}

static void a_tenant_sees_and_deletes_its_own(void **state)
{
	struct api_fixture *f = *state;
	char path[160];
	write_unnamed(&f->base, "t", f->base.build_id, late_address());
	write_unnamed(&f->base, "u", f->base.build_id, late_address());
	upload(f, buf_text(&f->base.debug), 200);
	assert_named(f, "t", "late_function");
	assert_named(f, "u", "");
	assert_has(call(f, symbols_api_list, "u", SYMBOLS_API_PATH, STR(""), 200),
		   "{\"symbols\":[],");
	snprintf(path, sizeof(path), SYMBOLS_API_PATH "/%s", f->base.build_id);
	assert_has(call(f, symbols_api_delete, "u", path, STR(""), 404), "there are no symbols");
	assert_named(f, "t", "late_function");
	call(f, symbols_api_delete, "t", path, STR(""), 200);
	assert_named(f, "t", "");
	call(f, symbols_api_delete, "t", path, STR(""), 404);
	call(f, symbols_api_list, NULL, SYMBOLS_API_PATH, STR(""), 401);
	call(f, symbols_api_delete, NULL, path, STR(""), 401);
	call(f, symbols_api_upload, NULL, SYMBOLS_API_PATH, buf_text(&f->base.debug), 401);
}

static void what_is_wrong_with_a_file_is_said(void **state)
{
	struct api_fixture *f = *state;
	struct buf stripped = {0};
	/* A program of the system's, which has no functions of its own in any table. */
	must(&f->base, fd_read_file("/bin/true", SYMBOLS_FILE_MAX, &stripped, &f->base.err));
	assert_has(upload(f, STR(""), 400), "the body is empty");
	assert_has(upload(f, STR("#!/bin/sh\n"), 400), "not an ELF file");
	assert_has(upload(f, buf_text(&stripped), 400), "has no symbols of functions");
	assert_has(upload(f, str_make(f->base.debug.ptr, 100), 400), "\"message\":");
	buf_deinit(&stripped);
}

static void a_file_without_a_build_id_goes_by_the_one_that_is_given(void **state)
{
	struct api_fixture *f = *state;
	struct buf bare = {0};
	char command[256], path[256];
	snprintf(command, sizeof(command),
		 "cd %s && objcopy --remove-section=.note.gnu.build-id small bare", f->base.path);
	run_shell(command);
	read_file(&f->base, "bare", &bare);
	write_unnamed(&f->base, "t", "c0ffee", late_address());
	assert_has(upload(f, buf_text(&bare), 400), "no GNU build id");
	call(f, symbols_api_upload, "t", SYMBOLS_API_PATH "?build_id=c0ffee", buf_text(&bare), 200);
	assert_true(
		str_equal(name_of(&f->base, "t", "c0ffee", late_address()), STR("late_function")));
	snprintf(path, sizeof(path), "the file's build id is %s, not c0ffee", f->base.build_id);
	assert_has(call(f, symbols_api_upload, "t", SYMBOLS_API_PATH "?build_id=c0ffee",
			buf_text(&f->base.debug), 400),
		   path);
	buf_deinit(&bare);
}

static void a_second_upload_at_the_same_time_is_told_to_come_again(void **state)
{
	struct api_fixture *f = *state;
	pthread_mutex_lock(&f->api.upload);
	assert_has(upload(f, buf_text(&f->base.debug), 503), "try again");
	assert_true(f->answer.header_count > 0);
	assert_true(str_equal(f->answer.headers[0].name, STR("retry-after")));
	pthread_mutex_unlock(&f->api.upload);
	upload(f, buf_text(&f->base.debug), 200);
}

static void names_are_demangled_and_the_mangled_ones_kept(void **state)
{
	struct api_fixture *f = *state;
	struct symbols_file file;
	char command[512];
	struct buf renamed = {0};
	snprintf(command, sizeof(command),
		 "cd %s && objcopy --redefine-sym late_function=_ZN2ns4lateEv small renamed",
		 f->base.path);
	run_shell(command);
	read_file(&f->base, "renamed", &renamed);
	must(&f->base,
	     symbols_read(buf_text(&renamed), STR(""), &f->base.arena, &file, &f->base.err));
	const struct store_symbol *found = NULL;
	for (size_t i = 0; i < file.count; i++)
		if (file.symbols[i].start == late_address())
			found = &file.symbols[i];
	assert_non_null(found);
	assert_true(str_equal(found->name, STR("ns::late")));
	assert_true(str_equal(found->system_name, STR("_ZN2ns4lateEv")));
	buf_deinit(&renamed);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_debug_file_names_what_is_stored),
		TEST(a_packed_file_is_unpacked_by_its_first_bytes),
		TEST(a_bomb_is_refused_at_the_limit),
		TEST(the_list_shows_what_is_there_and_what_is_missing),
		TEST(a_tenant_sees_and_deletes_its_own),
		TEST(what_is_wrong_with_a_file_is_said),
		TEST(a_file_without_a_build_id_goes_by_the_one_that_is_given),
		TEST(a_second_upload_at_the_same_time_is_told_to_come_again),
		TEST(names_are_demangled_and_the_mangled_ones_kept),
	};
	return cmocka_run_group_tests_name("server/symbols_api", tests, NULL, NULL);
}
