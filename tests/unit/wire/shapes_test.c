/* Golden bytes of every layout, written by hand from the field tables and not by our
 * encoder: each shape of a sample, and what only older layouts can say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "protoscope.h"
#include "wire/wire.h"

static struct arena arena;
static struct wire_limits limits;
static struct wire_report report;
static struct profile_batch *batch;
static struct err err;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	wire_limits_default(&limits);
	batch = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_deinit(&arena);
	return 0;
}

static int decode(const char *text)
{
	struct buf bytes = protoscope(text);
	int rc = wire_otlp_decode(buf_text(&bytes), &arena, &limits, &batch, &report, &err);

	buf_deinit(&bytes);
	return rc;
}

static void must_decode(const char *text)
{
	if (decode(text))
		fail_msg("%s", err.text);
}

static const struct profile *profile_at(size_t i)
{
	assert_true(i < batch->resources[0].scopes[0].profile_count);
	return &batch->resources[0].scopes[0].profiles[i];
}

static void assert_text(uint32_t string, const char *expected)
{
	struct str text = profile_str(&batch->dict, string);

	if (!str_equal(text, str_of(expected)))
		fail_msg("\"%.*s\" instead of \"%s\"", STR_ARG(text), expected);
}

static const struct value *attr_of(const uint32_t *attrs, uint32_t count, const char *key)
{
	const struct value *value = profile_find_index(&batch->dict, attrs, count, str_of(key));

	if (!value)
		fail_msg("no attribute %s", key);
	return value;
}

/* ---- every shape in every layout ---- */

/* A request is before, samples, after. Its tables say in each layout: strings 1 samples, 2 count, 3 main,
 * 4 libc.so.6, 5 thread.id, 6 By; one mapping (libc.so.6), one location (address 0x1234, function main,
 * line 7), attribute thread.id 42 in By, one link. In a sample: stack, then parts by what it has. */
