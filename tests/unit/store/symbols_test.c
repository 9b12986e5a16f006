/* Names that come after the frames: answers have them from then on, for what is
 * stored and for what comes, of this tenant and build id alone, until they are
 * replaced or deleted, and over a restart. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "help.h"
#include "store/embedded/embedded.h"
#include "store/embedded/gauges.h"
#include "store/embedded/symbols.h"

#define NOW_NS 1763800000000000000ull

struct fixture {
	char path[64];
	struct store *store;
	struct arena arena;
	struct err err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	temp_directory(f->path);
	f->store = open_store(f->path);
	arena_init(&f->arena, 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	store_close(f->store);
	remove_directory(f->path);
	arena_deinit(&f->arena);
	free(f);
	return 0;
}

static struct store_frame unnamed(const char *build_id, uint64_t address)
{
	return (struct store_frame){.kind = STR("native"),
				    .mapping = STR("libx.so"),
				    .build_id = str_of(build_id),
				    .address = address};
}

/* One sample of each frame, below the root. */
static void write_frames(struct fixture *f, const char *tenant, const struct store_frame *frames,
			 size_t count)
{
	static unsigned number;
	char identity[32];
	struct store_node *nodes = calloc(count + 1, sizeof(*nodes));
	struct store_sample *samples = calloc(count, sizeof(*samples));
	const struct store_label label = {STR("service_name"), STR("s")};
	const struct store_series series = {&label, 1, samples, count};
	const struct str strings[] = {STR("")};
	for (size_t i = 0; i < count; i++) {
		nodes[i + 1] = (struct store_node){0, (uint32_t)i};
		samples[i] = (struct store_sample){.time_ns = NOW_NS + i,
						   .value = 1,
						   .node = (uint32_t)i + 1,
						   .cpu = -1};
	}
	snprintf(identity, sizeof(identity), "%u", number++);
	const struct store_batch batch = {.tenant = str_of(tenant),
					  .identity = str_of(identity),
					  .strings = strings,
					  .string_count = 1,
					  .frames = frames,
					  .frame_count = count,
					  .nodes = nodes,
					  .node_count = count + 1,
					  .series = &series,
					  .series_count = 1};
	must(store_write(f->store, &batch, &f->err), &f->err);
	free(nodes);
	free(samples);
}

static void put(struct fixture *f, const char *tenant, const char *build_id,
		const struct store_symbol *symbols, size_t count, bool replaces)
{
	bool replaced = !replaces;
	must(store_symbols_put(f->store, str_of(tenant), str_of(build_id), STR("upload"), symbols,
			       count, &replaced, &f->err),
	     &f->err);
	assert_int_equal(replaced, replaces);
}

static int merge(struct fixture *f, const char *tenant, struct store_tree *ret)
{
	struct store_selection all = {.tenant = str_of(tenant), .end_ns = UINT64_MAX};
	return store_merge(f->store, &all, &f->arena, ret, &f->err);
}

/* The frame of a build id and address in the answer. */
static struct store_frame frame_at(struct fixture *f, const char *tenant, const char *build_id,
				   uint64_t address)
{
	struct store_tree tree;
	must(merge(f, tenant, &tree), &f->err);
	for (uint32_t i = 1; i < tree.node_count; i++) {
		const struct store_frame *frame = &tree.frames[tree.frame[i]];
		if (str_equal(frame->build_id, str_of(build_id)) && frame->address == address)
			return *frame;
	}
	fail_msg("no frame of %s at %llu", build_id, (unsigned long long)address);
	return (struct store_frame){0};
}

static void need_name(struct fixture *f, const char *tenant, const char *build_id, uint64_t address,
		      const char *name)
{
	struct store_frame frame = frame_at(f, tenant, build_id, address);
	if (!str_equal(frame.name, str_of(name)))
		fail_msg("%s+%llu is \"%.*s\", not \"%s\"", build_id, (unsigned long long)address,
			 STR_ARG(frame.name), name);
}

static const struct store_symbol two[] = {
	{0x100, 0x10, STR("ns::f"), STR("_ZN2ns1fEv"), STR("f.cc")},
	{0x120, 0x10, STR("g"), STR("g"), STR("")},
};

/* ---- naming ---- */

