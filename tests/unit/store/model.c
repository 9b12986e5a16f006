#include "model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY_NS	  (24ull * 3600 * 1000000000)
#define FIRST_DAY 20000ull

const struct str model_tenants[MODEL_TENANTS] = {{"anonymous", 9}, {"other", 5}};

const struct str model_thread_names[MODEL_THREAD_NAMES] = {{"", 0},
							   {"main", 4},
							   {"gc", 2},
							   {"io-1", 4}};

/* Names that differ only in '.' and '_', and names of sample fields, are here on purpose. */
static const struct {
	const char *name;
	const char *values[4];
} label_words[MODEL_LABELS] = {
	{"__profile_type__", {"cpu", "alloc", "cpu", "cpu"}},
	{"process.executable.name", {"nginx", "node", "", "bash"}},
	{"process.pid", {"7", "8", "", "007"}},
	{"process_executable_name", {"", "", "alias", "nginx"}},
	{"region", {"eu", "us", "eu-west", ""}},
	{"service_name", {"a", "b", "ab", "ba"}},
	{"thread.name", {"", "", "main", "labelled"}},
	{"zone", {"", "1", "2", "3"}},
};

static struct store_frame frames[MODEL_FRAMES];
const struct store_frame *model_frames = frames;
static char frame_names[MODEL_FRAMES][32];
struct store_span model_spans[MODEL_SPANS];

/* Without names: symbols may come for those with a build id, but the kernel's. */
static const struct store_frame late_frames[] = {
	{.build_id = STR("aa11"), .address = 0x100},
	{.build_id = STR("aa11"), .address = 0x104},
	{.build_id = STR("aa11"), .address = 0x10f, .system_name = STR("_Zmangled")},
	{.build_id = STR("aa11"), .address = UINT64_MAX - 1},
	{.build_id = STR("aa11"), .address = 0x104, .kind = STR("kernel")},
	{.build_id = STR("bb22"), .address = 0x100, .filename = STR("file.c")},
	{.build_id = STR("bb22"), .address = 0x104},
	{.build_id = STR("aa11")},
};

enum { FIRST_LATE = MODEL_FRAMES - sizeof(late_frames) / sizeof(late_frames[0]) };

static struct store_frame late_frame(unsigned i)
{
	struct store_frame frame = late_frames[i - FIRST_LATE];
	frame.kind = frame.kind.len ? frame.kind : STR("native");
	frame.mapping = STR("late.so");
	frame.line = i;
	return frame;
}

static void make_words(void)
{
	for (unsigned i = 0; i < MODEL_FRAMES && !frames[MODEL_FRAMES - 1].kind.len; i++) {
		snprintf(frame_names[i], sizeof(frame_names[i]), "function_%u", i / 2);
		frames[i] = (struct store_frame){
			.name = i % 5 ? str_of(frame_names[i]) : STR(""),
			.system_name = i % 3 ? STR("") : STR("_Zmangled"),
			.filename = i % 4 ? STR("file.c") : STR(""),
			.kind = i % 7 ? STR("native") : STR("kernel"),
			.mapping = i % 2 ? STR("libc.so.6") : STR("app"),
			.build_id = i % 2 ? STR("abcdef") : STR(""),
			.address = i % 5 ? 0 : 0x1000 + i,
			.line = i,
			.start_line = i % 6,
		};
		if (i >= FIRST_LATE)
			frames[i] = late_frame(i);
	}
	for (unsigned i = 0; i < MODEL_SPANS; i++) {
		memset(model_spans[i].trace_id, (int)(0x10 + i / 2), 16);
		memset(model_spans[i].span_id, (int)(0xa0 + i), 8);
	}
}

unsigned model_frame_of(const struct store_frame named[MODEL_FRAMES], const struct store_frame *f)
{
	unsigned i = f->line >= 0 && f->line < MODEL_FRAMES ? (unsigned)f->line : 0;
	const struct store_frame *known = &named[i]; /* lines are all different */
	bool same = str_equal(f->name, known->name) &&
		    str_equal(f->system_name, known->system_name) &&
		    str_equal(f->filename, known->filename) && str_equal(f->kind, known->kind) &&
		    str_equal(f->mapping, known->mapping) &&
		    str_equal(f->build_id, known->build_id) && f->address == known->address &&
		    f->line == known->line && f->start_line == known->start_line;
	return same ? i : MODEL_FRAMES;
}

