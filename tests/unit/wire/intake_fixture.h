/* A batch to decode into, and what is in it as folded text. Each test program has
 * its own. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "wire/sink.h"

struct fixture {
	struct arena arena;
	struct wire_limits limits;
	struct wire_sink sink;
	struct profile_batch *batch;
	struct profile_scope scope;
	struct buf text;
	struct err err;
};

static struct fixture f;

static inline int setup(void **state)
{
	(void)state;
	f = (struct fixture){0};
	arena_init(&f.arena, 0);
	wire_limits_default(&f.limits);
	assert_int_equal(profile_batch_create(&f.arena, &f.batch, NULL), 0);
	f.sink = (struct wire_sink){.batch = f.batch, .limits = &f.limits};
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	buf_deinit(&f.text);
	arena_deinit(&f.arena);
	return 0;
}

static inline void renew(void **state)
{
	teardown(state);
	setup(state);
}

static inline void must(int rc)
{
	if (rc)
		fail_msg("%s", f.err.text);
}

static inline struct str string(uint32_t index)
{
	return profile_str(&f.batch->dict, index);
}

static inline void put_location(uint32_t index)
{
	const struct profile_location *row = &f.batch->dict.locations[index];

	if (row->line_count == 0)
		buf_printf(&f.text, "0x%llx;", (unsigned long long)row->address);
	for (uint32_t i = row->line_count; i-- > 0;) {
		buf_str(&f.text, string(f.batch->dict.functions[row->lines[i].function].name));
		buf_char(&f.text, ';');
	}
}

/* "main;work 3\n" for each sample, in order; the profile holds together. */
static inline const char *folded(const struct profile *profile)
{
	buf_clear(&f.text);
	if (profile_check(&f.batch->dict, profile, &f.err))
		fail_msg("%s", f.err.text);
	for (size_t i = 0; i < profile->sample_count; i++) {
		const struct profile_sample *sample = &profile->samples[i];
		const struct profile_stack *stack = &f.batch->dict.stacks[sample->stack];
		for (uint32_t k = stack->count; k-- > 0;)
			put_location(stack->locations[k]);
		if (stack->count > 0)
			f.text.len--;
		buf_printf(&f.text, " %lld\n", (long long)sample->values[0]);
	}
	buf_append(&f.text, "", 1);
	return f.text.ptr;
}
