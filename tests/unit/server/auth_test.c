/* Who is who and may do what, without sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/fd.h"
#include "base/mem.h"
#include "server/auth.h"
#include "server/config_flags.h"
#include "server/secret.h"

struct fixture {
	struct arena arena;
	struct server_auth config;
	struct auth *auth;
	struct auth_identity identity;
	bool later;
	struct err err;
	struct buf hash;
	char file[64];
};

static int set_up(void **state)
{
	static struct fixture f;
	memset(&f, 0, sizeof(f));
	arena_init(&f.arena, 0);
	snprintf(f.file, sizeof(f.file), "/tmp/cresset-auth-XXXXXX");
	int fd = mkstemp(f.file);
	assert_true(fd >= 0);
	close(fd);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	auth_destroy(f->auth);
	buf_deinit(&f->hash);
	arena_deinit(&f->arena);
	return unlink(f->file);
}

/* The key "auth" as YAML. */
static int use(struct fixture *f, const char *yaml)
{
	struct config_decoder dec = {.arena = &f->arena, .style = CONFIG_PYROSCOPE};
	struct config_node *root;
	auth_destroy(f->auth);
	f->auth = NULL;
	int rc = config_parse(&f->arena, "c.yaml", str_of(yaml), &root, &f->err);
	rc = rc ? rc : config_defaults(&server_auth_schema, &f->arena, &f->config, &f->err);
	rc = rc ? rc : config_decode(&dec, &server_auth_schema, root, &f->config, &f->err);
	return rc ? rc : auth_create(&f->config, true, &f->auth, &f->err);
}

static void must(struct fixture *f, int rc)
{
	if (rc)
		fail_msg("%s", f->err.text);
}

static int identify(struct fixture *f, const char *header, enum auth_depth depth)
{
	struct str text = header ? str_of(header) : (struct str){NULL, 0};
	return auth_identify(f->auth, text, depth, &f->identity, &f->later, &f->err);
}

static int identify_basic(struct fixture *f, const char *pair, enum auth_depth depth)
{
	struct buf text = {0};
	buf_cstr(&text, "Basic ");
	base64_put(&text, str_of(pair), true);
	buf_char(&text, '\0');
	int rc = identify(f, text.ptr, depth);
	buf_deinit(&text);
	return rc;
}

static void assert_is(const struct fixture *f, const char *name)
{
	assert_true(str_equal(f->identity.name, str_of(name)));
}

static void a_password_is_known_by_its_hash_and_remembered(void **state)
{
	struct fixture *f = *state;
	must(f, secret_hash_make(STR("open sesame"), &f->hash, &f->err));
	struct str yaml =
		arena_printf(&f->arena, "users: {ali: {password_hash: '%.*s', roles: [read]}}",
			     STR_ARG(buf_text(&f->hash)));
	must(f, use(f, yaml.ptr));
	assert_true(auth_is_on(f->auth));
	must(f, identify_basic(f, "ali:open sesame", AUTH_QUICK));
	assert_true(f->later); /* the loop does not hash */
	assert_int_equal(identify_basic(f, "ali:open barley", AUTH_THOROUGH), ERR_UNAUTHENTICATED);
	must(f, identify_basic(f, "ali:open sesame", AUTH_THOROUGH));
	assert_is(f, "ali");
	must(f, identify_basic(f, "ali:open sesame", AUTH_QUICK));
	assert_false(f->later); /* now it knows */
	must(f, identify_basic(f, "ali:open barley", AUTH_QUICK));
	assert_true(f->later); /* and another one is not taken for it */
}

static void a_token_is_known_by_text_hash_and_file(void **state)
{
	struct fixture *f = *state;
	must(f, fd_replace_file(f->file, "filed-token-filed\n", 18, &f->err));
	/* printf %s 0123456789abcdef | sha256sum */
	struct str yaml =
		arena_printf(&f->arena,
			     "tokens:\n  plain: {token: plain-token-plain, roles: [write]}\n"
			     "  hashed: {token_hash: sha256:"
			     "9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f, "
			     "roles: [read, write]}\n"
			     "  filed: {token_file: %s, roles: [admin], tenants: [a, b]}\n",
			     f->file);
	must(f, use(f, yaml.ptr));
	must(f, identify(f, "Bearer plain-token-plain", AUTH_QUICK));
	assert_is(f, "plain");
	assert_int_equal(f->identity.roles, AUTH_WRITE);
	must(f, identify(f, "bearer  0123456789abcdef ", AUTH_QUICK));
	assert_is(f, "hashed");
	assert_int_equal(f->identity.roles, AUTH_WRITE | AUTH_READ);
	must(f, identify(f, "Bearer filed-token-filed", AUTH_QUICK));
	assert_is(f, "filed");
	assert_int_equal(f->identity.tenant_count, 2);
	/* Programs that know only name and password. */
	must(f, identify_basic(f, "hashed:0123456789abcdef", AUTH_QUICK));
	assert_is(f, "hashed");
	assert_int_equal(identify_basic(f, "plain:0123456789abcdef", AUTH_THOROUGH),
			 ERR_UNAUTHENTICATED);
}

