/* The engine against the naive model: random writes, retries, restarts and
 * questions; every answer must be the same text. CRESSET_MODEL_CASES sets how
 * many questions, CRESSET_MODEL_SEED where the random numbers start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model.h"

#define DAY_NS (24ull * 3600 * 1000000000)

enum { CASES = 3000, ROUND_SAMPLES = 3000, ROUND_OPERATIONS = 400 };

struct round {
	struct random random;
	char path[64];
	struct store *store;
	struct model model;
	struct model_batch *batch; /* the last one written */
	struct store_matcher matchers[3];
	struct store_selection selection;
	struct arena arena;
	unsigned asked;
};

/* ---- random questions ---- */

static const char *const names[] = {
	"service_name",
	"service.name",
	"__profile_type__",
	"region",
	"zone",
	"absent",
	"process.executable.name",
	"process_executable_name",
	"process.pid",
	"process_pid",
	"thread.name",
	"thread_name",
	"thread.id",
	"thread_id",
	"cpu.logical_number",
	"cpu_logical_number",
	"span_id",
	"trace_id",
};

static const char *const values[] = {
	"",
	"a",
	"b",
	"ab",
	"nginx",
	"node",
	"alias",
	"eu",
	"1",
	"2",
	"7",
	"8",
	"0",
	"main",
	"gc",
	"labelled",
	"cpu",
	"a0a0a0a0a0a0a0a0",
	"11111111111111111111111111111111",
};

static const char *const patterns[] = {
	"",	  ".*",	   ".+",	 "a|b",		"a.*",
	".*b",	  "[ab]+", "eu(-west)?", "n(ginx|ode)", "main|gc|labelled",
	"[0-9]+", "7|8",   "x",		 "(a0)+|1+",	"|a",
	"1",	  "a?",
};

static struct str pick(struct random *random, const char *const *list, size_t count)
{
	return str_of(list[random_below(random, (uint32_t)count)]);
}

#define PICK(random, list) pick(random, list, sizeof(list) / sizeof((list)[0]))

static void random_selection(struct round *r)
{
	struct store_selection *s = &r->selection;
	uint64_t first = 20000ull * DAY_NS;
	*s = (struct store_selection){.matchers = r->matchers};
	s->tenant = model_tenants[random_below(&r->random, 5) == 0];
	s->matcher_count = random_below(&r->random, 4);
	for (size_t i = 0; i < s->matcher_count; i++) {
		struct store_matcher *m = &r->matchers[i];
		m->op = (enum match_op)random_below(&r->random, 4);
		m->name = PICK(&r->random, names);
		m->value = m->op == MATCH_EQUAL || m->op == MATCH_NOT_EQUAL
				   ? PICK(&r->random, values)
				   : PICK(&r->random, patterns);
	}
	s->start_ns = first + random_u64(&r->random) % (3 * DAY_NS);
	s->end_ns = s->start_ns + random_u64(&r->random) %
					  (random_below(&r->random, 2) ? 2 * DAY_NS : DAY_NS / 100);
	if (random_below(&r->random, 3) == 0) { /* where samples are, to the nanosecond */
		s->start_ns = first + random_below(&r->random, 100) * (DAY_NS / 48);
		s->end_ns = s->start_ns + random_below(&r->random, 50) * (DAY_NS / 48);
	}
	if (random_below(&r->random, 3) == 0) {
		s->start_ns = 0;
		s->end_ns = UINT64_MAX;
	}
}

/* ---- the engine's answers as lines ---- */

static void describe(const struct round *r, const char *what)
{
	print_message("%s tenant %.*s [%llu, %llu)\n", what, STR_ARG(r->selection.tenant),
		      (unsigned long long)r->selection.start_ns,
		      (unsigned long long)r->selection.end_ns);
	for (size_t i = 0; i < r->selection.matcher_count; i++)
		print_message("  matcher %.*s op %d \"%.*s\"\n", STR_ARG(r->matchers[i].name),
			      r->matchers[i].op, STR_ARG(r->matchers[i].value));
}