static void what_was_stored_before_and_what_comes_after_get_the_names(void **state)
{
	struct fixture *f = *state;
	const struct store_frame before[] = {unnamed("aa", 0x104), unnamed("aa", 0x10f),
					     unnamed("aa", 0x110), unnamed("bb", 0x104)};
	const struct store_frame after[] = {unnamed("aa", 0x100), unnamed("aa", 0x12f),
					    unnamed("aa", 0xff), unnamed("aa", 0x130)};
	write_frames(f, "t", before, 4);
	need_name(f, "t", "aa", 0x104, "");
	put(f, "t", "aa", two, 2, false);
	write_frames(f, "t", after, 4);
	need_name(f, "t", "aa", 0x104, "ns::f");
	need_name(f, "t", "aa", 0x10f, "ns::f");
	need_name(f, "t", "aa", 0x110, "");
	need_name(f, "t", "bb", 0x104, "");
	need_name(f, "t", "aa", 0x100, "ns::f");
	need_name(f, "t", "aa", 0x12f, "g");
	need_name(f, "t", "aa", 0xff, "");
	need_name(f, "t", "aa", 0x130, "");
	struct store_frame frame = frame_at(f, "t", "aa", 0x104);
	assert_true(str_equal(frame.system_name, STR("_ZN2ns1fEv")));
	assert_true(str_equal(frame.filename, STR("f.cc")));
	assert_true(str_equal(frame.mapping, STR("libx.so")));
	frame = frame_at(f, "t", "aa", 0x12f);
	assert_true(str_equal(frame.system_name, STR("")));
}

static void two_addresses_of_a_function_stay_two_frames(void **state)
{
	struct fixture *f = *state;
	const struct store_frame frames[] = {unnamed("aa", 0x104), unnamed("aa", 0x108)};
	struct store_tree tree;
	write_frames(f, "t", frames, 2);
	put(f, "t", "aa", two, 2, false);
	must(merge(f, "t", &tree), &f->err);
	assert_int_equal(tree.node_count, 3);
	assert_int_equal(tree.self[1] + tree.self[2], 2);
	assert_true(tree.frames[tree.frame[1]].name.ptr == tree.frames[tree.frame[2]].name.ptr);
}

static void names_that_are_there_and_kernel_frames_stay_as_they_are(void **state)
{
	struct fixture *f = *state;
	struct store_frame frames[] = {unnamed("aa", 0x104), unnamed("aa", 0x108)};
	frames[0].name = STR("mine");
	frames[1].kind = STR("kernel");
	write_frames(f, "t", frames, 2);
	put(f, "t", "aa", two, 2, false);
	need_name(f, "t", "aa", 0, "mine");
	need_name(f, "t", "aa", 0x108, "");
}

static void newer_symbols_replace_older_ones_whole(void **state)
{
	struct fixture *f = *state;
	const struct store_frame frames[] = {unnamed("aa", 0x104), unnamed("aa", 0x124)};
	const struct store_symbol other = {0x102, 4, STR("other"), STR(""), STR("")};
	write_frames(f, "t", frames, 2);
	put(f, "t", "aa", two, 2, false);
	need_name(f, "t", "aa", 0x124, "g");
	put(f, "t", "aa", &other, 1, true);
	need_name(f, "t", "aa", 0x104, "other");
	need_name(f, "t", "aa", 0x124, "");
}

static void deleted_symbols_name_nothing_any_more(void **state)
{
	struct fixture *f = *state;
	const struct store_frame frames[] = {unnamed("aa", 0x104), unnamed("ab", 0x104)};
	struct store_symbols *list;
	size_t count;
	write_frames(f, "t", frames, 2);
	put(f, "t", "aa", two, 2, false);
	put(f, "t", "ab", two, 2, false);
	must(store_symbols_delete(f->store, STR("t"), STR("aa"), &f->err), &f->err);
	need_name(f, "t", "aa", 0x104, "");
	need_name(f, "t", "ab", 0x104, "ns::f");
	assert_int_equal(store_symbols_delete(f->store, STR("t"), STR("aa"), &f->err),
			 ERR_NOT_FOUND);
	assert_int_equal(store_symbols_delete(f->store, STR("nobody"), STR("aa"), &f->err),
			 ERR_NOT_FOUND);
	must(store_symbols_list(f->store, STR("t"), &f->arena, &list, &count, &f->err), &f->err);
	assert_int_equal(count, 1);
	assert_true(str_equal(list[0].build_id, STR("ab")));
}