/* ---- random batches ---- */

static void random_labels(struct random *random, struct model_labels *ret)
{
	ret->count = 0;
	for (unsigned i = 0; i < MODEL_LABELS; i++) {
		if (random_below(random, 3) == 0)
			continue;
		struct store_label *label = &ret->list[ret->count++];
		label->name = str_of(label_words[i].name);
		label->value = str_of(label_words[i].values[random_below(random, 4)]);
	}
}

static uint64_t random_time(struct random *random, uint64_t base_ns)
{
	switch (random_below(random, 6)) {
	case 4: /* on the borders of hours, days and points */
		return FIRST_DAY * DAY_NS + random_below(random, 144) * (DAY_NS / 48);
	case 5: /* the same, and close to the others of its block */
		return base_ns - base_ns % (DAY_NS / 48) + random_below(random, 2) * (DAY_NS / 48);
	case 0:
		return base_ns; /* many at once */
	case 1:
		return base_ns + random_below(random, 4000000) * 1000ull;
	case 2:
		return base_ns + random_below(random, 1000) * 1000000000ull * 5;
	default:
		return FIRST_DAY * DAY_NS + random_u64(random) % (3 * DAY_NS);
	}
}

static void random_sample(struct random *random, uint64_t base_ns, struct model_sample *s)
{
	bool columns = random_below(random, 2);
	s->depth = random_below(random, MODEL_DEPTH + 1);
	for (unsigned i = 0; i < s->depth; i++)
		s->frames[i] = random_below(random, 4) + (i ? 4 * (s->frames[i - 1] * 5 % 8) : 0);
	s->time_ns = random_time(random, base_ns);
	s->value = random_below(random, 3)
			   ? 10000000ll * random_below(random, 9)
			   : (int64_t)random_u64(random) >> random_below(random, 63);
	s->pid = columns ? random_below(random, 9) : 0;
	s->tid = columns ? random_below(random, 5) : 0;
	s->thread_name = columns ? random_below(random, MODEL_THREAD_NAMES) : 0;
	s->cpu = columns ? (int32_t)random_below(random, 5) - 1 : -1;
	s->span = random_below(random, 3) ? 0 : random_below(random, MODEL_SPANS + 1);
}

/* Nodes are not shared within a batch on purpose: the engine must find that they are the same. */
static uint32_t add_stack(struct model_batch *b, const struct model_sample *s)
{
	uint32_t node = 0;
	for (unsigned i = 0; i < s->depth; i++) {
		b->nodes[b->batch.node_count] = (struct store_node){node, s->frames[i]};
		node = (uint32_t)b->batch.node_count++;
	}
	return node;
}

static void fill_series(struct random *random, struct model_batch *b, unsigned at, unsigned tenant,
			uint64_t base_ns)
{
	size_t count = random_below(random, random_below(random, 4) ? 6 : 64);
	random_labels(random, &b->labels[at]);
	for (size_t i = 0; i < count; i++) {
		struct model_sample *s = &b->copies[b->sample_count++];
		*s = (struct model_sample){.tenant = tenant, .labels = b->labels[at]};
		random_sample(random, base_ns, s);
		b->rows[at][i] = (struct store_sample){
			.time_ns = s->time_ns,
			.value = s->value,
			.node = add_stack(b, s),
			.pid = s->pid,
			.tid = s->tid,
			.thread_name = s->thread_name,
			.cpu = s->cpu,
			.span = s->span,
		};
	}
	b->series[at] =
		(struct store_series){b->labels[at].list, b->labels[at].count, b->rows[at], count};
}

void model_random_batch(struct random *random, struct model_batch *b)
{
	unsigned tenant = random_below(random, 5) == 0;
	uint64_t base_ns = FIRST_DAY * DAY_NS + random_u64(random) % (2 * DAY_NS);
	make_words();
	memset(b, 0, sizeof(*b));
	b->samples = b->copies;
	b->batch = (struct store_batch){
		.tenant = model_tenants[tenant],
		.strings = model_thread_names,
		.string_count = MODEL_THREAD_NAMES,
		.frames = frames,
		.frame_count = MODEL_FRAMES,
		.nodes = b->nodes,
		.node_count = 1,
		.spans = model_spans,
		.span_count = MODEL_SPANS,
		.series = b->series,
		.series_count = 1 + random_below(random, 4),
	};
	for (unsigned i = 0; i < b->batch.series_count; i++)
		fill_series(random, b, i, tenant, base_ns);
}

