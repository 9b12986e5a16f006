/* Which samples a question means. */
#include "model.h"

#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum word { WORD_NONE, WORD_PID, WORD_TID, WORD_THREAD, WORD_CPU, WORD_SPAN, WORD_TRACE };

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

struct model_name model_name_of(struct str name)
{
	static const char *const words[] =
		{"",	    "process.pid", "thread.id", "thread.name", "cpu.logical_number",
		 "span_id", "trace_id"};
	for (int i = 1; i < 7; i++)
		if (alike(str_of(words[i]), name))
			return (struct model_name){name, i};
	return (struct model_name){name, WORD_NONE};
}

const char *model_label(const struct model_series *series, struct str name)
{
	const struct store_label *found = NULL, *list = series->labels.list;
	for (unsigned i = 0; i < series->labels.count; i++)
		if (!found && list[i].value.len && alike(list[i].name, name))
			found = &list[i];
	for (unsigned i = 0; i < series->labels.count; i++)
		if (list[i].value.len && str_equal(list[i].name, name))
			found = &list[i];
	return found ? found->value.ptr : "";
}

/* ---- texts of the fields ---- */

static char span_texts[MODEL_SPANS][2][40];

static const char *span_text(uint32_t span, bool trace)
{
	char *text = span_texts[span - 1][trace];
	const struct store_span *s = &model_spans[span - 1];
	for (unsigned i = 0; !text[0] && i < 1; i++)
		for (unsigned b = 0; b < (trace ? 16 : 8); b++)
			sprintf(text + b * 2, "%02x", trace ? s->trace_id[b] : s->span_id[b]);
	return text;
}

static const char *number_text(unsigned number)
{
	static const char *const texts[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
	assert_true(number < 10);
	return texts[number];
}

static const char *field_text(const struct model_sample *s, int word)
{
	switch ((enum word)word) {
	case WORD_PID:
		return s->pid ? number_text(s->pid) : "";
	case WORD_TID:
		return s->tid ? number_text(s->tid) : "";
	case WORD_THREAD:
		return model_thread_names[s->thread_name].ptr;
	case WORD_CPU:
		return s->cpu >= 0 ? number_text((unsigned)s->cpu) : "";
	case WORD_SPAN:
		return s->span ? span_text(s->span, false) : "";
	case WORD_TRACE:
		return s->span ? span_text(s->span, true) : "";
	case WORD_NONE:
		break;
	}
	return "";
}

const char *model_value(const struct model_question *q, const struct model_sample *s,
			const struct model_name *name)
{
	const char *own = field_text(s, name->word);
	return *own ? own : model_label(&q->model->series[s->series], name->name);
}

char *model_group_text(const struct model_question *q, const struct model_sample *s,
		       const struct model_name *names, size_t count, char *at)
{
	*at = 0;
	for (size_t i = 0; i < count; i++) {
		const char *value = model_value(q, s, &names[i]);
		if (*value)
			at += sprintf(at, "%.*s=%s,", STR_ARG(names[i].name), value);
	}
	return at;
}

/* ---- matchers ---- */

static bool try_regex(struct str pattern, const char *value)
{
	regex_t regex;
	char text[256];
	snprintf(text, sizeof(text), "^(%.*s)$", STR_ARG(pattern));
	assert_int_equal(regcomp(&regex, text, REG_EXTENDED | REG_NOSUB), 0);
	bool matches = regexec(&regex, value, 0, NULL, 0) == 0;
	regfree(&regex);
	return matches;
}

/* Texts are static, so what was found out about two of them holds for ever. */
static bool regex_matches(struct str pattern, const char *value)
{
	enum { SLOTS = 1 << 14 };
	static struct {
		const char *pattern, *value;
		bool matches;
	} known[SLOTS];
	size_t slot = ((uintptr_t)pattern.ptr * 31 + (uintptr_t)value) * 2654435761u % SLOTS;
	while (known[slot].pattern &&
	       (known[slot].pattern != pattern.ptr || known[slot].value != value))
		slot = (slot + 1) % SLOTS;
	if (!known[slot].pattern) {
		known[slot].matches = try_regex(pattern, value);
		known[slot].pattern = pattern.ptr;
		known[slot].value = value;
	}
	return known[slot].matches;
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

static bool labels_match(const struct model_question *q, const struct model_series *series)
{
	if (!str_equal(model_tenants[series->tenant], q->selection->tenant))
		return false;
	for (size_t i = 0; i < q->selection->matcher_count; i++)
		if (q->matchers[i].word == WORD_NONE &&
		    !satisfies(&q->selection->matchers[i],
			       model_label(series, q->matchers[i].name)))
			return false;
	return true;
}

void question_begin(struct model_question *q, const struct model *model,
		    const struct store_selection *selection)
{
	*q = (struct model_question){.model = model, .selection = selection};
	assert_true(selection->matcher_count <= 8);
	for (size_t i = 0; i < selection->matcher_count; i++)
		q->matchers[i] = model_name_of(selection->matchers[i].name);
	q->series = calloc(model->series_count + 1, sizeof(*q->series));
	assert_non_null(q->series);
	for (size_t i = 0; i < model->series_count; i++)
		q->series[i] = labels_match(q, &model->series[i]);
}

void question_end(struct model_question *q)
{
	free(q->series);
}

bool model_selected(const struct model_question *q, const struct model_sample *s)
{
	if (!q->series[s->series])
		return false;
	for (size_t i = 0; i < q->selection->matcher_count; i++)
		if (q->matchers[i].word != WORD_NONE &&
		    !satisfies(&q->selection->matchers[i], model_value(q, s, &q->matchers[i])))
			return false;
	return true;
}

bool model_in_range(const struct model_question *q, const struct model_sample *s)
{
	return s->time_ns >= q->selection->start_ns && s->time_ns < q->selection->end_ns;
}
