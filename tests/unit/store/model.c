#include "model.h"

#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY_NS	  (24ull * 3600 * 1000000000)
#define FIRST_DAY 20000ull

const struct str model_tenants[MODEL_TENANTS] = {{"anonymous", 9}, {"other", 5}};

static const struct str thread_names[MODEL_THREAD_NAMES] = {{"", 0},
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
static char frame_names[MODEL_FRAMES][32];
static struct store_span spans[MODEL_SPANS];

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
	}
	for (unsigned i = 0; i < MODEL_SPANS; i++) {
		memset(spans[i].trace_id, (int)(0x10 + i / 2), 16);
		memset(spans[i].span_id, (int)(0xa0 + i), 8);
	}
}

void frame_text(const struct store_frame *f, char *ret, size_t cap)
{
	snprintf(ret, cap, "%.*s,%.*s,%.*s,%.*s,%.*s,%.*s,%llx,%lld,%lld", STR_ARG(f->name),
		 STR_ARG(f->system_name), STR_ARG(f->filename), STR_ARG(f->kind),
		 STR_ARG(f->mapping), STR_ARG(f->build_id), (unsigned long long)f->address,
		 (long long)f->line, (long long)f->start_line);
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
		s->frames[i] = random_below(random, 4) + (i ? 4 * (s->frames[i - 1] % 5) : 0);
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
		.strings = thread_names,
		.string_count = MODEL_THREAD_NAMES,
		.frames = frames,
		.frame_count = MODEL_FRAMES,
		.nodes = b->nodes,
		.node_count = 1,
		.spans = spans,
		.span_count = MODEL_SPANS,
		.series = b->series,
		.series_count = 1 + random_below(random, 4),
	};
	for (unsigned i = 0; i < b->batch.series_count; i++)
		fill_series(random, b, i, tenant, base_ns);
}

void model_add(struct model *model, const struct model_batch *batch)
{
	size_t need = model->count + batch->sample_count;
	if (need > model->cap) {
		model->cap = need * 2;
		model->samples = realloc(model->samples, model->cap * sizeof(*model->samples));
		assert_non_null(model->samples);
	}
	for (size_t i = 0; i < batch->sample_count; i++)
		model->samples[model->count + i] = batch->samples[i];
	model->count = need;
}

void model_free(struct model *model)
{
	free(model->samples);
	memset(model, 0, sizeof(*model));
}

/* ---- lines ---- */

void lines_add(struct lines *lines, const char *fmt, ...)
{
	va_list args;
	if (lines->count == lines->cap) {
		lines->cap = lines->cap ? lines->cap * 2 : 64;
		lines->list = realloc(lines->list, lines->cap * sizeof(*lines->list));
		assert_non_null(lines->list);
	}
	va_start(args, fmt);
	assert_true(vasprintf(&lines->list[lines->count++], fmt, args) >= 0);
	va_end(args);
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char *lines_text(struct lines *lines)
{
	size_t len = 1;
	if (lines->count)
		qsort(lines->list, lines->count, sizeof(*lines->list), compare_lines);
	for (size_t i = 0; i < lines->count; i++)
		len += strlen(lines->list[i]) + 1;
	char *text = calloc(1, len), *at = text;
	assert_non_null(text);
	for (size_t i = 0; i < lines->count; i++) {
		if (i == 0 || strcmp(lines->list[i], lines->list[i - 1]) != 0)
			at += sprintf(at, "%s\n", lines->list[i]);
	}
	for (size_t i = 0; i < lines->count; i++)
		free(lines->list[i]);
	free(lines->list);
	memset(lines, 0, sizeof(*lines));
	return text;
}

/* ---- what a sample says ---- */

static bool alike(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		char x = a.ptr[i] == '.' ? '_' : a.ptr[i], y = b.ptr[i] == '.' ? '_' : b.ptr[i];
		if (x != y)
			return false;
	}
	return true;
}

static const char *label_of(const struct model_sample *s, struct str name, char *text)
{
	const struct store_label *found = NULL;
	for (unsigned i = 0; i < s->labels.count; i++)
		if (!found && s->labels.list[i].value.len && alike(s->labels.list[i].name, name))
			found = &s->labels.list[i];
	for (unsigned i = 0; i < s->labels.count; i++)
		if (s->labels.list[i].value.len && str_equal(s->labels.list[i].name, name))
			found = &s->labels.list[i];
	snprintf(text, 64, "%.*s", STR_ARG(found ? found->value : STR("")));
	return text;
}

static void hex(char *text, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sprintf(text + i * 2, "%02x", bytes[i]);
}

enum word { WORD_NONE, WORD_PID, WORD_TID, WORD_THREAD, WORD_CPU, WORD_SPAN, WORD_TRACE };

static enum word word_of(struct str name)
{
	static const char *const words[] =
		{"",	    "process.pid", "thread.id", "thread.name", "cpu.logical_number",
		 "span_id", "trace_id"};
	for (unsigned i = 1; i < 7; i++)
		if (alike(str_of(words[i]), name))
			return (enum word)i;
	return WORD_NONE;
}

