/* debuginfo.v1alpha1: what a profiler that uploads executables does, step by step, and what
 * it is told when it does not. */
#include "symbols_fixture.h"

#include "server/debuginfo_api.h"

#define SERVICE "/debuginfo.v1alpha1.DebuginfoService/"

struct api_fixture {
	struct fixture base;
	struct ingest *ingest;
	struct symbols_api symbols;
	struct debuginfo_api *uploads;
	struct api api;
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
	memset(&f, 0, sizeof(f));
	open_fixture(&f.base);
	ingest_config_default(&config);
	config.multitenancy = true;
	must(&f.base, ingest_create(&config, f.base.store, &f.ingest, &f.base.err));
	symbols_api_init(&f.symbols, f.base.store, f.ingest);
	must(&f.base, debuginfo_api_create(&f.symbols, &f.uploads, &f.base.err));
	f.api = (struct api){.store = f.base.store, .ingest = f.ingest, .debuginfo = f.uploads};
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct api_fixture *f = *state;
	buf_deinit(&f->answer.body);
	debuginfo_api_destroy(f->uploads);
	ingest_destroy(f->ingest);
	return close_fixture(&f->base);
}

static struct str run(struct api_fixture *f, net_handler *handler, void *user, const char *tenant,
		      const char *path, struct str body)
{
	struct net_header headers[] = {{STR("x-scope-orgid"), str_of(tenant)},
				       {STR("content-type"), STR("application/json")}};
	_Atomic int cancelled = 0;
	struct arena arena;
	arena_init(&arena, (size_t)1 << 30);
	const struct net_request request = {.method = STR("POST"),
					    .path = str_of(path),
					    .query = STR(""),
					    .headers = headers,
					    .header_count = 2,
					    .body = body,
					    .http_major = 1,
					    .arena = &arena,
					    .cancelled = &cancelled};
	buf_deinit(&f->answer.body);
	memset(&f->answer, 0, sizeof(f->answer));
	handler(user, &request, &f->answer);
	arena_deinit(&arena);
	return buf_text(&f->answer.body);
}

static void ask(struct api_fixture *f, const char *tenant, const char *method, const char *body,
		int status, const char *part)
{
	struct api_endpoint endpoint = {.api = &f->api};
	char path[160];
	snprintf(path, sizeof(path), SERVICE "%s", method);
	for (size_t i = 0; i < api_debuginfo.count; i++)
		if (strcmp(api_debuginfo.rpcs[i].path, path) == 0)
			endpoint.rpc = &api_debuginfo.rpcs[i];
	assert_non_null(endpoint.rpc);
	struct str text = run(f, api_serve, &endpoint, tenant, path, str_of(body));
	if (f->answer.status != status || str_find(text, str_of(part)) < 0)
		fail_msg("%s: %d %.*s\nwanted %d ... %s", method, f->answer.status, STR_ARG(text),
			 status, part);
}

static void upload(struct api_fixture *f, const char *tenant, const char *build_id, struct str body,
		   int status, const char *part)
{
	char path[160];
	snprintf(path, sizeof(path), DEBUGINFO_UPLOAD_PATH "%s", build_id);
	struct str text = run(f, debuginfo_api_upload, f->uploads, tenant, path, body);
	if (f->answer.status != status || str_find(text, str_of(part)) < 0)
		fail_msg("upload: %d %.*s\nwanted %d ... %s", f->answer.status, STR_ARG(text),
			 status, part);
}

static const char *file_json(const char *build_id)
{
	static char text[256];
	snprintf(text, sizeof(text),
		 "{\"file\":{\"gnuBuildId\":\"%s\",\"name\":\"x\",\"type\":\"TYPE_EXECUTABLE_"
		 "FULL\"}}",
		 build_id);
	return text;
}

static const char *id_json(const char *build_id)
{
	static char text[192];
	snprintf(text, sizeof(text), "{\"gnuBuildId\":\"%s\"}", build_id);
	return text;
}

static void assert_named(struct api_fixture *f, const char *tenant, const char *name)
{
	struct str text = name_of(&f->base, tenant, f->base.build_id, late_address());
	if (!str_equal(text, str_of(name)))
		fail_msg("the frame is called \"%.*s\", not \"%s\"", STR_ARG(text), name);
}

