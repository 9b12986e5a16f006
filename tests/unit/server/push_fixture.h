/* A store, an ingest and what was stored, for those who push labels and profiles.
 * Each test program has its own. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/fd.h"
#include "server/api.h"
#include "store/engine.h"

#define CPU	"process_cpu:cpu:nanoseconds:cpu:nanoseconds"
#define SAMPLES "process_cpu:samples:count:cpu:nanoseconds"

struct fixture {
	char dir[64];
	struct store *store;
	struct ingest *ingest;
	struct server_limits limits;
	struct api api;
	struct arena arena;
	struct net_header headers[8];
	struct net_request request;
	struct net_answer answer;
	struct buf body, text;
	struct err err;
};

static struct fixture f;

static inline void must(int rc)
{
	if (rc)
		fail_msg("%s", f.err.text);
}

static inline void configure(const struct ingest_config *config)
{
	ingest_destroy(f.ingest);
	f.ingest = NULL;
	must(ingest_create(config, f.store, &f.ingest, &f.err));
	f.api = (struct api){.store = f.store, .ingest = f.ingest, .limits = &f.limits};
}

static inline int setup(void **state)
{
	struct ingest_config config;

	(void)state;
	f = (struct fixture){0};
	strcpy(f.dir, "/tmp/cresset-push-XXXXXX");
	assert_non_null(mkdtemp(f.dir));
	const struct store_options options = {.path = f.dir};
	must(store_open(&options, &f.store, &f.err));
	ingest_config_default(&config);
	config.reject_newer_ns =
		0; /* profiles in files are of a day that some clock has not seen */
	configure(&config);
	arena_init(&f.arena, 0);
	f.request = (struct net_request){.method = STR("POST"),
					 .headers = f.headers,
					 .peer = STR("127.0.0.1:4000"),
					 .arena = &f.arena,
					 .query = STR(""),
					 .http_major = 1};
	return 0;
}

static inline int teardown(void **state)
{
	char command[128];

	(void)state;
	ingest_destroy(f.ingest);
	store_close(f.store);
	arena_deinit(&f.arena);
	buf_deinit(&f.body);
	buf_deinit(&f.text);
	buf_deinit(&f.answer.body);
	snprintf(command, sizeof(command), "rm -rf %s", f.dir);
	return system(command);
}

static inline void add_header(const char *name, const char *value)
{
	f.headers[f.request.header_count++] = (struct net_header){str_of(name), str_of(value)};
}

static inline struct str answer_header(const char *name)
{
	for (size_t i = 0; i < f.answer.header_count; i++)
		if (str_equal(f.answer.headers[i].name, str_of(name)))
			return f.answer.headers[i].value;
	return STR("");
}

static inline void read_profile(const char *name, struct buf *ret)
{
	char path[512];

	snprintf(path, sizeof(path), TEST_DATA "/pprof/%s", name);
	must(fd_read_file(path, 1 << 20, ret, &f.err));
}

/* From here on nothing can be written, as on a full disk. */
static inline void fill_disk(void)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = 1;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static inline void empty_disk(void)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* ---- what was stored ---- */

static inline void put_path(const struct store_tree *tree, uint32_t node)
{
	if (tree->parent[node] != 0) {
		put_path(tree, tree->parent[node]);
		buf_char(&f.text, ';');
	}
	buf_str(&f.text, tree->frames[tree->frame[node]].name);
}

/* "main;work 3\n" for each stack of a profile type that matches one label more. */
static inline const char *stored_where(const char *type, const char *name, const char *value)
{
	const struct store_matcher matchers[] = {{MATCH_EQUAL, STR("__profile_type__"),
						  str_of(type)},
						 {MATCH_EQUAL, str_of(name), str_of(value)}};
	struct store_selection selection = {.tenant = STR("anonymous"),
					    .matchers = matchers,
					    .matcher_count = 2,
					    .end_ns = UINT64_MAX / 4};
	struct store_tree tree = {0};

	must(store_merge(f.store, &selection, &f.arena, &tree, &f.err));
	buf_clear(&f.text);
	for (uint32_t i = 1; i < tree.node_count; i++) {
		if (tree.self[i] == 0)
			continue;
		put_path(&tree, i);
		buf_printf(&f.text, " %lld\n", (long long)tree.self[i]);
	}
	buf_append(&f.text, "", 1);
	return f.text.ptr;
}

/* Values with and without a stack. */
static inline int64_t total_where(const char *type, const char *name, const char *value)
{
	const struct store_matcher matchers[] = {{MATCH_EQUAL, STR("__profile_type__"),
						  str_of(type)},
						 {MATCH_EQUAL, str_of(name), str_of(value)}};
	struct store_selection selection = {.tenant = STR("anonymous"),
					    .matchers = matchers,
					    .matcher_count = 2,
					    .end_ns = UINT64_MAX / 4};
	struct store_tree tree = {0};
	int64_t sum = 0;

	must(store_merge(f.store, &selection, &f.arena, &tree, &f.err));
	for (uint32_t i = 0; i < tree.node_count; i++)
		sum += tree.self[i];
	return sum;
}

static inline const char *stored(const char *type, const char *service)
{
	return stored_where(type, "service_name", service);
}

static inline void assert_holds(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not hold \"%s\"", text ? text : "", part);
}

static inline void assert_answer(int status, const char *part)
{
	if (f.answer.status != status || str_find(buf_text(&f.answer.body), str_of(part)) < 0)
		fail_msg("%d %.*s\nwanted %d with %s", f.answer.status,
			 STR_ARG(buf_text(&f.answer.body)), status, part);
}
