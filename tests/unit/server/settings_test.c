/* Generations of settings: limits of tenants, the runtime file, reloading. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "server/retention.h"
#include "server/settings.h"

struct fixture {
	struct arena arena;
	struct server_config config;
	struct settings_box *box;
	struct err err;
	char file[64], second[64];
	struct str files[2];
};

static void make_file(char *path)
{
	snprintf(path, 64, "%s", "/tmp/cresset-settings-XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
}

static void must(struct fixture *f, int rc)
{
	if (rc)
		fail_msg("%s", f->err.text);
}

static int set_up(void **state)
{
	static struct fixture f;
	memset(&f, 0, sizeof(f));
	arena_init(&f.arena, 0);
	make_file(f.file);
	make_file(f.second);
	must(&f, server_config_default(&f.arena, &f.config, &f.err));
	f.files[0] = str_of(f.file);
	f.files[1] = str_of(f.second);
	f.config.runtime_files = (struct config_strings){f.files, 1};
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	settings_close(f->box);
	arena_deinit(&f->arena);
	unlink(f->second);
	return unlink(f->file);
}

static void write_file(const char *path, const char *text)
{
	assert_int_equal(fd_replace_file(path, text, strlen(text), NULL), 0);
}

static int64_t query_length_s(struct fixture *f, const char *tenant)
{
	struct settings *settings = settings_get(f->box);
	int64_t ns = settings_policy(settings, str_of(tenant))->limits.query_length_ns;
	settings_put(settings);
	return ns / NS_PER_S;
}

static void a_tenant_has_its_own_limits_and_everybodys_else(void **state)
{
	struct fixture *f = *state;
	f->config.limits.query_length_ns = 7ll * NS_PER_S;
	f->config.limits.label_names = 11;
	write_file(f->file,
		   "overrides:\n  b: {max_query_length: 1h, max_label_names_per_series: 3}\n"
		   "  a: {max_label_value_length: 5}\n  'c/d': {}\n");
	must(f, settings_open(&f->config, &f->box, &f->err));
	assert_int_equal(query_length_s(f, "a"), 7);
	assert_int_equal(query_length_s(f, "b"), 3600);
	assert_int_equal(query_length_s(f, "c/d"), 7);
	assert_int_equal(query_length_s(f, "nobody"), 7);
	struct settings *settings = settings_get(f->box);
	assert_int_equal(settings_policy(settings, STR("b"))->ingest.label_names, 3);
	assert_int_equal(settings_policy(settings, STR("a"))->ingest.label_names, 11);
	assert_int_equal(settings_policy(settings, STR("a"))->ingest.label_value_bytes, 5);
	const struct policy_tenant *tenants;
	assert_int_equal(settings_tenants(settings, &tenants), 3);
	settings_put(settings);
}

static void a_changed_file_is_taken_and_a_wrong_one_is_not(void **state)
{
	struct fixture *f = *state;
	bool changed = true;
	write_file(f->file, "overrides: {a: {max_query_length: 1m}}");
	must(f, settings_open(&f->config, &f->box, &f->err));
	must(f, settings_refresh(f->box, &changed, &f->err));
	assert_false(changed);
	write_file(f->file, "overrides: {a: {max_query_length: 2m}}");
	struct settings *old = settings_get(f->box);
	must(f, settings_refresh(f->box, &changed, &f->err));
	assert_true(changed);
	assert_int_equal(query_length_s(f, "a"), 120);
	/* Who works with the old one keeps it. */
	assert_true(settings_policy(old, STR("a"))->limits.query_length_ns == 60ll * NS_PER_S);
	settings_put(old);
	write_file(f->file, "overrides:\n  a:\n    max_query_lenght: 3m\n");
	assert_int_equal(settings_refresh(f->box, &changed, &f->err), ERR_INVALID);
	assert_non_null(strstr(f->err.text,
			       ":3: field \"max_query_lenght\" not found in "
			       "\"overrides.a\" (did you mean \"max_query_length\"?)"));
	assert_non_null(strstr(f->err.text, f->file));
	assert_false(changed);
	assert_int_equal(query_length_s(f, "a"), 120);
	write_file(f->file, "");
	must(f, settings_refresh(f->box, &changed, &f->err));
	assert_int_equal(query_length_s(f, "a"), 0);
}

static void files_are_merged_from_left_to_right(void **state)
{
	struct fixture *f = *state;
	f->config.runtime_files.count = 2;
	write_file(f->file, "overrides: {a: {max_query_length: 1m, max_label_name_length: 9}}");
	write_file(f->second, "overrides: {a: {max_query_length: 2m}, b: {max_query_length: 3m}}");
	must(f, settings_open(&f->config, &f->box, &f->err));
	assert_int_equal(query_length_s(f, "a"), 120);
	assert_int_equal(query_length_s(f, "b"), 180);
	struct settings *settings = settings_get(f->box);
	assert_int_equal(settings_policy(settings, STR("a"))->ingest.label_name_bytes, 9);
	settings_put(settings);
}

static void what_is_no_runtime_file_is_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"overridez: {}", "did you mean \"overrides\"?"},
		{"overrides: [a]", "not a map"},
		{"overrides: {a: [b]}", "not a map"},
		{"overrides: {a: {ingestion_relabeling_rules: [{action: nope}]}}", "nope"},
		{"overrides: {a: {ingestion_relabeling_rules: [{action: keep, regex: '('}]}}", "("},
		{"- a", "not a map"},
		{"a: [", ":1:"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_file(f->file, rows[i].text);
		assert_int_equal(settings_open(&f->config, &f->box, &f->err), ERR_INVALID);
		if (!strstr(f->err.text, rows[i].why))
			fail_msg("%s: %s", rows[i].text, f->err.text);
	}
	assert_int_equal(fd_replace_file(f->file, "a: \"\0\"", 6, NULL), 0);
	assert_int_equal(settings_open(&f->config, &f->box, &f->err), ERR_INVALID);
	f->files[0] = STR("/nonexistent.yaml");
	assert_int_equal(settings_open(&f->config, &f->box, &f->err), ERR_NOT_FOUND);
}