static void compare(struct round *r, const char *what, char *expected, struct lines *lines)
{
	char *got = lines_text(lines);
	if (strcmp(expected, got) != 0) {
		describe(r, what);
		print_message("expected:\n%sgot:\n%s", expected, got);
		fail();
	}
	free(expected);
	free(got);
	arena_reset(&r->arena);
	r->asked++;
}

static void ask_merge(struct round *r)
{
	struct store_tree tree;
	struct lines lines = {0};
	struct err err;
	char *expected;
	must(store_merge(r->store, &r->selection, &r->arena, &tree, &err), &err);
	char **paths = calloc(tree.node_count, sizeof(*paths));
	for (uint32_t i = 0; i < tree.node_count; i++) {
		char frame[256] = "";
		if (i) {
			assert_true(tree.parent[i] < i && tree.frame[i] < tree.frame_count);
			frame_text(&tree.frames[tree.frame[i]], frame, sizeof(frame));
		}
		assert_true(asprintf(&paths[i], "%s%s%s", i ? paths[tree.parent[i]] : "",
				     i ? ";" : "", frame) >= 0);
		lines_add(&lines, "%s %lld", paths[i], (long long)tree.self[i]);
	}
	for (uint32_t i = 0; i < tree.node_count; i++)
		free(paths[i]);
	free(paths);
	model_merge(&r->model, &r->selection, &expected);
	compare(r, "merge", expected, &lines);
}

static void ask_points(struct round *r)
{
	struct store_points *points;
	struct lines lines = {0};
	struct str group_by[2];
	size_t count, groups = random_below(&r->random, 3);
	struct err err;
	char *expected;
	uint64_t first = 20000ull * DAY_NS;
	r->selection.start_ns = first + random_below(&r->random, 3) * DAY_NS / 2;
	r->selection.end_ns = r->selection.start_ns + random_u64(&r->random) % (2 * DAY_NS);
	uint64_t step_ns = DAY_NS / (1 + random_below(&r->random, 50));
	for (size_t i = 0; i < groups; i++)
		group_by[i] = PICK(&r->random, names);
	if (groups == 2 && str_equal(group_by[0], group_by[1]))
		groups = 1;
	must(store_points(r->store, &r->selection, step_ns, group_by, groups, &r->arena, &points,
			  &count, &err),
	     &err);
	for (size_t i = 0; i < count; i++) {
		char labels[512], *at = labels;
		*at = 0;
		for (size_t l = 0; l < points[i].label_count; l++)
			at += sprintf(at, "%.*s=%.*s,", STR_ARG(points[i].labels[l].name),
				      STR_ARG(points[i].labels[l].value));
		for (size_t p = 0; p < points[i].point_count; p++)
			lines_add(&lines, "%s@%llu %.17g", labels,
				  (unsigned long long)points[i].points[p].time_ns,
				  points[i].points[p].value);
	}
	model_points(&r->model, &r->selection, step_ns, group_by, groups, &expected);
	compare(r, "points", expected, &lines);
}

static void ask_names(struct round *r)
{
	struct lines lines = {0};
	struct str *list;
	size_t count;
	struct err err;
	char *expected;
	must(store_label_names(r->store, &r->selection, &r->arena, &list, &count, &err), &err);
	for (size_t i = 0; i < count; i++)
		lines_add(&lines, "%.*s", STR_ARG(list[i]));
	model_label_names(&r->model, &r->selection, &expected);
	compare(r, "label names", expected, &lines);
}

static void ask_values(struct round *r)
{
	struct lines lines = {0};
	struct str *list, name = PICK(&r->random, names);
	size_t count;
	struct err err;
	char *expected;
	must(store_label_values(r->store, &r->selection, name, &r->arena, &list, &count, &err),
	     &err);
	for (size_t i = 0; i < count; i++)
		lines_add(&lines, "%.*s", STR_ARG(list[i]));
	model_label_values(&r->model, &r->selection, name, &expected);
	compare(r, name.ptr, expected, &lines);
}