static void symbols_are_their_tenants_own(void **state)
{
	struct fixture *f = *state;
	const struct store_frame frame = unnamed("aa", 0x104);
	write_frames(f, "t", &frame, 1);
	write_frames(f, "u", &frame, 1);
	put(f, "t", "aa", two, 2, false);
	need_name(f, "t", "aa", 0x104, "ns::f");
	need_name(f, "u", "aa", 0x104, "");
	assert_int_equal(store_symbols_delete(f->store, STR("u"), STR("aa"), &f->err),
			 ERR_NOT_FOUND);
	need_name(f, "t", "aa", 0x104, "ns::f");
}

static void a_tenant_may_send_symbols_before_its_first_profile(void **state)
{
	struct fixture *f = *state;
	const struct store_frame frame = unnamed("aa", 0x104);
	struct str *tenants;
	size_t count;
	put(f, "new", "aa", two, 2, false);
	write_frames(f, "new", &frame, 1);
	need_name(f, "new", "aa", 0x104, "ns::f");
	write_frames(f, "later", &frame, 1);
	must(store_tenants(f->store, &f->arena, &tenants, &count, &f->err), &f->err);
	assert_int_equal(count, 2);
	assert_true(str_equal(tenants[0], STR("later")));
	assert_true(str_equal(tenants[1], STR("new")));
}

static void names_are_there_after_a_restart(void **state)
{
	struct fixture *f = *state;
	const struct store_frame frame = unnamed("aa", 0x104);
	write_frames(f, "t", &frame, 1);
	put(f, "t", "aa", two, 2, false);
	store_close(f->store);
	f->store = open_store(f->path);
	need_name(f, "t", "aa", 0x104, "ns::f");
}

/* ---- many ---- */

enum { MANY = 100 * 1000, FUNCTIONS = 20 * 1000 };

static void a_hundred_thousand_frames_read_each_run_once(void **state)
{
	struct fixture *f = *state;
	struct store_frame *frames = calloc(MANY, sizeof(*frames));
	struct store_symbol *symbols = calloc(FUNCTIONS, sizeof(*symbols));
	struct store_tree tree;
	struct random random = {1};
	/* Below the first function, between them and behind the last are addresses too. */
	for (size_t i = 0; i < MANY; i++)
		frames[i] = unnamed("aa", 16 * i);
	for (size_t i = 0; i < FUNCTIONS; i++)
		symbols[i] =
			(struct store_symbol){0x10000 + 64 * i, 48,
					      arena_printf(&f->arena, "f%zu", i), STR(""), STR("")};
	for (size_t i = FUNCTIONS; i-- > 1;) {
		size_t other = random_below(&random, (uint32_t)i + 1);
		struct store_symbol held = symbols[i];
		symbols[i] = symbols[other];
		symbols[other] = held;
	}
	write_frames(f, "t", frames, MANY);
	put(f, "t", "aa", symbols, FUNCTIONS, false);
	int64_t before = metric_get(&store_symbol_runs_read_total);
	must(merge(f, "t", &tree), &f->err);
	assert_int_equal(metric_get(&store_symbol_runs_read_total) - before,
			 (FUNCTIONS + SYMBOLS_PER_RUN - 1) / SYMBOLS_PER_RUN);
	assert_int_equal(tree.frame_count, MANY);
	for (uint32_t i = 0; i < tree.frame_count; i++) {
		const struct store_frame *frame = &tree.frames[i];
		uint64_t at = frame->address - 0x10000;
		char name[32] = "";
		if (frame->address >= 0x10000 && at / 64 < FUNCTIONS && at % 64 < 48)
			snprintf(name, sizeof(name), "f%llu", (unsigned long long)at / 64);
		if (!str_equal(frame->name, str_of(name)))
			fail_msg("%llx is %.*s", (unsigned long long)frame->address,
				 STR_ARG(frame->name));
	}
	free(frames);
	free(symbols);
}

/* ---- at the same time ---- */

enum { CHANGES = 60, ASKERS = 2 };