static void an_upload_from_the_first_question_to_the_name(void **state)
{
	struct api_fixture *f = *state;
	const char *id = f->base.build_id;
	write_unnamed(&f->base, "t", id, late_address());
	assert_named(f, "t", "");
	ask(f, "t", "ShouldInitiateUpload", file_json(id), 200, "{\"shouldInitiateUpload\":true,");
	ask(f, "t", "ShouldInitiateUpload", file_json(id), 200,
	    "{\"reason\":\"another upload of it is under way\"}");
	ask(f, "t", "UploadFinished", id_json(id), 400, "\"failed_precondition\"");
	upload(f, "t", id, buf_text(&f->base.whole), 200, "");
	assert_named(f, "t", "late_function");
	ask(f, "t", "UploadFinished", id_json(id), 200, "{}");
	ask(f, "t", "UploadFinished", id_json(id), 404, "\"not_found\"");
	ask(f, "t", "ShouldInitiateUpload", file_json(id), 200, "its names are known already");
	ask(f, "t", "ListDebuginfo", "{}", 200, "\"state\":\"STATE_UPLOADED\",\"startedAt\":\"20");
	ask(f, "t", "ListDebuginfo", "{}", 200, id);
	ask(f, "u", "ListDebuginfo", "{}", 200, "{}");
	ask(f, "t", "DeleteDebuginfo", id_json(id), 200, "{}");
	ask(f, "t", "DeleteDebuginfo", id_json(id), 200, "{}");
	assert_named(f, "t", "");
	ask(f, "t", "ShouldInitiateUpload", file_json(id), 200, "\"shouldInitiateUpload\":true");
}

static void bytes_that_nobody_asked_for_are_refused(void **state)
{
	struct api_fixture *f = *state;
	const char *id = f->base.build_id;
	upload(f, "t", id, buf_text(&f->base.whole), 412, "ask ShouldInitiateUpload first");
	ask(f, "t", "ShouldInitiateUpload", file_json(id), 200, "true");
	upload(f, "u", id, buf_text(&f->base.whole), 412, "ask ShouldInitiateUpload first");
	upload(f, "t", "../../etc", buf_text(&f->base.whole), 400, "hexadecimal");
	upload(f, "t", "", buf_text(&f->base.whole), 400, "hexadecimal");
}

static void a_file_that_names_nothing_is_not_asked_for_again(void **state)
{
	struct api_fixture *f = *state;
	const char *id = f->base.build_id;
	ask(f, "t", "ShouldInitiateUpload", file_json(id), 200, "true");
	upload(f, "t", id, STR("no ELF file"), 400, "ELF");
	ask(f, "t", "ShouldInitiateUpload", file_json(id), 200, "names no function");
	ask(f, "u", "ShouldInitiateUpload", file_json(id), 200, "true");
}

static void a_question_that_is_wrong_is_told_what(void **state)
{
	struct api_fixture *f = *state;
	ask(f, "t", "ShouldInitiateUpload", "{}", 400, "file: which one?");
	ask(f, "t", "ShouldInitiateUpload", "{\"file\":{\"gnuBuildId\":\"abcd\"}}", 400,
	    "TYPE_EXECUTABLE_FULL");
	ask(f, "t", "ShouldInitiateUpload", file_json("xyz"), 400, "hexadecimal");
	ask(f, "t", "DeleteDebuginfo", id_json("0"), 400, "hexadecimal");
	ask(f, "", "ListDebuginfo", "{}", 401, "unauthenticated");
}

/* A client that asks for ever and sends nothing costs a fixed table. */
static void uploads_under_way_are_bounded(void **state)
{
	struct api_fixture *f = *state;
	char id[32];
	for (int i = 0; i < 1024; i++) {
		snprintf(id, sizeof(id), "%08x", i);
		ask(f, "t", "ShouldInitiateUpload", file_json(id), 200, "true");
	}
	ask(f, "t", "ShouldInitiateUpload", file_json("ffff"), 200, "too many uploads");
	/* Another tenant has its share, at the cost of the oldest of the one that has all. */
	ask(f, "u", "ShouldInitiateUpload", file_json("ffff"), 200,
	    "\"shouldInitiateUpload\":true");
	ask(f, "u", "ShouldInitiateUpload", file_json("ffff"), 200, "is under way");
	ask(f, "t", "ShouldInitiateUpload", file_json("fffe"), 200, "too many uploads");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
		TEST(an_upload_from_the_first_question_to_the_name),
		TEST(bytes_that_nobody_asked_for_are_refused),
		TEST(a_file_that_names_nothing_is_not_asked_for_again),
		TEST(a_question_that_is_wrong_is_told_what),
		TEST(uploads_under_way_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
