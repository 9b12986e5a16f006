/* Private to wire: what the protobuf and the JSON decoder of profiles share. */
#pragma once

#include "wire/wire.h"

enum { INDEX_BAD = UINT32_MAX };

struct index_list {
	uint32_t *items;
	uint32_t count;
	size_t cap;
};

struct old_layout;
struct old_tables;

struct decoder {
	struct arena *arena;
	const struct wire_limits *limits;
	struct wire_report *report;
	struct profile_batch *batch;
	struct profile_dict dict; /* being filled; adopted by the batch at the end */
	/* String index as sent → index in dict.strings. */
	uint32_t *strings;
	uint32_t string_count;
	uint64_t rows, samples, parts;
	/* Of a layout up to 1.7 (old.h), whose rows are interned and not adopted; else NULL. */
	const struct old_layout *old;
	const struct old_tables *old_tables; /* those of the whole request */
	uint64_t overlap; /* how much more of location_indices stacks may take again */
};

MUST_USE int decoder_init(struct decoder *dec, struct arena *arena,
			  const struct wire_limits *limits, struct wire_report *report,
			  struct err *err);
/* Leaves out (and reports) the profiles that fail profile_check(), and gives the batch. */
MUST_USE int decoder_finish(struct decoder *dec, struct profile_batch **ret, struct err *err);

/* count zeroed elements, counted against the limit of rows; one more than count when extra. */
MUST_USE int decoder_rows(struct decoder *dec, const char *what, size_t count, size_t elem_bytes,
			  void **ret, struct err *err);
/* Counts a resource, scope or profile about to be added: two bytes of text are enough for one. */
MUST_USE int decoder_part(struct decoder *dec, struct err *err);
MUST_USE int decoder_samples(struct decoder *dec, size_t count, struct profile_sample **ret,
			     struct err *err);
MUST_USE int decoder_no_memory(struct err *err);
/* Counts a profile that is left out with its samples; the first reason is kept. */
void decoder_reject(struct decoder *dec, uint64_t samples, const char *why);

/* Takes the next string of the string table. */
MUST_USE int decoder_add_string(struct decoder *dec, struct str text, struct err *err);

/* The interned index of a string as sent; INDEX_BAD outside the table. */
static inline uint32_t decoder_string(const struct decoder *dec, uint64_t index)
{
	return index < dec->string_count ? dec->strings[index] : (uint32_t)INDEX_BAD;
}

/* Its text, "" outside the table. */
struct str decoder_string_text(const struct decoder *dec, uint64_t index);

/* An index as sent; what does not fit becomes one that no table has. */
static inline uint32_t decoder_index(uint64_t value)
{
	return value < INT32_MAX ? (uint32_t)value : (uint32_t)INDEX_BAD;
}

/* A copy with every byte that is not UTF-8 made U+FFFD. {NULL, 0} without memory. */
struct str decoder_text(struct arena *arena, struct str text);