struct asker {
	pthread_t thread;
	struct store *store;
	const atomic_bool *stop;
	unsigned answers, wrong;
};

/* Of one file's symbols, never of two: f0 with f1, g0 with g1. */
static bool is_whole(const struct store_tree *tree)
{
	struct str a = tree->frames[0].name, b = tree->frames[1].name;
	return a.len == 2 && b.len == 2 && a.ptr[0] == b.ptr[0];
}

static void *ask_on(void *user)
{
	struct asker *asker = user;
	const struct store_selection all = {.tenant = STR("t"), .end_ns = UINT64_MAX};
	struct arena arena;
	arena_init(&arena, 0);
	while (!atomic_load(asker->stop)) {
		struct store_tree tree;
		int rc = store_merge(asker->store, &all, &arena, &tree, NULL);
		asker->answers++;
		asker->wrong += rc || !is_whole(&tree);
		arena_reset(&arena);
	}
	arena_deinit(&arena);
	return NULL;
}

static void answers_while_symbols_change_are_of_one_set(void **state)
{
	struct fixture *f = *state;
	const struct store_frame frames[] = {unnamed("aa", 0x104), unnamed("aa", 0x10000)};
	/* Not in one run: the first has too much text for another beside it. */
	char *text = calloc(1, STORE_SYMBOL_TEXT_MAX);
	struct str long_text = {text, STORE_SYMBOL_TEXT_MAX};
	const struct store_symbol sets[2][3] = {
		{{0x100, 8, STR("f0"), STR(""), STR("")},
		 {0x200, 8, STR("x"), long_text, long_text},
		 {0x10000, 8, STR("f1"), STR(""), STR("")}},
		{{0x104, 8, STR("g0"), STR(""), STR("")},
		 {0x200, 8, STR("x"), long_text, long_text},
		 {0xfff8, 16, STR("g1"), STR(""), STR("")}},
	};
	struct asker askers[ASKERS] = {0};
	atomic_bool stop = false;
	write_frames(f, "t", frames, 2);
	put(f, "t", "aa", sets[0], 3, false);
	for (unsigned i = 0; i < ASKERS; i++) {
		askers[i].store = f->store;
		askers[i].stop = &stop;
		assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_on, &askers[i]), 0);
	}
	for (unsigned i = 1; i <= CHANGES; i++)
		put(f, "t", "aa", sets[i % 2], 3, true);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < ASKERS; i++) {
		pthread_join(askers[i].thread, NULL);
		assert_true(askers[i].answers > 0);
		assert_int_equal(askers[i].wrong, 0);
	}
	free(text);
}

/* ---- lists ---- */

static void the_list_says_what_came_from_where(void **state)
{
	struct fixture *f = *state;
	struct store_symbols *list;
	size_t count;
	uint64_t start_ns = clock_real_ns();
	put(f, "t", "bb", two, 1, false);
	put(f, "t", "aa", two, 2, false);
	must(store_symbols_list(f->store, STR("t"), &f->arena, &list, &count, &f->err), &f->err);
	assert_int_equal(count, 2);
	assert_true(str_equal(list[0].build_id, STR("aa")));
	assert_true(str_equal(list[1].build_id, STR("bb")));
	assert_true(str_equal(list[0].source, STR("upload")));
	assert_int_equal(list[0].functions, 2);
	assert_int_equal(list[1].functions, 1);
	assert_true(list[0].size_bytes > list[1].size_bytes);
	assert_true(list[0].time_ns >= start_ns && list[0].time_ns <= clock_real_ns());
	must(store_symbols_list(f->store, STR("nobody"), &f->arena, &list, &count, &f->err),
	     &f->err);
	assert_int_equal(count, 0);
}