static const struct layout {
	enum wire_layout layout;
	const char *before, *after;
	const char *stack, *values, *times, *both, *attr, *link;
} rows[] = {
	{
		WIRE_LAYOUT_A,
		"1: { 1: { 1: { 1: \"host\" 2: { 1: \"h\" } } } 2: { 1: { 1: \"scope\" } 2: { "
		"1: x\"000102030405060708090a0b0c0d0e0f\" 2: 100i64 3: 150i64 5: 3 8: { "
		"1: { 1: 1 2: 2 }",
		"3: { 2: 4096 3: 8192 4: 1 5: 4 } 4: { 3: 0x1234 4: { 2: 7 } } 5: { 2: 3 } "
		"6: \"\" 6: \"samples\" 6: \"count\" 6: \"main\" 6: \"libc.so.6\" 6: \"thread.id\" "
		"6: \"By\" 9: 100 10: 50 11: { 1: 1 2: 2 } 12: 10 15: [0] "
		"16: { 1: \"thread.id\" 2: { 3: 42 } } 17: { 1: 5 2: 6 } 18: {} "
		"18: { 1: x\"000102030405060708090a0b0c0d0e0f\" 2: x\"1011121314151617\" } } } } }",
		"8: 1",
		"2: [5]",
		"13: [101 103]",
		"2: [5 6] 13: [101 103]",
		"10: [0]",
		"12: 1",
	},
	{
		WIRE_LAYOUT_B,
		"1: { 1: { 1: { 1: \"host\" 2: { 1: \"h\" } } } 2: { 1: { 1: \"scope\" } 2: { "
		"1: { 1: 1 2: 2 }",
		"3: { 1: 4096 2: 8192 3: 1 4: 4 } 4: { 1: 0 2: 0x1234 3: { 2: 7 } } 5: [0] "
		"6: { 1: 3 } 7: { 1: \"thread.id\" 2: { 3: 42 } } 8: { 1: 5 2: 6 } "
		"9: { 1: x\"000102030405060708090a0b0c0d0e0f\" 2: x\"1011121314151617\" } "
		"10: \"\" 10: \"samples\" 10: \"count\" 10: \"main\" 10: \"libc.so.6\" "
		"10: \"thread.id\" 10: \"By\" 11: 100 12: 50 13: { 1: 1 2: 2 } 14: 10 "
		"17: x\"000102030405060708090a0b0c0d0e0f\" 19: 3 } } }",
		"2: 1",
		"3: [5]",
		"6: [101 103]",
		"3: [5 6] 6: [101 103]",
		"4: [0]",
		"5: 0",
	},
	{
		WIRE_LAYOUT_C,
		"1: { 1: { 1: { 1: \"host\" 2: { 1: \"h\" } } } 2: { 1: { 1: \"scope\" } 2: { "
		"1: { 1: 1 2: 2 }",
		"3: [0] 4: 100 5: 50 6: { 1: 1 2: 2 } 7: 10 "
		"10: x\"000102030405060708090a0b0c0d0e0f\" 11: 3 } } } "
		"2: { 1: 4096 2: 8192 3: 1 4: 4 } 3: { 1: 0 2: 0x1234 3: { 2: 7 } } 4: { 1: 3 } "
		"5: { 1: x\"000102030405060708090a0b0c0d0e0f\" 2: x\"1011121314151617\" } "
		"6: \"\" 6: \"samples\" 6: \"count\" 6: \"main\" 6: \"libc.so.6\" 6: \"thread.id\" "
		"6: \"By\" 7: { 1: \"thread.id\" 2: { 3: 42 } } 8: { 1: 5 2: 6 }",
		"2: 1",
		"3: [5]",
		"6: [101 103]",
		"3: [5 6] 6: [101 103]",
		"4: [0]",
		"5: 0",
	},
	{
		WIRE_LAYOUT_D,
		"1: { 1: { 1: { 1: \"host\" 2: { 1: \"h\" } } } 2: { 1: { 1: \"scope\" } 2: { "
		"1: { 1: 1 2: 2 }",
		"3: [0] 4: 100 5: 50 6: { 1: 1 2: 2 } 7: 10 "
		"10: x\"000102030405060708090a0b0c0d0e0f\" 11: 3 } } } 2: { "
		"1: { 1: 4096 2: 8192 3: 1 4: 4 } 2: { 1: 0 2: 0x1234 3: { 2: 7 } } 3: { 1: 3 } "
		"4: { 1: x\"000102030405060708090a0b0c0d0e0f\" 2: x\"1011121314151617\" } "
		"5: \"\" 5: \"samples\" 5: \"count\" 5: \"main\" 5: \"libc.so.6\" 5: \"thread.id\" "
		"5: \"By\" 6: { 1: \"thread.id\" 2: { 3: 42 } } 7: { 1: 5 2: 6 } }",
		"2: 1",
		"3: [5]",
		"6: [101 103]",
		"3: [5 6] 6: [101 103]",
		"4: [0]",
		"5: 0",
	},
#define DICTIONARY                                                                            \
	"2: { 1: {} 1: { 1: 4096 2: 8192 3: 1 4: 4 } 2: {} 2: { 1: 1 2: 0x1234 3: { 1: 1 2: " \
	"7 } } 3: {} 3: { 1: 3 } 4: {} "                                                      \
	"4: { 1: x\"000102030405060708090a0b0c0d0e0f\" 2: x\"1011121314151617\" } "           \
	"5: \"\" 5: \"samples\" 5: \"count\" 5: \"main\" 5: \"libc.so.6\" 5: \"thread.id\" "  \
	"5: \"By\" 6: {} 6: { 1: 5 2: { 3: 42 } 3: 6 } 7: {} 7: { 1: [1] } }"
	{
		WIRE_LAYOUT_E1,
		"1: { 1: { 1: { 1: \"host\" 2: { 1: \"h\" } } } 2: { 1: { 1: \"scope\" } 2: { "
		"1: { 1: 1 2: 2 }",
		"3: 100i64 4: 50 5: { 1: 1 2: 2 } 6: 10 "
		"8: x\"000102030405060708090a0b0c0d0e0f\" 9: 3 } } } " DICTIONARY,
		"1: 1",
		"2: [5]",
		"5: [101i64 103i64]",
		"2: [5 6] 5: [101i64 103i64]",
		"3: [1]",
		"4: 1",
	},
	{
		WIRE_LAYOUT_E2,
		"1: { 1: { 1: { 1: \"host\" 2: { 1: \"h\" } } } 2: { 1: { 1: \"scope\" } 2: { "
		"1: { 1: 1 2: 2 }",
		"3: 100i64 4: 50 5: { 1: 1 2: 2 } 6: 10 "
		"7: x\"000102030405060708090a0b0c0d0e0f\" 8: 3 } } } " DICTIONARY,
		"1: 1",
		"2: [5]",
		"5: [101i64 103i64]",
		"2: [5 6] 5: [101i64 103i64]",
		"3: [1]",
		"4: 1",
	},
	{
		WIRE_LAYOUT_F,
		"1: { 1: { 1: { 1: \"host\" 2: { 1: \"h\" } } } 2: { 1: { 1: \"scope\" } 2: { "
		"1: { 1: 1 2: 2 }",
		"3: 100i64 4: 50 5: { 1: 1 2: 2 } 6: 10 "
		"7: x\"000102030405060708090a0b0c0d0e0f\" 8: 3 } } } " DICTIONARY,
		"1: 1",
		"4: [5]",
		"5: [101i64 103i64]",
		"4: [5 6] 5: [101i64 103i64]",
		"2: [1]",
		"3: 1",
	},
};

