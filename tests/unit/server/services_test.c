/* Settings, recording rules, feature flags: what is kept is there after a restart, and only for its tenant. */
#include "api_fixture.h"

#include <sys/stat.h>

#define SETTINGS "/settings.v1.SettingsService/"
#define RULES	 "/settings.v1.RecordingRulesService/"

static void settings_are_kept_by_name(void **state)
{
	struct fixture *f = *state;
	ask(f, SETTINGS "Get", "{}", 200, "{}");
	ask(f, SETTINGS "Set",
	    "{\"setting\":{\"name\":\"pluginSettings\",\"value\":\"{\\\"a\\\":1}\","
	    "\"modifiedAt\":\"5\"}}",
	    200,
	    "{\"setting\":{\"name\":\"pluginSettings\",\"value\":\"{\\\"a\\\":1}\","
	    "\"modifiedAt\":\"5\"}}");
	ask(f, SETTINGS "Set", "{\"setting\":{\"name\":\"a\",\"value\":\"x\",\"modifiedAt\":7}}",
	    200, "{\"setting\":{\"name\":\"a\",\"value\":\"x\",\"modifiedAt\":\"7\"}}");
	/* As another process would see them. */
	tenant_files_deinit(&f->files);
	tenant_files_init(&f->files, str_of(f->path));
	ask(f, SETTINGS "Get", "{}", 200,
	    "{\"settings\":[{\"name\":\"a\",\"value\":\"x\",\"modifiedAt\":\"7\"},"
	    "{\"name\":\"pluginSettings\",\"value\":\"{\\\"a\\\":1}\",\"modifiedAt\":\"5\"}]}");
	ask(f, SETTINGS "Delete", "{\"name\":\"a\"}", 200, "{}");
	ask(f, SETTINGS "Delete", "{\"name\":\"a\"}", 200, "{}");
	ask(f, SETTINGS "Get", "{}", 200,
	    "{\"settings\":[{\"name\":\"pluginSettings\",\"value\":\"{\\\"a\\\":1}\","
	    "\"modifiedAt\":\"5\"}]}");
}

static void an_older_setting_does_not_replace_a_newer(void **state)
{
	struct fixture *f = *state;
	ask(f, SETTINGS "Set", "{\"setting\":{\"name\":\"a\",\"value\":\"new\",\"modifiedAt\":9}}",
	    200, "{\"setting\":{\"name\":\"a\",\"value\":\"new\",\"modifiedAt\":\"9\"}}");
	ask(f, SETTINGS "Set", "{\"setting\":{\"name\":\"a\",\"value\":\"old\",\"modifiedAt\":8}}",
	    409,
	    "{\"code\":\"already_exists\",\"message\":\"the setting \\\"a\\\" was changed "
	    "meanwhile "
	    "(modifiedAt 9)\"}");
	ask(f, SETTINGS "Get", "{}", 200,
	    "{\"settings\":[{\"name\":\"a\",\"value\":\"new\",\"modifiedAt\":\"9\"}]}");
	ask(f, SETTINGS "Set", "{}", 400,
	    "{\"code\":\"invalid_argument\",\"message\":\"setting: which one?\"}");
	ask(f, SETTINGS "Set", "{\"setting\":{\"value\":\"x\"}}", 400,
	    "{\"code\":\"invalid_argument\",\"message\":\"a setting's name has 1 to 256 bytes\"}");
}