/* Whoever tries names must not see by the time (or by how busy it is) which are there. */
static void a_wrong_secret_takes_as_much_work_as_an_unknown_name(void **state)
{
	static const char *const pairs[] = {"nobody:wrong", "tom:wrong", "ann:wrong"};
	struct fixture *f = *state;
	must(f, use(f, "users: {ann: {password: sesame, roles: [read]}}\n"
		       "tokens: {tom: {token: plain-token-plain, roles: [write]}}\n"));
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		must(f, identify_basic(f, pairs[i], AUTH_QUICK));
		assert_true(f->later); /* there is a hash to work out */
		assert_int_equal(identify_basic(f, pairs[i], AUTH_THOROUGH), ERR_UNAUTHENTICATED);
	}
	must(f, identify_basic(f, "tom:plain-token-plain", AUTH_QUICK));
	assert_false(f->later);
	must(f, identify_basic(f, "ann:sesame", AUTH_QUICK));
	assert_false(f->later);
}

static void what_is_nobodys_is_refused_without_a_word_about_it(void **state)
{
	static const char *const wrong[] = {
		"Bearer",
		"Bearer ",
		"Bearer plain-token-plai",
		"Bearer plain-token-plain2",
		"Basic",
		"Basic !!!!",
		"Basic cGxhaW4=", /* plain, without a colon */
		"Digest plain-token-plain",
		"plain-token-plain",
	};
	struct fixture *f = *state;
	must(f, use(f, "tokens: {plain: {token: plain-token-plain, roles: [read]}}"));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(identify(f, wrong[i], AUTH_THOROUGH), ERR_UNAUTHENTICATED);
		assert_null(strstr(f->err.text, "plain-"));
	}
	assert_int_equal(identify(f, NULL, AUTH_QUICK), ERR_UNAUTHENTICATED);
	assert_non_null(strstr(f->err.text, "Authorization: Bearer"));
	assert_int_equal(identify_basic(f, "nobody:x", AUTH_THOROUGH), ERR_UNAUTHENTICATED);
	char *huge = mem_alloc(100000);
	memset(huge, 'a', 99999);
	memcpy(huge, "Bearer ", 7);
	huge[99999] = '\0';
	assert_int_equal(identify(f, huge, AUTH_QUICK), ERR_UNAUTHENTICATED);
	memcpy(huge, "Basic  ", 7);
	assert_int_equal(identify(f, huge, AUTH_THOROUGH), ERR_UNAUTHENTICATED);
	mem_free(huge);
}

static void roles_and_tenants_hold(void **state)
{
	struct fixture *f = *state;
	struct str tenant;
	must(f, use(f, "tokens:\n  w: {token: wwwwwwwwwwwwwwww, roles: [write], tenants: [a]}\n"
		       "  ab: {token: abababababababab, roles: [read], tenants: [a, b]}\n"
		       "  root: {token: rrrrrrrrrrrrrrrr, roles: [admin]}\n"));
	must(f, identify(f, "Bearer wwwwwwwwwwwwwwww", AUTH_QUICK));
	must(f, auth_permit(&f->identity, AUTH_WRITE, &f->err));
	assert_int_equal(auth_permit(&f->identity, AUTH_READ, &f->err), ERR_DENIED);
	assert_string_equal(f->err.text,
			    "this needs the role read or admin, and \"w\" does not have it");
	must(f, auth_permit(&f->identity, AUTH_ANY, &f->err));
	must(f, auth_tenant(&f->identity, STR(""), &tenant, &f->err));
	assert_true(str_equal(tenant, STR("a")));
	must(f, auth_tenant(&f->identity, STR("a"), &tenant, &f->err));
	assert_int_equal(auth_tenant(&f->identity, STR("b"), &tenant, &f->err), ERR_DENIED);
	must(f, identify(f, "Bearer abababababababab", AUTH_QUICK));
	must(f, auth_tenant(&f->identity, STR(""), &tenant, &f->err));
	assert_int_equal(tenant.len, 0); /* which of them must be said */
	must(f, auth_tenant(&f->identity, STR("b"), &tenant, &f->err));
	assert_int_equal(auth_tenant(&f->identity, STR("a|b"), &tenant, &f->err), ERR_DENIED);
	must(f, identify(f, "Bearer rrrrrrrrrrrrrrrr", AUTH_QUICK));
	must(f, auth_permit(&f->identity, AUTH_WRITE, &f->err));
	must(f, auth_tenant(&f->identity, STR("z"), &tenant, &f->err));
	assert_true(str_equal(tenant, STR("z")));
}