enum { HAS_ATTR = 1, HAS_LINK = 2, VALUE = 0, TIMES = 4, BOTH = 8 };

static void assert_head(const struct profile *profile)
{
	const struct profile_resource *resource = &batch->resources[0];

	assert_true(str_equal(resource->attrs[0].key, STR("host")));
	assert_true(str_equal(resource->attrs[0].value.text, STR("h")));
	assert_true(str_equal(resource->scopes[0].name, STR("scope")));
	assert_text(profile->sample_type.type, "samples");
	assert_text(profile->sample_type.unit, "count");
	assert_text(profile->period_type.type, "samples");
	assert_int_equal(profile->period, 10);
	assert_int_equal(profile->time_ns, 100);
	assert_int_equal(profile->duration_ns, 50);
	assert_true(profile->has_profile_id);
	assert_int_equal(profile->profile_id[15], 15);
	assert_int_equal(profile->dropped_attributes, 3);
}

static void assert_stack(const struct profile_sample *sample)
{
	const struct profile_dict *dict = &batch->dict;
	const struct profile_stack *stack = &dict->stacks[sample->stack];

	assert_int_equal(stack->count, 1);
	const struct profile_location *location = &dict->locations[stack->locations[0]];
	assert_int_equal(location->address, 0x1234);
	assert_int_equal(location->line_count, 1);
	assert_int_equal(location->lines[0].line, 7);
	assert_text(dict->functions[location->lines[0].function].name, "main");
	const struct profile_mapping *mapping = &dict->mappings[location->mapping];
	assert_text(mapping->filename, "libc.so.6");
	assert_int_equal(mapping->memory_start, 4096);
	assert_int_equal(mapping->memory_limit, 8192);
	assert_int_equal(mapping->file_offset, 1);
}

static void assert_context(const struct profile_sample *sample, unsigned shape)
{
	const struct profile_dict *dict = &batch->dict;

	assert_int_equal(sample->attr_count, shape & HAS_ATTR ? 1 : 0);
	if (shape & HAS_ATTR) {
		assert_text(dict->attributes[sample->attrs[0]].key, "thread.id");
		assert_text(dict->attributes[sample->attrs[0]].unit, "By");
		assert_int_equal(dict->attributes[sample->attrs[0]].value.number, 42);
	}
	const struct profile_link *link = &dict->links[sample->link];
	assert_int_equal(link->trace_id[15], shape & HAS_LINK ? 15 : 0);
	assert_int_equal(link->span_id[0], shape & HAS_LINK ? 0x10 : 0);
}

