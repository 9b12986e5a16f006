/* The in-memory profile: what the sampler makes, what the wire formats encode
 * and decode, and what the server hands to the store.
 *
 * Its shape is that of OTLP profiles from 1.8 on (opentelemetry-proto,
 * profiles/v1development/profiles.proto): one dictionary of tables shared by
 * the whole batch, and resources that hold profiles that hold samples which
 * refer into it by index. Index 0 of every table is the zero value, "not set".
 *
 * One batch = one arena = one thread at a time. Everything inside is the
 * arena's; nothing is freed singly. Builders deduplicate: interning the same
 * content twice gives the same index. Fallible builders return ERR_NOMEM or
 * ERR_LIMIT and leave the batch as before. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strtab.h"

enum value_kind {
	VALUE_NONE,
	VALUE_STRING,
	VALUE_INT,
	VALUE_BOOL,
	VALUE_DOUBLE,
	VALUE_BYTES,
	VALUE_OTHER
};

/* An AnyValue (opentelemetry-proto common.proto). Arrays and maps are kept as their JSON text with
 * kind OTHER, so that no value is ever lost silently. */
struct value {
	enum value_kind kind;
	struct str text; /* STRING, BYTES, OTHER */
	int64_t number;	 /* INT, BOOL (0/1) */
	double real;	 /* DOUBLE */
};

struct key_value {
	struct str key;
	struct value value;
};

/* Rows of the dictionary. Strings are indices into strings; ids are indices into their tables. */
struct profile_mapping {
	uint64_t memory_start, memory_limit, file_offset;
	uint32_t filename; /* string */
	uint32_t attr_count;
	const uint32_t *attrs; /* attribute indices, e.g. process.executable.build_id.gnu */
};

struct profile_function {
	uint32_t name, system_name, filename; /* strings */
	int64_t start_line;
};

struct profile_line {
	uint32_t function;
	int64_t line, column; /* 1-based; 0 = unknown */
};

/* lines[0] is the innermost inlined function, the last one the physical caller. */
struct profile_location {
	uint32_t mapping;
	uint64_t address;
	uint32_t line_count, attr_count;
	const struct profile_line *lines;
	const uint32_t *attrs; /* profile.frame.type */
};

struct profile_attribute {
	uint32_t key, unit; /* strings */
	struct value value;
};

struct profile_link {
	uint8_t trace_id[16], span_id[8];
};

struct profile_stack {
	uint32_t count;
	const uint32_t *locations; /* leaf first */
};

struct profile_dict {
	struct strtab *strings;
	const struct profile_mapping *mappings;
	const struct profile_location *locations;
	const struct profile_function *functions;
	const struct profile_link *links;
	const struct profile_attribute *attributes;
	const struct profile_stack *stacks;
	uint32_t mapping_count, location_count, function_count, link_count, attribute_count,
		stack_count;
};

struct value_type {
	uint32_t type, unit; /* strings: "samples" "count" */
};

/* At least one of values and timestamps is there; if both, element i of each is the same event. */
struct profile_sample {
	uint32_t stack, link;
	uint32_t attr_count, value_count, time_count;
	uint32_t *attrs;
	int64_t *values;
	uint64_t *times_ns; /* since 1970 */
	uint32_t attr_cap, value_cap, time_cap;
};

struct profile {
	struct value_type sample_type, period_type;
	int64_t period;
	uint64_t time_ns, duration_ns; /* since 1970 */
	uint8_t profile_id[16];
	bool has_profile_id;
	uint32_t dropped_attributes;
	uint32_t attr_count;
	uint32_t *attrs;
	struct str original_format, original_payload;
	struct profile_sample *samples;
	size_t sample_count, sample_cap;
};

struct profile_scope {
	struct str name, version, schema_url;
	struct key_value *attrs;
	size_t attr_count, attr_cap;
	struct profile *profiles;
	size_t profile_count, profile_cap;
};

struct profile_resource {
	struct str schema_url;
	struct key_value *attrs;
	size_t attr_count, attr_cap;
	struct profile_scope *scopes;
	size_t scope_count, scope_cap;
};

struct profile_builder; /* the interning tables behind the dictionary */

struct profile_batch {
	struct arena *arena;
	struct profile_dict dict;
	struct profile_resource *resources;
	size_t resource_count, resource_cap;
	struct profile_builder *builder;
};

/* An empty batch in the arena (which must outlive it); all tables hold their zero element. */
MUST_USE int profile_batch_create(struct arena *arena, struct profile_batch **ret, struct err *err);

