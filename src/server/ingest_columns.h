/* Private to server: which attributes are columns of a sample and not labels of
 * its series (500 threads on 64 CPUs must not make 32,000 series). */
#pragma once

#include "profile/profile.h"
#include "store/engine.h"

enum column {
	COLUMN_NOT_SEEN,
	COLUMN_NONE, /* a label */
	COLUMN_PID,
	COLUMN_TID,
	COLUMN_THREAD_NAME,
	COLUMN_CPU,
	COLUMN_SPAN,
	COLUMN_TRACE,
};

/* Of an attribute's name, dots or underscores. */
enum column column_of(struct str name);

/* Strings and spans of one batch, and what each attribute of the dictionary means. */
struct columns {
	struct arena *arena;
	const struct profile_dict *dict;
	struct strtab *strings; /* thread names; id = store's string index */
	struct strtab *spans;	/* struct store_span as bytes; id = store's span index + 1 */
	uint8_t *kinds;		/* enum column of each attribute */
};

MUST_USE int columns_init(struct columns *columns, struct arena *arena,
			  const struct profile_dict *dict, struct err *err);
enum column columns_kind(struct columns *columns, uint32_t attribute);

/* What the columns of one sample say; start from columns_none. */
struct column_values {
	uint32_t pid, tid, thread_name;
	int32_t cpu;
	struct store_span span;
	bool has_span;
};

extern const struct column_values columns_none;

/* Takes an attribute that is a column. */
MUST_USE int columns_take(struct columns *columns, enum column column, const struct value *value,
			  struct column_values *values, struct err *err);
/* Fills all but time, value and node. */
MUST_USE int columns_fill(struct columns *columns, const struct column_values *values,
			  struct store_sample *sample, struct err *err);
MUST_USE int columns_show(struct columns *columns, struct store_batch *batch, struct err *err);