static void assert_events(const struct profile *profile, unsigned shape)
{
	const struct profile_sample *sample = &profile->samples[0];
	uint64_t events, total = profile_total(profile, &events);

	assert_int_equal(events, shape & (TIMES | BOTH) ? 2 : 1);
	assert_int_equal(total, shape & BOTH ? 11 : shape & TIMES ? 2 : 5);
	assert_int_equal(sample->time_count, shape & (TIMES | BOTH) ? 2 : 0);
	if (sample->time_count) {
		assert_int_equal(sample->times_ns[0], 101);
		assert_int_equal(sample->times_ns[1], 103);
	}
}

static void check_shape(const struct layout *row, unsigned shape)
{
	char text[4096];

	snprintf(text, sizeof(text), "%s 2: { %s %s %s %s } %s", row->before, row->stack,
		 shape & BOTH	 ? row->both
		 : shape & TIMES ? row->times
				 : row->values,
		 shape & HAS_ATTR ? row->attr : "", shape & HAS_LINK ? row->link : "", row->after);
	must_decode(text);
	/* With a stack and timestamps only, 1.9 and 1.10 are the same bytes. */
	bool alike = row->layout == WIRE_LAYOUT_E2 && shape == TIMES;
	if (report.layout != (alike ? WIRE_LAYOUT_F : row->layout) || report.rejected_profiles)
		fail_msg("shape %u of %s: taken for %s, %s", shape, wire_layout_name(row->layout),
			 wire_layout_name(report.layout), report.reason);
	const struct profile *profile = profile_at(0);
	assert_int_equal(profile->sample_count, 1);
	assert_head(profile);
	assert_stack(&profile->samples[0]);
	assert_context(&profile->samples[0], shape);
	assert_events(profile, shape);
	arena_reset(&arena);
}

static void every_shape_reads_the_same_in_every_layout(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (unsigned shape = 0; shape < BOTH + HAS_ATTR + HAS_LINK + 1; shape++)
			check_shape(&rows[i], shape);
}

/* ---- values and timestamps up to 1.7 ---- */

/* A request of 1.7 with strings 1 samples, 2 count, 3 cpu, 4 nanoseconds, 5 main. */
#define OF_1_7(types, samples)                                                              \
	"1: { 2: { 2: { " types samples " 3: [0 0 0] 4: 7 } } } 2: { 2: { 2: 9 3: {} } "    \
	"3: { 1: 5 } 5: \"\" 5: \"samples\" 5: \"count\" 5: \"cpu\" 5: \"nanoseconds\" 5: " \
	"\"main\" }"
#define ONE_TYPE  "1: { 1: 1 2: 2 }"
#define TWO_TYPES "1: { 1: 1 2: 2 } 1: { 1: 3 2: 4 }"

static void assert_total(size_t profile, uint64_t events, uint64_t total)
{
	uint64_t got_events, got = profile_total(profile_at(profile), &got_events);

	assert_int_equal(got_events, events);
	assert_int_equal(got, total);
}

static void the_value_1_beside_timestamps_is_not_counted_twice(void **state)
{
	(void)state;
	must_decode(OF_1_7(ONE_TYPE, "2: { 2: 1 3: [1] 6: [5 6 7] } 2: { 2: 1 3: [1] 6: [8] }"));
	assert_int_equal(report.layout, WIRE_LAYOUT_D);
	assert_total(0, 4, 4);
}

static void the_sum_of_events_is_kept_whole(void **state)
{
	(void)state;
	/* 3 of 3 events; 30 units in 3 events, whose parts nobody knows */
	must_decode(OF_1_7(ONE_TYPE, "2: { 2: 1 3: [3] 6: [5 6 7] }"));
	assert_total(0, 3, 3);
	must_decode(OF_1_7(ONE_TYPE, "2: { 2: 1 3: [30] 6: [5 6 7] }"));
	assert_total(0, 1, 30);
	assert_int_equal(profile_at(0)->samples[0].times_ns[0], 5);
	/* off-CPU time: a value for each event */
	must_decode(OF_1_7(ONE_TYPE, "2: { 2: 1 3: [10 20 30] 6: [5 6 7] }"));
	assert_total(0, 3, 60);
}

