/* The engine against the naive model: random writes, retries, late symbols,
 * restarts and questions; every answer must be the same text. CRESSET_MODEL_CASES sets how
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

/* A sanitizer makes everything many times slower. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { CASES = 5000 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { CASES = 5000 };
#else
enum { CASES = 100 * 1000 };
#endif
#else
enum { CASES = 100 * 1000 };
#endif

enum { ROUND_SAMPLES = 3000, ROUND_OPERATIONS = 2000, REMEMBERED = 8 };

struct round;
typedef void ask_question(struct round *r);

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
	/* Questions of before, to be asked again: what was kept of their answers must still hold. */
	struct {
		ask_question *ask;
		struct random random;
	} before[REMEMBERED];
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

static void answered(struct round *r)
{
	arena_reset(&r->arena);
	r->asked++;
}

static void compare(struct round *r, const char *what, char *expected, char *got)
{
	if (strcmp(expected, got) != 0) {
		describe(r, what);
		print_message("expected:\n%sgot:\n%s", expected, got);
		fail();
	}
	free(expected);
	free(got);
	answered(r);
}

/* Every node is a beginning of a stack that the model has in its answer, with the same sum. */
static void ask_merge(struct round *r)
{
	struct store_frame named[MODEL_FRAMES];
	struct store_tree tree;
	struct model_tree expected;
	struct err err;
	must(store_merge(r->store, &r->selection, &r->arena, &tree, &err), &err);
	model_merge(&r->model, &r->selection, &expected);
	model_name_frames(&r->model, r->selection.tenant, named);
	unsigned *paths = calloc(tree.node_count, sizeof(*paths));
	unsigned *frames = calloc(tree.frame_count + 1, sizeof(*frames));
	bool same = tree.node_count == expected.there_count;
	for (uint32_t i = 0; i < tree.frame_count; i++) {
		frames[i] = model_frame_of(named, &tree.frames[i]);
		if (frames[i] == MODEL_FRAMES) {
			describe(r, "merge");
			fail_msg("the frame of line %lld is \"%.*s\"",
				 (long long)tree.frames[i].line, STR_ARG(tree.frames[i].name));
		}
	}
	for (uint32_t i = 1; i < tree.node_count; i++) {
		assert_true(tree.parent[i] < i && tree.frame[i] < tree.frame_count);
		paths[i] = model_path(paths[tree.parent[i]], frames[tree.frame[i]]);
	}
	for (uint32_t i = 0; i < tree.node_count; i++) {
		char text[TEXT_MAX];
		bool known = paths[i] < expected.path_count && expected.there[paths[i]];
		if (known && expected.sums[paths[i]] == tree.self[i])
			continue;
		same = false;
		model_path_text(paths[i], text);
		print_message("%s: %lld, expected %lld%s\n", text, (long long)tree.self[i],
			      known ? (long long)expected.sums[paths[i]] : 0,
			      known ? "" : " (not at all)");
	}
	if (!same) {
		describe(r, "merge");
		fail_msg("%u nodes, expected %zu", tree.node_count, expected.there_count);
	}
	free(paths);
	free(frames);
	free(expected.sums);
	free(expected.there);
	answered(r);
}

/* Where points lie: days and half days, or minutes, so that sums of every level are asked. */
static uint64_t random_steps(struct round *r)
{
	static const uint64_t units[] = {1000000000ull, 15000000000ull, 60000000000ull,
					 3600000000000ull};
	uint64_t first = 20000ull * DAY_NS;
	struct store_selection *s = &r->selection;
	if (random_below(&r->random, 2)) {
		s->start_ns = first + random_below(&r->random, 6) * DAY_NS / 2;
		s->end_ns = s->start_ns + random_u64(&r->random) % (2 * DAY_NS);
		return DAY_NS / (1 + random_below(&r->random, 50));
	}
	uint64_t step_ns = units[random_below(&r->random, 4)] * (1 + random_below(&r->random, 6));
	s->start_ns = first + random_below(&r->random, 3 * 1440) * (DAY_NS / 1440);
	s->end_ns = s->start_ns + step_ns * random_below(&r->random, 60);
	return step_ns;
}