static const char *value_of(const struct model_sample *s, struct str name, char *text)
{
	enum word word = word_of(name);
	*text = 0;
	if (word == WORD_PID && s->pid)
		sprintf(text, "%u", s->pid);
	if (word == WORD_TID && s->tid)
		sprintf(text, "%u", s->tid);
	if (word == WORD_THREAD && s->thread_name)
		sprintf(text, "%s", thread_names[s->thread_name].ptr);
	if (word == WORD_CPU && s->cpu >= 0)
		sprintf(text, "%d", s->cpu);
	if (word == WORD_SPAN && s->span)
		hex(text, spans[s->span - 1].span_id, 8);
	if (word == WORD_TRACE && s->span)
		hex(text, spans[s->span - 1].trace_id, 16);
	return *text ? text : label_of(s, name, text);
}

static bool regex_matches(struct str pattern, const char *value)
{
	regex_t regex;
	char text[256];
	snprintf(text, sizeof(text), "^(%.*s)$", STR_ARG(pattern));
	assert_int_equal(regcomp(&regex, text, REG_EXTENDED | REG_NOSUB), 0);
	bool matches = regexec(&regex, value, 0, NULL, 0) == 0;
	regfree(&regex);
	return matches;
}

static bool satisfies(const struct store_matcher *m, const char *value)
{
	switch (m->op) {
	case MATCH_EQUAL:
		return str_equal(m->value, str_of(value));
	case MATCH_NOT_EQUAL:
		return !str_equal(m->value, str_of(value));
	case MATCH_REGEX:
		return regex_matches(m->value, value);
	case MATCH_NOT_REGEX:
		return !regex_matches(m->value, value);
	}
	return false;
}

static bool labels_match(const struct model_sample *s, const struct store_selection *selection)
{
	char text[64];
	for (size_t i = 0; i < selection->matcher_count; i++) {
		const struct store_matcher *m = &selection->matchers[i];
		if (word_of(m->name) == WORD_NONE && !satisfies(m, label_of(s, m->name, text)))
			return false;
	}
	return true;
}

static bool selected(const struct model_sample *s, const struct store_selection *selection)
{
	char text[64];
	if (!str_equal(model_tenants[s->tenant], selection->tenant) || !labels_match(s, selection))
		return false;
	for (size_t i = 0; i < selection->matcher_count; i++)
		if (!satisfies(&selection->matchers[i],
			       value_of(s, selection->matchers[i].name, text)))
			return false;
	return true;
}

static bool in_range(const struct model_sample *s, const struct store_selection *selection)
{
	return s->time_ns >= selection->start_ns && s->time_ns < selection->end_ns;
}

/* ---- sums by text ---- */

struct sum_row {
	char *key;
	uint64_t sum;
};

static int compare_rows(const void *a, const void *b)
{
	const struct sum_row *x = a, *y = b;
	return strcmp(x->key, y->key);
}

struct sum_rows {
	struct sum_row *list;
	size_t count;
};

static char *sums_text(struct sum_rows *rows, bool as_double)
{
	struct lines lines = {0};
	if (rows->count)
		qsort(rows->list, rows->count, sizeof(*rows->list), compare_rows);
	for (size_t i = 0; i < rows->count;) {
		uint64_t sum = 0;
		size_t j = i;
		for (; j < rows->count && strcmp(rows->list[j].key, rows->list[i].key) == 0; j++)
			sum += rows->list[j].sum;
		if (as_double)
			lines_add(&lines, "%s %.17g", rows->list[i].key, (double)(int64_t)sum);
		else
			lines_add(&lines, "%s %lld", rows->list[i].key, (long long)sum);
		i = j;
	}
	for (size_t i = 0; i < rows->count; i++)
		free(rows->list[i].key);
	free(rows->list);
	return lines_text(&lines);
}

static void add_path(struct sum_rows *rows, const char *path, uint64_t value)
{
	rows->list[rows->count].key = strdup(path);
	rows->list[rows->count++].sum = value;
}

/* Every ancestor of a sample's stack is in the answer too, with nothing of its own. */
void model_merge(const struct model *model, const struct store_selection *selection, char **ret)
{
	struct sum_rows rows = {
		.list = calloc((model->count + 1) * (MODEL_DEPTH + 2), sizeof(struct sum_row))};
	add_path(&rows, "", 0);
	for (size_t i = 0; i < model->count; i++) {
		const struct model_sample *s = &model->samples[i];
		char text[TEXT_MAX] = "", *at = text;
		if (!in_range(s, selection) || !selected(s, selection))
			continue;
		for (unsigned d = 0; d < s->depth; d++) {
			*at++ = ';';
			frame_text(&frames[s->frames[d]], at, 256);
			at += strlen(at);
			add_path(&rows, text, 0);
		}
		add_path(&rows, text, (uint64_t)s->value);
	}
	*ret = sums_text(&rows, false);
}