static void tenants_of_the_runtime_file_have_their_own_retention(void **state)
{
	struct fixture *f = *state;
	struct store_retention retention;
	const uint64_t day_ns = 24ull * 3600 * NS_PER_S;
	write_file(f->file, "overrides:\n  a: {retention_period: 90d}\n"
			    "  b: {compactor_blocks_retention_period: 2d, retention_size: 5GiB}\n"
			    "  c: {max_query_length: 1h}\n");
	must(f, settings_open(&f->config, &f->box, &f->err));
	struct settings *settings = settings_get(f->box);
	must(f, server_retention_of(settings, &f->arena, &retention, &f->err));
	assert_int_equal(retention.override_count, 2);
	assert_true(retention.overrides[0].age_ns == 90 * day_ns);
	assert_int_equal(retention.overrides[0].size_bytes, 0);
	assert_true(retention.overrides[1].age_ns == 2 * day_ns);
	assert_true(retention.overrides[1].size_bytes == 5ull << 30);
	settings_put(settings);
}

static void a_configuration_read_anew_takes_the_place_of_the_old(void **state)
{
	struct fixture *f = *state;
	struct server_config next;
	struct arena arena;
	write_file(f->file, "overrides: {a: {max_label_names_per_series: 3}}");
	must(f, settings_open(&f->config, &f->box, &f->err));
	arena_init(&arena, 0);
	must(f, server_config_default(&arena, &next, &f->err));
	next.runtime_files = f->config.runtime_files;
	next.limits.query_length_ns = 9ll * NS_PER_S;
	must(f, settings_reload(f->box, &arena, &next, &f->err));
	assert_null(arena.head); /* taken over */
	assert_int_equal(query_length_s(f, "a"), 9);
	assert_int_equal(query_length_s(f, "b"), 9);
	/* One that cannot be used changes nothing and stays the caller's. */
	must(f, server_config_default(&arena, &next, &f->err));
	next.runtime_files.count = 1;
	next.runtime_files.items = &(struct str){"/nonexistent", 12};
	assert_int_equal(settings_reload(f->box, &arena, &next, &f->err), ERR_NOT_FOUND);
	assert_non_null(arena.head);
	arena_deinit(&arena);
	assert_int_equal(query_length_s(f, "a"), 9);
}

/* ---- many threads ---- */

static _Atomic int done;

static void *read_settings(void *user)
{
	struct fixture *f = user;
	while (!atomic_load(&done)) {
		int64_t seconds = query_length_s(f, "a");
		if (seconds != 60 && seconds != 120)
			return "wrong";
	}
	return NULL;
}

static void readers_never_see_half_a_generation(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[3];
	bool changed;
	atomic_store(&done, 0);
	write_file(f->file, "overrides: {a: {max_query_length: 1m}}");
	must(f, settings_open(&f->config, &f->box, &f->err));
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_settings, f), 0);
	for (int i = 0; i < 100; i++) {
		write_file(f->file, i % 2 ? "overrides: {a: {max_query_length: 1m}}"
					  : "overrides: {a: {max_query_length: 2m}}");
		must(f, settings_refresh(f->box, &changed, &f->err));
		assert_true(changed);
	}
	atomic_store(&done, 1);
	for (int i = 0; i < 3; i++) {
		void *said;
		pthread_join(threads[i], &said);
		assert_null(said);
	}
}

/* ---- short of memory ---- */

static void running_out_of_memory_is_an_error_at_every_point(void **state)
{
	struct fixture *f = *state;
	struct server_user user = {.password = STR("x"),
				   .grant = {.roles = {&(struct str){"read", 4}, 1}}};
	struct str name = STR("ali");
	f->config.auth.users = (struct config_items){&user, &name, 1};
	write_file(f->file,
		   "overrides:\n  a:\n    distributor_usage_groups: {g: '{a=~\"b\"}'}\n"
		   "    sample_type_relabeling_rules: [{action: drop, regex: x}]\n  b: {}\n");
	for (uint64_t n = 1;; n++) {
		struct settings_box *box = NULL;
		mem_fail_nth(n);
		int rc = settings_open(&f->config, &box, &f->err);
		uint64_t asked = mem_fail_nth(0);
		settings_close(box);
		if (asked < n)
			break;
		/* A library may say it in its own words; what matters is that nothing is half done. */
		assert_true((rc == 0) == (box != NULL));
	}
	must(f, settings_open(&f->config, &f->box, &f->err));
	for (uint64_t n = 1;; n++) {
		bool changed = false;
		write_file(f->file, n % 2 ? "overrides: {a: {max_query_length: 1m}}"
					  : "overrides: {a: {max_query_length: 2m}}");
		mem_fail_nth(n);
		int rc = settings_refresh(f->box, &changed, &f->err);
		uint64_t asked = mem_fail_nth(0);
		if (asked < n)
			break;
		assert_true(rc == 0 || !changed);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_tenant_has_its_own_limits_and_everybodys_else),
		TEST(a_changed_file_is_taken_and_a_wrong_one_is_not),
		TEST(files_are_merged_from_left_to_right),
		TEST(what_is_no_runtime_file_is_refused),
		TEST(tenants_of_the_runtime_file_have_their_own_retention),
		TEST(a_configuration_read_anew_takes_the_place_of_the_old),
		TEST(readers_never_see_half_a_generation),
		TEST(running_out_of_memory_is_an_error_at_every_point),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