static void several_sample_types_become_several_profiles_that_share_stacks(void **state)
{
	(void)state;
	must_decode(OF_1_7(TWO_TYPES, "2: { 2: 1 3: [2 2000] 6: [5 6] } 2: { 2: 3 3: [1 0] }"));
	assert_int_equal(batch->resources[0].scopes[0].profile_count, 2);
	assert_text(profile_at(0)->sample_type.type, "samples");
	assert_text(profile_at(1)->sample_type.type, "cpu");
	assert_text(profile_at(1)->sample_type.unit, "nanoseconds");
	assert_total(0, 3, 3);
	assert_total(1, 2, 2000);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(profile_at(0)->samples[i].stack, profile_at(1)->samples[i].stack);
	assert_int_equal(batch->dict.stacks[profile_at(0)->samples[1].stack].count, 3);
	assert_int_equal(report.profiles, 2);
	assert_int_equal(report.samples, 4);
}

static void a_sample_without_a_value_for_each_type_costs_its_profile(void **state)
{
	(void)state;
	must_decode(OF_1_7(TWO_TYPES, "2: { 2: 1 3: [2] 6: [5 6] } 2: { 2: 1 3: [1 2 3] }"));
	assert_int_equal(report.rejected_profiles, 1);
	assert_int_equal(report.rejected_samples, 2);
	assert_int_equal(batch->resources[0].scopes[0].profile_count, 0);
	assert_non_null(strstr(report.reason, "a value for each sample type"));
	/* said before there is room for samples times types */
	must_decode(OF_1_7(TWO_TYPES TWO_TYPES TWO_TYPES, "2: {} 2: {} 2: {} 2: {}"));
	assert_int_equal(report.rejected_samples, 4);
	must_decode(OF_1_7(ONE_TYPE, "2: { 2: 1 3: [2 3] 6: [5 6 7] }"));
	assert_non_null(strstr(report.reason, "2 values but 3 timestamps"));
}

static void a_bad_index_costs_only_its_profile(void **state)
{
	(void)state;
	/* locations 1..4 of 3; location 7; attribute 7; link 7 */
	static const char *const bad[] = {"2: { 1: 1 2: 3 3: [1] }", "2: { 2: 1 3: [1] 4: [7] }",
					  "2: { 2: 1 3: [1] 5: 7 }",
					  "2: { 1: 9223372036854775807 2: 9223372036854775807 }"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[1024];
		snprintf(text, sizeof(text),
			 "1: { 2: { 2: { 1: { 1: 1 } %s 3: [0 0 0] } 2: { 1: { 1: 1 } 2: { 2: 1 "
			 "3: [1] } 3: [0] } } } 2: { 2: {} 5: \"\" 5: \"x\" }",
			 bad[i]);
		must_decode(text);
		assert_int_equal(report.layout, WIRE_LAYOUT_D);
		assert_int_equal(report.rejected_profiles, 1);
		assert_int_equal(report.profiles, 1);
		assert_true(report.reason[0] != '\0');
	}
}

static void stacks_over_each_other_have_a_limit(void **state)
{
	(void)state;
	limits.rows = 10;
	must_decode("1: { 2: { 2: { 2: { 2: 3 3: [1] } 2: { 1: 1 2: 2 3: [1] } 2: { 2: 3 3: [1] } "
		    "3: [0 0 0] } } } 2: { 2: {} 5: \"\" }");
	assert_int_equal(report.samples, 3);
	limits.rows = 3;
	assert_int_equal(decode("1: { 2: { 2: { 2: { 2: 3 3: [1] } 2: { 1: 1 2: 2 3: [1] } 2: { 1: "
				"2 2: 1 3: [1] } 2: { 2: 2 3: [1] } 3: [0 0 0] } } } 2: { 2: {} 5: "
				"\"\" }"),
			 ERR_LIMIT);
	assert_non_null(strstr(err.text, "over each other"));
}