static void ask_series(struct round *r)
{
	struct lines lines = {0};
	struct store_labels *list;
	struct str wanted[2] = {PICK(&r->random, names), PICK(&r->random, names)};
	size_t count, some = random_below(&r->random, 3);
	struct err err;
	char *expected;
	must(store_series_labels(r->store, &r->selection, wanted, some, &r->arena, &list, &count,
				 &err),
	     &err);
	for (size_t i = 0; i < count; i++) {
		char text[TEXT_MAX], *at = text;
		for (size_t l = 0; l < list[i].label_count; l++)
			at += sprintf(at, "%.*s=%.*s,", STR_ARG(list[i].labels[l].name),
				      STR_ARG(list[i].labels[l].value));
		lines_add(&lines, "%s", text);
	}
	assert_int_equal(lines.count, count);
	model_series(&r->model, &r->selection, wanted, some, &expected);
	compare(r, "series", expected, &lines);
}

/* ---- operations ---- */

static void write_batch(struct round *r)
{
	struct err err;
	model_random_batch(&r->random, r->batch);
	must(store_write(r->store, &r->batch->batch, &err), &err);
	model_add(&r->model, r->batch);
}

static void write_again(struct round *r)
{
	struct err err;
	if (r->batch->batch.tenant.len)
		must(store_write(r->store, &r->batch->batch, &err), &err);
}

static void write_invalid(struct round *r)
{
	struct model_batch *bad = malloc(sizeof(*bad));
	struct err err;
	model_random_batch(&r->random, bad);
	bad->nodes[0] = (struct store_node){0, 0};
	bad->nodes[1] = (struct store_node){0, MODEL_FRAMES};
	bad->batch.node_count = 2;
	assert_int_equal(store_write(r->store, &bad->batch, &err), ERR_INVALID);
	free(bad);
}

static void restart(struct round *r)
{
	store_close(r->store);
	r->store = open_quiet_store(r->path);
}

/* Hours close as that clock goes, and open again when late samples come. */
static void maintain(struct round *r)
{
	struct err err;
	uint64_t now_ns = 20000ull * DAY_NS + random_u64(&r->random) % (5 * DAY_NS);
	must(store_maintain(r->store, now_ns, &err), &err);
}

static void operate(struct round *r)
{
	uint32_t dice = random_below(&r->random, 100);
	if (dice < 12 && r->model.count < ROUND_SAMPLES) {
		write_batch(r);
		return;
	}
	if (dice < 15) {
		write_again(r);
		return;
	}
	if (dice < 16) {
		write_invalid(r);
		return;
	}
	if (dice < 17) {
		restart(r);
		return;
	}
	if (dice < 20) {
		maintain(r);
		return;
	}
	static void (*const ask[])(struct round * r) = {
		ask_merge, ask_merge, ask_points, ask_points, ask_names, ask_values, ask_series,
	};
	random_selection(r);
	ask[random_below(&r->random, sizeof(ask) / sizeof(ask[0]))](r);
}

static unsigned play(uint64_t seed)
{
	struct round r = {.random = {seed}};
	r.batch = calloc(1, sizeof(*r.batch));
	temp_directory(r.path);
	r.store = open_quiet_store(r.path);
	for (unsigned i = 0; i < ROUND_OPERATIONS; i++)
		operate(&r);
	store_close(r.store);
	verify_clean(r.path);
	remove_directory(r.path);
	arena_deinit(&r.arena);
	model_free(&r.model);
	free(r.batch);
	return r.asked;
}

static void every_answer_is_the_naive_models(void **state)
{
	(void)state;
	unsigned wanted = env_number("CRESSET_MODEL_CASES", CASES), asked = 0;
	for (unsigned seed = env_number("CRESSET_MODEL_SEED", 1); asked < wanted; seed++) {
		unsigned round = play(seed);
		asked += round;
	}
	print_message("%u questions\n", asked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_answer_is_the_naive_models)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
