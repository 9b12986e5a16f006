/* Trees, functions and labels. */
#include "model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY_NS (24ull * 3600 * 1000000000)

/* ---- lines ---- */

void lines_add(struct lines *lines, const char *fmt, ...)
{
	va_list args;
	if (lines->room - lines->used < TEXT_MAX) {
		lines->room = lines->room * 2 + 4 * TEXT_MAX;
		lines->bytes = realloc(lines->bytes, lines->room);
		assert_non_null(lines->bytes);
	}
	if (lines->count == lines->cap) {
		lines->cap = lines->cap * 2 + 64;
		lines->starts = realloc(lines->starts, lines->cap * sizeof(*lines->starts));
		assert_non_null(lines->starts);
	}
	lines->starts[lines->count++] = lines->used;
	va_start(args, fmt);
	int len = vsnprintf(lines->bytes + lines->used, TEXT_MAX, fmt, args);
	va_end(args);
	assert_in_range(len, 0, TEXT_MAX - 1);
	lines->used += (size_t)len + 1;
}

static int compare_lines(const void *a, const void *b, void *bytes)
{
	return strcmp((char *)bytes + *(const size_t *)a, (char *)bytes + *(const size_t *)b);
}

static char *join(struct lines *lines, bool distinct)
{
	char *text = calloc(1, lines->used + 1), *at = text;
	assert_non_null(text);
	for (size_t i = 0; i < lines->count; i++) {
		const char *line = lines->bytes + lines->starts[i];
		if (!distinct || i == 0 || strcmp(line, lines->bytes + lines->starts[i - 1]) != 0) {
			at = stpcpy(at, line);
			*at++ = '\n';
		}
	}
	free(lines->bytes);
	free(lines->starts);
	memset(lines, 0, sizeof(*lines));
	return text;
}

char *lines_in_order(struct lines *lines)
{
	return join(lines, false);
}

char *lines_text(struct lines *lines)
{
	if (lines->count)
		qsort_r(lines->starts, lines->count, sizeof(*lines->starts), compare_lines,
			lines->bytes);
	return join(lines, true);
}

/* ---- trees ---- */

static void touch(struct model_tree *tree, unsigned path, int64_t value)
{
	tree->there_count += !tree->there[path];
	tree->there[path] = true;
	tree->sums[path] = (int64_t)((uint64_t)tree->sums[path] + (uint64_t)value);
}

/* Every ancestor of a sample's stack is in the answer too, with nothing of its own. */
void model_merge(const struct model *model, const struct store_selection *selection,
		 struct model_tree *ret)
{
	struct model_question q;
	size_t count = model_path_count();
	*ret = (struct model_tree){.path_count = count,
				   .sums = calloc(count, sizeof(*ret->sums)),
				   .there = calloc(count, sizeof(*ret->there))};
	assert_true(ret->sums && ret->there);
	question_begin(&q, model, selection);
	touch(ret, 0, 0);
	for (size_t i = 0; i < model->count; i++) {
		const struct model_sample *s = &model->samples[i];
		if (!model_in_range(&q, s) || !model_selected(&q, s))
			continue;
		for (unsigned d = 0; d <= s->depth; d++)
			touch(ret, s->paths[d], d == s->depth ? s->value : 0);
	}
	question_end(&q);
}

/* ---- functions ---- */

struct function {
	const struct store_frame *frame;
	bool there;
	int64_t self, total;
};

static bool same_function(const struct store_frame *a, const struct store_frame *b)
{
	struct str x = a->name.len ? a->name : a->system_name;
	struct str y = b->name.len ? b->name : b->system_name;
	if (!str_equal(x, y))
		return false;
	if (x.len)
		return str_equal(a->filename, b->filename);
	return str_equal(a->mapping, b->mapping) && a->address == b->address;
}

/* The first frame of that function stands for it. */
static unsigned function_of(const struct store_frame *frames, unsigned frame)
{
	for (unsigned i = 0; i < frame; i++)
		if (same_function(&frames[i], &frames[frame]))
			return i;
	return frame;
}

