/* Private to wire: the parts of the pprof decoder. */
#pragma once

#include "base/map.h"
#include "wire/intake.h"
#include "wire/pprof.h"
#include "wire/proto.h"

/* profile.proto, message Profile */
enum pprof_field {
	PPROF_SAMPLE_TYPE = 1,
	PPROF_SAMPLE,
	PPROF_MAPPING,
	PPROF_LOCATION,
	PPROF_FUNCTION,
	PPROF_STRING,
	PPROF_DROP_FRAMES,
	PPROF_KEEP_FRAMES,
	PPROF_TIME,
	PPROF_DURATION,
	PPROF_PERIOD_TYPE,
	PPROF_PERIOD,
	PPROF_COMMENT,
	PPROF_DEFAULT_TYPE,
	PPROF_FIELDS,
};

/* Ids as sent (any 64 bits but 0) → rows of the batch. Most senders count from 1. */
struct pprof_ids {
	const char *what; /* "function" */
	uint32_t *dense;  /* row + 1 */
	uint64_t dense_count;
	struct map sparse; /* the caller's to deinit */
};

struct pprof_reader {
	struct wire_sink *sink;
	struct arena *arena;
	struct str bytes; /* unpacked */
	size_t counts[PPROF_FIELDS];
	uint32_t *strings; /* as sent → of the batch */
	size_t string_count;
	struct pprof_ids mappings, functions, locations;
	/* Of the functions: some senders (old .NET ones) forget them. */
	uint32_t *unnumbered; /* rows of functions with id 0 */
	size_t unnumbered_count;
	/* Scratch of one row. */
	struct profile_line *lines;
	size_t line_cap;
	struct value_type *types;
	size_t type_count;
	struct profile head; /* what is the same for all types */
};

typedef int pprof_row_fn(struct pprof_reader *r, struct str row, struct err *err);

int pprof_malformed(const char *what, struct err *err);
/* Calls fn for every occurrence of a field, which is a message or bytes. */
MUST_USE int pprof_each(struct pprof_reader *r, enum pprof_field field, pprof_row_fn *fn,
			struct err *err);
/* The batch's index of a string as sent. */
MUST_USE int pprof_string(const struct pprof_reader *r, uint64_t index, uint32_t *ret,
			  struct err *err);
/* Text of a string as sent, "" outside the table. */
struct str pprof_text(const struct pprof_reader *r, uint64_t index);
/* Row of an id. */
MUST_USE int pprof_find(const struct pprof_ids *ids, uint64_t id, uint32_t *ret, struct err *err);
MUST_USE int pprof_value_type(const struct pprof_reader *r, struct str bytes,
			      struct value_type *ret, struct err *err);
/* Strings, mappings, functions, locations. */
MUST_USE int pprof_dict(struct pprof_reader *r, struct err *err);
void pprof_dict_deinit(struct pprof_reader *r);
/* Samples and the profiles that they make. */
MUST_USE int pprof_samples(struct pprof_reader *r, struct profile_scope *scope, struct err *err);
