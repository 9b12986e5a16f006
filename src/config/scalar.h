/* Private to config: one value as text into one field, whoever wrote the text. */
#pragma once

#include "config/config.h"

enum config_source {
	CONFIG_FROM_DEFAULT,
	CONFIG_FROM_COLLECTOR_YAML, /* bools are true and false */
	CONFIG_FROM_PYROSCOPE_YAML, /* bools are YAML 1.1's */
	CONFIG_FROM_FLAG,	    /* bools are Go's */
};

/* ERR_INVALID: "abc" is not a duration (expected ...). Lists and maps are replaced. */
MUST_USE int config_scalar_set(const struct config_row *row, struct arena *arena, struct str text,
			       enum config_source source, void *field, struct err *err);
/* Is count items within the row's range? */
MUST_USE int config_count_check(const struct config_row *row, size_t count, struct err *err);
/* At the end of a list, without a range check. */
MUST_USE int config_strings_add(struct arena *arena, struct config_strings *list, struct str item,
				struct err *err);
MUST_USE int config_pairs_add(struct arena *arena, struct config_pairs *pairs, struct str key,
			      struct str value, struct err *err);
/* "duration", "one of a, b", with the range: for help and errors. */
void config_put_expected(const struct config_row *row, struct buf *out);
/* The range and unit alone, or the choices; nothing when there are none. */
void config_put_limits(const struct config_row *row, struct buf *out);
/* A type that a scalar can fill? */
bool config_is_scalar(enum config_type type);