static void a_configuration_that_means_nothing_is_refused(void **state)
{
	static const struct {
		const char *yaml, *why;
	} rows[] = {
		{"users: {a: {roles: [read]}}", "one of password_hash, password_file and password"},
		{"users: {a: {password: x, password_file: y, roles: [read]}}", "one of"},
		{"users: {a: {password: x}}", "roles"},
		{"users: {a: {password: x, roles: [reed]}}", "\"reed\" is no role"},
		{"users: {a: {password_hash: x, roles: [read]}}", "$scrypt$"},
		{"users: {a: {password_hash: '$scrypt$ln=30,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
		 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', roles: [read]}}",
		 "costs more"},
		{"users: {'a:b': {password: x, roles: [read]}}", "no colon"},
		{"tokens: {t: {token: short, roles: [read]}}", "5 bytes (16 to 1024"},
		{"tokens: {t: {token_hash: md5:1, roles: [read]}}", "sha256:"},
		{"tokens: {t: {tokn: x, roles: [read]}}", "did you mean \"token\"?"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(use(f, rows[i].yaml), ERR_INVALID);
		if (!strstr(f->err.text, rows[i].why))
			fail_msg("%s: %s", rows[i].yaml, f->err.text);
	}
	assert_int_equal(use(f, "tokens: {t: {token_file: /nonexistent, roles: [read]}}"),
			 ERR_NOT_FOUND);
	assert_non_null(strstr(f->err.text, "auth.tokens.t: "));
	must(f, use(f, "tokens: {t: {token: 0123456789abcdef, roles: [read], tenants: [a]}}"));
	struct auth *none = NULL;
	assert_int_equal(auth_create(&f->config, false, &none, &f->err), ERR_INVALID);
	assert_non_null(strstr(f->err.text, "multitenancy_enabled"));
	must(f, use(f, "{}"));
	assert_false(auth_is_on(f->auth));
}

/* A route that is forgotten here would need admin, and that would be noticed; one with too little would not. */
static void every_route_has_its_role(void **state)
{
	static const struct {
		const char *method, *path;
		unsigned roles;
	} rows[] = {
		{"GET", "/ready", AUTH_OPEN},
		{"*",
		 "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
		 AUTH_WRITE},
		{"*", "/v1development/profiles", AUTH_WRITE},
		{"POST", "/push.v1.PusherService/Push", AUTH_WRITE},
		{"POST", "/ingest", AUTH_WRITE},
		{"POST", "/pyroscope/ingest", AUTH_WRITE},
		{"POST", "/api/v1/symbols", AUTH_WRITE},
		{"GET", "/api/v1/symbols", AUTH_READ},
		{"DELETE", "/api/v1/symbols/*", AUTH_ADMIN},
		{"*", "/querier.v1.QuerierService/Series", AUTH_READ},
		{"GET", "/pyroscope/render", AUTH_READ},
		{"GET", "/pyroscope/render-diff", AUTH_READ},
		{"*", "/settings.v1.SettingsService/Get", AUTH_READ},
		{"*", "/settings.v1.SettingsService/Set", AUTH_ADMIN},
		{"*", "/settings.v1.SettingsService/Delete", AUTH_ADMIN},
		{"*", "/settings.v1.RecordingRulesService/UpsertRecordingRule", AUTH_ADMIN},
		{"*", "/debuginfo.v1alpha1.DebuginfoService/DeleteDebuginfo", AUTH_ADMIN},
		{"*", "/debuginfo.v1alpha1.DebuginfoService/Upload/*", AUTH_WRITE},
		{"GET", "/api/v1/status/config", AUTH_ADMIN},
		{"GET", "/api/v1/status/config/diff", AUTH_ADMIN},
		{"GET", "/runtime_config", AUTH_ADMIN},
		{"GET", "/debug/pprof/*", AUTH_ADMIN},
		{"GET", "/", AUTH_READ},
		{"GET", "/assets/*", AUTH_READ},
		{"GET", "/something/new", AUTH_ADMIN},
		{"*", "/*", AUTH_ANY},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (auth_role_of(rows[i].method, rows[i].path, SERVER_METRICS_READ) !=
		    rows[i].roles)
			fail_msg("%s %s", rows[i].method, rows[i].path);
	assert_int_equal(auth_role_of("GET", "/metrics", SERVER_METRICS_OPEN), AUTH_OPEN);
	assert_int_equal(auth_role_of("GET", "/metrics", SERVER_METRICS_READ), AUTH_READ);
	assert_int_equal(auth_role_of("GET", "/metrics", SERVER_METRICS_ADMIN), AUTH_ADMIN);
}

/* Made by another implementation: Python's hashlib.scrypt(b"open sesame", salt=b"0123456789abcdef", n=2**14, r=8, p=1,
 * dklen=32). */
static void hashes_of_other_programs_are_understood(void **state)
{
	struct fixture *f = *state;
	struct secret_hash hash;
	bool same = false;
	must(f, secret_hash_parse(STR("$scrypt$ln=14,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$"
				      "pYKiUT6B3A2JaXPD2HP3PGVu0M7Sr7LiFK4AcaEhFRA"),
				  &hash, &f->err));
	must(f, secret_hash_check(&hash, STR("open sesame"), &same, &f->err));
	assert_true(same);
	must(f, secret_hash_check(&hash, STR("open sesam"), &same, &f->err));
	assert_false(same);
}

/* ---- many at once ---- */

enum { GUESSERS = 8 };

struct guess {
	struct auth *auth;
	pthread_barrier_t *start;
	int rc;
};

static void *guess(void *user)
{
	struct guess *mine = user;
	struct auth_identity identity;
	bool later;
	struct err err;
	pthread_barrier_wait(mine->start);
	mine->rc = auth_identify(mine->auth, STR("Basic YWxpOndyb25n"), AUTH_THOROUGH, &identity,
				 &later, &err);
	return NULL;
}

static void guessing_passwords_keeps_one_core_busy_at_most(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[GUESSERS];
	struct guess guesses[GUESSERS];
	pthread_barrier_t start;
	int busy = 0, refused = 0;
	must(f, use(f, "users: {ali: {password_hash: '$scrypt$ln=14,r=8,p=1$"
		       "MDEyMzQ1Njc4OWFiY2RlZg$pYKiUT6B3A2JaXPD2HP3PGVu0M7Sr7LiFK4AcaEhFRA', "
		       "roles: [read]}}"));
	pthread_barrier_init(&start, NULL, GUESSERS);
	for (int i = 0; i < GUESSERS; i++) {
		guesses[i] = (struct guess){f->auth, &start, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, guess, &guesses[i]), 0);
	}
	for (int i = 0; i < GUESSERS; i++) {
		pthread_join(threads[i], NULL);
		busy += guesses[i].rc == ERR_BUSY;
		refused += guesses[i].rc == ERR_UNAUTHENTICATED;
	}
	pthread_barrier_destroy(&start);
	assert_int_equal(busy + refused, GUESSERS);
	assert_true(refused >= 1 && busy >= 1);
	/* Afterwards there is room again. */
	must(f, identify_basic(f, "ali:open sesame", AUTH_THOROUGH));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_password_is_known_by_its_hash_and_remembered),
		TEST(a_token_is_known_by_text_hash_and_file),
		TEST(a_wrong_secret_takes_as_much_work_as_an_unknown_name),
		TEST(what_is_nobodys_is_refused_without_a_word_about_it),
		TEST(roles_and_tenants_hold),
		TEST(a_configuration_that_means_nothing_is_refused),
		TEST(every_route_has_its_role),
		TEST(hashes_of_other_programs_are_understood),
		TEST(guessing_passwords_keeps_one_core_busy_at_most),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
