/* speedscope's file format (speedscope.app/file-format-schema.json), read: frames
 * shared by all, and profiles that are "sampled" (stacks and weights) or "evented"
 * (frames opening and closing). Any thread. */
#pragma once

#include "wire/sink.h"

enum speedscope_unit {
	SPEEDSCOPE_NONE,
	SPEEDSCOPE_TIME, /* values are nanoseconds, whatever the file's unit of time was */
	SPEEDSCOPE_BYTES,
};

struct speedscope_profile {
	struct str name;
	enum speedscope_unit unit;
	size_t profile; /* its index in the scope */
};

/* Adds a struct profile, without types and times, for each of the file's. ERR_INVALID says which profile and
 * what is wrong with it. JSON takes much more memory than its text: what needs over 128 MiB is ERR_LIMIT. */
MUST_USE int wire_speedscope(struct str text, struct wire_sink *sink, struct profile_scope *scope,
			     struct speedscope_profile **ret, size_t *ret_count, struct err *err);