static size_t random_names(struct round *r, struct str *ret)
{
	size_t count = random_below(&r->random, 3);
	for (size_t i = 0; i < count; i++)
		ret[i] = PICK(&r->random, names);
	return count == 2 && str_equal(ret[0], ret[1]) ? 1 : count;
}

static void group_text(const struct store_label *labels, size_t count, char *at)
{
	*at = 0;
	for (size_t l = 0; l < count; l++)
		at += sprintf(at, "%.*s=%.*s,", STR_ARG(labels[l].name), STR_ARG(labels[l].value));
}

static void ask_points(struct round *r)
{
	struct store_points *points;
	struct lines lines = {0};
	struct str group_by[2];
	size_t count;
	struct err err;
	char *expected;
	const struct store_points_options options = {
		.step_ns = random_steps(r),
		.aggregation = random_below(&r->random, 3) ? STORE_SUM : STORE_AVERAGE,
		.group_by = group_by,
		.group_count = random_names(r, group_by),
		.limit = random_below(&r->random, 2) ? random_below(&r->random, 5) : 0,
	};
	must(store_points(r->store, &r->selection, &options, &r->arena, &points, &count, &err),
	     &err);
	for (size_t i = 0; i < count; i++) {
		char labels[512];
		group_text(points[i].labels, points[i].label_count, labels);
		for (size_t p = 0; p < points[i].point_count; p++)
			lines_add(&lines, "%s@%llu %.17g", labels,
				  (unsigned long long)points[i].points[p].time_ns,
				  points[i].points[p].value);
	}
	model_points(&r->model, &r->selection, &options, &expected);
	compare(r, "points", expected, lines_text(&lines));
}

static void ask_top(struct round *r)
{
	struct store_top top;
	struct lines lines = {0};
	struct err err;
	char *expected;
	const struct store_top_options options = {
		.order = random_below(&r->random, 2) ? STORE_BY_SELF : STORE_BY_TOTAL,
		.limit = random_below(&r->random, 12),
	};
	must(store_top(r->store, &r->selection, &options, &r->arena, &top, &err), &err);
	lines_add(&lines, "total %lld", (long long)top.total);
	for (size_t i = 0; i < top.count; i++) {
		const struct store_function *f = &top.functions[i];
		lines_add(&lines, "%.*s|%.*s|%.*s|%llx %lld %lld", STR_ARG(f->name),
			  STR_ARG(f->filename), STR_ARG(f->mapping), (unsigned long long)f->address,
			  (long long)f->self, (long long)f->total);
	}
	model_top(&r->model, &r->selection, &options, &expected);
	compare(r, "top", expected, lines_in_order(&lines));
}

static void add_slot(struct lines *lines, const char *labels, const struct store_slot *slot)
{
	char text[512], *at = text;
	for (unsigned i = 0; i < STORE_HEATMAP_ROWS; i++)
		at += sprintf(at, " %llu", (unsigned long long)slot->counts[i]);
	lines_add(lines, "%s@%llu%s", labels, (unsigned long long)slot->time_ns, text);
}