static void tables_of_one_profile_are_not_those_of_another(void **state)
{
	(void)state;
	/* The second has no location 1, the first has. */
	must_decode("1: { 2: { 2: { 1: { 1: 1 } 2: { 1: 1 2: 1 3: [4] } 4: { 2: 1 } 4: { 2: 2 } 5: "
		    "[0 1] 10: \"\" 10: \"a\" } 2: { 1: { 1: 1 } 2: { 2: 1 3: [4] } 4: { 2: 3 } "
		    "5: [1] 10: \"\" 10: \"b\" } } }");
	assert_int_equal(report.layout, WIRE_LAYOUT_B);
	assert_int_equal(report.rejected_profiles, 1);
	assert_text(profile_at(0)->sample_type.type, "a");
	const struct profile_sample *sample = &profile_at(0)->samples[0];
	assert_int_equal(batch->dict.locations[batch->dict.stacks[sample->stack].locations[0]]
				 .address,
			 2);
}

/* ---- what only older layouts say ---- */

#define OF_1_3(container, profile)                                                           \
	"1: { 2: { 2: { 2: 5i64 " container " 8: { " profile                                 \
	" 6: \"\" 6: \"samples\" 6: \"count\" 6: \"main\" 6: \"key\" 6: \"text\" 6: \"By\" " \
	"6: \"native\" 6: \"abcd\" 6: \"note\" } } } }"

static void labels_of_1_3_become_attributes(void **state)
{
	(void)state;
	must_decode(OF_1_3("", "1: { 1: 1 2: 2 } 2: { 2: [4] 3: { 1: 4 2: 5 } 3: { 1: 6 3: 77 4: 6 "
			       "} }"));
	assert_int_equal(report.layout, WIRE_LAYOUT_A);
	const struct profile_sample *sample = &profile_at(0)->samples[0];
	assert_true(
		str_equal(attr_of(sample->attrs, sample->attr_count, "key")->text, STR("text")));
	assert_int_equal(attr_of(sample->attrs, sample->attr_count, "By")->number, 77);
	assert_text(batch->dict.attributes[sample->attrs[1]].unit, "By");
	must_decode(OF_1_3("", "1: { 1: 1 2: 2 } 2: { 2: [4] 3: { 2: 5 } }"));
	assert_non_null(strstr(report.reason, "a label without a key"));
}

static void a_sample_of_1_3_may_list_its_locations(void **state)
{
	(void)state;
	must_decode(OF_1_3("", "1: { 1: 1 } 2: { 1: [1 0] 2: [4] } 4: { 3: 10 } 4: { 3: 11 }"));
	const struct profile_sample *sample = &profile_at(0)->samples[0];
	const struct profile_stack *stack = &batch->dict.stacks[sample->stack];
	assert_int_equal(stack->count, 2);
	assert_int_equal(batch->dict.locations[stack->locations[0]].address, 11);
	/* or be a slice of the table itself */
	must_decode(OF_1_3("", "1: { 1: 1 } 2: { 7: 1 8: 1 2: [4] } 4: { 3: 10 } 4: { 3: 11 }"));
	sample = &profile_at(0)->samples[0];
	stack = &batch->dict.stacks[sample->stack];
	assert_int_equal(batch->dict.locations[stack->locations[0]].address, 11);
}