static void add(int64_t *sum, int64_t value)
{
	*sum = (int64_t)((uint64_t)*sum + (uint64_t)value);
}

static void add_stack(struct function *functions, const unsigned *of_frame,
		      const struct model_sample *s)
{
	bool seen[MODEL_FRAMES] = {false};
	for (unsigned d = 0; d < s->depth; d++) {
		unsigned f = of_frame[s->frames[d]];
		functions[f].there = true;
		if (!seen[f])
			add(&functions[f].total, s->value);
		seen[f] = true;
		if (d + 1 == s->depth)
			add(&functions[f].self, s->value);
	}
}

static const char *function_text(const struct store_frame *f, char *ret)
{
	struct str name = f->name.len ? f->name : f->system_name;
	if (name.len)
		sprintf(ret, "%.*s|%.*s||0", STR_ARG(name), STR_ARG(f->filename));
	else
		sprintf(ret, "||%.*s|%llx", STR_ARG(f->mapping), (unsigned long long)f->address);
	return ret;
}

static int compare_names(const struct store_frame *a, const struct store_frame *b)
{
	struct str x = a->name.len ? a->name : a->system_name;
	struct str y = b->name.len ? b->name : b->system_name;
	int order = str_compare(x, y);
	if (order || x.len)
		return order ? order : str_compare(a->filename, b->filename);
	order = str_compare(a->mapping, b->mapping);
	return order ? order : a->address < b->address ? -1 : a->address > b->address;
}

static int compare_functions(const void *a, const void *b, void *order)
{
	const struct function *x = a, *y = b;
	bool by_total = *(const enum store_top_order *)order == STORE_BY_TOTAL;
	int64_t first = by_total ? x->total : x->self, second = by_total ? y->total : y->self;
	int64_t third = by_total ? x->self : x->total, fourth = by_total ? y->self : y->total;
	if (x->there != y->there)
		return x->there ? -1 : 1;
	if (first != second)
		return first > second ? -1 : 1;
	if (third != fourth)
		return third > fourth ? -1 : 1;
	return compare_names(x->frame, y->frame);
}

void model_top(const struct model *model, const struct store_selection *selection,
	       const struct store_top_options *options, char **ret)
{
	struct function functions[MODEL_FRAMES] = {0};
	struct store_frame frames[MODEL_FRAMES];
	unsigned of_frame[MODEL_FRAMES];
	struct model_question q;
	struct lines lines = {0};
	enum store_top_order order = options->order;
	int64_t total = 0;
	model_name_frames(model, selection->tenant, frames);
	for (unsigned i = 0; i < MODEL_FRAMES; i++)
		of_frame[i] = function_of(frames, i);
	question_begin(&q, model, selection);
	for (size_t i = 0; i < model->count; i++) {
		const struct model_sample *s = &model->samples[i];
		if (!model_in_range(&q, s) || !model_selected(&q, s))
			continue;
		add(&total, s->value);
		add_stack(functions, of_frame, s);
	}
	question_end(&q);
	for (unsigned i = 0; i < MODEL_FRAMES; i++)
		functions[i].frame = &frames[i];
	qsort_r(functions, MODEL_FRAMES, sizeof(functions[0]), compare_functions, &order);
	lines_add(&lines, "total %lld", (long long)total);
	for (unsigned i = 0; i < MODEL_FRAMES && functions[i].there; i++) {
		char text[256];
		if (!options->limit || i < options->limit)
			lines_add(&lines, "%s %lld %lld", function_text(functions[i].frame, text),
				  (long long)functions[i].self, (long long)functions[i].total);
	}
	*ret = lines_in_order(&lines);
}

/* ---- labels: by days ---- */

static bool on_days(const struct model_sample *s, const struct store_selection *selection)
{
	return selection->start_ns < selection->end_ns &&
	       s->time_ns / DAY_NS >= selection->start_ns / DAY_NS &&
	       s->time_ns / DAY_NS <= (selection->end_ns - 1) / DAY_NS;
}

static bool has_words(const struct model_question *q)
{
	for (size_t i = 0; i < q->selection->matcher_count; i++)
		if (q->matchers[i].word)
			return true;
	return false;
}