/* ---- adding ---- */

static bool same_labels(const struct model_labels *a, const struct model_labels *b)
{
	unsigned i = 0, j = 0;
	for (;; i++, j++) {
		while (i < a->count && a->list[i].value.len == 0)
			i++;
		while (j < b->count && b->list[j].value.len == 0)
			j++;
		if (i == a->count || j == b->count)
			return i == a->count && j == b->count;
		if (!str_equal(a->list[i].name, b->list[j].name) ||
		    !str_equal(a->list[i].value, b->list[j].value))
			return false;
	}
}

static unsigned find_series(struct model *model, const struct model_sample *s)
{
	for (size_t i = 0; i < model->series_count; i++)
		if (model->series[i].tenant == s->tenant &&
		    same_labels(&model->series[i].labels, &s->labels))
			return (unsigned)i;
	if (model->series_count == model->series_cap) {
		model->series_cap = model->series_cap * 2 + 64;
		model->series = realloc(model->series, model->series_cap * sizeof(*model->series));
		assert_non_null(model->series);
	}
	model->series[model->series_count] = (struct model_series){s->tenant, s->labels};
	return (unsigned)model->series_count++;
}

void model_add(struct model *model, const struct model_batch *batch)
{
	size_t need = model->count + batch->sample_count;
	if (need > model->cap) {
		model->cap = need * 2;
		model->samples = realloc(model->samples, model->cap * sizeof(*model->samples));
		assert_non_null(model->samples);
	}
	for (size_t i = 0; i < batch->sample_count; i++) {
		struct model_sample *s = &model->samples[model->count++];
		*s = batch->samples[i];
		s->series = find_series(model, s);
		for (unsigned d = 0; d < s->depth; d++)
			s->paths[d + 1] = model_path(s->paths[d], s->frames[d]);
	}
}

void model_drop(struct model *model, unsigned tenant, uint64_t before_ns)
{
	size_t kept = 0;
	for (size_t i = 0; i < model->count; i++)
		if (model->samples[i].tenant != tenant || model->samples[i].time_ns >= before_ns)
			model->samples[kept++] = model->samples[i];
	model->count = kept;
}

void model_free(struct model *model)
{
	free(model->samples);
	free(model->series);
	memset(model, 0, sizeof(*model));
}

/* ---- beginnings of stacks ---- */

enum { PATHS_MAX = 1 << 18 };

static struct path {
	unsigned parent, frame;
} paths[PATHS_MAX];
static unsigned path_slots[PATHS_MAX * 2], path_count = 1;

unsigned model_path(unsigned parent, unsigned frame)
{
	unsigned slot = (parent * MODEL_FRAMES + frame) * 2654435761u % (PATHS_MAX * 2);
	for (; path_slots[slot]; slot = (slot + 1) % (PATHS_MAX * 2)) {
		const struct path *path = &paths[path_slots[slot]];
		if (path->parent == parent && path->frame == frame)
			return path_slots[slot];
	}
	assert_true(path_count < PATHS_MAX);
	paths[path_count] = (struct path){parent, frame};
	path_slots[slot] = path_count;
	return path_count++;
}

unsigned model_path_count(void)
{
	return path_count;
}

static char *put_frame(const struct store_frame *f, char *at)
{
	return at + sprintf(at, ";%.*s,%.*s,%.*s,%.*s,%.*s,%.*s,%llx,%lld,%lld", STR_ARG(f->name),
			    STR_ARG(f->system_name), STR_ARG(f->filename), STR_ARG(f->kind),
			    STR_ARG(f->mapping), STR_ARG(f->build_id),
			    (unsigned long long)f->address, (long long)f->line,
			    (long long)f->start_line);
}

static char *put_path(unsigned path, char *at)
{
	return path ? put_frame(&frames[paths[path].frame], put_path(paths[path].parent, at)) : at;
}

void model_path_text(unsigned path, char ret[TEXT_MAX])
{
	*put_path(path, ret) = 0;
}
