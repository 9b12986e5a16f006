/* A batch under construction and what conversion makes of it, before any store
 * sees it. Each test program has its own. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/ingest_convert.h"

#define NOW_NS (UINT64_C(1700000000) * NS_PER_S)

struct fixture {
	struct arena arena;
	struct ingest_config config;
	enum ingest_naming naming;
	struct relabel *relabel;
	struct profile_batch *batch;
	struct profile_resource *resource;
	struct profile_scope *scope;
	struct profile *profile;
	struct profile_sample *sample;
	struct store_batch rows;
	struct ingest_result result;
};

static struct fixture f;

static inline void must(int rc)
{
	assert_int_equal(rc, 0);
}

static inline uint32_t text(const char *cstr)
{
	uint32_t at;

	must(profile_string(f.batch, str_of(cstr), &at, NULL));
	return at;
}

static inline uint32_t attr(const char *key, struct value value)
{
	uint32_t at;

	must(profile_attribute(f.batch, str_of(key), &value, STR(""), &at, NULL));
	return at;
}

static inline struct value string_value(const char *cstr)
{
	return (struct value){.kind = VALUE_STRING, .text = str_of(cstr)};
}

static inline struct value int_value(int64_t number)
{
	return (struct value){.kind = VALUE_INT, .number = number};
}

static inline void resource_attr(const char *key, struct value value)
{
	must(profile_resource_attr(f.batch, f.resource, str_of(key), &value, NULL));
}

static inline void set_types(struct profile *profile, const char *type, const char *unit,
			     const char *period_type, const char *period_unit, int64_t period)
{
	profile->sample_type = (struct value_type){text(type), text(unit)};
	profile->period_type = (struct value_type){text(period_type), text(period_unit)};
	profile->period = period;
}

static inline uint32_t function(const char *name)
{
	struct profile_function row = {.name = text(name)};
	uint32_t at;

	must(profile_function(f.batch, &row, &at, NULL));
	return at;
}

static inline uint32_t named_location(const char *name)
{
	struct profile_line line = {.function = function(name), .line = 7};
	struct profile_location row = {.address = 0x1234, .line_count = 1, .lines = &line};
	uint32_t at;

	must(profile_location(f.batch, &row, &at, NULL));
	return at;
}

static inline uint32_t stack(const uint32_t *locations, uint32_t count)
{
	uint32_t at;

	must(profile_stack(f.batch, locations, count, &at, NULL));
	return at;
}

static inline void add_sample(uint32_t stack_index)
{
	must(profile_sample_add(f.batch, f.profile, &f.sample, NULL));
	f.sample->stack = stack_index;
}

static inline void add_time(uint64_t time_ns)
{
	must(profile_sample_time(f.batch, f.sample, time_ns, NULL));
}

static inline void add_value(int64_t value)
{
	must(profile_sample_value(f.batch, f.sample, value, NULL));
}

static inline void add_attr(uint32_t index)
{
	must(profile_sample_attr(f.batch, f.sample, index, NULL));
}

/* A CPU profile of one process, without samples. */
static inline int setup(void **state)
{
	(void)state;
	f = (struct fixture){0};
	arena_init(&f.arena, 0);
	ingest_config_default(&f.config);
	f.config.time_precision_ns = 1;
	must(relabel_create(NULL, 0, &f.relabel, NULL));
	must(profile_batch_create(&f.arena, &f.batch, NULL));
	must(profile_resource_add(f.batch, &f.resource, NULL));
	must(profile_scope_add(f.batch, f.resource, &f.scope, NULL));
	must(profile_add(f.batch, f.scope, &f.profile, NULL));
	f.profile->time_ns = NOW_NS;
	set_types(f.profile, "samples", "count", "cpu", "nanoseconds", 10);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	relabel_destroy(f.relabel);
	arena_deinit(&f.arena);
	return 0;
}

/* For tests that run over a table. */
static inline void renew(void **state)
{
	teardown(state);
	setup(state);
}

static inline void use_rule(const char *action, const char *regex, const char *replacement)
{
	struct relabel_rule_spec spec;

	relabel_rule_default(&spec);
	spec.action = str_of(action);
	spec.regex = str_of(regex);
	spec.replacement = str_of(replacement);
	relabel_destroy(f.relabel);
	f.relabel = NULL;
	must(relabel_create(&spec, 1, &f.relabel, NULL));
}

static inline void convert(void)
{
	struct err err = {0};

	const struct ingest_rules rules = {&f.config, f.relabel, f.naming};
	if (ingest_convert(&rules, f.batch, NOW_NS, &f.arena, &f.rows, &f.result, &err))
		fail_msg("%s", err.text);
}

/* Converts and checks what the store's contract asks of a batch. */
static inline void convert_checked(void)
{
	convert();
	assert_true(f.rows.strings[0].len == 0);
	for (size_t i = 1; i < f.rows.node_count; i++) {
		assert_true(f.rows.nodes[i].parent < i);
		assert_true(f.rows.nodes[i].frame < f.rows.frame_count);
	}
	for (size_t i = 0; i < f.rows.series_count; i++) {
		const struct store_series *series = &f.rows.series[i];
		for (size_t k = 1; k < series->label_count; k++)
			assert_true(str_compare(series->labels[k - 1].name,
						series->labels[k].name) < 0);
		assert_true(series->sample_count > 0);
		for (size_t k = 0; k < series->sample_count; k++) {
			assert_true(series->samples[k].node < f.rows.node_count);
			assert_true(series->samples[k].thread_name < f.rows.string_count);
			assert_true(series->samples[k].span <= f.rows.span_count);
		}
	}
}

static inline struct str label(size_t series, const char *name)
{
	for (size_t i = 0; i < f.rows.series[series].label_count; i++)
		if (str_equal(f.rows.series[series].labels[i].name, str_of(name)))
			return f.rows.series[series].labels[i].value;
	return STR("");
}

static inline void assert_label(size_t series, const char *name, const char *value)
{
	struct str got = label(series, name);

	if (!str_equal(got, str_of(value)))
		fail_msg("%s is '%.*s', expected '%s'", name, STR_ARG(got), value);
}

static inline const struct store_frame *frame_of(uint32_t node)
{
	return &f.rows.frames[f.rows.nodes[node].frame];
}