static void missing_are_the_build_ids_of_unnamed_frames_without_symbols(void **state)
{
	struct fixture *f = *state;
	struct store_frame frames[] = {unnamed("aa", 1), unnamed("bb", 1), unnamed("bb", 2),
				       unnamed("cc", 1), unnamed("", 1),   unnamed("dd", 1)};
	struct store_missing *list;
	size_t count;
	uint32_t from = 0;
	frames[3].name = STR("named");
	frames[5].kind = STR("kernel");
	write_frames(f, "t", frames, 6);
	must(store_symbols_missing(f->store, STR("t"), &from, &f->arena, &list, &count, &f->err),
	     &f->err);
	assert_int_equal(count, 2);
	assert_true(str_equal(list[0].build_id, STR("bb")));
	assert_true(str_equal(list[0].mapping, STR("libx.so")));
	assert_int_equal(list[0].frames, 2);
	assert_true(str_equal(list[1].build_id, STR("aa")));
	must(store_symbols_missing(f->store, STR("t"), &from, &f->arena, &list, &count, &f->err),
	     &f->err);
	assert_int_equal(count, 0);
	frames[0].address = 7;
	write_frames(f, "t", frames, 1);
	must(store_symbols_missing(f->store, STR("t"), &from, &f->arena, &list, &count, &f->err),
	     &f->err);
	assert_int_equal(count, 1);
	assert_int_equal(list[0].frames, 1);
	put(f, "t", "bb", two, 2, false);
	must(store_symbols_missing(f->store, STR("t"), NULL, &f->arena, &list, &count, &f->err),
	     &f->err);
	assert_int_equal(count, 1);
	assert_true(str_equal(list[0].build_id, STR("aa")));
	must(store_symbols_missing(f->store, STR("nobody"), NULL, &f->arena, &list, &count,
				   &f->err),
	     &f->err);
	assert_int_equal(count, 0);
}

/* ---- what is refused, damaged, short ---- */

static void refuse(struct fixture *f, const char *build_id, const struct store_symbol *symbols,
		   size_t count, int code, const char *why)
{
	assert_int_equal(store_symbols_put(f->store, STR("t"), str_of(build_id), STR("upload"),
					   symbols, count, NULL, &f->err),
			 code);
	if (!strstr(f->err.text, why))
		fail_msg("\"%s\" does not say \"%s\"", f->err.text, why);
}

static void what_makes_no_sense_is_refused_with_a_sentence(void **state)
{
	struct fixture *f = *state;
	const struct store_symbol nameless[] = {two[0], {.start = 1, .size = 1}};
	char *text = calloc(1, STORE_SYMBOL_TEXT_MAX + 1);
	const struct store_symbol large = {1,
					   1,
					   {text, STORE_SYMBOL_TEXT_MAX + 1},
					   STR(""),
					   STR("")};
	refuse(f, "", two, 2, ERR_INVALID, "build id");
	refuse(f, "aa", two, 0, ERR_INVALID, "no function");
	refuse(f, "aa", nameless, 2, ERR_INVALID, "symbol 1 has no name");
	refuse(f, "aa", &large, 1, ERR_INVALID, "65535");
	refuse(f, "aa", two, STORE_SYMBOLS_MAX + 1, ERR_LIMIT, "4000000");
	free(text);
}

static void symbols_that_take_too_much_are_refused_and_the_old_ones_stay(void **state)
{
	struct fixture *f = *state;
	enum { COUNT = STORE_SYMBOLS_BYTES_MAX / STORE_SYMBOL_TEXT_MAX + 2 };
	const struct store_frame frame = unnamed("aa", 0x104);
	char *text = malloc(STORE_SYMBOL_TEXT_MAX);
	struct store_symbol *symbols = calloc(COUNT, sizeof(*symbols));
	memset(text, 'x', STORE_SYMBOL_TEXT_MAX);
	for (size_t i = 0; i < COUNT; i++)
		symbols[i] = (struct store_symbol){i,
						   1,
						   {text, STORE_SYMBOL_TEXT_MAX},
						   STR(""),
						   STR("")};
	write_frames(f, "t", &frame, 1);
	put(f, "t", "aa", two, 2, false);
	refuse(f, "aa", symbols, COUNT, ERR_LIMIT, "128 MiB");
	need_name(f, "t", "aa", 0x104, "ns::f");
	free(symbols);
	free(text);
}

static void damage(struct fixture *f, const struct key *key, struct str value)
{
	rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
	rocks_put(f->store->rocks, batch, FAMILY_DICT, key_str(key), value);
	must(rocks_write_synced(f->store->rocks, batch, &f->err), &f->err);
	rocksdb_writebatch_destroy(batch);
}