static void ask_heatmap(struct round *r)
{
	struct store_heatmap heatmap;
	struct lines lines = {0};
	struct str group_by[2];
	struct err err;
	char *expected;
	const struct store_heatmap_options options = {
		.step_ns = random_steps(r),
		.group_by = group_by,
		.group_count = random_names(r, group_by),
		.limit = random_below(&r->random, 2) ? random_below(&r->random, 5) : 0,
	};
	must(store_heatmap(r->store, &r->selection, &options, &r->arena, &heatmap, &err), &err);
	lines_add(&lines, "from %lld to %lld", (long long)heatmap.min, (long long)heatmap.max);
	for (size_t i = 0; i < heatmap.group_count; i++) {
		const struct store_heatmap_group *group = &heatmap.groups[i];
		char labels[512];
		group_text(group->labels, group->label_count, labels);
		for (size_t k = 0; k < group->slot_count; k++)
			add_slot(&lines, labels, &group->slots[k]);
	}
	model_heatmap(&r->model, &r->selection, &options, &expected);
	compare(r, "heatmap", expected, lines_text(&lines));
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
	compare(r, "label names", expected, lines_text(&lines));
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
	compare(r, name.ptr, expected, lines_text(&lines));
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
	compare(r, "series", expected, lines_text(&lines));
}

static void ask_symbols(struct round *r)
{
	model_compare_symbols(r->store, &r->model, r->selection.tenant, &r->arena);
	answered(r);
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
	r->store = open_store(r->path);
}

/* Hours close as that clock goes, and open again when late samples come. */
static void maintain(struct round *r)
{
	struct err err;
	uint64_t now_ns = 20000ull * DAY_NS + random_u64(&r->random) % (5 * DAY_NS);
	must(store_maintain(r->store, now_ns, &err), &err);
}

/* Days go, by an age for each tenant, and what only they referred to is collected. */
static void drop_days(struct round *r)
{
	uint64_t ages[MODEL_TENANTS],
		now_ns = 20000ull * DAY_NS + random_u64(&r->random) % (5 * DAY_NS);
	struct store_override overrides[MODEL_TENANTS];
	const struct store_retention all = {.overrides = overrides,
					    .override_count = MODEL_TENANTS},
				     none = {0};
	struct err err;
	for (unsigned i = 0; i < MODEL_TENANTS; i++) {
		ages[i] = DAY_NS / 2 * (1 + random_below(&r->random, 8));
		overrides[i] = (struct store_override){model_tenants[i], ages[i], 0};
	}
	must(store_set_retention(r->store, &all, &err), &err);
	must(store_maintain(r->store, now_ns, &err), &err);
	must(store_set_retention(r->store, &none, &err), &err);
	for (unsigned i = 0; i < MODEL_TENANTS; i++)
		model_drop(&r->model, i, (now_ns - ages[i]) / DAY_NS * DAY_NS);
}

static void ask(struct round *r)
{
	static ask_question *const questions[] = {
		ask_merge, ask_merge,	ask_points, ask_points, ask_points, ask_top,
		ask_top,   ask_heatmap, ask_names,  ask_values, ask_series, ask_symbols,
	};
	unsigned at = random_below(&r->random, REMEMBERED);
	struct random now = r->random;
	if (random_below(&r->random, 6) || !r->before[at].ask) {
		r->before[at].ask =
			questions[random_below(&r->random,
					       sizeof(questions) / sizeof(questions[0]))];
		r->before[at].random = now = r->random;
	}
	/* The random numbers make the question. */
	r->random = r->before[at].random;
	random_selection(r);
	r->before[at].ask(r);
	if (now.state != r->before[at].random.state)
		r->random = now;
}

static void operate(struct round *r)
{
	uint32_t dice = random_below(&r->random, 1000);
	if (dice < 40 && r->model.count < ROUND_SAMPLES)
		write_batch(r);
	else if (dice < 44)
		write_again(r);
	else if (dice < 47)
		write_invalid(r);
	else if (dice < 50)
		restart(r);
	else if (dice < 60)
		maintain(r);
	else if (dice < 63)
		drop_days(r);
	else if (dice < 80)
		model_change_symbols(&r->random, r->store, &r->model);
	else
		ask(r);
}

static unsigned play(uint64_t seed)
{
	struct round r = {.random = {seed}};
	r.batch = calloc(1, sizeof(*r.batch));
	temp_directory(r.path);
	r.store = open_store(r.path);
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