void model_points(const struct model *model, const struct store_selection *selection,
		  uint64_t step_ns, const struct str *group_by, size_t group_count, char **ret)
{
	struct sum_rows rows = {.list = calloc(model->count + 1, sizeof(struct sum_row))};
	for (size_t i = 0; i < model->count; i++) {
		const struct model_sample *s = &model->samples[i];
		char text[TEXT_MAX], value[64], *at = text;
		if (!selected(s, selection))
			continue;
		/* The first of start, start + step ... <= end that is >= the time. */
		uint64_t t = selection->start_ns;
		while (t < s->time_ns && t <= selection->end_ns)
			t += step_ns;
		if (t > selection->end_ns || s->time_ns + step_ns <= t)
			continue;
		for (size_t g = 0; g < group_count; g++)
			if (*value_of(s, group_by[g], value))
				at += sprintf(at, "%.*s=%s,", STR_ARG(group_by[g]), value);
		sprintf(at, "@%llu", (unsigned long long)t);
		rows.list[rows.count++] = (struct sum_row){strdup(text), (uint64_t)s->value};
	}
	*ret = sums_text(&rows, true);
}

/* ---- labels: by days ---- */

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

static bool on_days(const struct model_sample *s, const struct store_selection *selection)
{
	return selection->start_ns < selection->end_ns &&
	       s->time_ns / DAY_NS >= selection->start_ns / DAY_NS &&
	       s->time_ns / DAY_NS <= (selection->end_ns - 1) / DAY_NS;
}

static bool listed(const struct model_sample *s, const struct store_selection *selection)
{
	return on_days(s, selection) && str_equal(model_tenants[s->tenant], selection->tenant) &&
	       labels_match(s, selection);
}

static bool has_words(const struct store_selection *selection)
{
	for (size_t i = 0; i < selection->matcher_count; i++)
		if (word_of(selection->matchers[i].name) != WORD_NONE)
			return true;
	return false;
}

/* Its series counts: it is on those days and, with matchers on sample fields, some sample of the series
 * in the exact range matches them. */
static bool counts(const struct model *model, const struct model_sample *s,
		   const struct store_selection *selection)
{
	if (!listed(s, selection))
		return false;
	if (!has_words(selection))
		return true;
	for (size_t i = 0; i < model->count; i++) {
		const struct model_sample *other = &model->samples[i];
		if (other->tenant == s->tenant && same_labels(&other->labels, &s->labels) &&
		    in_range(other, selection) && selected(other, selection))
			return true;
	}
	return false;
}

void model_label_names(const struct model *model, const struct store_selection *selection,
		       char **ret)
{
	struct lines lines = {0};
	for (size_t i = 0; i < model->count; i++) {
		const struct model_sample *s = &model->samples[i];
		if (!listed(s, selection))
			continue;
		if (s->pid)
			lines_add(&lines, "process.pid");
		if (s->tid)
			lines_add(&lines, "thread.id");
		if (s->thread_name)
			lines_add(&lines, "thread.name");
		if (s->cpu >= 0)
			lines_add(&lines, "cpu.logical_number");
		if (s->span)
			lines_add(&lines, "span_id");
		if (s->span)
			lines_add(&lines, "trace_id");
		for (unsigned l = 0; counts(model, s, selection) && l < s->labels.count; l++)
			if (s->labels.list[l].value.len)
				lines_add(&lines, "%.*s", STR_ARG(s->labels.list[l].name));
	}
	*ret = lines_text(&lines);
}

void model_label_values(const struct model *model, const struct store_selection *selection,
			struct str name, char **ret)
{
	struct lines lines = {0};
	char text[64];
	for (size_t i = 0; i < model->count; i++) {
		const struct model_sample *s = &model->samples[i];
		if (word_of(name) != WORD_NONE) {
			if (in_range(s, selection) && selected(s, selection) &&
			    *value_of(s, name, text))
				lines_add(&lines, "%s", text);
		} else if (counts(model, s, selection) && *label_of(s, name, text)) {
			lines_add(&lines, "%s", text);
		}
	}
	*ret = lines_text(&lines);
}

void model_series(const struct model *model, const struct store_selection *selection,
		  const struct str *names, size_t name_count, char **ret)
{
	struct lines lines = {0};
	for (size_t i = 0; i < model->count; i++) {
		const struct model_sample *s = &model->samples[i];
		char text[TEXT_MAX], value[64], *at = text;
		if (!counts(model, s, selection))
			continue;
		for (size_t n = 0; n < name_count; n++)
			if (*label_of(s, names[n], value))
				at += sprintf(at, "%.*s=%s,", STR_ARG(names[n]), value);
		for (unsigned l = 0; !name_count && l < s->labels.count; l++)
			if (s->labels.list[l].value.len)
				at += sprintf(at, "%.*s=%.*s,", STR_ARG(s->labels.list[l].name),
					      STR_ARG(s->labels.list[l].value));
		if (at > text)
			lines_add(&lines, "%s", text);
	}
	*ret = lines_text(&lines);
}