static void a_damaged_run_fails_what_needs_it_until_it_is_replaced(void **state)
{
	struct fixture *f = *state;
	const struct store_frame frame = unnamed("aa", 0x104), other = unnamed("bb", 0x104);
	struct store_tree tree;
	write_frames(f, "t", &frame, 1);
	write_frames(f, "t2", &other, 1);
	put(f, "t", "aa", two, 2, false);
	put(f, "t2", "bb", two, 2, false);
	struct symbols_place place = symbols_place(f->store, 1, STR("aa"));
	struct key run = key_symbol(1, place.hash, 0x100), record = symbols_record_key(&place);
	damage(f, &run, STR("\x01\x02nonsense"));
	assert_int_equal(merge(f, "t", &tree), ERR_CORRUPT);
	assert_non_null(strstr(f->err.text, "symbols of build id aa"));
	need_name(f, "t2", "bb", 0x104, "ns::f");
	put(f, "t", "aa", two, 2, true);
	need_name(f, "t", "aa", 0x104, "ns::f");
	damage(f, &record, STR("\x01\x40"));
	assert_int_equal(merge(f, "t", &tree), ERR_CORRUPT);
	must(store_symbols_delete(f->store, STR("t"), STR("aa"), &f->err), &f->err);
	need_name(f, "t", "aa", 0x104, "");
}

static void a_store_short_of_memory_has_the_symbols_whole_or_not_at_all(void **state)
{
	struct fixture *f = *state;
	const struct store_frame frames[] = {unnamed("aa", 0x104), unnamed("aa", 0x124)};
	unsigned failures = 0;
	int rc = -1;
	write_frames(f, "t", frames, 2);
	for (uint64_t nth = 1; rc && nth < 1000; nth++) {
		mem_fail_nth(nth);
		rc = store_symbols_put(f->store, STR("t"), STR("aa"), STR("upload"), two, 2, NULL,
				       &f->err);
		mem_fail_nth(0);
		if (!rc)
			break;
		failures++;
		assert_int_equal(rc, ERR_NOMEM);
		need_name(f, "t", "aa", 0x104, "");
		need_name(f, "t", "aa", 0x124, "");
	}
	assert_int_equal(rc, 0);
	assert_true(failures > 2);
	need_name(f, "t", "aa", 0x104, "ns::f");
	need_name(f, "t", "aa", 0x124, "g");
}

static void a_query_short_of_memory_says_so(void **state)
{
	struct fixture *f = *state;
	const struct store_frame frames[] = {unnamed("aa", 0x104), unnamed("aa", 0x124)};
	struct store_tree tree;
	unsigned failures = 0;
	write_frames(f, "t", frames, 2);
	put(f, "t", "aa", two, 2, false);
	must(merge(f, "t", &tree), &f->err);
	(void)mem_fail_nth(0);
	must(merge(f, "t", &tree), &f->err);
	uint64_t requests = mem_fail_nth(0);
	for (uint64_t nth = 1; nth <= requests; nth++) {
		arena_reset(&f->arena);
		mem_fail_nth(nth);
		int rc = merge(f, "t", &tree);
		mem_fail_nth(0);
		failures += rc != 0;
		assert_true(!rc || rc == ERR_NOMEM || rc == ERR_LIMIT);
	}
	assert_true(failures > 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_was_stored_before_and_what_comes_after_get_the_names),
		TEST(two_addresses_of_a_function_stay_two_frames),
		TEST(names_that_are_there_and_kernel_frames_stay_as_they_are),
		TEST(newer_symbols_replace_older_ones_whole),
		TEST(deleted_symbols_name_nothing_any_more),
		TEST(symbols_are_their_tenants_own),
		TEST(a_tenant_may_send_symbols_before_its_first_profile),
		TEST(names_are_there_after_a_restart),
		TEST(a_hundred_thousand_frames_read_each_run_once),
		TEST(answers_while_symbols_change_are_of_one_set),
		TEST(the_list_says_what_came_from_where),
		TEST(missing_are_the_build_ids_of_unnamed_frames_without_symbols),
		TEST(what_makes_no_sense_is_refused_with_a_sentence),
		TEST(symbols_that_take_too_much_are_refused_and_the_old_ones_stay),
		TEST(a_damaged_run_fails_what_needs_it_until_it_is_replaced),
		TEST(a_store_short_of_memory_has_the_symbols_whole_or_not_at_all),
		TEST(a_query_short_of_memory_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