/* Whoever may name any tenant cannot fill the disk with directories. */
static void tenants_that_keep_something_are_bounded(void **state)
{
	struct fixture *f = *state;
	char path[128];
	for (int i = 0; i < 10000; i++) {
		snprintf(path, sizeof(path), "%s/t%d", f->path, i);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	assert_int_equal(tenant_file_write(&f->files, STR("new"), "a", STR("x"), &f->err),
			 ERR_LIMIT);
	assert_non_null(strstr(f->err.text, "10000 tenants"));
	assert_int_equal(tenant_file_write(&f->files, STR("7"), "a", STR("x"), &f->err), 0);
}

static void a_damaged_file_is_said_plainly(void **state)
{
	struct fixture *f = *state;
	if (tenant_file_write(&f->files, STR("anonymous"), "settings.pb", STR("\xff\xff"), &f->err))
		fail_msg("%s", f->err.text);
	f->request.header_count = 0;
	add_header(f, STR("content-type"), STR("application/json"));
	call(f, SETTINGS "Get", STR("{}"));
	assert_int_equal(f->answer.status, 500);
	assert_true(str_find(buf_text(&f->answer.body), STR("settings.pb is damaged")) > 0);
}

static void without_a_directory_nothing_is_kept(void **state)
{
	struct fixture *f = *state;
	tenant_files_deinit(&f->files);
	tenant_files_init(&f->files, STR(""));
	ask(f, SETTINGS "Get", "{}", 200, "{}");
	ask(f, SETTINGS "Set", "{\"setting\":{\"name\":\"a\",\"modifiedAt\":1}}", 501,
	    "{\"code\":\"unimplemented\",\"message\":\"there is no directory to keep it in\"}");
}

#define RULE                                                                    \
	"\"metricName\":\"cpu\",\"matchers\":[\"{__profile_type__=\\\"" CPU     \
	"\\\"}\"],\"groupBy\":[\"service_name\"],\"externalLabels\":[{\"name\"" \
	":\"a\",\"value\":\"b\"}]"

static void rules_have_ids_and_generations(void **state)
{
	struct fixture *f = *state;
	char body[1024];
	ask(f, RULES "ListRecordingRules", "{}", 200, "{}");
	f->request.header_count = 0;
	add_header(f, STR("content-type"), STR("application/json"));
	call(f, RULES "UpsertRecordingRule", STR("{" RULE "}"));
	assert_int_equal(f->answer.status, 200);
	struct str got = arena_str(&f->arena, buf_text(&f->answer.body));
	ptrdiff_t at = str_find(got, STR("\"id\":\""));
	assert_true(at > 0);
	struct str id = str_sub(got, (size_t)at + 6, 10);
	assert_true(str_find(got, STR("\"profileType\":\"" CPU "\"")) > 0);
	assert_true(str_find(got, STR("\"generation\":\"1\"")) > 0);
	snprintf(body, sizeof(body), "{\"id\":\"%.*s\",\"generation\":7," RULE "}", STR_ARG(id));
	call(f, RULES "UpsertRecordingRule", str_of(body));
	assert_int_equal(f->answer.status, 409);
	snprintf(body, sizeof(body), "{\"id\":\"%.*s\",\"generation\":1," RULE "}", STR_ARG(id));
	call(f, RULES "UpsertRecordingRule", str_of(body));
	assert_int_equal(f->answer.status, 200);
	snprintf(body, sizeof(body), "{\"id\":\"%.*s\"}", STR_ARG(id));
	call(f, RULES "GetRecordingRule", str_of(body));
	assert_true(str_find(buf_text(&f->answer.body), STR("\"generation\":\"2\"")) > 0);
	call(f, RULES "DeleteRecordingRule", str_of(body));
	assert_answer(f, 200, "{}");
	call(f, RULES "GetRecordingRule", str_of(body));
	assert_int_equal(f->answer.status, 404);
}

static void rules_that_cannot_be_are_refused(void **state)
{
	static const char *const bodies[] = {
		"{}",
		"{\"metricName\":\"1a\"}",
		"{\"metricName\":\"a\"}",
		"{\"metricName\":\"a\",\"matchers\":[\"{\"]}",
		"{\"metricName\":\"a\",\"matchers\":[\"{b=\\\"c\\\"}\"]}",
		"{" RULE ",\"groupBy\":[\"a.b\"]}",
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		f->request.header_count = 0;
		add_header(f, STR("content-type"), STR("application/json"));
		call(f, RULES "UpsertRecordingRule", str_of(bodies[i]));
		if (f->answer.status != 400)
			fail_msg("%s: %d", bodies[i], f->answer.status);
	}
	ask(f, RULES "ListRecordingRules", "{}", 200, "{}");
}

static void what_the_server_can_do_is_said(void **state)
{
	struct fixture *f = *state;
	f->request.header_count = 0;
	add_header(f, STR("content-type"), STR("application/json"));
	call(f, "/capabilities.v1.FeatureFlagsService/GetFeatureFlags", STR("{}"));
	struct str got = buf_text(&f->answer.body);
	assert_true(str_find(got, STR("{\"name\":\"utf8LabelNames\",\"enabled\":true,")) > 0);
	/* false is left out. */
	assert_true(str_find(got, STR("{\"name\":\"pyroscopeRuler\",\"description\":")) > 0);
	f->api.rules_evaluated = true;
	call(f, "/capabilities.v1.FeatureFlagsService/GetFeatureFlags", STR("{}"));
	got = buf_text(&f->answer.body);
	assert_true(str_find(got, STR("{\"name\":\"pyroscopeRuler\",\"enabled\":true,")) > 0);
	assert_true(str_find(got, STR("{\"name\":\"pyroscopeRulerFunctions\",\"enabled\":true,")) >
		    0);
	ask(f, "/version.v1.Version/Version", "{}", 200, "{\"QuerierAPI\":\"1\"}");
	ask(f, "/status.v1.StatusService/GetBuildInfo", "{}", 200,
	    "{\"status\":\"success\",\"data\":{\"version\":\"" CRESSET_VERSION "\"}}");
	ask(f, "/vcs.v1.VCSService/GithubApp", "{}", 501,
	    "{\"code\":\"unimplemented\",\"message\":\"this server reads no source code: there is "
	    "no "
	    "access to GitHub in it\"}");
}

#define CHECK "/grpc.health.v1.Health/Check"

static void the_server_says_that_it_serves(void **state)
{
	static const char grpc_answer[] = "\0\0\0\0\2\x08\1";
	struct fixture *f = *state;
	ask(f, CHECK, "{}", 200, "{\"status\":\"SERVING\"}");
	ask(f, CHECK, "{\"service\":\"querier.v1.QuerierService\"}", 200,
	    "{\"status\":\"SERVING\"}");
	ask(f, CHECK,
	    "{\"service\":\"opentelemetry.proto.collector.profiles.v1development."
	    "ProfilesService\"}",
	    200, "{\"status\":\"SERVING\"}");
	ask(f, CHECK, "{\"service\":\"querier.v1.Querier\"}", 404,
	    "{\"code\":\"not_found\",\"message\":\"there is no service "
	    "\\\"querier.v1.Querier\\\" here\"}");
	f->request.header_count = 0;
	f->request.http_major = 2;
	add_header(f, STR("content-type"), STR("application/grpc"));
	call(f, CHECK, str_make("\0\0\0\0\0", 5));
	assert_int_equal(f->answer.body.len, sizeof(grpc_answer) - 1);
	assert_memory_equal(f->answer.body.ptr, grpc_answer, sizeof(grpc_answer) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(settings_are_kept_by_name),
		TEST(an_older_setting_does_not_replace_a_newer),
		TEST(tenants_that_keep_something_are_bounded),
		TEST(a_damaged_file_is_said_plainly),
		TEST(without_a_directory_nothing_is_kept),
		TEST(rules_have_ids_and_generations),
		TEST(rules_that_cannot_be_are_refused),
		TEST(what_the_server_can_do_is_said),
		TEST(the_server_says_that_it_serves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
