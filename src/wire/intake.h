/* Private to wire: what the decoders into a sink share. */
#pragma once

#include "wire/sink.h"

MUST_USE int intake_no_memory(struct err *err);
/* Takes from the limits; ERR_LIMIT says which. */
MUST_USE int intake_rows(struct wire_sink *sink, uint64_t count, struct err *err);
MUST_USE int intake_samples(struct wire_sink *sink, uint64_t count, struct err *err);
MUST_USE int intake_part(struct wire_sink *sink, struct err *err);
/* Interned; bytes that are not UTF-8 become U+FFFD. */
MUST_USE int intake_string(struct wire_sink *sink, struct str text, uint32_t *ret, struct err *err);
/* A location of one line of a function that is known by its name alone, or by name, file and line. */
MUST_USE int intake_named(struct wire_sink *sink, struct str name, struct str file, int64_t line,
			  uint32_t *ret_location, struct err *err);

/* A list of locations as a stack is walked, root first. */
struct intake_path {
	uint32_t *items;
	size_t count, cap;
};

MUST_USE int intake_push(struct wire_sink *sink, struct intake_path *path, uint32_t location,
			 struct err *err);
/* The stack of a path, which is turned round: stacks are leaf first. Where a few bytes can ask for a long one,
 * the caller counts its frames as rows. */
MUST_USE int intake_stack(struct wire_sink *sink, const struct intake_path *path, uint32_t *ret,
			  struct err *err);
/* Adds a sample of one value to profile, a list that is not yet in a scope. */
MUST_USE int intake_value(struct wire_sink *sink, struct profile *profile, uint32_t stack,
			  int64_t value, struct err *err);
/* Gives the finished profile to the scope. */
MUST_USE int intake_finish(struct wire_sink *sink, struct profile_scope *scope,
			   const struct profile *profile, struct err *err);