/* Which series count: those on the days of the range and, with matchers on sample fields, with a sample in
 * the exact range that matches them. To be freed. */
static bool *counted(const struct model_question *q)
{
	const struct model *model = q->model;
	bool *series = calloc(model->series_count + 1, sizeof(*series)), words = has_words(q);
	assert_non_null(series);
	for (size_t i = 0; i < model->count; i++) {
		const struct model_sample *s = &model->samples[i];
		if (words ? model_in_range(q, s) && model_selected(q, s)
			  : on_days(s, q->selection) && q->series[s->series])
			series[s->series] = true;
	}
	return series;
}

void model_label_names(const struct model *model, const struct store_selection *selection,
		       char **ret)
{
	static const char *const words[] = {"process.pid",	  "thread.id", "thread.name",
					    "cpu.logical_number", "span_id",   "trace_id"};
	bool has[6] = {false};
	struct lines lines = {0};
	struct model_question q;
	question_begin(&q, model, selection);
	bool *series = counted(&q);
	for (size_t i = 0; i < model->count; i++) {
		const struct model_sample *s = &model->samples[i];
		if (!on_days(s, selection) || !q.series[s->series])
			continue;
		has[0] |= s->pid != 0;
		has[1] |= s->tid != 0;
		has[2] |= s->thread_name != 0;
		has[3] |= s->cpu >= 0;
		has[4] |= s->span != 0;
		has[5] |= s->span != 0;
	}
	for (unsigned i = 0; i < 6; i++)
		if (has[i])
			lines_add(&lines, "%s", words[i]);
	for (size_t i = 0; i < model->series_count; i++)
		for (unsigned l = 0; series[i] && l < model->series[i].labels.count; l++)
			if (model->series[i].labels.list[l].value.len)
				lines_add(&lines, "%.*s",
					  STR_ARG(model->series[i].labels.list[l].name));
	free(series);
	question_end(&q);
	*ret = lines_text(&lines);
}

void model_label_values(const struct model *model, const struct store_selection *selection,
			struct str name, char **ret)
{
	struct model_name wanted = model_name_of(name);
	struct lines lines = {0};
	struct model_question q;
	question_begin(&q, model, selection);
	bool *series = counted(&q);
	for (size_t i = 0; wanted.word && i < model->count; i++) {
		const struct model_sample *s = &model->samples[i];
		if (model_in_range(&q, s) && model_selected(&q, s) && *model_value(&q, s, &wanted))
			lines_add(&lines, "%s", model_value(&q, s, &wanted));
	}
	for (size_t i = 0; !wanted.word && i < model->series_count; i++)
		if (series[i] && *model_label(&model->series[i], name))
			lines_add(&lines, "%s", model_label(&model->series[i], name));
	free(series);
	question_end(&q);
	*ret = lines_text(&lines);
}

static void add_set(struct lines *lines, const struct model_series *series, const struct str *names,
		    size_t name_count)
{
	char text[TEXT_MAX], *at = text;
	for (size_t n = 0; n < name_count; n++)
		if (*model_label(series, names[n]))
			at += sprintf(at, "%.*s=%s,", STR_ARG(names[n]),
				      model_label(series, names[n]));
	for (unsigned l = 0; !name_count && l < series->labels.count; l++)
		if (series->labels.list[l].value.len)
			at += sprintf(at, "%.*s=%.*s,", STR_ARG(series->labels.list[l].name),
				      STR_ARG(series->labels.list[l].value));
	if (at > text)
		lines_add(lines, "%s", text);
}

void model_series(const struct model *model, const struct store_selection *selection,
		  const struct str *names, size_t name_count, char **ret)
{
	struct lines lines = {0};
	struct model_question q;
	question_begin(&q, model, selection);
	bool *series = counted(&q);
	for (size_t i = 0; i < model->series_count; i++)
		if (series[i])
			add_set(&lines, &model->series[i], names, name_count);
	free(series);
	question_end(&q);
	*ret = lines_text(&lines);
}