static void fields_that_became_attributes_are_attributes(void **state)
{
	(void)state;
	must_decode(OF_1_3("4: { 1: \"of.profile\" 2: { 3: 1 } }",
			   "1: { 1: 1 } 2: { 8: 1 2: [4] } 3: { 5: 3 6: 8 7: 1 10: 1 11: 1 } 4: { "
			   "3: 10 "
			   "5: 1 6: 7 } 7: 9 13: [9 3] 15: [0]"));
	const struct profile *profile = profile_at(0);
	const struct profile_stack *stack = &batch->dict.stacks[profile->samples[0].stack];
	const struct profile_location *location = &batch->dict.locations[stack->locations[0]];
	const struct profile_mapping *mapping = &batch->dict.mappings[location->mapping];
	assert_true(str_equal(attr_of(location->attrs, location->attr_count, "profile.frame.type")
				      ->text,
			      STR("native")));
	attr_of(location->attrs, location->attr_count, "pprof.location.is_folded");
	attr_of(mapping->attrs, mapping->attr_count, "pprof.mapping.has_functions");
	attr_of(mapping->attrs, mapping->attr_count, "pprof.mapping.has_inline_frames");
	assert_true(str_equal(attr_of(mapping->attrs, mapping->attr_count,
				      "process.executable.build_id.htlhash")
				      ->text,
			      STR("abcd")));
	assert_int_equal(attr_of(profile->attrs, profile->attr_count, "of.profile")->number, 1);
	assert_true(str_equal(attr_of(profile->attrs, profile->attr_count, "pprof.profile.comment")
				      ->text,
			      STR("[\"note\",\"main\"]")));
	assert_true(
		str_equal(attr_of(profile->attrs, profile->attr_count, "pprof.profile.drop_frames")
				  ->text,
			  STR("note")));
}

static void an_index_of_0_names_nothing_even_where_the_string_table_begins_with_a_name(void **state)
{
	(void)state;
	must_decode(
		"1: { 2: { 2: { 2: 5i64 8: { 1: { 1: 1 } 2: { 8: 1 2: [4] } 3: {} 4: { 3: 1 } 15: "
		"[0] 6: \"first\" 6: \"x\" } } } }");
	const struct profile_stack *stack = &batch->dict.stacks[profile_at(0)->samples[0].stack];
	assert_int_equal(batch->dict.locations[stack->locations[0]].attr_count, 0);
	assert_int_equal(profile_at(0)->attr_count, 0);
}

static void a_profile_of_1_3_in_two_parts_is_refused(void **state)
{
	(void)state;
	assert_int_equal(decode("1: { 2: { 2: { 2: 5i64 8: { 2: { 2: [1] } } 8: { 2: { 2: [1] } } "
				"} } }"),
			 ERR_INVALID);
	assert_non_null(strstr(err.text, "two parts"));
}

static void unpacked_lists_are_read_too(void **state)
{
	(void)state;
	must_decode(
		"1: { 2: { 2: { 1: { 1: 1 } 2: { 2: 2 3: 5 3: 6 4: 0 6: 1 6: 2 } 3: 0 3: 0 } } } "
		"2: { 2: {} 5: \"\" 5: \"x\" 6: { 1: \"k\" 2: {} } 7: { 1: 1 } }");
	assert_int_equal(report.layout, WIRE_LAYOUT_D);
	assert_int_equal(report.rejected_profiles, 0);
	assert_total(0, 2, 11);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_shape_reads_the_same_in_every_layout),
		TEST(the_value_1_beside_timestamps_is_not_counted_twice),
		TEST(the_sum_of_events_is_kept_whole),
		TEST(several_sample_types_become_several_profiles_that_share_stacks),
		TEST(a_sample_without_a_value_for_each_type_costs_its_profile),
		TEST(a_bad_index_costs_only_its_profile),
		TEST(stacks_over_each_other_have_a_limit),
		TEST(tables_of_one_profile_are_not_those_of_another),
		TEST(labels_of_1_3_become_attributes),
		TEST(a_sample_of_1_3_may_list_its_locations),
		TEST(fields_that_became_attributes_are_attributes),
		TEST(an_index_of_0_names_nothing_even_where_the_string_table_begins_with_a_name),
		TEST(a_profile_of_1_3_in_two_parts_is_refused),
		TEST(unpacked_lists_are_read_too),
	};
	return cmocka_run_group_tests_name("wire/shapes", tests, NULL, NULL);
}