/* Intern: find or add, with copies of everything pointed to. */
MUST_USE int profile_string(struct profile_batch *batch, struct str text, uint32_t *ret,
			    struct err *err);
MUST_USE int profile_mapping(struct profile_batch *batch, const struct profile_mapping *row,
			     uint32_t *ret, struct err *err);
MUST_USE int profile_function(struct profile_batch *batch, const struct profile_function *row,
			      uint32_t *ret, struct err *err);
MUST_USE int profile_location(struct profile_batch *batch, const struct profile_location *row,
			      uint32_t *ret, struct err *err);
/* Gives a location that profile_location() made other lines (copied); its index and the stacks with it
 * stay. Lines are often known later than the address. ERR_NOMEM: it is as before. */
MUST_USE int profile_location_lines(struct profile_batch *batch, uint32_t location,
				    const struct profile_line *lines, uint32_t count,
				    struct err *err);
MUST_USE int profile_link(struct profile_batch *batch, const struct profile_link *row,
			  uint32_t *ret, struct err *err);
MUST_USE int profile_stack(struct profile_batch *batch, const uint32_t *locations, uint32_t count,
			   uint32_t *ret, struct err *err);
/* key and unit as text; a value's text is copied. */
MUST_USE int profile_attribute(struct profile_batch *batch, struct str key,
			       const struct value *value, struct str unit, uint32_t *ret,
			       struct err *err);

/* Takes over a whole dictionary with its indices as they are (a decoder's: they are what the samples say).
 * The rows live at least as long as the arena. Interning goes on behind them. */
void profile_dict_adopt(struct profile_batch *batch, const struct profile_dict *dict);

/* Append; the returned row may move at the next append of the same kind. */
MUST_USE int profile_resource_add(struct profile_batch *batch, struct profile_resource **ret,
				  struct err *err);
MUST_USE int profile_resource_attr(struct profile_batch *batch, struct profile_resource *resource,
				   struct str key, const struct value *value, struct err *err);
MUST_USE int profile_scope_attr(struct profile_batch *batch, struct profile_scope *scope,
				struct str key, const struct value *value, struct err *err);
MUST_USE int profile_scope_add(struct profile_batch *batch, struct profile_resource *resource,
			       struct profile_scope **ret, struct err *err);
MUST_USE int profile_add(struct profile_batch *batch, struct profile_scope *scope,
			 struct profile **ret, struct err *err);
MUST_USE int profile_sample_add(struct profile_batch *batch, struct profile *profile,
				struct profile_sample **ret, struct err *err);
MUST_USE int profile_sample_attr(struct profile_batch *batch, struct profile_sample *sample,
				 uint32_t attribute, struct err *err);
MUST_USE int profile_sample_value(struct profile_batch *batch, struct profile_sample *sample,
				  int64_t value, struct err *err);
MUST_USE int profile_sample_time(struct profile_batch *batch, struct profile_sample *sample,
				 uint64_t time_ns, struct err *err);

/* Look-ups. NULL / {NULL,0} when absent. */
const struct value *profile_find_attr(const struct key_value *attrs, size_t count, struct str key);
struct str profile_str(const struct profile_dict *dict, uint32_t string);
/* Attribute with that key among indices; NULL if none. */
const struct value *profile_find_index(const struct profile_dict *dict, const uint32_t *attrs,
				       uint32_t count, struct str key);
/* A value as label text: strings as they are, ints in decimal, bools true/false, doubles shortest,
 * bytes in hex, OTHER its JSON text. Into the arena. */
struct str value_text(struct arena *arena, const struct value *value);

/* Every index of the batch is within its table, attribute keys non-empty, and each sample has values or
 * timestamps (or both of the same length): ERR_INVALID names the first that is not.
 * A decoder calls it per profile, so that a bad profile costs only itself. */
MUST_USE int profile_check(const struct profile_dict *dict, const struct profile *profile,
			   struct err *err);
/* The same for many profiles of one dictionary: remembers which of its rows are good, so that each is looked
 * at once. The dictionary must not change meanwhile. */
struct profile_checker;
MUST_USE int profile_checker_create(struct arena *arena, const struct profile_dict *dict,
				    struct profile_checker **ret, struct err *err);
MUST_USE int profile_checker_run(struct profile_checker *checker, const struct profile *profile,
				 struct err *err);
/* Number of events (samples' timestamps or values) and total of all values (missing ones count 1). */
uint64_t profile_total(const struct profile *profile, uint64_t *ret_events);
